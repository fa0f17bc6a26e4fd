/**
 * A way of speaking: how bytes of a client become messages, and how frames for it are made. Each is one file (v2.ts, classic.ts), and
 * subprotocols.ts names it. A connection knows its habits and none of its bytes.
 */

import type {
  BoardId,
  BoardRef,
  ClientMessage,
  CursorInput,
  CursorPathOf,
  Json,
  Millis,
  Mistake,
  Point,
  ServerMessage,
  UnknownMessage,
} from "@presence-service/protocol";
import type { Counts, RosterChange, RosterView } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import type { Draft } from "./draft.ts";

/** The ways of speaking, as the metric `presence_connections` names them. */
export type Encoding = "binary" | "json" | "classic";

export interface Speech {
  readonly encoding: Encoding;
  /** Its clients begin with a hello. Others are identified as they connect, and have to join a board instead. */
  readonly saysHello: boolean;
  /** Its clients can come back as the same member, and number their joins. The members of others have no grace. */
  readonly canResume: boolean;
  /** It has words for more than people and cursors: errors, heartbeats, goodbyes. Clients that have none are pinged, or just closed. */
  readonly isTold: boolean;
  /** Decoding looks at each byte, so a long message costs more than a short one. */
  readonly isPaidByByte: boolean;
  /** Reads a cursor from a binary frame without creating an object. `false`: it is none, and `into` is undefined. */
  readonly readCursor: (data: Buffer, into: CursorInput) => boolean;
  /** undefined: not a message that clients send. Never throws. */
  read(data: Buffer, isBinary: boolean): ClientMessage | undefined;
  /** The mistake in a frame that cannot be read; undefined: it is not meant as a message. */
  mistakeIn(data: Buffer, isBinary: boolean): Mistake | UnknownMessage | undefined;
  /** The frame of a heartbeat, the same bytes for every socket. undefined: its clients are pinged. */
  readonly heartbeat: Buffer | undefined;
  /** undefined: it has no word for that. */
  frame(message: ServerMessage): Buffer | undefined;
  /** The name of that board in its messages. */
  refOf(board: BoardNames): BoardRef;
  /** Tells that board to all its sockets there. `packs`: their clients read packed messages; otherwise each socket says so where it is told the board. */
  teller(board: BoardNames, source: BoardSource, packs?: boolean): Teller;
}

export type BoardNames = { readonly boardId: BoardId; readonly number: number };

/** One board as an instance shows it at the moment. */
export interface BoardSource {
  roster(): RosterView;
  /** undefined: that actor shows no cursor. */
  cursorOf(actor: number): Point | undefined;
}

/**
 * The belief of a socket that was told nothing for a while, or never: actors by the number that its client knows them by. Empty where a
 * fresh roster replaces everything.
 */
export type Told = readonly (number | undefined)[];
export const TOLD_NOTHING: Told = [];

/** Adds what happens in a tick to the draft, in whole frames that are made once for all sockets of that way of speaking. */
export interface Teller {
  change(change: RosterChange, draft: Draft): void;
  /** Adds the members who came and the statuses that have changed since the last call and are not told yet. It need not be called in every tick. */
  news(draft: Draft): void;
  /** `to`: only for the sockets of these actors; undefined: for all but that of the sender. */
  event(actor: number, name: string, data: Json, draft: Draft, to?: readonly number[]): void;
  counts(counts: Counts, draft: Draft): void;
  /** Nobody came or went: only `observed` has changed. */
  observed(counts: Counts, draft: Draft): void;
  pace(cursorMs: Millis, draft: Draft): void;
  degraded(on: boolean, draft: Draft): void;
  /** `stamp`: of this tick, the same for all sockets. `paths`: to these places, and perhaps to others. */
  cursors(moves: Moves, stamp: number, draft: Draft, paths?: readonly CursorPathOf[]): void;
  /**
   * Prepares a roster for many sockets. The result writes what a socket that believes `told` needs; `self` is its own actor; undefined: it
   * observes. `held`: the list of members that its client holds from an earlier connection. `packs`: its client reads packed messages.
   */
  board(roster: RosterView): (self: number | undefined, told: Told, draft: Draft, held?: string, packs?: boolean) => void;
  /** The belief of a socket that was told everything but this tick. */
  told(): Told;
  /** The tick is over. */
  settled(): void;
}
