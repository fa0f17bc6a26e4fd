/**
 * Many runs, on as many threads as wanted: each seed with each kind of trouble. A run is the same whatever thread it is on. It judges and
 * prints nothing: cli.ts does.
 */

import { Worker } from "node:worker_threads";
import type { Millis } from "@presence-service/protocol";
import type { TroubleName } from "./faults.ts";
import { loadPeerCore, mixing } from "./peer-core.ts";
import { type Outcome, type RunOptions, runSchedule } from "./run.ts";
import { drawSchedule, type Schedule, type Size } from "./schedule.ts";
import { runWithSdk } from "./sdk-run.ts";
import { trace } from "./trace.ts";

/** `model`: clients of the World, on cores without sockets. `sdk`: the SDK, on whole instances. */
export const CLIENTS = ["model", "sdk"] as const;
export type Clients = (typeof CLIENTS)[number];

export type Campaign = {
  readonly troubles: readonly TroubleName[];
  readonly firstSeed: number;
  /** Of each kind of trouble. */
  readonly runs: number;
  readonly size: Size;
  readonly hashes: boolean;
  /** Half of the instances run the core of that folder. */
  readonly peerCore: string | undefined;
  readonly clients: Clients;
};

/** The part of a campaign that one thread runs: every so-manieth seed. */
export type Share = { readonly campaign: Campaign; readonly from: number; readonly step: number };

export type Tracing = {
  /** From which virtual millisecond on. */
  readonly traceFrom: Millis;
  readonly print: (line: string) => void;
};

/** Runs one schedule with the clients that are asked for. */
export function runOf(
  clients: Clients,
  tracing?: Tracing,
): (schedule: Schedule, options?: Omit<RunOptions, "look">) => Outcome | Promise<Outcome> {
  if (clients === "model")
    return (schedule, options) =>
      runSchedule(schedule, { ...options, ...(tracing && { look: (world) => trace(world, tracing.traceFrom, tracing.print) }) });
  const print = (at: Millis, line: string) =>
    tracing !== undefined && at >= tracing.traceFrom && tracing.print(`${at.toFixed(1).padStart(10)} ${line}`);
  return (schedule) => runWithSdk(schedule, tracing && { print });
}

/** Tells each outcome as it comes, one after the other; with several threads in any order. */
export async function runCampaign(
  campaign: Campaign,
  { workers, tracing }: { readonly workers: number; readonly tracing?: Tracing | undefined },
  tell: (outcome: Outcome) => void | Promise<void>,
): Promise<void> {
  if (workers === 1) for await (const outcome of outcomesOf({ campaign, from: 0, step: 1 }, tracing)) await tell(outcome);
  else {
    // A failing run is told with further runs of it, in this thread: one after the other.
    let told = Promise.resolve();
    const tellNext = (outcome: Outcome) => {
      told = told.then(() => tell(outcome));
    };
    await Promise.all(Array.from({ length: workers }, (_, from) => runElsewhere({ campaign, from, step: workers }, tellNext)));
    await told;
  }
}

/** All kinds of trouble take their turns, so that a campaign that is stopped early has had some of each. */
export async function* outcomesOf({ campaign, from, step }: Share, tracing?: Tracing): AsyncIterable<Outcome> {
  const { troubles, firstSeed, runs, size, hashes, peerCore, clients } = campaign;
  const peer = peerCore === undefined ? undefined : await loadPeerCore(peerCore);
  const run = runOf(clients, tracing);
  for (let index = from; index < runs; index += step)
    for (const trouble of troubles) {
      const schedule = drawSchedule(trouble, firstSeed + index, size);
      yield await run(schedule, { hashes, ...(peer && { makeCore: mixing(peer) }) });
    }
}

function runElsewhere(share: Share, tell: (outcome: Outcome) => void): Promise<void> {
  return new Promise((done, fail) => {
    const worker = new Worker(new URL("./campaign-worker.ts", import.meta.url), { workerData: share });
    worker.on("message", tell);
    worker.on("error", fail);
    worker.on("exit", () => done());
  });
}
