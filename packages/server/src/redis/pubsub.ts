/**
 * The bus over Redis pub/sub: one publisher and one subscriber connection, each replaced with backoff when it is lost.
 */

import type { Millis } from "@presence-service/protocol";
import type { Bus, BusListener, Channel, Link } from "../bus/bus.ts";
import { PresenceError } from "../errors.ts";
import type { RedisClient, RedisConnection } from "./client.ts";

const BACKOFF_MS_MIN = 50;
/** Under suspect + down (4 s), so that a Redis that is back is used before peers are given up. */
const BACKOFF_MS_MAX = 1000;

export class RedisPubSub implements Bus {
  readonly #client: RedisClient;
  readonly #listener: BusListener;
  readonly #wanted = new Set<Channel>();
  #publisher: RedisConnection | undefined;
  #subscriber: RedisConnection | undefined;
  #links = { publisher: 0, subscriber: 0 };
  #closed = false;

  private constructor(client: RedisClient, listener: BusListener) {
    this.#client = client;
    this.#listener = listener;
  }

  /** Connects both links, once each. Rejects with the driver's error. */
  static async connect(client: RedisClient, listener: BusListener): Promise<RedisPubSub> {
    const bus = new RedisPubSub(client, listener);
    await Promise.all([bus.#open("publisher"), bus.#open("subscriber")]);
    return bus;
  }

  get publisherLink(): number {
    return this.#links.publisher;
  }

  async publish(channel: Channel, message: Uint8Array): Promise<number | undefined> {
    if (this.#publisher === undefined) throw new PresenceError("BUS_DOWN", "no connection to publish on");
    return this.#publisher.publish(channel, message);
  }

  subscribe(channel: Channel): void {
    if (this.#wanted.has(channel)) return;
    this.#wanted.add(channel);
    void this.#subscribe([channel]);
  }

  unsubscribe(channel: Channel): void {
    if (!this.#wanted.delete(channel)) return;
    this.#subscriber?.unsubscribe([channel]).catch(() => {});
  }

  resubscribe(channel: Channel): void {
    this.unsubscribe(channel);
    this.subscribe(channel);
  }

  recycle(link: Link): void {
    const connection = link === "publisher" ? this.#publisher : this.#subscriber;
    connection?.destroy();
    this.#lost(link, "recycled");
  }

  oldestUnansweredMs(): Millis {
    return 0;
  }

  async healthCheck(): Promise<Millis> {
    if (this.#publisher === undefined) throw new PresenceError("BUS_DOWN", "not connected");
    return this.#publisher.ping();
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#publisher?.destroy();
    this.#subscriber?.destroy();
  }

  async #open(link: Link): Promise<void> {
    const connection = await this.#client.connect(link, (reason) => this.#lost(link, reason));
    if (this.#closed) return connection.destroy();
    this.#links[link]++;
    if (link === "publisher") this.#publisher = connection;
    else {
      this.#subscriber = connection;
      await this.#subscribe([...this.#wanted]);
    }
    this.#listener.linkUp(link, this.#links[link]);
  }

  #lost(link: Link, reason: string): void {
    if (link === "publisher") this.#publisher = undefined;
    else this.#subscriber = undefined;
    if (this.#closed) return;
    this.#listener.linkDown(link, reason);
    void this.#reopen(link);
  }

  async #reopen(link: Link): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt++) {
      const ceiling = Math.min(BACKOFF_MS_MAX, BACKOFF_MS_MIN * 2 ** attempt);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * ceiling));
      try {
        return await this.#open(link);
      } catch {}
    }
  }

  async #subscribe(channels: readonly Channel[]): Promise<void> {
    if (channels.length === 0 || this.#subscriber === undefined) return;
    try {
      await this.#subscriber.subscribe(channels, (message, channel) => this.#listener.message(channel, message));
      for (const channel of channels) this.#listener.subscribed(channel);
    } catch {
      // The link is going down; the next one subscribes everything wanted.
    }
  }
}
