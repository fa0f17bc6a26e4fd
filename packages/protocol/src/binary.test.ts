import assert from "node:assert/strict";
import { test } from "node:test";
import fc, { type Arbitrary } from "fast-check";
import { actor, clientMessages, damaged, member, point, serverMessages, u32 } from "../test/arbitraries.ts";
import {
  type CursorInput,
  decodeClientBinary,
  decodeCursors,
  decodeServerBinary,
  encodeBinary,
  encodeCursors,
  readCursor,
  stampOf,
} from "./binary.ts";
import { Reader, Writer } from "./bytes.ts";
import type { BoardId, JsonObject } from "./domain.ts";
import { ACTOR_MAX, COORDINATE_MAX } from "./limits.ts";
import { MESSAGE_FIELDS } from "./message-fields.ts";
import type { BinaryMessage } from "./messages.ts";
import { coordinate, HIDDEN, readMoves, writeMoves } from "./moves.ts";
import { readMember } from "./reading.ts";
import { writeMember } from "./writing.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const bytes = (digits: string) => new Uint8Array(Buffer.from(digits.replaceAll(" ", ""), "hex"));

const directions: [string, { readonly [kind: string]: Arbitrary<BinaryMessage> }, (bytes: Uint8Array) => BinaryMessage | undefined][] = [
  ["client", clientMessages("number"), decodeClientBinary],
  ["server", serverMessages("number"), decodeServerBinary],
];

const optionalOf = (kind: string) => MESSAGE_FIELDS[kind as BinaryMessage["kind"]].body.extra.map(([name]) => name);

for (const [direction, byKind, decode] of directions) {
  for (const [kind, messages] of Object.entries(byKind)) {
    test(`${direction} ${kind}: random messages have all optional fields, and lack them`, () => {
      const samples = fc.sample(messages, 200);
      for (const name of optionalOf(kind)) {
        const having = samples.filter((message) => name in message).length;
        assert.ok(having > 0 && having < samples.length, `${name}: test/arbitraries.ts should make it optional`);
      }
    });

    test(`${direction} ${kind}: an encoded message is decoded to itself; a shorter or longer one is refused or lacks only optional fields`, () => {
      fc.assert(
        fc.property(messages, fc.nat(), (message, cut) => {
          const encoded = encodeBinary(message);
          assert.deepEqual(decode(encoded), message);
          assert.equal(decode(Uint8Array.of(...encoded, 0)), undefined);
          // Without an extra field at its end a message is whole, too.
          const shorter = decode(encoded.subarray(0, cut % encoded.length));
          if (shorter !== undefined) assert.deepEqual({ ...message, ...shorter }, message);
          const isOptional = (name: string) => shorter !== undefined && !(name in shorter);
          const lacks = Object.keys(message).filter(isOptional);
          assert.deepEqual([lacks.filter((name) => !optionalOf(kind).includes(name)), shorter !== undefined], [[], lacks.length > 0]);
        }),
      );
    });
  }

  test(`${direction}: damaged messages and noise are refused or decode to a valid message, and never throw`, () => {
    const broken = damaged(fc.oneof(...Object.values(byKind)).map((message) => encodeBinary(message)));
    fc.assert(
      fc.property(fc.oneof(broken, fc.uint8Array({ maxLength: 64 })), (input) => {
        const message = decode(input);
        if (message === undefined) return;
        // An accepted message can be sent on: our own bytes for it are accepted too, and encoding them again gives the same bytes.
        const again = encodeBinary(message);
        const back = decode(again);
        assert.ok(back);
        assert.equal(hex(encodeBinary(back)), hex(again));
      }),
      { numRuns: 1000 },
    );
  });
}

test("each direction refuses the other's messages, except the heartbeat, which both send", () => {
  assert.equal(decodeServerBinary(encodeBinary({ kind: "leave", board: 1 })), undefined);
  assert.equal(decodeClientBinary(encodeBinary({ kind: "pace", cursorMs: 1 })), undefined);
  assert.deepEqual(decodeServerBinary(bytes("08")), { kind: "heartbeat" });
  assert.deepEqual(decodeClientBinary(bytes("08")), { kind: "heartbeat" });
  for (let tag = 0; tag < 256; tag++) assert.equal(decodeClientBinary(Uint8Array.of(tag, 0xff, 0xff)), undefined);
});

