import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, Millis } from "@presence-service/protocol";
import { HEALTHY } from "../testing/network.ts";
import { B1, lose, loseNothing, settled } from "../testing/settled.ts";
import { eachSeed, type Recorded, World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";

const { heartbeatMs } = CONSTANTS;

function recycledLinks(world: World, instance: number): string[] {
  return world.instance(instance).recycles.map(({ link }) => link);
}

function asksOfAll(said: readonly Recorded<"publish">[], instance: number): Recorded<"publish">[] {
  return said.filter((one) => one.instance === instance && one.message.kind === "sync" && one.message.asks === "all");
}

function gaps(times: readonly Millis[]): Millis[] {
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
}

/** Judgements of other instances but "up", by any instance or by these. */
function accusations(judged: readonly Recorded<"peer">[], ...by: number[]): string[] {
  return judged
    .filter(({ instance, state }) => state !== "up" && (by.length === 0 || by.includes(instance)))
    .map(({ instance, state }) => `${instance}: ${state}`);
}

// R7 Alive.

test("[R7.9] people on a silent instance leave the roster after eight unanswered beats", () => {
  const { world, ana } = settled({ seed: 7 });
  world.network.cut(1);
  world.advance((world.config.downBeats + 1) * world.config.heartbeatMs);
  assert.deepEqual(ana.roster(), ["ana"]);
});

test("[R7.8] [R7.9] kill -9: its people are shown reconnecting within 2 s, and leave as instance_lost within 5 s", () => {
  eachSeed(40, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    world.kill(1);
    const suspectedAfterMs = world.until(() => ana.sees("ben")?.status === "reconnecting", 2_050);
    const goneAfterMs = suspectedAfterMs + world.until(() => ana.sees("ben") === undefined, 5_000 - suspectedAfterMs);
    assert.deepEqual(ana.log.slice(-2), ["~ben reconnecting", "-ben instance_lost"]);
    // A stall of 2 s and two lost beats must not be enough.
    assert.ok(goneAfterMs >= 3_000, `${goneAfterMs}`);
    world.untilEqual(500);
  });
});

for (const stallMs of [2_000, 3_000]) {
  test(`[R7.6] a stall of ${stallMs / 1000} s: nobody is down, the stalled one suspects nobody, nobody leaves`, () => {
    eachSeed(40, (seed) => {
      const { world, ana, ben } = settled({ seed, instances: 3 });
      const judged = world.record("peer");
      world.pause(1);
      world.advance(stallMs);
      world.resume(1);
      world.untilEqual(heartbeatMs);
      world.advance(10_000);
      assert.ok(!judged.some(({ state }) => state === "down"));
      assert.deepEqual(accusations(judged, 1), []);
      assert.deepEqual(
        [...ana.log, ...ben.log].filter((line) => line.startsWith("-")),
        [],
      );
      assert.deepEqual(
        world.instances.map(({ recycles, isDegraded }) => [recycles.length, isDegraded]),
        Array(3).fill([0, false]),
      );
    });
  });
}

test("[R8.3] after a stall of 30 s all are back without a word of theirs", () => {
  eachSeed(10, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    world.pause(1);
    world.advance(30_000);
    assert.deepEqual(ana.roster(), ["ana", "cleo"]);
    world.resume(1);
    world.untilEqual(1_500);
  });
});

const HELPLESS: Record<string, (world: World) => void> = {
  deaf: (world) => world.network.deafen(1, { stays: true }),
  "cut off": (world) => world.network.cut(1),
  "cut off without knowing": (world) => world.network.cut(1, { silently: true }),
};
for (const [how, begin] of Object.entries(HELPLESS)) {
  test(`[R7.6] an instance that is ${how} ages nobody`, () => {
    const { world, ben } = settled({ instances: 3 });
    const judged = world.record("peer");
    begin(world);
    world.advance(CONSTANTS.clearRemoteMs - 3_000);
    assert.deepEqual([accusations(judged, 1), ben.roster()], [[], ["ana", "ben", "cleo"]]);
  });
}

test("[R7.10] nobody becomes suspect when Redis is back after a pause that all of them felt", () => {
  eachSeed(40, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    const judged = world.record("peer");
    world.network.stopRedis(seed % 2 === 0 ? "paused" : "killed");
    world.advance(5_000);
    world.network.startRedis();
    world.advance(10_000);
    assert.deepEqual(accusations(judged), []);
  });
});

