/**
 * This service beside others, in the same harness and in turn: `npm run peers -w packages/bench -- --scenario small-boards --peers naive,y-websocket`.
 * Peers are installed when they are first needed, with the versions of their lock files. How it is measured: docs/BENCHMARKS.md.
 *
 *   --scenario S    hot-board, small-boards (default), mostly-idle, join-storm, reconnect-storm, slow-readers, idle, huge-board, or several
 *   --peers A,B     of naive, y-websocket, socket-io, hocuspocus, centrifugo (all; centrifugo where it is on the PATH)
 *   --repeats N     runs of each, in turn (5)
 *   --seconds N     measured time of a run (10)
 *   --warm-up N     seconds before that, not measured (5)
 *   --late-max MS   a run is thrown away if the generator did more than 1 % of what was due later than this (5),
 *                   and later than a fifth of the p99 that was measured
 *   --scale N       so much of the people, to try the tool (1)
 *   --write FOLDER  writes tables, JSON and pictures there too, as docs/benchmarks
 *   --pinned        instances and Redis on the first core, the generator on the second (Linux)
 */

import { execFileSync } from "node:child_process";
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { Cluster } from "../cluster.ts";
import { numberOf } from "../options.ts";
import { fixed } from "../report.ts";
import { type Comparison, comparisonTables, type Entry, LIMIT } from "./comparison.ts";
import { type Contender, install, ours, oursAlone, peers, peersNamed, thoseHere, versionsOf } from "./contenders.ts";
import { type Run, tooLate } from "./figures.ts";
import { Limit } from "./limit.ts";
import { thisMachine } from "./machine.ts";
import { pageHead, type Results, write } from "./output.ts";
import { type Load, scenarioNamed, type Trial } from "./scenarios.ts";

const { values } = parseArgs({
  options: {
    scenario: { type: "string", default: "small-boards" },
    peers: { type: "string", default: peers.map(({ name }) => name).join(",") },
    repeats: { type: "string", default: "5" },
    seconds: { type: "string", default: "10" },
    "warm-up": { type: "string", default: "5" },
    "late-max": { type: "string", default: "5" },
    scale: { type: "string", default: "1" },
    write: { type: "string" },
    pinned: { type: "boolean", default: false },
  },
});
const INSTANCES = 2;
/** For one repeat of one contender. */
const ATTEMPTS_MAX = 3;
const repeats = numberOf("repeats", values.repeats);
const lateMsMax = numberOf("late-max", values["late-max"]);
const trial: Trial = {
  seconds: numberOf("seconds", values.seconds),
  warmUpSeconds: numberOf("warm-up", values["warm-up"], 0),
  scale: numberOf("scale", values.scale),
};
const scenarios = values.scenario.split(",").map((name) => ({ name, loads: scenarioNamed(name) }));
const chosen = thoseHere(peersNamed(values.peers.split(",").filter(Boolean)));
const contenders = [ours, ...(chosen.some(({ isAlone }) => isAlone) ? [oursAlone] : []), ...chosen];

// Both for our own instances: people have addresses of their own.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";
process.env["NODE_ENV"] = "production";
if (values.pinned) execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", "1", String(process.pid)], { stdio: "ignore" });
for (const contender of contenders) install(contender);
const limit = Limit.compile(values.pinned);

const machine = thisMachine();
const versions = Object.fromEntries(contenders.map((contender) => [contender.name, versionsOf(contender)]));
for (const { name, loads } of scenarios) {
  const comparisons: Comparison[] = [];
  for (const load of loads) comparisons.push(await compare(load));
  const results: Results = { scenario: name, command: commandFor(name), machine, versions, comparisons };
  console.log(`${[pageHead(results), ...comparisons.map((comparison) => comparisonTables(comparison))].join("\n\n")}\n`);
  // npm runs it in packages/bench, but a path is meant from where the user is.
  if (values.write !== undefined) write(resolve(process.env["INIT_CWD"] ?? "", values.write), results);
}
limit?.remove();

function commandFor(scenario: string): string {
  const options = { ...values, scenario, write: undefined };
  const given = Object.entries(options).flatMap(([name, value]) =>
    value === undefined || value === false ? [] : `--${name}${value === true ? "" : ` ${value || '""'}`}`,
  );
  return `npm run peers -w packages/bench -- ${given.join(" ")}`;
}

async function compare(load: Load): Promise<Comparison> {
  const title = trial.scale === 1 ? load.title : `${load.title} (people × ${trial.scale})`;
  const entries: Entry[] = contenders.map(({ name, isAlone }) => ({ name, isAlone, runs: [], thrown: [] }));
  const limits: Entry = { name: LIMIT, isAlone: true, runs: [], thrown: [] };
  for (let repeat = 0; repeat < repeats; repeat++)
    for (let turn = 0; turn < contenders.length; turn++) {
      // Each repeat begins with another one.
      const at = (turn + repeat) % contenders.length;
      const [contender, entry] = [contenders[at] as Contender, entries[at] as Entry];
      const run = await goodRun(contender, load, entry.thrown);
      entry.runs.push(run);
      if (contender === ours) limits.runs.push(run?.sent && (await limit?.run(run.sent)));
    }
  return { title, entries: limits.runs.some((run) => run !== undefined) ? [...entries, limits] : entries };
}

async function goodRun(contender: Contender, load: Load, thrown: string[]): Promise<Run | undefined> {
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    const run = await measure(contender, load).catch((error: Error) => error.message);
    const why = typeof run === "string" ? run : tooLate(run, lateMsMax);
    console.error(`${contender.name}: ${typeof run === "string" ? run : lineOf(run)}${why === undefined ? "" : `; thrown away: ${why}`}`);
    if (typeof run !== "string" && why === undefined) return run;
    thrown.push(why ?? "");
  }
  return undefined;
}

function lineOf({ figures, lateP50, lateP99, generator }: Run): string {
  const late = lateP99 === undefined ? "" : `, late p50 ${fixed(lateP50 ?? 0, 2)}, p99 ${fixed(lateP99, 2)} ms`;
  const told = Object.entries(figures).map(([name, value]) => `${name} ${fixed(value, 2)}`);
  return `${told.join(", ")}; generator ${fixed(generator, 2)} of a core${late}`;
}

async function measure({ program, isAlone, enter }: Contender, load: Load): Promise<Run> {
  const cluster = await Cluster.start(isAlone ? 1 : INSTANCES, values.pinned ? 0 : undefined, program);
  const stop = () => {
    cluster.stop();
    process.exit(1);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await load.run(cluster, enter, trial);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    cluster.stop();
  }
}
