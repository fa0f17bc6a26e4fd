/** The thinnest true path: two processes, one Redis, two plain WebSocket clients that see each other join, move and leave. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { test } from "node:test";
import { type ClassicMessage, decodeClassic, encodeClassic } from "@presence-service/protocol";

const CLI = new URL("../src/cli.ts", import.meta.url).pathname;

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, "listening");
  const address = server.address();
  assert(address !== null && typeof address === "object");
  server.close();
  await once(server, "close");
  return address.port;
}

async function eventually(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) assert.fail(`not within 10 s: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

class Client {
  readonly heard: ClassicMessage[] = [];
  readonly #socket: WebSocket;

  constructor(port: number) {
    this.#socket = new WebSocket(`ws://localhost:${port}`);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }) => {
      const message = decodeClassic(new Uint8Array(data));
      if (message !== undefined) this.heard.push(message);
    };
  }

  async opened(): Promise<this> {
    await once(this.#socket, "open");
    return this;
  }

  send(message: ClassicMessage): void {
    this.#socket.send(encodeClassic(message));
  }

  close(): void {
    this.#socket.close();
  }

  has(kind: ClassicMessage["kind"], part: object): boolean {
    return this.heard.some(
      (message) => message.kind === kind && Object.entries(part).every(([key, value]) => Reflect.get(message, key) === value),
    );
  }
}

test("people on two instances see each other join, move and leave", async (t) => {
  const processes: ChildProcess[] = [];
  t.after(() => {
    for (const child of processes) child.kill("SIGKILL");
  });
  const redisPort = await freePort();
  processes.push(spawn("redis-server", ["--port", String(redisPort), "--save", "", "--appendonly", "no"], { stdio: "ignore" }));
  const ports = [await freePort(), await freePort()] as const;
  await eventually("redis listens", () =>
    fetch(`http://localhost:${redisPort}`).then(
      () => true,
      (error: Error) => !String(error.cause).includes("ECONNREFUSED"),
    ),
  );
  for (const port of ports) {
    const env = { ...process.env, WS_PORT: String(port), REDIS_URL: `redis://localhost:${redisPort}` };
    processes.push(spawn(process.execPath, ["--conditions=development", CLI], { env, stdio: ["ignore", "inherit", "inherit"] }));
  }
  for (const port of ports) {
    await eventually(`instance on ${port} is ready`, () =>
      fetch(`http://localhost:${port}/readyz`).then(
        (r) => r.ok,
        () => false,
      ),
    );
  }

  const ana = await new Client(ports[0]).opened();
  const ben = await new Client(ports[1]).opened();
  ben.send({ kind: "join", board: 1, username: "ben" });
  ana.send({ kind: "join", board: 1, username: "ana" });
  await eventually("ben sees ana", () => ben.has("user_joined", { username: "ana" }));
  await eventually("ana sees ben", () => ana.has("user_joined", { username: "ben" }));
  await eventually("both are counted", () => ana.has("presence_update", { count: 2 }) && ben.has("presence_update", { count: 2 }));

  const user = ben.heard.find((message) => message.kind === "user_joined")?.user ?? assert.fail();
  ana.send({ kind: "cursor_update", board: 1, x: 300, y: 400 });
  await eventually("ben sees ana move", () => ben.has("cursor_broadcast", { user, x: 300, y: 400 }));

  ana.send({ kind: "leave", board: 1 });
  await eventually("ben sees ana leave", () => ben.has("user_left", { user }));
  ana.close();
  ben.close();
});
