/**
 * The bus over Redis pub/sub: one publisher and one subscriber connection, each replaced when it is lost. A pool of publishers
 * would break the order that R3 and R7 rest on. The core decides when a connection that looks healthy is given up.
 */

import type { Millis } from "@presence-service/protocol";
import type { Bus, BusListener, Channel, Link, Mode } from "../bus/bus.ts";
import { PresenceError } from "../errors.ts";
import { within } from "../within.ts";
import { RedisLink } from "./link.ts";
import { Outgoing } from "./outgoing.ts";
import { Subscriptions } from "./subscriptions.ts";
import type { Topology } from "./topology.ts";
import { inWords } from "./url.ts";

/** Long enough for a Redis that starts at the same time, short enough for a person who waits for the error. */
const START_MS_MAX = 5000;
const CLOSE_MS_MAX = 1000;

export class RedisPubSub implements Bus {
  readonly isSpread = false;
  readonly #topology: Topology;
  readonly #subscriptions = new Subscriptions();
  readonly #publisher: RedisLink;
  readonly #subscriber: RedisLink;
  /** The unanswered publishes of the last publisher connection. */
  #outgoing: Outgoing | undefined;
  #isStarted = false;
  #closing: Promise<void> | undefined;

  /** `onEnded`: where channels belong to slots, the server may end a subscription itself. */
  constructor(topology: Topology, onEnded: (channel: Channel) => void = () => {}) {
    this.#topology = topology;
    this.#publisher = new RedisLink({
      link: "publisher",
      topology,
      prepare: async (connection) => {
        this.#outgoing = new Outgoing(connection, { isCounted: topology.mode !== "cluster" });
      },
    });
    this.#subscriber = new RedisLink({
      link: "subscriber",
      topology,
      prepare: async (connection) => {
        connection.onEnded = onEnded;
        await this.#subscriptions.restore(connection);
        // At the start a refused channel means wrong settings, and the start fails. Later it affects only that channel.
        const { refusal } = this.#subscriptions;
        if (!this.#isStarted && refusal !== undefined) connection.end(refusal);
      },
    });
  }

  /** Opens both links as `start` does, and never gives up. */
  open(listener: BusListener): void {
    this.#isStarted = true;
    this.#subscriptions.reportTo(listener);
    for (const link of this.#links()) void link.start(listener);
  }

  async start(listener: BusListener): Promise<void> {
    this.#subscriptions.reportTo(listener);
    const until = performance.now() + START_MS_MAX;
    this.#topology.watch((place) => {
      const at = inWords(place);
      for (const link of this.#links()) if (link.at !== undefined && link.at !== at) link.recycle(`the master is now at ${at}`);
    });
    // The links are opened one after the other: if Redis refuses one, it refuses the other as well, which would only double the log.
    for (const link of this.#links()) {
      await within(until - performance.now(), link.start(listener), () => {});
      if (link.connection !== undefined) continue;
      const wasClosed = this.#closing !== undefined;
      await this.close();
      throw wasClosed ? new PresenceError("BUS_DOWN", "the server was closed while it was starting") : this.#unreachable(link);
    }
    this.#isStarted = true;
  }

  get mode(): Mode {
    return this.#topology.mode;
  }

  get address(): string {
    return this.#topology.address;
  }

  at(link: Link): string | undefined {
    const { connection, at } = link === "publisher" ? this.#publisher : this.#subscriber;
    return connection && at;
  }

  get publisherLink(): number {
    return this.#publisher.number;
  }

  publish(channel: Channel, message: Uint8Array): Promise<number | undefined> {
    if (this.#outgoing === undefined || this.#publisher.connection === undefined || this.#closing !== undefined) {
      return Promise.reject(this.#down());
    }
    return this.#outgoing.publish(channel, message);
  }

  subscribe(channel: Channel): void {
    this.#subscriptions.subscribe(channel);
  }

  unsubscribe(channel: Channel): void {
    this.#subscriptions.unsubscribe(channel);
  }

  resubscribe(channel: Channel): void {
    this.#subscriptions.resubscribe(channel);
  }

  recycle(link: Link): void {
    (link === "publisher" ? this.#publisher : this.#subscriber).recycle();
  }

  oldestUnansweredMs(): Millis {
    return this.#publisher.connection === undefined ? 0 : (this.#outgoing?.oldestMs() ?? 0);
  }

  async healthCheck(): Promise<Millis> {
    const { connection } = this.#publisher;
    if (connection === undefined) throw this.#down();
    try {
      return await connection.healthCheck();
    } catch (error) {
      throw new PresenceError("BUS_DOWN", `Redis at ${this.#topology.address}: ${(error as Error).message}`, { cause: error });
    }
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    if (this.#publisher.connection !== undefined) await this.#outgoing?.empty(CLOSE_MS_MAX);
    this.#subscriptions.close();
    this.#topology.close();
    for (const link of this.#links()) link.close();
  }

  #links(): readonly RedisLink[] {
    return [this.#publisher, this.#subscriber];
  }

  #down(): PresenceError {
    if (this.#closing !== undefined) return new PresenceError("BUS_DOWN", "the bus is closed");
    const reason = this.#publisher.lastFailure?.reason ?? "not yet connected";
    return new PresenceError("BUS_DOWN", `no connection to Redis at ${this.#topology.address}: ${reason}`);
  }

  #unreachable(link: RedisLink): PresenceError {
    const { reason, advice } = link.lastFailure ?? { reason: "no answer", advice: "" };
    const { address } = this.#topology;
    const at = link.at === undefined || link.at === address ? "" : ` (it is at ${link.at})`;
    const message = `No usable Redis at ${address}${at} in ${START_MS_MAX / 1000} s: ${reason}. ${advice}`;
    return new PresenceError("REDIS_UNREACHABLE", message.trim());
  }
}
