/**
 * The bus between instances: its delivery contract. Two implementations keep it (memory.ts, redis/pubsub.ts) and one
 * suite tests both. A bus moves bytes and reports facts; the core decides what to do about them.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Link } from "../core/effects.ts";
import type { Group } from "../core/messages.ts";
import type { Shard } from "../core/occupancy.ts";
import { PresenceError } from "../errors.ts";

export type { Link } from "../core/effects.ts";

/** A full channel name: ASCII, without pattern characters. */
export type Channel = string;

/** How the servers behind the bus stand together. */
export type Mode = "memory" | "standalone" | "sentinel" | "cluster";

export interface Bus {
  readonly mode: Mode;

  /** Channels of boards and counts are heard at single masters only (R9.26). An instance whose bus is otherwise hears nothing there. */
  readonly isSpread: boolean;

  /** For logs and the health page: hosts and ports as configured, without credentials, or `memory:`. */
  readonly address: string;

  /** The server to which this link is connected: host and port; undefined: to none. */
  at(link: Link): string | undefined;

  /**
   * Opens both links; from now on that listener is told what happens. Resolves when both were reported up, with the subscriptions asked
   * for by then. Rejects with `REDIS_UNREACHABLE` and advice after about 5 s, whatever hangs; the bus is closed then. To be called once.
   */
  start(listener: BusListener): Promise<void>;

  /**
   * Delivery is at most once. Messages of one publisher and link number stay in order, also across channels unless the bus is spread; others have no
   * order. An instance's own messages come back to it through Redis: they are the proof of delivery (R7). Resolves when the bus took the message, not when it is
   * delivered, to the number of subscribers reached (undefined where the number means nothing, as in Cluster). Rejects with `BUS_DOWN`
   * at once when there is no connection or too much is unanswered, and never queues across connections: drop the message if it was a
   * cursor, beacon later if it was a roster change. Rejects with `BusRefused` if Redis answers with an error (rights, read-only,
   * memory), and with `BUS_DOWN` if the connection is lost before Redis answers: then it is unknown whether the message was delivered.
   * `message` must not change until the promise settles. Messages published in one turn of the event loop leave together.
   */
  publish(channel: Channel, message: Uint8Array): Promise<number | undefined>;

  /**
   * The channel is wanted from now on, across reconnects, until `unsubscribe`. May be called before `start`. `subscribed` reports each
   * time that the subscription took effect. Channels asked for in one turn of the event loop leave together. Idempotent.
   */
  subscribe(channel: Channel): void;

  /** The channel is no longer wanted. Messages already under way may still come. Idempotent. */
  unsubscribe(channel: Channel): void;

  /** Give up a wanted subscription that is believed dead and take it anew; `subscribed` reports it. Ignored if not wanted. */
  resubscribe(channel: Channel): void;

  /**
   * Drop this connection, or the attempt to get one, even if it looks healthy, and open a new one at once. Reported as `linkDown`, if
   * the link was up, and as `linkUp`. Unanswered publishes reject.
   */
  recycle(link: Link): void;

  /** Age of the oldest publish without an answer; 0: none. A server that hangs shows here and nowhere else (R9). */
  oldestUnansweredMs(): Millis;

  /** Grows each time the publisher connects; every message carries it (R3). 0: never connected. */
  readonly publisherLink: number;

  /** Round trip of one PING on the publisher. Rejects within 1 s with `BUS_DOWN` and the reason. For `/health`. */
  healthCheck(): Promise<Millis>;

  /** Publishes no more, waits up to 1 s for those under way, then closes both links. Nothing is reported afterwards. Idempotent. */
  close(): Promise<void>;
}

