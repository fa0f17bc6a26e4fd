/** A bus for instances on one fake clock: delivers to all subscribers at the end of the turn, and can be broken. */

import type { Millis } from "@presence-service/protocol";
import type { Bus, BusListener, Channel, Link } from "../bus/bus.ts";
import type { Clock } from "../clock.ts";
import { PresenceError } from "../errors.ts";

export class LoopbackBus {
  readonly #clock: Pick<Clock, "afterReads">;
  readonly #ends: BusEnd[] = [];
  /** Publishing fails, and nothing is delivered. */
  isDown = false;
  /** Publishing is rejected with this error. */
  refusal: Error | undefined;
  /** Messages of these channels are rejected with this error. */
  refusalOf: (channel: Channel) => Error | undefined = () => undefined;
  /** Told of each message that is taken. */
  onPublish: (channel: Channel, message: Uint8Array) => void = () => {};

  constructor(clock: Pick<Clock, "afterReads">) {
    this.#clock = clock;
  }

  connect(): BusEnd {
    const end = new BusEnd(this);
    this.#ends.push(end);
    return end;
  }

  /** Returns the number of subscribers reached. */
  deliver(channel: Channel, message: Uint8Array): number {
    const receivers = this.#ends.filter(({ wanted, forgotten }) => wanted.has(channel) && !forgotten.has(channel));
    this.onPublish(channel, message);
    this.later(() => {
      if (!this.isDown) for (const { listener, isDeaf } of receivers) if (!isDeaf) listener?.message(channel, message);
    });
    return receivers.length;
  }

  later(report: () => void): void {
    this.#clock.afterReads(report);
  }
}

export class BusEnd implements Bus {
  readonly mode = "memory";
  isSpread = false;
  readonly address = "loopback";
  listener: BusListener | undefined;
  readonly wanted = new Set<Channel>();
  /** Wanted channels of which nothing comes until they are subscribed anew. */
  readonly forgotten = new Set<Channel>();
  /** Messages that come are lost. */
  isDeaf = false;
  readonly #bus: LoopbackBus;
  publisherLink = 0;
  #subscribers = 1;

  constructor(bus: LoopbackBus) {
    this.#bus = bus;
  }

  /** As `wanted`. */
  get channels(): ReadonlySet<Channel> {
    return this.wanted;
  }

  at(): undefined {}

  async start(listener: BusListener): Promise<void> {
    this.listener = listener;
    this.publisherLink = 1;
    this.#bus.later(() => {
      this.listener?.linkUp("publisher", 1);
      this.listener?.linkUp("subscriber", 1);
    });
  }

  publish(channel: Channel, message: Uint8Array): Promise<number> {
    if (this.#bus.isDown) return Promise.reject(new PresenceError("BUS_DOWN", "no connection"));
    const refusal = this.#bus.refusal ?? this.#bus.refusalOf(channel);
    if (refusal !== undefined) return Promise.reject(refusal);
    return Promise.resolve(this.#bus.deliver(channel, message));
  }

  subscribe(channel: Channel): void {
    this.wanted.add(channel);
    this.forgotten.delete(channel);
    this.#bus.later(() => this.listener?.subscribed(channel));
  }

  unsubscribe(channel: Channel): void {
    this.wanted.delete(channel);
  }

  resubscribe(channel: Channel): void {
    this.subscribe(channel);
  }

  recycle(_link: Link): void {}

  /** The subscriber is cut off, and a new one restores all subscriptions; what was under way is lost. */
  replaceSubscriber(): void {
    this.isDeaf = true;
    this.listener?.linkDown("subscriber", "connection closed by the other end");
    this.#bus.later(() => {
      this.isDeaf = false;
      for (const channel of this.wanted) this.listener?.subscribed(channel);
      this.listener?.linkUp("subscriber", ++this.#subscribers);
    });
  }

  oldestUnansweredMs(): Millis {
    return 0;
  }

  async healthCheck(): Promise<Millis> {
    return 0;
  }

  async close(): Promise<void> {
    this.wanted.clear();
    this.listener = undefined;
  }
}
