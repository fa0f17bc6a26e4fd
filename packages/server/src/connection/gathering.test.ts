/** Moves of boards that wait for the end of a turn: which messages they become. R25.6, R25.7 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId } from "@presence-service/protocol";
import { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
import type { Cursors, MovesTo } from "../core/messages.ts";
import { FROM } from "../testing/ana.ts";
import { Gathering } from "./gathering.ts";

const SENDER = { from: FROM, link: 7 };
const MOVES = [3, 500, 65_535];

function cursors(seq: number, moves: readonly number[] = MOVES): Cursors {
  return { kind: "cursors", seq, moves };
}

/** The instances by letters, as those who are told are. Answers each message as `to: boards`. */
function left(boards: Record<string, "board" | "counted" | string[]>, gathering = new Gathering()): string[] {
  const said: string[] = [];
  for (const [boardId, to] of Object.entries(boards)) gathering.add(boardId as BoardId, cursors(1), to as MovesTo);
  gathering.leave(SENDER, {
    peer(peer, bytes, count) {
      const decoded = decodeRedisMessage(bytes);
      assert.ok(decoded.ok && decoded.value.message.kind === "moves" && decoded.value.link === 7);
      const { boards } = decoded.value.message;
      assert.equal(boards.length, count);
      for (const { seq, moves } of boards) assert.deepEqual([seq, moves], [1, MOVES]);
      said.push(`${peer}: ${boards.map(({ boardId }) => boardId).join(" ")}`);
    },
    board(boardId, message, bytes, isCounted) {
      assert.deepEqual(bytes, encodeRedisMessage({ ...SENDER, message }));
      said.push(`${boardId}${isCounted ? ", counted" : ""}`);
    },
  });
  assert.ok(gathering.isEmpty);
  return said.sort();
}

test("[R25.6] each instance that is needed is told once of all boards that it needs", () => {
  assert.deepEqual(left({ one: ["A"] }), ["A: one"]);
  assert.deepEqual(left({ one: ["A"], two: ["A"], three: ["B"] }), ["A: one two", "B: three"]);
  assert.deepEqual(left({ one: ["A", "B"], two: ["B", "A"] }), ["A: one two", "B: one two"]);
  const three = ["A", "B", "C"];
  assert.deepEqual(left({ one: three, two: three, three }), ["A: one two three", "B: one two three", "C: one two three"]);
});

test("[R25.6] a board whose shares are more than one message has its own channel, and others do without it", () => {
  assert.deepEqual(left({ one: ["A", "B"] }), ["one"]);
  assert.deepEqual(
    left({ one: ["A", "B", "C"], two: ["A"], three: ["A"] }),
    ["A: three two", "one"].map((text) => text.replace("three two", "two three")),
  );
  assert.deepEqual(left({ one: ["A", "B", "C"], two: ["C", "D", "E"] }), ["one", "two"]);
});

test("[R25.5] boards that are to have their own channel have it, and share no message", () => {
  assert.deepEqual(left({ one: "board", two: "counted", three: ["A"] }), ["A: three", "one", "two, counted"]);
});

test("[R25.6] nothing of one turn is left for the next", () => {
  const gathering = new Gathering();
  assert.deepEqual(
    left({ one: ["A"], two: ["A", "B"], three: ["B"] }, gathering),
    ["A: one two", "B: three two"].map((text) => text.replace("three two", "two three")),
  );
  assert.deepEqual(left({ four: ["A", "B"] }, gathering), ["four"]);
  assert.deepEqual(left({ five: ["A"] }, gathering), ["A: five"]);
});

test("[R25.7] a message takes further boards up to 64 KiB, and one board may be more than that", () => {
  const gathering = new Gathering();
  const crowd = Array.from({ length: 1500 }, (_, slot) => [slot, 1, 1]).flat();
  for (let nth = 0; nth < 20; nth++) gathering.add(`b${nth}` as BoardId, cursors(nth, crowd), ["A" as InstanceId]);
  gathering.add("huge" as BoardId, cursors(20, Array(10).fill(crowd).flat()), ["A" as InstanceId]);
  const told: string[] = [];
  const sizes: number[] = [];
  gathering.leave(SENDER, {
    peer(_, bytes) {
      const decoded = decodeRedisMessage(bytes);
      assert.ok(decoded.ok && decoded.value.message.kind === "moves");
      told.push(...decoded.value.message.boards.map(({ boardId }) => boardId));
      sizes.push(bytes.length);
    },
    board: () => assert.fail("told on its channel"),
  });
  assert.deepEqual(told, [...Array.from({ length: 20 }, (_, nth) => `b${nth}`), "huge"]);
  assert.ok(sizes.length === 4 && sizes.slice(0, -1).every((size) => size <= 65_536 + 40), sizes.join());
});

test("moves are not lost twice: what could not be said does not come with the next turn", () => {
  const gathering = new Gathering();
  gathering.add("one" as BoardId, cursors(1), ["A" as InstanceId]);
  const fail = () => {
    throw new Error("the logger of the host");
  };
  assert.throws(() => gathering.leave(SENDER, { peer: fail, board: fail }), /logger/);
  assert.deepEqual(left({ two: ["A"] }, gathering), ["A: two"]);
});