test("[R7.5] nor when Redis stalled for less than what degrades an instance, though own echoes come in a burst before others' beats", () => {
  eachSeed(20, (seed) => {
    const world = new World({ seed, instances: 2 + (seed % 7) });
    world.advance(3_000 + seed * 37);
    const judged = world.record("peer");
    world.network.stopRedis("paused");
    world.advance(1_000 + (seed % 10) * 100);
    world.network.startRedis();
    world.advance(5_000);
    assert.deepEqual(accusations(judged), []);
  });
});

test("[R7.8] a lost beat alone makes nobody suspect", () => {
  const { world } = settled();
  const judged = world.record("peer");
  let beats = 0;
  lose(world, ({ from, to, message }) => from === 1 && to === 0 && message.kind === "heartbeat" && beats++ % 2 === 0);
  world.advance(20_000);
  assert.ok(beats >= 35);
  assert.deepEqual(accusations(judged), []);
});

test("[R7.1] an instance sends a heartbeat every half second, whatever else it says", () => {
  const { world, ana } = settled();
  const said = world.record("publish");
  for (let n = 0; n < 100; n++) {
    ana.update({ state: { n } });
    world.advance(100);
  }
  const at = said.filter(({ instance, message }) => instance === 0 && message.kind === "heartbeat").map((one) => one.at);
  assert.equal(at.length, 20);
  for (const [index, ms] of at.slice(1).entries()) assert.equal(Math.round(ms - (at[index] ?? 0)), heartbeatMs);
});

test("[R7.2] [R7.33] in a large cluster beats are rarer, and patience is counted in them", () => {
  const { world, ana } = settled({ instances: 4, constants: { heartbeatInstancesMax: 2, heartbeatMsPerInstance: 250 } });
  world.advance(5_000);
  const said = world.record("publish");
  world.advance(10_000);
  assert.ok(Math.abs(said.filter(({ instance, message }) => instance === 0 && message.kind === "heartbeat").length - 10) <= 1);
  world.kill(1);
  world.advance(CONSTANTS.downBeats * heartbeatMs + 1_000);
  assert.equal(ana.sees("ben")?.status, "reconnecting");
  world.until(() => ana.sees("ben") === undefined, CONSTANTS.downBeats * heartbeatMs);
});

test("[R7.34] from one beat to the next the interval grows by a quarter at most", () => {
  const world = new World({ seed: 1, instances: 4, constants: { heartbeatInstancesMax: 2, heartbeatMsPerInstance: 1_000 } });
  const said = world.record("publish");
  const newcomer = world.start();
  world.advance(40_000);
  const intervals = said.flatMap(({ instance, message }) =>
    instance === newcomer && message.kind === "heartbeat" ? [message.intervalMs] : [],
  );
  assert.deepEqual([intervals[0], intervals.at(-1)], [heartbeatMs, 5_000]);
  for (const [nth, ms] of intervals.slice(1).entries())
    assert.ok(ms <= (intervals[nth] ?? 0) * CONSTANTS.heartbeatGrowthMax + 1, intervals.join());
});

// R8 Up.

test("[R8.1] a newcomer is up from its first message and starts no doubt", () => {
  const { world } = settled({ instances: 3 });
  const said = world.record("publish");
  const newcomer = world.start();
  world.advance(1_000);
  assert.deepEqual([world.judges(0, newcomer), world.judges(newcomer, 0)], ["up", "up"]);
  assert.deepEqual(
    said.filter(({ message }) => message.kind !== "heartbeat"),
    [],
  );
  // All its heartbeats are lost as well.
  lose(world, ({ from, message }) => from === newcomer + 1 && message.kind === "heartbeat");
  const late = world.start();
  world.advance(1_000);
  assert.equal(world.judges(0, late), undefined);
  world.join("dan", { board: "b1", via: late });
  world.advance(200);
  assert.equal(world.judges(0, late), "up");
});

