/**
 * Many runs, on as many threads as wanted: each seed with each kind of trouble. A run is the same whatever thread it is on. It judges and
 * prints nothing: cli.ts does.
 */

import { Worker } from "node:worker_threads";
import type { TroubleName } from "./faults.ts";
import { loadPeerCore, mixing } from "./peer-core.ts";
import { type Outcome, type RunOptions, runSchedule } from "./run.ts";
import { drawSchedule, type Size } from "./schedule.ts";
import { runWithSdk } from "./sdk-run.ts";

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

/** Tells each outcome as it comes, one after the other; with several threads in any order. */
export async function runCampaign(
  campaign: Campaign,
  { workers, ...options }: { readonly workers: number } & Pick<RunOptions, "look">,
  tell: (outcome: Outcome) => void,
): Promise<void> {
  if (workers === 1) for await (const outcome of outcomesOf({ campaign, from: 0, step: 1 }, options)) tell(outcome);
  else await Promise.all(Array.from({ length: workers }, (_, from) => runElsewhere({ campaign, from, step: workers }, tell)));
}

/** All kinds of trouble take their turns, so that a campaign that is stopped early has had some of each. */
export async function* outcomesOf({ campaign, from, step }: Share, options: Pick<RunOptions, "look"> = {}): AsyncIterable<Outcome> {
  const { troubles, firstSeed, runs, size, hashes, peerCore, clients } = campaign;
  const peer = peerCore === undefined ? undefined : await loadPeerCore(peerCore);
  for (let index = from; index < runs; index += step)
    for (const trouble of troubles) {
      const schedule = drawSchedule(trouble, firstSeed + index, size);
      if (clients === "sdk") yield await runWithSdk(schedule);
      else yield runSchedule(schedule, { ...options, hashes, ...(peer && { makeCore: mixing(peer) }) });
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
