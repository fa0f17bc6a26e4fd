/**
 * Writes the golden vectors beside this file: `node --conditions=presence-source packages/protocol/vectors/generate.ts`. Run it after
 * adding a message. A change to an existing line breaks every existing client.
 * The tests compare the codecs with the files as committed, and do not run this.
 */

import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import {
  ACTOR_MAX,
  type BinaryMessage,
  type BoardId,
  type ClassicMessage,
  encodeBinary,
  encodeClassic,
  encodeJson,
  type JsonObject,
  type Member,
  type MemberId,
  nameHeld,
  printed,
  type ResumeToken,
} from "../src/index.ts";

import { laterBinary, laterJson, UNKNOWN_MESSAGES } from "../test/later.ts";

type Direction = "client to server" | "server to client" | "both";

const boardId = "doc-42" as BoardId;
const board = 7;
/** C1: the first half of SHA-256 over the userId (anonymous: empty) and the bytes of the resumeToken. */
const anaId = "a8faed6abbf35c12a4b26e40f6feb19d" as MemberId;
const resumeToken = "00112233445566778899aabbccddeeff" as ResumeToken;

/** Anonymous: the userId is the memberId. */
const ana: Member = {
  memberId: anaId,
  userId: anaId,
  username: "Ana",
  color: "#1e6f5c",
  status: "active",
  kind: "person",
  joinedAt: 1_760_000_000_000,
  state: { tool: "pen" },
};
/** Without extra fields: a later field is added where they would be. */
const bare: Member = { ...ana, joinedAt: 0, state: {} };
const calmAna: Member = { ...ana, state: {} };
const ben: Member = {
  memberId: "c0ffee00c0ffee00c0ffee00c0ffee00" as MemberId,
  userId: "u-17",
  username: "Bén 🎉",
  color: "#8a2be2",
  avatar: "https://example.com/b.png",
  status: "idle",
  kind: "agent",
  joinedAt: 1_760_000_012_345,
  activeAt: 1_760_000_300_000,
  area: "slide-3",
  state: {},
};

/** The members as a client names them that holds them. */
const namesOf = (...held: Member[]) =>
  held.map((member) => nameHeld(createHash("sha256").update(printed(member)).digest(), member.joinedAt)).join("");

