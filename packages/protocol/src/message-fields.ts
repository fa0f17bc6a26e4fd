/**
 * Every message with its type byte and its fields in order: the table behind `presence.v2` and `presence.v2.json`, and behind the tables
 * of docs/PROTOCOL.md. Type bytes are append-only and never reused: clients send 0x01…, servers 0x41…, and both send 0x08, as in the
 * classic protocol. A message grows by `optional` fields with new keys; its required fields never change (docs/PROTOCOL.md, "Growing").
 */

import type { LeaveReason, Point } from "./domain.ts";
import * as f from "./fields.ts";
import { type Field, list, optional, type Struct, struct, text } from "./fields.ts";
import { held, heldEntries } from "./held.ts";
import * as limits from "./limits.ts";
import { type BinaryMessage, type CursorMove, ERROR_CODES, type ErrorCode, type Occupancy, type RosterEntry } from "./messages.ts";
import { BARE_HEAD_MAX, HIDDEN, readPoint, writeMove } from "./moves.ts";
import { PATH_KEY, path, paths, u16 } from "./paths.ts";

/** The number of a reason on the wire is its index here; append-only. A later release's reason is shown as `left`. */
export const LEAVE_REASONS = ["left", "timeout", "kicked", "instance_lost"] as const satisfies readonly LeaveReason[];

const at: Field<Point | null> = {
  write: (to, value) => writeMove(to, 0, value?.x ?? HIDDEN, value?.y ?? 0),
  read: (from) => readPoint(from, from.varint(BARE_HEAD_MAX)),
  check: (given) => (given === null ? null : f.point.check(given)),
};

const MOVE = struct<CursorMove>({ actor: f.actor, at });
const moves: Field<readonly CursorMove[]> = {
  write(to, values) {
    to.varint(values.length);
    for (const { actor, at } of values) writeMove(to, actor, at?.x ?? HIDDEN, at?.y ?? 0);
  },
  read(from) {
    const values: CursorMove[] = [];
    for (let left = from.varint(limits.U32_MAX); left > 0 && !from.failed; left--) {
      const head = from.varint(limits.U32_MAX);
      values.push({ actor: head >>> 2, at: readPoint(from, head) });
    }
    return values;
  },
  check: (given) => f.checkedList(given, MOVE),
};

const ENTRY = struct<RosterEntry>({ actor: f.actor, member: f.member, at: optional(f.IN_JSON_ONLY, f.point) });
const rosterEntry: Field<RosterEntry> = {
  write(to, { actor, member, at }) {
    writeMove(to, actor, at?.x ?? HIDDEN, at?.y ?? 0);
    f.writeMember(to, member);
  },
  read(from) {
    const head = from.varint(limits.U32_MAX);
    const at = readPoint(from, head);
    return { actor: head >>> 2, member: f.readMember(from), ...(at && { at }) };
  },
  check: ENTRY.check,
};

const { board, actor, u32, chosenStatus } = f;
/** The same between instances. Here a board goes by its id on every wire: who watches it is not on it, and has no number for it. */
export const OCCUPANCY: Field<Occupancy> = {
  write: (to, { board, members, users }) => to.string(board).varint(members).varint(users),
  read: (from) => ({ board: f.boardId.read(from), members: u32.read(from), users: u32.read(from) }),
  check: struct<Occupancy>({ board: f.boardId, members: u32, users: u32 }).check,
};
const token = text(limits.TOKEN_BYTES_MAX);
/** One level for the member's fields around those of its state. */
const patch = f.jsonObject(limits.PATCH_BYTES_MAX, limits.JSON_DEPTH_MAX + 1);

type Body<K> = Omit<Extract<BinaryMessage, { kind: K }>, "kind">;
export type MessageFields<T> = { readonly tag: number; readonly body: Struct<T> };

