import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isSafeJson, parseJson, Reader, utf8Bytes, Writer } from "./bytes.ts";
import { JSON_DEPTH_MAX } from "./limits.ts";

const reading = (...bytes: number[]) => new Reader(Uint8Array.of(...bytes));

test("a reader reads back all that a writer wrote, in any order of fields", () => {
  const field = fc.oneof(
    fc.record({ type: fc.constant("u8" as const), value: fc.integer({ min: 0, max: 0xff }) }),
    fc.record({ type: fc.constant("u16" as const), value: fc.integer({ min: 0, max: 0xffff }) }),
    fc.record({ type: fc.constant("u32" as const), value: fc.integer({ min: 0, max: 0xffff_ffff }) }),
    fc.record({ type: fc.constant("i32" as const), value: fc.integer() }),
    fc.record({ type: fc.constant("varint" as const), value: fc.maxSafeNat() }),
    fc.record({ type: fc.constant("string" as const), value: fc.string({ unit: "binary", maxLength: 300 }) }),
  );
  const writer = new Writer(1);
  fc.assert(
    fc.property(fc.array(field), (fields) => {
      writer.reset();
      for (const { type, value } of fields) type === "string" ? writer.string(value) : writer[type](value);
      const reader = new Reader(writer.finish());
      for (const { type, value } of fields) assert.equal(type === "string" ? reader.string(1200) : reader[type](), value);
      assert.ok(reader.done);
    }),
  );
});

test("varints have one form, their shortest, and end at 2^53 - 1", () => {
  const forms: [number, string][] = [
    [0, "00"],
    [127, "7f"],
    [128, "8001"],
    [300, "ac02"],
    [0xffff_ffff, "ffffffff0f"],
    [Number.MAX_SAFE_INTEGER, "ffffffffffffff0f"],
  ];
  for (const [value, hex] of forms) {
    assert.equal(Buffer.from(new Writer().varint(value).finish()).toString("hex"), hex);
    const reader = new Reader(Buffer.from(hex, "hex"));
    assert.equal(reader.varint(), value);
    assert.ok(reader.done);
  }
  for (const hex of ["8000", "ff00", "ffffffffffffff1f", "ffffffffffffffff01", "80", ""]) {
    const reader = new Reader(Buffer.from(hex, "hex"));
    assert.equal(reader.varint(), 0, hex);
    assert.ok(reader.failed, hex);
  }
  assert.ok(reading(0x80, 0x01).varint(127) === 0);
  for (const value of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => new Writer().varint(value), RangeError);
});

test("after a failure everything reads as zero and empty, and nothing throws", () => {
  const reader = reading(1, 2, 3);
  assert.equal(reader.u32(), 0x0102_0300);
  assert.ok(reader.failed);
  assert.deepEqual([reader.u8(), reader.u16(), reader.i32(), reader.varint(), reader.string(9), reader.hex(2)], [0, 0, 0, 0, "", ""]);
  assert.equal(reader.json(9), null);
  assert.equal(reader.bytes(1).length, 0);
  assert.equal(reader.remaining, 0);
  assert.ok(!reader.done);
  assert.ok(reader.reset(Uint8Array.of()).done);
});

test("strings are valid UTF-8 within their limit, and a byte order mark is a character like others", () => {
  assert.equal(reading(2, 0xc3, 0xa9).string(2), "é");
  assert.equal(reading(3, 0xef, 0xbb, 0xbf).string(3), "\ufeff");
  for (const bytes of [
    [3, 0x61, 0x62, 0x63], // longer than allowed below
    [1, 0xff],
    [2, 0xc0, 0x80], // overlong
    [3, 0xed, 0xa0, 0x80], // surrogate
    [2, 0x61], // cut off
  ]) {
    const reader = reading(...bytes);
    assert.equal(reader.string(2), "");
    assert.ok(reader.failed);
  }
});

test("a string's length is right also where its varint is longer than guessed", () => {
  for (const count of [0, 1, 42, 43, 63, 64, 100, 127, 128, 5461, 5462, 8191, 8192, 16_384]) {
    for (const character of ["a", "é", "€", "🎉"]) {
      const value = character.repeat(count);
      const reader = new Reader(new Writer(8).u8(7).string(value).u8(9).finish());
      assert.deepEqual([reader.u8(), reader.string(1 << 17), reader.u8(), reader.done], [7, value, 9, true]);
    }
  }
});

