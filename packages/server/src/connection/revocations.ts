/**
 * The people whose older tokens are void (R24): known at every instance, for as long as a token may live. The list is bounded, and where
 * it is full it refuses more than it has to, never less. It closes no connection: revoking.ts does.
 */

import type { Millis } from "@presence-service/protocol";
import type { Revocation } from "../core/messages.ts";

/** At 40 bytes each 160 KB a minute, which one instance says for all. */
export const REVOCATIONS_MAX = 4096;

export class Revocations {
  readonly #lifeMs: Millis;
  readonly #wallNow: () => Millis;
  /** By user: tokens issued at that time or before are void. */
  readonly #before = new Map<string, Millis>();
  /** Of everybody: what was forgotten for lack of room is covered by it. */
  #floor: Millis = Number.NEGATIVE_INFINITY;

  /** `lifeMs`: no token lives longer. */
  constructor(lifeMs: Millis, wallNow: () => Millis) {
    this.#lifeMs = lifeMs;
    this.#wallNow = wallNow;
  }

  /** True: that is news. */
  add({ userId, before }: Revocation): boolean {
    // A time that has not come would void tokens that are still to be made; clocks differ by seconds.
    const time = Math.min(before, this.#wallNow());
    if (time <= (this.#before.get(userId) ?? Number.NEGATIVE_INFINITY) || this.#isOver(time)) return false;
    this.#before.set(userId, time);
    if (this.#before.size > REVOCATIONS_MAX) this.#makeRoom();
    return true;
  }

  /** Whether a token of that user counts no more. `issuedAt` undefined: it does not say when it was issued. */
  isVoid(userId: string, issuedAt: Millis | undefined): boolean {
    const known = this.#before.get(userId) ?? Number.NEGATIVE_INFINITY;
    const before = Math.max(
      this.#isOver(known) ? Number.NEGATIVE_INFINITY : known,
      this.#isOver(this.#floor) ? Number.NEGATIVE_INFINITY : this.#floor,
    );
    return before !== Number.NEGATIVE_INFINITY && (issuedAt === undefined || issuedAt <= before);
  }

  list(): Revocation[] {
    for (const [userId, before] of this.#before) if (this.#isOver(before)) this.#before.delete(userId);
    return Array.from(this.#before, ([userId, before]) => ({ userId, before }));
  }

  #isOver(before: Millis): boolean {
    return before + this.#lifeMs < this.#wallNow();
  }

  /** The oldest are forgotten, and everybody's tokens of that time are void instead: most have run out anyway, and clients ask for fresh ones. */
  #makeRoom(): void {
    const oldest = this.list().sort((a, b) => a.before - b.before);
    for (const { userId, before } of oldest.slice(0, Math.max(0, oldest.length - REVOCATIONS_MAX))) {
      this.#before.delete(userId);
      this.#floor = Math.max(this.#floor, before);
    }
  }
}
