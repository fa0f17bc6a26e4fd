import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { watchSlices } from "../testing/checkers/slices.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { asksBy, B1, isTo, lose, loseNothing, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";
import type { Delta, Snapshot, Sync } from "./messages.ts";

/** A question and its answer, each once through Redis, at its slowest. */
const ROUND_TRIP_MS: Millis = 4 * HEALTHY.latencyMsMax;
/** The backoff between asks is jittered up to this. */
const ASK_JITTER = 1.25;
const ASKED_AND_ANSWERED_MS: Millis = CONSTANTS.askMsMax + ROUND_TRIP_MS;

// R1 One writer.

test("[R1.1] nobody tells a newcomer about members of an instance that cannot speak for itself", () => {
  const { world } = settled({ instances: 3 });
  watchSlices(world);
  world.kill(0);
  const dan = world.join("dan", { board: "b1", via: world.start() });
  world.advance(500);
  assert.deepEqual([dan.roster(), world.judges(1, 0)], [["ben", "cleo", "dan"], "up"]);
});

// R2 One counter.

test("[R2.3] the first change of an empty slice travels as a snapshot, the next ones as deltas on top of it", () => {
  const { world, ana, ben } = settled();
  ana.leave();
  world.advance(1_000);
  const said = world.record("publish");
  ana.join();
  ana.update({ status: "idle" });
  assert.deepEqual(ben.roster(), ["ben"]);
  world.advance(20);
  assert.deepEqual(ben.roster(), ["ana", "ben"]);
  const [first, second] = saidBy(said, 0).map(({ message }) => message);
  assert.ok(first?.kind === "snapshot" && second?.kind === "delta");
  assert.equal(second.prev, first.seq);
});

test("[R2.1] numbers rise over all boards of an instance, and go on when a board is forgotten and opened again", () => {
  const world = new World({ seed: 1, instances: 2 });
  watchSlices(world);
  const said = world.record("publish");
  const ana = world.join("ana", { board: "b1", via: 0 });
  const anaElsewhere = ana.session.join("b2" as BoardId, {});
  world.advance(100);
  for (const [index, member] of [ana, anaElsewhere, ana].entries()) member.update({ state: { index } });
  world.advance(100);
  ana.leave();
  world.advance(CONSTANTS.lingerMs + 100);
  assert.deepEqual([...world.instance(0).boards], ["b2"]);
  ana.join();
  world.advance(100);
  const seqs = saidBy(said, 0, "snapshot", "delta").map(({ message }) => ("seq" in message ? message.seq : 0));
  // Two joins, three updates, a leave and a join.
  assert.deepEqual([...new Set(seqs)], [1, 2, 3, 4, 5, 6, 7]);
});

// R3 Apply.

test("[R2.2] a delta says where its slice stood before and stands now, also where changes on another board came in between", () => {
  const { world, ana } = settled();
  const elsewhere = ana.session.join("b2" as BoardId, {});
  world.advance(1_000);
  const said = world.record("publish");
  for (const [index, member] of [ana, elsewhere, ana].entries()) member.update({ state: { index } });
  const deltas = saidBy(said, 0, "delta").map(({ boardId, message }) => ({ boardId, ...(message as Delta) }));
  const [first, between, last] = deltas;
  assert.ok(first !== undefined && between !== undefined && last !== undefined && deltas.length === 3);
  assert.deepEqual([between.seq, last.seq], [first.seq + 1, first.seq + 2]);
  assert.deepEqual([last.prev, between.prev < first.prev, between.boardId], [first.seq, false, "b2"]);
});

