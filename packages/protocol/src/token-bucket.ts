/** A rate with a burst: so many at once, then so many per second. Pure: time is passed in. */

import type { Millis } from "./domain.ts";

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: Millis;

  /** Full at the time `since`, and so at the first `take`, however much later that is. */
  constructor({ perSecond, burst }: { readonly perSecond: number; readonly burst: number }, since: Millis) {
    this.#perMs = perSecond / 1000;
    this.#burst = this.#tokens = burst;
    this.#at = since;
  }

  /** Takes one token; `false`: there is none. */
  take(now: Millis): boolean {
    this.#fill(now);
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }

  /** `true`: a new bucket would give as much, so this one need not be kept. */
  isFull(now: Millis): boolean {
    this.#fill(now);
    return this.#tokens === this.#burst;
  }

  #fill(now: Millis): void {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
  }
}
