/**
 * The reader of frames, by the clauses of RFC 6455 that it keeps, and beside the reader of the WebSocket library: whatever bytes come, in
 * whatever pieces, both hand on the same messages and find the same fault.
 */

import assert from "node:assert/strict";
import type { Writable } from "node:stream";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import fc from "fast-check";
import * as ws from "ws";
import { type FrameBounds, type FrameTaker, readFrames } from "./frames.ts";

const BOUNDS: FrameBounds = { messageBytesMax: 300, fragmentsMax: 4, piecesMax: 200 };
const OPCODE = { more: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

/** The things that were handed on, in words. */
class Heard implements FrameTaker {
  unfinished: FrameTaker["unfinished"];
  takesFrames = true;
  readonly heard: string[] = [];
  /** It wants nothing more after each so many frames, until it is told to go on. */
  readonly restsAfter: number;

  constructor(restsAfter = Number.POSITIVE_INFINITY) {
    this.restsAfter = restsAfter;
  }

  message(data: Buffer, isBinary: boolean): void {
    this.#note(`${isBinary ? "binary" : "text"} ${data.toString("hex")}`);
  }

  pinged(data: Buffer): void {
    this.#note(`ping ${data.toString("hex")}`);
  }

  ponged(): void {
    this.#note("pong");
  }

  closing(code: number, payload: Buffer): void {
    this.#note(`close ${code} ${payload.toString("hex", 2)}`);
    this.takesFrames = false;
  }

  broken(fault: number): void {
    this.#note(`broken ${fault}`);
    this.takesFrames = false;
  }

  get isOver(): boolean {
    return /^(?:close|broken)/.test(this.heard.at(-1) ?? "");
  }

  #note(words: string): void {
    assert.ok(!this.isOver, "nothing is handed on after the end");
    this.heard.push(words);
    if (this.heard.length % this.restsAfter === 0) this.takesFrames = false;
  }
}

/** Reads these pieces. They are copied, as reading unmasks them in place. */
function read(pieces: readonly Uint8Array[], bounds = BOUNDS, taker = new Heard()): Heard {
  for (const piece of pieces) {
    for (let rest: Buffer | undefined = Buffer.from(piece); rest !== undefined && !taker.isOver; ) {
      taker.takesFrames = true;
      const before = taker.heard.length;
      const left: Buffer | undefined = readFrames(taker, rest, bounds);
      assert.ok(left === undefined || taker.heard.length > before, "each call hands something on, or reads all");
      rest = left;
    }
  }
  return taker;
}

type Form = {
  readonly opcode: number;
  readonly payload?: Uint8Array;
  readonly isFinal?: boolean;
  /** The three reserved bits. */
  readonly reserved?: number;
  readonly key?: number;
  readonly isMasked?: boolean;
  /** The bytes of the length: 0, 2 or 8. By default the fewest. */
  readonly wide?: number;
  /** The length that the header tells, if it is another one. */
  readonly length?: number;
};

function frame({
  opcode,
  payload = Buffer.alloc(0),
  isFinal = true,
  reserved = 0,
  key = 0x9d3c5a71,
  isMasked = true,
  ...form
}: Form): Buffer {
  const { length = payload.length, wide = length < 126 ? 0 : length < 0x1_0000 ? 2 : 8 } = form;
  const header = Buffer.alloc(2 + wide + (isMasked ? 4 : 0));
  header[0] = (isFinal ? 0x80 : 0) | (reserved << 4) | opcode;
  header[1] = (isMasked ? 0x80 : 0) | (wide === 0 ? Math.min(length, 125) : wide === 2 ? 126 : 127);
  if (wide === 2) header.writeUInt16BE(length % 0x1_0000, 2);
  if (wide === 8) header.writeBigUInt64BE(BigInt(length), 2);
  if (!isMasked) return Buffer.concat([header, payload]);
  header.writeUInt32BE(key >>> 0, 2 + wide);
  const keyBytes = header.subarray(-4);
  return Buffer.concat([header, payload.map((byte, nth) => byte ^ (keyBytes[nth % 4] ?? 0))]);
}

