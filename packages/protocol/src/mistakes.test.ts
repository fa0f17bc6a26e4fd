/** For a refused message of a known kind the mistake is named; for a message that no client sends it is not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyOf, clientMessages, damaged } from "../test/arbitraries.ts";
import { decodeClientBinary, encodeBinary } from "./binary.ts";
import { decodeClientJson, encodeJson } from "./json.ts";
import { mistakeInBinary, mistakeInJson } from "./mistakes.ts";

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
  ["name", { kind: "broadcast", board: "doc-42", name: "n".repeat(65), data: 1 }],
  ["data", { kind: "broadcast", board: "doc-42", name: "n" }],
  ["token", { kind: "auth", token: 7 }],
  ["resumeToken", { kind: "hello", resumeToken: "short" }],
] as const) {
  test(`JSON: ${field} of ${JSON.stringify(message).slice(0, 60)}`, () => {
    assert.equal(decodeClientJson(JSON.stringify(message)), undefined);
    const mistake = mistakeInJson(JSON.stringify(message));
    assert.deepEqual([mistake?.kind, mistake?.field], [message.kind, field]);
    assert.match(mistake?.limit ?? "", /^must be /);
    assert.equal(mistake?.board, "board" in message && message.board === "doc-42" ? "doc-42" : undefined);
  });
}

for (const [kind, field, board, hex] of [
  ["leave", "board", undefined, "03"],
  ["leave", "end", 7, "030700"],
  ["hello", "flags", undefined, "0104"],
  ["cursor", "at", 7, "040703"],
  ["cursor", "end", 7, "04070101f4ffff"],
  ["join", "boardId", undefined, "02047b34327d0103416e6100027b7d"],
  ["join", "username", "doc-42", "0206646f632d34320101ff00027b7d"],
  ["update", "state", 7, "050702025b5d"],
  ["heartbeat", "end", undefined, "0800"],
] as const) {
  test(`binary: ${field} of ${kind}`, () => {
    const bytes = new Uint8Array(Buffer.from(hex, "hex"));
    assert.equal(decodeClientBinary(bytes), undefined);
    const mistake = mistakeInBinary(bytes);
    assert.deepEqual([mistake?.kind, mistake?.field, mistake?.board], [kind, field, board]);
    assert.match(mistake?.limit ?? "", /^must /);
  });
}

test("input that is not a client's message has no field to name", () => {
  for (const text of ["", "{", "[]", "{}", '{"kind":"toString"}', '{"kind":"welcome"}', "é"])
    assert.equal(mistakeInJson(text), undefined, text);
  for (const hex of ["", "3f", "4a32", "ff"]) assert.equal(mistakeInBinary(new Uint8Array(Buffer.from(hex, "hex"))), undefined, hex);
});

test("an accepted message has no mistake, and a damaged one of a known type names a field", () => {
  fc.assert(
    fc.property(anyOf(clientMessages("id")), (message) => {
      assert.equal(mistakeInJson(encodeJson(message)), undefined);
    }),
  );
  fc.assert(
    fc.property(damaged(anyOf(clientMessages("number")).map(encodeBinary)), (bytes) => {
      const isKnown = bytes[0] !== undefined && bytes[0] >= 1 && bytes[0] <= 8;
      assert.equal(mistakeInBinary(bytes) !== undefined, isKnown && decodeClientBinary(bytes) === undefined);
    }),
    { numRuns: 1000 },
  );
});

test("JSON: fractional coordinates are rounded, as everywhere else", () => {
  const cursor = decodeClientJson('{"kind":"cursor","board":"doc-42","x":0.5,"y":-0.4}');
  assert.deepEqual(cursor, { kind: "cursor", board: "doc-42", at: { x: 1, y: 0 } });
});
