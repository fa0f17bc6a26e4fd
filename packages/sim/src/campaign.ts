/**
 * Seeded runs of a whole cluster with people: one kind of trouble for a while, then none. Each run is measured against the
 * truth (claims.ts): how long until every roster is right, and whether all of them stay right. It judges nothing; the caller compares
 * the outcome with `TROUBLES`. `scripts/campaign.js` runs any number of seeds.
 */

import type { BoardId, Millis } from "@presence-service/protocol";
import {
  CONSTANTS,
  GRACE_MS,
  HEALTHY,
  World,
  type WorldMember,
  watchGhosts,
  watchHeld,
  watchLeaves,
  watchSlices,
} from "@presence-service/server/testing";

export type Size = { readonly instances: number; readonly boards: number; readonly people: number };

export type Outcome = {
  readonly seed: number;
  readonly trouble: TroubleName;
  /** From the end of all trouble until every roster is right. Infinity: not within `PATIENCE_MS`. */
  readonly equalMs: Millis;
  /** The same, from when the last instance had both of its connections. */
  readonly sinceConnectedMs: Millis;
  /** Times when rosters that had been equal differed for longer than a message takes: start, length and the difference. */
  readonly again: readonly { readonly atMs: Millis; readonly forMs: Millis; readonly what: string }[];
  /** S5. Leaves of people who were there, shown after the end of all trouble. */
  readonly falseLeaves: readonly string[];
  /** The violation that an oracle found; the run ended there. */
  readonly violation?: string;
};

/** One kind of trouble, with its faults and its bounds. */
type Trouble = {
  /** L1: how long after the end of all trouble rosters may differ. */
  readonly equalMsMax: Millis;
  /** The bound counted from the moment the last instance has reconnected, for troubles with reconnects. */
  readonly sinceConnectedMsMax?: Millis;
  /** Rosters may be equal by chance before every instance knows all, and may then differ again for so long. */
  readonly againMsMax?: Millis;
  readonly begin: readonly Begin[];
  /** The share of messages lost on the way to each subscriber; duplicates occur too. */
  readonly lossRate?: number;
  /** S1 holds at any time. */
  readonly hasHealthyBus?: boolean;
};

/** Begins a fault of an instance or of Redis. */
type Begin = (world: World, victim: number) => void;

const kill: Begin = (world, victim) => {
  world.kill(victim);
  world.start();
};
const goAway: Begin = (world, victim) => {
  world.stop(victim);
  world.start();
};
const pause: Begin = (world, victim) => world.pause(victim);
const killRedis: Begin = (world) => world.network.stopRedis("killed");
const pauseRedis: Begin = (world) => world.network.stopRedis("paused");
const cut: Begin = (world, victim) => world.network.cut(victim);
const cutPublisher: Begin = (world, victim) => world.network.cut(victim, { links: ["publisher"] });
const cutSubscriber: Begin = (world, victim) => world.network.cut(victim, { links: ["subscriber"] });
const resetPublisher: Begin = (world, victim) => world.network.reset(victim, "publisher");
const resetSubscriber: Begin = (world, victim) => world.network.reset(victim, "subscriber");
const cutSilently: Begin = (world, victim) => world.network.cut(victim, { silently: true });
const hangPublisher: Begin = (world, victim) => world.network.hang(victim, "publisher");
const hangSubscriber: Begin = (world, victim) => world.network.hang(victim, "subscriber");
const deafen: Begin = (world, victim) => world.network.deafen(victim, { stays: world.random.next() < 0.5 });
const dropSubscriptions: Begin = (world, victim) => {
  for (const boardId of world.instance(victim).boards) world.network.dropSubscription(victim, boardId);
};
const mute: Begin = (world, victim) => world.network.mute(victim, { stays: world.random.next() < 0.5 });
/** A failover that some instances have not noticed: they stay with the former master. */
const failOver: Begin = (world, victim) => {
  const left = living(world).filter((index) => index === victim || world.random.next() < 0.2);
  for (const index of living(world))
    if (!left.includes(index)) for (const link of ["publisher", "subscriber"] as const) world.network.reset(index, link);
  world.network.split(left, { stays: world.random.next() < 0.5 });
};

/** One link of an instance leads to another server than the other one. */
const part: Begin = (world, victim) => world.network.split([victim], { links: [world.random.next() < 0.5 ? "publisher" : "subscriber"] });

const INSTANCES = [kill, pause, goAway];
const REDIS = [killRedis, pauseRedis];
const LINKS = [cut, cutPublisher, cutSubscriber, resetPublisher, resetSubscriber];
const SILENCE = [cutSilently, hangPublisher, hangSubscriber, deafen];
const FAILOVER = [failOver, mute, part, killRedis];

