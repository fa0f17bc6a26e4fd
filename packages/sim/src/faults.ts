/**
 * The fault model: every fault that can befall an instance, a link or Redis, and the kinds of trouble that are made of them, each with
 * the bounds within which all must be well again. It draws nothing: schedule.ts does.
 */

import type { BoardId, Millis } from "@presence-service/protocol";
import { CONSTANTS, HEALTHY, type Link, type Network } from "@presence-service/server/world";

/** One fault, as a schedule has it. Only what its kind takes is there. */
export type Fault = {
  readonly fault: FaultName;
  /** The number of an instance among those that live; above their count it begins again at the first. */
  readonly victim: number;
  readonly forMs: Millis;
  /** New connections are no better. */
  readonly stays?: boolean;
  readonly link?: Link;
  /** Further victims. */
  readonly with?: readonly number[];
  readonly board?: string;
};

/** The part of a World that faults befall; one of whole instances has it as well. */
export type Field = {
  readonly network: Network;
  readonly instances: readonly { readonly index: number; readonly state: "running" | "paused" | "gone" }[];
  instance(index: number): { readonly boards: Iterable<string> };
  start(): number;
  kill(index: number): void;
  pause(index: number): void;
  resume(index: number): void;
  stop(index: number, exitMs: Millis): void;
  drain(index: number, exitMs: Millis): void;
  after(ms: Millis, run: () => void): void;
};

export type Taken = "stays" | "link" | "with" | "board";

export type FaultKind = {
  readonly takes?: readonly Taken[];
  /** It takes so long, whatever a schedule says: trouble is not over before. */
  readonly lastsMs?: Millis;
  readonly begin: (world: Field, victim: number, fault: Fault) => void;
  /** Default: the victim's links are mended, and it goes on. */
  readonly end?: (world: Field, victim: number) => void;
};

/** From the goodbye of an instance until its process has ended. */
const EXIT_MS: Millis = 100;
const startRedis = (world: Field) => world.network.startRedis();
const nothing = () => {};

export const FAULTS = {
  kill: { begin: (world, victim) => [world.kill(victim), world.start()], end: nothing },
  stop: { lastsMs: EXIT_MS, begin: (world, victim) => [world.stop(victim, EXIT_MS), world.start()], end: nothing },
  /** A deployment: a successor starts, the clients go over to others within 2 s, and the instance stops (R12). */
  drain: { lastsMs: CONSTANTS.retryMsMax + EXIT_MS, begin: (world, victim) => [world.start(), world.drain(victim, EXIT_MS)], end: nothing },
  pause: { begin: (world, victim) => world.pause(victim) },
  kill_redis: { begin: (world) => world.network.stopRedis("killed"), end: startRedis },
  pause_redis: { begin: (world) => world.network.stopRedis("paused"), end: startRedis },
  cut: { begin: (world, victim) => world.network.cut(victim) },
  cut_link: { takes: ["link"], begin: (world, victim, { link }) => world.network.cut(victim, link && { links: [link] }) },
  cut_silently: { begin: (world, victim) => world.network.cut(victim, { silently: true }) },
  reset: { takes: ["link"], begin: (world, victim, { link = "subscriber" }) => world.network.reset(victim, link) },
  hang: { takes: ["link"], begin: (world, victim, { link = "subscriber" }) => world.network.hang(victim, link) },
  deafen: { takes: ["stays"], begin: (world, victim, { stays = false }) => world.network.deafen(victim, { stays }) },
  mute: { takes: ["stays"], begin: (world, victim, { stays = false }) => world.network.mute(victim, { stays }) },
  /** A failover that some have not noticed: they stay with the former master. */
  fail_over: {
    takes: ["stays", "with"],
    begin: (world, victim, { stays = false, with: more = [] }) => {
      const left = [victim, ...more.map((number) => nth(world, number))];
      for (const index of living(world))
        if (!left.includes(index)) for (const link of ["publisher", "subscriber"] as const) world.network.reset(index, link);
      world.network.split(left, { stays });
    },
  },
  /** One link leads to another server than the other one. */
  part: { takes: ["link"], begin: (world, victim, { link = "subscriber" }) => world.network.split([victim], { links: [link] }) },
  forget_subscriptions: {
    begin: (world, victim) => {
      for (const boardId of world.instance(victim).boards) world.network.dropSubscription(victim, boardId as BoardId);
    },
  },
  /** Redis takes a right away. */
  refuse_board: {
    takes: ["link", "board"],
    begin: (world, victim, { link, board = "b0" }) =>
      world.network.refuse(victim, { on: board as BoardId, ...(link !== undefined && { links: [link] }) }),
  },
  refuse_boards: { begin: (world, victim) => world.network.refuse(victim, { on: "boards" }) },
  refuse_all: {
    takes: ["link"],
    begin: (world, victim, { link }) => world.network.refuse(victim, { on: "everything", ...(link !== undefined && { links: [link] }) }),
  },
} as const satisfies Record<string, FaultKind>;
export type FaultName = keyof typeof FAULTS;