const text = (words: string) => Buffer.from(words);
const hex = (words: string) => text(words).toString("hex");
const closing = (code: number, reason = "") => Buffer.concat([Buffer.of(code >> 8, code & 0xff), text(reason)]);
const only = (...forms: Form[]) => read([Buffer.concat(forms.map(frame))]).heard;

test("5.2, 5.3: text and binary in all three forms of the length, unmasked", () => {
  assert.deepEqual(only({ opcode: OPCODE.text, payload: text("héllo") }), [`text ${hex("héllo")}`]);
  assert.deepEqual(only({ opcode: OPCODE.binary, payload: Buffer.of(0, 1, 255), key: 0 }), ["binary 0001ff"]);
  assert.deepEqual(only({ opcode: OPCODE.binary }), ["binary "]);
  for (const length of [125, 126, 300])
    for (const wide of [2, 8])
      assert.deepEqual(only({ opcode: OPCODE.binary, payload: Buffer.alloc(length, 7), wide }), [`binary ${"07".repeat(length)}`]);
  const large = Buffer.alloc(70_000, 9);
  const bounds = { ...BOUNDS, messageBytesMax: 70_000 };
  assert.deepEqual(read([frame({ opcode: OPCODE.binary, payload: large })], bounds).heard, [`binary ${large.toString("hex")}`]);
});

test("5.1: a frame that is not masked is broken", () => {
  assert.deepEqual(only({ opcode: OPCODE.text, payload: text("a"), isMasked: false }), ["broken 1002"]);
});

test("5.2: reserved bits and reserved opcodes are broken", () => {
  for (const reserved of [1, 2, 4]) assert.deepEqual(only({ opcode: OPCODE.text, reserved }), ["broken 1002"]);
  for (const opcode of [3, 4, 5, 6, 7, 11, 12, 13, 14, 15]) assert.deepEqual(only({ opcode }), ["broken 1002"]);
});

test("5.4: fragments are one message, and control frames may come between them", () => {
  assert.deepEqual(
    only(
      { opcode: OPCODE.text, payload: text("one "), isFinal: false },
      { opcode: OPCODE.ping, payload: text("p") },
      { opcode: OPCODE.more, payload: text("two "), isFinal: false, key: 0x01020304 },
      { opcode: OPCODE.pong },
      { opcode: OPCODE.more, payload: text("three") },
      { opcode: OPCODE.binary, payload: Buffer.of(1) },
    ),
    [`ping ${hex("p")}`, "pong", `text ${hex("one two three")}`, "binary 01"],
  );
  assert.deepEqual(only({ opcode: OPCODE.more, payload: text("of nothing") }), ["broken 1002"]);
  const begun: Form = { opcode: OPCODE.text, payload: text("one"), isFinal: false };
  for (const opcode of [OPCODE.text, OPCODE.binary]) assert.deepEqual(only(begun, { opcode }), ["broken 1002"]);
});

test("5.5: control frames are whole and have 125 bytes at most", () => {
  for (const opcode of [OPCODE.close, OPCODE.ping, OPCODE.pong]) {
    assert.deepEqual(only({ opcode, isFinal: false }), ["broken 1002"]);
    assert.deepEqual(only({ opcode, payload: Buffer.alloc(126) }), ["broken 1002"]);
    assert.deepEqual(only({ opcode, payload: Buffer.alloc(3), wide: 2 }), ["broken 1002"], "a length in another form than the shortest");
  }
  assert.deepEqual(only({ opcode: OPCODE.ping, payload: Buffer.alloc(125, 1) }), [`ping ${"01".repeat(125)}`]);
});

