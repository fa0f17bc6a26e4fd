import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ATTEMPT_MAX,
  type BoardId,
  decodeServerBinary,
  decodeServerJson,
  encodeBinary,
  encodeJson,
  type InstanceId,
  type Millis,
  type ServerMessage,
} from "@presence-service/protocol";
import { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { asksBy } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import { memberOf } from "../testing/world-client.ts";
import { CONSTANTS, type Constants } from "./constants.ts";
import type { Effect } from "./effects.ts";
import type { BusMessage, SliceEntry, Snapshot } from "./messages.ts";
import type { BoardHash } from "./occupancy.ts";
import { Peer } from "./peer.ts";
import type { Random } from "./random.ts";

// bus/envelope.ts refuses bytes that are no message before they get here.

const B1 = "b1" as BoardId;
/** A seq that no instance lives to reach. */
const NEVER_REACHED = 2 ** 40;
const STRANGER = "ffffffff-0000-4000-8000-000000000000" as InstanceId;

function settled(seed = 1, constants: Partial<Constants> = {}) {
  const world = new World({ seed, instances: 2, constants });
  const [ana, ben] = [world.join("ana", { board: "b1", via: 0 }), world.join("ben", { board: "b1", via: 1 })];
  world.advance(3_000);
  ana.log.length = 0;
  return { world, ana, ben };
}

/** Instance 0 hears this message over the current connection of instance 1, or from another sender. */
function hear(world: World, message: unknown, boardId: BoardId | undefined = B1, from = world.instance(1).instanceId, to = 0): void {
  world.instance(to).receive(() => ({ kind: "heard", boardId, from, link: 1, message: message as BusMessage }));
}

/** Every instance hears this message, instance 1 too, in whose name it is said. */
function hearAll(world: World, message: unknown, from = world.instance(1).instanceId): void {
  for (const { index } of world.instances) hear(world, message, B1, from, index);
}

test("[R13.3] kinds that a later version may say are ignored, on boards and globally", () => {
  const { world, ana } = settled();
  for (const boardId of [B1, undefined, "nowhere" as BoardId]) {
    hear(world, { kind: "whisper", to: "ana" }, boardId);
    hear(world, { kind: "whisper" }, boardId, STRANGER);
  }
  world.advance(2_000);
  assert.deepEqual([ana.log, world.difference()], [[], undefined]);
});

test("[R13.3] fields that a later version may add are ignored", () => {
  const { world, ana, ben } = settled();
  const rewrites = ({ message }: Delivery) => ({ ...message, ...{ later: { any: "thing" } } });
  world.network.faults = { ...HEALTHY, rewrites };
  ben.update({ status: "idle" });
  world.advance(10_000);
  assert.deepEqual([ana.sees("ben")?.status, world.judges(0, 1)], ["idle", "up"]);
});

test("[R13.6] heartbeats tell which versions of the wire their sender reads, and every number they tell includes the one that it writes", () => {
  const { world } = settled();
  const said = world.record("publish");
  world.advance(CONSTANTS.heartbeatMs);
  const [beat] = said.flatMap(({ message }) => (message.kind === "heartbeat" ? [message] : []));
  assert.ok(beat !== undefined);
  const [first = 0] = encodeRedisMessage({ from: STRANGER, link: 1, message: beat });
  const written = first & 0x0f;
  assert.ok(beat.versions.min <= written && written <= beat.versions.max);
});

test("[R13.4] a patch can change nothing but status, activeAt, area, color and state", () => {
  const { world, ana, ben } = settled();
  const rewrites = (delivery: Delivery): BusMessage =>
    delivery.message.kind === "delta"
      ? {
          ...delivery.message,
          ops: delivery.message.ops.map((op) =>
            op.op === "patch"
              ? {
                  ...op,
                  patch: { ...op.patch, username: "eve", memberId: "0", kind: "agent", joinedAt: 1, status: "god", area: 7, color: "red" },
                }
              : op,
          ),
        }
      : delivery.message;
  world.network.faults = { ...HEALTHY, rewrites };
  const before = ana.sees("ben");
  ben.update({ state: { tool: "pen" }, area: "slide-1" });
  world.advance(100);
  assert.deepEqual({ ...ana.sees("ben") }, { ...before, state: { tool: "pen" } });
});

test("[R13.5] slots, owners and positions that mean nothing are ignored", () => {
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

test("[R8.6] a stranger that says one thing and dies is forgotten like any other", () => {
  const { world, ana } = settled();
  const entries = [{ slot: 0, attempt: 1, seq: 1, member: memberOf("eve") }];
  hear(world, { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] }, B1, STRANGER);
  assert.deepEqual(ana.roster(), ["ana", "ben", "eve"]);
  world.advance(CONSTANTS.downBeats * CONSTANTS.heartbeatMs + 100);
  assert.deepEqual([ana.log.slice(-3), world.difference()], [["+eve", "~eve reconnecting", "-eve instance_lost"], undefined]);
});

test("[R13.4] [R13.5] nothing that a peer says makes an instance throw or mislead its clients, or say what has no bytes; what was spoilt is repaired", () => {
  eachSeed(60, (seed) => {
    const { world, ana, ben } = settled(seed);
    world.observe((instance, effect) => {
      assertHasBytes(instance.instanceId, effect);
      const { entries, ...rest } = instance.core.roster(B1);
      assertClientsRead({ kind: "joined", boardId: B1, board: 7, self: 0, ...rest, roster: entries });
    });
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

/** Whatever an instance publishes or shows can be encoded, and read again. */
function assertHasBytes(from: InstanceId, effect: Effect): void {
  if (effect.kind === "publish") assert.ok(decodeRedisMessage(encodeRedisMessage({ from, link: 1, message: effect.message })).ok);
  if (effect.kind !== "roster") return;
  const { change } = effect;
  if (change.change === "joined") assertClientsRead({ kind: "user_joined", board: 7, actor: change.actor, member: change.member });
  if (change.change === "updated") assertClientsRead({ kind: "user_updated", board: 7, actor: change.actor, patch: change.patch });
}

function assertClientsRead(message: ServerMessage): void {
  assert.ok(decodeServerBinary(encodeBinary(message)), `a ${message.kind} cannot be read`);
  assert.ok(decodeServerJson(encodeJson({ ...message, board: B1 } as ServerMessage)), `a ${message.kind} cannot be read in JSON`);
}

/** The same message with one number, member or list wrong. It ends no attempts but the sender's own. */
function spoilt(message: BusMessage, random: Random): BusMessage {
  const wrong = Math.floor(random.between(0, 12));
  if ("seq" in message && random.next() < 0.2) return { ...message, seq: message.seq + (random.next() < 0.5 ? 1 : NEVER_REACHED) };
  switch (message.kind) {
    case "delta":
      if (random.next() < 0.3) return { ...message, prev: wrong, seq: message.seq };
      return {
        ...message,
        ops: message.ops.map((op) => {
          if (op.op === "del") return { ...op, attempt: op.attempt + wrong };
          if (op.op === "patch") return { ...op, slot: wrong };
          return random.next() < 0.5 ? { ...op, slot: wrong } : { ...op, attempt: wrong };
        }),
      };
    case "replay":
      return { ...message, steps: message.steps.map((step) => ({ ...step, prev: random.next() < 0.5 ? step.prev : wrong })) };
    case "snapshot":
      if (random.next() < 0.3) {
        const ended = message.entries.map(({ member: { memberId } }) => ({ memberId, attempt: ATTEMPT_MAX }));
        return random.next() < 0.5 ? { ...message, ended } : { ...message, entries: [], ended };
      }
      return random.next() < 0.5
        ? { ...message, parts: message.parts + 1 }
        : { ...message, entries: message.entries.map((entry) => ({ ...entry, member: memberOf(`ghost${wrong}`), seq: wrong })) };
    case "beacon":
      return { ...message, hash: wrong, count: wrong };
    case "sync":
      return { ...message, asks: [{ owner: STRANGER, seq: wrong }] };
    case "cursors":
      return { ...message, moves: [wrong, 1, 1, wrong] };
    case "moves":
      return { ...message, boards: message.boards.map((board) => ({ ...board, moves: [wrong, 1, 1, wrong] })) };
    case "event":
      return { ...message, slot: wrong };
    case "want":
      return { ...message, boards: [wrong.toString(16).padStart(16, "0") as BoardHash, ...message.boards] };
    case "occupancy":
      return { ...message, boards: message.boards.map((told) => ({ ...told, members: wrong })) };
    case "heartbeat":
      return { ...message, acks: [{ peer: wrong, beat: wrong }], boards: wrong };
    case "verdict":
    case "goodbye":
    case "kick":
    case "announcement":
    case "revocations":
    case "hook":
      return message;
  }
}

test("[R7.7] a heartbeat in our own name that we never sent proves nothing, and does not stop the clock by which others are judged", () => {
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
  // Both instances hear the beat forged in the name of instance 0. Instance 1 believes it, and later takes the true beats again.
  for (const index of [0, 1]) world.instance(index).receive(() => forged);
  assert.equal(world.instance(0).counted.forged, 1);
  world.advance(10_000);
  assert.deepEqual([world.judges(1, 0), world.judges(0, 1), world.difference()], ["up", "up", undefined]);
  world.kill(1);
  world.advance(5_000);
  assert.deepEqual(ana.roster(), ["ana"]);
});

test("[R4.1] a position that the owner never reached keeps nobody in doubt longer than until its next word", () => {
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

// R4: messages that an owner never sent.

/** The longest time between two beacons, and the ask and answer that follow the second. */
const BEACON_MS: Millis = CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) + CONSTANTS.askMsMax + 50;
function snapshotOf(seq: number, entries: readonly SliceEntry[] = [], ended: Snapshot["ended"] = []): Snapshot {
  return { kind: "snapshot", seq, part: 0, parts: 1, entries, ended };
}

/** The last snapshot of instance 1, which holds ben. */
function heldOf(world: World): Snapshot {
  const said = world.record("publish");
  hear(world, { kind: "sync", asks: "all", held: [], seq: 0, hash: 0, count: 0 }, B1, STRANGER, 1);
  const snapshot = said.find(({ instance, message }) => instance === 1 && message.kind === "snapshot")?.message;
  assert.ok(snapshot?.kind === "snapshot");
  world.advance(2_000);
  return snapshot;
}

const APPLIED: Record<string, (held: Snapshot) => BusMessage> = {
  "an empty snapshot": () => snapshotOf(NEVER_REACHED),
  "a snapshot of somebody else": () => snapshotOf(NEVER_REACHED, [{ slot: 0, attempt: 1, seq: 1, member: memberOf("eve") }]),
  "a change": ({ seq }) => ({
    kind: "delta",
    prev: seq,
    seq: NEVER_REACHED,
    ops: [{ op: "set", slot: 7, attempt: 1, member: memberOf("eve") }],
  }),
  "a leave": ({ seq, entries: [ben] }) => ({
    kind: "delta",
    prev: seq,
    seq: NEVER_REACHED,
    ops: [{ op: "del", memberId: (ben as SliceEntry).member.memberId, attempt: 1, reason: "left" }],
  }),
};
for (const [what, forge] of Object.entries(APPLIED)) {
  test(`[R4.21] ${what} at a position that the owner never reached is a divergence, and ends with its next word`, () => {
    const { world } = settled();
    const forged = forge(heldOf(world));
    const said = world.record("publish");
    hear(world, forged);
    assert.notEqual(world.difference(), undefined);
    world.untilEqual(BEACON_MS);
    assert.deepEqual([world.instance(0).counted.divergence, asksBy(said, 0).length], [1, 1]);
    // After that it is over.
    said.length = 0;
    world.advance(60_000);
    assert.deepEqual([asksBy(said, 0).length, world.difference()], [0, undefined]);
  });

  test(`[R4.20] ${what} that was said in an instance's name and that it hears, too, is put right at once`, () => {
    eachSeed(10, (seed) => {
      const { world, ben } = settled(seed);
      hearAll(world, forge(heldOf(world)));
      assert.deepEqual([world.instance(1).counted.forged, ben.roster()], [1, ["ana", "ben"]]);
      world.untilEqual(CONSTANTS.answerMs + CONSTANTS.askMsMax + 50);
    });
  });
}

test("[R4.21] a change whose position was damaged on its way is put right by the beacon after it", () => {
  const { world, ben } = settled();
  let damages = 1;
  const rewrites = ({ to, message }: Delivery) =>
    to === 0 && message.kind === "delta" && damages-- > 0 ? { ...message, seq: message.seq + 1000 } : message;
  world.network.faults = { ...HEALTHY, rewrites };
  ben.update({ state: { n: 1 } });
  world.advance(20);
  ben.update({ state: { n: 2 } });
  world.untilEqual(CONSTANTS.beaconAfterChangeMs[0] ?? 0);
  assert.equal(world.instance(0).counted.divergence, 1);
});

test("[R3.9] a change whose position was damaged to that of the next one is a divergence, although hash and count agree later", () => {
  const { world, ana, ben } = settled();
  let damages = 1;
  const rewrites = ({ to, message }: Delivery) =>
    to === 0 && message.kind === "delta" && damages-- > 0 ? { ...message, seq: message.seq + 1 } : message;
  world.network.faults = { ...HEALTHY, rewrites };
  ben.update({ state: { n: 1 } });
  ben.update({ state: { n: 2 } });
  world.untilEqual(CONSTANTS.askMsMax + 50);
  assert.deepEqual([ana.sees("ben")?.state, world.instance(0).counted.divergence], [{ n: 2 }, 1]);
});

test("[R3.10] any word of the owner shows it, a cursor as well", () => {
  const { world, ben } = settled();
  hear(world, snapshotOf(NEVER_REACHED));
  ben.move(1, 1);
  world.untilEqual(CONSTANTS.askMsMax + 50);
  assert.equal(world.instance(0).counted.divergence, 1);
});

test("[R3.10] a word below the position held changes nothing by itself", () => {
  const { world, ana, ben } = settled();
  const held = heldOf(world);
  ben.update({ status: "idle" });
  world.advance(5_000);
  ana.log.length = 0;
  hear(world, held);
  hear(world, { kind: "delta", prev: held.seq - 1, seq: held.seq, ops: [] });
  world.advance(CONSTANTS.askMsMin - 1);
  assert.deepEqual([ana.log, world.instance(0).counted.divergence], [[], 1]);
});

for (const kind of ["sync", "beacon", "cursors"] as const) {
  test(`[R4.1] ${kind} that name a position which the owner never reached ask once, and its answer ends that: beacon or replay`, () => {
    for (const isBehind of [false, true]) {
      const { world, ben } = settled();
      if (isBehind) {
        world.network.faults = { ...HEALTHY, loses: ({ to, message }) => to === 0 && message.kind === "delta" };
        ben.update({ state: { lost: true } });
        world.advance(10);
        world.network.faults = HEALTHY;
      }
      const said = world.record("publish");
      const rest = { sync: { hash: 1, count: 1, asks: [] }, beacon: { hash: 1, count: 1 }, cursors: { moves: [] } };
      hear(world, { kind, seq: NEVER_REACHED, ...rest[kind] });
      world.advance(CONSTANTS.askMsMax + 50);
      assert.deepEqual([asksBy(said, 0).length, world.difference()], [1, undefined]);
      const answers = said.filter(({ instance, message }) => instance === 1 && message.kind === (isBehind ? "replay" : "beacon"));
      assert.equal(answers.length, 1);
      world.advance(200);
      assert.equal(asksBy(said, 0).length, 1);
    }
  });
}

test("[R4.20] a position forged in an instance's name does not make it believe that its later changes came back", () => {
  const { world, ben } = settled(1, { boardUnechoedMs: 60_000 });
  hear(world, { kind: "beacon", seq: NEVER_REACHED, hash: 0, count: 0 }, B1, world.instance(1).instanceId, 1);
  world.advance(5_000);
  const said = world.record("publish");
  world.network.faults = { ...HEALTHY, loses: ({ from, to, boardId }) => from === 1 && to === 1 && boardId !== undefined };
  ben.update({ status: "idle" });
  world.advance(10_000);
  assert.ok(said.filter(({ instance, message }) => instance === 1 && message.kind === "beacon").length >= 4);
});

// R11: ends that no owner said.

test("[R11.6] an instance ends only what it holds: a leave of somebody else is a divergence, of another attempt, too", () => {
  const { world, ana, ben } = settled();
  ben.join();
  world.advance(2_000);
  const { seq, entries } = heldOf(world);
  const held = entries[0] as SliceEntry;
  const ends = [
    { memberId: ana.session.memberId, attempt: ATTEMPT_MAX },
    { memberId: held.member.memberId, attempt: held.attempt - 1 },
    { memberId: held.member.memberId, attempt: ATTEMPT_MAX },
  ];
  ana.log.length = 0;
  for (const [index, end] of ends.entries()) {
    hear(world, { kind: "delta", prev: seq + index, seq: seq + index + 1, ops: [{ op: "del", ...end, reason: "left" }] });
    assert.deepEqual([ana.roster(), ana.session.isSuperseded, world.instance(0).counted.divergence], [["ana", "ben"], false, 1]);
  }
  world.advance(BEACON_MS);
  assert.deepEqual([ana.log, world.difference()], [[], undefined]);
});

test("[R11.8] an end that was said in an owner's name is taken back by its next snapshot, not only after 45 s", () => {
  const { world, ana, ben } = settled();
  const { memberId } = ben.session;
  hearAll(world, snapshotOf(NEVER_REACHED, [], [{ memberId, attempt: ATTEMPT_MAX }]));
  assert.deepEqual([ana.roster(), ben.session.isSuperseded], [["ana"], false]);
  world.untilEqual(CONSTANTS.answerMs + CONSTANTS.askMsMax + 50);
  ben.join();
  world.untilEqual(50);
  // An end that the owner itself says is an end.
  ben.leave();
  world.advance(50);
  assert.deepEqual(ana.roster(), ["ana"]);
});

test("[R11.8] an end is taken back by nobody else: an instance that has not heard of it brings nobody back", () => {
  const { world, ana, ben } = settled();
  ben.leave();
  world.advance(50);
  hear(world, snapshotOf(1, [{ slot: 0, attempt: 1, seq: 1, member: memberOf("ben") }]), B1, STRANGER);
  assert.deepEqual(ana.roster(), ["ana"]);
});

test("[R11.7] a snapshot cannot end whom it lists", () => {
  const { world, ana } = settled();
  const held = heldOf(world);
  hear(world, { ...held, ended: held.entries.map(({ member: { memberId } }) => ({ memberId, attempt: ATTEMPT_MAX })) });
  assert.deepEqual(ana.roster(), ["ana", "ben"]);
});

test("[R11.17] the highest attempt there is, claimed for somebody in another's name, locks the session out until that other's next word", () => {
  const { world } = settled();
  const held = heldOf(world);
  hearAll(world, snapshotOf(NEVER_REACHED, [...held.entries, { slot: 9, attempt: ATTEMPT_MAX, seq: 1, member: memberOf("dan") }]));
  assert.deepEqual(world.join("dan", { board: "b1", via: 0 }).refusals, ["superseded"]);
  world.untilEqual(CONSTANTS.answerMs + CONSTANTS.askMsMax + 50);
  assert.deepEqual(world.join("dan", { board: "b1", via: 0 }).refusals, []);
});

test("[R3.4] [R3.12] what an abandoned connection left does not pass for the newest, also if it comes in two bursts", () => {
  const beatMs = CONSTANTS.heartbeatMs;
  const peer = new Peer("a" as InstanceId, 3, CONSTANTS, 0);
  assert(peer.isNewestBeat(3, 100, 1, 0));
  // Both bursts come between two beats of the new connection.
  for (const [at, beat] of [
    [10, 90],
    [10, 91],
    [0.8 * beatMs, 92],
    [0.8 * beatMs, 93],
  ] as const)
    assert.equal(peer.isNewestBeat(2, beat, 1, at), false);
  assert(peer.isNewestBeat(3, 101, 2, beatMs));
  // One that speaks on is believed with its third beat: the higher link was forged.
  assert.deepEqual(
    [0, 1, 2].map((nth) => peer.isNewestBeat(2, 94 + nth, 3, (2 + nth) * beatMs)),
    [false, false, true],
  );
});
