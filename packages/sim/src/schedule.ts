/**
 * All that will happen in one run, as data: drawn from a seed before the run begins, written to a file, read again, and made shorter.
 * Each step has a meaning whatever others are left out. It runs nothing: run.ts does.
 */

import type { Millis } from "@presence-service/protocol";
import { type Faults, Random } from "@presence-service/server/world";
import { FAULTS, type Fault, type FaultKind, type FaultName, type Taken, TROUBLES, type Trouble, type TroubleName } from "./faults.ts";
import { type Act, drawAct, drawPlaces } from "./workload.ts";

/** How large the worlds of a campaign are, and how long their runs. */
export type Size = {
  readonly instances: number;
  readonly boards: number;
  readonly people: number;
  /** Average time between two acts of anybody. */
  readonly actMs: Millis;
  /** Trouble begins to end after a time from this range, and each fault lasts for a time from this range; short times are likelier than long ones. */
  readonly troubleMs: Range;
  readonly faultMs: Range;
  /** Rosters have to stay right for so long: one of the two. */
  readonly watchMs: readonly [usually: Millis, sometimes: Millis];
};

export type Range = readonly [min: Millis, max: Millis];

/** Longer than graces, ended attempts, beacons and everything that is remembered. */
const WATCH_MS: Millis = 120_000;

export const SIZES = {
  /** For very many runs: everything that befalls large worlds befalls these. */
  small: { instances: 3, boards: 2, people: 6, actMs: 400, troubleMs: [1_000, 40_000], faultMs: [100, 60_000], watchMs: [15_000, 75_000] },
  large: {
    instances: 4,
    boards: 4,
    people: 12,
    actMs: 200,
    troubleMs: [5_000, 60_000],
    faultMs: [100, 120_000],
    watchMs: [WATCH_MS, WATCH_MS],
  },
} as const satisfies Record<string, Size>;
export type SizeName = keyof typeof SIZES;
export const SIZE_NAMES = Object.keys(SIZES) as SizeName[];

/** The share of runs that are watched for the longer time. */
const WATCHED_LONG = 0.2;

export type Step = { readonly at: Millis } & (Act | Fault);

export type Schedule = {
  /** Seed of everything that no step names: the network's delays and losses, the jitter of the cores. */
  readonly seed: number;
  readonly trouble: TroubleName;
  readonly instances: number;
  readonly network: Pick<Faults, "lossRate" | "duplicateRate" | "countsReceivers">;
  /** When all trouble ends and the rosters have to become right. */
  readonly endsAt: Millis;
  /** How long they have to stay right. */
  readonly watchMs: Millis;
  /** In order of time. */
  readonly steps: readonly Step[];
};

/** How long people act where nothing befalls them. */
const PEACE_MS: Millis = 10_000;
/** The share of the others that a failover leaves behind too. */
const LEFT_BEHIND = 0.2;

export function drawSchedule(trouble: TroubleName, seed: number, size: Size): Schedule {
  const { faults, lossRate = 0, needsRecycling = false, apartMs = 0 }: Trouble = TROUBLES[trouble];
  const draw = new Draw(seed, size);
  const places = drawPlaces(size.people, (index) => draw.board(index));
  const steps: Step[] = places.map((place) => ({ at: 0, act: "join", ...place, via: draw.instance() }));
  let now: Millis = 0;
  const actUntil = (end: Millis, meanwhile: () => void = () => {}) => {
    while (now < end) {
      now += Math.round(draw.random.between(0, 2 * size.actMs));
      steps.push({ at: now, ...drawAct(draw.random, { ...draw.one(places), via: draw.instance() }, places) });
      meanwhile();
    }
  };
  const befall = () => {
    const fault = draw.fault(faults, !needsRecycling);
    steps.push({ at: now, ...fault });
    return fault.forMs;
  };
  let nextFaultAt: Millis = 0;
  actUntil(draw.duration(size.troubleMs), () => {
    if (faults.length === 0 || now < nextFaultAt) return;
    nextFaultAt = now + Math.max(apartMs, befall() * draw.random.between(0.2, 2));
  });
  if (apartMs > 0) actUntil(nextFaultAt);
  // When the last fault ends, all others have ended too.
  actUntil(now + (faults.length > 0 ? befall() : PEACE_MS));
  // Every other run is that of a Cluster.
  const network = { lossRate, duplicateRate: lossRate, countsReceivers: seed % 2 === 0 };
  const watchMs = size.watchMs[draw.random.next() < WATCHED_LONG ? 1 : 0];
  return { seed, trouble, instances: size.instances, network, endsAt: now, watchMs, steps };
}

/** One step a line, so that a schedule can be read and edited. */
export function printSchedule({ steps, ...rest }: Schedule): string {
  const head = JSON.stringify(rest).slice(0, -1);
  return `${head},"steps":[\n${steps.map((step) => JSON.stringify(step)).join(",\n")}\n]}\n`;
}

/** Throws a sentence if the text is no schedule. */
export function readSchedule(text: string): Schedule {
  const schedule = JSON.parse(text) as Partial<Schedule>;
  const { seed, instances, endsAt, watchMs, steps, trouble = "", network } = schedule;
  if (
    ![seed, instances, endsAt, watchMs].every((value) => typeof value === "number") ||
    typeof network !== "object" ||
    !Array.isArray(steps)
  )
    throw new Error("this is no schedule: it needs seed, trouble, instances, network, endsAt, watchMs and steps");
  if (!(trouble in TROUBLES)) throw new Error(`there is no trouble ${trouble}`);
  for (const step of steps as readonly Step[])
    if (typeof step.at !== "number" || ("fault" in step ? !(step.fault in FAULTS) : !("act" in step && step.who && step.board)))
      throw new Error(`this is no step: ${JSON.stringify(step)}`);
  return schedule as Schedule;
}

class Draw {
  readonly random: Random;
  readonly #size: Size;

  constructor(seed: number, size: Size) {
    this.random = new Random(seed);
    this.#size = size;
  }

  one<T>(choices: readonly T[]): T {
    return choices[Math.floor(this.random.next() * choices.length)] as T;
  }

  instance(): number {
    return Math.floor(this.random.next() * this.#size.instances);
  }

  fault(names: readonly FaultName[], mayStay: boolean): Fault {
    const fault = this.one(names);
    const kind: FaultKind = FAULTS[fault];
    const takes = (what: Taken) => kind.takes?.includes(what) === true;
    const others = Array.from({ length: this.#size.instances }, (_, index) => index);
    return {
      fault,
      victim: this.instance(),
      forMs: this.duration(this.#size.faultMs),
      ...(takes("stays") && mayStay && { stays: this.random.next() < 0.5 }),
      ...(takes("link") && { link: this.one(["publisher", "subscriber"] as const) }),
      ...(takes("with") && { with: others.filter(() => this.random.next() < LEFT_BEHIND) }),
      ...(takes("board") && { board: this.board() }),
    };
  }

  /** Each power of ten is as likely as the next. */
  duration([min, max]: Range): Millis {
    return Math.round(Math.exp(this.random.between(Math.log(min), Math.log(max))));
  }

  board(index = Math.floor(this.random.next() * this.#size.boards)): string {
    return `b${index % this.#size.boards}`;
  }
}