const messages: [name: string, Direction, BinaryMessage][] = [
  ["hello", "client to server", { kind: "hello", token: "abc", resumeToken }],
  ["hello, anonymous and new", "client to server", { kind: "hello" }],
  ["hello, unpacks messages", "client to server", { kind: "hello", resumeToken, packs: true }],
  ["join", "client to server", { kind: "join", boardId, attempt: 1, username: "Ana", status: "active", state: { tool: "pen" } }],
  [
    "join, in an area",
    "client to server",
    { kind: "join", boardId, attempt: 1, username: "Ana", status: "active", state: {}, area: "slide-3" },
  ],
  [
    "join, long name",
    "client to server",
    { kind: "join", boardId, attempt: 0xffff_ffff, username: "é".repeat(128), status: "idle", state: {} },
  ],
  ["join, to observe", "client to server", { kind: "join", boardId, attempt: 2, username: "", status: "active", state: {}, observe: true }],
  [
    "join, coming back",
    "client to server",
    { kind: "join", boardId, attempt: 3, username: "Ana", status: "active", state: { tool: "pen" }, held: namesOf(ana, ben) },
  ],
  ["leave", "client to server", { kind: "leave", board }],
  ["cursor", "client to server", { kind: "cursor", board, at: { x: 500, y: 65_535 } }],
  ["cursor, wide", "client to server", { kind: "cursor", board, at: { x: -1, y: 70_000 } }],
  [
    "cursor, with the time at which it was there",
    "client to server",
    { kind: "cursor", board, at: { x: 500, y: 65_535 }, path: { stamp: 51_966, earlier: [] } },
  ],
  [
    "cursor, with its path",
    "client to server",
    {
      kind: "cursor",
      board,
      at: { x: 500, y: 65_535 },
      path: {
        stamp: 51_966,
        earlier: [
          { ms: 12, dx: -300, dy: -2 },
          { ms: 4, dx: 60, dy: 0 },
        ],
      },
    },
  ],
  ["cursor, hidden", "client to server", { kind: "cursor", board, at: null }],
  ["update", "client to server", { kind: "update", board, status: "idle", state: { tool: null } }],
  ["update, status only", "client to server", { kind: "update", board, status: "active" }],
  ["update, area", "client to server", { kind: "update", board, area: "slide-4" }],
  ["update, no area", "client to server", { kind: "update", board, area: "" }],
  ["broadcast", "client to server", { kind: "broadcast", board, name: "reaction", data: { emoji: "🎉" } }],
  [
    "broadcast, to some",
    "client to server",
    { kind: "broadcast", board, name: "wave", data: 1, memberIds: [anaId], userIds: ["u-17", "u-18"] },
  ],
  ["broadcast, to nobody", "client to server", { kind: "broadcast", board, name: "wave", data: 1, memberIds: [] }],
  ["auth", "client to server", { kind: "auth", token: "def" }],
  ["page", "client to server", { kind: "page", board, count: 100, after: ben.memberId }],
  ["page, the first", "client to server", { kind: "page", board, count: 100 }],
  ["look, at some areas", "client to server", { kind: "look", board, areas: ["slide-3", ""] }],
  ["look, at all", "client to server", { kind: "look", board, all: true }],
  ["look, as at first", "client to server", { kind: "look", board }],
  ["watch", "client to server", { kind: "watch", boards: [boardId, "doc-43" as BoardId] }],
  ["watch, no longer", "client to server", { kind: "watch", boards: [boardId], off: true }],
  ["heartbeat", "both", { kind: "heartbeat" }],
  [
    "welcome",
    "server to client",
    {
      kind: "welcome",
      memberId: anaId,
      resumeToken,
      instanceId: "3f1c9d2e-7a54-4c1b-9e0d-5b6a7c8d9e0f",
      heartbeatMs: 30_000,
      graceMs: 15_000,
      cursorMs: 16,
      stateBytesMax: 4096,
    },
  ],
  [
    "joined",
    "server to client",
    {
      kind: "joined",
      boardId,
      board,
      self: 3,
      settling: false,
      members: 2,
      users: 2,
      roster: [
        { actor: 3, member: ana },
        { actor: 0, member: ben, at: { x: 500, y: 65_535 } },
      ],
    },
  ],
  [
    "joined, settling and alone",
    "server to client",
    { kind: "joined", boardId, board: 300, self: 0, settling: true, members: 1, users: 1, roster: [{ actor: 0, member: ana }] },
  ],
  [
    "joined, to an observer",
    "server to client",
    {
      kind: "joined",
      boardId,
      board,
      self: ACTOR_MAX,
      settling: false,
      members: 1,
      users: 1,
      roster: [{ actor: 3, member: ana }],
      observe: true,
      observed: true,
    },
  ],
  [
    "joined, more of the roster follows",
    "server to client",
    {
      kind: "joined",
      boardId,
      board,
      self: 3,
      settling: false,
      members: 9000,
      users: 800,
      roster: [{ actor: 3, member: ana }],
      following: 1,
    },
  ],
  [
    "joined, all that was held is there",
    "server to client",
    {
      kind: "joined",
      boardId,
      board,
      self: 3,
      settling: false,
      members: 2,
      users: 2,
      roster: [{ actor: 3, member: ana }],
      held: [{ actor: 3 }, { actor: 0, status: "idle", activeAt: 1_760_000_300_000, at: { x: 500, y: 65_535 } }],
    },
  ],
  [
    "joined, some of what was held is there",
    "server to client",
    {
      kind: "joined",
      boardId,
      board,
      self: 3,
      settling: true,
      members: 3,
      users: 3,
      roster: [{ actor: 3, member: ana }],
      held: [null, { actor: 4 }, null, { actor: 200, status: "reconnecting", joinedAt: 1_760_000_012_345 }],
    },
  ],
  ["roster", "server to client", { kind: "roster", board, roster: [{ actor: 0, member: ben, at: { x: 500, y: 65_535 } }] }],
  ["user_joined", "server to client", { kind: "user_joined", board, actor: 0, member: ben }],
  ["user_joined, with a cursor", "server to client", { kind: "user_joined", board, actor: 3, member: calmAna, at: { x: 500, y: 65_535 } }],
  [
    "user_updated, area",
    "server to client",
    { kind: "user_updated", board, actor: 3, patch: { status: "active", activeAt: null, area: "slide-4" } },
  ],
  ["user_updated", "server to client", { kind: "user_updated", board, actor: 3, patch: { status: "idle", state: { tool: null } } }],
  ["statuses", "server to client", { kind: "statuses", board, status: "active", actors: [0, 3, 200] }],
  [
    "statuses, of some who are away",
    "server to client",
    { kind: "statuses", board, status: "reconnecting", actors: [3, 0], activeAt: 1_760_000_300_000, afterMs: [0, 1500] },
  ],
  ["user_left", "server to client", { kind: "user_left", board, actor: 3, reason: "timeout" }],
  [
    "cursors",
    "server to client",
    {
      kind: "cursors",
      board,
      stamp: 51_966,
      moves: [
        { actor: 3, at: { x: 500, y: 65_535 } },
        { actor: 200, at: { x: -1, y: 70_000 } },
        { actor: 0, at: null },
      ],
    },
  ],
  [
    "cursors, with paths",
    "server to client",
    {
      kind: "cursors",
      board,
      stamp: 4660,
      moves: [
        { actor: 3, at: { x: 500, y: 65_535 } },
        { actor: 200, at: { x: -1, y: 70_000 } },
      ],
      paths: [
        { actor: 3, stamp: 51_966, earlier: [{ ms: 12, dx: -300, dy: -2 }] },
        { actor: 200, stamp: 7, earlier: [] },
      ],
    },
  ],
  ["presence_update", "server to client", { kind: "presence_update", board, members: 300, users: 2 }],
  ["presence_update, observed", "server to client", { kind: "presence_update", board, members: 1, users: 1, observed: true }],
  ["event", "server to client", { kind: "event", board, actor: 3, name: "reaction", data: { emoji: "🎉" } }],
  [
    "event of a member who was not introduced",
    "server to client",
    { kind: "event", board, actor: 3, name: "reaction", data: 7, member: calmAna },
  ],
  ["paged", "server to client", { kind: "paged", board, members: [calmAna, ben], more: true }],
  [
    "occupancy",
    "server to client",
    {
      kind: "occupancy",
      boards: [
        { board: boardId, members: 300, users: 2 },
        { board: "doc-43" as BoardId, members: 0, users: 0 },
      ],
    },
  ],
  ["announcement", "server to client", { kind: "announcement", text: "Back at noon" }],
  ["announcement, on one board", "server to client", { kind: "announcement", text: "Back at noon", board }],
  ["pace", "server to client", { kind: "pace", cursorMs: 50 }],
  ["degraded", "server to client", { kind: "degraded", on: true }],
  ["degraded, one board", "server to client", { kind: "degraded", on: true, board }],
  ["error", "server to client", { kind: "error", code: "superseded", message: "a newer join has this session", ref: "doc-42" }],
  ["error, about nothing in particular", "server to client", { kind: "error", code: "bad_message", message: "not a message" }],
  [
    "error, unknown message",
    "server to client",
    { kind: "error", code: "unknown_message", message: "this release of the service does not know this message", ref: "follow" },
  ],
  ["goodbye", "server to client", { kind: "goodbye", code: 4000, retryAfterMs: 250 }],
  ["token_expiring", "server to client", { kind: "token_expiring", expiresInMs: 60_000 }],
];