test("5.5.1, 7.4: close frames and their codes; nothing is read after one", () => {
  assert.deepEqual(only({ opcode: OPCODE.close }, { opcode: OPCODE.text }), ["close 1005 "]);
  assert.deepEqual(only({ opcode: OPCODE.close, payload: closing(1001, "bye") }, { opcode: OPCODE.more }), [`close 1001 ${hex("bye")}`]);
  assert.deepEqual(only({ opcode: OPCODE.close, payload: Buffer.of(3) }), ["broken 1002"]);
  for (const code of [1000, 1003, 1007, 1011, 1012, 1014, 3000, 4999])
    assert.deepEqual(only({ opcode: OPCODE.close, payload: closing(code) }), [`close ${code} `]);
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535])
    assert.deepEqual(only({ opcode: OPCODE.close, payload: closing(code) }), ["broken 1002"], String(code));
});

test("8.1: text and the reason of a close frame are UTF-8", () => {
  for (const bytes of [Buffer.of(0xc3, 0x28), Buffer.of(0xed, 0xa0, 0x80), Buffer.of(0xf5), Buffer.of(0xc0, 0x80), Buffer.of(0xe2, 0x82)]) {
    assert.deepEqual(only({ opcode: OPCODE.text, payload: bytes }), ["broken 1007"]);
    assert.deepEqual(only({ opcode: OPCODE.close, payload: Buffer.concat([closing(1000), bytes]) }), ["broken 1007"]);
    assert.deepEqual(only({ opcode: OPCODE.binary, payload: bytes }), [`binary ${bytes.toString("hex")}`]);
  }
  // A character may be spread over frames.
  const euro = text("€");
  const inTwo: Form[] = [
    { opcode: OPCODE.text, payload: euro.subarray(0, 1), isFinal: false },
    { opcode: OPCODE.more, payload: euro.subarray(1) },
  ];
  assert.deepEqual(only(...inTwo), [`text ${hex("€")}`]);
});

test("a message that will be too large is known by the header of its frame", () => {
  const header = (length: number) => frame({ opcode: OPCODE.binary, length }).subarray(0, -4);
  for (const length of [301, 0x1_0000, 2 ** 32, 2 ** 53 - 1]) assert.deepEqual(read([header(length)]).heard, ["broken 1009"]);
  const widest = Buffer.of(0x82, 0xff, ...Buffer.alloc(8, 0xff));
  assert.deepEqual(read([widest]).heard, ["broken 1009"]);
  const begun: Form = { opcode: OPCODE.binary, payload: Buffer.alloc(200), isFinal: false };
  assert.deepEqual(only(begun, { opcode: OPCODE.more, payload: Buffer.alloc(101) }), ["broken 1009"]);
  assert.equal(only(begun, { opcode: OPCODE.more, payload: Buffer.alloc(100) }).length, 1);
  // A message that was as large as may be leaves nothing for the next one to pay.
  const largest: Form = { opcode: OPCODE.binary, payload: Buffer.alloc(300) };
  assert.equal(only(largest, begun, { opcode: OPCODE.more, payload: Buffer.alloc(100) }, largest).length, 3);
});

test("a message has so many fragments at most, those without a byte included", () => {
  const fragments = (count: number): Form[] =>
    Array.from({ length: count }, (_, nth) => ({ opcode: nth === 0 ? OPCODE.text : OPCODE.more, isFinal: nth === count - 1 }));
  assert.deepEqual(only(...fragments(BOUNDS.fragmentsMax), ...fragments(BOUNDS.fragmentsMax)), ["text ", "text "]);
  assert.deepEqual(only(...fragments(BOUNDS.fragmentsMax + 1)), ["broken 1008"]);
});

test("the payload of a frame comes in so many reads at most", () => {
  const trickled = (length: number) => [...frame({ opcode: OPCODE.binary, payload: Buffer.alloc(length) })].map((byte) => Buffer.of(byte));
  const { piecesMax } = BOUNDS;
  assert.equal(read([...trickled(piecesMax), ...trickled(piecesMax)]).heard.length, 2);
  assert.deepEqual(read(trickled(piecesMax + 1)).heard, ["broken 1008"]);
});

