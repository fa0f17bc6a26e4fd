/** R15: how counts are asked for and which are told, seen at one instance alone. Between instances: rules-occupancy.test.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { encodeRedisMessage } from "../bus/envelope.ts";
import { B1 } from "../testing/settled.ts";
import { Census } from "./census.ts";
import { CONSTANTS } from "./constants.ts";
import type { Context } from "./context.ts";
import type { Effect } from "./effects.ts";
import { type BoardHash, hashOfBoard, shardOf } from "./occupancy.ts";
import { Watches } from "./watches.ts";

const OTHER = "90000000-0000-4000-8000-000000000000" as InstanceId;

function numbered(nth: number): BoardHash {
  return nth.toString(16).padStart(16, "0") as BoardHash;
}

/** Watches of an instance that hears others, and what they say to ask or to renew. */
function watchesOf({ peers = 1, ...constants }: Partial<Context["constants"]> & { peers?: number } = {}) {
  const wants: { readonly at: Millis; readonly answer: boolean; readonly boards: readonly BoardHash[] }[] = [];
  let now: Millis = 0;
  const watches = new Watches({
    constants: { ...CONSTANTS, ...constants },
    random: { between: (min: number) => min },
    bus: { isEchoMissing: false, isCleared: false, isSettling: () => false },
    peers: { livePeers: peers },
    emit: (effect: Effect) => {
      if (effect.kind === "publish" && effect.message.kind === "want") wants.push({ at: now, ...effect.message });
    },
  } as unknown as Context);
  const tell = (board: BoardId, members: number) =>
    watches.heard(OTHER, { kind: "occupancy", shard: shardOf(hashOfBoard(board)), boards: [{ board, members, users: members }] }, now);
  const until = (end: Millis, each: () => void = () => {}) => {
    for (; now < end; now += 10) {
      each();
      watches.tick(now);
    }
  };
  return { watches, wants, tell, until };
}

test("[R15.36] a word of others spares the asks after the first, which also says what is wanted", () => {
  for (const [toldAt, asks] of [
    [10, 1],
    [100, 1],
    [300, 2],
  ] as const) {
    const { watches, wants, tell, until } = watchesOf();
    watches.watch(B1, 0);
    watches.subscribed(shardOf(hashOfBoard(B1)), 0);
    until(toldAt);
    tell(B1, 3);
    until(60);
    if (toldAt < 20) tell(B1, 3);
    until(5_000);
    assert.deepEqual([wants.length, watches.countsOf(B1)], [asks, { members: 3, users: 3 }], `told at ${toldAt} ms`);
  }
});

test("[R15.8] [R15.37] wants are said every 15 s, and more rarely where they would be too many for those who hear them", () => {
  for (const [wantsPerSecond, periodMs] of [
    [CONSTANTS.wantsPerSecond, CONSTANTS.wantMs],
    [1, 40_000],
  ] as const) {
    const { watches, wants, tell, until } = watchesOf({ wantsPerSecond, peers: 4 });
    const boards = Array.from({ length: 10 }, (_, nth) => `d${nth}` as BoardId);
    for (const board of boards) {
      watches.watch(board, 0);
      watches.subscribed(shardOf(hashOfBoard(board)), 0);
    }
    until(150_000, () => {
      for (const board of boards) tell(board, 1);
    });
    const times = wants.filter(({ answer }) => !answer).map(({ at }) => at);
    assert.ok(times.length >= 3);
    for (const [nth, at] of times.slice(1).entries()) assert.equal(at - (times[nth] ?? 0), periodMs);
  }
});

test("[R15.15] a want has as many boards told as it names, whatever ids an outsider chose for its own boards", () => {
  // Either half of each pair left an FNV hash in the same state, and boards were named by that once: all these ids had one hash.
  const pairs = ["105zx 1bpcd", "0k40p 1c04a", "003zx 0fpad", "09vl8 0apd6", "04pvu 0b3ea"].map((pair) => pair.split(" "));
  const chosen = Array.from({ length: 32 }, (_, at) => pairs.map((pair, bit) => pair[(at >> bit) & 1]).join("") as BoardId);
  const ids = [...chosen, ...Array.from({ length: 8_160 }, (_, nth) => `b${nth}` as BoardId)];
  assert.equal(new Set(ids.map(hashOfBoard)).size, ids.length);
  let looks = 0;
  const said: Effect[] = [];
  const constants = {
    ...CONSTANTS,
    get answerMs() {
      looks++;
      return CONSTANTS.answerMs;
    },
  };
  const census = new Census({ constants, emit: (effect: Effect) => said.push(effect) } as unknown as Context);
  const want = { kind: "want", leaseMs: 40_000, answer: true, boards: Array(4096).fill(hashOfBoard(chosen[0] as BoardId)) } as const;
  for (const id of ids) census.entered(id, 0);
  // Each asks for an answer, as often as answers are given.
  for (let now = 0; now < 10_000; now += 100) {
    looks = 0;
    for (const id of census.heard(want, now)) census.look(id, "first", { members: 1, users: 1 }, now);
    assert.ok(looks <= 4, `${looks}`);
    census.tick(now + 50);
  }
  const told = said.flatMap((effect) => (effect.kind === "publish" ? [effect.message] : []));
  const bytes = told.reduce((sum, message) => sum + encodeRedisMessage({ from: OTHER, link: 1, message }).length, 0);
  assert.ok(told.length > 45 && bytes < 60 * told.length, `${bytes} bytes in ${told.length} messages`);
});

test("[R15.48] a want costs the same when as many boards are wanted as are remembered", () => {
  const census = new Census({ constants: CONSTANTS, emit: () => {} } as unknown as Context);
  let hash = 0;
  const want = () => {
    census.heard({ kind: "want", leaseMs: 40_000, answer: false, boards: Array.from({ length: 4096 }, () => numbered(hash++)) }, 0);
  };
  while (hash < CONSTANTS.wantedBoardsMax) want();
  const before = process.cpuUsage();
  for (let times = 0; times < 4; times++) want();
  // It takes some milliseconds, and took six seconds where each hash began at the front of the map.
  const { user } = process.cpuUsage(before);
  assert.ok(user < 1_000_000, `${user} µs`);
});
