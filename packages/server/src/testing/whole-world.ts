/**
 * K whole instances, from sockets to core, on one virtual clock and the simulated Redis of a World, with its faults. Clients are what connects:
 * packages/sim has the SDK do so. Parts of an instance wait for promises, so time is advanced with `await`. It knows nothing of truth.
 */

import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { InstanceId, MemberId, Millis } from "@presence-service/protocol";
import { Channels } from "../bus/bus.ts";
import { Signing } from "../bus/signing.ts";
import type { Clock } from "../clock.ts";
import { ConnectionManager } from "../connection/manager.ts";
import { Random } from "../core/random.ts";
import { BINARY } from "../speech/v2.ts";
import type { Logger } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { type Faults, HEALTHY, Network } from "./network.ts";
import { NetworkBus } from "./network-bus.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { Wire, type WireEvents } from "./wire.ts";
import { hexDigits } from "./world-client.ts";

const CHANNELS = new Channels("sim");
/** One request for all clients, since no code here reads it. */
const REQUEST = new IncomingMessage(new Socket());
/** In the year 2025, so that times have their usual length. */
const BEGINS_AT: Millis = 1_760_000_000_000;
/** Instances are started so long after one another, and then given so long to find each other. */
const STARTS_MS: Millis = 300;
const WARM_UP_MS: Millis = 2_000;
/** Timers fire late, as real ones do: never too early by a rounding error, or their owner would set them again for no time at all. */
export const TIMER_LATE_MS: Millis = 0.01;
const SILENT: Logger = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {}, isLevelEnabled: () => false };

export class WholeInstance {
  readonly index: number;
  readonly instanceId: InstanceId;
  readonly manager: ConnectionManager;
  state: "running" | "paused" | "gone" = "running";
  readonly #bus: NetworkBus;
  readonly #around: { readonly clock: VirtualClock; readonly network: Network; readonly random: Random };
  readonly #wires = new Set<Wire>();
  /** Inputs and timers that wait while the process is stopped. */
  readonly #late: (() => void)[] = [];

  constructor(
    options: { readonly index: number; readonly instanceId: InstanceId; readonly seed: number },
    around: { readonly clock: VirtualClock; readonly network: Network; readonly random: Random },
  ) {
    const { index, instanceId, seed } = options;
    this.index = index;
    this.instanceId = instanceId;
    this.#around = around;
    this.#bus = new NetworkBus({ index, instanceId }, around.network, CHANNELS, (act) => this.#run(act));
    const metrics = createMetrics({ version: "sim" });
    this.manager = new ConnectionManager({
      bus: this.#bus,
      instanceId,
      channels: CHANNELS,
      signing: new Signing(""),
      clock: this.#processClock(index),
      metrics,
      log: SILENT,
      seed,
    });
    void this.manager.start();
  }

  get isServing(): boolean {
    return this.state !== "gone" && this.manager.isReady && !this.manager.isStopping;
  }

  /** Channels of boards that it wants to hear. */
  get boards(): Iterable<string> {
    return this.#bus.channels;
  }

  get isConnected(): boolean {
    return this.#bus.at("publisher") !== undefined && this.#bus.at("subscriber") !== undefined;
  }

  /** A client asks for a WebSocket; an instance that does not serve refuses it. `address`: of the client. */
  connect(client: WireEvents, address: string): Wire {
    const wire = new Wire(client, (act) => this.#run(act), this.#around);
    if (this.state === "gone") wire.lost();
    else {
      this.#wires.add(wire);
      wire.answer(() => (this.isServing ? this.manager.open(wire, { speech: BINARY, request: REQUEST, address }) : undefined));
    }
    return wire;
  }

  kick(memberId: MemberId, boardId: string | undefined): void {
    const on = boardId === undefined ? {} : { boardId: boardId as never };
    this.#run(() => void this.manager.tellAll({ kind: "kick", whom: { memberId }, ...on, reason: "" }).catch(() => {}));
  }

  pause(): void {
    if (this.state === "running") this.state = "paused";
  }

  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    for (const act of this.#late.splice(0)) this.#run(act);
  }

  /** kill -9. */
  end(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.#late.length = 0;
    this.#around.network.detach(this.index);
    for (const wire of this.#wires) wire.lost();
  }

  stop(): Promise<void> {
    return this.manager.stop();
  }

  #run(act: () => void): void {
    if (this.state === "running") act();
    else if (this.state === "paused") this.#late.push(act);
  }

  #processClock(index: number): Clock {
    const { clock } = this.#around;
    return {
      now: () => clock.now + 1000,
      wallNow: () => Math.floor(BEGINS_AT + clock.now) + ((index * 4_001) % 6_000) - 3_000,
      after: (ms, callback) => {
        let isOn = true;
        clock.after(Math.max(0, ms) + TIMER_LATE_MS, () => isOn && this.#run(() => isOn && callback()));
        return () => {
          isOn = false;
        };
      },
      afterReads: (callback) => clock.after(0, () => this.#run(callback)),
      load: () => 0,
    };
  }
}

export class WholeWorld {
  readonly seed: number;
  readonly network: Network;
  readonly instances: WholeInstance[] = [];
  /** For those who connect. */
  readonly random: Random;
  readonly clock = new VirtualClock();
  readonly #inner: Random;

  private constructor(seed: number, faults: Partial<Faults>) {
    this.seed = seed;
    this.random = new Random(seed);
    this.#inner = new Random(seed ^ 0x5eed);
    this.network = new Network({ clock: this.clock, random: new Random(seed ^ 0xb05), faults: { ...HEALTHY, ...faults } });
  }

  static async open(options: {
    readonly seed: number;
    readonly instances: number;
    readonly faults?: Partial<Faults>;
  }): Promise<WholeWorld> {
    const world = new WholeWorld(options.seed, options.faults ?? {});
    for (let started = 0; started < options.instances; started++) {
      world.start();
      await world.advance(STARTS_MS);
    }
    await world.advance(WARM_UP_MS);
    return world;
  }

  get now(): Millis {
    return this.clock.now;
  }

  async advance(ms: Millis): Promise<void> {
    const end = this.now + ms;
    await settle();
    while (this.clock.next() <= end) {
      this.clock.runNext();
      await settle();
    }
    this.clock.jumpTo(end);
  }

  after(ms: Millis, run: () => void): void {
    this.clock.after(ms, run);
  }

  start(): number {
    const index = this.instances.length;
    const instanceId = [8, 4, 4, 4, 12].map((digits) => hexDigits(this.#inner, digits)).join("-") as InstanceId;
    const around = { clock: this.clock, network: this.network, random: this.#inner };
    this.instances.push(new WholeInstance({ index, instanceId, seed: Math.floor(this.#inner.next() * 0xffff_ffff) }, around));
    return index;
  }

  kill(index: number): void {
    this.instance(index).end();
  }

  pause(index: number): void {
    this.instance(index).pause();
  }

  resume(index: number): void {
    this.instance(index).resume();
  }

  /** R12, as `presence-service` does when it is told to stop: its clients are sent away, then its process ends. */
  stop(index: number): void {
    const instance = this.instance(index);
    void instance.stop().then(() => instance.end());
  }

  drain(index: number): void {
    this.stop(index);
  }

  instance(index: number): WholeInstance {
    const instance = this.instances[index];
    if (instance === undefined) throw new RangeError(`there is no instance ${index}`);
    return instance;
  }
}

/** Promises run until none is left. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
