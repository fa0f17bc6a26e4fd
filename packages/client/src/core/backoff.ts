/**
 * How long to wait before the next connect. Full jitter, so that thousands who lost one instance do not come back as one.
 * Pure: randomness is passed in.
 */

import type { Millis, Retry } from "@presence-service/protocol";

/** Everybody back within 3 s of a dead instance shows no flicker (DESIGN §4): the first try comes within 2. */
const FIRST_MS = 2_000;
/** An instance that drains sends us away while others wait for us: only enough jitter to spread a wave. */
const ELSEWHERE_MS = 500;
const MAX_MS = 30_000;

export class Backoff {
  #failures = 0;

  /** `random` in [0, 1). Never less than `atLeastMs`, which is what the service asked for. Counts as a failure until `reset`. */
  delayMs(retry: Exclude<Retry, "never">, random: number, atLeastMs: Millis = 0): Millis {
    // Only the first time: two instances that both send us away must not turn us into a hot loop.
    const isQuick = this.#failures === 0 && (retry === "elsewhere" || atLeastMs > 0);
    const windowMs = isQuick ? ELSEWHERE_MS : Math.min(MAX_MS, FIRST_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 10);
    return atLeastMs + random * windowMs;
  }

  /** A connection lived. */
  reset(): void {
    this.#failures = 0;
  }
}
