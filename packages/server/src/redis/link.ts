/**
 * One link of the bus: a connection, and the next one whenever it is lost. The link waits between attempts; every wait has a deadline.
 * It can be told at any time to start over.
 */

import type { Millis } from "@presence-service/protocol";
import type { BusListener, Link } from "../bus/bus.ts";
import { CONSTANTS } from "../core/constants.ts";
import { backoffMs } from "./backoff.ts";
import type { RedisConnection } from "./client.ts";
import type { Failure } from "./failure.ts";
import type { Topology } from "./topology.ts";
import { inWords, type Place } from "./url.ts";

export type RedisLinkOptions = {
  readonly link: Link;
  readonly topology: Topology;
  /** Prepares a new connection before the link is up. Ends the connection if that cannot be done. */
  readonly prepare: (connection: RedisConnection) => Promise<void>;
};

export class RedisLink {
  /** Counts the connections that came up. */
  number = 0;
  /** Why there is no connection, or why there was none before this one. */
  lastFailure: Failure | undefined;
  readonly #options: RedisLinkOptions;
  #current: RedisConnection | undefined;
  #place: Place | undefined;
  #isUp = false;
  #isClosed = false;
  /** Skips the next wait. */
  #isHurried = false;
  /** Ends the present wait, or the present search for a server. */
  #wake: (() => void) | undefined;

  constructor(options: RedisLinkOptions) {
    this.#options = options;
  }

  /** The connection while the link is up. */
  get connection(): RedisConnection | undefined {
    return this.#isUp && this.#current?.isOver === false ? this.#current : undefined;
  }

  /** The server of the connection, or of the last attempt to get one. */
  get at(): string | undefined {
    return this.#place && inWords(this.#place);
  }

  /** Resolves when it is up for the first time, or closed. It never gives up by itself. */
  start(listener: BusListener): Promise<void> {
    return new Promise((resolve) => {
      void this.#keepConnected(listener, resolve).finally(resolve);
    });
  }

  /** Ends the connection or the attempt, even if it looks healthy, and starts the next attempt at once. */
  recycle(reason = "recycled"): void {
    this.#isHurried = true;
    // Set at once, as publishes in this turn of the event loop are rejected with this reason.
    this.lastFailure = { reason, advice: "" };
    this.#current?.end(this.lastFailure);
    this.#wake?.();
  }

  close(): void {
    this.#isClosed = true;
    this.#current?.end({ reason: "closed", advice: "" });
    this.#wake?.();
  }

  async #keepConnected(listener: BusListener, onUp: () => void): Promise<void> {
    const { link, topology } = this.#options;
    // Failures decide about the next wait, attempts are counted for logs.
    for (let failures = 0, attempt = 1; !this.#isClosed; attempt++) {
      const startedAt = performance.now();
      const connection = await this.#connect(listener);
      if ("reason" in connection) {
        if (this.#isClosed) return;
        this.lastFailure = connection;
        failures++;
        // The time that the attempt took counts as waiting: after one that hung, the next follows at once.
        const retryMs = this.#isHurried ? 0 : Math.max(0, backoffMs(failures) - (performance.now() - startedAt));
        listener.attemptFailed({ link, address: this.at ?? topology.address, reason: connection.reason, attempt, retryMs });
        await this.#pause(retryMs);
        continue;
      }
      this.#isUp = true;
      this.#isHurried = false;
      this.number++;
      attempt = 0;
      listener.linkUp(link, this.number);
      onUp();
      const upAt = performance.now();
      this.lastFailure = await connection.over;
      this.#isUp = false;
      if (this.#isClosed) return;
      listener.linkDown(link, this.lastFailure.reason);
      // A connection that is lost soon after it came up counts as a failure, so that the waits grow.
      failures = performance.now() - upAt < CONSTANTS.reconnectMsMax ? failures + 1 : 0;
      await this.#pause(backoffMs(failures));
    }
  }

  /** One attempt. */
  async #connect(listener: BusListener): Promise<RedisConnection | Failure> {
    const { link, topology, prepare } = this.#options;
    const abandoned = new Promise<Failure>((resolve) => {
      this.#wake = () => resolve({ reason: "recycled", advice: "" });
    });
    const place = await Promise.race([topology.locate(link), abandoned]);
    this.#wake = undefined;
    if (this.#isClosed || "reason" in place) return "reason" in place ? place : { reason: "closed", advice: "" };
    this.#place = place;
    const connection = topology.dialer.open(place, link, (channel, message) => listener.message(channel, message));
    this.#current = connection;
    await connection.opened;
    if (!connection.isOver) await topology.admit(connection, link);
    if (!connection.isOver) await prepare(connection);
    return connection.isOver ? connection.over : connection;
  }

  async #pause(ms: Millis): Promise<void> {
    if (!this.#isHurried && !this.#isClosed) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, ms);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#wake = undefined;
    this.#isHurried = false;
  }
}
