/** Many people who come to a service, each at a time that is fixed beforehand or as soon as there is room. It knows nothing of what they do then. */

import { setTimeout as wait } from "node:timers/promises";
import type { Seen } from "../clients.ts";
import { type Cluster, cpuSecondsOf } from "../cluster.ts";
import { sum } from "../report.ts";
import type { Enter, Person, Place } from "./person.ts";

export type Crowd = {
  readonly boards: number;
  readonly boardSize: number;
  /** All people of a board are on one instance, as where a load balancer takes the hash of the board. Else they are spread evenly. */
  readonly affinity?: boolean;
  /** The load is about who is on a board. */
  readonly isKnown?: boolean;
};

const CONNECTS_AT_ONCE = 50;
export const JOINED_MS_MAX = 60_000;
const LOOK_EVERY_MS = 5;
/** No bytes for so long: nobody is told anything more. */
const QUIET_MS = 300;
const QUIET_MS_MAX = 10_000;

/** Neighbours on one board are on different instances, unless there is affinity. */
export function placesOf(cluster: Cluster, { boards, boardSize, affinity = false, isKnown = false }: Crowd, first = 0): Place[] {
  return Array.from({ length: boards * boardSize }, (_, at) => {
    const board = `b${Math.floor(at / boardSize)}`;
    const instance = (affinity ? hashOf(board) : at) % cluster.instances.length;
    return { port: cluster.instances[instance]?.port ?? 0, instance, board, nth: first + at, isKnown };
  });
}

/** FNV-1a, as the SDK asks a load balancer with. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** All are joined when this returns. */
export async function gather(places: readonly Place[], enter: Enter, seen: Seen): Promise<Person[]> {
  const people: Person[] = [];
  for (let from = 0; from < places.length; from += CONNECTS_AT_ONCE) {
    people.push(...(await Promise.all(places.slice(from, from + CONNECTS_AT_ONCE).map((place) => enter(place, seen)))));
    await allJoined(people);
  }
  return people;
}

export async function allJoined(people: readonly Person[]): Promise<void> {
  const deadline = performance.now() + JOINED_MS_MAX;
  while (!people.every(({ isJoined }) => isJoined)) {
    noneLost(people);
    if (performance.now() > deadline)
      throw new Error(`${people.filter(({ isJoined }) => !isJoined).length} of ${people.length} did not join in ${JOINED_MS_MAX / 1000} s`);
    await wait(LOOK_EVERY_MS);
  }
}

export function noneLost(people: readonly Person[]): void {
  const lost = people.find(({ socket }) => socket.ended !== undefined);
  if (lost) throw new Error(`a client was lost: ${lost.socket.ended}`);
}

/** Returns when nobody has been told anything for a while. */
export async function quiet(people: readonly Person[]): Promise<void> {
  const deadline = performance.now() + QUIET_MS_MAX;
  for (let before = -1, now = bytesOf(people); before !== now && performance.now() < deadline; now = bytesOf(people)) {
    before = now;
    await wait(QUIET_MS);
  }
}

export function leave(people: readonly Person[]): void {
  for (const { socket } of people) socket.destroy();
}

export function bytesOf(people: readonly Person[]): number {
  return people.reduce((total, { socket }) => total + socket.bytesRead, 0);
}

/** All of it since the beginning: take the difference of two. */
export function costsOf(cluster: Cluster, people: readonly Person[]) {
  return {
    at: performance.now(),
    instances: sum(cluster.instances.map((instance) => instance.cpuSeconds())),
    redis: cluster.redis.cpuSeconds(),
    generator: cpuSecondsOf("self"),
    bytes: bytesOf(people),
    reads: people.reduce((total, { socket }) => total + socket.reads, 0),
  };
}

export function residentMb(cluster: Cluster): number {
  return sum(cluster.instances.map((instance) => instance.residentBytes())) / 1e6;
}
