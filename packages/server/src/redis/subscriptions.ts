/**
 * The channels that are wanted, and those that the present connection has been asked for. Everything asked within one turn of the event
 * loop leaves together. Channels that Redis refuses are tried again one by one, without holding up the others.
 */

import type { BusListener, Channel } from "../bus/bus.ts";
import { backoffMs } from "./backoff.ts";
import { isErrorReply, type RedisConnection } from "./client.ts";
import { explain, type Failure } from "./failure.ts";

const TRY_ALL_MS_MIN = 1000;
const RETRY_EACH_MS = 1;

type Refusal = { readonly failure: Failure; readonly times: number; readonly timer: NodeJS.Timeout };

export class Subscriptions {
  /** undefined: nothing was asked of Redis yet, so there is nothing to report. */
  #listener: BusListener | undefined;
  readonly #wanted = new Set<Channel>();
  // Channels asked for in this turn: they are left first, then joined. A channel in both is subscribed anew.
  readonly #leaving = new Set<Channel>();
  readonly #joining = new Set<Channel>();
  /**
   * Channels that Redis was asked for and has not answered yet; later wishes for them wait. The driver itself would answer a SUBSCRIBE
   * while an UNSUBSCRIBE of the channel is under way, and the channel would be lost.
   */
  #busy = new Set<Channel>();
  readonly #refused = new Map<Channel, Refusal>();
  /** The connection to which changes go; undefined while there is none, or while it is being restored. */
  #connection: RedisConnection | undefined;
  /** When all refused channels were last tried at once, because one of them was granted. */
  #triedAllAt = Number.NEGATIVE_INFINITY;
  #flush: NodeJS.Immediate | undefined;

  /** The failure of a wanted channel that Redis refuses at present. */
  get refusal(): Failure | undefined {
    return this.#refused.values().next().value?.failure;
  }

  subscribe(channel: Channel): void {
    if (this.#wanted.has(channel)) return;
    this.#wanted.add(channel);
    this.#joining.add(channel);
    this.#flushSoon();
  }

  unsubscribe(channel: Channel): void {
    if (!this.#wanted.delete(channel)) return;
    this.#forgetRefusal(channel);
    if (!this.#joining.delete(channel)) this.#leaving.add(channel);
    this.#flushSoon();
  }

  resubscribe(channel: Channel): void {
    if (!this.#wanted.has(channel)) return;
    this.#leaving.add(channel);
    this.#joining.add(channel);
    this.#flushSoon();
  }

  /** Subscriptions and refusals are reported to that listener. To be called before the first `restore`. */
  reportTo(listener: BusListener): void {
    this.#listener = listener;
  }

  /** Subscribes on a new connection. Resolves when each wanted channel is confirmed or refused, or the connection is over. */
  async restore(connection: RedisConnection): Promise<void> {
    this.#connection = undefined;
    this.#busy = new Set();
    this.#leaving.clear();
    for (const channel of this.#wanted) this.#joining.add(channel);
    for (const { timer } of this.#refused.values()) clearTimeout(timer);
    // Channels asked for meanwhile are restored as well.
    while (this.#joining.size + this.#leaving.size > 0 && !connection.isOver) await this.#exchange(connection);
    this.#connection = connection;
  }

  close(): void {
    this.#wanted.clear();
    this.#connection = undefined;
    clearImmediate(this.#flush);
    for (const channel of this.#refused.keys()) this.#forgetRefusal(channel);
  }

  #flushSoon(): void {
    // This runs at the end of the turn, not of the current callback: one turn reads from many sockets.
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      if (this.#connection?.isOver === false) void this.#exchange(this.#connection);
    });
  }

  async #exchange(connection: RedisConnection): Promise<void> {
    const busy = this.#busy;
    const leaving = [...this.#leaving].filter((channel) => !busy.has(channel));
    const joining = [...this.#joining].filter((channel) => !busy.has(channel));
    for (const channel of leaving) this.#leaving.delete(channel);
    for (const channel of joining) this.#joining.delete(channel);
    const asked = [...leaving, ...joining];
    for (const channel of asked) busy.add(channel);
    // If an unsubscription fails, messages of the channel still come: the listener ignores them.
    const left = leaving.length > 0 ? connection.unsubscribe(leaving).catch(() => {}) : undefined;
    await this.#subscribeWithRetry(connection, joining);
    await left;
    for (const channel of asked) busy.delete(channel);
    if (this.#leaving.size + this.#joining.size > 0) this.#flushSoon();
  }

  /** Resolves when each channel is confirmed or refused, or the connection is over: the next one restores all wanted channels. */
  async #subscribeWithRetry(connection: RedisConnection, channels: readonly Channel[]): Promise<void> {
    const wanted = channels.filter((channel) => this.#wanted.has(channel));
    if (wanted.length === 0) return;
    try {
      await connection.subscribe(wanted);
    } catch (error) {
      if (!isErrorReply(error) || connection.isOver) return;
      const [first, ...others] = wanted;
      if (first !== undefined && others.length === 0) return this.#refuse(first, explain(error));
      // Redis refuses all channels because of one. Halving finds it among thousands with a few dozen commands.
      const half = wanted.length >> 1;
      await Promise.all([
        this.#subscribeWithRetry(connection, wanted.slice(0, half)),
        this.#subscribeWithRetry(connection, wanted.slice(half)),
      ]);
      return;
    }
    for (const channel of wanted) {
      if (!this.#wanted.has(channel) || connection.isOver) continue;
      if (this.#forgetRefusal(channel)) this.#tryAll();
      this.#listener?.subscribed(channel);
    }
  }

  /** A right has come back. Mostly it covers more than one channel, so all refused ones are tried at once. */
  #tryAll(): void {
    if (performance.now() - this.#triedAllAt < TRY_ALL_MS_MIN) return;
    this.#triedAllAt = performance.now();
    for (const [channel, { timer }] of this.#refused) {
      clearTimeout(timer);
      this.#joining.add(channel);
    }
    this.#flushSoon();
  }

  #refuse(channel: Channel, failure: Failure): void {
    if (!this.#wanted.has(channel)) return;
    const times = (this.#refused.get(channel)?.times ?? 0) + 1;
    this.#forgetRefusal(channel);
    // The wait grows with the number of refused channels, so that Redis is asked a thousand times a second at most.
    const retryMs = Math.max(backoffMs(times), Math.random() * this.#refused.size * 2 * RETRY_EACH_MS);
    const timer = setTimeout(() => {
      this.#joining.add(channel);
      this.#flushSoon();
    }, retryMs);
    this.#refused.set(channel, { failure, times, timer });
    this.#listener?.refused({ channel, gist: "", ...failure, attempt: times, retryMs });
  }

  /** Forgets that Redis refuses the channel. Answers whether it did. */
  #forgetRefusal(channel: Channel): boolean {
    clearTimeout(this.#refused.get(channel)?.timer);
    return this.#refused.delete(channel);
  }
}