test("[R8.3] who was judged down comes back by a newer heartbeat only, with empty slices, and is asked", () => {
  const { world, ana, ben } = settled();
  const said = world.record("publish");
  lose(world, ({ from, to }) => from === 1 && to === 0);
  world.until(() => world.judges(0, 1) === "down", 5_000);
  // The instance speaks on the board, and is not believed.
  lose(world, ({ from, to, boardId }) => from === 1 && to === 0 && boardId === undefined);
  ben.update({ state: { tool: "pen" } });
  ben.move(1, 1);
  world.advance(3_000);
  assert.deepEqual([world.judges(0, 1), ana.roster(), ana.log.at(-1)], ["down", ["ana"], "-ben instance_lost"]);
  // An old heartbeat proves nothing.
  world.network.faults = {
    ...HEALTHY,
    rewrites: ({ from, to, message }) => (from === 1 && to === 0 && message.kind === "heartbeat" ? { ...message, beat: 3 } : message),
  };
  world.advance(1_000);
  assert.equal(world.judges(0, 1), "down");
  // A new heartbeat proves it. None of its members is shown until it was asked and has answered.
  said.length = 0;
  loseNothing(world);
  lose(world, ({ from, to, boardId }) => from === 1 && to === 0 && boardId !== undefined);
  world.until(() => world.judges(0, 1) === "up", heartbeatMs + 20);
  assert.deepEqual(ana.roster(), ["ana"]);
  loseNothing(world);
  world.untilEqual(CONSTANTS.askMsMax + 20);
  const asks = said.flatMap(({ instance, message }) =>
    instance === 0 && message.kind === "sync" && message.asks !== "all" ? message.asks : [],
  );
  assert.deepEqual(asks, [{ owner: world.instance(1).instanceId, seq: 0 }]);
});

test("[R8.2] who was judged down is remembered for 60 s, then forgotten", () => {
  const { world } = settled();
  const third = world.start();
  world.advance(2_000);
  world.network.cut(third);
  world.until(() => world.judges(0, third) === "down", 5_000);
  const known = () => world.instance(0).core.stats(0).peers.length;
  world.advance(CONSTANTS.downRememberedMs - 1_000);
  assert.equal(known(), 2);
  world.advance(2_000);
  assert.equal(known(), 1);
});

// R9 Broken bus.

test("[R9.1] a healthy connection that delivers nothing: degraded and recycled after four unechoed beats, then all is asked for", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed });
    world.network.deafen(1);
    ana.update({ state: { missed: true } });
    const noticedMs = world.until(() => world.instance(1).isDegraded, 5 * heartbeatMs);
    assert.ok(noticedMs >= 3 * heartbeatMs);
    assert.deepEqual(recycledLinks(world, 1), ["subscriber"]);
    world.untilEqual(1_000);
    world.until(() => !world.instance(1).isDegraded, 1_000);
    assert.deepEqual(ben.sees("ana")?.state, { missed: true });
    assert.deepEqual(recycledLinks(world, 0), []);
  });
});

test("[R9.2] a publisher that hangs is noticed after 3 s at the latest and replaced", () => {
  eachSeed(20, (seed) => {
    const { world, ana } = settled({ seed });
    world.network.hang(0, "publisher");
    ana.update({ state: { waiting: true } });
    world.until(() => recycledLinks(world, 0).length > 0, 3_600);
    assert.equal(recycledLinks(world, 0).at(-1), "publisher");
    world.untilEqual(2_000);
  });
});

test("[R9.2] also where beats are so rare that four of them would take longer", () => {
  const { world } = settled({ constants: { heartbeatInstancesMax: 1, heartbeatMsPerInstance: 1000 as Millis } });
  world.network.hang(0, "publisher");
  world.until(() => recycledLinks(world, 0).length > 0, CONSTANTS.unansweredMsMax + 2 * 2_000);
  assert.deepEqual(recycledLinks(world, 0), ["publisher"]);
});

test("[R9.3] before its first own echo an instance is starting: it is not degraded, and replaces nothing", () => {
  const world = new World({ seed: 1, instances: 1, faults: { loses: ({ from, to }) => from === to } });
  const degraded = world.record("degraded");
  world.advance(60_000);
  const { status } = world.instance(0).core.stats(0);
  assert.deepEqual([status, degraded, world.instance(0).recycles], ["starting", [], []]);
  loseNothing(world);
  world.advance(heartbeatMs + 50);
  assert.equal(world.instance(0).core.stats(0).status, "ready");
});

test("[R9.4] of two links the publisher is replaced where it does not answer, else the subscriber", () => {
  for (const link of ["publisher", "subscriber"] as const) {
    const { world } = settled();
    world.network.hang(1, link);
    world.until(() => world.instance(1).recycles.length > 0, CONSTANTS.unansweredMsMax);
    assert.deepEqual(
      world.instance(1).recycles.map((one) => one.link),
      [link],
    );
  }
});

