/**
 * How long to wait before the next connect. Full jitter, so that thousands who lost one instance do not come back as one.
 * Pure: randomness is passed in.
 */

import type { Millis, Retry } from "@presence-service/protocol";

/** Everybody back within 3 s of a dead instance shows no flicker (DESIGN §4): the first try comes within 2. */
const FIRST_MS = 2_000;
/** An instance that drains sends us away while others wait for us: only enough jitter to spread a wave. */
const ELSEWHERE_MS = 500;
/** So long others keep our members after an orderly goodbye (R12), and a restart takes no longer: tries meanwhile are not slowed down. */
const KEPT_MS = 5_000;
/** As long as somebody may be looking at the page and waiting: a restart takes seconds. */
const YOUNG_MS = 60_000;
const YOUNG_MS_MAX = 5_000;
const MAX_MS = 30_000;

export class Backoff {
  /** Of the last try; a half of the first before there was one. */
  #windowMs = FIRST_MS / 2;
  #since: Millis = 0;
  #keptUntil: Millis = Number.NEGATIVE_INFINITY;

  /** `random` in [0, 1). Never less than `atLeastMs`, which is what the service asked for. Counts as a failure until `reset`. */
  delayMs(retry: Exclude<Retry, "never">, random: number, now: Millis, atLeastMs: Millis = 0): Millis {
    const isFirst = this.#windowMs < FIRST_MS;
    if (isFirst) this.#since = now;
    const next = Math.min(2 * this.#windowMs, now - this.#since < YOUNG_MS ? YOUNG_MS_MAX : MAX_MS);
    this.#windowMs = now < this.#keptUntil ? FIRST_MS : next;
    // Only the first time: two instances that both send us away must not turn us into a hot loop.
    const isQuick = isFirst && (retry === "elsewhere" || atLeastMs > 0);
    return atLeastMs + random * (isQuick ? ELSEWHERE_MS : this.#windowMs);
  }

  /** The service has sent us away in order, which is no failure of ours; the next connect is for `retryAt`. */
  sentAway(retryAt: Millis): void {
    this.reset();
    this.#keptUntil = retryAt + KEPT_MS;
  }

  /** A connection lived. */
  reset(): void {
    this.#windowMs = FIRST_MS / 2;
  }
}
