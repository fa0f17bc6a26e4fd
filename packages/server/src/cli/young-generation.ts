/**
 * Keeps the young generation of V8 small, in the process of the command. When thousands connect, V8 makes it up to 128 MB large, and returns
 * that memory some time after they have gone quiet, or not at all (docs/decisions/028-resident-memory.md). A flag that bounds it can be given
 * only to `node` itself; how fast it grows can be changed at any time.
 */

import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Of both halves. V8 makes it smaller by itself when little is allocated; then it may grow again. */
export const YOUNG_BYTES_MAX = 16 * 2 ** 20;

/** V8's default. */
const GROWTH = 2;

export function boundYoungGeneration(): void {
  let mayGrow = true;
  new PerformanceObserver(() => {
    if (mayGrow === GROWTH * youngBytes() <= YOUNG_BYTES_MAX) return;
    mayGrow = !mayGrow;
    setFlagsFromString(`--semi-space-growth-factor=${mayGrow ? GROWTH : 1}`);
  }).observe({ type: "gc" });
}

export function youngBytes(): number {
  return getHeapSpaceStatistics().find(({ space_name: name }) => name === "new_space")?.space_size ?? 0;
}