test("[R2.4] an instance says nothing on a board before it is subscribed there, and then begins with a snapshot of the members it has by then", () => {
  const world = new World({ seed: 1, instances: 2 });
  world.network.refuse(0, { on: B1, links: ["subscriber"] });
  const said = world.record("publish");
  const ana = world.join("ana", { board: "b1", via: 0 });
  ana.update({ state: { early: true } });
  ana.broadcast("wave", 1);
  world.advance(5_000);
  assert.deepEqual(saidBy(said, 0), []);
  world.network.mend(0);
  world.until(() => saidBy(said, 0).length > 0, 2_000);
  const [{ message } = {}] = saidBy(said, 0);
  assert.ok(message?.kind === "snapshot");
  assert.deepEqual(
    message.entries.map(({ member }) => [member.username, member.state]),
    [["ana", { early: true }]],
  );
});

test("[R2.5] a large snapshot comes in parts of one seq, none with more members than one message may have", () => {
  const { world } = settled({ constants: { snapshotMembersMax: 3 } });
  for (let index = 0; index < 6; index++) world.join(`person${index}`, { board: "b1", via: 0 });
  world.advance(2_000);
  const said = world.record("publish");
  const newcomer = world.start();
  world.advance(2_000);
  world.join("dan", { board: "b1", via: newcomer });
  world.until(() => saidBy(said, 0, "snapshot").length > 0, 100);
  const parts = saidBy(said, 0, "snapshot").map(({ message }) => message as Snapshot);
  assert.deepEqual(
    parts.map(({ part, parts, entries }) => [part, parts, entries.length]),
    [
      [0, 3, 3],
      [1, 3, 3],
      [2, 3, 1],
    ],
  );
  assert.equal(new Set(parts.map(({ seq }) => seq)).size, 1);
});

test("[R2.6] a slot is not given to somebody else within 60 s", () => {
  const { world, ana } = settled();
  const said = world.record("publish");
  ana.leave();
  const slotOf = (name: string) => {
    world.join(name, { board: "b1", via: 0 });
    world.advance(100);
    const snapshot = saidBy(said, 0, "snapshot").at(-1)?.message;
    const delta = saidBy(said, 0, "delta").at(-1)?.message;
    const op = delta?.kind === "delta" ? delta.ops[0] : undefined;
    if (op?.op === "set" && op.member.username === name) return op.slot;
    return snapshot?.kind === "snapshot" ? snapshot.entries[0]?.slot : undefined;
  };
  assert.equal(slotOf("bob"), 1);
  world.advance(CONSTANTS.numberRestMs - 1_000);
  assert.equal(slotOf("cleo"), 2);
  world.advance(1_000);
  assert.equal(slotOf("dan"), 0);
});

test("[R3.1] what an abandoned connection had in its buffer is dropped when Redis executes it later", () => {
  const { world, ana, ben } = settled();
  world.network.hang(0, "publisher");
  ana.broadcast("wave", "first");
  ana.update({ status: "idle" });
  world.until(() => world.instance(0).recycles.length > 0, 6_000);
  world.untilEqual(6_000);
  ana.broadcast("wave", "second");
  world.advance(100);
  world.network.mend(0);
  world.advance(100);
  assert.deepEqual(ben.events, ['ana wave "second"']);
  assert.ok((world.instance(1).counted.old_link ?? 0) >= 2);
});

test("[R3.6] a delta applies at once where the one before it is held, and not where that was lost", () => {
  const { world, ana, ben } = settled();
  ana.update({ state: { n: 1 } });
  world.advance(ROUND_TRIP_MS);
  assert.deepEqual(ben.sees("ana")?.state, { n: 1 });
  lose(world, isTo(1, "delta"));
  ana.update({ status: "idle" });
  world.advance(ROUND_TRIP_MS);
  loseNothing(world);
  ana.update({ state: { n: 2 } });
  world.advance(ROUND_TRIP_MS);
  assert.deepEqual([ben.sees("ana")?.status, ben.sees("ana")?.state], ["active", { n: 1 }]);
});

