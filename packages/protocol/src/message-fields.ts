/**
 * Every message with its type byte and its fields in order: the table behind `presence.v2` and `presence.v2.json`, and behind the tables
 * of docs/PROTOCOL.md. Type bytes are append-only and never reused: clients send 0x01…, servers 0x41…, and both send 0x08, as in the
 * classic protocol. A message grows by `optional` fields with new keys; its required fields never change (docs/PROTOCOL.md, "Growing").
 */

import type { LeaveReason } from "./domain.ts";
import * as f from "./fields.ts";
import { list, optional, PATH_KEY, type Struct, struct, text } from "./fields.ts";
import * as limits from "./limits.ts";
import {
  type BinaryMessage,
  type BoardRef,
  type ClientMessage,
  ERROR_CODES,
  type ErrorCode,
  type Occupancy,
  type ServerMessage,
} from "./messages.ts";

/** The number of a reason on the wire is its index here; append-only. A later release's reason is shown as `left`. */
export const LEAVE_REASONS = ["left", "timeout", "kicked", "instance_lost"] as const satisfies readonly LeaveReason[];

/** The same between instances. Here a board goes by its id on every wire: who watches it is not on it, and has no number for it. */
export const OCCUPANCY: Struct<Occupancy> = struct<Occupancy>({ board: f.boardId, members: f.u32, users: f.u32 }, "row");

type Body<K> = Omit<Extract<BinaryMessage, { kind: K }>, "kind">;
export type MessageFields<T = unknown> = { readonly tag: number; readonly body: Struct<T> };
type Table<K extends BinaryMessage["kind"]> = { readonly [Kind in K]: MessageFields<Body<Kind>> };

/* @__NO_SIDE_EFFECTS__ */
function fields<K extends BinaryMessage["kind"]>(shape: f.Shape<Body<K>>): Struct<Body<K>> {
  return struct<Body<K>>(shape);
}

const board: f.Field<BoardRef> = f.board;
const token = text(limits.TOKEN_BYTES_MAX);
/** One level for the member's fields around those of its state. */
const patch = f.jsonObject(limits.PATCH_BYTES_MAX, limits.JSON_DEPTH_MAX + 1);

export const CLIENT_MESSAGES: Table<ClientMessage["kind"]> = {
  hello: {
    tag: 0x01,
    body: fields<"hello">({ token: optional(1, token), resumeToken: optional(2, f.resumeToken), packs: optional(3, f.bool) }),
  },
  join: {
    tag: 0x02,
    body: fields<"join">({
      boardId: f.boardId,
      attempt: f.varint(limits.ATTEMPT_MAX),
      username: f.username,
      status: f.chosenStatus,
      state: f.state,
      observe: optional(1, f.bool),
      area: optional(2, f.chosenArea),
      held: optional(3, f.held),
    }),
  },
  leave: { tag: 0x03, body: fields<"leave">({ board }) },
  cursor: { tag: 0x04, body: fields<"cursor">({ board, at: f.place, path: optional(PATH_KEY, f.path) }) },
  update: {
    tag: 0x05,
    body: fields<"update">({
      board,
      status: optional(1, f.chosenStatus),
      state: optional(2, f.state),
      area: optional(3, f.chosenArea),
    }),
  },
  broadcast: { tag: 0x06, body: fields<"broadcast">({ board, name: f.eventName, data: f.eventData, ...f.recipients }) },
  auth: { tag: 0x07, body: fields<"auth">({ token }) },
  page: { tag: 0x09, body: fields<"page">({ board, count: f.u32, after: optional(1, f.memberId) }) },
  watch: { tag: 0x0a, body: fields<"watch">({ boards: list(f.boardId, limits.WATCHED_BOARDS_MAX), off: optional(1, f.bool) }) },
  look: {
    tag: 0x0b,
    body: fields<"look">({
      board,
      areas: optional(1, list(f.chosenArea, limits.LOOK_AREAS_MAX)),
      all: optional(2, f.bool),
    }),
  },
  heartbeat: { tag: 0x08, body: fields<"heartbeat">({}) },
};

