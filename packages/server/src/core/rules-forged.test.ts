/** A stranger forges a few messages at once in the names of live instances: the tests bound the harm and its length. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ATTEMPT_MAX, type BoardId, type InstanceId, type Millis } from "@presence-service/protocol";
import { B1, lose, loseNothing, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, type World } from "../testing/world.ts";
import { memberOf } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import { Core } from "./core.ts";
import type { BusMessage, Heartbeat, Snapshot } from "./messages.ts";

const { heartbeatMs } = CONSTANTS;
const BEACON_MS: Millis = CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter);
const U32_MAX = 2 ** 32 - 1;
const BEACON_MS_MAX = 2 ** 21 - 1;

function heard(world: World, to: number, from: number, message: BusMessage, boardId?: BoardId): void {
  const { instanceId } = world.instance(from);
  world.instance(to).receive(() => ({ kind: "heard", boardId, from: instanceId, link: 1, message }));
}

function forge(world: World, from: number, message: BusMessage, boardId?: BoardId): void {
  for (const { index, state } of world.instances) if (state === "running") heard(world, index, from, message, boardId);
}

/** So many heartbeats of that instance that it will send next, all at once. */
function forgeBeats(world: World, from: number, count: number, more: Partial<Heartbeat>): void {
  const said = world.record("publish");
  world.advance(heartbeatMs + 20);
  const last = said.findLast(({ instance, message }) => instance === from && message.kind === "heartbeat")?.message as Heartbeat;
  assert.ok(last);
  for (let ahead = 1; ahead <= count; ahead++) forge(world, from, { ...last, beat: last.beat + ahead, ...more });
}

test("[R8.9] however many heartbeats claim boards at once, their number is believed up to twice what it was", () => {
  eachSeed(10, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    const said = world.record("publish");
    for (const peer of [1, 2]) forgeBeats(world, peer, 40, { boards: U32_MAX });
    world.advance(heartbeatMs + 20);
    for (const { index } of world.instances) {
      const beats = said.filter(({ instance, message }) => instance === index && message.kind === "heartbeat");
      const beaconMs = Math.max(...beats.map(({ message }) => (message as Heartbeat).beaconMs));
      assert.equal(beaconMs, CONSTANTS.beaconMsMin);
    }
  });
});

test("[R4.9] a doubt about one board does not wait for questions that are spread over all", () => {
  eachSeed(10, (seed) => {
    const { world, ben } = settled({ seed, instances: 3, constants: { recoveryPairsPerSecond: 0.05 } });
    // Two skipped beats: doubt wherever something is held, spread over a minute.
    lose(world, ({ from, to, message }) => from === 2 && to === 0 && message.kind === "heartbeat");
    world.advance(2 * heartbeatMs + 20);
    loseNothing(world);
    world.advance(heartbeatMs + 20);
    lose(world, ({ from, to, message }) => from === 1 && to === 0 && message.kind === "delta");
    ben.update({ state: { lost: true } });
    world.advance(10);
    loseNothing(world);
    ben.move(1, 1);
    world.untilEqual(CONSTANTS.askMsMax + 60);
  });
});

test("[R9.24] a peer that was said to be mute is shown as ever from its next heartbeat that says nothing of it", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    world.advance(world.random.between(0, heartbeatMs));
    forgeBeats(world, 1, 1, { mute: [B1] });
    assert.equal(ana.sees("ben")?.status, "reconnecting");
    world.untilEqual(4 * heartbeatMs);
    world.advance(CONSTANTS.clearRemoteMs + 1_000);
    assert.deepEqual(
      ana.log.filter((line) => line.startsWith("-")),
      [],
    );
  });
});

test("[R4.6] a beacon period that was forged puts off the doubt about an owner that is silent no longer than until its next heartbeat", () => {
  const { world, ana } = settled({ instances: 3 });
  forgeBeats(world, 1, 1, { beaconMs: BEACON_MS_MAX });
  // The first replica of this board is made while that is believed.
  ana.session.join("b2" as BoardId, {});
  const entries = [{ slot: 0, attempt: 1, seq: 1, member: memberOf("zoe") }];
  world.advance(100);
  heard(world, 0, 1, { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] }, "b2" as BoardId);
  assert.equal(ana.session.connection.views.get("b2" as BoardId)?.members.size, 2);
  // It has nothing there, and never says anything: four of its periods, and five questions.
  world.until(() => ana.session.connection.views.get("b2" as BoardId)?.members.size === 1, 4 * BEACON_MS + 15_000);
});

const ENTRIES: Record<string, (held: Snapshot) => Snapshot> = {
  nobody: (held) => ({ ...held, entries: [] }),
  "somebody else": (held) => ({ ...held, entries: held.entries.map((entry) => ({ ...entry, member: memberOf("zoe") })) }),
  "one more": (held) => ({ ...held, entries: [...held.entries, { slot: 9, attempt: 1, seq: 1, member: memberOf("zoe") }] }),
};
for (const [what, forged] of Object.entries(ENTRIES)) {
  test(`[R4.20] a snapshot of ${what} at the position where an instance is, in its name, is put right at once where it hears it`, () => {
    eachSeed(10, (seed) => {
      const { world } = settled({ seed, instances: 3 });
      const said = world.record("publish");
      heard(world, 1, 0, { kind: "sync", asks: "all", held: [], seq: 0, hash: 0, count: 0 }, B1);
      const held = saidBy(said, 1, "snapshot")[0]?.message as Snapshot;
      world.advance(3_000);
      forge(world, 1, forged(held), B1);
      assert.notEqual(world.difference(), undefined);
      world.untilEqual(CONSTANTS.answerMs + CONSTANTS.askMsMax + 60);
      assert.equal(world.instance(1).counted.forged, 1);
      // The instance's own messages come back, and do not count as forged.
      world.advance(60_000);
      assert.equal(world.instance(1).counted.forged, 1);
    });
  });
}

