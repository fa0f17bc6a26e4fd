/**
 * Members of one board that left this instance's roster though no owner had ended their session: if one of them is soon shown again, its
 * leave was false (R23). It remembers and tells; sessions.ts decides who is shown.
 */

import type { MemberId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";

type Absence = { readonly since: Millis; readonly attempt: number };

/** `kept`: the session was there all the time. `resumed`: its client had to come back by itself. */
export type FalseLeave = { readonly how: "kept" | "resumed"; readonly ms: Millis };

export class Absences {
  readonly #withinMs: Millis;
  /** Oldest first. */
  #absences = new Map<MemberId, Absence>();

  constructor(withinMs: Millis) {
    this.#withinMs = withinMs;
  }

  checkpoint(keep: Keep): void {
    this.#absences = keep(this.#absences);
  }

  left(memberId: MemberId, attempt: number, now: Millis): void {
    this.forgetDue(now);
    this.#absences.delete(memberId);
    this.#absences.set(memberId, { since: now, attempt });
  }

  /** The member is shown again. `endedAttempt`: the highest attempt that an owner has ended. undefined: it has not left falsely. */
  cameBack(memberId: MemberId, attempt: number, endedAttempt: number, now: Millis): FalseLeave | undefined {
    const absence = this.#absences.get(memberId);
    if (absence === undefined) return undefined;
    this.#absences.delete(memberId);
    const ms = now - absence.since;
    if (ms > this.#withinMs || absence.attempt <= endedAttempt) return undefined;
    return { how: attempt === absence.attempt ? "kept" : "resumed", ms };
  }

  /** To be called now and then, or those who never come back fill the memory. */
  forgetDue(now: Millis): void {
    for (const [memberId, { since }] of this.#absences) {
      if (now - since <= this.#withinMs) return;
      this.#absences.delete(memberId);
    }
  }
}