export const MESSAGE_FIELDS: { readonly [K in BinaryMessage["kind"]]: MessageFields<Body<K>> } = {
  hello: {
    tag: 0x01,
    body: struct<Body<"hello">>({ token: optional(1, token), resumeToken: optional(2, f.resumeToken), packs: optional(3, f.bool) }),
  },
  join: {
    tag: 0x02,
    body: struct<Body<"join">>({
      boardId: f.boardId,
      attempt: f.varint(limits.ATTEMPT_MAX),
      username: f.username,
      status: chosenStatus,
      state: f.state,
      observe: optional(1, f.bool),
      area: optional(2, f.chosenArea),
      held: optional(3, held),
    }),
  },
  leave: { tag: 0x03, body: struct<Body<"leave">>({ board }) },
  cursor: { tag: 0x04, body: struct<Body<"cursor">>({ board, at, path: optional(PATH_KEY, path) }) },
  update: {
    tag: 0x05,
    body: struct<Body<"update">>({
      board,
      status: optional(1, chosenStatus),
      state: optional(2, f.state),
      area: optional(3, f.chosenArea),
    }),
  },
  broadcast: { tag: 0x06, body: struct<Body<"broadcast">>({ board, name: f.eventName, data: f.eventData, ...f.recipients }) },
  auth: { tag: 0x07, body: struct<Body<"auth">>({ token }) },
  page: { tag: 0x09, body: struct<Body<"page">>({ board, count: u32, after: optional(1, f.memberId) }) },
  watch: { tag: 0x0a, body: struct<Body<"watch">>({ boards: list(f.boardId, limits.WATCHED_BOARDS_MAX), off: optional(1, f.bool) }) },
  look: {
    tag: 0x0b,
    body: struct<Body<"look">>({
      board,
      areas: optional(1, list(f.chosenArea, limits.LOOK_AREAS_MAX)),
      all: optional(2, f.bool),
    }),
  },
  heartbeat: { tag: 0x08, body: struct<Body<"heartbeat">>({}) },
  welcome: {
    tag: 0x41,
    body: struct<Body<"welcome">>({
      memberId: f.memberId,
      resumeToken: f.resumeToken,
      instanceId: f.uuid,
      heartbeatMs: u32,
      graceMs: u32,
      cursorMs: u32,
      stateBytesMax: u32,
    }),
  },
  joined: {
    tag: 0x42,
    body: struct<Body<"joined">>({
      boardId: f.boardId,
      board,
      self: actor,
      settling: f.bool,
      members: u32,
      users: u32,
      roster: list(rosterEntry),
      observe: optional(1, f.bool),
      observed: optional(2, f.bool),
      following: optional(3, u32),
      held: optional(4, heldEntries),
    }),
  },
  user_joined: { tag: 0x43, body: struct<Body<"user_joined">>({ board, actor, member: f.member, at: optional(1, f.point) }) },
  user_updated: { tag: 0x44, body: struct<Body<"user_updated">>({ board, actor, patch }) },
  user_left: { tag: 0x45, body: struct<Body<"user_left">>({ board, actor, reason: f.oneOf<LeaveReason>(LEAVE_REASONS, "left") }) },
  cursors: { tag: 0x46, body: struct<Body<"cursors">>({ board, stamp: u16, moves, paths: optional(PATH_KEY, paths) }) },
  presence_update: { tag: 0x47, body: struct<Body<"presence_update">>({ board, members: u32, users: u32, observed: optional(1, f.bool) }) },
  event: {
    tag: 0x48,
    body: struct<Body<"event">>({ board, actor, name: f.eventName, data: f.eventData, member: optional(1, f.member) }),
  },
  announcement: {
    tag: 0x49,
    body: struct<Body<"announcement">>({ text: text(limits.ANNOUNCEMENT_BYTES_MAX), board: optional(1, board) }),
  },
  pace: { tag: 0x4a, body: struct<Body<"pace">>({ cursorMs: u32 }) },
  degraded: { tag: 0x4b, body: struct<Body<"degraded">>({ on: f.bool, board: optional(1, board) }) },
  error: {
    tag: 0x4c,
    body: struct<Body<"error">>({
      code: f.oneOf<ErrorCode | "unknown">(ERROR_CODES, "unknown"),
      message: text(limits.ERROR_MESSAGE_BYTES_MAX),
      ref: optional(1, text(limits.ERROR_REF_BYTES_MAX)),
    }),
  },
  goodbye: { tag: 0x4d, body: struct<Body<"goodbye">>({ code: u16, retryAfterMs: u32 }) },
  token_expiring: { tag: 0x4e, body: struct<Body<"token_expiring">>({ expiresInMs: u32 }) },
  roster: { tag: 0x4f, body: struct<Body<"roster">>({ board, roster: list(rosterEntry) }) },
  paged: { tag: 0x50, body: struct<Body<"paged">>({ board, members: list(f.member), more: f.bool }) },
  occupancy: { tag: 0x51, body: struct<Body<"occupancy">>({ boards: list(OCCUPANCY) }) },
};

/** The types 0x01 to 0x3f belong to clients, in this release and in all later ones. */
const CLIENT_TAGS_END = 0x40;

export function isSentByClients({ tag }: { readonly tag: number }): boolean {
  return tag < CLIENT_TAGS_END;
}

export function isSentByServers({ tag }: { readonly tag: number }): boolean {
  return tag >= CLIENT_TAGS_END || tag === MESSAGE_FIELDS.heartbeat.tag;
}