test("[R11.16] a session that is said to have moved is closed as superseded, and its client is let in at once as a new session", () => {
  const { world, ana } = settled();
  const { core } = world.instance(0);
  const { memberId, connection } = ana.session;
  const entries = [{ slot: 0, attempt: ATTEMPT_MAX, seq: 1, member: { ...memberOf("ana"), memberId } }];
  const from = "ffffffff-0000-4000-8000-000000000000" as InstanceId;
  const message = { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] } as const;
  // The World itself takes a session that nobody has moved for a mistake of the core.
  const now = core.nextDeadline();
  const closed = core.handle({ kind: "heard", boardId: B1, from, link: 1, message }, now);
  assert.ok(closed.some((effect) => effect.kind === "superseded" && effect.connection === connection.id));
  const again = world.nextConnection();
  const effects = core.handle({ kind: "join", connection: again, boardId: B1, attempt: 1, member: memberOf("ana again") }, now);
  assert.ok(effects.some((effect) => effect.kind === "joined" && effect.connection === again));
});

test("[R8.6] a crowd of strangers that comes and goes costs the boards that it spoke on, not each of them all boards", () => {
  const instanceId = "ffffffff-0000-4000-8000-000000000000" as InstanceId;
  const core = new Core({ instanceId, seed: 1, now: 0 });
  for (const link of ["publisher", "subscriber"] as const) core.handle({ kind: "link_up", link }, 0);
  for (let board = 0; board < 10_000; board++)
    core.handle({ kind: "join", connection: board, boardId: `b${board}` as BoardId, attempt: 1, member: memberOf(`p${board}`) }, 0);
  const hear = (from: InstanceId, message: BusMessage, now: Millis, boardId?: BoardId) =>
    core.handle({ kind: "heard", boardId, from, link: 1, message }, now);
  /** Own heartbeats come back; answers the longest that one took to be judged by. */
  const judge = (from: Millis, beats: number): number => {
    let longestMs = 0;
    for (let beat = 1; beat <= beats; beat++) {
      const now = from + beat * heartbeatMs;
      for (const effect of core.handle({ kind: "tick", oldestUnansweredMs: 0 }, now)) {
        if (effect.kind !== "publish" || effect.message.kind !== "heartbeat") continue;
        const before = performance.now();
        hear(instanceId, effect.message, now);
        longestMs = Math.max(longestMs, performance.now() - before);
      }
    }
    return longestMs;
  };
  judge(0, 6);
  for (let number = 0; number < CONSTANTS.strangersMax; number++) {
    const from = `${number.toString(16).padStart(8, "0")}-0000-4000-8000-000000000000` as InstanceId;
    hear(from, { kind: "beacon", seq: 0, hash: 0, count: 0 }, 3_000, B1);
  }
  const longestMs = judge(3_000, CONSTANTS.downBeats + 1);
  // All boards for each of them took half a second, twice.
  assert.ok(longestMs < 150, `${longestMs} ms`);
});

test("[R11.8] what an instance has ended itself outlives an end that was said in another's name and taken back, and no longer than usual", () => {
  const { world, ana } = settled({ instances: 3 });
  const zoe = world.join("zoe", { board: "b1", via: 0 });
  world.advance(1_000);
  zoe.leave();
  world.join("zoe", { board: "b1", via: 1, attempt: 2 });
  world.advance(3_000);
  const { memberId } = zoe.session;
  forge(world, 1, { kind: "snapshot", seq: 2 ** 40, part: 0, parts: 1, entries: [], ended: [{ memberId, attempt: 9 }] }, B1);
  world.untilEqual(CONSTANTS.answerMs + CONSTANTS.askMsMax + 60);
  // An entry of before, which its owner never heard to be over, brings nobody back.
  const entries = [{ slot: 0, attempt: 1, seq: 1, member: memberOf("zoe") }];
  const old = "ffffffff-0000-4000-8000-000000000000" as InstanceId;
  world.kill(1);
  world.until(() => ana.sees("zoe") === undefined, 6_000);
  world.instance(0).receive(() => ({
    kind: "heard",
    boardId: B1,
    from: old,
    link: 1,
    message: { kind: "snapshot", seq: 1, part: 0, parts: 1, entries, ended: [] },
  }));
  assert.equal(ana.sees("zoe"), undefined);
  world.advance(CONSTANTS.endedMs);
  const said = world.record("publish");
  heard(world, 0, 2, { kind: "sync", asks: "all", held: [], seq: 0, hash: 0, count: 0 }, B1);
  const answer = saidBy(said, 0, "snapshot")[0]?.message;
  assert.deepEqual(answer?.kind === "snapshot" && answer.ended, []);
});
