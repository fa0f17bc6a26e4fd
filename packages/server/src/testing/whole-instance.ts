/**
 * A whole instance, from sockets to core, in this process and on virtual time: a World of many runs it on a simulated Redis, the test server for
 * apps on a bus in memory. It may be stopped for a while, or killed. It knows nothing of truth.
 */

import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import type { InstanceId, MemberId, Millis } from "@presence-service/protocol";
import { type Bus, type Channel, Channels } from "../bus/bus.ts";
import { Signing } from "../bus/signing.ts";
import type { Clock } from "../clock.ts";
import { ConnectionManager, type ManagerOptions } from "../connection/manager.ts";
import { BINARY } from "../speech/v2.ts";
import { SILENT } from "../telemetry/log.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { VERSION } from "../version.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import { Wire, type WireEvents, type WireSurroundings } from "./wire.ts";

export const CHANNELS = new Channels("sim");
/** One request for all clients whose host does not look at it. */
const REQUEST = new IncomingMessage(new Socket());
/** Timers fire late, as real ones do: never too early by a rounding error, or their owner would set them again for no time at all. */
export const TIMER_LATE_MS: Millis = 0.01;

export type InstanceOptions = {
  readonly index: number;
  readonly instanceId: InstanceId;
  readonly seed: number;
  /** The difference between the time since 1970 by the clock of its machine and the virtual time. */
  readonly wallAheadMs: Millis;
  /** The functions and settings of its host. */
  readonly host?: Pick<ManagerOptions, "authenticate" | "authorize" | "bounds">;
};

type Around = WireSurroundings & { readonly clock: VirtualClock };

type InstanceBus = Bus & { readonly channels: ReadonlySet<Channel> };

/** Between an instance and the others. */
type Way = {
  /** `run`: lets the process handle what has come, now or when it goes on. */
  readonly connect: (run: (act: () => void) => void) => InstanceBus;
  /** Its process has ended. */
  readonly cut: () => void;
};

export class WholeInstance {
  readonly index: number;
  readonly instanceId: InstanceId;
  readonly manager: ConnectionManager;
  state: "running" | "paused" | "gone" = "running";
  readonly #bus: InstanceBus;
  readonly #around: Around;
  readonly #way: Way;
  readonly #wires = new Set<Wire>();
  /** Inputs and timers that wait while the process is stopped. */
  readonly #late: (() => void)[] = [];

  constructor({ index, instanceId, seed, wallAheadMs, host = {} }: InstanceOptions, around: Around, way: Way) {
    this.index = index;
    this.instanceId = instanceId;
    this.#around = around;
    this.#way = way;
    this.#bus = way.connect((act) => this.#run(act));
    const metrics = createMetrics({ version: VERSION });
    this.manager = new ConnectionManager({
      ...host,
      bus: this.#bus,
      instanceId,
      channels: CHANNELS,
      signing: new Signing(""),
      clock: this.#processClock(wallAheadMs),
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

  /** A client asks for a WebSocket; an instance that does not serve refuses it. `address`: of the client. `request`: for the host's `authenticate`. */
  connect(client: WireEvents, address: string, request = REQUEST): Wire {
    const wire = new Wire(client, (act) => this.#run(act), this.#around);
    if (this.state === "gone") wire.lost();
    else {
      this.#wires.add(wire);
      wire.answer(() => (this.isServing ? this.manager.open(wire, { speech: BINARY, request, address }) : undefined));
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
    this.#way.cut();
    for (const wire of this.#wires) wire.lost();
  }

  stop(): Promise<void> {
    return this.manager.stop();
  }

  #run(act: () => void): void {
    if (this.state === "running") act();
    else if (this.state === "paused") this.#late.push(act);
  }

  #processClock(wallAheadMs: Millis): Clock {
    const { clock } = this.#around;
    return {
      now: () => clock.now + 1000,
      wallNow: () => Math.floor(clock.now) + wallAheadMs,
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
