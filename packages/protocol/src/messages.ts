/**
 * All messages between a client and the service: one union, with one line of meaning each. The three encodings
 * (binary.ts, json.ts, classic.ts) carry these and nothing else; docs/PROTOCOL.md is their reference.
 */

import type { BoardId, Json, JsonObject, LeaveReason, Member, MemberId, Millis, Point, ResumeToken, Status } from "./domain.ts";

/** How a message names a board: `presence.v2` by the number that `joined` gave, `presence.v2.json` by the board's id. */
export type BoardRef = number | BoardId;

/**
 * The members that an event is for: those named by their ids, and all of the users named by theirs. Both absent: everybody. An empty list
 * names nobody.
 */
export type Recipients = { readonly memberIds?: readonly MemberId[] | undefined; readonly userIds?: readonly string[] | undefined };

export type ClientMessage =
  /**
   * First message of a connection: says which session this is. Without a resumeToken the service makes one. `packs`: long messages may come packed
   * (`PACKED`); it means nothing in JSON.
   */
  | { readonly kind: "hello"; readonly token?: string; readonly resumeToken?: ResumeToken; readonly packs?: boolean }
  /** Enter a board, or replace my entry there. `attempt` is higher than in any join this session sent before. */
  | {
      readonly kind: "join";
      readonly boardId: BoardId;
      readonly attempt: number;
      readonly username: string;
      readonly status: Exclude<Status, "reconnecting">;
      readonly state: JsonObject;
      /** Only to see the board: the client is shown to nobody. Name, status and state mean nothing then. */
      readonly observe?: boolean;
      /** Where in the app I am; absent or empty: nowhere in particular. */
      readonly area?: string;
      /** Members of the board that I hold from an earlier connection, in my order: `HELD_BYTES` each, as hex digits (held.ts). */
      readonly held?: string;
    }
  /** Leave a board for good: no grace. */
  | { readonly kind: "leave"; readonly board: BoardRef }
  /** My pointer is here; `null`: it is hidden. `path`: when it was there, and where before; it means nothing where the pointer is hidden. */
  | { readonly kind: "cursor"; readonly board: BoardRef; readonly at: Point | null; readonly path?: CursorPath }
  /** Change my status, my state (merge patch, RFC 7396), my area (empty: nowhere in particular), or several of them. */
  | {
      readonly kind: "update";
      readonly board: BoardRef;
      readonly status?: Exclude<Status, "reconnecting">;
      readonly state?: JsonObject;
      readonly area?: string;
    }
  /** Send an event to everybody else on the board, or to some: delivered at most once, never stored. */
  | ({ readonly kind: "broadcast"; readonly board: BoardRef; readonly name: string; readonly data: Json } & Recipients)
  /** Answer to the service's heartbeat, or a question of the client, which the service answers with a heartbeat. */
  | { readonly kind: "heartbeat" }
  /** A fresh token before the old one expires. */
  | { readonly kind: "auth"; readonly token: string }
  /** Asks for up to `count` members of the board, in the order of their ids: those after that id, or the first ones. */
  | { readonly kind: "page"; readonly board: BoardRef; readonly count: number; readonly after?: MemberId }
  /**
   * Show me the cursors of exactly these areas (empty: of those who are nowhere in particular), or with `all` of every area. Neither: of my
   * own area; to an observer, of every area.
   */
  | { readonly kind: "look"; readonly board: BoardRef; readonly areas?: readonly string[]; readonly all?: boolean }
  /** Tell me from now on how many are on these boards, without my being on them; `off`: no longer. */
  | { readonly kind: "watch"; readonly boards: readonly BoardId[]; readonly off?: boolean };

export type RosterEntry = {
  /** This instance's number for the member, on this board. */
  readonly actor: number;
  readonly member: Member;
  /** Last known cursor; absent: the member shows none. */
  readonly at?: Point;
};

/** A member that the client holds, as it is now. Without a status it is active. Without `joinedAt` that is as the client holds it. */
export type HeldEntry = {
  readonly actor: number;
  readonly status?: Status;
  readonly joinedAt?: Millis;
  readonly activeAt?: Millis;
  readonly at?: Point;
};

/** How many are on a board. */
export type Occupancy = { readonly board: BoardId; readonly members: number; readonly users: number };

export type CursorMove = { readonly actor: number; readonly at: Point | null };

/** `ms` milliseconds before the last place the pointer was so far to the right of it and so far below. */
export type PathPoint = { readonly ms: Millis; readonly dx: number; readonly dy: number };

/**
 * The way to the place that is told with it. `stamp`: the mover's clock in milliseconds, modulo 65536, when it was at that place; no other
 * clock is to be compared with it. `earlier`: where it was since the place before, in order.
 */
export type CursorPath = { readonly stamp: number; readonly earlier: readonly PathPoint[] };
export type CursorPathOf = CursorPath & { readonly actor: number };