const classic: [name: string, Direction, ClassicMessage][] = [
  ["CursorUpdate", "client to server", { kind: "cursor_update", board: 42, x: 500, y: 65_535 }],
  ["CursorBroadcast", "server to client", { kind: "cursor_broadcast", board: 42, user: 1, x: 500, y: 65_535 }],
  ["Join", "client to server", { kind: "join", board: 42, username: "Ana" }],
  ["Join, nameless", "client to server", { kind: "join", board: 42, username: "" }],
  ["Leave", "client to server", { kind: "leave", board: 42 }],
  ["UserJoined", "server to client", { kind: "user_joined", board: 42, user: 1, username: "Bén", color: "#8a2be2" }],
  ["UserLeft", "server to client", { kind: "user_left", board: 42, user: 1 }],
  ["PresenceUpdate", "server to client", { kind: "presence_update", board: 42, count: 2 }],
  ["Heartbeat", "both", { kind: "heartbeat" }],
];

type Encoding = "presence.v2" | "presence.v2.json" | "classic";

const error = { kind: "error", code: "bad_message", message: "" } as const;
const join = { kind: "join", boardId, attempt: 1, username: "Ana", status: "active", state: {} } as const;
const alone = { kind: "joined", boardId, board, self: 0, settling: false, members: 1, users: 1, roster: [] } as const;
const stateOf = (text: string) => JSON.parse(text) as JsonObject;

