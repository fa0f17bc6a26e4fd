/**
 * The bus of one instance alone (`REDIS_URL=memory:`): within the process, shared with no other. It keeps the same contract as
 * Redis, and own messages come back too, so other parts need not know the difference. It is never down.
 */

import { setImmediate as endOfTurn } from "node:timers/promises";
import type { Millis } from "@presence-service/protocol";
import { PresenceError } from "../errors.ts";
import type { Bus, BusListener, Channel, Link } from "./bus.ts";

export class MemoryBus implements Bus {
  readonly isSpread = false;
  readonly mode = "memory";
  readonly address = "memory:";
  /** undefined: the bus is not open. */
  #listener: BusListener | undefined;
  readonly #wanted = new Set<Channel>();
  readonly #links: Record<Link, number> = { publisher: 0, subscriber: 0 };
  /** Calls of the listener, made in this order at the end of this turn of the event loop. */
  #reports: ((listener: BusListener) => void)[] = [];
  #flush: NodeJS.Immediate | undefined;

  at(): undefined {}

  get publisherLink(): number {
    return this.#links.publisher;
  }

  async start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    this.#connect("publisher");
    this.#connect("subscriber");
    await endOfTurn();
  }

  publish(channel: Channel, message: Uint8Array): Promise<number> {
    if (this.#listener === undefined) return Promise.reject(new PresenceError("BUS_DOWN", "the bus is not open"));
    if (!this.#wanted.has(channel)) return Promise.resolve(0);
    const copy = message.slice();
    this.#report((listener) => listener.message(channel, copy));
    return Promise.resolve(1);
  }

  subscribe(channel: Channel): void {
    if (this.#wanted.has(channel)) return;
    this.#wanted.add(channel);
    this.resubscribe(channel);
  }

  unsubscribe(channel: Channel): void {
    this.#wanted.delete(channel);
  }

  resubscribe(channel: Channel): void {
    if (!this.#wanted.has(channel) || this.#listener === undefined) return;
    this.#report((listener) => {
      if (this.#wanted.has(channel)) listener.subscribed(channel);
    });
  }

  recycle(link: Link): void {
    if (this.#listener === undefined) return;
    this.#report((listener) => listener.linkDown(link, "recycled"));
    this.#connect(link);
  }

  oldestUnansweredMs(): Millis {
    return 0;
  }

  async healthCheck(): Promise<Millis> {
    if (this.#listener === undefined) throw new PresenceError("BUS_DOWN", "the bus is not open");
    return 0;
  }

  async close(): Promise<void> {
    this.#listener = undefined;
    this.#reports = [];
    clearImmediate(this.#flush);
  }

  #connect(link: Link): void {
    const number = ++this.#links[link];
    if (link === "subscriber") for (const channel of this.#wanted) this.resubscribe(channel);
    this.#report((listener) => listener.linkUp(link, number));
  }

  #report(report: (listener: BusListener) => void): void {
    this.#reports.push(report);
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      const reports = this.#reports;
      this.#reports = [];
      for (const report of reports) if (this.#listener !== undefined) report(this.#listener);
    });
  }
}
