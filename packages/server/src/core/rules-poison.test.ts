import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId } from "@presence-service/protocol";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { eachSeed, World } from "../testing/world.ts";
import { memberOf } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import type { BusMessage } from "./messages.ts";
import type { Random } from "./random.ts";

// What is no message at all is refused by bus/envelope.ts before it gets here.

const B1 = "b1" as BoardId;
const STRANGER = "ffffffff-0000-4000-8000-000000000000" as InstanceId;

function settled(seed = 1) {
  const world = new World({ seed, instances: 2 });
  const [ana, ben] = [world.join("ana", { board: "b1", via: 0 }), world.join("ben", { board: "b1", via: 1 })];
  world.advance(3_000);
  ana.log.length = 0;
  return { world, ana, ben };
}

/** Instance 0 hears this from instance 1 by its current connection, or from somebody else. */
function hear(world: World, message: unknown, boardId: BoardId | undefined = B1, from = world.instance(1).instanceId): void {
  world.instance(0).receive(() => ({ kind: "heard", boardId, from, link: 1, message: message as BusMessage }));
}

test("[R13] kinds that a later version may say are ignored, on boards and globally", () => {
  const { world, ana } = settled();
  for (const boardId of [B1, undefined, "nowhere" as BoardId]) {
    hear(world, { kind: "whisper", to: "ana" }, boardId);
    hear(world, { kind: "whisper" }, boardId, STRANGER);
  }
  world.advance(2_000);
  assert.deepEqual([ana.log, world.difference()], [[], undefined]);
});

test("[R13] fields that a later version may add are ignored", () => {
  const { world, ana, ben } = settled();
  const rewrites = ({ message }: Delivery) => ({ ...message, ...{ later: { any: "thing" } } });
  world.network.faults = { ...HEALTHY, rewrites };
  ben.update({ status: "idle" });
  world.advance(10_000);
  assert.deepEqual([ana.sees("ben")?.status, world.judges(0, 1)], ["idle", "up"]);
});

test("[R13] a patch can change nothing but status and state", () => {
  const { world, ana, ben } = settled();
  const rewrites = (delivery: Delivery): BusMessage =>
    delivery.message.kind === "delta"
      ? {
          ...delivery.message,
          ops: delivery.message.ops.map((op) =>
            op.op === "patch" ? { ...op, patch: { ...op.patch, username: "eve", memberId: "0", status: "god" } } : op,
          ),
        }
      : delivery.message;
  world.network.faults = { ...HEALTHY, rewrites };
  ben.update({ state: { tool: "pen" } });
  world.advance(100);
  assert.deepEqual({ ...ana.sees("ben") }, { ...memberOf("ben"), state: { tool: "pen" } });
});

test("[R13] slots, owners and positions that mean nothing are ignored", () => {
  const { world, ana } = settled();
  const held = world.record("roster");
  hear(world, { kind: "cursors", seq: 1, moves: [9, 1, 1, 10] });
  hear(world, { kind: "event", slot: 9, name: "boo", data: null });
  hear(world, { kind: "delta", prev: 0, seq: 0, ops: [] });
  hear(world, { kind: "sync", asks: [{ owner: STRANGER, seq: 5 }], seq: 0, hash: 0, count: 0 });
  hear(world, { kind: "snapshot", seq: 9, part: 1, parts: 2, entries: [], ended: [] });
  hear(world, { kind: "beacon", seq: 0, hash: 1, count: 3 }, "nowhere" as BoardId);
  hear(
    world,
    { kind: "heartbeat", beat: 0, intervalMs: 0, beaconMs: 0, boards: 0, status: "ready", acks: [], versions: { min: 9, max: 9 } },
    undefined,
  );
  hear(world, { kind: "beacon", seq: 1, hash: 0, count: 0 }, undefined);
  world.advance(100);
  assert.deepEqual([held, ana.events, ana.roster()], [[], [], ["ana", "ben"]]);
});

