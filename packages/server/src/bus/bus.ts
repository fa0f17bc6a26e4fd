/**
 * The bus between instances: its delivery contract. Two implementations keep it (memory.ts, redis/pubsub.ts) and one
 * suite holds both to it. A bus moves bytes and reports facts; what to do about them is the core's business.
 */

import type { BoardId, Millis } from "@presence-service/protocol";
import { PresenceError } from "../errors.ts";

/** A full channel name: ASCII, without pattern characters. */
export type Channel = string;

export type Link = "publisher" | "subscriber";

export interface Bus {
  /** For people: host and port, without credentials, or what stands for them. */
  readonly address: string;

  /**
   * Opens both links; resolves when both were reported up, subscriptions asked for by then included. Rejects with
   * `REDIS_UNREACHABLE` and what to do about it after about 5 s, whatever hangs; the bus is closed then. Once.
   */
  start(): Promise<void>;

  /**
   * At most once; in order per publisher and link number, none across. Our own messages come back too, through Redis:
   * they are the proof of delivery (R7). Resolves when the bus took it, not when it is delivered, to the number of
   * subscribers reached (undefined where the number means nothing, as in Cluster). Rejects with `BUS_DOWN` at once when
   * there is no connection or too much is unanswered; never queues across connections: drop it if it was a cursor,
   * beacon later if it was a roster change. Rejects with `BusRefused` if Redis says no (rights, read-only, memory), and
   * with `BUS_DOWN` if the connection is lost before it answered: then nobody knows whether it was delivered.
   * `message` must stay as it is until the promise settles. What is published in one turn of the event loop leaves together.
   */
  publish(channel: Channel, message: Uint8Array): Promise<number | undefined>;

  /**
   * Wanted from now on, across reconnects, until `unsubscribe`; also before `start`. `subscribed` reports each time it took
   * effect. What is asked for in one turn of the event loop leaves together. Idempotent.
   */
  subscribe(channel: Channel): void;

  /** No longer wanted. Messages already under way may still come. Idempotent. */
  unsubscribe(channel: Channel): void;

  /** Give up a wanted subscription that is believed dead and take it anew; `subscribed` reports it. Ignored if not wanted. */
  resubscribe(channel: Channel): void;

  /**
   * Drop this connection, or the attempt to get one, whatever it looks like, and open a new one at once. Reported as linkDown,
   * if it was up, and linkUp. Unanswered publishes reject.
   */
  recycle(link: Link): void;

  /** Age of the oldest publish without an answer; 0: none. A server that hangs shows here and nowhere else (R9). */
  oldestUnansweredMs(): Millis;

  /** Raised each time the publisher connects; every message carries it (R3). 0: never connected. */
  readonly publisherLink: number;

  /** Round trip of one PING on the publisher, or `BUS_DOWN` within 1 s, which says why. For `/health`. */
  healthCheck(): Promise<Millis>;

  /** Publishes no more, waits up to 1 s for those under way, then closes both links. Nothing is reported afterwards. Idempotent. */
  close(): Promise<void>;
}

/** Called from the event loop, never from within a call of `Bus`, and never after `close()` resolved. Must not throw. */
export interface BusListener {
  /** In the order of arrival. `message` is the listener's to keep, though perhaps a view of a larger piece of memory. */
  message(channel: Channel, message: Uint8Array): void;
  /** For each wanted channel, whenever a subscription took effect; after a reconnect before `linkUp` of the subscriber. */
  subscribed(channel: Channel): void;
  /**
   * `number` counts the connections of that link from 1. The subscriber is up once all wanted subscriptions are confirmed, but
   * for those that were `refused`.
   */
  linkUp(link: Link, number: number): void;
  /** Once per loss; `reason` is for logs. The next attempt follows within 50 ms, or 1 s if links are lost as soon as they are up. */
  linkDown(link: Link, reason: string): void;
  /** Only for logs: no connection yet, and the bus goes on trying. */
  attemptFailed(attempt: FailedAttempt): void;
  /**
   * One subscription failed, by lack of rights for example; it is tried again, the others are not concerned. Once for each attempt; after a
   * reconnect before `linkUp` of the subscriber.
   */
  refused(refusal: Refusal): void;
}

export type FailedAttempt = {
  readonly link: Link;
  /** Host and port, without credentials. */
  readonly address: string;
  readonly reason: string;
  /** Counted from 1 since the link was last up. */
  readonly attempt: number;
  /** Until the next. */
  readonly retryMs: Millis;
};

/** Why Redis says no. */
export type Cause = {
  /** For logs: with what Redis said. */
  readonly reason: string;
  /** For anybody: names neither channels nor users. */
  readonly gist: string;
  /** For people who have to mend it: a sentence or two. */
  readonly advice: string;
};

/** Redis answered a publish with an error: `BUS_REFUSED`. Another connection would be answered the same. */
export class BusRefused extends PresenceError {
  readonly why: Cause;

  constructor(why: Cause, options?: { cause?: unknown }) {
    super("BUS_REFUSED", `Redis refused a publish: ${why.reason}. ${why.advice}`, options);
    this.why = why;
  }
}

export type Refusal = Cause & {
  readonly channel: Channel;
  /** Counted from 1 since the channel was last subscribed. */
  readonly attempt: number;
  readonly retryMs: Millis;
};

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