test("[R3.8] messages that come twice change nothing twice", () => {
  const { world, ana, ben } = settled({ faults: { duplicateRate: 1 } });
  ana.update({ state: { tool: "pen" } });
  ana.leave();
  ana.join();
  world.advance(20_000);
  assert.deepEqual(ben.log.slice(1), ['~ana {"state":{"tool":"pen"}}', "-ana left", "+ana"]);
  assert.deepEqual([world.instance(1).counted.divergence, world.instance(1).counted.ask], [undefined, undefined]);
});

test("[R3.10] a snapshot older than what is held is dropped", () => {
  const { world, ana, ben } = settled();
  const old = world.record("publish");
  world.join("newcomer", { board: "b1", via: world.start() });
  world.advance(500);
  const snapshot = saidBy(old, 0, "snapshot")[0]?.message;
  ana.update({ status: "idle" });
  world.advance(2_000);
  assert.ok(snapshot !== undefined);
  let repeats = 0;
  world.network.faults = {
    ...HEALTHY,
    rewrites: ({ from, message }) => (from === 0 && message.kind === "delta" && repeats++ >= 0 ? snapshot : message),
  };
  ana.update({ status: "active" });
  world.advance(20);
  assert.deepEqual([repeats > 0, ben.sees("ana")?.status, ben.log.at(-1)], [true, "idle", "~ana idle"]);
});

test("[R3.7] a snapshot in parts counts once it is whole, also for a first joiner", () => {
  const { world } = settled({ constants: { snapshotMembersMax: 2 } });
  for (const name of ["cleo", "dan", "eve", "finn"]) world.join(name, { board: "b1", via: 0 });
  const newcomer = world.start();
  world.advance(2_000);
  const said = world.record("publish");
  const gil = world.join("gil", { board: "b1", via: newcomer });
  world.untilEqual(60);
  const parts = saidBy(said, 0, "snapshot").flatMap(({ message }) => (message.kind === "snapshot" ? [message.part] : []));
  assert.deepEqual(parts.slice(0, 3), [0, 1, 2]);
  assert.deepEqual(gil.log, ["joined ana ben cleo dan eve finn gil"]);
});

for (const lost of [0, 1, 2]) {
  test(`[R3.7] a snapshot without part ${lost} of 3 is a gap: the others are not taken for the whole`, () => {
    const { world } = settled({ constants: { snapshotMembersMax: 2 } });
    for (const name of ["cleo", "dan", "eve", "finn"]) world.join(name, { board: "b1", via: 0 });
    const newcomer = world.start();
    world.advance(2_000);
    let losses = 0;
    lose(
      world,
      ({ from, to, message }) => from === 0 && to === newcomer && message.kind === "snapshot" && message.part === lost && losses++ < 3,
    );
    const gil = world.join("gil", { board: "b1", via: newcomer });
    const sizes = new Set<number>();
    world.until(() => sizes.add(gil.roster().length).has(7), 1_500);
    // Of ana's instance either no member is shown or all are.
    assert.deepEqual([losses > 1, [...sizes].filter((size) => size > 2)], [true, [7]]);
  });
}

test("events come once, in the order of each sender, to all but the sender", () => {
  const { world, ana, ben } = settled();
  const bob = world.join("bob", { board: "b1", via: 0 });
  world.advance(100);
  for (const count of [1, 2, 3]) ana.broadcast("count", count);
  world.advance(100);
  assert.deepEqual([ana.events, bob.events, ben.events], [[], ...Array(2).fill(["ana count 1", "ana count 2", "ana count 3"])]);
});

// R4 Doubt.

test("[R4.7] a gap: the owner is asked within 20–100 ms, by name and with the position held", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed });
    const said = world.record("publish");
    lose(world, isTo(1, "delta"));
    ana.update({ state: { lost: true } });
    world.advance(10);
    loseNothing(world);
    ana.update({ state: { heard: true } });
    const gapAt = world.now;
    const tookMs = world.untilEqual(ASKED_AND_ANSWERED_MS);
    const ask = asksBy(said, 1)[0];
    assert.ok(ask?.message.kind === "sync" && ask.message.asks !== "all");
    assert.deepEqual(
      ask.message.asks.map(({ owner }) => owner),
      [world.instance(0).instanceId],
    );
    assert.ok(ask.at - gapAt >= CONSTANTS.askMsMin && tookMs >= CONSTANTS.askMsMin);
    assert.deepEqual(ben.sees("ana")?.state, { lost: true, heard: true });
  });
});

