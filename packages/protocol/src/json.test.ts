import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import { clientMessages, damaged, serverMessages } from "../test/arbitraries.ts";
import { decodeClientJson, decodeServerJson, encodeJson } from "./json.ts";
import type { BinaryMessage } from "./messages.ts";

const directions: [string, { readonly [kind: string]: Arbitrary<BinaryMessage> }, (text: string) => BinaryMessage | undefined][] = [
  ["client", clientMessages("id"), decodeClientJson],
  ["server", serverMessages("id"), decodeServerJson],
];

for (const [direction, byKind, decode] of directions) {
  for (const [kind, messages] of Object.entries(byKind)) {
    test(`${direction} ${kind}: an encoded message is decoded to itself, and unknown fields are ignored`, () => {
      fc.assert(
        fc.property(messages, (message) => {
          const encoded = encodeJson(message);
          // The largest names and tokens may be longer in JSON than a client may send.
          if (direction === "client" && Buffer.byteLength(encoded) > 16_300) return;
          assert.deepEqual(decode(encoded), message);
          assert.deepEqual(decode(encoded.replace("{", '{"not yet":[{"invented":null}],')), message);
        }),
      );
    });
  }

  test(`${direction}: damaged messages and noise are refused or decode to a valid message, and never throw`, () => {
    const texts = fc.oneof(...Object.values(byKind)).map((message) => encodeJson(message));
    const broken = damaged(texts.map((text) => new TextEncoder().encode(text))).map((input) => Buffer.from(input).toString());
    const forged = fc.json().map((fields) => `{"kind":${JSON.stringify(Object.keys(byKind)[fields.length % 8])},"board":${fields}}`);
    fc.assert(
      fc.property(fc.oneof(broken, forged, fc.json(), fc.string()), (input) => {
        const message = decode(input);
        if (message === undefined) return;
        const again = encodeJson(message);
        const back = decode(again);
        assert.ok(back);
        assert.equal(encodeJson(back), again);
      }),
      { numRuns: 1000 },
    );
  });
}

test("fields that are missing, ill-typed or over their limit are refused", () => {
  const join = { kind: "join", board: "b", attempt: 1, username: "Ana", status: "active", state: {} };
  assert.ok(decodeClientJson(JSON.stringify(join)));
  const wrong: object[] = [
    { board: 7 },
    { board: "" },
    { board: "a b" },
    { board: "b".repeat(129) },
    { attempt: -1 },
    { attempt: 1.5 },
    { attempt: 2 ** 32 },
    { attempt: "1" },
    { username: "é".repeat(150) },
    { username: "\ud800" },
    { username: null },
    { status: "reconnecting" },
    { state: [] },
    { state: "{}" },
    { state: { text: "x".repeat(4096) } },
    { state: JSON.parse(`${'{"a":'.repeat(32)}{}${"}".repeat(32)}`) },
    { kind: "joined" },
    { kind: "toString" },
    { kind: "__proto__" },
    { kind: ["join"] },
  ];
  for (const fields of wrong)
    assert.equal(decodeClientJson(JSON.stringify({ ...join, ...fields })), undefined, JSON.stringify(fields).slice(0, 80));
  for (const field of Object.keys(join)) assert.equal(decodeClientJson(JSON.stringify({ ...join, [field]: undefined })), undefined, field);
});

test("keys that reach a prototype are refused anywhere, also in fields nobody reads", () => {
  for (const key of ["__proto__", "constructor", "prototype", "\\u005f_proto__"]) {
    assert.equal(decodeClientJson(`{"kind":"heartbeat","${key}":{}}`), undefined);
    assert.equal(decodeClientJson(`{"kind":"update","board":"b","state":{"a":[{"${key}":1}]}}`), undefined);
  }
});

test("clients send at most 16 KiB, counted in bytes", () => {
  const padded = (bytes: number, filler: string) => `{"kind":"heartbeat","pad":"${filler.repeat(bytes / Buffer.byteLength(filler))}"}`;
  assert.ok(decodeClientJson(padded(16_000, "é")));
  assert.equal(decodeClientJson(padded(17_000, "é")), undefined);
  assert.ok(decodeServerJson(padded(17_000, "é")));
  assert.equal(decodeClientJson("[".repeat(16_000)), undefined);
});

test("a cursor is at a place or hidden, not both and not half", () => {
  const at = (fields: object) => decodeClientJson(JSON.stringify({ kind: "cursor", board: "b", ...fields }));
  assert.deepEqual(at({ x: 1, y: -2 }), { kind: "cursor", board: "b", at: { x: 1, y: -2 } });
  assert.deepEqual(at({ x: 1, y: -0, hidden: false }), { kind: "cursor", board: "b", at: { x: 1, y: 0 } });
  assert.deepEqual(at({ hidden: true }), { kind: "cursor", board: "b", at: null });
  for (const wrong of [
    {},
    { x: 1 },
    { hidden: false },
    { hidden: true, x: 1, y: 1 },
    { hidden: 1 },
    { x: "0.5", y: 1 },
    { x: 2 ** 31, y: 1 },
    { x: -(2 ** 31), y: 1 },
  ]) {
    assert.equal(at(wrong), undefined, JSON.stringify(wrong));
  }
});

test("encoding a board given by its number throws, except in joined, which holds both", () => {
  assert.throws(() => encodeJson({ kind: "leave", board: 7 }), TypeError);
});