export type ServerMessage =
  /** Answer to `hello`. */
  | {
      readonly kind: "welcome";
      readonly memberId: MemberId;
      readonly resumeToken: ResumeToken;
      readonly instanceId: string;
      readonly heartbeatMs: Millis;
      readonly graceMs: Millis;
      readonly cursorMs: Millis;
      readonly stateBytesMax: number;
    }
  /**
   * Answer to `join`: the board as this instance shows it now, myself included. `settling`: members may still be missing. `observe`: I am
   * no member, and `self` is `ACTOR_MAX`, which nobody is. `observed`: somebody observes the board. `following`: so many entries of the
   * roster come in `roster` messages, before anything else about this board. `held`: for each member of the list in `join`, in its order
   * and as far as it goes, the member as it is now; null: it is not here, or in a roster.
   */
  | {
      readonly kind: "joined";
      readonly boardId: BoardId;
      readonly board: BoardRef;
      readonly self: number;
      readonly settling: boolean;
      readonly members: number;
      readonly users: number;
      readonly roster: readonly RosterEntry[];
      readonly observe?: boolean;
      readonly observed?: boolean;
      readonly following?: number;
      readonly held?: readonly (HeldEntry | null)[];
    }
  /** More of the roster that `joined` began. */
  | { readonly kind: "roster"; readonly board: BoardRef; readonly roster: readonly RosterEntry[] }
  /** A member is newly shown. `at`: its cursor, if one is shown already. */
  | { readonly kind: "user_joined"; readonly board: BoardRef; readonly actor: number; readonly member: Member; readonly at?: Point }
  /** Merge patch (RFC 7396) of that member's fields, as in `{"status":"idle","state":{"tool":null}}`. */
  | { readonly kind: "user_updated"; readonly board: BoardRef; readonly actor: number; readonly patch: JsonObject }
  /**
   * All these members have that status now, as when a crowd is lost or comes back. `activeAt`: when they were last active, and `afterMs`: for each in order, so many
   * milliseconds after that; absent: they have none. One's own actor may be among them, and means nothing.
   */
  | {
      readonly kind: "statuses";
      readonly board: BoardRef;
      readonly status: Status;
      readonly actors: readonly number[];
      readonly activeAt?: Millis;
      readonly afterMs?: readonly Millis[];
    }
  /** A member is no longer shown. */
  | { readonly kind: "user_left"; readonly board: BoardRef; readonly actor: number; readonly reason: LeaveReason }
  /**
   * Latest places of all who moved since the last such message; one's own may be among them. `stamp`: the service's clock in
   * milliseconds, modulo 65536, when it gathered them. `paths`: how some of them came there.
   */
  | {
      readonly kind: "cursors";
      readonly board: BoardRef;
      readonly stamp: number;
      readonly moves: readonly CursorMove[];
      readonly paths?: readonly CursorPathOf[];
    }
  /** How many members are on the board, the receiver included if it is one. `observed`: somebody observes it, without being shown. */
  | {
      readonly kind: "presence_update";
      readonly board: BoardRef;
      readonly members: number;
      readonly users: number;
      readonly observed?: boolean;
    }
  /** Somebody else's `broadcast`. `member`: its sender, with an empty state, where the actor was never introduced. */
  | {
      readonly kind: "event";
      readonly board: BoardRef;
      readonly actor: number;
      readonly name: string;
      readonly data: Json;
      readonly member?: Member;
    }
  /** Answer to `page`. `more`: there are members after the last of these. */
  | { readonly kind: "paged"; readonly board: BoardRef; readonly members: readonly Member[]; readonly more: boolean }
  /** How many are on boards that I `watch`: those of which I was not told yet, or where a number has changed. */
  | { readonly kind: "occupancy"; readonly boards: readonly Occupancy[] }
  /** A message from the operator to everybody, or to everybody on that board. */
  | { readonly kind: "announcement"; readonly text: string; readonly board?: BoardRef }
  /** Send cursors no more often than this. */
  | { readonly kind: "pace"; readonly cursorMs: Millis }
  /** Other instances cannot be heard (`true`) or are heard again (`false`): on one board, or without `board` on all. */
  | { readonly kind: "degraded"; readonly on: boolean; readonly board?: BoardRef }
  /** Answer it at once from the message handler. */
  | { readonly kind: "heartbeat" }
  /** A message was refused; the connection goes on. `ref`: the board or message it is about. `unknown`: a code of a later release. */
  | { readonly kind: "error"; readonly code: ErrorCode | "unknown"; readonly message: string; readonly ref?: string }
  /** The service will close this connection; come back after the given time. */
  | { readonly kind: "goodbye"; readonly code: number; readonly retryAfterMs: Millis }
  /** The token runs out after this time: send `auth` with a fresh one before that, or the connection is closed as `unauthorized`. */
  | { readonly kind: "token_expiring"; readonly expiresInMs: Millis };

/** All messages that travel on a client's socket, except the classic ones. */
export type BinaryMessage = ClientMessage | ServerMessage;

/** Codes of `error`, append-only; the number on the binary wire is the index in this list. docs/PROTOCOL.md has a heading for each. */
export const ERROR_CODES = [
  "bad_message",
  "bad_board",
  "bad_username",
  "bad_state",
  "not_joined",
  "too_many_boards",
  "superseded",
  "unauthorized",
  "too_fast",
  "unavailable",
  "unknown_message",
  "observing",
  "too_many_watched",
  "not_allowed",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];
