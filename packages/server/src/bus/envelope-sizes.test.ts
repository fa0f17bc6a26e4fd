/** The bytes that messages of the bus take at most. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTOR_MAX, type BoardId, type InstanceId, U32_MAX } from "@presence-service/protocol";
import { CONSTANTS } from "../core/constants.ts";
import type { BusMessage } from "../core/messages.ts";
import { ANA, ana, FROM } from "../testing/ana.ts";
import { encodeRedisMessage } from "./envelope.ts";

const OTHER = "b81e0d22-5c39-4f17-8e40-a1b2c3d4e5f6" as InstanceId;
// Budgets of the bus, envelope included, for large numbers: link numbers of two bytes, seqs beyond u32, slots of two bytes.
const LINK = 2 ** 14 - 1;
const SEQ = 2 ** 35 - 1;
const SLOT = 2 ** 14 - 1;
const sizeOf = (message: BusMessage, link = LINK) => encodeRedisMessage({ from: FROM, link, message }).length;

test("a heartbeat with 3 acknowledged peers is at most 50 bytes", () => {
  const heartbeat = (beat: number): BusMessage => ({
    kind: "heartbeat",
    beat,
    intervalMs: 5000,
    beaconMs: 100_000,
    boards: 2 ** 14 - 1,
    status: "degraded",
    versions: { min: 14, max: 15 },
    acks: Array.from({ length: 3 }, () => ({ peer: U32_MAX, beat: 0xffff })),
  });
  assert.equal(sizeOf(heartbeat(2 ** 21 - 1)), 50);
  assert.equal(sizeOf(heartbeat(2 ** 28 - 1), 127), 50);
});

test("a kick is at most 26 bytes besides userId, boardId and reason, or 40 besides boardId and reason; an announcement 24", () => {
  const kick = { kind: "kick", reason: "r".repeat(123), boardId: "b".repeat(128) as BoardId } as const;
  const sizeOf = (message: BusMessage) => encodeRedisMessage({ from: FROM, link: 16_383, message }).length;
  assert.equal(sizeOf({ ...kick, whom: { userId: "u".repeat(128) } }) - 128 - 128 - 123, 26);
  assert.equal(sizeOf({ ...kick, whom: { memberId: ANA } }) - 128 - 123, 40);
  assert.equal(sizeOf({ kind: "announcement", text: "t".repeat(4096), boardId: "b".repeat(128) as BoardId }) - 4096 - 128, 24);
});

test("a lone cursor is at most 40 bytes, each further one of a batch at most 6", () => {
  const cursors = (...moves: number[]): BusMessage => ({ kind: "cursors", seq: SEQ, moves });
  assert.equal(sizeOf(cursors(SLOT, 65_535, 65_535)), 33);
  assert.equal(sizeOf(cursors(SLOT, 1_000_000, -1_000_000)), 37);
  assert.equal(sizeOf(cursors(ACTOR_MAX, 1_000_000, -1_000_000)), 39);
  const further = (slot: number) => sizeOf(cursors(1, 0, 0, slot, 65_535, 65_535)) - sizeOf(cursors(1, 0, 0));
  assert.deepEqual([31, 32, 4095, 4096, SLOT].map(further), [5, 6, 6, 7, 7]);
});

test("moves of several boards are 21 bytes, and for each board what cursors take, its id, and 2", () => {
  const cursors = (count: number) => ({ kind: "cursors" as const, seq: SEQ, moves: Array(count).fill([SLOT, 1, 1]).flat() });
  const moves = (...boards: number[]): BusMessage => ({
    kind: "moves",
    boards: boards.map((count) => ({ ...cursors(count), boardId: "b".repeat(10) as BoardId })),
  });
  const alone = (count: number) => sizeOf(cursors(count)) - 20;
  assert.equal(sizeOf(moves()), 21);
  assert.equal(sizeOf(moves(1, 5)), 21 + alone(1) + 12 + alone(5) + 12);
  assert.equal(sizeOf(moves(100)), 21 + alone(100) + 13);
  assert.equal(sizeOf(moves(...Array(128).fill(1))), 22 + 128 * (alone(1) + 12));
});

test("a path is 4 to 5 bytes and 3 to 7 for each earlier place, beside 3 for all paths of a message", () => {
  const paths = (slot: number, dx: number, count: number, earlier: number): BusMessage => ({
    kind: "cursors",
    seq: SEQ,
    moves: [],
    paths: Array.from({ length: count }, () => ({
      actor: slot,
      stamp: 65_535,
      earlier: Array.from({ length: earlier }, () => ({ ms: 255, dx, dy: -dx })),
    })),
  });
  assert.equal(sizeOf(paths(SLOT, 0, 2, 0)) - sizeOf(paths(SLOT, 0, 1, 0)), 5);
  assert.equal(sizeOf(paths(127, 0, 2, 0)) - sizeOf(paths(127, 0, 1, 0)), 4);
  assert.equal(sizeOf(paths(127, 0, 1, 0)) - sizeOf({ kind: "cursors", seq: SEQ, moves: [] }), 3 + 4);
  assert.deepEqual(
    [63, 8_191, 65_535].map((dx) => sizeOf(paths(1, dx, 1, 2)) - sizeOf(paths(1, dx, 1, 1))),
    [3, 5, 7],
  );
});

test("a user joined is at most 72 bytes besides userId and name", () => {
  const userId = "u".repeat(128);
  const username = "n".repeat(256);
  const member = { ...ana, userId, username };
  const entry = { slot: SLOT, attempt: 2 ** 14 - 1, member };
  const delta: BusMessage = { kind: "delta", prev: 0, seq: SEQ, ops: [{ op: "set", ...entry }] };
  const snapshot: BusMessage = { kind: "snapshot", seq: SEQ, part: 0, parts: 1, entries: [{ ...entry, seq: SEQ }], ended: [] };
  assert.equal(sizeOf(delta) - userId.length - username.length, 72);
  assert.equal(sizeOf(snapshot) - userId.length - username.length, 70);
});

test("a question to all that names what is held of 128 owners is at most 2.8 KB", () => {
  const held = Array.from({ length: CONSTANTS.heldOwnersMax }, () => ({ owner: OTHER, seq: SEQ }));
  assert.equal(sizeOf({ kind: "sync", seq: SEQ, hash: U32_MAX, count: 2 ** 14 - 1, asks: "all", held: [] }), 33);
  assert.equal(sizeOf({ kind: "sync", seq: SEQ, hash: U32_MAX, count: 2 ** 14 - 1, asks: "all", held }), 34 + 128 * 21);
});
