/**
 * The optimizing compilers of V8: the command leaves them off until there is work. By its heartbeats alone an instance makes functions hot, one after
 * another, and to load the compilers for these takes 13 MB (docs/decisions/028-resident-memory.md). The baseline compiler is always on.
 *
 * A flag of V8 is of the whole process. So only the command calls `rest`, and in a host's process the others do nothing.
 * Functions whose names pass a filter may be optimized: `*`, all, is the default of V8; `~` is none. Whether there is a compiler at all stays as it
 * was, so nothing is switched on that this release of Node, or an operator, has switched off.
 */

import { setFlagsFromString } from "node:v8";

/** The compilers that are off: both, only TurboFan, which is the dearer one, or none. */
let off: "both" | "turbofan" | "none" = "none";

/** Nothing is optimized until somebody comes. */
export function rest(): void {
  off = "both";
  // When many functions become hot at once, the jobs that have compiled them wait for a thread that frees them, 18 MB of them.
  setFlagsFromString("--no-maglev-destroy-on-background");
  setFlagsFromString("--maglev-filter=~");
  setFlagsFromString("--turbo-filter=~");
}

/** Somebody comes. Crowds that join take the same time with Maglev alone. */
export function arrived(): void {
  if (off !== "both") return;
  off = "turbofan";
  setFlagsFromString("--maglev-filter=*");
}

/** Somebody moves, or says something: the like of it may come thousands of times a second. */
export function busy(): void {
  if (off === "none") return;
  arrived();
  off = "none";
  setFlagsFromString("--turbo-filter=*");
}
