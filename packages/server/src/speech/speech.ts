/** How a way of speaking tells what happens on a board, in whole frames that are made once for all its sockets. Types only. */

import type { Json, Millis, RosterEntry } from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import type { ClassicTable } from "./classic-ids.ts";
import type { Draft } from "./draft.ts";

/** The encodings, as the metric `presence_connections` names them. */
export type Encoding = "binary" | "json" | "classic";

/** The roster that an instance shows for a board. */
export type BoardRoster = {
  readonly settling: boolean;
  /** Other instances are not heard on this board. */
  readonly degraded: boolean;
  readonly members: number;
  readonly users: number;
  readonly entries: readonly RosterEntry[];
};

/** The belief of a socket that was told nothing for a while, or never. Empty where a fresh roster replaces everything. */
export type Told = ClassicTable;
export const TOLD_NOTHING: Told = [];

export interface Wire {
  change(change: RosterChange, draft: Draft): void;
  event(actor: number, name: string, data: Json, draft: Draft): void;
  counts(members: number, users: number, draft: Draft): void;
  pace(cursorMs: Millis, draft: Draft): void;
  degraded(on: boolean, draft: Draft): void;
  cursors(moves: Moves, draft: Draft): void;
  /** Prepares a roster for many sockets. The result writes what a socket that believes `told` needs; `self` is its own actor. */
  board(roster: BoardRoster): (self: number, told: Told, draft: Draft) => void;
  /** The belief of a socket that was told everything but this tick. */
  told(): Told;
  /** The tick is over. */
  settled(): void;
}
