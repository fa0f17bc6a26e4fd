/**
 * The gain of affinity: boards whose people are spread over all instances, and boards whose people are all on one, in turn, on real instances and a real Redis.
 * `npm run affinity -w packages/bench`. People connect to the instance that a load balancer would choose, without one in between. How it is measured: docs/BENCHMARKS.md.
 *
 *   --instances N   (4)
 *   --boards N      (1)
 *   --board N       members of a board (10)
 *   --moves N       moves per second of each who moves (20)
 *   --moving N      the share of them that moves (1)
 *   --repeats N     runs of each, in turn (5)
 *   --seconds N     measured time of a run (10)
 *   --warm-up N     seconds before that, not measured (5)
 *   --late-max MS   a run is thrown away if the generator did more than 1 % of what was due later than this (5)
 *   --pinned        instances and Redis on the first core, the generator on the second (Linux)
 */

import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import { Cluster, OURS } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { comparisonTables, type Entry } from "./peers/comparison.ts";
import { type CursorLoad, cursors } from "./peers/cursors.ts";
import { type Run, tooLate } from "./peers/figures.ts";
import { machineLine, thisMachine } from "./peers/machine.ts";
import { enterOurs } from "./peers/ours.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "4" },
    boards: { type: "string", default: "1" },
    board: { type: "string", default: "10" },
    moves: { type: "string", default: "20" },
    moving: { type: "string", default: "1" },
    repeats: { type: "string", default: "5" },
    seconds: { type: "string", default: "10" },
    "warm-up": { type: "string", default: "5" },
    "late-max": { type: "string", default: "5" },
    pinned: { type: "boolean", default: false },
  },
});
/** For one repeat of one way. */
const ATTEMPTS_MAX = 3;
const instances = numberOf("instances", values.instances);
const lateMsMax = numberOf("late-max", values["late-max"]);
const load: CursorLoad = {
  boards: numberOf("boards", values.boards),
  boardSize: numberOf("board", values.board),
  movesPerSecond: numberOf("moves", values.moves),
  moving: numberOf("moving", values.moving),
};
const times = { seconds: numberOf("seconds", values.seconds), warmUpSeconds: numberOf("warm-up", values["warm-up"], 0) };
const repeats = numberOf("repeats", values.repeats);

// Both for the instances: people have addresses of their own.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";
process.env["NODE_ENV"] = "production";
if (values.pinned) execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", "1", String(process.pid)], { stdio: "ignore" });

const SPREAD = "spread";
const ways = [
  { name: SPREAD, affinity: false },
  { name: "affinity", affinity: true },
];
const machine = thisMachine();
const entries: Entry[] = ways.map(({ name }) => ({ name, isAlone: false, runs: [], thrown: [] }));
for (let repeat = 0; repeat < repeats; repeat++)
  for (let turn = 0; turn < ways.length; turn++) {
    const at = (turn + repeat) % ways.length;
    const { runs, thrown } = entries[at] as Entry;
    runs.push(await goodRun(ways[at]?.affinity === true, thrown));
  }
const { boards, boardSize, movesPerSecond, moving } = load;
const title = `${boards} × ${boardSize} people over ${instances} instances, ${moving < 1 ? `${100 * moving} % moving, ` : ""}${movesPerSecond} moves/s each`;
console.log(
  `${machineLine(machine)}\n\n${comparisonTables({ title, entries }, (entry, reference) => entry !== reference && reference.name === SPREAD)}`,
);

async function goodRun(affinity: boolean, thrown: string[]): Promise<Run | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const run = await measure(affinity).catch((error: Error) => error.message);
    const why = typeof run === "string" ? run : tooLate(run, lateMsMax);
    if (typeof run !== "string" && why === undefined) return run;
    console.error(`thrown away: ${why}`);
    thrown.push(why ?? "");
  }
  return undefined;
}

async function measure(affinity: boolean): Promise<Run> {
  const cluster = await Cluster.start(instances, values.pinned ? 0 : undefined, OURS);
  try {
    return await cursors(cluster, enterOurs, { ...load, affinity }, times);
  } finally {
    cluster.stop();
  }
}
