/** The work of the service on a big board: comings and goings, people who move, and all who come back after a loss. It prints nothing. */

import { createHash } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { type Board, createPresence } from "@presence-service/client";
import { type Member, nameHeld, printed, ROSTER_MAX } from "@presence-service/protocol";
import { type Cluster, cpuSecondsOf, type Instance } from "../cluster.ts";
import { sum } from "../report.ts";
import { BOARD, bytesOfType, failures, Guest, gather, noneLost } from "./guest.ts";
import { walk } from "./walk.ts";

const VISITS = 50;
const SETTLE_MS = 2000;
const WARM_UP_MS_MAX = 3000;
/** In such a time everybody is sent less than a byte: nothing more is told. Heartbeats go on. */
const QUIET_MS = 500;
const QUIET_MS_MAX = 20_000;

export type Comings = {
  readonly joinP50: number;
  readonly joinMax: number;
  readonly bytesP50: number;
  readonly bytesMax: number;
  readonly wrongCounts: number;
};

/** Fifty come and go, one after the other, while two of the members count the bytes that they are sent. */
export async function comings(guests: readonly Guest[], ports: readonly number[]): Promise<Comings> {
  const times: number[] = [];
  const costs: number[] = [];
  let wrongCounts = 0;
  const viewers = guests.slice(0, 2);
  const read = () => sum(viewers.map(({ bytesRead }) => bytesRead)) / viewers.length;
  for (let nth = 0; nth < VISITS; nth++) {
    const before = read();
    const guest = new Guest(guests.length + nth);
    await guest.enter(ports[nth % ports.length] ?? 0);
    times.push(guest.joinedMs);
    if (guest.count !== guests.length + 1) wrongCounts++;
    await wait(150);
    const between = read();
    guest.leave();
    await wait(150);
    costs.push(between - before, read() - between);
    guest.drop();
  }
  return { joinP50: at(times, 0.5), joinMax: at(times, 1), bytesP50: at(costs, 0.5), bytesMax: at(costs, 1), wrongCounts };
}

export type Moving = {
  readonly movesPerSecond: number;
  readonly updatesPerSecond: number;
  /** Updates per second of each viewer, and its bytes. */
  readonly seenPerSecond: number;
  readonly bytesPerSecond: number;
  /** How often one viewer was told of a mover, in a second: of the mover of which least, and most. */
  readonly leastPerSecond: number;
  readonly mostPerSecond: number;
  readonly cpuPerMillion: number;
  readonly instanceCores: number;
  readonly generatorCores: number;
};

/** `viewers` are those who are sent cursors, movers included; one of them counts by mover. */
export async function moving(
  cluster: Cluster,
  movers: readonly Guest[],
  viewers: readonly Guest[],
  movesPerSecond: number,
  seconds: number,
): Promise<Moving> {
  const walked = walk(movers, movesPerSecond);
  try {
    await wait(Math.min(WARM_UP_MS_MAX, seconds * 1000));
    const costs = () => ({
      at: performance.now(),
      moves: walked.made(),
      updates: sum(viewers.map(({ delivered }) => delivered)),
      bytes: sum(viewers.map(({ bytesRead }) => bytesRead)),
      cpu: sum(cluster.instances.map((instance) => instance.cpuSeconds())),
      generator: cpuSecondsOf("self"),
    });
    const counted = viewers.flatMap(({ deliveredBy }) => deliveredBy ?? []);
    for (const counts of counted) counts.clear();
    const before = costs();
    await wait(seconds * 1000);
    const after = costs();
    const took = (after.at - before.at) / 1000;
    noneLost(viewers);
    const perMover = counted.flatMap((counts) => [...counts.values()]);
    const per = (name: keyof typeof before) => (after[name] - before[name]) / took;
    return {
      movesPerSecond: per("moves"),
      updatesPerSecond: per("updates"),
      seenPerSecond: per("updates") / viewers.length,
      bytesPerSecond: per("bytes") / viewers.length,
      leastPerSecond: at(perMover, 0) / took,
      mostPerSecond: at(perMover, 1) / took,
      cpuPerMillion: ((after.cpu - before.cpu) * 1e6) / (after.updates - before.updates),
      instanceCores: per("cpu"),
      generatorCores: per("generator"),
    };
  } finally {
    walked.stop();
  }
}

