/**
 * How long to wait before the next connect. Full jitter, so that thousands of clients of one lost instance do not come back at once.
 * Pure: randomness is passed in.
 */

import type { Millis, Retry } from "@presence-service/protocol";

/** The first try comes within 2 s: a client that is back within the short grace (C2) is never shown as leaving. */
const FIRST_MS = 2_000;
/** An instance that drains sends its clients away while other instances are ready: enough jitter to spread them. */
const ELSEWHERE_MS = 500;
/** After an orderly goodbye the other instances keep our members so long (R12), and in a restart of all the next one is ready in a moment: retries begin quickly. */
const KEPT_MS = 5_000;
/** In the first minute somebody may be waiting for the page, and a restart takes seconds: retries stay within `YOUNG_MS_MAX`. */
const YOUNG_MS = 60_000;
const YOUNG_MS_MAX = 5_000;
const MAX_MS = 30_000;

export class Backoff {
  /** The window of the last try; before the first try, half of the first window. */
  #windowMs = FIRST_MS / 2;
  #since: Millis = 0;
  #keptUntil: Millis = Number.NEGATIVE_INFINITY;

  /** `random` in [0, 1). Never less than `atLeastMs`, for which the service asked. Counts as a failure until `reset`. */
  delayMs(retry: Exclude<Retry, "never">, random: number, now: Millis, atLeastMs: Millis = 0): Millis {
    const isFirst = this.#windowMs < FIRST_MS;
    if (isFirst) this.#since = now;
    const next = Math.min(2 * this.#windowMs, now - this.#since < YOUNG_MS ? YOUNG_MS_MAX : MAX_MS);
    this.#windowMs = now < this.#keptUntil ? Math.min(2 * this.#windowMs, FIRST_MS) : next;
    // Only the first time: two instances that both send us away must not turn us into a hot loop.
    const isQuick = isFirst && (retry === "elsewhere" || atLeastMs > 0);
    return atLeastMs + random * (isQuick ? ELSEWHERE_MS : this.#windowMs);
  }

  /** The service has sent us away with a goodbye, which is no failure; the next connect is at `retryAt`. */
  sentAway(retryAt: Millis): void {
    this.#windowMs = ELSEWHERE_MS / 2;
    this.#keptUntil = retryAt + KEPT_MS;
  }

  /** A connection was open long enough to count as a success. */
  reset(): void {
    this.#windowMs = FIRST_MS / 2;
  }
}
