/** For a refused message of a known kind the mistake is named; for a message that no client sends it is not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyOf, clientMessages, damaged } from "../test/arbitraries.ts";
import { decodeClientBinary, encodeBinary } from "./binary.ts";
import { decodeClientJson, encodeJson } from "./json.ts";
import { isSentByClients, MESSAGE_FIELDS } from "./message-fields.ts";
import { type Mistake, mistakeInBinary, mistakeInJson } from "./mistakes.ts";

function named(mistake: ReturnType<typeof mistakeInJson>): Mistake | undefined {
  return mistake !== undefined && "field" in mistake ? mistake : undefined;
}

const join = { kind: "join", board: "doc-42", attempt: 1, username: "Ana", status: "active", state: {} };

for (const [field, message] of [
  ["x", { kind: "cursor", board: "doc-42", x: 1e12, y: 1 }],
  ["y", { kind: "cursor", board: "doc-42", x: 1, y: "1" }],
  ["y", { kind: "cursor", board: "doc-42", x: 1 }],
  ["at", { kind: "cursor", board: "doc-42" }],
  ["board", { kind: "leave", board: 7 }],
  ["board", { ...join, board: "{42}" }],
  ["attempt", { ...join, attempt: 1.5 }],
  ["username", { ...join, username: null }],
  ["username", { ...join, username: "é".repeat(129) }],
  ["status", { ...join, status: "reconnecting" }],
  ["state", { ...join, state: [] }],
  ["observe", { ...join, observe: 1 }],
  ["name", { kind: "broadcast", board: "doc-42", name: "n".repeat(65), data: 1 }],
  ["data", { kind: "broadcast", board: "doc-42", name: "n" }],
  ["memberIds", { kind: "broadcast", board: "doc-42", name: "n", data: 1, memberIds: ["ana"] }],
  ["userIds", { kind: "broadcast", board: "doc-42", name: "n", data: 1, userIds: "u-7" }],
  ["token", { kind: "auth", token: 7 }],
  ["resumeToken", { kind: "hello", resumeToken: "short" }],
] as const) {
  test(`JSON: ${field} of ${JSON.stringify(message).slice(0, 60)}`, () => {
    assert.equal(decodeClientJson(JSON.stringify(message)), undefined);
    const mistake = named(mistakeInJson(JSON.stringify(message)));
    assert.deepEqual([mistake?.kind, mistake?.field], [message.kind, field]);
    assert.match(mistake?.limit ?? "", /^must be /);
    assert.equal(mistake?.board, "board" in message && message.board === "doc-42" ? "doc-42" : undefined);
  });
}

for (const [kind, field, board, hex] of [
  ["leave", "board", undefined, "03"],
  ["leave", "extra fields", 7, "030700"],
  ["hello", "token", undefined, "01010402ff"],
  ["hello", "extra fields", undefined, "010903"],
  ["cursor", "at", 7, "040703"],
  ["cursor", "extra fields", 7, "04070101f4ffff"],
  ["join", "boardId", undefined, "02047b34327d0103416e6100027b7d"],
  ["join", "username", "doc-42", "0206646f632d34320101ff00027b7d"],
  ["update", "state", 7, "05070203025b5d"],
  ["update", "status", 7, "0507010102"],
  ["update", "status", 7, "050701020100"],
  ["update", "extra fields", 7, "05070203027b7d010100"],
  ["broadcast", "userIds", 7, "0607016e013102020100"],
  ["heartbeat", "extra fields", undefined, "0800"],
] as const) {
  test(`binary: ${field} of ${kind}`, () => {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    assert.equal(decodeClientBinary(bytes), undefined);
    const mistake = named(mistakeInBinary(bytes));
    assert.deepEqual([mistake?.kind, mistake?.field, mistake?.board], [kind, field, board]);
    assert.match(mistake?.limit ?? "", /must /);
  });
}

test("what no client of any release sends has no field to name", () => {
  for (const text of ["", "{", "[]", "{}", '{"kind":7}', "é"]) assert.equal(mistakeInJson(text), undefined, text);
  for (const hex of ["", "00", "0001", "40", "4a32", "ff"])
    assert.equal(mistakeInBinary(new Uint8Array(Buffer.from(hex, "hex"))), undefined, hex);
});

test("a message of a later release is told from what is no message, and named where it has a name", () => {
  for (const kind of ["follow", "toString", "welcome", "k".repeat(128), ""])
    assert.deepEqual(mistakeInJson(JSON.stringify({ kind, later: [1] })), { unknown: kind });
  for (const kind of ["k".repeat(129), "\ud800"]) assert.deepEqual(mistakeInJson(JSON.stringify({ kind })), { unknown: undefined });
  for (const hex of ["3e", "3f", "20ff00"])
    assert.deepEqual(mistakeInBinary(new Uint8Array(Buffer.from(hex, "hex"))), { unknown: undefined }, hex);
});

test("an accepted message has no mistake, and a damaged one of a known type names a field", () => {
  fc.assert(
    fc.property(anyOf(clientMessages("id")), (message) => {
      assert.equal(mistakeInJson(encodeJson(message)), undefined);
    }),
  );
  fc.assert(
    fc.property(damaged(anyOf(clientMessages("number")).map(encodeBinary)), (bytes) => {
      const isKnown = Object.values(MESSAGE_FIELDS).some((fields) => isSentByClients(fields) && fields.tag === bytes[0]);
      assert.equal(named(mistakeInBinary(bytes)) !== undefined, isKnown && decodeClientBinary(bytes) === undefined);
    }),
    { numRuns: 1000 },
  );
});

test("JSON: fractional coordinates are rounded, as everywhere else", () => {
  const cursor = decodeClientJson('{"kind":"cursor","board":"doc-42","x":0.5,"y":-0.4}');
  assert.deepEqual(cursor, { kind: "cursor", board: "doc-42", at: { x: 1, y: 0 } });
});