test("[R4.1] cursors ahead of what is held raise a doubt, and move nobody wrongly", () => {
  const { world, ana, ben } = settled();
  lose(world, isTo(1, "delta", "snapshot"));
  ana.update({ state: { lost: true } });
  world.advance(10);
  loseNothing(world);
  ana.move(3, 4);
  world.untilEqual(ASKED_AND_ANSWERED_MS + 10);
  assert.deepEqual(ben.cursorOf("ana"), { x: 3, y: 4 });
});

test("[R4.7] one question names all who are in doubt", () => {
  const { world, ana, ben } = settled({ instances: 3 });
  const said = world.record("publish");
  lose(world, isTo(2, "delta"));
  for (const member of [ana, ben]) member.update({ state: { lost: true } });
  world.advance(10);
  loseNothing(world);
  for (const member of [ana, ben]) member.update({ state: { heard: true } });
  world.untilEqual(ASKED_AND_ANSWERED_MS);
  assert.deepEqual(
    asksBy(said, 2).map(({ message }) => (message as Sync).asks.length),
    [2],
  );
});

test("[R4.2] [R4.3] divergence, an equal position with another hash, is counted and ends by a snapshot", () => {
  const { world, ana, ben } = settled();
  const said = world.record("publish");
  const rewrites = ({ to, message }: Delivery) =>
    to === 1 && message.kind === "delta"
      ? { ...message, ops: message.ops.map((op) => (op.op === "set" ? { ...op, attempt: op.attempt + 1 } : op)) }
      : message;
  world.network.faults = { ...HEALTHY, rewrites };
  ana.join({ state: { tool: "pen" } });
  world.advance(100);
  world.network.faults = HEALTHY;
  // The beacon 0.3 s after the change shows it.
  world.advance(300 + ASKED_AND_ANSWERED_MS);
  assert.deepEqual([world.instance(1).counted.divergence, ben.sees("ana")?.state], [1, { tool: "pen" }]);
  assert.deepEqual(
    asksBy(said, 1).map(({ message }) => (message as Sync).asks),
    [[{ owner: world.instance(0).instanceId, seq: 0 }]],
  );
  assert.equal(saidBy(said, 0, "snapshot").length, 1);
});

test("[R4.4] a skipped beat of a peer: what was lost with it is asked for", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed });
    lose(world, ({ from, to }) => from === 0 && to === 1);
    ana.update({ state: { lost: true } });
    // Both beacons after the change are lost, too.
    world.advance(1_700);
    loseNothing(world);
    world.untilEqual(CONSTANTS.heartbeatMs + ASKED_AND_ANSWERED_MS);
  });
});

test("[R4.6] after four beacon periods without a word the owner is asked", () => {
  const { world, ana } = settled();
  lose(world, ({ from, to, boardId }) => from === 0 && to === 1 && boardId !== undefined);
  ana.update({ state: { lost: true } });
  world.advance(CONSTANTS.beaconMsMin * (CONSTANTS.silentBeacons - 1));
  loseNothing(world);
  // Its own beacons are lost as well, so that only silence can tell.
  lose(world, isTo(1, "beacon", "cursors"));
  world.untilEqual(CONSTANTS.beaconMsMin * 2);
});

