/**
 * Any legal message, for fast-check. `boards` says how the encoding under test names a board: by number or by id.
 */

import fc, { type Arbitrary } from "fast-check";
import {
  ACTOR_MAX,
  AREA_BYTES_MAX,
  ATTEMPT_MAX,
  AVATAR_BYTES_MAX,
  BOARD_ID_BYTES_MAX,
  type BoardId,
  type BoardRef,
  type ClassicMessage,
  type ClientMessage,
  COORDINATE_MAX,
  ERROR_CODES,
  ERROR_REF_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  HELD_BYTES,
  type HeldEntry,
  isSafeJson,
  type Json,
  type JsonObject,
  LEAVE_REASONS,
  LOOK_AREAS_MAX,
  MEMBER_KINDS,
  type Member,
  type MemberId,
  PATH_MS_MAX,
  PATH_POINTS_MAX,
  type Point,
  type ResumeToken,
  type RosterEntry,
  type ServerMessage,
  STATE_BYTES_MAX,
  STATUSES,
  TIME_MAX,
  TOKEN_BYTES_MAX,
  U32_MAX,
  USER_ID_BYTES_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "../src/index.ts";

/** The type requires an arbitrary for every kind. */
type ByKind<M extends { kind: string }> = { readonly [K in M["kind"]]: Arbitrary<Extract<M, { kind: K }>> };

/** Objects as literals and JSON make them, not with a null prototype as fast-check likes to. */
const record = (<T>(fields: { [K in keyof T]: Arbitrary<T[K]> }, constraints?: object) =>
  fc.record(fields, { ...constraints, noNullPrototype: true })) as typeof fc.record;

export const u32 = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: U32_MAX }));
export const actor = fc.oneof(fc.nat(300), fc.integer({ min: 0, max: ACTOR_MAX }));
const u16 = fc.integer({ min: 0, max: 0xffff });
const i32 = fc.integer({ min: -COORDINATE_MAX, max: COORDINATE_MAX });
export const point: Arbitrary<Point> = fc.oneof(record({ x: u16, y: u16 }), record({ x: i32, y: u16 }), record({ x: i32, y: i32 }));

const pathFields = {
  stamp: u16,
  earlier: fc.array(record({ ms: fc.integer({ min: 1, max: PATH_MS_MAX }), dx: i32, dy: i32 }), { maxLength: PATH_POINTS_MAX }),
};
export const path = record({ actor, ...pathFields });

export const boardId = fc
  .string({ unit: fc.constantFrom(..."AZaz09._~:@/-"), minLength: 1, maxLength: BOARD_ID_BYTES_MAX })
  .map((text) => text as BoardId);

/** Any code points, so also control characters and some that take four bytes; in bytes never longer than allowed. */
export function text(bytesMax: number, bytesMin = 0): Arbitrary<string> {
  return fc.string({ unit: "binary", maxLength: bytesMax }).filter((value) => utf8Bytes(value) >= bytesMin && utf8Bytes(value) <= bytesMax);
}

function hex(bytes: number): Arbitrary<string> {
  return fc.uint8Array({ minLength: bytes, maxLength: bytes }).map((value) => Buffer.from(value).toString("hex"));
}

/** Values as JSON.parse gives them: plain prototypes, no -0. */
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value): Json => JSON.parse(JSON.stringify(value)))
  .filter((value) => isSafeJson(value) && utf8Bytes(JSON.stringify(value)) <= STATE_BYTES_MAX);

export const state: Arbitrary<JsonObject> = fc
  .array(fc.tuple(text(12), json), { maxLength: 4 })
  .map((entries): JsonObject => JSON.parse(JSON.stringify(Object.fromEntries(entries))))
  .filter((value) => isSafeJson(value) && utf8Bytes(JSON.stringify(value)) <= STATE_BYTES_MAX);

const memberId = hex(16).map((digits) => digits as MemberId);
/** To be added to the fields of an event: the lists may be absent, alone or both. */
export const recipients = {
  memberIds: fc.array(memberId, { maxLength: 4 }),
  userIds: fc.array(text(USER_ID_BYTES_MAX, 1), { maxLength: 4 }),
};
const resumeToken = hex(16).map((digits) => digits as ResumeToken);
const uuid = fc.uuid();

const time = fc.oneof(fc.constantFrom(0, 1, TIME_MAX), fc.integer({ min: 0, max: TIME_MAX }));