/** Called from the event loop, never from within a call of `Bus`, and never after `close()` resolved. Must not throw. */
export interface BusListener {
  /** Called in the order of arrival. The listener may keep `message`, which may be a view of a larger piece of memory. */
  message(channel: Channel, message: Uint8Array): void;
  /** Called for a wanted channel each time its subscription took effect; after a reconnect before `linkUp` of the subscriber. */
  subscribed(channel: Channel): void;
  /**
   * `number` counts the connections of that link from 1. The subscriber is up once each wanted subscription is confirmed or
   * `refused`.
   */
  linkUp(link: Link, number: number): void;
  /** Called once per loss; `reason` is for logs. The next attempt follows within 50 ms, or 1 s if links are lost as soon as they are up. */
  linkDown(link: Link, reason: string): void;
  /** Only for logs: an attempt to connect failed, and the bus goes on trying. */
  attemptFailed(attempt: FailedAttempt): void;
  /**
   * Redis refused one subscription, for lack of rights for example. It is tried again; the others are not affected. Called for each
   * attempt; after a reconnect before `linkUp` of the subscriber.
   */
  refused(refusal: Refusal): void;
  /**
   * Nothing comes through the server of these channels, and others are not affected: only where channels are spread over several servers. The
   * bus goes on trying; `subscribed` reports each channel for which something may come again.
   */
  lost(channels: readonly Channel[], why: Cause): void;
}

export type FailedAttempt = {
  readonly link: Link;
  /** Host and port, without credentials. */
  readonly address: string;
  readonly reason: string;
  /** Counted from 1 since the link was last up. */
  readonly attempt: number;
  /** Time until the next attempt. */
  readonly retryMs: Millis;
};

/** Why Redis refused something. */
export type Cause = {
  /** For logs: holds the words of Redis. */
  readonly reason: string;
  /** For pages that anybody may see: names neither channels nor users. */
  readonly gist: string;
  /** For operators: a sentence or two on how to mend it. */
  readonly advice: string;
};

/** Redis answered a publish with an error: `BUS_REFUSED`. On another connection the answer would be the same. */
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

/** The rule for the first part of all channel names: ASCII, and no character that separates parts or makes a pattern. */
export function isChannelPrefix(text: string): boolean {
  return /^[a-z0-9-]{1,32}$/.test(text);
}

/** Channel names of one deployment; the prefix keeps two of them on one Redis apart, since pub/sub ignores the database number. */
export class Channels {
  readonly global: Channel;
  /** Where instances with webhooks tell each other who comes and leaves. */
  readonly hooks: Channel;
  readonly #boardPrefix: string;
  readonly #shardPrefix: string;
  readonly #groupPrefix: string;
  readonly #echoPrefix: string;
  readonly #movesPrefix: string;

  /** `prefix` keeps to `isChannelPrefix`. */
  constructor(prefix: string) {
    this.global = `${prefix}:global`;
    this.hooks = `${prefix}:hooks`;
    this.#boardPrefix = `${prefix}:board:`;
    this.#shardPrefix = `${prefix}:occupancy:`;
    this.#groupPrefix = `${prefix}:beats:`;
    this.#echoPrefix = `${prefix}:echo:`;
    this.#movesPrefix = `${prefix}:moves:`;
  }

  /** Only some instances listen there, so its messages may pass through one of several servers. */
  isSpread(channel: Channel): boolean {
    return channel.startsWith(this.#boardPrefix) || channel.startsWith(this.#shardPrefix);
  }

  /** With a number after it: a channel on which an instance speaks to itself. */
  echoPrefix(instanceId: string): Channel {
    return `${this.#echoPrefix}${instanceId}:`;
  }

  /** The channel on which others tell that instance of moves (R25). */
  moves(instanceId: InstanceId): Channel {
    return this.#movesPrefix + instanceId;
  }

  board(boardId: BoardId): Channel {
    return this.#boardPrefix + boardId;
  }

  /** The channel on which the counts of some boards are told (R15). */
  shard(shard: Shard): Channel {
    return this.#shardPrefix + shard;
  }

  /** undefined: it is no shard's channel. */
  shardOf(channel: Channel): Shard | undefined {
    return channel.startsWith(this.#shardPrefix) ? Number(channel.slice(this.#shardPrefix.length)) : undefined;
  }

  /** The channel for beats of a group of instances (R7). */
  group(group: Group): Channel {
    return this.#groupPrefix + group;
  }

  /** undefined: it is no group's channel. */
  groupOf(channel: Channel): Group | undefined {
    return channel.startsWith(this.#groupPrefix) ? Number(channel.slice(this.#groupPrefix.length)) : undefined;
  }

  /** The board of a channel of ours; undefined for the global one. */
  boardOf(channel: Channel): BoardId | undefined {
    return channel.startsWith(this.#boardPrefix) ? (channel.slice(this.#boardPrefix.length) as BoardId) : undefined;
  }
}