test("[R4.8] [R4.13] a living owner that leaves five asks unanswered has no slice here; backoff 0.25 to 1 s", () => {
  const { world, ana, ben } = settled();
  const said = world.record("publish");
  lose(world, ({ from, to, boardId }) => from === 0 && to === 1 && boardId !== undefined);
  ana.update({ state: { lost: true } });
  world.advance(CONSTANTS.beaconMsMin * CONSTANTS.silentBeacons);
  assert.deepEqual(ben.roster(), ["ana", "ben"]);
  world.until(() => !ben.roster().includes("ana"), 20_000);
  const askedAt = asksBy(said, 1).map(({ at }) => at);
  assert.equal(askedAt.length, CONSTANTS.unansweredAsksMax);
  const gaps = askedAt.slice(1).map((at, index) => at - (askedAt[index] ?? 0));
  assert.ok(
    gaps.every((gap) => gap >= CONSTANTS.askBackoffMsMin && gap <= CONSTANTS.askBackoffMsMax * ASK_JITTER),
    `${gaps}`,
  );
  // Its first word brings it back.
  loseNothing(world);
  world.untilEqual(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) + ASKED_AND_ANSWERED_MS);
});

test("[R4.19] a skipped beat of a peer that is not on the board asks nobody; a silence of three, or its revival, asks it twice, and no more", () => {
  const { world } = settled({ instances: 2 });
  const third = world.start();
  world.advance(2_000);
  const said = world.record("publish");
  const silent = (ms: Millis) => {
    said.length = 0;
    lose(world, ({ from, to }) => from === third && to === 0);
    world.advance(ms);
    loseNothing(world);
    world.advance(20_000);
    return asksBy(said, 0).length;
  };
  assert.equal(silent(1.2 * CONSTANTS.heartbeatMs), 0);
  assert.equal(silent(CONSTANTS.suspectBeats * CONSTANTS.heartbeatMs + 100), CONSTANTS.unansweredAsksMaxUnknown);
  said.length = 0;
  lose(world, ({ from, to }) => from === third && to === 0);
  world.until(() => world.judges(0, third) === "down", 6_000);
  loseNothing(world);
  world.advance(20_000);
  assert.equal(asksBy(said, 0).length, CONSTANTS.unansweredAsksMaxUnknown);
});

test("[R4.15] a silence of three beats may hide that there is a slice at all: it is asked for", () => {
  eachSeed(10, (seed) => {
    // There is a third instance, so that the one which is not heard does not believe itself mute (R10).
    const { world } = settled({ seed, instances: 3 });
    world.join("zoe", { board: "b2", via: 0 });
    world.advance(3_000);
    // Lost is all that instance 1 says of its first member on b2, both beacons after it included.
    lose(world, ({ from, to }) => from === 1 && to === 0);
    const yan = world.join("yan", { board: "b2", via: 1 });
    world.advance(1_700);
    loseNothing(world);
    world.untilEqual(CONSTANTS.heartbeatMs + ASKED_AND_ANSWERED_MS);
    assert.deepEqual(yan.roster(), ["yan", "zoe"]);
  });
});

test("[R4.15] a peer that stalled, and skipped no beat, is asked when it comes back", () => {
  eachSeed(10, (seed) => {
    // There is a third instance, so that none believes itself alone (R10).
    const { world } = settled({ seed, instances: 3 });
    world.advance(world.random.between(0, 15_000));
    world.pause(1);
    world.until(() => world.judges(0, 1) === "down", 6_000);
    world.resume(1);
    world.untilEqual(CONSTANTS.heartbeatMs + ASKED_AND_ANSWERED_MS);
  });
});

test("[R4.16] a peer of which something is held is asked once with what is held, however long it was silent", () => {
  const { world } = settled();
  const said = world.record("publish");
  lose(world, ({ from, to }) => from === 1 && to === 0);
  world.advance(CONSTANTS.suspectBeats * CONSTANTS.heartbeatMs + 100);
  loseNothing(world);
  world.advance(5_000);
  const asked = asksBy(said, 0).flatMap(({ message }) => (message.kind === "sync" && message.asks !== "all" ? message.asks : []));
  assert.deepEqual([asked.length, (asked[0]?.seq ?? 0) > 0], [1, true]);
});