/** Bytes in hex, or text; the side that receives them refuses them. */
const invalid: [why: string, Encoding, Direction, string][] = [
  ["empty", "presence.v2", "both", ""],
  ["type 0", "presence.v2", "both", "00"],
  ["a server's message sent by a client", "presence.v2", "client to server", "4a32"],
  ["a client's message sent by a server", "presence.v2", "server to client", "0307"],
  ["extra field with key 0", "presence.v2", "both", "080000"],
  ["extra field without a length", "presence.v2", "both", "0805"],
  ["extra field that is cut off", "presence.v2", "both", "080502aa"],
  ["extra fields in descending order", "presence.v2", "both", "0806000500"],
  ["extra field given twice", "presence.v2", "both", "0805000500"],
  ["extra field longer than its value", "presence.v2", "client to server", "050701020100"],
  ["extra field shorter than its value", "presence.v2", "client to server", "05070202027b7d"],
  ["extra field over its limit", "presence.v2", "server to client", hexOf({ ...error, ref: "r".repeat(129) })],
  ["field missing", "presence.v2", "client to server", "03"],
  ["varint not in its shortest form", "presence.v2", "client to server", "038700"],
  ["varint above 2^32 - 1", "presence.v2", "client to server", "038080808010"],
  ["coordinates on a hidden cursor", "presence.v2", "client to server", "04070101f4ffff"],
  ["hidden and wide", "presence.v2", "client to server", "040703"],
  ["wide although two bytes would do", "presence.v2", "client to server", "0407020000000100000002"],
  ["coordinate -2^31", "presence.v2", "client to server", "0407028000000000000002"],
  ["a place of a path at no time before", "presence.v2", "client to server", "04070001f4ffff0106cafe01000000"],
  ["a path of nine earlier places", "presence.v2", "client to server", `04070001f4ffff011e${"cafe09"}${"010202".repeat(9)}`],
  ["a path that ends too soon", "presence.v2", "server to client", "46071234010c01f4ffff010501 03cafe01".replace(" ", "")],
  ["half a cursor at the end", "presence.v2", "server to client", "46070000010c01f4"],
  ["more cursors promised than there are", "presence.v2", "server to client", "46070000020c01f4ffff"],
  ["username of 300 bytes", "presence.v2", "client to server", hexOf({ ...join, username: "é".repeat(150) })],
  ["username that is not UTF-8", "presence.v2", "client to server", "0206646f632d34320101ff00027b7d"],
  ["board id with a brace", "presence.v2", "client to server", hexOf({ ...join, boardId: "{42}" as BoardId })],
  ["status that only the service gives", "presence.v2", "client to server", hexOf({ ...join, status: "reconnecting" as never })],
  ["state over 4096 bytes", "presence.v2", "client to server", hexOf({ ...join, state: { text: "x".repeat(4090) } })],
  ["state that is no object", "presence.v2", "client to server", "05070203025b5d"],
  ["state with a __proto__ key", "presence.v2", "client to server", hexOf({ ...join, state: stateOf('{"a":{"__proto__":{}}}') })],
  [
    "state nested deeper than 32",
    "presence.v2",
    "client to server",
    hexOf({ ...join, state: stateOf(`${'{"a":'.repeat(32)}{}${"}".repeat(32)}`) }),
  ],
  [
    "member with half an extra field",
    "presence.v2",
    "server to client",
    `${hexOf({ kind: "user_joined", board, actor: 0, member: bare }).slice(0, -2)}0105`,
  ],
  [
    "more recipients than 32",
    "presence.v2",
    "client to server",
    hexOf({ kind: "broadcast", board, name: "wave", data: 1, userIds: Array(33).fill("u") }),
  ],
  ["more areas than 16", "presence.v2", "client to server", hexOf({ kind: "look", board, areas: Array(17).fill("a") })],
  ["empty userId", "presence.v2", "client to server", hexOf({ kind: "broadcast", board, name: "wave", data: 1, userIds: [""] })],
  [
    "member in an area without a name",
    "presence.v2",
    "server to client",
    `${hexOf({ kind: "user_joined", board, actor: 0, member: bare }).slice(0, -2)}03040100`,
  ],
  [
    "member since a time after 2109",
    "presence.v2",
    "server to client",
    // 2^42.
    `${hexOf({ kind: "user_joined", board, actor: 0, member: bare }).slice(0, -2)}090207808080808080`.concat("01"),
  ],
  ["area over 128 bytes", "presence.v2", "client to server", hexOf({ ...join, area: "a".repeat(129) })],
  ["more members promised than there are", "presence.v2", "server to client", "4206646f632d343207030002020a"],
  ["half a member that is held", "presence.v2", "client to server", `${hexOf(join)}030b${"00".repeat(11)}`],
  ["no actor below 0", "presence.v2", "server to client", `${hexOf(alone)}040103`],
  ["more to say of a member that is held, and nothing said", "presence.v2", "server to client", `${hexOf(alone)}04020200`],
  ["a member that is held, hidden", "presence.v2", "server to client", `${hexOf(alone)}0403024001`],
  ["watched board with a brace", "presence.v2", "client to server", hexOf({ kind: "watch", boards: ["{42}" as BoardId] })],
  ["more watched boards than 1000", "presence.v2", "client to server", hexOf({ kind: "watch", boards: Array(1001).fill("b") })],
  ["not JSON", "presence.v2.json", "both", '{"kind":'],
  ["no kind", "presence.v2.json", "both", "{}"],
  ["kind that is no text", "presence.v2.json", "both", '{"kind":8}'],
  ["board by number", "presence.v2.json", "client to server", '{"kind":"leave","board":7}'],
  ["coordinate beyond the limit", "presence.v2.json", "client to server", '{"kind":"cursor","board":"doc-42","x":2147483648,"y":1}'],
  ["coordinate that is text", "presence.v2.json", "client to server", '{"kind":"cursor","board":"doc-42","x":"0.5","y":1}'],
  [
    "a path without its stamp",
    "presence.v2.json",
    "client to server",
    '{"kind":"cursor","board":"doc-42","x":1,"y":2,"path":{"earlier":[]}}',
  ],
  ["one coordinate", "presence.v2.json", "client to server", '{"kind":"cursor","board":"doc-42","x":1}'],
  ["hidden at a place", "presence.v2.json", "client to server", '{"kind":"cursor","board":"doc-42","x":1,"y":2,"hidden":true}'],
  ["lone surrogate", "presence.v2.json", "client to server", '{"kind":"auth","token":"\\ud800"}'],
  ["prototype key in a field nobody reads", "presence.v2.json", "both", '{"kind":"heartbeat","a":{"constructor":1}}'],
  [
    "more recipients than 32",
    "presence.v2.json",
    "client to server",
    `{"kind":"broadcast","board":"doc-42","name":"n","data":1,"userIds":${JSON.stringify(Array(33).fill("u"))}}`,
  ],
  [
    "area over 128 bytes among others",
    "presence.v2.json",
    "client to server",
    `{"kind":"look","board":"doc-42","areas":["a","${"é".repeat(65)}"]}`,
  ],
  [
    "half a member that is held",
    "presence.v2.json",
    "client to server",
    `{"kind":"join","board":"doc-42","attempt":1,"username":"","status":"active","state":{},"held":"${"0".repeat(22)}"}`,
  ],
  ["number beyond range", "presence.v2.json", "client to server", '{"kind":"update","board":"doc-42","state":{"a":1e999}}'],
  ["empty", "classic", "both", ""],
  ["unknown type", "classic", "both", "09"],
  ["too short", "classic", "client to server", "01002a01f4ff"],
  ["too long", "classic", "both", "0800"],
  ["Join shorter than it says", "classic", "client to server", "03002a04416e61"],
  ["Join with a name over 32 bytes", "classic", "client to server", `03002a21${"61".repeat(33)}`],
  ["Join with a name that is not UTF-8", "classic", "client to server", "03002a01ff"],
];

