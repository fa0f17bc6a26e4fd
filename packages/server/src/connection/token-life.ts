/**
 * How long one client's token holds, and when the client is asked for a fresh one: a minute before the end, or at half of a shorter
 * life; then again at half of what is left. The service asks, so that no timer of a hidden page has to. Pure.
 */

import type { Millis } from "@presence-service/protocol";

const RENEW_MS_MAX = 60_000;
/** With less than twice this left a client is not asked once more: its answer would hardly come in time. */
const RENEW_MS_MIN = 2000;

export class TokenLife {
  readonly #expiresAt: Millis;
  #renewAt: Millis;

  /** `expiresAt` Infinity: with the connection. */
  constructor(expiresAt: Millis, now: Millis) {
    this.#expiresAt = expiresAt;
    this.#renewAt = renewAt(expiresAt, now);
  }

  /** When to ask `due`. */
  get dueAt(): Millis {
    return Math.min(this.#renewAt, this.#expiresAt);
  }

  /** `expired`; or how long the token still holds, and its client is to be told; undefined: nothing is due. */
  due(now: Millis): "expired" | Millis | undefined {
    if (now >= this.#expiresAt) return "expired";
    if (now < this.#renewAt) return undefined;
    this.#renewAt = renewAt(this.#expiresAt, now);
    return this.#expiresAt - now;
  }
}

export const FOREVER = new TokenLife(Number.POSITIVE_INFINITY, 0);

function renewAt(expiresAt: Millis, now: Millis): Millis {
  const leadMs = Math.min(RENEW_MS_MAX, (expiresAt - now) / 2);
  return leadMs < RENEW_MS_MIN ? Number.POSITIVE_INFINITY : expiresAt - leadMs;
}