/** One kind of trouble, and what is demanded once it is over. */
export type Trouble = {
  /** Drawn from; the more often one stands here, the more often it befalls. */
  readonly faults: readonly FaultName[];
  /** The share of messages lost on the way to each subscriber; as many are doubled. */
  readonly lossRate?: number;
  /** L1: how long after the end of all trouble rosters may differ. */
  readonly equalMsMax: Millis;
  /** The bound counted from the moment the last instance has reconnected, for troubles with reconnects. */
  readonly sinceConnectedMsMax?: Millis;
  /** Rosters may be equal by chance before every instance knows all, and may then differ again for so long. */
  readonly againMsMax?: Millis;
  /** Faults begin so far apart at least. Default: one may begin during another. */
  readonly apartMs?: Millis;
  /** S1 holds at any time. */
  readonly hasHealthyBus?: boolean;
  /** S5: leaves of people who are there that are not shown even in trouble, by what is told of them. */
  readonly neverLeaves?: RegExp;
  /** Nothing gets well by itself: only a new connection helps, and the instance has to order it (R9, R10). */
  readonly needsRecycling?: boolean;
};

const INSTANCES: readonly FaultName[] = ["kill", "pause", "stop", "drain"];
const REDIS: readonly FaultName[] = ["kill_redis", "pause_redis"];
const LINKS: readonly FaultName[] = ["cut", "cut_link", "cut_link", "reset", "reset"];
const SILENCE: readonly FaultName[] = ["cut_silently", "hang", "hang", "deafen"];
const STUCK: readonly FaultName[] = ["hang", "hang", "deafen", "mute", "part"];
const FAILOVER: readonly FaultName[] = ["fail_over", "mute", "part", "kill_redis"];
const RIGHTS: readonly FaultName[] = ["refuse_board", "refuse_boards", "refuse_all"];

/** The longest time until a beacon comes and the repair after it is done. */
const BEACON_MS: Millis = 20_000;
/** The time until an instance that nobody hears, or that has stopped, is given up everywhere (R7, R12). */
const GONE_MS: Millis = CONSTANTS.goodbyeMs + 500;

export const TROUBLES = {
  none: { faults: [], equalMsMax: 500, hasHealthyBus: true, neverLeaves: /./ },
  instances: { faults: INSTANCES, equalMsMax: GONE_MS, hasHealthyBus: true },
  outages: { faults: [...REDIS, ...REDIS, ...INSTANCES, ...LINKS], equalMsMax: GONE_MS },
  redis: { faults: REDIS, equalMsMax: 5_000, sinceConnectedMsMax: 2_000 },
  links: { faults: LINKS, equalMsMax: 5_000, sinceConnectedMsMax: 2_000 },
  silence: { faults: SILENCE, equalMsMax: 5_000 },
  // Each notices before its peers give it up (R10.17), unless it was mute shortly before and waits longer until it connects anew (R10.13).
  stuck: {
    faults: STUCK,
    equalMsMax: 10_000,
    againMsMax: 10_000,
    apartMs: CONSTANTS.muteRetryMsMax,
    needsRecycling: true,
    neverLeaves: /instance_lost/,
  },
  // A board that may speak again is shown as it is with its instance's next heartbeat (R9.24).
  rights: { faults: RIGHTS, equalMsMax: 5_000, againMsMax: CONSTANTS.heartbeatMs + 100 },
  // When two sides meet again without a new connection, they learn of each other's changes from beacons only.
  failover: { faults: FAILOVER, equalMsMax: BEACON_MS, againMsMax: BEACON_MS },
  // A peer whose last beats were lost becomes suspect, until its next one.
  loss: { faults: [], lossRate: 0.03, equalMsMax: 5_000, againMsMax: CONSTANTS.heartbeatMs },
  subscriptions: { faults: ["forget_subscriptions"], lossRate: 0.02, equalMsMax: 3 * BEACON_MS, againMsMax: 3 * BEACON_MS },
  everything: {
    faults: [...INSTANCES, ...REDIS, ...LINKS, ...SILENCE, ...FAILOVER],
    lossRate: 0.01,
    equalMsMax: BEACON_MS,
    againMsMax: BEACON_MS,
  },
} as const satisfies Record<string, Trouble>;
export type TroubleName = keyof typeof TROUBLES;
export const TROUBLE_NAMES = Object.keys(TROUBLES) as TroubleName[];

export function living(world: Field): number[] {
  return world.instances.filter(({ state }) => state !== "gone").map(({ index }) => index);
}

/** The living instance of that number; above their count it begins again at the first. So a step means an instance, whichever steps before it were left out. */
export function nth(world: Field, number: number): number {
  const alive = living(world);
  return alive[number % alive.length] ?? 0;
}

/** `trouble` decides whether it is ever mended (`needsRecycling`). */
export function befall(world: Field, fault: Fault, trouble: TroubleName): void {
  const victim = nth(world, fault.victim);
  const kind: FaultKind = FAULTS[fault.fault];
  kind.begin(world, victim, fault);
  if (needsRecycling(trouble)) return;
  world.after(fault.forMs, () => {
    if (kind.end !== undefined) return kind.end(world, victim);
    world.network.mend(victim);
    world.resume(victim);
  });
}

/** How long trouble goes on at least once that fault has begun. */
export function lastsMs({ fault }: Fault): Millis {
  const kind: FaultKind = FAULTS[fault];
  return kind.lastsMs ?? 0;
}

export function endTrouble(world: Field, trouble: TroubleName): void {
  world.network.faults = HEALTHY;
  world.network.startRedis();
  if (!needsRecycling(trouble)) world.network.mendAll();
  for (const { index } of world.instances) world.resume(index);
}

function needsRecycling(trouble: TroubleName): boolean {
  const { needsRecycling: needs = false }: Trouble = TROUBLES[trouble];
  return needs;
}
