/** A verdict as a line of a table. */

import type { Verdict } from "./checker.ts";

export const HEADINGS =
  "topology     fault                                            false leaves  unheard    ghost    blind    equal after (bound)   changes  lag";

export function lineOf({ topology, fault, bounds, falseLeaves, unheard, ghostMs, blindMs, equalMs, load, lagMs }: Verdict): string {
  const ms = (value: number | undefined) => (value === undefined ? "never" : `${Math.round(value)}`);
  const changes = Object.values(load).reduce((sum, count) => sum + count, 0);
  return [
    topology.padEnd(13),
    fault.padEnd(49),
    String(falseLeaves.length).padStart(12),
    String(unheard).padStart(9),
    ms(ghostMs).padStart(9),
    ms(blindMs).padStart(9),
    `${ms(equalMs)} (${bounds.equalMsMax})`.padStart(23),
    String(changes).padStart(10),
    String(lagMs).padStart(5),
  ].join("");
}
