/** Carries out faults on one topology, one after another under the same load, and judges each. */

import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as wait } from "node:timers/promises";
import { eventually, type Scope } from "../harness/index.ts";
import { Judge, LATENCY_MS, type Verdict } from "./checker.ts";
import type { Fault } from "./faults.ts";
import { Load } from "./load.ts";
import type { Entry } from "./log.ts";
import { Log } from "./person.ts";
import { Stage, type Topology } from "./stage.ts";

/** At the end of each watch nobody changes anything for so long, so that even the last change must have come. */
const REST_MS = 2 * LATENCY_MS + 200;
const CALM_MS_MAX = 30_000;

export type RunOptions = {
  readonly topology: Topology;
  readonly faults: readonly Fault[];
  /** Of load before each fault, and after the time within which all must be right. */
  readonly peaceMs: number;
  readonly onEntry?: (entry: Entry) => void;
  readonly onVerdict?: (verdict: Verdict) => void;
  /** A promise was broken: what each instance was told lately, in files that `npm run sim -- --replay` repeats. */
  readonly onRecordings?: (files: readonly string[]) => void;
};

/** All that was started ends with the scope. */
export async function runFaults(
  scope: Scope,
  { topology, faults, peaceMs, onEntry, onVerdict, onRecordings }: RunOptions,
): Promise<readonly Verdict[]> {
  const judge = new Judge();
  const log = new Log((entry) => {
    onEntry?.(entry);
    judge.add(entry);
  });
  const stage = await Stage.start(scope, topology);
  await stage.whole();
  const load = new Load(log, stage.urls);
  scope.after(() => load.end());
  load.start();
  const isCalm = () => load.areAllHere && judge.wrongAt(performance.now()).length === 0;
  const calm = () =>
    eventually(isCalm, {
      what: () => `all is right: ${JSON.stringify(judge.wrongAt(performance.now()).slice(0, 5))}`,
      withinMs: CALM_MS_MAX,
    });
  for (const fault of faults) {
    // This resets connections. The questions of the next line reach their instances later, so `calm` does not begin while clients believe that they are connected.
    stage.gather();
    await stage.whole();
    await calm();
    await watch(fault, { topology, stage, load, log, peaceMs });
    const verdict = judge.verdicts.at(-1);
    if (verdict !== undefined && verdict.broken.length > 0) onRecordings?.(await stage.record());
    if (verdict !== undefined) onVerdict?.(verdict);
    await fault.after?.(stage);
  }
  return judge.verdicts;
}

type Watched = { readonly topology: Topology; readonly stage: Stage; readonly load: Load; readonly log: Log; readonly peaceMs: number };

async function watch({ name, bounds, excuses, strike }: Fault, { topology, stage, load, log, peaceMs }: Watched): Promise<void> {
  const lag = monitorEventLoopDelay({ resolution: 10 });
  lag.enable();
  load.goOn();
  await wait(peaceMs);
  log.add({ kind: "fault", topology, fault: name, bounds, ...(excuses !== undefined && { excuses }) });
  let mendedAt: number | undefined;
  const mended = () => {
    if (mendedAt !== undefined) return;
    mendedAt = performance.now();
    log.add({ kind: "mended", fault: name });
  };
  try {
    const what = await strike(stage, mended);
    mended();
    log.add({ kind: "evidence", fault: name, what });
  } catch (error) {
    mended();
    log.add({ kind: "failed", fault: name, what: `it did not happen as meant: ${error instanceof Error ? error.message : error}` });
  }
  const leftMs = (mendedAt ?? 0) + bounds.equalMsMax + peaceMs - performance.now();
  await wait(Math.max(peaceMs, leftMs));
  load.rest();
  await wait(REST_MS);
  lag.disable();
  log.add({ kind: "watched", fault: name, lagMs: Math.round(lag.max / 1e6) });
  load.goOn();
}
