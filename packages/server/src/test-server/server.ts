/**
 * The service for the tests of apps: real instances, from socket to core, on a bus in memory, in this process and on a clock that the test moves. It
 * opens no port, needs no Redis and waits for nothing. The sockets, HTTP and Redis itself are not here: no test on it says anything of them.
 */

import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import { type InstanceId, isBoardId, type Member, type Millis } from "@presence-service/protocol";
import { type Bounds, boundsOf } from "../bounds.ts";
import type { Authenticate, Authorize } from "../connection/auth.ts";
import { type AnnounceOptions, announcementOf, type KickOptions, kickOf, revocationOf } from "../connection/operator.ts";
import { Random } from "../core/random.ts";
import { speechFor } from "../speech/subprotocols.ts";
import { BINARY } from "../speech/v2.ts";
import { LoopbackBus } from "../testing/loopback-bus.ts";
import { settle } from "../testing/settle.ts";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { WholeInstance } from "../testing/whole-instance.ts";
import { Wire } from "../testing/wire.ts";
import { type DriverOptions, Page, type TestDriver } from "./driver.ts";

export type TestServerOptions = {
  /** As in `createPresenceServer`: names the user of a token. Without it each client is a person of its own. */
  readonly authenticate?: Authenticate;
  /** As in `createPresenceServer`: whether that user may enter that board. */
  readonly authorize?: Authorize;
  /** As in `createPresenceServer`. */
  readonly limits?: Partial<Bounds>;
  /** How many instances there are, joined by one bus; they show their clients the same boards. Default: 1. */
  readonly instances?: number;
};

export interface TestServer {
  /** The time of the service, in milliseconds since 1970: the time at which it was created, and all that was advanced since. */
  readonly now: number;
  /** A new page, for `createPresence({ url, driver })`. Several clients may share one, as those of a page do. */
  driver(options?: DriverOptions): TestDriver;
  /**
   * Lets that much time pass: timers of the service and of all clients fire in their order, and promises settle in between. Awaiting anything else,
   * a real `fetch` or `setTimeout` of the app, passes no time here.
   */
  advance(ms: number): Promise<void>;
  /** The members that are shown on that board, by the order of their ids. */
  members(boardId: string): Member[];
  /** As the method of the real server: puts a person or a session out, of one board or of the service. */
  kick(options: KickOptions): Promise<void>;
  /** As the method of the real server: puts a person out and voids the tokens that they have. */
  revoke(userId: string, reason?: string): Promise<void>;
  /** As the method of the real server: tells the clients of all boards, or of one, a text. */
  announce(text: string, options?: AnnounceOptions): Promise<void>;
  /** That instance (by default the first) dies, as by `kill -9`: its clients' connections break, and they connect to another one if there is any. */
  kill(instance?: number): void;
  /** Redis is out of reach, for all instances: clients are told `degraded`, and do not see what happens at other instances. */
  disconnectBus(): void;
  /** Redis is back. */
  reconnectBus(): void;
  /** One more instance, which serves clients after a moment. Returns its number. */
  start(): number;
  /** Instances stop as for a deploy: they send their clients elsewhere and end. `instance` undefined: all. Time passes until they have. */
  stop(instance?: number): Promise<void>;
}

/** A message takes so long, one way. */
const LATENCY_MS = 1;
/** Instances are started so long after one another. */
const STARTS_MS: Millis = 300;
/** An instance that has just started treats some things differently; one that is tested has run for so long. */
const WARM_UP_MS: Millis = 20_000;

/** Resolves when clients can connect. Nothing has to be closed afterwards: no port is open and no real timer runs. */
export async function createTestServer(options: TestServerOptions = {}): Promise<TestServer> {
  const { instances = 1 } = options;
  if (!Number.isInteger(instances) || instances < 1) throw new RangeError(`instances is ${instances}; it must be 1 or more`);
  const server = new VirtualServer(options);
  for (let started = 0; started < instances; started++) {
    server.start();
    await server.advance(STARTS_MS);
  }
  await server.advance(WARM_UP_MS);
  return server;
}

class VirtualServer implements TestServer {
  readonly #options: TestServerOptions;
  readonly #clock = new VirtualClock();
  /** Always the same, so that a test gives the same every time. */
  readonly #random = new Random(1);
  readonly #bus = new LoopbackBus({ afterReads: (callback) => this.#clock.after(0, callback) });
  readonly #instances: WholeInstance[] = [];
  /** The time since 1970 when the virtual time began: once all instances have warmed up, it is that of the real clock. */
  readonly #beganAt: Millis;
  #drivers = 0;