test("[R9.25] a publisher that leads elsewhere than the subscriber is replaced, too, before others give its people up", () => {
  eachSeed(40, (seed) => {
    const { world, ana } = settled({ seed, instances: 3 });
    world.advance(world.random.between(0, heartbeatMs));
    world.network.split([1], { links: ["publisher"] });
    // The beat before, four without an echo, one over the new subscriber, and the time to open that.
    world.until(() => recycledLinks(world, 1).length > 1, (CONSTANTS.unechoedBeatsMax + 2) * heartbeatMs + 100);
    assert.deepEqual(recycledLinks(world, 1), ["subscriber", "publisher"]);
    world.untilEqual(500);
    assert.ok(!ana.log.includes("-ben instance_lost"), ana.log.join());
  });
});

test("[R9.25] a subscriber that leads elsewhere is replaced alone", () => {
  eachSeed(40, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    world.advance(world.random.between(0, heartbeatMs));
    world.network.split([1], { links: ["subscriber"] });
    world.until(() => recycledLinks(world, 1).length > 0, (CONSTANTS.unechoedBeatsMax + 1) * heartbeatMs);
    world.untilEqual(1000);
    world.advance(CONSTANTS.recycleMsMin);
    assert.deepEqual(recycledLinks(world, 1), ["subscriber"]);
  });
});

test("[R9.9] when both links are up an instance beats at once, and the echo starts recovery", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed });
    world.advance(world.random.between(0, heartbeatMs));
    for (const link of ["publisher", "subscriber"] as const) world.network.reset(1, link);
    world.until(() => !world.instance(1).isConnected, 100);
    const said = world.record("publish");
    world.until(() => world.instance(1).isConnected, 2 * CONSTANTS.reconnectMsMax);
    const beats = said.filter(({ instance, message }) => instance === 1 && message.kind === "heartbeat");
    assert.ok(world.now - (beats.at(-1)?.at ?? 0) <= 5);
    world.until(() => asksOfAll(said, 1).length > 0, 50);
  });
});

test("[R9.5] a link is recycled every 4 s at most, although that does not help", () => {
  const { world } = settled();
  world.network.deafen(1, { stays: true });
  world.advance(25_000);
  for (const link of ["publisher", "subscriber"]) {
    const waits = gaps(world.instance(1).recycles.flatMap((one) => (one.link === link ? [one.at] : [])));
    assert.ok(waits.length >= 4 && waits.every((wait) => wait >= CONSTANTS.recycleMsMin), `${link}: ${waits}`);
  }
});

test("[R9.29] a connection that brought own beats back and fails again within 4 s is replaced as soon as the first one", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed, instances: 3 });
    for (let times = 1; times <= 3; times++) {
      world.network.deafen(1);
      ana.update({ state: { times } });
      world.advance(10);
      world.untilEqual(CONSTANTS.unechoedBeatsMax * heartbeatMs + heartbeatMs + 400);
      world.advance(heartbeatMs);
      assert.equal(world.instance(1).recycles.length, times);
      assert.deepEqual(ben.sees("ana")?.state, { times });
    }
  });
});

test("[R9.14] while nothing comes back no single board is blamed", () => {
  const { world, ben } = settled();
  const resubscribed = world.record("resubscribe");
  world.network.deafen(1, { stays: true });
  for (let second = 0; second < 20; second++) {
    ben.update({ state: { second } });
    world.advance(1_000);
  }
  world.network.mend(1);
  world.untilEqual(2_000);
  assert.deepEqual(resubscribed, []);
});

test("[R9.5] [R9.31] while Redis hangs a link is recycled every 4 s at most; it is back, and all are equal within 2.4 s", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed, instances: 3 });
    world.network.stopRedis("paused");
    ana.update({ state: { said: "into the void" } });
    world.advance(20_000);
    for (const { recycles, isDegraded } of world.instances) {
      assert.ok(isDegraded && recycles.length > 0);
      assert.ok(gaps(recycles.map(({ at }) => at)).every((gap) => gap >= CONSTANTS.recycleMsMin));
    }
    world.network.startRedis();
    world.untilEqual(2_400);
    assert.deepEqual(
      ben.log.filter((line) => line.startsWith("-")),
      [],
    );
  });
});

