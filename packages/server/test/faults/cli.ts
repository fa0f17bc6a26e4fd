/**
 * `npm run faults`: real processes, real Redis, all faults of faults.ts on all topologies, or those that are asked for. Prints a line for
 * each, and exits with 1 if a promise was broken or a fault did not happen.
 */

import { appendFileSync, mkdtempSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { judge, type Verdict } from "./checker.ts";
import { FAULTS } from "./faults.ts";
import { readLog } from "./log.ts";
import { HEADINGS, lineOf } from "./report.ts";
import { runFaults } from "./run.ts";
import { TOPOLOGIES } from "./stage.ts";

const { values } = parseArgs({
  options: {
    topology: { type: "string", default: TOPOLOGIES.join() },
    only: { type: "string" },
    seconds: { type: "string", default: "1.5" },
    judge: { type: "string" },
    json: { type: "boolean", default: false },
    list: { type: "boolean", default: false },
  },
});

const verdicts: Verdict[] = [];
const say = (text: string) => values.json || console.log(text);
const tell = (verdict: Verdict) => {
  verdicts.push(verdict);
  if (values.json) console.log(JSON.stringify(verdict));
  else console.log([lineOf(verdict), ...verdict.broken.map((sentence) => `    ${sentence}`)].join("\n"));
};

const wanted = values.only?.split(",") ?? [""];
const isWanted = (name: string) => wanted.some((part) => name.includes(part));
const failures: string[] = [];
const startedAt = performance.now();
const topologies = values.topology
  .split(",")
  .map((name) => TOPOLOGIES.find((known) => known === name) ?? end(`--topology must be of ${TOPOLOGIES}`));
const peaceMs = Number(values.seconds) * 1000;
if (!(peaceMs >= 0)) end("--seconds must be a number");
if (!FAULTS.some(({ name }) => isWanted(name))) end(`no fault has ${values.only} in its name: --list prints all`);

if (values.list) {
  for (const { name, topologies } of FAULTS) console.log(`${name}: ${topologies.join(", ")}`);
} else {
  say(HEADINGS);
  if (values.judge !== undefined) judge(readLog(readFileSync(values.judge, "utf8"))).forEach(tell);
  else for (const topology of topologies) await runTopology(topology);
  const broken = verdicts.filter((verdict) => verdict.broken.length > 0).length + failures.length;
  const seconds = Math.round((performance.now() - startedAt) / 1000);
  say(`${verdicts.length} faults in ${seconds} s; ${broken === 0 ? "every promise was kept" : `${broken} broke a promise`}`);
  for (const failure of failures) console.error(failure);
  process.exit(broken > 0 || verdicts.length === 0 ? 1 : 0);
}

async function runTopology(topology: (typeof TOPOLOGIES)[number]): Promise<void> {
  const faults = FAULTS.filter((fault) => fault.topologies.includes(topology) && isWanted(fault.name));
  if (faults.length === 0) return;
  const path = join(mkdtempSync(join(tmpdir(), "presence-faults-")), `${topology}.jsonl`);
  let lines: string[] = [];
  const save = () => {
    appendFileSync(path, lines.join(""));
    lines = [];
  };
  const cleanUps: (() => void | Promise<void>)[] = [];
  try {
    await runFaults(
      { after: (cleanUp) => void cleanUps.push(cleanUp) },
      {
        ...{ topology, faults, peaceMs },
        onEntry: (entry) => lines.push(`${JSON.stringify(entry)}\n`),
        onVerdict: (verdict) => {
          save();
          tell(verdict);
        },
        onRecordings: (files) => say(`what the instances were told: ${files.join(", ")}`),
      },
    );
  } catch (error) {
    failures.push(`${topology}: the run ended early: ${error instanceof Error ? error.message : error}`);
  }
  for (const cleanUp of cleanUps.reverse())
    await Promise.resolve(cleanUp()).catch((error: unknown) => failures.push(`${topology}: ${error}`));
  save();
  say(`what clients did and saw: ${path}`);
}

function end(problem: string): never {
  console.error(`faults: ${problem}`);
  process.exit(64);
}
