/** The harm that anybody who may publish on the bus can do with a message or two, and how soon it is over. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { asksBy, B1, lose, loseNothing, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, type Recorded, type World } from "../testing/world.ts";
import { memberOf, type WorldMember } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import type { BusMessage, Heartbeat } from "./messages.ts";

const { heartbeatMs, downBeats } = CONSTANTS;
/** The effects of forged messages are over within this time. */
const HEALED_MS: Millis = 5_000;

function heartbeat(beat: number, more: Partial<Heartbeat> = {}): Heartbeat {
  return {
    kind: "heartbeat",
    beat,
    intervalMs: heartbeatMs,
    beaconMs: CONSTANTS.beaconMsMin,
    boards: 1,
    status: "ready",
    acks: [],
    versions: { min: 1, max: 1 },
    ...more,
  };
}

/** All instances that run hear this message, as if that sender had said it. */
function forge(world: World, from: InstanceId, link: number, message: BusMessage, boardId?: BoardId): void {
  for (const instance of world.instances)
    if (instance.state === "running" && instance.instanceId !== from)
      instance.receive(() => ({ kind: "heard", boardId, from, link, message }));
}

function stranger(number: number): InstanceId {
  return `${number.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000` as InstanceId;
}

function peersOf(world: World, instance: number) {
  return world.instance(instance).core.stats(0).peers;
}

function leavesIn(...members: WorldMember[]): string[] {
  return members.flatMap(({ log }) => log.filter((line) => line.startsWith("-")));
}

function lastBeatOf(said: readonly Recorded<"publish">[], instance: number): Heartbeat {
  const { message } = said.findLast((one) => one.instance === instance && one.message.kind === "heartbeat") ?? {};
  assert.ok(message?.kind === "heartbeat");
  return message;
}

/** Longest pause between two heartbeats of an instance, or since its last. */
function longestPauseMs(world: World, said: readonly Recorded<"publish">[], instance: number): Millis {
  const times = said.filter((one) => one.instance === instance && one.message.kind === "heartbeat").map(({ at }) => at);
  return Math.max(...[...times, world.now].slice(1).map((at, index) => at - (times[index] ?? 0)));
}

// R3 Apply.

const CLAIMS: Record<string, BusMessage> = {
  "a beacon": { kind: "beacon", seq: 0, hash: 0, count: 0 },
  cursors: { kind: "cursors", seq: 0, moves: [] },
  "a heartbeat": heartbeat(1),
  "a heartbeat far ahead": heartbeat(2 ** 31),
};
for (const [what, message] of Object.entries(CLAIMS)) {
  test(`[R3.5] ${what} with a forged link number silences its owner for a few beats, and nobody leaves`, () => {
    eachSeed(20, (seed) => {
      const { world, ana, ben } = settled({ seed, instances: 3 });
      world.advance(world.random.between(0, heartbeatMs));
      forge(world, world.instance(1).instanceId, 2 ** 32 - 1, message, message.kind === "heartbeat" ? undefined : B1);
      ben.update({ state: { said: "after it" } });
      world.untilEqual(5 * heartbeatMs);
      world.advance(HEALED_MS);
      assert.deepEqual([world.judges(0, 1), leavesIn(ana), world.difference()], ["up", [], undefined]);
      assert.deepEqual(world.instance(1).recycles, []);
    });
  });
}

for (const beat of [2 ** 31, 2 ** 50, Number.MAX_SAFE_INTEGER]) {
  test(`[R3.5] so does a forged beat, be it ${beat}`, () => {
    eachSeed(10, (seed) => {
      const { world, ana, ben } = settled({ seed, instances: 3 });
      forge(world, world.instance(1).instanceId, 1, heartbeat(beat));
      world.advance(100);
      ben.update({ state: { said: "after it" } });
      world.untilEqual(5 * heartbeatMs);
      world.advance(HEALED_MS);
      assert.deepEqual([world.judges(0, 1), leavesIn(ana), world.instance(1).recycles], ["up", [], []]);
      // Beats of instance 1 are heard again, so that its silence will be noticed.
      world.kill(1);
      world.until(() => ana.sees("ben") === undefined, HEALED_MS);
    });
  });
}

