import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import {
  BOARD_ID_BYTES_MAX,
  type ClientMessage,
  decodeClientBinary,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  encodeBinary,
  STATE_BYTES_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import fc from "fast-check";
import { boardIdOf, checkState, eventOf, jsonObjectOf, nameOf } from "./input.ts";
import { atDesk } from "./testing/service.ts";

class Point {
  x = 1;
}

test("values that JSON would silently change or drop are refused, and the error names their path", async () => {
  const { board, presence, socket, driver } = await atDesk();
  const { self } = board;
  const holes = [1, 2, 3];
  delete holes[1];
  const cases: readonly [value: unknown, path: RegExp][] = [
    [{ at: new Date(0) }, /\.at is an object of Date/],
    [{ at: { deep: [0, { when: new Date(0) }] } }, /\.at\.deep\[1\]\.when is an object of Date/],
    [{ done: () => {} }, /\.done is of type function/],
    [{ tools: new Map([["a", 1]]) }, /\.tools is an object of Map/],
    [{ tools: new Set([1]) }, /\.tools is an object of Set/],
    [{ bytes: Uint8Array.of(1) }, /\.bytes is an object of Uint8Array/],
    [{ place: new Point() }, /\.place is an object of Point/],
    [{ boxed: new String("x") }, /\.boxed is an object of String/],
    [{ big: 1n }, /\.big is the bigint 1/],
    [{ zoom: Number.NaN }, /\.zoom is the number NaN/],
    [{ zoom: [Number.POSITIVE_INFINITY] }, /\.zoom\[0\] is the number Infinity/],
    [{ mark: Symbol("x") }, /\.mark is of type symbol/],
    [{ list: [1, undefined] }, /\.list\[1\] is of type undefined/],
    [{ list: holes }, /\.list\[1\] is of type undefined/],
    [{ toJSON: () => ({ other: 1 }) }, /\.toJSON is of type function/],
    [{ inherits: Object.create({ tool: "pen" }) }, /\.inherits is an object of Object/],
    [JSON.parse('{"a":{"__proto__":{"x":1}}}'), /\.a has the key "__proto__"/],
    [JSON.parse(`${'{"a":'.repeat(33)}1${"}".repeat(33)}`), /nested more than 32 deep/],
    [new Map(), /an object of Map/],
    [() => {}, /of type function/],
    [[], /is not an object/],
    [null, /is not an object/],
  ];
  for (const [value, path] of cases) {
    const refused = (error: unknown) => error instanceof TypeError && path.test(error.message);
    assert.throws(() => board.update(value as never), refused, String(path));
    assert.throws(() => presence.board("b2", { state: value as never }), refused, String(path));
  }
  for (const [value, path] of cases.slice(0, -2)) {
    const refused = (error: unknown) => error instanceof TypeError && path.test(error.message);
    assert.throws(() => board.broadcast("x", value as never), refused, String(path));
  }
  const loop: { self?: unknown } = {};
  loop.self = loop;
  assert.throws(() => board.update(loop as never), TypeError);
  await driver.advance(100);
  assert.deepEqual([board.self === self, socket.kinds], [true, ["hello", "join"]]);
});

test("plain values of every kind pass, also those of another window; an undefined key is as if it were not there", async () => {
  const { board } = await atDesk();
  board.update({
    text: "é",
    list: [1, [null, true]],
    bare: Object.assign(Object.create(null), { a: 1 }),
    foreign: runInNewContext("({ list: [1, { b: 2 }] })"),
    none: undefined,
    zero: -0,
  });
  assert.equal(
    JSON.stringify(board.self?.state),
    '{"text":"é","list":[1,[null,true]],"bare":{"a":1},"foreign":{"list":[1,{"b":2}]},"zero":0}',
  );
});

test("what the SDK takes from an app, the service takes from the SDK, unchanged: at every limit, and for texts that are written in another form", () => {
  const character = fc.constantFrom("a", "é", "€", "🎉", '"', "\\", "\u0001", "\u2028", "\ufeff", "\u202e", "\ud800", "/", "~");
  const texts = fc
    .tuple(fc.constantFrom(0, BOARD_ID_BYTES_MAX, EVENT_NAME_BYTES_MAX, USERNAME_BYTES_MAX), fc.integer({ min: -2, max: 2 }), character)
    .map(([bytes, more, character]) => character.repeat(Math.max(0, Math.floor((bytes + more) / utf8Bytes(character)))));
  const value = fc.oneof(
    fc.anything({ maxDepth: 3, withBigInt: true, withDate: true, withNullPrototype: true, withSparseArray: true }),
    fc.integer({ min: 30, max: 34 }).map((depth) => JSON.parse("[".repeat(depth) + "]".repeat(depth))),
    fc.constantFrom(-0, 1e21, 5e-324, "\ud800", "\u0001".repeat(700), JSON.parse('{"__proto__":1}')),
    fc.integer({ min: -20, max: 2 }).map((more) => "x".repeat(STATE_BYTES_MAX + more)),
  );
  const crosses = (message: ClientMessage) => {
    assert.deepEqual(plain(decodeClientBinary(encodeBinary(message))), plain(message));
    return "taken";
  };
  const outcomes = new Map<string, number>();
  const taken = (what: string, take: () => string) => {
    let outcome = "refused";
    try {
      outcome = take();
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError)) throw error;
    }
    outcomes.set(`${what} ${outcome}`, (outcomes.get(`${what} ${outcome}`) ?? 0) + 1);
  };
  const join = { kind: "join", boardId: boardIdOf("b"), attempt: 1, username: "Ana", status: "active", state: {} } as const;
  fc.assert(
    fc.property(texts, value, (text, value) => {
      taken("board", () => crosses({ ...join, boardId: boardIdOf(text) }));
      taken("name", () => crosses({ ...join, username: nameOf(text) }));
      taken("state", () => {
        const state = jsonObjectOf({ value }, "a state");
        checkState(state, STATE_BYTES_MAX);
        return crosses({ ...join, state });
      });
      taken("event", () => crosses({ kind: "broadcast", board: 1, ...eventOf(text, value) }));
    }),
    { numRuns: 1000 },
  );
  assert.equal(EVENT_DATA_BYTES_MAX, STATE_BYTES_MAX);
  for (const what of ["board", "name", "state", "event"])
    for (const outcome of ["taken", "refused"]) assert.ok((outcomes.get(`${what} ${outcome}`) ?? 0) > 20, `${what} ${outcome}`);
});

/** As JSON has it: without −0. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
