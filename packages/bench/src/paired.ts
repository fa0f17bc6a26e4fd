/**
 * The cost of one setting: the same load with the setting and without it, in turn, so that whatever else the machine does befalls both.
 * `npm run paired -w packages/bench -- --with RECORDER_BYTES=0`. The difference is that of a run with the setting against its neighbour without.
 *
 *   --with NAME=VALUE   the setting; else RECORDER_BYTES=0: without the flight recorder, against with it
 *   --pairs 5           two runs each, every other pair in the other order
 *   --users 50          people per instance, of two
 *   --board 10          members of one board
 *   --moves 20          moves per second of each
 *   --seconds 20        measured time
 *   --warm-up 10        seconds before that; a recorder of 16 MiB is full after 16 MiB of messages
 */

import { parseArgs } from "node:util";
import { Cluster } from "./cluster.ts";
import { type Load, type Result, run } from "./load.ts";
import { numberOf, wrong } from "./options.ts";
import { fixed, sum, table } from "./report.ts";

const { values } = parseArgs({
  options: {
    with: { type: "string", default: "RECORDER_BYTES=0" },
    pairs: { type: "string", default: "5" },
    users: { type: "string", default: "50" },
    board: { type: "string", default: "10" },
    moves: { type: "string", default: "20" },
    seconds: { type: "string", default: "20" },
    "warm-up": { type: "string", default: "10" },
  },
});
const INSTANCES = 2;
const pairs = numberOf("pairs", values.pairs);
const [, name, value] = /^(\w+)=(.*)$/.exec(values.with) ?? [];
if (name === undefined) throw wrong(`--with is ${values.with}; it must be NAME=VALUE`);
const load: Load = {
  protocol: "binary",
  usersPerInstance: numberOf("users", values.users),
  boardSize: numberOf("board", values.board),
  movesPerSecond: numberOf("moves", values.moves),
  moving: 1,
  seconds: numberOf("seconds", values.seconds),
  warmUpSeconds: numberOf("warm-up", values["warm-up"], 0),
};

type Cost = { readonly cpu: number; readonly megabytes: number };

/** Per instance: CPU per million updates that arrive, and resident memory at the end. */
function costOf({ cpuSeconds, delivered, residentBytes }: Result): Cost {
  return { cpu: (sum(cpuSeconds.instances) * 1e6) / delivered, megabytes: sum(residentBytes) / INSTANCES / 1e6 };
}

async function measure(setting: string | undefined): Promise<Cost> {
  if (setting === undefined) delete process.env[name as string];
  else process.env[name as string] = setting;
  const cluster = await Cluster.start(INSTANCES);
  try {
    return costOf(await run(cluster, load));
  } finally {
    cluster.stop();
  }
}

function medianAndRange(numbers: readonly number[], digits: number): string {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = ((sorted[Math.ceil(middle) - 1] ?? 0) + (sorted[Math.floor(middle)] ?? 0)) / 2;
  return `**${fixed(median, digits)}** (${fixed(sorted[0] ?? 0, digits)} to ${fixed(sorted.at(-1) ?? 0, digits)})`;
}

const withIt: Cost[] = [];
const without: Cost[] = [];
for (let pair = 0; pair < pairs; pair++)
  for (const isWith of pair % 2 === 0 ? [true, false] : [false, true])
    (isWith ? withIt : without).push(await measure(isWith ? value : undefined));

/** With the setting, without it, and the difference of each pair. */
function row(title: string, digits: number, of: (cost: Cost) => number): readonly string[] {
  const differences = withIt.map((cost, pair) => of(cost) - of(without[pair] as Cost));
  return [title, ...[withIt.map(of), without.map(of), differences].map((numbers) => medianAndRange(numbers, digits))];
}

console.log(
  table(
    [`${pairs} pairs: median (range)`, `with ${values.with}`, "without", "difference"],
    [row("CPU s per million updates", 2, ({ cpu }) => cpu), row("RSS MB per instance", 1, ({ megabytes }) => megabytes)],
  ),
);
