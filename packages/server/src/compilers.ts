/**
 * The optimizing compilers of V8: the command leaves them off until there is work. By its heartbeats alone an instance makes functions hot, one after
 * another, and to load the compilers for these takes 13 MB (docs/decisions/027-resident-memory.md). The baseline compiler is always on.
 *
 * A flag of V8 is of the whole process. So only the command calls `rest`, and in a host's process `work` does nothing.
 */

import { setFlagsFromString } from "node:v8";

let isResting = false;

/** Nothing is optimized until `work`. */
export function rest(): void {
  isResting = true;
  // When many functions become hot at once, the jobs that have compiled them wait for a thread that frees them, 18 MB of them.
  setFlagsFromString("--no-maglev-destroy-on-background");
  optimize("~");
}

/** Something comes in that may go on for long, and thousands of times a second. */
export function work(): void {
  if (!isResting) return;
  isResting = false;
  optimize("*");
}

/**
 * Functions whose names pass may be optimized: `*`, all, is the default of V8; `~` is none. Whether there is a compiler at all stays as it was, so
 * nothing is switched on that this release of Node, or an operator, has switched off.
 */
function optimize(names: "*" | "~"): void {
  setFlagsFromString(`--maglev-filter=${names}`);
  setFlagsFromString(`--turbo-filter=${names}`);
}
