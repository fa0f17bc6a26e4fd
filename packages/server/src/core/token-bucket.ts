/** A rate with a burst: so many at once, then so many per second. */

import type { Millis } from "@presence-service/protocol";

export class TokenBucket {
  readonly #perMs: number;
  readonly #burst: number;
  #tokens: number;
  #at: Millis;

  constructor(options: { readonly perSecond: number; readonly burst: number }, now: Millis) {
    this.#perMs = options.perSecond / 1000;
    this.#burst = options.burst;
    this.#tokens = options.burst;
    this.#at = now;
  }

  /** Takes one token; false: there is none. */
  take(now: Millis): boolean {
    this.#tokens = Math.min(this.#burst, this.#tokens + (now - this.#at) * this.#perMs);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
