/**
 * How long one client's token is valid, and when the client is asked for a fresh one: a minute before the end, or at half of a shorter
 * life; then again at half of the rest. The service asks, as timers of a hidden page are slow. Pure.
 */

import type { Millis } from "@presence-service/protocol";

const RENEW_MS_MAX = 60_000;
/** A client whose token is valid for less than twice this is not asked again: its answer would hardly come in time. */
const RENEW_MS_MIN = 2000;

export class TokenLife {
  readonly #expiresAt: Millis;
  #renewAt: Millis;

  /** `expiresAt` Infinity: the token is valid as long as the connection. */
  constructor(expiresAt: Millis, now: Millis) {
    this.#expiresAt = expiresAt;
    this.#renewAt = renewAt(expiresAt, now);
  }

  /** When to call `due`. */
  get dueAt(): Millis {
    return Math.min(this.#renewAt, this.#expiresAt);
  }

  /** `expired`; or how long the token is still valid, of which the client is to be told; undefined: nothing is due. */
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