test("encoding a board given by its id throws", () => {
  assert.throws(() => encodeBinary({ kind: "leave", board: "42" as BoardId }), TypeError);
});

test("a claimed count allocates nothing: work is bounded by the bytes received", () => {
  // joined: board "a" is 1, self 0, not settling, no members, and 2^32 - 1 roster entries that do not follow.
  assert.equal(decodeServerBinary(bytes("42 01 61 01 00 00 00 00 ff ff ff ff 0f")), undefined);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (input) => {
      const moves = readMoves(new Reader(input));
      assert.ok(moves === undefined || moves.length / 3 <= input.length);
    }),
  );
});

test("fields over their limit are refused", () => {
  const join = { kind: "join", boardId: "b" as BoardId, attempt: 1, username: "Ana", status: "active", state: {} } as const;
  const over: BinaryMessage[] = [
    { ...join, username: "é".repeat(150) },
    { ...join, boardId: "b".repeat(129) as BoardId },
    { ...join, boardId: "" as BoardId },
    { ...join, boardId: "a{b}" as BoardId },
    { ...join, attempt: 2 ** 32 },
    { ...join, state: { text: "x".repeat(4096) } },
    { ...join, state: [] as never },
    { ...join, state: null as never },
    { ...join, state: JSON.parse('{"a":{"__proto__":{"isAdmin":true}}}') as JsonObject },
    { ...join, state: JSON.parse(`${'{"a":'.repeat(32)}{}${"}".repeat(32)}`) as JsonObject },
    { ...join, status: "reconnecting" as never },
    { kind: "hello", token: "t".repeat(8193) },
    { kind: "auth", token: "t".repeat(8193) },
    { kind: "leave", board: 2 ** 32 },
    { kind: "broadcast", board: 1, name: "n".repeat(65), data: 1 },
    { kind: "broadcast", board: 1, name: "n", data: "d".repeat(4095) },
    { kind: "update", board: 1, state: { constructor: 1 } as never },
  ];
  for (const message of over) assert.equal(decodeClientBinary(encodeBinary(message)), undefined, JSON.stringify(message).slice(0, 100));
  assert.deepEqual(decodeClientBinary(encodeBinary({ ...join, username: "é".repeat(128) })), { ...join, username: "é".repeat(128) });
  assert.equal(({} as { isAdmin?: boolean }).isAdmin, undefined);
});

test("a cursor has one form: hidden carries no coordinates, and four bytes only where two do not do", () => {
  assert.equal(hex(encodeBinary({ kind: "cursor", board: 7, at: { x: 500, y: 65_535 } })), "04070001f4ffff");
  assert.equal(hex(encodeBinary({ kind: "cursor", board: 7, at: { x: -1, y: 2 } })), "040702ffffffff00000002");
  assert.equal(hex(encodeBinary({ kind: "cursor", board: 7, at: null })), "040701");
  for (const wrong of [
    "040703", // hidden and wide
    "040704 0001 0002", // an actor, which a client's cursor does not have
    "040702 00000001 00000002", // fits into two bytes each
    "040702 80000000 00000002", // the value that means hidden
    "040701 0001 0002",
    "0407 00 0001",
  ]) {
    assert.equal(decodeClientBinary(bytes(wrong)), undefined, wrong);
    assert.equal(readCursor(bytes(wrong), { board: 0, x: 0, y: 0 }), false, wrong);
  }
});

const flatMoves = fc
  .array(fc.tuple(actor, fc.option(point)), { maxLength: 30 })
  .map((moves) => moves.flatMap(([number, at]) => (at ? [number, at.x, at.y] : [number, HIDDEN, 0])));

