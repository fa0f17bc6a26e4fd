/** How long to wait before the next try, for links and for subscriptions alike. */

import type { Millis } from "@presence-service/protocol";
import { CONSTANTS } from "../core/constants.ts";

const MS_MIN = 50;

/** Exponential with full jitter, so that instances which lost the same Redis do not all come back at once. `failures`: so far. */
export function backoffMs(failures: number): Millis {
  return Math.random() * Math.min(CONSTANTS.reconnectMsMax, MS_MIN * 2 ** failures);
}