test("a taker that wants nothing more gets the rest later, and nothing twice", () => {
  const bytes = Buffer.concat([1, 2, 3, 4, 5].map((nth) => frame({ opcode: OPCODE.binary, payload: Buffer.of(nth) })));
  for (const restsAfter of [1, 2, 3])
    assert.deepEqual(
      read([bytes], BOUNDS, new Heard(restsAfter)).heard,
      [1, 2, 3, 4, 5].map((nth) => `binary 0${nth}`),
    );
});

test("something is kept only while a frame or a message is incomplete, and not more than twice what has come", () => {
  const taker = new Heard();
  const roomBytes = () => taker.unfinished?.payload.length;
  read([frame({ opcode: OPCODE.binary, payload: Buffer.alloc(100) }), frame({ opcode: OPCODE.ping })], BOUNDS, taker);
  assert.equal(roomBytes(), undefined);
  const bounds = { ...BOUNDS, messageBytesMax: 16_384 };
  const bytes = frame({ opcode: OPCODE.binary, payload: Buffer.alloc(16_384) });
  for (let at = 0; at < bytes.length; at += 100) {
    read([bytes.subarray(at, at + 100)], bounds, taker);
    assert.ok((roomBytes() ?? 0) <= 2 * (at + 100) + 256);
  }
  assert.equal(roomBytes(), undefined);
  // Nothing that is kept is a view of everything that was read with it.
  for (const piece of [bytes.subarray(0, 3), bytes.subarray(0, 50)]) {
    const kept = read([piece], bounds).unfinished;
    for (const buffer of [kept?.held, kept?.payload]) assert.ok((buffer?.buffer.byteLength ?? 0) <= 256);
  }
});

// Beside the WebSocket library.

type Options = { readonly isServer: true; readonly maxPayload: number; readonly maxFragments: number; readonly maxBufferedChunks: number };
const { Receiver } = ws as unknown as { readonly Receiver: new (options: Options) => Writable };

async function libraryRead(pieces: readonly Uint8Array[], bounds: FrameBounds): Promise<string[]> {
  const { messageBytesMax: maxPayload, fragmentsMax: maxFragments, piecesMax: maxBufferedChunks } = bounds;
  const receiver = new Receiver({ isServer: true, maxPayload, maxFragments, maxBufferedChunks });
  const heard: string[] = [];
  let isOver = false;
  receiver
    .on("message", (data: Buffer, isBinary: boolean) => heard.push(`${isBinary ? "binary" : "text"} ${data.toString("hex")}`))
    .on("ping", (data: Buffer) => heard.push(`ping ${data.toString("hex")}`))
    .on("pong", () => heard.push("pong"))
    .on("conclude", (code: number, reason: Buffer) => {
      isOver = true;
      heard.push(`close ${code} ${reason.toString("hex")}`);
    })
    .on("error", (error: Error) => {
      const [status] = Object.getOwnPropertySymbols(error).filter(({ description }) => description === "status-code");
      heard.push(`broken ${(error as unknown as Record<symbol, number>)[status ?? Symbol()]}`);
    });
  for (const piece of pieces) if (!isOver && !receiver.errored) receiver.write(Buffer.from(piece));
  await nextTurn();
  return heard;
}

