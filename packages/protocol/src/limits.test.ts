/**
 * Both encodings accept the same values, and give back what they accepted: around every limit, and for texts and numbers that change when
 * they are written again. So a message that was accepted in one encoding can be told in the other.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import fc, { type Arbitrary } from "fast-check";
import { clientMessages, serverMessages } from "../test/arbitraries.ts";
import { decodeClientBinary, decodeServerBinary, encodeBinary } from "./binary.ts";
import { utf8Bytes } from "./bytes.ts";
import type { BoardId, Json } from "./domain.ts";
import { decodeClientJson, decodeServerJson, encodeJson } from "./json.ts";
import * as limits from "./limits.ts";
import type { BinaryMessage } from "./messages.ts";

const around = (limit: number) => fc.integer({ min: -2, max: 2 }).map((more) => Math.max(0, limit + more));
const edges = (...of: number[]) => fc.oneof(fc.nat(300), ...of.map(around));

/** Texts of about so many bytes, of characters that UTF-8 and JSON write in one to six bytes, some of them with half a character. */
const texts: Arbitrary<string> = fc
  .tuple(
    edges(0, limits.EVENT_NAME_BYTES_MAX, limits.BOARD_ID_BYTES_MAX, limits.USERNAME_BYTES_MAX, limits.AVATAR_BYTES_MAX, 1024, 4096, 8192),
    fc.constantFrom("a", "é", "€", "🎉", '"', "\\", "\u0001", "\u2028", "\ufeff", "\u007f"),
    fc.oneof({ weight: 9, arbitrary: fc.constant("") }, { weight: 1, arbitrary: fc.constantFrom("\ud800", "\udc00\ud800", "\udfff") }),
  )
  .map(([bytes, character, half]) => {
    const count = Math.floor(bytes / utf8Bytes(character));
    return half + character.repeat(count) + "a".repeat(bytes - count * utf8Bytes(character));
  });

const numbers = edges(0, 127, 128, 0xffff, limits.ACTOR_MAX, 2 ** 31, limits.U32_MAX, 2 ** 53 - 3);

/** JSON as text, so that its numbers and strings may be spelled in any way. */
const item = fc.oneof(
  fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }).map(String),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -30, max: 400 })).map(([m, e]) => `${m}e${e}`),
  fc.integer({ min: 1, max: 22 }).map((count) => "9".repeat(count)),
  fc.constantFrom('"\\ud800"', '"\\udc00\\ud800"', '"\\u0001"', '"\\/"', '"\u2028"', '"🎉"', "-0", "null", "true", '{"__proto__":1}'),
  fc.constantFrom('{"toString":1}', '{"":{"":0}}', '{"constructor":1}', '[{"prototype":null}]'),
  around(limits.JSON_DEPTH_MAX - 1).map((depth) => "[".repeat(depth) + "]".repeat(depth)),
  around(limits.JSON_DEPTH_MAX - 2).map((depth) => `${'{"a":'.repeat(depth)}1${"}".repeat(depth)}`),
  fc.json({ maxDepth: 3 }),
);
const json: Arbitrary<Json> = fc
  .tuple(fc.array(item, { maxLength: 40 }), fc.integer({ min: -2, max: 2 }), fc.constantFrom(0, 4096, limits.PATCH_BYTES_MAX), fc.boolean())
  .map(([items, more, full, isObject]) => {
    const bare = isObject ? items.map((item, at) => `"${at}":${item}`) : items;
    const written = JSON.stringify(JSON.parse(isObject ? `{${bare}}` : `[${bare}]`));
    const padding = full + more - utf8Bytes(written) - (isObject ? '"pad":"",' : '"",').length + (items.length === 0 ? 1 : 0);
    const padded = padding > 0 ? [...bare, `${isObject ? '"pad":' : ""}"${"x".repeat(padding)}"`] : bare;
    return JSON.parse(isObject ? `{${padded}}` : `[${padded}]`);
  });

/** Fields whose bytes have one length, or that are chosen from a list. */
const FIXED = new Set([
  "kind",
  "board",
  "memberId",
  "resumeToken",
  "instanceId",
  "color",
  "status",
  "reason",
  "code",
  "at",
  "after",
  "held",
]);

/** The message with one of its fields, or of its member's, replaced by a candidate of the same type. */
function varied(message: BinaryMessage, nth: number, text: string, number: number, value: Json): BinaryMessage {
  const member = "member" in message ? message.member : undefined;
  const names = Object.keys(member ?? message).filter((name) => !FIXED.has(name));
  const name = names[nth % names.length];
  const fields: Record<string, unknown> = { ...(member ?? message) };
  if (name === undefined) return message;
  if (typeof fields[name] === "string") fields[name] = text;
  else if (typeof fields[name] === "number") fields[name] = number;
  else if (["state", "data", "patch"].includes(name)) fields[name] = value;
  return (member === undefined ? fields : { ...message, member: fields }) as BinaryMessage;
}