test("[R4.19] who was asked twice and has no slice is not asked again when another peer was silent", () => {
  const { world } = settled({ instances: 2 });
  const [third, fourth] = [world.start(), world.start()];
  world.advance(2_000);
  const said = world.record("publish");
  const silent = (index: number) => {
    said.length = 0;
    lose(world, ({ from, to }) => from === index && to === 0);
    world.advance(CONSTANTS.suspectBeats * CONSTANTS.heartbeatMs + 100);
    loseNothing(world);
    world.advance(5_000);
    return asksBy(said, 0).map(
      ({ message }) => message.kind === "sync" && message.asks !== "all" && message.asks.map(({ owner }) => owner),
    );
  };
  for (const index of [third, fourth, third]) assert.deepEqual(silent(index), Array(2).fill([world.instance(index).instanceId]));
});

for (const [when, constants] of [
  [
    "was just asked",
    { askMsMin: 2_000, askMsMax: 2_100, askBackoffMsMin: 2_200, askBackoffMsMax: 4_000, openMs: 2_200, successorMs: 3_000 },
  ],
  ["is about to be asked", { recoveryPairsPerSecond: 0.1 }],
] as const) {
  test(`[R4.19] a long silence asks nobody by name on a board where all ${when}`, () => {
    eachSeed(5, (seed) => {
      const { world } = settled({ seed, constants });
      const third = world.start();
      world.advance(2_000);
      const said = world.record("publish");
      lose(world, ({ from, to }) => from === third && to === 0);
      world.advance(CONSTANTS.suspectBeats * CONSTANTS.heartbeatMs + 100);
      // One own beat is lost right after it is back: recovery (R9).
      lose(world, ({ from, to, message }) => from === 0 && to === 0 && message.kind === "heartbeat");
      world.advance(CONSTANTS.heartbeatMs);
      loseNothing(world);
      world.advance(60_000);
      const asks = saidBy(said, 0, "sync").map(({ message }) => (message as Sync).asks);
      assert.deepEqual(
        asks.map((one) => one === "all" || one.filter(({ owner }) => owner === world.instance(third).instanceId).length),
        asks.map((one) => one === "all" || 0),
      );
      assert.ok(asks.includes("all"));
    });
  });
}

test("[R4.18] of silent peers that are too many to be named all are asked", () => {
  // There is a third instance, so that the one which is not heard does not believe itself mute (R10).
  const { world } = settled({ instances: 3, constants: { heldOwnersMax: 0 } });
  const said = world.record("publish");
  world.join("zoe", { board: "b2", via: 0 });
  world.advance(3_000);
  said.length = 0;
  lose(world, ({ from, to }) => from === 1 && to === 0);
  world.join("yan", { board: "b2", via: 1 });
  world.advance(1_700);
  loseNothing(world);
  world.untilEqual(CONSTANTS.heartbeatMs + ASKED_AND_ANSWERED_MS);
  assert.ok(saidBy(said, 0, "sync").some(({ message, boardId }) => boardId === "b2" && (message as Sync).asks === "all"));
});

/** Peers that are nothing but heartbeats, and the one instance that hears them, on so many boards. */
function heartbeatsOnly(boards: number) {
  const world = new World({ seed: 1, instances: 1 });
  const zoe = world.join("zoe", { board: "b0", via: 0 });
  for (let board = 1; board < boards; board++) zoe.session.join(`b${board}` as BoardId, {});
  world.advance(2_000);
  const rest = { intervalMs: 60_000, beaconMs: 60_000, boards: 1, status: "ready", acks: [], versions: { min: 1, max: 1 } } as const;
  const beat = (peer: number, number: number) => {
    const from = `${peer.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000` as InstanceId;
    const message = { kind: "heartbeat", beat: number, ...rest } as const;
    world.instance(0).receive(() => ({ kind: "heard", boardId: undefined, from, link: 1, message }));
  };
  return { world, beat };
}

