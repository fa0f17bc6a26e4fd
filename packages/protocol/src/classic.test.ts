import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { anyOf, classicMessages, damaged } from "../test/arbitraries.ts";
import { classicName, decodeClassic, encodeClassic, readClassicCursor, writeClassicCursor } from "./classic.ts";

const bytes = (digits: string) => new Uint8Array(Buffer.from(digits.replaceAll(" ", ""), "hex"));

for (const [kind, messages] of Object.entries(classicMessages)) {
  test(`classic ${kind}: an encoded message is decoded to itself; any other length is refused`, () => {
    fc.assert(
      fc.property(messages, fc.nat(), (message, cut) => {
        const encoded = encodeClassic(message);
        assert.deepEqual(decodeClassic(encoded), message);
        assert.equal(decodeClassic(Uint8Array.of(...encoded, 0)), undefined);
        assert.equal(decodeClassic(encoded.subarray(0, cut % encoded.length)), undefined);
      }),
    );
  });
}

test("damaged classic messages and noise are refused or decode to a valid message, and never throw", () => {
  const broken = damaged(anyOf(classicMessages).map((message) => encodeClassic(message)));
  fc.assert(
    fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 48 })), (input) => {
      const message = decodeClassic(input);
      if (message) assert.deepEqual(encodeClassic(message), input);
    }),
    { numRuns: 1000 },
  );
});

test("names we send are cut at a code point to 32 bytes", () => {
  assert.equal(classicName("a".repeat(33)).length, 32);
  assert.equal(Buffer.from(classicName(`${"a".repeat(31)}é`)).toString(), "a".repeat(31));
  assert.equal(Buffer.from(classicName(`${"a".repeat(30)}🎉`)).toString(), "a".repeat(30));
  assert.equal(Buffer.from(classicName("🎉".repeat(9))).toString(), "🎉".repeat(8));
});

test("a Join whose name claims more than 32 bytes, or another length than it has, is refused", () => {
  assert.equal(decodeClassic(bytes(`03 002a 21 ${"61".repeat(33)}`)), undefined);
  assert.equal(decodeClassic(bytes("03 002a 04 416e61")), undefined);
  assert.equal(decodeClassic(bytes("03 002a 02 416e61")), undefined);
  assert.deepEqual(decodeClassic(bytes("03 002a 00")), { kind: "join", board: 42, username: "" });
});

test("cursors are read and written in place as they are decoded and encoded", () => {
  const into = { board: 1, x: 2, y: 3 };
  assert.equal(readClassicCursor(bytes("01 0102 0304 05"), into), false);
  assert.equal(readClassicCursor(bytes("02 0102 0304 0506"), into), false);
  assert.deepEqual(into, { board: 1, x: 2, y: 3 });
  assert.equal(readClassicCursor(bytes("01 0102 0304 ffff"), into), true);
  assert.deepEqual(into, { board: 0x0102, x: 0x0304, y: 0xffff });

  const to = new Uint8Array(10);
  assert.equal(writeClassicCursor(to, 1, 0x0102, 9, -5, 70_000), 9);
  assert.deepEqual(to, bytes("00 02 0102 09 0000 ffff 00"));
});