const payloads = fc.oneof(
  { weight: 4, arbitrary: fc.string({ unit: "grapheme", maxLength: 20 }).map(text) },
  { weight: 2, arbitrary: fc.uint8Array({ maxLength: 20 }).map((bytes) => Buffer.from(bytes)) },
  { weight: 1, arbitrary: fc.nat(320).map((length) => Buffer.alloc(length, "x")) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(fc.oneof(fc.constantFrom(1000, 1001, 4000), fc.integer({ min: 990, max: 1020 }), fc.nat(0xffff)), fc.string({ maxLength: 5 }))
      .map(([code, reason]) => closing(code, reason)),
  },
);
const key = fc.oneof(fc.constant(0), fc.integer());
const opcodes = fc.oneof({ weight: 40, arbitrary: fc.constantFrom(1, 1, 2, 2, 2, 9, 9, 10, 8) }, { weight: 1, arbitrary: fc.nat(15) });
const mistakes: fc.Arbitrary<Partial<Form>> = fc.oneof(
  fc.record({ reserved: fc.constantFrom(1, 2, 4) }),
  fc.constant<Partial<Form>>({ isMasked: false }),
  fc.constant<Partial<Form>>({ isFinal: false }),
  fc.record({ length: fc.oneof(fc.nat(400), fc.constantFrom(2 ** 32, 2 ** 53)) }),
);
/** A message in one frame or in several, with control frames between them now and then, and seldom a mistake. */
const messages: fc.Arbitrary<Buffer> = fc
  .tuple(
    opcodes,
    fc.array(fc.tuple(payloads, key, fc.constantFrom(undefined, undefined, undefined, 2, 8), fc.boolean()), { minLength: 1, maxLength: 6 }),
    fc.constantFrom(1, 1, 2, 6),
    fc.oneof({ weight: 30, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: mistakes }),
    fc.nat(5),
  )
  .map(([opcode, all, count, mistake, mistakeAt]) => {
    const parts = opcode >= 8 ? all.slice(0, 1) : all.slice(0, count);
    const frames = parts.flatMap(([payload, key, wide, isInterrupted], nth): Buffer[] => {
      const form: Form = {
        opcode: nth === 0 ? opcode : OPCODE.more,
        payload: opcode >= 8 ? payload.subarray(0, 125) : payload,
        isFinal: nth === parts.length - 1,
        key,
        ...(wide === undefined || opcode >= 8 ? {} : { wide }),
        ...(mistake !== undefined && mistakeAt % parts.length === nth ? mistake : {}),
      };
      return [...(isInterrupted && nth > 0 ? [frame({ opcode: OPCODE.ping, payload: payload.subarray(0, 9), key })] : []), frame(form)];
    });
    return Buffer.concat(frames);
  });
const streams = fc.oneof(
  { weight: 8, arbitrary: fc.array(messages, { minLength: 1, maxLength: 8 }).map((all) => Buffer.concat(all)) },
  // Bytes that were altered, and noise.
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.array(messages, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 3 }))
      .map(([all, changes]) => {
        const bytes = Buffer.concat(all);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        return bytes;
      }),
  },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)) },
);
/** The lengths of the pieces in which bytes are read, again and again. */
const pieceLengths = fc.oneof(
  fc.constant([Number.MAX_SAFE_INTEGER]),
  fc.constant([1]),
  fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 6 }),
);

function inPieces(bytes: Buffer, lengths: readonly number[]): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = lengths[pieces.length % lengths.length] ?? 1;
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

test("whatever comes in whatever pieces, the library hands on the same and finds the same fault", async () => {
  const ends = new Map<string, number>();
  await fc.assert(
    fc.asyncProperty(streams, pieceLengths, fc.constantFrom(1, 2, 3, Number.POSITIVE_INFINITY), async (bytes, lengths, restsAfter) => {
      const pieces = inPieces(bytes, lengths);
      const expected = await libraryRead(pieces, BOUNDS);
      assert.deepEqual(read(pieces, BOUNDS, new Heard(restsAfter)).heard, expected);
      const end = /^(?:close|broken \d+)/.exec(expected.at(-1) ?? "")?.[0] ?? (expected.length > 0 ? "messages" : "nothing");
      ends.set(end, (ends.get(end) ?? 0) + 1);
    }),
    { numRuns: 3000 },
  );
  // The inputs are worth something: each end that there is was met.
  for (const end of ["close", "broken 1002", "broken 1007", "broken 1008", "broken 1009", "messages"])
    assert.ok((ends.get(end) ?? 0) > 10, `${end}: ${JSON.stringify([...ends])}`);
});
