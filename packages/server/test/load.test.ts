/**
 * A hundred moving people on two instances of one Redis, while Redis dies, drops its subscribers or hangs, or an instance is killed.
 * After each of these, everybody sees everybody at the right place.
 * Runs alone: its load uses up a core, and its promises are times.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Crowd, eventually, type Instance, Stopwatch, startCluster, throughout } from "./harness/index.ts";

const PEOPLE = 50;
const MOVES_PER_SECOND = 20;
const LOAD_MS = 10_000;
const OUTAGE_MS = 10_000;
const PAUSE_MS = 8000;
/** A second and a half of moves: a cursor of the same instance that is this far behind counts as stopped. */
const LOCAL_LAG_MAX = 30;
/** Under load the heap grows and shrinks, by a few MB here. Failed publishes and the age of unanswered ones show that no queue grows. */
const GROWTH_BYTES_MAX = 60_000_000;

test("a hundred people walk on two instances", { timeout: 180_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t);
  const crowd = new Crowd(t, 5);
  await Promise.all([crowd.add(one, PEOPLE), crowd.add(two, PEOPLE)]);
  const isRight = () => {
    assert.deepEqual(crowd.differences(), []);
    return true;
  };

  await t.test("in the end everybody has everybody's last position, nobody is missing", async (t) => {
    crowd.walk(MOVES_PER_SECOND);
    await throughout(() => one.isRunning && two.isRunning, { what: "both run", forMs: LOAD_MS });
    crowd.rest();
    await eventually(isRight, { what: "all positions are right", withinMs: 2000 });
    assert.deepEqual(crowd.violations(), []);
    const moves = crowd.walkers.reduce((sum, walker) => sum + walker.moves, 0);
    assert.ok(moves > 0.8 * 2 * PEOPLE * MOVES_PER_SECOND * (LOAD_MS / 1000), `only ${moves} moves were made: this machine is too slow`);
    const messages = crowd.walkers.reduce((sum, walker) => sum + walker.socket.messagesRead, 0);
    t.diagnostic(`${moves} moves of ${2 * PEOPLE} people, ${messages} messages received`);
  });

  await t.test("Redis is killed for 10 s: local cursors flow, memory is bounded, rosters are equal 5 s after", async (t) => {
    // Also after a failure here, so that the next tests have a Redis.
    t.after(() => (redis.isRunning ? undefined : redis.restart()));
    crowd.walk(MOVES_PER_SECOND);
    const before = await Promise.all([one, two].map((instance) => instance.residentBytes()));
    await redis.kill();
    const outage = throughout(localCursorsFlow(crowd), { what: "local cursors flow", forMs: OUTAGE_MS });
    // People come and go meanwhile; the others learn it afterwards.
    crowd.remove([...walkersOf(crowd, one).slice(0, 5), ...walkersOf(crowd, two).slice(0, 5)]);
    await Promise.all([crowd.add(one, 5), crowd.add(two, 5)]);
    await outage;
    for (const instance of [one, two]) {
      assert.equal((await instance.health()).status, "degraded");
      assert.ok((await instance.metric("presence_bus_publish_failures_total")) > 0);
    }
    const after = await Promise.all([one, two].map((instance) => instance.residentBytes()));
    await redis.restart();
    const backAt = performance.now();
    await eventually(() => crowd.strangers().length === 0, { what: () => `rosters are equal: ${crowd.strangers()}`, withinMs: 5000 });
    t.diagnostic(`rosters equal ${seconds(backAt)} s after Redis was back`);
    for (const [index, instance] of [one, two].entries()) {
      const growth = Math.max(after[index] ?? 0, await instance.residentBytes()) - (before[index] ?? 0);
      t.diagnostic(`instance ${index + 1} grew by ${Math.round(growth / 1e6)} MB`);
      assert.ok(growth < GROWTH_BYTES_MAX, `it grew by ${growth} bytes`);
    }
    crowd.rest();
    await eventually(isRight, { what: "all positions are right", withinMs: 3000 });
    assert.ok(one.isRunning && two.isRunning);
  });

  await t.test("CLIENT KILL TYPE pubsub: rosters are equal within 2 s", async (t) => {
    crowd.walk(MOVES_PER_SECOND);
    const killed = await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
    assert.equal(killed, 2, "the subscribers of both instances");
    const killedAt = performance.now();
    crowd.remove([...walkersOf(crowd, one).slice(0, 3), ...walkersOf(crowd, two).slice(0, 3)]);
    await eventually(() => crowd.strangers().length === 0, { what: () => `rosters are equal: ${crowd.strangers()}`, withinMs: 2000 });
    t.diagnostic(`rosters equal after ${seconds(killedAt)} s`);
    await Promise.all([crowd.add(one, 3), crowd.add(two, 3)]);
    await eventually(() => crowd.strangers().length === 0, { what: () => `newcomers are seen: ${crowd.strangers()}`, withinMs: 2000 });
    crowd.rest();
    await eventually(isRight, { what: "all positions are right", withinMs: 2000 });
  });

  await t.test("Redis hangs for 8 s: noticed within 5 s, nothing queues, healed 3 s after", async (t) => {
    t.after(() => redis.resume());
    crowd.walk(MOVES_PER_SECOND);
    const before = await Promise.all([one, two].map((instance) => instance.residentBytes()));
    redis.pause();
    const pausedAt = performance.now();
    const paused = new Stopwatch();
    const outage = throughout(localCursorsFlow(crowd), { what: "local cursors flow", forMs: PAUSE_MS });
    for (const instance of [one, two]) {
      await eventually(async () => (await instance.health()).status === "degraded", { what: "/health says degraded", withinMs: 5000 });
    }
    assert.ok(paused.ranMs < 5000 + 1000);
    t.diagnostic(`noticed after ${seconds(pausedAt)} s`);
    await outage;
    const unanswered = await one.metric("presence_redis_oldest_unanswered_seconds");
    assert.ok(unanswered < 6, `a publish waits since ${unanswered} s`);
    const growth = (await one.residentBytes()) - (before[0] ?? 0);
    assert.ok(growth < GROWTH_BYTES_MAX, `it grew by ${growth} bytes`);
    redis.resume();
    const backAt = performance.now();
    crowd.remove(walkersOf(crowd, one).slice(0, 2));
    for (const instance of [one, two]) {
      await eventually(async () => (await instance.health()).status === "ok", { what: "/health says ok", withinMs: 3000 });
    }
    await eventually(() => crowd.strangers().length === 0, { what: () => `rosters are equal: ${crowd.strangers()}`, withinMs: 3000 });
    t.diagnostic(`healed after ${seconds(backAt)} s`);
    crowd.rest();
    await eventually(isRight, { what: "all positions are right", withinMs: 2000 });
    assert.deepEqual(crowd.violations(), []);
  });

  await t.test("kill -9 of an instance: its people are gone elsewhere within 5 s, everybody else stays", async (t) => {
    crowd.walk(MOVES_PER_SECOND);
    await two.kill("SIGKILL");
    const killedAt = performance.now();
    crowd.forget(two);
    await eventually(() => crowd.strangers().length === 0, {
      what: () => `only those of one are shown: ${crowd.strangers()}`,
      withinMs: 5000,
    });
    t.diagnostic(`gone after ${seconds(killedAt)} s`);
    crowd.rest();
    await eventually(isRight, { what: "all positions are right", withinMs: 2000 });
    assert.equal((await one.health()).status, "ok", "an instance that is alone is well");
    assert.deepEqual(crowd.violations(), []);
  });
});

function walkersOf(crowd: Crowd, instance: Instance) {
  return crowd.walkers.filter((walker) => walker.instance === instance);
}

/** Each call checks one viewer: it sees all others of its instance move. */
function localCursorsFlow(crowd: Crowd): () => boolean {
  let looks = 0;
  return () => {
    const viewer = crowd.walkers[looks++ % crowd.walkers.length];
    if (viewer === undefined) return false;
    for (const other of walkersOf(crowd, viewer.instance)) {
      const lag = other === viewer ? 0 : crowd.lag(viewer, other);
      assert.ok(lag < LOCAL_LAG_MAX, `${viewer.name} is ${lag} moves behind ${other.name}`);
    }
    return true;
  };
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