test("[R9.30] [R9.31] Redis is killed and restarted: degraded within 2.5 s, nothing is recycled that is being replaced, equal within 2.4 s", () => {
  eachSeed(40, (seed) => {
    const { world, ana, ben } = settled({ seed, instances: 3 });
    world.network.stopRedis("killed");
    world.until(() => world.instances.every(({ isDegraded }) => isDegraded), 5 * heartbeatMs);
    ana.update({ state: { said: "into the void" } });
    world.advance(world.random.between(0, 15_000));
    assert.deepEqual(
      world.instances.map(({ recycles }) => recycles.length),
      [0, 0, 0],
    );
    world.network.startRedis();
    world.untilEqual(2_400);
    world.until(() => world.instances.every(({ isDegraded }) => !isDegraded), 1_000);
    assert.deepEqual(
      ben.log.filter((line) => line.startsWith("-")),
      [],
    );
  });
});

test("[R9.2] an instance that slept reads its sockets before it judges the bus", () => {
  const { world, ben } = settled();
  const { unansweredMsMax } = CONSTANTS;
  ben.update({ state: { asleep: true } });
  world.pause(1);
  world.advance(unansweredMsMax + 500);
  assert.ok(world.network.oldestUnansweredMs(1) >= unansweredMsMax);
  world.resume(1);
  world.advance(5_000);
  assert.deepEqual([world.instance(1).isDegraded, recycledLinks(world, 1)], [false, []]);
});

test("[R9.14] a board whose own message has not echoed in 2 s while heartbeats do is subscribed anew", () => {
  eachSeed(10, (seed) => {
    const { world, ana, ben } = settled({ seed });
    const resubscribed = world.record("resubscribe");
    world.network.dropSubscription(0, B1);
    const droppedAt = world.now;
    ben.update({ state: { missed: true } });
    world.advance(20);
    ana.update({ status: "idle" });
    assert.deepEqual(ana.sees("ben")?.state, {});
    world.untilEqual(CONSTANTS.boardUnechoedMs + heartbeatMs);
    // Messages that were on their way when the subscription was lost did not come back either.
    const afterMs = resubscribed.map(({ instance, at }) => [instance, at - droppedAt >= CONSTANTS.boardUnechoedMs - 20]);
    assert.deepEqual(afterMs, [[0, true]]);
    assert.deepEqual([recycledLinks(world, 0), world.instance(0).isDegraded], [[], false]);
  });
});

test("[R9.14] the reader's subscription is lost: its own beacon shows it within a period", () => {
  const { world, ben } = settled();
  world.network.dropSubscription(0, B1);
  ben.update({ state: { missed: true } });
  world.untilEqual(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) + CONSTANTS.boardUnechoedMs + heartbeatMs);
});

test("[R6.5] also where it is alone on the board, in three periods", () => {
  eachSeed(10, (seed) => {
    const world = new World({ seed, instances: 2 });
    world.join("ana", { board: "b1", via: 0 });
    world.advance(20_000);
    world.network.dropSubscription(0, B1);
    world.join("ben", { board: "b1", via: 1 });
    world.untilEqual(3 * CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) + CONSTANTS.boardUnechoedMs + heartbeatMs);
  });
});

test("[R6.5] beacons are three times as rare where nobody else is subscribed, and at once as usual where somebody is from then on", () => {
  eachSeed(10, (seed) => {
    const { beaconMsMin, beaconJitter, idleBeaconsPerBeacon } = CONSTANTS;
    const longestMs = beaconMsMin * (1 + beaconJitter) + heartbeatMs;
    const world = new World({ seed, instances: 2 });
    world.join("ana", { board: "b1", via: 0 });
    world.advance(longestMs);
    const said = world.record("publish");
    const beacons = () => said.filter(({ instance, message }) => instance === 0 && message.kind === "beacon").length;
    world.advance(10 * idleBeaconsPerBeacon * beaconMsMin);
    assert.ok(beacons() >= 8 && beacons() <= 12, `${beacons()} where it is alone`);
    world.join("ben", { board: "b1", via: 1 });
    world.advance(3_000);
    const before = beacons();
    world.advance(longestMs);
    assert.ok(beacons() > before, "none where it is not");
  });
});