test("[R3.12] heartbeats of an abandoned connection come in one burst, and are not taken for a peer that goes on", () => {
  eachSeed(10, (seed) => {
    const { world } = settled({ seed });
    const { instanceId } = world.instance(1);
    world.network.reset(1, "publisher");
    world.until(() => world.instance(1).isConnected, 2_000);
    world.advance(2 * heartbeatMs);
    const before = world.instance(0).counted.old_link ?? 0;
    for (let beat = 2; beat < 8; beat++) forge(world, instanceId, 1, heartbeat(beat));
    world.advance(world.random.between(0, heartbeatMs));
    for (let beat = 8; beat < 11; beat++) forge(world, instanceId, 1, heartbeat(beat));
    forge(world, instanceId, 1, { kind: "snapshot", seq: 99, part: 0, parts: 1, entries: [], ended: [] }, B1);
    assert.deepEqual([(world.instance(0).counted.old_link ?? 0) - before, world.difference()], [10, undefined]);
  });
});

test("[R3.13] a peer whose beat goes back is in doubt also where nothing of it is held", () => {
  const { world } = settled();
  world.join("dan", { board: "b2", via: 0 });
  world.advance(2_000);
  forge(world, world.instance(1).instanceId, 1, heartbeat(2 ** 31));
  // The forged beat is far ahead: that is a doubt, too, and over by now. The third beat below it comes after 1 s at the earliest.
  world.advance(900);
  const said = world.record("publish");
  world.advance(1_500);
  assert.deepEqual(
    asksBy(said, 0)
      .map(({ boardId }) => boardId)
      .toSorted()
      .slice(0, 2),
    [B1, "b2"],
  );
});

test("[R3.2] the first message of a new connection makes the old one old, heartbeat or not", () => {
  const { world, ana } = settled();
  const { instanceId } = world.instance(1);
  forge(world, instanceId, 2, { kind: "cursors", seq: 0, moves: [] }, B1);
  const entries = [{ slot: 7, attempt: 1, seq: 99, member: memberOf("eve") }];
  forge(world, instanceId, 1, { kind: "snapshot", seq: 99, part: 0, parts: 1, entries, ended: [] }, B1);
  assert.deepEqual([world.instance(0).counted.old_link, ana.roster()], [1, ["ana", "ben"]]);
});

test("[R3.3] a heartbeat is new only with a higher beat, and over a link that is not below the newest", () => {
  const { world } = settled();
  world.network.reset(1, "publisher");
  world.until(() => world.instance(1).isConnected, 2_000);
  const said = world.record("publish");
  world.advance(2 * heartbeatMs);
  const last = lastBeatOf(said, 1);
  lose(world, ({ from }) => from === 1);
  world.until(() => world.judges(0, 1) === "suspect", 3_000);
  const { instanceId } = world.instance(1);
  for (const [link, beat, judgement] of [
    [2, last.beat, "suspect"],
    [1, last.beat + 1, "suspect"],
    [2, last.beat + 1, "up"],
  ] as const) {
    forge(world, instanceId, link, { ...last, beat });
    assert.equal(world.judges(0, 1), judgement, `beat ${beat - last.beat} further over link ${link}`);
  }
});

// R7 Alive.

test("[R7.4] a peer that beats more rarely is given its time: age is counted in the longer of both intervals", () => {
  const { world, ana } = settled();
  let heard = 0;
  const { faults } = world.network;
  const isBeat = (kind: string, from: number) => kind === "heartbeat" && from === 1;
  world.network.faults = {
    ...faults,
    rewrites: ({ from, message }) => (message.kind === "heartbeat" && from === 1 ? { ...message, intervalMs: 1_000 } : message),
    // One beat of four gets through, which makes pauses of two of its own intervals.
    loses: ({ from, to, message }) => to === 0 && isBeat(message.kind, from) && heard++ % 4 !== 0,
  };
  const judged = world.record("peer");
  world.advance(20_000);
  assert.deepEqual(judged, []);
  world.kill(1);
  const diedAt = world.now;
  world.until(() => ana.sees("ben") === undefined, 8_000 + 3 * heartbeatMs);
  assert.ok(world.now - diedAt > downBeats * heartbeatMs, "not by my beats");
});