/** The longest time until a beacon comes and the repair after it is done. */
const BEACON_MS: Millis = 20_000;
/** The time until an instance that nobody hears, or that has stopped, is given up everywhere (R7, R12). */
const GONE_MS: Millis = CONSTANTS.goodbyeMs + 500;

export const TROUBLES = {
  none: { begin: [], equalMsMax: 500, hasHealthyBus: true },
  instances: { begin: INSTANCES, equalMsMax: GONE_MS, hasHealthyBus: true },
  outages: { begin: [...REDIS, ...REDIS, ...INSTANCES, ...LINKS], equalMsMax: GONE_MS },
  redis: { begin: REDIS, equalMsMax: 5_000, sinceConnectedMsMax: 2_000 },
  links: { begin: LINKS, equalMsMax: 5_000, sinceConnectedMsMax: 2_000 },
  silence: { begin: SILENCE, equalMsMax: 5_000 },
  // When two sides meet again without a new connection, they learn of each other's changes from beacons only.
  failover: { begin: FAILOVER, equalMsMax: BEACON_MS, againMsMax: BEACON_MS },
  // A peer whose last beats were lost becomes suspect, until its next one.
  loss: { begin: [], lossRate: 0.03, equalMsMax: 5_000, againMsMax: CONSTANTS.heartbeatMs },
  subscriptions: { begin: [dropSubscriptions], lossRate: 0.02, equalMsMax: 3 * BEACON_MS, againMsMax: 3 * BEACON_MS },
  everything: {
    begin: [...INSTANCES, ...REDIS, ...LINKS, ...SILENCE, ...FAILOVER],
    lossRate: 0.01,
    equalMsMax: BEACON_MS,
    againMsMax: BEACON_MS,
  },
} as const satisfies Record<string, Trouble>;
export type TroubleName = keyof typeof TROUBLES;

const TROUBLE_MS_MIN: Millis = 10_000;
const TROUBLE_MS_MAX: Millis = 60_000;
const FAULT_MS_MIN: Millis = 100;
const FAULT_MS_MAX: Millis = 120_000;
/** Average time between two actions of one person. */
const ACT_MS: Millis = 200;
/** How long to wait for right rosters. */
const PATIENCE_MS: Millis = 180_000;
/** How long to watch that they stay right: longer than graces, ended attempts, beacons and everything that is remembered. */
const WATCH_MS: Millis = 120_000;
const LOOK_MS: Millis = 10;
/** A difference that is still there at the second check is not caused by a message under way. */
const WATCH_LOOK_MS: Millis = 100;
const GRACES: readonly Millis[] = Object.values(GRACE_MS);

/** One run; the same every time. `look` gets the World before anything has happened, to watch it. */
export function runSeed(trouble: TroubleName, seed: number, size: Size, look?: (world: World) => void): Outcome {
  const { begin, lossRate = 0, hasHealthyBus = false }: Trouble = TROUBLES[trouble];
  // Every other run is that of a Cluster.
  const faults = { lossRate, duplicateRate: lossRate, countsReceivers: seed % 2 === 0 };
  const world = new World({ seed, instances: size.instances, faults });
  look?.(world);
  watchSlices(world);
  watchLeaves(world);
  if (hasHealthyBus) watchGhosts(world);
  const falseLeaves: string[] = [];
  watchHeld(world, (sentence) => falseLeaves.push(sentence));
  const outcome = { seed, trouble, equalMs: 0, sinceConnectedMs: 0, again: [], falseLeaves };
  try {
    live(world, size, begin);
    endTrouble(world);
    if (trouble !== "none") falseLeaves.length = 0;
    return { ...outcome, ...recover(world) };
  } catch (error) {
    return { ...outcome, violation: error instanceof Error ? error.message : String(error) };
  }
}

/** The broken bounds of a run, as sentences. */
export function complaints({ trouble, equalMs, sinceConnectedMs, again, falseLeaves, violation }: Outcome): string[] {
  if (violation !== undefined) return [violation];
  const { equalMsMax, sinceConnectedMsMax = Number.POSITIVE_INFINITY, againMsMax = 0 }: Trouble = TROUBLES[trouble];
  const wrong = again
    .filter(({ forMs }) => forMs > againMsMax)
    .map(({ atMs, forMs, what }) => `differed again after ${inSeconds(atMs)} s, for ${inSeconds(forMs)} s: ${what}`);
  if (equalMs > equalMsMax) wrong.unshift(`equal after ${inSeconds(equalMs)} s, not ${inSeconds(equalMsMax)} s`);
  if (sinceConnectedMs > sinceConnectedMsMax)
    wrong.unshift(
      `equal ${inSeconds(sinceConnectedMs)} s after the last instance had reconnected, not ${inSeconds(sinceConnectedMsMax)} s`,
    );
  if (trouble === "none") wrong.push(...falseLeaves);
  return wrong;
}

