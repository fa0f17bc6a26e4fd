/** The line of the own connection, on a driver and a clock of the test. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Driver, SocketEvents } from "@presence-service/client";
import type { Bytes } from "@presence-service/protocol";
import { Line } from "./line.ts";

class Network {
  now = 0;
  readonly sent: number[] = [];
  readonly closes: number[] = [];
  readonly told: string[] = [];
  readonly sockets: SocketEvents[] = [];
  #timers: { at: number; run: () => void }[] = [];
  readonly line: Line;

  constructor() {
    const base = {
      connect: (_url: string, _protocol: string | undefined, events: SocketEvents) => {
        this.sockets.push(events);
        return { send: (bytes: Bytes) => this.sent.push(bytes[0] ?? -1), close: (code: number) => this.closes.push(code) };
      },
      now: () => this.now,
      setTimer: (run: () => void, delayMs: number) => {
        const timer = { at: this.now + delayMs, run };
        this.#timers.push(timer);
        return () => {
          this.#timers = this.#timers.filter((other) => other !== timer);
        };
      },
      sessions: {},
    };
    this.line = new Line(base as unknown as Driver, {
      passed: (direction, bytes) => this.told.push(`${direction} ${bytes[0]}`),
      happened: (what, code) => this.told.push(code === undefined ? what : `${what} ${code}`),
    });
  }

  /** An SDK's side of a new connection: what it is told goes into `got`. */
  connect() {
    const got: string[] = [];
    const socket = this.line.driver.connect("ws://x", undefined, {
      opened: () => got.push("opened"),
      received: (bytes) => got.push(`received ${bytes[0]}`),
      closed: (code) => got.push(`closed ${code}`),
    });
    const service = this.sockets.at(-1) ?? assert.fail();
    return { got, socket, service };
  }

  advance(ms: number): void {
    this.now += ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= this.now);
      if (due.length === 0) return;
      this.#timers = this.#timers.filter((timer) => !due.includes(timer));
      for (const { run } of due) run();
    }
  }
}

const bytes = (value: number) => new Uint8Array([value]);

test("a line that nobody touches tells and delivers at once, and keeps no session in storage", () => {
  const network = new Network();
  const { got, socket, service } = network.connect();
  service.opened("presence.v2");
  socket.send(bytes(1));
  service.received(bytes(2));
  service.closed(1001);
  assert.deepEqual([got, network.sent], [["opened", "received 2", "closed 1001"], [1]]);
  assert.deepEqual(network.told, ["connecting", "opened", "out 1", "in 2", "closed 1001"]);
  assert.equal("sessions" in network.line.driver, false);
});

test("cut: the SDK is told that the connection broke, the service closes what a break would close, and nothing comes after", () => {
  const network = new Network();
  const { got, socket, service } = network.connect();
  service.opened("");
  network.line.cut();
  service.received(bytes(1));
  service.closed(1005);
  socket.send(bytes(2));
  assert.deepEqual([got, network.closes, network.sent], [["opened", "closed 1006"], [4001], []]);
  network.line.cut();
  assert.deepEqual(network.closes, [4001], "a connection is cut once");
});

test("paused: nothing gets through either way, then all of it does, in order", () => {
  const network = new Network();
  const { got, socket, service } = network.connect();
  service.opened("");
  network.line.isPaused = true;
  for (const value of [1, 2]) service.received(bytes(value));
  socket.send(bytes(3));
  network.advance(60_000);
  assert.deepEqual([got, network.sent, network.line.waiting], [["opened"], [], 3]);
  network.line.isPaused = false;
  service.received(bytes(4));
  network.advance(0);
  assert.deepEqual([got, network.sent], [["opened", "received 1", "received 2", "received 4"], [3]]);
  assert.deepEqual(network.told.slice(2), ["in 1", "in 2", "out 3", "in 4"]);
});

test("a connection that the SDK gives up while the line is paused is closed later, and tells the SDK nothing more", () => {
  const network = new Network();
  const { got, socket, service } = network.connect();
  service.opened("");
  network.line.isPaused = true;
  service.received(bytes(1));
  socket.close(4001);
  assert.deepEqual(network.closes, []);
  network.line.isPaused = false;
  network.advance(0);
  assert.deepEqual([got, network.closes], [["opened"], [4001]]);
});

test("slow: each way takes so much longer, and a line that is fast again overtakes nothing", () => {
  const network = new Network();
  const { got, socket, service } = network.connect();
  service.opened("");
  network.line.delayMs = 500;
  service.received(bytes(1));
  socket.send(bytes(2));
  network.advance(499);
  assert.deepEqual([got, network.sent], [["opened"], []]);
  network.line.delayMs = 0;
  service.received(bytes(3));
  network.advance(1);
  assert.deepEqual([got, network.sent], [["opened", "received 1", "received 3"], [2]]);
  service.received(bytes(4));
  assert.equal(got.at(-1), "received 4");
});

test("a line that holds too much is cut: nothing queues without bound", () => {
  const network = new Network();
  const { got, service } = network.connect();
  service.opened("");
  network.line.isPaused = true;
  for (let count = 0; count <= 5000; count++) service.received(bytes(1));
  network.advance(0);
  assert.deepEqual([got, network.line.waiting, network.closes], [["opened", "closed 1006"], 0, [4001]]);
});