test("[R7.4] an interval that nobody has by itself is believed up to twice the own one, so that its people do not stay for minutes", () => {
  const { world, ana } = settled();
  const said = world.record("publish");
  world.advance(heartbeatMs);
  forge(world, world.instance(1).instanceId, 1, heartbeat(lastBeatOf(said, 1).beat + 1, { intervalMs: 60_000 }));
  world.kill(1);
  world.until(() => ana.sees("ben") === undefined, 2 * downBeats * heartbeatMs + heartbeatMs);
});

// R8 Up.

test("[R8.4] two heartbeats prove a stranger only if an own echo came back between them", () => {
  const { world } = settled();
  const isProven = () => peersOf(world, 0).some(({ instanceId }) => instanceId === stranger(1));
  forge(world, stranger(1), 1, heartbeat(1));
  forge(world, stranger(1), 1, heartbeat(2));
  assert.equal(isProven(), false);
  world.advance(heartbeatMs + 10);
  assert.equal(isProven(), false);
  forge(world, stranger(1), 1, heartbeat(3));
  assert.equal(isProven(), true);
});

test("[R8.7] of more strangers than are kept a further one is ignored, until one of them has been silent for two beats", () => {
  const { world } = settled({ constants: { strangersMax: 3 } });
  const judged = () => [1, 2, 3, 4].map((number) => world.instance(0).peers.get(stranger(number)));
  for (const number of [1, 2, 3, 4]) forge(world, stranger(number), 1, heartbeat(1));
  assert.deepEqual(judged(), ["up", "up", "up", undefined]);
  world.advance(heartbeatMs + 10);
  forge(world, stranger(4), 1, heartbeat(2));
  assert.deepEqual(judged(), ["up", "up", "up", undefined]);
  world.advance(heartbeatMs);
  forge(world, stranger(4), 1, heartbeat(3));
  assert.deepEqual(judged(), ["down", "up", "up", "up"]);
});

test("[R8.5] a stranger counts for nothing until it has gone on beating; its slices are shown at once", () => {
  const { world, ana } = settled();
  const said = world.record("publish");
  const entries = [{ slot: 0, attempt: 1, seq: 1, member: memberOf("eve") }];
  forge(world, stranger(1), 1, heartbeat(1, { boards: 1_000 }));
  forge(world, stranger(1), 1, { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] }, B1);
  assert.deepEqual([ana.roster(), peersOf(world, 0).length], [["ana", "ben", "eve"], 1]);
  // A second heartbeat at the same moment proves nothing.
  forge(world, stranger(1), 1, heartbeat(2));
  assert.equal(peersOf(world, 0).length, 1);
  world.advance(heartbeatMs);
  const isAcked = () => lastBeatOf(said, 0).acks.some(({ peer }) => peer === 1);
  assert.ok(!isAcked());
  forge(world, stranger(1), 1, heartbeat(3));
  assert.deepEqual(
    peersOf(world, 0).map(({ state }) => state),
    ["up", "up"],
  );
  world.advance(heartbeatMs);
  assert.ok(isAcked());
});