  constructor(options: TestServerOptions) {
    this.#options = options;
    this.#beganAt = Date.now() - (options.instances ?? 1) * STARTS_MS - WARM_UP_MS;
  }

  get now(): number {
    return this.#beganAt + this.#clock.now;
  }

  driver(options: DriverOptions = {}): TestDriver {
    const nth = this.#drivers++;
    const { instance = nth % Math.max(1, this.#instances.length), headers = {} } = options;
    this.#instance(instance);
    const around = { clock: this.#clock, random: this.#random, latencyMs: [LATENCY_MS, LATENCY_MS] } as const;
    return new Page(this.#clock, this.#random, (client, network, { url, protocol }) => {
      const request = requestOf(url, protocol, headers);
      const to = this.#balanced(instance);
      if (network === "up" && to !== undefined && speechFor(request, url.searchParams) === BINARY)
        return to.connect(client, `192.0.2.${nth % 255}`, request);
      const wire = new Wire(client, () => {}, around);
      if (network === "silent") wire.silence();
      wire.lost();
      return wire;
    });
  }

  async advance(ms: number): Promise<void> {
    const clock = this.#clock;
    const end = clock.now + ms;
    await settle();
    while (clock.next() <= end) {
      clock.runNext();
      await settle();
    }
    clock.jumpTo(end);
  }

  members(boardId: string): Member[] {
    if (!isBoardId(boardId)) throw new TypeError(`${JSON.stringify(boardId)} is no board id`);
    return this.#running().manager.page(boardId, undefined, Number.MAX_SAFE_INTEGER);
  }

  async kick(options: KickOptions): Promise<void> {
    await this.#running().manager.tellAll(kickOf(options));
  }

  async revoke(userId: string, reason?: string): Promise<void> {
    await this.#running().manager.tellAll(revocationOf(userId, reason, this.now));
  }

  async announce(text: string, options?: AnnounceOptions): Promise<void> {
    await this.#running().manager.tellAll(announcementOf(text, options));
  }

  kill(instance = 0): void {
    this.#instance(instance).end();
  }

  disconnectBus(): void {
    this.#bus.isDown = true;
  }

  reconnectBus(): void {
    this.#bus.isDown = false;
  }

  start(): number {
    const index = this.#instances.length;
    const end = this.#bus.connect();
    const { authenticate, authorize, limits } = this.#options;
    const instance = new WholeInstance(
      {
        index,
        instanceId: `00000000-0000-4000-8000-${String(index + 1).padStart(12, "0")}` as InstanceId,
        seed: index,
        wallAheadMs: this.#beganAt,
        host: { authenticate, authorize, bounds: boundsOf(limits) },
      },
      { clock: this.#clock, random: this.#random, latencyMs: [LATENCY_MS, LATENCY_MS] },
      { connect: () => end, cut: () => void end.close() },
    );
    this.#instances.push(instance);
    return index;
  }

  async stop(instance?: number): Promise<void> {
    const some = instance === undefined ? this.#instances : [this.#instance(instance)];
    const left = new Set(some.filter(({ state }) => state !== "gone"));
    for (const one of left) {
      void one.stop().then(() => {
        one.end();
        left.delete(one);
      });
    }
    while (left.size > 0) await this.advance(STOP_GRAIN_MS);
  }

  #instance(index: number): WholeInstance {
    const instance = this.#instances[index];
    if (instance === undefined) throw new RangeError(`there is no instance ${index}; there are ${this.#instances.length}, counted from 0`);
    return instance;
  }

  #running(): WholeInstance {
    const running = this.#instances.find(({ isServing }) => isServing);
    if (running === undefined) throw new Error("no instance serves; `start` one and `advance` a moment");
    return running;
  }

  /** That instance, or the next one that serves. */
  #balanced(wanted: number): WholeInstance | undefined {
    return [...this.#instances.slice(wanted), ...this.#instances.slice(0, wanted)].find(({ isServing }) => isServing);
  }
}

const STOP_GRAIN_MS: Millis = 10;

/** The request by which the page asks for a WebSocket. */
function requestOf(url: URL, protocol: string | undefined, headers: Readonly<Record<string, string>>): IncomingMessage {
  const request = new IncomingMessage(new Socket());
  request.method = "GET";
  request.url = url.pathname + url.search;
  const named = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]);
  Object.assign(request.headers, { host: url.host, ...(protocol && { "sec-websocket-protocol": protocol }) }, Object.fromEntries(named));
  return request;
}