test("flat moves travel like cursor objects, and cost 5 bytes for the first 32 actors", () => {
  fc.assert(
    fc.property(u32, fc.integer({ min: 0, max: 0xffff }), flatMoves, (board, stamp, flat) => {
      const encoded = encodeCursors(board, stamp, flat);
      assert.deepEqual(decodeCursors(encoded), { board, stamp, moves: flat });
      const message = decodeServerBinary(encoded);
      assert.ok(message?.kind === "cursors");
      assert.equal(message.stamp, stamp);
      assert.deepEqual(
        message.moves.flatMap(({ actor, at }) => (at ? [actor, at.x, at.y] : [actor, HIDDEN, 0])),
        flat,
      );
      const writer = new Writer();
      writeMoves(writer, flat);
      assert.deepEqual(readMoves(new Reader(writer.finish())), flat);
    }),
  );
  assert.equal(encodeCursors(7, 0, [31, 0, 0, 31, 65_535, 65_535]).length, 5 + 2 * 5);
  assert.equal(encodeCursors(7, 0, [4095, 0, 0]).length, 5 + 6);
  assert.equal(encodeCursors(7, 0, [ACTOR_MAX, HIDDEN, 0]).length, 5 + 5);
  assert.equal(decodeCursors(encodeBinary({ kind: "heartbeat" })), undefined);
  assert.deepEqual(decodeCursors(bytes("46 07 ffff 01 0c 0001 0002")), { board: 7, stamp: 65_535, moves: [3, 1, 2] });
  for (const wrong of ["46 07 ffff 01 0c 0001", "46 07 ffff 02 0c 0001 0002", "46 07 ffff 01 0c 0001 0002 00", "46 07 ffff"])
    assert.equal(decodeCursors(bytes(wrong)), undefined, wrong);
});

test("readCursor agrees with the decoder on any bytes", () => {
  const into: CursorInput = { board: 0, x: 0, y: 0 };
  const cursors = clientMessages("number").cursor.map((message) => encodeBinary(message));
  fc.assert(
    fc.property(fc.oneof(cursors, damaged(cursors)), (input) => {
      const message = decodeClientBinary(input);
      const expected = message?.kind === "cursor" && {
        board: message.board,
        x: message.at?.x ?? HIDDEN,
        y: message.at?.y ?? 0,
        path: message.path,
      };
      // A longer one pays for its length.
      assert.deepEqual(readCursor(input, into) && { ...into }, input.length <= 64 && expected);
    }),
  );
});

test("coordinates are rounded and clamped when they are encoded", () => {
  assert.deepEqual([1.5, -1.4, 2 ** 40, -(2 ** 40), Number.NaN, Number.NEGATIVE_INFINITY, -0.2].map(coordinate), [
    2,
    -1,
    COORDINATE_MAX,
    -COORDINATE_MAX,
    0,
    -COORDINATE_MAX,
    0,
  ]);
  assert.deepEqual(decodeCursors(encodeCursors(1, 0, [3, 2 ** 40, Number.NaN, 3, 65_535.4, Number.NaN]))?.moves, [
    3,
    COORDINATE_MAX,
    0,
    3,
    65_535,
    0,
  ]);
});

test("a member is 25 bytes besides its texts, and holds its userId only if it differs from its memberId", () => {
  fc.assert(
    fc.property(member, (value) => {
      const writer = new Writer();
      writeMember(writer, value);
      const reader = new Reader(writer.finish());
      assert.deepEqual(readMember(reader), value);
      assert.ok(reader.done);
    }),
  );
  const id = "000102030405060708090a0b0c0d0e0f";
  const plain = `${id} 112233 00 03 416e61 02 7b7d 00`;
  const reads = (digits: string) => {
    const reader = new Reader(bytes(digits));
    readMember(reader);
    return reader.done;
  };
  assert.ok(reads(plain));
  assert.ok(!reads(plain.replace("112233 00", "112233 10 00")), "an empty userId");
  assert.ok(!reads(plain.replace("112233 00", `112233 10 20 ${hex(new TextEncoder().encode(id))}`)), "a userId that is the memberId");
  assert.ok(!reads(plain.replace("7b7d 00", "7b7d 01")), "an extra field that is cut off");
  assert.ok(!reads(plain.replace("7b7d 00", "7b7d 02 00 00")), "an extra field without a key");
  assert.ok(reads(plain.replace("7b7d 00", "7b7d 05 07 03 aabbcc")), "an extra field of a later release");
  assert.ok(reads(plain.replace("112233 00", "112233 c0")), "flags of a later release");
});

test("the times of a monotonic clock become stamps of 16 bits", () => {
  assert.deepEqual([0, 0.9, 65_535.9, 65_536, 1e12 + 7.5].map(stampOf), [0, 0, 65_535, 0, (1e12 + 7) % 65_536]);
});