test("what was written after its length is read within it, whatever the length, and no byte more or less", () => {
  for (const count of [0, 1, 126, 127, 128, 129, 16_383, 16_384, 70_000]) {
    const written = new Writer(8)
      .u8(7)
      .sized((to) => to.u8(1).sized((inner) => inner.bytes(new Uint8Array(count).fill(count))))
      .u8(9)
      .finish();
    const reader = new Reader(written);
    assert.equal(reader.u8(), 7);
    const inner = reader.within(reader.varint(), (from) => [from.u8(), from.within(from.varint(), (deep) => deep.bytes(count).at(-1))]);
    assert.deepEqual([inner, reader.u8(), reader.done], [[1, count === 0 ? undefined : count & 0xff], 9, true]);
  }
  for (const [length, take] of [
    [3, 2],
    [2, 3],
    [9, 3],
  ] as const) {
    const reader = reading(1, 2, 3, 4);
    reader.within(length, (from) => from.bytes(take));
    assert.ok(reader.failed, `${take} bytes of ${length}`);
    assert.equal(reader.u8(), 0);
  }
});

test("finish gives a copy that later writing does not touch", () => {
  const writer = new Writer(4).u8(1);
  const first = writer.finish();
  assert.equal(writer.length, 1);
  writer.reset().u8(2);
  assert.deepEqual([...first], [1]);
});

test("bytes of any length are read as hex digits", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      assert.equal(new Reader(bytes).hex(bytes.length), Buffer.from(bytes).toString("hex"));
      assert.equal(new Reader(bytes).hex(bytes.length + 1), "");
    }),
  );
});

test("hex takes ids, colours and UUIDs and throws on anything else", () => {
  assert.deepEqual([...new Writer().hex("00ff7a", 3).finish()], [0, 255, 122]);
  assert.equal(new Writer().hex("3f1c9d2e-7a54-4c1b-9e0d-5b6a7c8d9e0f", 16).finish().length, 16);
  for (const digits of ["", "00", "zz", "0x", "0000"])
    assert.throws(() => new Writer().hex(digits.padEnd(digits === "0000" ? 4 : 0), 1 + (digits === "00" ? 1 : 0)), RangeError);
});

test("JSON that is too deep is refused before it is parsed; keys that reach prototypes are refused, also in escaped spelling", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.ok(parseJson(nested(JSON_DEPTH_MAX)) !== undefined);
  assert.equal(parseJson(nested(JSON_DEPTH_MAX + 1)), undefined);
  assert.equal(parseJson("[".repeat(1_000_000)), undefined);
  assert.deepEqual(parseJson(`["[[[[\\"${"[".repeat(99)}", {}]`), [`[[[["${"[".repeat(99)}`, {}]);
  for (const key of ["__proto__", "constructor", "prototype", "\\u005f_proto__", "c\\u006fnstructor"]) {
    assert.equal(parseJson(`{"a":[{"${key}":1}]}`), undefined, key);
  }
  assert.deepEqual(parseJson('["__proto__",{"toString":1}]'), ["__proto__", { toString: 1 }]);
  for (const text of ["", "{", "undefined", "NaN", "[1,]", "1e999", "[-1e999]"]) assert.equal(parseJson(text), undefined, text);
  assert.equal(isSafeJson([[[]]], 2), false);
});

test("JSON that grows when it is written again is measured as written", () => {
  const refuses = (text: string, bytesMax = utf8Bytes(text)) => {
    const reader = new Reader(new Writer().string(text).finish());
    reader.json(bytesMax);
    return reader.failed;
  };
  for (const number of ["1e20", "-1e20", "1e-6", "9999999999999999", "99999999999999999", "-99999999999999999999"]) {
    const growing = `[${Array(100).fill(number).join(",")}]`;
    const written = utf8Bytes(JSON.stringify(JSON.parse(growing)));
    assert.ok(written > utf8Bytes(growing), number);
    assert.ok(refuses(growing) && refuses(growing, written - 1) && !refuses(growing, written), number);
  }
  // A number alone, too: the shortest text that grows over its limit.
  assert.ok(refuses("1e20") && refuses("1e20", 20) && !refuses("1e20", 21));
});

test("a value that was read within a limit is written within it, and can be read again", () => {
  const digits = fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }).map(String);
  const exponents = fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -30, max: 30 })).map(([m, e]) => `${m}e${e}`);
  const nines = fc.integer({ min: 1, max: 22 }).map((count) => "9".repeat(count));
  const escapes = fc.constantFrom('"\\ud800"', '"\\udc00\\ud800"', '"\\u0001"', '"\\/"', '"\u2028"', '"\ufeff"', '"🎉"', "-0", "[[[]]]");
  const item = fc.oneof(digits, exponents, nines, escapes, fc.json({ maxDepth: 3 }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 300 }), fc.integer({ min: -30, max: 30 }), (items, slack) => {
      const text = `[${items.join(",")}]`;
      const bytesMax = Math.max(0, utf8Bytes(text) + slack);
      const reader = new Reader(new Writer().string(text).finish());
      const value = reader.json(bytesMax);
      if (reader.failed) return;
      const again = new Reader(new Writer().json(value).finish());
      assert.deepEqual([JSON.stringify(again.json(bytesMax)), again.done], [JSON.stringify(value), true]);
    }),
    { numRuns: 500 },
  );
});