export const member: Arbitrary<Member> = record(
  {
    memberId,
    userId: fc.option(text(USER_ID_BYTES_MAX, 1), { nil: undefined }),
    username: text(USERNAME_BYTES_MAX),
    color: hex(3).map((digits) => `#${digits}`),
    avatar: text(AVATAR_BYTES_MAX),
    status: fc.constantFrom(...STATUSES),
    kind: fc.constantFrom(...MEMBER_KINDS),
    joinedAt: time,
    activeAt: time,
    area: text(AREA_BYTES_MAX, 1),
    state,
  },
  { requiredKeys: ["memberId", "userId", "username", "color", "status", "kind", "joinedAt", "state"] },
)
  // Without auth the userId is the memberId.
  .map((fields) => ({ ...fields, userId: fields.userId ?? fields.memberId }));

const rosterEntry: Arbitrary<RosterEntry> = record({ actor, member, at: point }, { requiredKeys: ["actor", "member"] });

const heldEntry: Arbitrary<HeldEntry> = record(
  { actor, status: fc.constantFrom("idle", "reconnecting"), joinedAt: time, activeAt: time, at: point },
  { requiredKeys: ["actor"] },
);

export function clientMessages(boards: "number" | "id"): ByKind<ClientMessage> {
  const board: Arbitrary<BoardRef> = boards === "number" ? u32 : boardId;
  return {
    hello: record(
      { kind: fc.constant("hello"), token: text(TOKEN_BYTES_MAX), resumeToken, packs: fc.boolean() },
      { requiredKeys: ["kind"] },
    ),
    join: record(
      {
        kind: fc.constant("join"),
        boardId,
        attempt: fc.integer({ min: 0, max: ATTEMPT_MAX }),
        username: text(USERNAME_BYTES_MAX),
        status: fc.constantFrom("active" as const, "idle" as const),
        state,
        observe: fc.boolean(),
        area: text(AREA_BYTES_MAX),
        held: fc.array(hex(HELD_BYTES), { maxLength: 4 }).map((names) => names.join("")),
      },
      { requiredKeys: ["kind", "boardId", "attempt", "username", "status", "state"] },
    ),
    leave: record({ kind: fc.constant("leave"), board }),
    cursor: record(
      { kind: fc.constant("cursor"), board, at: fc.option(point), path: record(pathFields) },
      { requiredKeys: ["kind", "board", "at"] },
    ),
    update: record(
      {
        kind: fc.constant("update"),
        board,
        status: fc.constantFrom("active" as const, "idle" as const),
        state,
        area: text(AREA_BYTES_MAX),
      },
      { requiredKeys: ["kind", "board"] },
    ),
    broadcast: record(
      { kind: fc.constant("broadcast"), board, name: text(EVENT_NAME_BYTES_MAX), data: json, ...recipients },
      { requiredKeys: ["kind", "board", "name", "data"] },
    ),
    heartbeat: fc.constant({ kind: "heartbeat" }),
    auth: record({ kind: fc.constant("auth"), token: text(TOKEN_BYTES_MAX) }),
    page: record({ kind: fc.constant("page"), board, count: u32, after: memberId }, { requiredKeys: ["kind", "board", "count"] }),
    look: record(
      { kind: fc.constant("look"), board, areas: fc.array(text(AREA_BYTES_MAX), { maxLength: LOOK_AREAS_MAX }), all: fc.boolean() },
      { requiredKeys: ["kind", "board"] },
    ),
    watch: record(
      { kind: fc.constant("watch"), boards: fc.array(boardId, { maxLength: 8 }), off: fc.boolean() },
      { requiredKeys: ["kind", "boards"] },
    ),
  };
}

