/**
 * Whether the user of this page is away: nothing was touched for a while, or the page is hidden. Pure: it is told what happens, and when
 * to look again.
 */

import type { Millis } from "@presence-service/protocol";

export class Idleness {
  readonly #afterMs: Millis;
  #activeAt: Millis;
  #isHidden = false;

  /** `afterMs`: how long nothing may be touched; Infinity: the user is never away. */
  constructor(afterMs: Millis, now: Millis) {
    this.#afterMs = afterMs;
    this.#activeAt = now;
  }

  /** Somebody uses the page. */
  active(now: Millis): void {
    this.#activeAt = now;
    this.#isHidden = false;
  }

  hidden(): void {
    this.#isHidden = true;
  }

  isAway(now: Millis): boolean {
    return this.#afterMs !== Number.POSITIVE_INFINITY && (this.#isHidden || now >= this.#activeAt + this.#afterMs);
  }

  /** When to look again, if nothing happens until then. */
  get deadline(): Millis {
    return this.#isHidden ? Number.POSITIVE_INFINITY : this.#activeAt + this.#afterMs;
  }
}
