/** Writes the results of a scenario into a folder: a page with its tables and pictures, and everything as JSON. */

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Comparison, comparisonTables } from "./comparison.ts";
import { type Machine, machineLine } from "./machine.ts";
import { plot } from "./plot.ts";

export type Results = {
  readonly scenario: string;
  /** Run in packages/bench or with `-w packages/bench`, it makes these results again. */
  readonly command: string;
  readonly machine: Machine;
  /** Name of a contender, and what it consists of. */
  readonly versions: Readonly<Record<string, string>>;
  readonly comparisons: readonly Comparison[];
};

export function write(folder: string, results: Results): void {
  mkdirSync(folder, { recursive: true });
  const { scenario, comparisons } = results;
  const pictures = comparisons.map((_, nth) => `${scenario}${comparisons.length > 1 ? `-${nth + 1}` : ""}.svg`);
  writeFileSync(join(folder, `${scenario}.json`), `${JSON.stringify(results, null, 2)}\n`);
  for (const [nth, comparison] of comparisons.entries()) writeFileSync(join(folder, pictures[nth] ?? ""), plot(comparison));
  const parts = comparisons.map((comparison, nth) => `${comparisonTables(comparison)}\n\n![${comparison.title}](${pictures[nth]})`);
  writeFileSync(join(folder, `${scenario}.md`), `${pageHead(results)}\n\n${parts.join("\n\n")}\n`);
}

export function pageHead({ scenario, command, machine, versions }: Results): string {
  const list = Object.entries(versions).map(([name, version]) => `${name}: ${version}`);
  return `# ${scenario}

Medians, with the lowest and the highest run in parentheses; a ratio is of two runs of one repeat. How it is measured: \`docs/BENCHMARKS.md\`. **Machine.** ${machineLine(machine)}.
**Versions.** ${list.join("; ")}.
**Again.** \`${command}\``;
}