test("[R13] a stranger that says one thing and dies is forgotten like any other", () => {
  const { world, ana } = settled();
  const entries = [{ slot: 0, attempt: 1, seq: 1, member: memberOf("eve") }];
  hear(world, { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] }, B1, STRANGER);
  assert.deepEqual(ana.roster(), ["ana", "ben", "eve"]);
  world.advance(CONSTANTS.downBeats * CONSTANTS.heartbeatMs + 100);
  assert.deepEqual([ana.log.slice(-3), world.difference()], [["+eve", "~eve reconnecting", "-eve instance_lost"], undefined]);
});

test("[R13] nothing that a peer says makes an instance throw or mislead its clients, and what was spoilt is repaired", () => {
  eachSeed(60, (seed) => {
    const { world, ana, ben } = settled(seed);
    const rewrites = ({ from, to, message }: Delivery) =>
      from === 1 && to === 0 && world.random.next() < 0.3 ? spoilt(message, world.random) : message;
    world.network.faults = { ...HEALTHY, rewrites };
    for (let round = 0; round < 40; round++) {
      ben.update({ state: { round }, status: round % 2 === 0 ? "idle" : "active" });
      ben.move(round, round);
      if (round % 5 === 0) ben.join();
      if (round % 7 === 0) ana.update({ state: { round } });
      world.advance(world.random.between(0, 400));
    }
    world.network.faults = HEALTHY;
    ben.update({ state: { done: true } });
    world.untilEqual(20_000);
  });
});

/** The same with one number, member or list wrong; nothing that would end an attempt for everybody. */
function spoilt(message: BusMessage, random: Random): BusMessage {
  const wrong = Math.floor(random.between(0, 12));
  switch (message.kind) {
    case "delta":
      if (random.next() < 0.3) return { ...message, prev: wrong, seq: message.seq };
      return {
        ...message,
        ops: message.ops.map((op) => {
          if (op.op === "del") return op;
          if (op.op === "patch") return { ...op, slot: wrong };
          return random.next() < 0.5 ? { ...op, slot: wrong } : { ...op, attempt: wrong };
        }),
      };
    case "snapshot":
      return random.next() < 0.5
        ? { ...message, parts: message.parts + 1 }
        : { ...message, entries: message.entries.map((entry) => ({ ...entry, member: memberOf(`ghost${wrong}`), seq: wrong })) };
    case "beacon":
      return { ...message, hash: wrong, count: wrong };
    case "sync":
      return { ...message, asks: [{ owner: STRANGER, seq: wrong }] };
    case "cursors":
      return { ...message, moves: [wrong, 1, 1, wrong] };
    case "event":
      return { ...message, slot: wrong };
    case "heartbeat":
      return { ...message, acks: [{ peer: wrong, beat: wrong }], boards: wrong };
    case "goodbye":
      return message;
  }
}

test("[R13] a heartbeat in our own name that we never sent proves nothing, and does not stop the clock by which others are judged", () => {
  const { world, ana } = settled();
  const heartbeat = {
    kind: "heartbeat",
    beat: 2 ** 31,
    intervalMs: 500,
    beaconMs: 15_000,
    boards: 0,
    status: "ready",
    acks: [],
    versions: { min: 1, max: 1 },
  };
  const forged = {
    kind: "heard",
    boardId: undefined,
    from: world.instance(0).instanceId,
    link: 1,
    message: heartbeat as BusMessage,
  } as const;
  // Everybody hears it, and whoever believes it takes us again: we go on above it.
  for (const index of [0, 1]) world.instance(index).receive(() => forged);
  assert.equal(world.instance(0).counted.forged, 1);
  world.advance(10_000);
  assert.deepEqual([world.judges(1, 0), world.judges(0, 1), world.difference()], ["up", "up", undefined]);
  world.kill(1);
  world.advance(5_000);
  assert.deepEqual(ana.roster(), ["ana"]);
});

test("[R13] a position that the owner never reached keeps nobody in doubt longer than until its next word", () => {
  const { world } = settled();
  hear(world, { kind: "sync", seq: 2 ** 40, hash: 1, count: 1, asks: [] });
  world.advance(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter));
  const said = world.record("publish");
  world.advance(10_000);
  assert.deepEqual(
    said.filter(({ instance, message }) => instance === 0 && message.kind === "sync"),
    [],
  );
});