for (const [what, say] of Object.entries({
  "a heartbeat": () => [undefined, heartbeat(1_000, { boards: 2 ** 32 - 1, intervalMs: 60_000, beaconMs: 2_097_151 })],
  "a beacon": () => [B1, { kind: "beacon", seq: 1, hash: 1, count: 1 }],
  "a goodbye": () => [undefined, { kind: "goodbye" }],
} satisfies Record<string, () => [BoardId | undefined, BusMessage]>)) {
  test(`[R8.5] [R8.6] ten thousand forged senders of ${what} slow nobody down, are listed nowhere, and are forgotten`, () => {
    const { world, ana } = settled({ instances: 3 });
    const said = world.record("publish");
    for (let number = 0; number < 10_000; number++) {
      const [boardId, message] = say() as [BoardId | undefined, BusMessage];
      forge(world, stranger(number), 1, message, boardId);
    }
    assert.deepEqual([peersOf(world, 0).length, world.instance(0).peers.size <= 2 + CONSTANTS.strangersMax], [2, true]);
    // Strangers are in nobody's way: a death, a newcomer and a lost connection are noticed as usual.
    world.kill(1);
    world.until(() => ana.sees("ben") === undefined, HEALED_MS);
    assert.ok(longestPauseMs(world, said, 0) <= heartbeatMs + 20);
    assert.ok(lastBeatOf(said, 0).beaconMs === CONSTANTS.beaconMsMin);
    world.join("dan", { board: "b1", via: world.start() });
    world.untilEqual(heartbeatMs);
    world.network.reset(0, "publisher");
    world.untilEqual(2_000);
  });
}

test("[R7.3] forged senders that go on slow it down for a few seconds", () => {
  eachSeed(5, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    const said = world.record("publish");
    for (let beat = 1; beat <= 3; beat++) {
      for (let number = 0; number < 2_000; number++) forge(world, stranger(number), 1, heartbeat(beat, { boards: 2 ** 32 - 1 }));
      world.advance(heartbeatMs + 20);
    }
    world.advance(HEALED_MS);
    // Pauses grow by a quarter with each beat, until the strangers are suspected.
    assert.ok(longestPauseMs(world, said, 0) <= 2_000, `${longestPauseMs(world, said, 0)}`);
    said.length = 0;
    world.advance(2_000);
    assert.ok(longestPauseMs(world, said, 0) <= heartbeatMs + 20);
  });
});

test("[R8.9] boards that are not there put off neither recovery nor beacons", () => {
  eachSeed(10, (seed) => {
    const { world, ana, ben } = settled({ seed, instances: 3 });
    const said = world.record("publish");
    world.advance(heartbeatMs);
    for (const peer of [1, 2])
      forge(world, world.instance(peer).instanceId, 1, heartbeat(lastBeatOf(said, peer).beat + 1, { boards: 2 ** 32 - 1, beaconMs: 1 }));
    // A board's first beacon and the time of its question in a recovery are decided at this very moment.
    for (const { session } of [ana, ben]) session.join("b2" as BoardId, {});
    world.network.reset(0, "publisher");
    world.untilEqual(2_000);
    world.advance(3_000);
    said.length = 0;
    world.advance(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter));
    assert.deepEqual(new Set(saidBy(said, 0, "beacon").map(({ boardId }) => boardId)), new Set([B1, "b2"]));
  });
});

/** Each side is alone with its own Redis for longer than a peer is remembered; then there is one bus again, without a new connection. */
function apart(world: World, side: readonly number[], forMs: Millis): void {
  world.network.split(side, { stays: true });
  world.advance(forMs);
}

for (const [what, instances, side] of [
  ["two and two", 4, [2, 3]],
  ["one and one", 2, [1]],
  ["one and many", 5, [4]],
] as const) {
  test(`[R8.8] ${what} that forgot each other are equal within 2 s of meeting again, without a new connection`, () => {
    eachSeed(15, (seed) => {
      const { world, ana, ben } = settled({ seed, instances });
      apart(world, side, 70_000);
      ana.update({ status: "idle" });
      ben.update({ status: "idle" });
      world.join("zoe", { board: "b2", via: 0 });
      world.join("yan", { board: "b2", via: side[0] });
      // This is long enough for both beacons after a change.
      world.advance(world.random.between(20_000, 40_000));
      const connects = world.record("recycle");
      for (const index of side) world.network.mend(index);
      world.untilEqual(2_000);
      assert.deepEqual(connects, []);
    });
  });
}

test("[R8.8] an instance that has just started doubts nobody: it asks on its boards by itself", () => {
  const { world } = settled({ instances: 3 });
  world.advance(60_000);
  const said = world.record("publish");
  const late = world.start();
  world.until(() => world.instance(late).core.inspection.stats(world.now).status === "ready", 2_000);
  world.join("dan", { board: "b1", via: late });
  world.advance(5_000);
  const asks = saidBy(said, late, "sync").map(({ message }) => message.kind === "sync" && message.asks);
  assert.deepEqual(asks, ["all", "all"]);
});