test("[R4.16] many silent peers cost one entry each, on however many boards", () => {
  const { world, beat } = heartbeatsOnly(1_000);
  for (let peer = 0; peer < 100; peer++) beat(peer, 1);
  const before = heapBytes();
  for (let peer = 0; peer < 100; peer++) beat(peer, 10);
  world.advance(200);
  // 500 bytes for each board and peer would be 50 MB.
  assert.ok(heapBytes() - before < 5e6, `${heapBytes() - before} bytes`);
});

test("[R4.17] peers that come back one after another are not told to all boards each time", () => {
  const { world, beat } = heartbeatsOnly(1);
  for (const peer of [1, 2]) beat(peer, 1);
  const isDueNow = () => world.instance(0).wakeAt <= world.now;
  beat(1, 10);
  assert.equal(isDueNow(), true);
  world.advance(1);
  beat(2, 10);
  assert.equal(isDueNow(), false);
});

function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

test("[R4.12] asks that did not come back count as unanswered by nobody", () => {
  const { world, ana, ben } = settled({ constants: { boardUnechoedMs: 60_000 } });
  lose(world, ({ to, boardId }) => to === 1 && boardId !== undefined);
  ana.update({ state: { lost: true } });
  world.advance(CONSTANTS.beaconMsMin * CONSTANTS.silentBeacons + 20_000);
  assert.ok((world.instance(1).counted.ask ?? 0) > CONSTANTS.unansweredAsksMax);
  assert.deepEqual(ben.roster(), ["ana", "ben"]);
});

test("[R4.11] nobody is asked while the own echo is missing", () => {
  const { world, ana } = settled();
  const said = world.record("publish");
  lose(world, isTo(1, "delta"));
  ana.update({ state: { lost: true } });
  world.advance(10);
  loseNothing(world);
  ana.update({ state: { heard: true } });
  world.advance(10);
  // Instance 1 is in doubt, and deaf to every answer.
  world.network.deafen(1, { stays: true });
  world.advance(2 * CONSTANTS.heartbeatMs);
  assert.ok(asksBy(said, 1).length > 0);
  said.length = 0;
  world.advance(10_000);
  assert.deepEqual([asksBy(said, 1), world.instance(1).isDegraded], [[], true]);
});

test("[R4.5] whose answer to a question to all is lost is asked by name", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed });
    world.advance(20_000);
    world.network.deafen(1);
    ana.update({ state: { missed: true } });
    world.until(() => world.instance(1).recycles.length > 0, 3_000);
    let losses = 0;
    lose(world, (delivery) => isTo(1, "snapshot", "replay")(delivery) && losses++ < 2);
    // It asks all when subscribed and again after 250 ms, and then asks by name.
    const tookMs = world.untilEqual(2_000);
    assert.ok(losses > 0 && tookMs > 0);
  });
});

test("[R4.5] an owner of which something is held, and which left a question to all unanswered, is asked by name", () => {
  eachSeed(5, (seed) => {
    const { world, ana } = settled({ seed });
    lose(world, isTo(1, "delta", "beacon"));
    ana.update({ state: { missed: true } });
    world.advance(1_700);
    // No beat of the owner is lost. Instance 1 asks all because a beat of its own is lost, and the answer to that is lost too.
    let beats = 0;
    let answers = 0;
    lose(world, (delivery) => {
      if (delivery.to !== 1) return false;
      if (delivery.message.kind === "heartbeat") return delivery.from === 1 && beats++ === 0;
      return isTo(1, "snapshot", "replay", "beacon")(delivery) && answers++ === 0;
    });
    world.until(() => answers > 0, 3 * CONSTANTS.heartbeatMs);
    world.untilEqual(CONSTANTS.askBackoffMsMin);
  });
});