export function serverMessages(boards: "number" | "id"): ByKind<ServerMessage> {
  const board: Arbitrary<BoardRef> = boards === "number" ? u32 : boardId;
  return {
    welcome: record({
      kind: fc.constant("welcome"),
      memberId,
      resumeToken,
      instanceId: uuid,
      heartbeatMs: u32,
      graceMs: u32,
      cursorMs: u32,
      stateBytesMax: u32,
    }),
    joined: record(
      {
        kind: fc.constant("joined"),
        boardId,
        board,
        self: actor,
        settling: fc.boolean(),
        members: u32,
        users: u32,
        roster: fc.array(rosterEntry, { maxLength: 4 }),
        observe: fc.boolean(),
        observed: fc.boolean(),
        following: u32,
        held: fc.array(fc.option(heldEntry), { maxLength: 6 }),
      },
      { requiredKeys: ["kind", "boardId", "board", "self", "settling", "members", "users", "roster"] },
    ).map((message) => (boards === "id" ? { ...message, board: message.boardId } : message)),
    roster: record({ kind: fc.constant("roster"), board, roster: fc.array(rosterEntry, { maxLength: 4 }) }),
    user_joined: record(
      { kind: fc.constant("user_joined"), board, actor, member, at: point },
      { requiredKeys: ["kind", "board", "actor", "member"] },
    ),
    user_updated: record({
      kind: fc.constant("user_updated"),
      board,
      actor,
      patch: record({ status: fc.constantFrom(...STATUSES), state }, { requiredKeys: [] }).map((patch) => ({ ...patch }) as JsonObject),
    }),
    statuses: record(
      {
        kind: fc.constant("statuses"),
        board,
        status: fc.constantFrom(...STATUSES),
        actors: fc.array(actor, { maxLength: 20 }),
        activeAt: time,
        afterMs: fc.array(u32, { maxLength: 20 }),
      },
      { requiredKeys: ["kind", "board", "status", "actors"] },
    ),
    user_left: record({ kind: fc.constant("user_left"), board, actor, reason: fc.constantFrom(...LEAVE_REASONS) }),
    cursors: record(
      {
        kind: fc.constant("cursors"),
        board,
        stamp: u16,
        moves: fc.array(record({ actor, at: fc.option(point) }), { maxLength: 20 }),
        paths: fc.array(path, { maxLength: 4 }),
      },
      { requiredKeys: ["kind", "board", "stamp", "moves"] },
    ),
    presence_update: record(
      { kind: fc.constant("presence_update"), board, members: u32, users: u32, observed: fc.boolean() },
      { requiredKeys: ["kind", "board", "members", "users"] },
    ),
    event: record(
      { kind: fc.constant("event"), board, actor, name: text(EVENT_NAME_BYTES_MAX), data: json, member },
      { requiredKeys: ["kind", "board", "actor", "name", "data"] },
    ),
    paged: record({ kind: fc.constant("paged"), board, members: fc.array(member, { maxLength: 4 }), more: fc.boolean() }),
    occupancy: record({
      kind: fc.constant("occupancy"),
      boards: fc.array(record({ board: boardId, members: u32, users: u32 }), { maxLength: 8 }),
    }),
    announcement: record({ kind: fc.constant("announcement"), text: text(4096), board }, { requiredKeys: ["kind", "text"] }),
    pace: record({ kind: fc.constant("pace"), cursorMs: u32 }),
    degraded: record({ kind: fc.constant("degraded"), on: fc.boolean(), board }, { requiredKeys: ["kind", "on"] }),
    heartbeat: fc.constant({ kind: "heartbeat" }),
    error: record(
      {
        kind: fc.constant("error"),
        code: fc.constantFrom(...ERROR_CODES, "unknown" as const),
        message: text(1024),
        ref: text(ERROR_REF_BYTES_MAX),
      },
      { requiredKeys: ["kind", "code", "message"] },
    ),
    goodbye: record({ kind: fc.constant("goodbye"), code: u16, retryAfterMs: u32 }),
    token_expiring: record({ kind: fc.constant("token_expiring"), expiresInMs: u32 }),
  };
}

const u8 = fc.integer({ min: 0, max: 0xff });

export const classicMessages: ByKind<ClassicMessage> = {
  cursor_update: record({ kind: fc.constant("cursor_update"), board: u16, x: u16, y: u16 }),
  cursor_broadcast: record({ kind: fc.constant("cursor_broadcast"), board: u16, user: u8, x: u16, y: u16 }),
  join: record({ kind: fc.constant("join"), board: u16, username: text(32) }),
  leave: record({ kind: fc.constant("leave"), board: u16 }),
  user_joined: record({
    kind: fc.constant("user_joined"),
    board: u16,
    user: u8,
    username: text(32),
    color: hex(3).map((digits) => `#${digits}`),
  }),
  user_left: record({ kind: fc.constant("user_left"), board: u16, user: u8 }),
  presence_update: record({ kind: fc.constant("presence_update"), board: u16, count: u8 }),
  heartbeat: fc.constant({ kind: "heartbeat" }),
};

export function anyOf<M extends { kind: string }>(byKind: ByKind<M>): Arbitrary<M> {
  return fc.oneof(...(Object.values(byKind) as Arbitrary<M>[]));
}

/** Good bytes as a broken or hostile peer changes them: some replaced, some cut off, some added. */
export function damaged(bytes: Arbitrary<Uint8Array>): Arbitrary<Uint8Array> {
  const damages = fc.array(fc.tuple(fc.nat(), u8), { minLength: 1, maxLength: 4 });
  return fc.tuple(bytes, damages, fc.option(fc.nat()), fc.uint8Array({ maxLength: 4 })).map(([good, replaced, cut, added]) => {
    const bad = Buffer.concat([good.subarray(0, cut === null ? good.length : cut % (good.length + 1)), cut === null ? added : Buffer.of()]);
    if (bad.length > 0) for (const [at, value] of replaced) bad[at % bad.length] = value;
    return new Uint8Array(bad);
  });
}