test("[R9.7] after 30 s without an echo remote members are cleared, not before; they return with the bus", () => {
  const { world, ben } = settled({ instances: 3 });
  world.network.deafen(1, { stays: true });
  world.advance(CONSTANTS.clearRemoteMs - 1_000);
  assert.deepEqual(ben.roster(), ["ana", "ben", "cleo"]);
  world.advance(2_000);
  assert.deepEqual(ben.roster(), ["ben"]);
  assert.ok(ben.log.includes("-ana instance_lost"));
  world.network.mend(1);
  world.untilEqual(2_000);
});

test("[R9.11] recovery asks everybody on every board, once, spread over the time that the pairs of the cluster need", () => {
  const { world, ana } = settled({ constants: { recoveryPairsPerSecond: 5 } });
  const boards = Array.from({ length: 8 }, (_, index) => `more-${index}` as BoardId);
  for (const board of boards) ana.session.join(board, {});
  world.advance(20_000);
  world.network.reset(0, "publisher");
  const said = world.record("publish");
  world.advance(5_000);
  const asked = asksOfAll(said, 0);
  assert.equal(asked.length, 9);
  assert.deepEqual(new Set(asked.map(({ boardId }) => boardId)), new Set([B1, ...boards]));
  // Ten pairs at five a second.
  const spreadMs = (asked.at(-1)?.at ?? 0) - (asked[0]?.at ?? 0);
  assert.ok(spreadMs > 700 && spreadMs <= 2_000, `${spreadMs}`);
});

test("[R9.12] subscriptions that a new connection restored ask nobody by themselves: recovery asks, once", () => {
  const { world, ana } = settled();
  const boards = Array.from({ length: 8 }, (_, index) => `more-${index}` as BoardId);
  for (const board of boards) ana.session.join(board, {});
  world.advance(20_000);
  world.network.reset(0, "subscriber");
  const said = world.record("publish");
  world.advance(5_000);
  assert.equal(asksOfAll(said, 0).length, 9);
});

test("[R9.10] a skipped own beat is answered with a question to everybody", () => {
  const { world, ana } = settled();
  world.advance(20_000);
  const said = world.record("publish");
  lose(world, ({ to }) => to === 1);
  ana.update({ state: { missed: true } });
  world.advance(600);
  loseNothing(world);
  world.until(() => asksOfAll(said, 1).length > 0, heartbeatMs + 50);
});

test("[R9.10] an instance that opened a board before it could publish asks everybody there with its first echo", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed });
    world.advance(20_000);
    const newcomer = world.start();
    world.network.cut(newcomer, { links: ["publisher"] });
    const cara = world.join("cara", { board: B1, via: newcomer });
    world.advance(2_000);
    assert.deepEqual(cara.roster(), ["cara"]);
    world.network.mend(newcomer);
    world.untilEqual(2_000);
    assert.deepEqual(cara.roster(), ["ana", "ben", "cara"]);
  });
});

test("[R9.10] late echoes of beats from before the outage do not end it: they come from a connection that was given up", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed });
    world.network.cut(1, { links: ["publisher"], silently: true });
    world.until(() => world.instance(1).isDegraded, 3_000);
    world.advance(3_000);
    const echoes = world.record("echo");
    // Redis executes what waits in the abandoned connection. The new one is not open yet.
    world.network.mend(1);
    world.advance(10);
    assert.ok(echoes.some(({ instance, ms = 0 }) => instance === 1 && ms > heartbeatMs));
    assert.deepEqual([world.instance(1).isDegraded, world.instance(1).isConnected], [true, false]);
    world.until(() => !world.instance(1).isDegraded, CONSTANTS.reconnectMsMax + 100);
    assert.ok(world.instance(1).isConnected);
    world.untilEqual(1_000);
  });
});

test("[R9.13] [C6] rosters are settling for 15 s after a start and after a recovery", () => {
  const { world } = settled();
  const isSettling = () => world.instance(1).core.roster(B1).settling;
  assert.ok(isSettling());
  world.advance(CONSTANTS.settlingMs);
  assert.ok(!isSettling());
  world.network.deafen(1);
  world.until(() => world.instance(1).isDegraded, 3_000);
  assert.ok(isSettling());
  world.until(() => !world.instance(1).isDegraded, 3_000);
  world.advance(CONSTANTS.settlingMs - 100);
  assert.ok(isSettling());
  world.advance(100 + heartbeatMs);
  assert.ok(!isSettling());
});
