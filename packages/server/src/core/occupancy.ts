/** The common ground of both sides of occupancy (R15): boards by their hash, and the shards over whose channels counts are told. */

import type { BoardId, Millis } from "@presence-service/protocol";
import { beginningOfSha256 } from "./sha-256.ts";

/** One of the channels on which occupancy is told. */
export type Shard = number;

/** Few enough that an instance may be subscribed to all, and enough that one that watches little hears little. A part of the wire. */
export const OCCUPANCY_SHARDS = 256;
/** Boards in one `want`: 32 KB. */
export const WANT_BOARDS_MAX = 4096;
/** Boards in one `occupancy` between instances: 35 KB at most. */
export const TOLD_BOARDS_MAX = 256;

/** How many are on a board. */
export type Occupants = { readonly members: number; readonly users: number };
export const EMPTY: Occupants = { members: 0, users: 0 };

/** The name of a board in a `want`: 8 bytes as hex digits. */
export type BoardHash = string & { readonly [boardHash]: true };
declare const boardHash: unique symbol;

/**
 * The beginning of the SHA-256 of the id. Everybody may choose ids, and all boards of one hash are told when somebody wants one of them: so it must
 * not be cheap to find many ids of one hash.
 */
export function hashOfBoard(boardId: BoardId): BoardHash {
  return beginningOfSha256(boardId) as BoardHash;
}

/** The last byte of the hash. */
export function shardOf(hash: BoardHash): Shard {
  return Number.parseInt(hash.slice(-2), 16);
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