export const SERVER_MESSAGES: Table<ServerMessage["kind"]> = {
  welcome: {
    tag: 0x41,
    body: fields<"welcome">({
      memberId: f.memberId,
      resumeToken: f.resumeToken,
      instanceId: f.uuid,
      heartbeatMs: f.u32,
      graceMs: f.u32,
      cursorMs: f.u32,
      stateBytesMax: f.u32,
    }),
  },
  joined: {
    tag: 0x42,
    body: fields<"joined">({
      boardId: f.boardId,
      board,
      self: f.actor,
      settling: f.bool,
      members: f.u32,
      users: f.u32,
      roster: list(f.entry),
      observe: optional(1, f.bool),
      observed: optional(2, f.bool),
      following: optional(3, f.u32),
      held: optional(4, f.heldEntries),
    }),
  },
  user_joined: { tag: 0x43, body: fields<"user_joined">({ board, actor: f.actor, member: f.member, at: optional(1, f.point) }) },
  user_updated: { tag: 0x44, body: fields<"user_updated">({ board, actor: f.actor, patch }) },
  user_left: { tag: 0x45, body: fields<"user_left">({ board, actor: f.actor, reason: f.oneOf<LeaveReason>(LEAVE_REASONS, "left") }) },
  cursors: { tag: 0x46, body: fields<"cursors">({ board, stamp: f.u16, moves: list(f.move), paths: optional(PATH_KEY, f.paths) }) },
  presence_update: { tag: 0x47, body: fields<"presence_update">({ board, members: f.u32, users: f.u32, observed: optional(1, f.bool) }) },
  event: {
    tag: 0x48,
    body: fields<"event">({ board, actor: f.actor, name: f.eventName, data: f.eventData, member: optional(1, f.member) }),
  },
  announcement: {
    tag: 0x49,
    body: fields<"announcement">({ text: text(limits.ANNOUNCEMENT_BYTES_MAX), board: optional(1, board) }),
  },
  pace: { tag: 0x4a, body: fields<"pace">({ cursorMs: f.u32 }) },
  degraded: { tag: 0x4b, body: fields<"degraded">({ on: f.bool, board: optional(1, board) }) },
  error: {
    tag: 0x4c,
    body: fields<"error">({
      code: f.oneOf<ErrorCode | "unknown">(ERROR_CODES, "unknown"),
      message: text(limits.ERROR_MESSAGE_BYTES_MAX),
      ref: optional(1, text(limits.ERROR_REF_BYTES_MAX)),
    }),
  },
  goodbye: { tag: 0x4d, body: fields<"goodbye">({ code: f.u16, retryAfterMs: f.u32 }) },
  token_expiring: { tag: 0x4e, body: fields<"token_expiring">({ expiresInMs: f.u32 }) },
  roster: { tag: 0x4f, body: fields<"roster">({ board, roster: list(f.entry) }) },
  paged: { tag: 0x50, body: fields<"paged">({ board, members: list(f.member), more: f.bool }) },
  occupancy: { tag: 0x51, body: fields<"occupancy">({ boards: list(OCCUPANCY) }) },
  statuses: {
    tag: 0x52,
    body: fields<"statuses">({
      board,
      status: f.status,
      actors: list(f.actor),
      activeAt: optional(1, f.time),
      afterMs: optional(2, list(f.u32)),
    }),
  },
  heartbeat: CLIENT_MESSAGES.heartbeat,
};

export const MESSAGE_FIELDS: Table<BinaryMessage["kind"]> = /* @__PURE__ */ Object.assign({}, CLIENT_MESSAGES, SERVER_MESSAGES);

/** The types 0x01 to 0x3f belong to clients, in this release and in all later ones. */
const CLIENT_TAGS_END = 0x40;

export function isSentByClients({ tag }: { readonly tag: number }): boolean {
  return tag < CLIENT_TAGS_END;
}

export function isSentByServers({ tag }: { readonly tag: number }): boolean {
  return tag >= CLIENT_TAGS_END || tag === MESSAGE_FIELDS.heartbeat.tag;
}
