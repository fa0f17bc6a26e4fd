/**
 * Runs a schedule in a World: people act and faults come and go, then all trouble ends and the rosters have to become right (L1). The
 * checkers watch meanwhile. The same schedule gives the same run, to the last byte: `hash` stands for all that its cores did.
 */

import { createHash } from "node:crypto";
import type { Millis } from "@presence-service/protocol";
import {
  type Core,
  type CoreOptions,
  clashOfColors,
  differenceInOrder,
  World,
  watchEvents,
  watchGhosts,
  watchHeld,
  watchKicks,
  watchLeaves,
  watchSlices,
} from "@presence-service/server/world";
import type { Ablation } from "./ablations.ts";
import { type Recovery, recover, untilTold } from "./equal.ts";
import { befall, endTrouble, lastsMs, TROUBLES, type Trouble, type TroubleName } from "./faults.ts";
import type { Schedule } from "./schedule.ts";
import { People } from "./workload.ts";

/** A promise that a run broke, by the id of the promise. */
export type Finding = { readonly broken: string; readonly what: string };

export type Outcome = Partial<Recovery> & {
  readonly seed: number;
  readonly trouble: TroubleName;
  /** Of every effect of every core, and when; empty if none was asked for. */
  readonly hash: string;
  readonly findings: readonly Finding[];
  /** S5. Leaves of people who were there, shown after the end of all trouble. */
  readonly falseLeaves: number;
};

export type RunOptions = {
  readonly ablation?: Ablation | undefined;
  /** Default: true. The hash is a seventh of the work. */
  readonly hashes?: boolean;
  readonly makeCore?: ((options: CoreOptions) => Core) | undefined;
  /** Gets the World before anything has happened, to watch it. */
  readonly look?: ((world: World) => void) | undefined;
};

const HASHED_AT_ONCE = 65_536;

export function runSchedule(schedule: Schedule, { ablation, makeCore, look, hashes = true }: RunOptions = {}): Outcome {
  const { seed, trouble, instances, network } = schedule;
  const { constants, ...bends } = ablation ?? {};
  const world = new World({ seed, instances, faults: network, ...(constants && { constants }), bends, ...(makeCore && { makeCore }) });
  const hash = hashes ? hashOf(world) : () => "";
  look?.(world);
  watchSlices(world);
  watchLeaves(world);
  watchEvents(world, { mayDouble: network.duplicateRate > 0 });
  const { hasHealthyBus }: Trouble = TROUBLES[trouble];
  if (hasHealthyBus === true) {
    watchGhosts(world);
    watchKicks(world);
  }
  const falseLeaves: string[] = [];
  watchHeld(world, (sentence) => falseLeaves.push(sentence));
  let recovery: Recovery | undefined;
  let findings: Finding[];
  try {
    live(world, schedule);
    endTrouble(world, trouble);
    const inTrouble = falseLeaves.splice(0);
    recovery = recover(world, schedule.watchMs);
    findings = judge(trouble, recovery, [...inTrouble, ...falseLeaves]);
    if (findings.length === 0) {
      untilTold(world);
      findings = lookAround(world);
    }
  } catch (error) {
    findings = [violated(error)];
  }
  return { seed, trouble, hash: hash(), findings, falseLeaves: falseLeaves.length, ...recovery };
}

/** The bounds of that trouble that were broken. */
export function judge(
  trouble: TroubleName,
  { equalMs, connectedMs, sinceConnectedMs, again }: Recovery,
  falseLeaves: readonly string[],
): Finding[] {
  const { equalMsMax, sinceConnectedMsMax = Number.POSITIVE_INFINITY, againMsMax = 0, neverLeaves }: Trouble = TROUBLES[trouble];
  const findings: Finding[] = [];
  const late = (what: string) => findings.push({ broken: "L1", what });
  if (equalMs > equalMsMax) late(`equal after ${inSeconds(equalMs)} s, not ${inSeconds(equalMsMax)} s`);
  if (sinceConnectedMs > sinceConnectedMsMax)
    late(`equal ${inSeconds(sinceConnectedMs)} s after the last instance had reconnected, not ${inSeconds(sinceConnectedMsMax)} s`);
  // Rosters that are right by chance, before every instance has heard all, may differ again as long as they still may differ.
  const mayDifferMs = Math.min(equalMsMax, connectedMs + sinceConnectedMsMax);
  for (const { atMs, forMs, what } of again)
    if (forMs > againMsMax && equalMs + atMs + forMs > mayDifferMs)
      findings.push({ broken: "L1 again", what: `differed again after ${inSeconds(atMs)} s, for ${inSeconds(forMs)} s: ${what}` });
  for (const what of falseLeaves) if (neverLeaves?.test(what)) findings.push({ broken: "S5", what });
  return findings;
}

/** Promises that hold once all is well. */
function lookAround(world: World): Finding[] {
  const disorder = differenceInOrder(world);
  if (disorder !== undefined) return [{ broken: "R18.3", what: disorder }];
  const clash = clashOfColors(world);
  if (clash !== undefined) return [{ broken: "R18.12", what: clash }];
  // Every instance told the truth: although messages were lost, doubled or late, none contradicted what was held (R3, R4).
  for (const { index, counted } of world.instances)
    if (counted.divergence !== undefined || counted.forged !== undefined)
      return [{ broken: "R4.2", what: `instance ${index} was contradicted: ${JSON.stringify(counted)}` }];
  return [];
}

/** The World and its checkers begin what they throw with the id of what is broken. */
function violated(error: unknown): Finding {
  const what = error instanceof Error ? error.message : String(error);
  return { broken: /(?:^|: )([SRC]\d+(?:\.\d+)?): /.exec(what)?.[1] ?? "crash", what };
}

function live(world: World, { steps, endsAt, trouble }: Schedule): void {
  const from = world.now;
  const people = new People(world);
  let overAt = from + endsAt;
  for (const step of steps) {
    world.advance(from + step.at - world.now);
    if ("fault" in step) {
      befall(world, step, trouble);
      overAt = Math.max(overAt, world.now + lastsMs(step));
    } else people.act(step);
  }
  world.advance(Math.max(0, overAt - world.now));
}

/** Call the result at the end. */
function hashOf(world: World): () => string {
  const hash = createHash("sha256");
  // Gathered, since each call of the hash costs more than what it hashes.
  let gathered = "";
  world.observe(({ index }, effect) => {
    gathered += `${index} ${world.now} ${JSON.stringify(effect)}\n`;
    if (gathered.length < HASHED_AT_ONCE) return;
    hash.update(gathered);
    gathered = "";
  });
  return () => hash.update(gathered).digest("hex").slice(0, 16);
}

function inSeconds(ms: Millis): string {
  return (ms / 1000).toFixed(1);
}
