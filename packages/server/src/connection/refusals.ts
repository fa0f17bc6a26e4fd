/**
 * The refusals of Redis at present, with their causes: for the journal and the health page. The core decides which boards are
 * out of reach and which clients are told. Channels are named in the log and nowhere else, as they hold the names of boards.
 */

import type { Cause, Channel } from "../bus/bus.ts";
import type { Act, Journal } from "./journal.ts";

const REMIND_MS = 600_000;

export class Refusals {
  readonly #journal: Pick<Journal, "redisRefuses" | "redisLost">;
  /** When the log said last that Redis refuses this. */
  readonly #saidAt: Record<Act, number> = { subscribe: Number.NEGATIVE_INFINITY, publish: Number.NEGATIVE_INFINITY };
  readonly #refused: Record<Act, Map<Channel, Cause>> = { subscribe: new Map(), publish: new Map() };
  /** Channels of which nothing is heard, as their server is out of reach. */
  readonly #lost = new Map<Channel, Cause>();

  constructor(journal: Pick<Journal, "redisRefuses" | "redisLost">) {
    this.#journal = journal;
  }

  refused(act: Act, channel: Channel, { reason, gist, advice }: Cause): void {
    const cause = { reason, gist, advice };
    const isNews = this.#refused[act].get(channel)?.reason !== reason;
    const { size } = this.#refused[act].set(channel, cause);
    // Refused channels are tried every second, perhaps for days: a line for each cause, and now and then a reminder.
    const isSaid = isNews || performance.now() - this.#saidAt[act] >= REMIND_MS;
    if (isSaid) this.#saidAt[act] = performance.now();
    this.#journal.redisRefuses(act, channel, size, cause, isSaid);
  }

  /** The server of these channels is out of reach. */
  lost(channels: readonly Channel[], why: Cause): void {
    for (const channel of channels) this.#lost.set(channel, why);
    this.#journal.redisLost(channels.length, why);
  }

  granted(act: Act, channel: Channel): void {
    this.#refused[act].delete(channel);
    if (act === "subscribe") this.#lost.delete(channel);
  }

  /** This instance has left the channel: its refusals do not matter any more. */
  forget(channel: Channel): void {
    for (const refused of [...Object.values(this.#refused), this.#lost]) refused.delete(channel);
  }

  /** A sentence or two that name neither channels nor users; undefined: nothing is refused. */
  inWords(): string | undefined {
    for (const [act, refused] of Object.entries(this.#refused)) {
      const [cause] = refused.values();
      if (cause !== undefined) return `Redis refuses to ${act}: ${cause.gist}. ${cause.advice}`;
    }
    const [why] = this.#lost.values();
    return why && `${why.gist}. ${why.advice}`;
  }
}