/** Messages as a later release may send them, and the message that this release reads; none: it ignores the whole. */
const hexOfBytes = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const withoutEnd = (message: BinaryMessage) => hexOf(message).slice(0, -2);
const left = { kind: "user_left", board, actor: 3, reason: "left" } as const;
const update = { kind: "update", board, status: "active" } as const;
const refused = { kind: "error", code: "unknown", message: "" } as const;
const growth: [name: string, Direction, BinaryMessage | null, hex: string, json: string][] = [
  ...messages.map(([name, direction, message]): (typeof growth)[number] => [
    `${name}, with more fields`,
    direction,
    message,
    hexOfBytes(laterBinary(message)),
    laterJson(byId(message)),
  ]),
  [
    "user_joined, the example",
    "server to client",
    { kind: "user_joined", board, actor: 3, member: bare },
    `${withoutEnd({ kind: "user_joined", board, actor: 3, member: bare })}0509030102032800`,
    JSON.stringify({ ...JSON.parse(encodeJson(byId({ kind: "user_joined", board, actor: 3, member: bare }))), later: true }),
  ],
  ["a message of clients", "client to server", null, UNKNOWN_MESSAGES.client.hex, UNKNOWN_MESSAGES.client.json],
  ["a message of the service", "server to client", null, UNKNOWN_MESSAGES.service.hex, UNKNOWN_MESSAGES.service.json],
  ["a status", "client to server", update, `${withoutEnd(update)}09`, '{"kind":"update","board":"doc-42","status":"away"}'],
  [
    "a status of a member",
    "server to client",
    { kind: "user_joined", board, actor: 0, member: ana },
    hexOf({ kind: "user_joined", board, actor: 0, member: ana }).replace("1e6f5c00", "1e6f5ccf"),
    encodeJson(byId({ kind: "user_joined", board, actor: 0, member: ana })).replace('"active"', '"away"'),
  ],
  [
    "a kind of a member",
    "server to client",
    { kind: "user_joined", board, actor: 0, member: bare },
    `${withoutEnd({ kind: "user_joined", board, actor: 0, member: bare })}03010107`,
    encodeJson(byId({ kind: "user_joined", board, actor: 0, member: bare })).replace('"person"', '"robot"'),
  ],
  [
    "a reason of leaving",
    "server to client",
    left,
    `${withoutEnd(left)}09`,
    '{"kind":"user_left","board":"doc-42","actor":3,"reason":"moved"}',
  ],
  ["an error", "server to client", refused, "4cc800", '{"kind":"error","code":"too_quiet","message":""}'],
];

write(
  "messages",
  messages.map(([name, direction, message]) => ({ name, direction, message, hex: hexOf(message), json: encodeJson(byId(message)) })),
);
write(
  "classic",
  classic.map(([name, direction, message]) => ({ name, direction, message, hex: Buffer.from(encodeClassic(message)).toString("hex") })),
);
write(
  "growth",
  growth.map(([name, direction, message, hex, json]) => ({ name, direction, message, hex, json })),
);
write(
  "invalid",
  invalid.map(([why, encoding, direction, data]) => ({
    why,
    encoding,
    direction,
    [encoding === "presence.v2.json" ? "text" : "hex"]: data,
  })),
);

function hexOf(message: BinaryMessage): string {
  return Buffer.from(encodeBinary(message)).toString("hex");
}

/** The same message for the JSON encoding: there boards go by their id. */
function byId(message: BinaryMessage): BinaryMessage {
  return "board" in message ? { ...message, board: boardId } : message;
}

/** One vector a line. */
function write(name: string, vectors: readonly object[]): void {
  const lines = vectors.map((vector) => `  ${JSON.stringify(vector)}`);
  writeFileSync(new URL(`${name}.json`, import.meta.url), `[\n${lines.join(",\n")}\n]\n`);
}
