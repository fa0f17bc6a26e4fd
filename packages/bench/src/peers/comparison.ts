/** The runs of all contenders under one load, in turn, and what is made of them: medians, ranges, and ratios of runs that were neighbours. */

import { fixed, table } from "../report.ts";
import { type Figures, MEASURES, type Measure, type MeasureName, type Run } from "./figures.ts";

export type Entry = {
  readonly name: string;
  /** One instance without a bus. */
  readonly isAlone: boolean;
  /** By repeat; undefined: none was good. */
  readonly runs: (Run | undefined)[];
  /** Runs that were thrown away, and why. */
  readonly thrown: string[];
};

/** The name of the entry of the physical limit. */
export const LIMIT = "physical limit";

export type Comparison = { readonly title: string; readonly entries: readonly Entry[] };

export type Spread = { readonly median: number; readonly low: number; readonly high: number; readonly count: number };

export function spreadOf(numbers: readonly number[]): Spread {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? Number.NaN) + (sorted[Math.floor(middle)] ?? Number.NaN)) / 2;
  return { median, low: sorted[0] ?? Number.NaN, high: sorted.at(-1) ?? Number.NaN, count: sorted.length };
}

export function spreadIn({ runs }: Entry, measure: MeasureName): Spread {
  return spreadOf(runs.flatMap((run) => run?.figures[measure] ?? []));
}

/** Of each repeat in which both have a good run. */
export function ratios(entry: Entry, reference: Entry, measure: MeasureName): Spread {
  return spreadOf(
    entry.runs.flatMap((run, repeat) => {
      const [theirs, mine] = [run?.figures[measure], reference.runs[repeat]?.figures[measure]];
      return theirs === undefined || mine === undefined || mine === 0 ? [] : theirs / mine;
    }),
  );
}

export function measuresIn({ entries }: Comparison): MeasureName[] {
  const has = (name: MeasureName) =>
    entries.some(({ runs }) => runs.some((run) => (run?.figures as Figures | undefined)?.[name] !== undefined));
  return (Object.keys(MEASURES) as MeasureName[]).filter(has);
}

/** `isCompared` says of which entries there are ratios. */
export function comparisonTables(comparison: Comparison, isCompared = isPeerOf): string {
  const { title, entries } = comparison;
  const measures = measuresIn(comparison);
  const titles = measures.map((name) => MEASURES[name].title);
  const late = ({ runs }: Entry) => {
    const [p50, p99] = (["lateP50", "lateP99"] as const).map((name) => spreadOf(runs.flatMap((run) => run?.[name] ?? [])).median);
    return `${fixed(p50 ?? Number.NaN, 2)} / ${fixed(p99 ?? Number.NaN, 2)}`;
  };
  const absolute = table(
    ["", ...titles, "generator late, p50 / p99 ms", "good runs"],
    entries.map((entry) => [
      entry.name,
      ...measures.map((name) => shown(spreadIn(entry, name), MEASURES[name].digits)),
      late(entry),
      `${entry.runs.filter((run) => run !== undefined).length}${entry.thrown.length > 0 ? `, ${entry.thrown.length} thrown away` : ""}`,
    ]),
  );
  const compared = measures.filter((name) => !(("noRatio" in MEASURES[name]) satisfies boolean | Measure));
  const rows = entries.flatMap((reference) =>
    entries
      .filter((entry) => isCompared(entry, reference))
      .map((entry) => [`${entry.name} / ${reference.name}`, ...compared.map((name) => shown(ratios(entry, reference, name), 2))]),
  );
  const relative = rows.length === 0 ? "" : `\n\n${table(["ratio", ...compared.map((name) => MEASURES[name].title)], rows)}`;
  return `### ${title}\n\n${absolute}${relative}`;
}

/** Peers with ours; those that are one instance also with one of ours; and ours with what is possible. */
function isPeerOf(entry: Entry, reference: Entry): boolean {
  const [isOurs, ofOurs] = [entry.name.startsWith("ours"), reference.name.startsWith("ours")];
  return (isOurs && reference.name === LIMIT) || (ofOurs && !isOurs && entry.name !== LIMIT && (entry.isAlone || !reference.isAlone));
}

function shown({ median, low, high, count }: Spread, digits: number): string {
  if (count === 0) return "–";
  return count === 1 ? fixed(median, digits) : `**${fixed(median, digits)}** (${fixed(low, digits)}–${fixed(high, digits)})`;
}