export type Return = {
  readonly coming: number;
  /** From the loss until the last of them knows the board. */
  readonly seconds: number;
  /** From the loss until nobody is told anything more, of all clients. */
  readonly mbToClients: number;
  readonly mbToService: number;
  readonly cpuSeconds: number;
  /** Connections that were refused or lost, and tried again. */
  readonly retries: number;
  /** Why, and how many. */
  readonly failures: readonly (readonly [why: string, count: number])[];
  /** The types of messages with most bytes, and their MB. */
  readonly most: readonly (readonly [type: number, mb: number])[];
};

/** `lose` breaks the connections of the guests; all of them come back within that time, evenly, and name the members that they held. */
export async function comeBack(
  guests: readonly Guest[],
  all: readonly Guest[],
  scoutPort: number,
  withinMs: number,
  lose: () => Promise<readonly Instance[]>,
): Promise<Return> {
  const held = await heldNow(scoutPort);
  bytesOfType.clear();
  failures.clear();
  const sums = () => ({
    read: sum(all.map(({ bytesRead }) => bytesRead)),
    written: sum(all.map(({ bytesWritten }) => bytesWritten)),
    retries: sum(all.map(({ retries }) => retries)),
  });
  const before = sums();
  for (const guest of guests) guest.drop();
  const instances = await lose();
  const cpu = () => sum(instances.map((instance) => instance.cpuSeconds()));
  const startedAt = performance.now();
  const cpuBefore = cpu();
  await Promise.all(
    guests.map(async (guest, nth) => {
      await wait((withinMs * nth) / guests.length);
      await guest.enter(instances[nth % instances.length]?.port ?? 0, held);
    }),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  await quiet(all);
  noneLost(all);
  const after = sums();
  const most = [...bytesOfType].sort(([, a], [, b]) => b - a).slice(0, 4);
  return {
    coming: guests.length,
    seconds,
    mbToClients: (after.read - before.read) / 1e6,
    mbToService: (after.written - before.written) / 1e6,
    cpuSeconds: cpu() - cpuBefore,
    retries: sum(all.map(({ retries }) => retries)) - before.retries,
    failures: [...failures],
    most: most.map(([type, bytes]) => [type, bytes / 1e6] as const),
  };
}

async function quiet(guests: readonly Guest[]): Promise<void> {
  const deadline = performance.now() + QUIET_MS_MAX;
  const read = () => sum(guests.map(({ bytesRead }) => bytesRead));
  for (let before = Number.NEGATIVE_INFINITY, now = read(); now - before >= guests.length && performance.now() < deadline; now = read()) {
    before = now;
    await wait(QUIET_MS);
  }
}

/** The members that a client of that instance holds, by name, as a client of the SDK names them. */
async function heldNow(port: number): Promise<string> {
  const presence = createPresence({ url: `ws://127.0.0.1:${port}/` });
  try {
    const board: Board = presence.observe(BOARD);
    while (board.others.length < Math.min(ROSTER_MAX, board.memberCount) || board.memberCount === 0) await wait(50);
    return board.others
      .map((member) =>
        nameHeld(
          createHash("sha256")
            .update(printed(member as Member))
            .digest(),
          member.joinedAt,
        ),
      )
      .join("");
  } finally {
    presence.close();
  }
}

export async function fill(count: number, ports: readonly number[], make: (nth: number) => Guest): Promise<readonly Guest[]> {
  const guests = Array.from({ length: count }, (_, nth) => make(nth));
  await gather(guests, ports);
  await wait(SETTLE_MS);
  noneLost(guests);
  return guests;
}

function at(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
}