/** JSON has no place for −0: it is written as 0. */
const plain = (value: unknown): unknown => {
  if (Object.is(value, -0)) return 0;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(plain);
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]));
};
const isEqual = (a: unknown, b: unknown) => isDeepStrictEqual(plain(a), plain(b));

const sides: [string, { readonly [kind: string]: Arbitrary<BinaryMessage> }, typeof decodeServerBinary, typeof decodeServerJson][] = [
  ["client", clientMessages("number"), decodeClientBinary as typeof decodeServerBinary, decodeClientJson as typeof decodeServerJson],
  ["server", serverMessages("number"), decodeServerBinary, decodeServerJson],
];

for (const [side, byKind, readBinary, readJson] of sides) {
  for (const [kind, messages] of Object.entries(byKind)) {
    test(`${side} ${kind}: both encodings accept the same, and give back what they accepted`, () => {
      const outcomes = { accepted: 0, refused: 0 };
      fc.assert(
        fc.property(messages, fc.nat(), texts, numbers, json, (valid, nth, text, number, value) => {
          const message = varied(valid, nth, text, number, value);
          const boardId = ("boardId" in message ? message.boardId : "b") as BoardId;
          const named = "board" in message && message.board !== undefined ? { ...message, board: boardId } : message;
          const written = encodeJson(named as BinaryMessage);
          // A client's message may be too long in one encoding and not in the other.
          if (side === "client" && utf8Bytes(written) > limits.CLIENT_MESSAGE_BYTES_MAX) return;
          const bytes = encodeBinary(message);
          const isAccepted = isEqual(readBinary(bytes), message);
          assert.equal(isEqual(readJson(written), named), isAccepted);
          outcomes[isAccepted ? "accepted" : "refused"]++;
        }),
        { numRuns: 300 },
      );
      assert.ok(outcomes.accepted > 30, JSON.stringify(outcomes));
    });
  }
}

test("the largest values there are pass in both encodings, and no larger ones do", () => {
  const join = { kind: "join", boardId: "b" as BoardId, attempt: 1, username: "Ana", status: "active", state: {} } as const;
  const wave = { kind: "broadcast", board: "b" as BoardId, name: "wave", data: "d".repeat(4094) } as const;
  const accepts = (message: BinaryMessage) => {
    const numbered = message.kind === "broadcast" ? { ...message, board: 1 } : message;
    const isAccepted = isEqual(decodeClientBinary(encodeBinary(numbered)), numbered);
    assert.equal(isEqual(decodeClientJson(encodeJson(message)), message), isAccepted);
    return isAccepted;
  };
  const deep = (levels: number) => JSON.parse(`${'{"a":'.repeat(levels)}0${"}".repeat(levels)}`);
  const pairs: [BinaryMessage, BinaryMessage][] = [
    [
      { ...join, username: "🎉".repeat(64) },
      { ...join, username: `${"🎉".repeat(64)}a` },
    ],
    [
      { ...join, boardId: "b".repeat(128) as BoardId },
      { ...join, boardId: "b".repeat(129) as BoardId },
    ],
    [
      { ...join, attempt: limits.ATTEMPT_MAX },
      { ...join, attempt: limits.ATTEMPT_MAX + 1 },
    ],
    [
      { ...join, state: { a: "x".repeat(4096 - 8) } },
      { ...join, state: { a: "x".repeat(4096 - 7) } },
    ],
    [
      { ...join, state: { a: `${"\\".repeat(2044)}` } },
      { ...join, state: { a: `${"\\".repeat(2044)}x` } },
    ],
    [
      { ...join, state: deep(limits.JSON_DEPTH_MAX) },
      { ...join, state: deep(limits.JSON_DEPTH_MAX + 1) },
    ],
    [
      { kind: "hello", token: "t".repeat(8192) },
      { kind: "hello", token: "t".repeat(8193) },
    ],
    [
      { ...wave, memberIds: Array(32).fill("0".repeat(32)), userIds: Array(32).fill("u".repeat(128)) },
      { ...wave, memberIds: Array(33).fill("0".repeat(32)) },
    ],
    [
      { ...wave, userIds: ["u"] },
      { ...wave, userIds: [""] },
    ],
  ];
  for (const [largest, larger] of pairs) assert.deepEqual([accepts(largest), accepts(larger)], [true, false]);
});
