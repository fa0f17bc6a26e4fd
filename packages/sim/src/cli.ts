/**
 * `npm run sim`: runs seeds of each kind of trouble, makes the schedule of a failing one short and says how to see it again. With
 * `--ablate` it switches rules off and says which runs miss them. Exits with 1 if a promise was broken, or a rule
 * that was switched off was missed by nobody.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readRecording } from "@presence-service/server/world";
import { testsThatMiss } from "./ablate-tests.ts";
import type { Ablation } from "./ablations.ts";
import { type Clients, runCampaign, runOf, type Tracing } from "./campaign.ts";
import type { TroubleName } from "./faults.ts";
import { type Options, readOptions } from "./options.ts";
import { loadPeerCore, mixing, type PeerCore } from "./peer-core.ts";
import { printing, replay } from "./replay.ts";
import { type Outcome, runSchedule } from "./run.ts";
import { drawSchedule, printSchedule, readSchedule, type Schedule } from "./schedule.ts";
import { shrink } from "./shrink.ts";

/** A shrunk run is short, so most of these are done within seconds. */
const SHRINK_TRIES_MAX: Readonly<Record<Clients, number>> = { model: 3000, sdk: 600 };
/** Further failing runs are told, and not shrunk: they often have the same cause. */
const SHRUNK_MAX = 3;
const PROGRESS_RUNS = 200;

