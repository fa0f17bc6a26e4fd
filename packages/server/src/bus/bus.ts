/**
 * The bus between instances: its delivery contract. Two implementations keep it (memory.ts, redis/pubsub.ts) and one
 * suite holds both to it. A bus moves bytes and reports facts; what to do about them is the core's business.
 */

import type { BoardId, Millis } from "@presence-service/protocol";

/** A full channel name: ASCII, without pattern characters. */
export type Channel = string;

export type Link = "publisher" | "subscriber";

export interface Bus {
  /**
   * At most once; in order per publisher and link number, none across. Our own messages come back too, through Redis:
   * they are the proof of delivery (R7). Resolves when the bus took it, not when it is delivered, to the number of
   * subscribers reached (undefined where the number means nothing, as in Cluster). Rejects with `BUS_DOWN` at once when
   * there is no connection or too much is unanswered; never queues across connections: drop it if it was a cursor,
   * beacon later if it was a roster change.
   */
  publish(channel: Channel, message: Uint8Array): Promise<number | undefined>;

  /** Wanted from now on, across reconnects, until `unsubscribe`. `subscribed` reports each time it took effect. Idempotent. */
  subscribe(channel: Channel): void;

  /** No longer wanted. Messages already under way may still come. Idempotent. */
  unsubscribe(channel: Channel): void;

  /** Give up a wanted subscription that is believed dead and take it anew; `subscribed` reports it. */
  resubscribe(channel: Channel): void;

  /** Drop this connection, whatever it looks like, and open a new one at once; reported as linkDown and linkUp. */
  recycle(link: Link): void;

  /** Age of the oldest publish without an answer; 0: none. A server that hangs shows here and nowhere else (R9). */
  oldestUnansweredMs(): Millis;

  /** Raised each time the publisher connects; every message carries it (R3). 0: never connected. */
  readonly publisherLink: number;

  /** Round trip of one PING on the publisher, or an error that says why not. For `/health` and the start. */
  healthCheck(): Promise<Millis>;

  /** Waits up to 1 s for publishes under way, then closes both connections. Nothing is reported afterwards. */
  close(): Promise<void>;
}

/** Called from the event loop, never from within a call of `Bus`, and never after `close()` resolved. */
export interface BusListener {
  /** `message` is the listener's to keep. */
  message(channel: Channel, message: Uint8Array): void;
  subscribed(channel: Channel): void;
  /** `number` counts the connections of that link from 1. The subscriber is up once all wanted subscriptions are confirmed. */
  linkUp(link: Link, number: number): void;
  /** Once per loss; `reason` is for logs. */
  linkDown(link: Link, reason: string): void;
}

/** Channel names of one deployment; the prefix keeps two of them on one Redis apart, since pub/sub ignores the database number. */
export class Channels {
  readonly global: Channel;
  readonly #boardPrefix: string;

  /** @param prefix `[a-z0-9-]{1,32}` */
  constructor(prefix: string) {
    this.global = `${prefix}:global`;
    this.#boardPrefix = `${prefix}:board:`;
  }

  board(boardId: BoardId): Channel {
    return this.#boardPrefix + boardId;
  }

  /** The board of a channel of ours; undefined for the global one. */
  boardOf(channel: Channel): BoardId | undefined {
    return channel.startsWith(this.#boardPrefix) ? (channel.slice(this.#boardPrefix.length) as BoardId) : undefined;
  }
}
