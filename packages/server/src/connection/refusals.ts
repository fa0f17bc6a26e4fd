/**
 * The refusals of Redis at present, with their causes: for the journal and the health page. The core decides which boards are
 * out of reach and which clients are told. Channels are named in the log and nowhere else, as they hold the names of boards.
 */

import type { Cause, Channel } from "../bus/bus.ts";
import type { Act, Journal } from "./journal.ts";

export class Refusals {
  readonly #journal: Journal;
  readonly #refused: Record<Act, Map<Channel, Cause>> = { subscribe: new Map(), publish: new Map() };

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  refused(act: Act, channel: Channel, { reason, gist, advice }: Cause): void {
    const cause = { reason, gist, advice };
    const { size } = this.#refused[act].set(channel, cause);
    this.#journal.redisRefuses(act, channel, size, cause);
  }

  granted(act: Act, channel: Channel): void {
    this.#refused[act].delete(channel);
  }

  /** This instance has left the channel: its refusals do not matter any more. */
  forget(channel: Channel): void {
    for (const refused of Object.values(this.#refused)) refused.delete(channel);
  }

  /** A sentence or two that name neither channels nor users; undefined: nothing is refused. */
  inWords(): string | undefined {
    for (const [act, refused] of Object.entries(this.#refused)) {
      const [cause] = refused.values();
      if (cause !== undefined) return `Redis refuses to ${act}: ${cause.gist}. ${cause.advice}`;
    }
    return undefined;
  }
}