test("[R4.17] questions after a revival are spread over the time that the pairs of the cluster need", () => {
  const { world, ana, ben } = settled({ constants: { recoveryPairsPerSecond: 10 } });
  for (let index = 0; index < 9; index++) {
    ana.session.join(`more-${index}` as BoardId, {});
    ben.session.join(`more-${index}` as BoardId, {});
  }
  world.advance(3_000);
  lose(world, ({ from, to }) => from === 1 && to === 0);
  world.until(() => world.judges(0, 1) === "down", HEALED_MS);
  const said = world.record("publish");
  loseNothing(world);
  world.untilEqual(3_000);
  const times = saidBy(said, 0, "sync").map(({ at }) => at);
  // Twenty pairs at ten a second.
  const spreadMs = Math.max(...times) - Math.min(...times);
  assert.ok(times.length >= 10 && spreadMs > 700 && spreadMs <= 2_500, `${times.length} in ${spreadMs} ms`);
});

// R6 Beacons.

test("[R6.5] a peer that appears ends the thinning of beacons: how many heard the last publish says nothing any more", () => {
  eachSeed(10, (seed) => {
    const { world } = settled({ seed });
    apart(world, [1], 120_000 + seed * 1_000);
    // No question gets through: only a beacon tells.
    lose(world, ({ message }) => message.kind === "sync");
    world.network.mend(1);
    const said = world.record("publish");
    world.advance(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter));
    for (const instance of [0, 1]) assert.ok(saidBy(said, instance, "beacon").length > 0, `${instance}`);
  });
});

// R9 Broken bus.

test("[R9.8] while nothing comes back for 30 s nobody remote is shown, also nobody heard of later; then all are judged as ever", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    world.network.cut(0, { links: ["publisher"] });
    world.advance(CONSTANTS.clearRemoteMs + 2 * heartbeatMs);
    assert.deepEqual(ana.roster(), ["ana"]);
    const late = world.start();
    world.join("dan", { board: "b1", via: late });
    world.join("eve", { board: "b1", via: world.start() });
    world.advance(world.random.between(1_000, 20_000));
    assert.deepEqual(ana.roster(), ["ana"]);
    // The instance dies unseen, or just as everything is well again.
    world.kill(late);
    if (seed % 2 === 0) world.advance(world.random.between(0, 60_000));
    world.network.mend(0);
    world.until(() => world.instance(0).isConnected, 2_000);
    world.untilEqual(HEALED_MS);
    assert.deepEqual(ana.roster(), ["ana", "ben", "cleo", "eve"]);
  });
});

// R12 Goodbye.

test("[R12.6] a peer that goes on beating has not left, whatever was said in its name", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    forge(world, world.instance(1).instanceId, 1, { kind: "goodbye" });
    assert.deepEqual([ana.sees("ben")?.status, world.judges(0, 1)], ["reconnecting", "left"]);
    world.untilEqual(heartbeatMs + 20);
    world.advance(CONSTANTS.goodbyeMs + 1_000);
    assert.deepEqual([leavesIn(ana), world.judges(0, 1)], [[], "up"]);
  });
});

test("[R12.2] an instance that stops right after its start, before it has proved itself, leaves its people shown until they are claimed", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed, instances: 2 });
    const late = world.start();
    world.until(() => world.instance(late).isReady, 1_000);
    const zoe = world.join("zoe", { board: "b1", via: late });
    world.until(() => ana.roster().includes("zoe"), heartbeatMs);
    world.stop(late);
    world.advance(1_000);
    assert.deepEqual([ana.sees("zoe")?.status, leavesIn(ana)], ["reconnecting", []]);
    zoe.resume({ via: 1 });
    world.untilEqual(1_000);
    world.advance(CONSTANTS.goodbyeMs + 1_000);
    assert.deepEqual([ana.sees("zoe")?.status, leavesIn(ana)], ["active", []]);
  });
});
