/** The common ground of both sides of occupancy (R15): boards by their hash, and the shards over whose channels counts are told. */

import type { BoardId, Millis } from "@presence-service/protocol";

/** One of the channels on which occupancy is told. */
export type Shard = number;

/** Few enough that an instance may be subscribed to all, and enough that one that watches little hears little. A part of the wire. */
export const OCCUPANCY_SHARDS = 256;
/** Boards in one `want`: 16 KB. */
export const WANT_BOARDS_MAX = 4096;
/** Boards in one `occupancy` between instances: 35 KB at most. */
export const TOLD_BOARDS_MAX = 256;

/** How many are on a board. */
export type Occupants = { readonly members: number; readonly users: number };
export const EMPTY: Occupants = { members: 0, users: 0 };

/** FNV-1a over the id, finished by murmur's mixer; u32, the same in every version. */
export function hashOfBoard(boardId: BoardId): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < boardId.length; at++) hash = Math.imul(hash ^ boardId.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

export function shardOf(hash: number): Shard {
  return hash % OCCUPANCY_SHARDS;
}

export function isSame(a: Occupants | undefined, b: Occupants | undefined): boolean {
  return a?.members === b?.members && a?.users === b?.users;
}

/** The next time in a row of equal steps; `share` 0…1 is the place of the row between two rows. */
export function nextInTurn(periodMs: Millis, share: number, now: Millis): Millis {
  const offset = share * periodMs;
  return (Math.floor((now - offset) / periodMs) + 1) * periodMs + offset;
}

export function* pieces<T>(items: readonly T[], countMax: number): Iterable<readonly T[]> {
  for (let at = 0; at < items.length; at += countMax) yield items.slice(at, at + countMax);
}
