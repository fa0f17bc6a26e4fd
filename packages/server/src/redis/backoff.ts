/** How long to wait before the next try, for links and for subscriptions alike. */

import type { Millis } from "@presence-service/protocol";

const MS_MIN = 50;

/** Must stay under what makes a peer suspect and then down, so that a Redis that is back is used before peers are given up. */
export const BACKOFF_MS_MAX: Millis = 1000;

/** Exponential with full jitter, so that instances which lost the same Redis do not come back in one breath. `failures`: so far. */
export function backoffMs(failures: number): Millis {
  return Math.random() * Math.min(BACKOFF_MS_MAX, MS_MIN * 2 ** failures);
}
