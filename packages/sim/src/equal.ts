/** L1: when all trouble is over, the roster of every client becomes right in time, and stays right. It judges nothing: run.ts does. */

import type { Millis } from "@presence-service/protocol";
import { CONSTANTS, differenceInObservers, type World } from "@presence-service/server/world";
import { living } from "./faults.ts";

export type Recovery = {
  /** From the end of all trouble until every roster is right. Infinity: not within `PATIENCE_MS`. */
  readonly equalMs: Millis;
  /** From the end of all trouble until the last instance had both of its connections. */
  readonly connectedMs: Millis;
  /** From then until every roster is right. */
  readonly sinceConnectedMs: Millis;
  /** Times when rosters that had been equal differed for longer than a message takes: start, length and the difference. */
  readonly again: readonly { readonly atMs: Millis; readonly forMs: Millis; readonly what: string }[];
};

/** How long to wait for right rosters. */
const PATIENCE_MS: Millis = 180_000;
const LOOK_MS: Millis = 10;
/** R15.14, and two looks. */
const COUNTS_MS: Millis = 2_000 + 10;
/** R19.3: a word that was lost is said again with the next beacon; while an instance believes itself alone, with every third. */
const OBSERVERS_MS: Millis = CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) * CONSTANTS.idleBeaconsPerBeacon;
/** A difference that is still there at the second check is not caused by a message under way. */
const WATCH_LOOK_MS: Millis = 100;

export function recover(world: World, watchMs: Millis): Recovery {
  const from = world.now;
  let connectedAt: Millis | undefined;
  let equalMs = Number.POSITIVE_INFINITY;
  for (; world.now - from <= PATIENCE_MS; world.advance(LOOK_MS)) {
    if (connectedAt === undefined && living(world).every((index) => world.instance(index).isConnected)) connectedAt = world.now;
    if (world.difference() !== undefined) continue;
    equalMs = world.now - from;
    break;
  }
  const connectedMs = (connectedAt ?? from) - from;
  const sinceConnectedMs = Math.max(0, equalMs - connectedMs);
  return { equalMs, connectedMs, sinceConnectedMs, again: keepWatching(world, watchMs) };
}

/**
 * Waits until watchers are told the right counts (R15.14) and every instance knows where somebody observes (R19), and fails if that takes
 * too long. Rosters are right by now.
 */
export function untilTold(world: World): void {
  world.until(
    () => world.areEndsKnown && world.saidMissingAt <= world.now,
    CONSTANTS.goodbyeMs + 500,
    () => "R15.14: every instance knows which others have ended, and has said whether it may have missed words",
  );
  const from = world.now;
  const isCounted = () => world.differenceInCounts() === undefined;
  world.until(
    () => isCounted() || world.now > Math.max(from, world.saidMissingAt) + COUNTS_MS,
    PATIENCE_MS,
    () => "R15.14: counts are told",
  );
  if (!isCounted()) world.fail(`R15.14: ${world.differenceInCounts()}`);
  world.until(
    () => differenceInObservers(world) === undefined,
    OBSERVERS_MS,
    () => `R19.3: ${differenceInObservers(world)}`,
  );
}

function keepWatching(world: World, watchMs: Millis): Recovery["again"] {
  const again: { atMs: Millis; forMs: Millis; what: string }[] = [];
  const from = world.now;
  let differs: { readonly since: Millis; readonly what: string } | undefined;
  while (world.now - from < watchMs || (differs !== undefined && world.now - from < watchMs + PATIENCE_MS)) {
    world.advance(WATCH_LOOK_MS);
    const what = world.difference();
    if (what !== undefined) differs ??= { since: world.now, what };
    if (what !== undefined || differs === undefined) continue;
    const forMs = world.now - differs.since;
    if (forMs > WATCH_LOOK_MS) again.push({ atMs: differs.since - from, forMs, what: differs.what });
    differs = undefined;
  }
  if (differs !== undefined) again.push({ atMs: differs.since - from, forMs: Number.POSITIVE_INFINITY, what: differs.what });
  return again;
}