function inSeconds(ms: Millis): string {
  return (ms / 1000).toFixed(1);
}

/** People act now and then, while trouble comes and goes. */
function live(world: World, { boards, people }: Size, begin: readonly Begin[]): void {
  const members = Array.from({ length: people }, (_, index) =>
    world.join(`p${index}`, { board: `b${index % boards}`, via: Math.floor(world.random.next() * world.instances.length) }),
  );
  // One in three is on a second board too: the end of a connection ends both memberships.
  for (const { session } of members.filter((_, index) => index % 3 === 0))
    members.push(session.join(`b${Math.floor(world.random.next() * boards)}` as BoardId, {}));
  const doFor = (ms: Millis, meanwhile: () => void = () => {}) => {
    const end = world.now + ms;
    while (world.now < end) {
      world.advance(world.random.between(0, 2 * ACT_MS));
      act(world, one(world, members));
      meanwhile();
    }
  };
  let nextFaultAt = world.now;
  doFor(world.random.between(0, TROUBLE_MS_MAX), () => {
    if (world.now < nextFaultAt || begin.length === 0) return;
    nextFaultAt = world.now + befall(world, begin) * world.random.between(0.2, 2);
  });
  // When the last fault ends, all others have ended too.
  doFor(begin.length === 0 ? TROUBLE_MS_MIN : befall(world, begin));
}

/** One action of a person: come, change, go, or come back elsewhere, whether or not the old instance has noticed. */
function act(world: World, member: WorldMember): void {
  const { session } = member;
  const via = one(world, living(world));
  if (!session.connection.isOpen || session.isSuperseded) return member.resume({ via });
  const what = world.random.next();
  if (what < 0.3) member.update({ status: one(world, ["active", "idle"]), state: { tool: one(world, ["pen", "ink"]) } });
  else if (what < 0.45) member.move(world.random.between(0, 9), 1);
  else if (what < 0.55) member.resume({ via });
  else if (what < 0.65) member.leave();
  else if (what < 0.75) member.join();
  else if (what < 0.85) member.disconnect(one(world, GRACES));
  else session.loseAbandoned(GRACE_MS.full);
}

/** Begins a random fault and returns its length. */
function befall(world: World, begin: readonly Begin[]): Millis {
  const victim = one(world, living(world));
  const forMs = Math.exp(world.random.between(Math.log(FAULT_MS_MIN), Math.log(FAULT_MS_MAX)));
  const fault = one(world, begin);
  fault(world, victim);
  world.after(forMs, () => {
    if (REDIS.includes(fault)) return world.network.startRedis();
    world.network.mend(victim);
    world.resume(victim);
  });
  return forMs;
}

function endTrouble(world: World): void {
  world.network.faults = HEALTHY;
  world.network.startRedis();
  world.network.mendAll();
  for (const instance of world.instances) instance.resume();
}

function recover(world: World): Pick<Outcome, "equalMs" | "sinceConnectedMs" | "again"> {
  const from = world.now;
  let connectedAt: Millis | undefined;
  let equalMs = Number.POSITIVE_INFINITY;
  for (; world.now - from <= PATIENCE_MS; world.advance(LOOK_MS)) {
    if (connectedAt === undefined && living(world).every((index) => world.instance(index).isConnected)) connectedAt = world.now;
    if (world.difference() !== undefined) continue;
    equalMs = world.now - from;
    break;
  }
  const sinceConnectedMs = Math.max(0, from + equalMs - (connectedAt ?? from));
  return { equalMs, sinceConnectedMs, again: keepWatching(world) };
}

function keepWatching(world: World): Outcome["again"] {
  const again: { atMs: Millis; forMs: Millis; what: string }[] = [];
  const from = world.now;
  let differs: { readonly since: Millis; readonly what: string } | undefined;
  while (world.now - from < WATCH_MS || (differs !== undefined && world.now - from < WATCH_MS + PATIENCE_MS)) {
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

function living(world: World): number[] {
  return world.instances.filter(({ state }) => state !== "gone").map(({ index }) => index);
}

function one<T>(world: World, choices: readonly T[]): T {
  return choices[Math.floor(world.random.next() * choices.length)] as T;
}