try {
  const options = readOptions(process.argv.slice(2));
  const isFine =
    options.replay !== undefined
      ? replayRecording(options, options.replay)
      : options.schedule !== undefined
        ? await runFile(options, options.schedule)
        : options.ablations.length > 0
          ? await ablateAll(options)
          : await runAll(options);
  process.exitCode = isFine ? 0 : 1;
} catch (error) {
  console.error(`sim: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 64;
}

async function runAll(options: Options): Promise<boolean> {
  const { firstSeed, runs, size, troubles, json, workers, progress, peerCore, clients } = options;
  const peer = peerCore === undefined ? undefined : await loadPeerCore(peerCore);
  const outcomes = new Map<TroubleName, Outcome[]>(troubles.map((trouble) => [trouble, []]));
  let count = 0;
  let broken = 0;
  const startedAt = performance.now();
  const pace = () => {
    const seconds = (performance.now() - startedAt) / 1000;
    return `${count} runs in ${seconds.toFixed(1)} s, ${(count / seconds).toFixed(1)} a second`;
  };
  if (!json)
    console.log(
      `${runs} seeds of each kind from ${firstSeed} on, ${size.instances} instances, ${size.boards} boards, ${size.people} people`,
    );
  if (!json && peer !== undefined) console.log(`every second instance runs the core ${peer.name}`);
  await runCampaign(
    { troubles, firstSeed, runs, size, hashes: json, peerCore, clients },
    { workers, tracing: tracingOf(options) },
    async (outcome) => {
      const { trouble, seed, findings } = outcome;
      outcomes.get(trouble)?.push(outcome);
      count++;
      if (json) console.log(JSON.stringify(outcome));
      if (findings.length > 0) {
        broken++;
        if (!json) {
          const shrinks = options.shrinks && broken <= SHRUNK_MAX;
          await explain(drawSchedule(trouble, seed, size), outcome, { clients, shrinks, peer });
        }
      }
      if (progress !== undefined && count % PROGRESS_RUNS === 0) writeFileSync(progress, `${pace()}, ${broken} broke a promise\n`);
    },
  );
  if (!json) {
    console.log("kind            equal after ms: p50    p99    max   since connected: p50    p99    max   differed again   false leaves");
    for (const trouble of troubles) console.log(summary(trouble, outcomes.get(trouble) ?? []));
    console.log(pace());
    console.log(broken === 0 ? "every run within its bounds" : `${broken} runs broke a promise`);
  }
  return broken === 0;
}

function replayRecording({ traceFrom, json }: Options, path: string): boolean {
  const recording = readRecording(readFileSync(path));
  const { instanceId, why, at, version } = recording;
  const replayed = replay(recording, traceFrom === undefined ? undefined : printing(traceFrom, console.log));
  const { calls, unrepeated, checkpoints, difference } = replayed;
  if (json) console.log(JSON.stringify({ instanceId, why, at, version, ...replayed }));
  else {
    console.log(`instance ${instanceId}, version ${version}, written ${new Date(at).toISOString()} (${why})`);
    const repeated = calls - unrepeated;
    if (unrepeated > 0) console.log(`${unrepeated} calls before the first checkpoint cannot be repeated; --trace 0 shows them`);
    console.log(difference ?? `${repeated} calls from ${checkpoints} checkpoints on: every answer was that of the recording`);
  }
  return difference === undefined;
}

async function runFile(options: Options, path: string): Promise<boolean> {
  const { peerCore } = options;
  const makeCore = peerCore === undefined ? undefined : mixing(await loadPeerCore(peerCore));
  const schedule = readSchedule(readFileSync(path, "utf8"));
  const [ablation] = options.ablations;
  const outcome = await runOf(options.clients, tracingOf(options))(schedule, { ablation, makeCore });
  if (options.json) console.log(JSON.stringify(outcome));
  else {
    console.log(`${schedule.trouble}, seed ${schedule.seed}, ${schedule.steps.length} steps: hash ${outcome.hash}`);
    tellFindings(outcome);
  }
  return outcome.findings.length === 0;
}

async function ablateAll(options: Options): Promise<boolean> {
  let areAllMissed = true;
  for (const ablation of options.ablations) areAllMissed = (await ablate(ablation, options)) && areAllMissed;
  return areAllMissed;
}

/** Runs one seed of each kind of trouble after another until somebody misses the rule. */
async function ablate(ablation: Ablation, options: Options): Promise<boolean> {
  const { firstSeed, runs, troubles, size, json, shrinks } = options;
  const { rule, off } = ablation;
  const { missedBy } = ablation;
  const tell = (line: string) => console.log(`${rule.padEnd(7)}${line}   (off: ${off})`);
  if (missedBy !== undefined) {
    const [missing] = testsThatMiss(rule, missedBy);
    if (json) console.log(JSON.stringify({ rule, off, test: missing }));
    else tell(missing === undefined ? `missed by no test of ${missedBy}` : `missed by the test ${missing.slice(0, 110)}`);
    return missing !== undefined;
  }
  let count = 0;
  for (let seed = firstSeed; seed < firstSeed + runs; seed++)
    for (const trouble of troubles) {
      const schedule = drawSchedule(trouble, seed, size);
      const outcome = runSchedule(schedule, { ablation, hashes: false });
      count++;
      const [finding] = outcome.findings;
      if (finding === undefined) continue;
      if (json) console.log(JSON.stringify({ rule, off, runs: count, trouble, seed, finding }));
      else tell(`missed by run ${String(count).padStart(5)}, ${trouble} ${seed}: ${finding.broken}, ${finding.what.slice(0, 100)}`);
      if (!json && shrinks && options.ablations.length === 1) await explain(schedule, outcome, { clients: "model", shrinks }, ablation);
      return true;
    }
  if (json) console.log(JSON.stringify({ rule, off, runs: count }));
  else tell(`missed by none of ${count} runs`);
  return false;
}

/** Prints what went wrong, the shortest schedule in which it does, and how to see it. */
async function explain(
  schedule: Schedule,
  outcome: Outcome,
  { clients, shrinks, peer }: { readonly clients: Clients; readonly shrinks: boolean; readonly peer?: PeerCore | undefined },
  ablation?: Ablation,
): Promise<void> {
  const run = (candidate: Schedule) => runOf(clients)(candidate, { ablation, hashes: false, ...(peer && { makeCore: mixing(peer) }) });
  console.log(`${schedule.trouble} ${schedule.seed}:`);
  tellFindings(outcome);
  const broken = outcome.findings[0]?.broken;
  const fails = async (candidate: Schedule) => (await run(candidate)).findings[0]?.broken === broken;
  const shortest = shrinks ? await shrink(schedule, { fails, triesMax: SHRINK_TRIES_MAX[clients] }) : schedule;
  const path = join(tmpdir(), `presence-sim-${schedule.trouble}-${schedule.seed}${ablation === undefined ? "" : `-${ablation.rule}`}.json`);
  writeFileSync(path, printSchedule(shortest));
  if (shrinks) {
    console.log(`  shrunk from ${schedule.steps.length} steps to ${shortest.steps.length}, on ${shortest.instances} instances:`);
    for (const step of shortest.steps) console.log(`    ${JSON.stringify(step)}`);
    tellFindings(await run(shortest));
  }
  const options = [
    clients === "model" ? "" : ` --clients ${clients}`,
    ablation === undefined ? "" : ` --ablate ${ablation.rule}`,
    peer === undefined ? "" : " --peer-core …",
  ];
  console.log(`  npm run sim -- --schedule ${path}${options.join("")} --trace 0`);
}

function tellFindings({ findings }: Outcome): void {
  for (const { broken, what } of findings) console.log(`  ${broken}: ${what}`);
}

function tracingOf({ traceFrom }: Options): Tracing | undefined {
  return traceFrom === undefined ? undefined : { traceFrom, print: console.log };
}

function summary(trouble: TroubleName, outcomes: readonly Outcome[]): string {
  const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((all, outcome) => all + of(outcome), 0);
  const equal = percentiles(outcomes.map(({ equalMs = Number.POSITIVE_INFINITY }) => equalMs));
  const connected = percentiles(outcomes.map(({ sinceConnectedMs = Number.POSITIVE_INFINITY }) => sinceConnectedMs));
  const again = sum((outcome) => outcome.again?.length ?? 0);
  const leaves = sum(({ falseLeaves }) => falseLeaves);
  return `${trouble.padEnd(24)}${equal}${" ".repeat(18)}${connected}${String(again).padStart(17)}${String(leaves).padStart(15)}`;
}

function percentiles(values: readonly number[]): string {
  const sorted = values.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return [0.5, 0.99, 1].map((share) => String(Math.round(at(share))).padStart(7)).join("");
}
