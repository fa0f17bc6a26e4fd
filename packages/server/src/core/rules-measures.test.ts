/** How far what an instance shows was from the truth, as it measures it itself (R23), against the time of the World. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "@presence-service/protocol";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { B1, isTo, lose, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, type Recorded, type World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";

const { heartbeatMs, goodbyeMs, falseLeaveMs } = CONSTANTS;

/** Every message takes 2 ms to Redis and 2 ms from there: then measures are right to the rounding of an owner's time. */
const STEADY = { ...HEALTHY, latencyMsMin: 2, latencyMsMax: 2 };
const WAY_MS = 4;

/** Measures of an instance in words without the time, and the times. */
type Measures = { readonly words: string[]; readonly ms: Millis[] };

/** Measures of one instance from now on. */
function measures(world: World, instance = 0): () => Measures {
  const measured = world.record("measured");
  return () => {
    const own = measured.filter((one) => one.instance === instance);
    return { words: own.map(inWords), ms: own.map(({ ms }) => ms) };
  };
}

function inWords({ kind: _, ms: __, at: ___, instance: ____, ...measured }: Recorded<"measured">): string {
  return Object.values(measured).join(" ");
}

/** When that instance showed a change of its roster, from now on. */
function shownAt(world: World, change: "joined" | "left", instance = 0): Millis[] {
  const times: Millis[] = [];
  world.observe(({ index }, effect) => {
    if (index === instance && effect.kind === "roster" && effect.change.change === change) times.push(world.now);
  });
  return times;
}

function near(actual: number | undefined, expected: number, withinMs = 1): void {
  assert.ok(actual !== undefined && Math.abs(actual - expected) <= withinMs, `${actual} ms, not ${expected}`);
}

/** Nothing of that instance about its slice arrives at instance 0. */
const aboutSlices = isTo(0, "delta", "replay", "snapshot", "beacon", "sync");

test("[R23.1] [R23.8] [R23.9] an owner tells its time in a beat to all every 4 s, and with each change by which somebody comes or leaves, but with no other", () => {
  const { world, ben } = settled({ faults: STEADY });
  const said = world.record("publish");
  world.advance(20_000);
  const beats = said.filter(({ instance, message }) => instance === 1 && message.kind === "heartbeat");
  const told = beats.filter(({ message }) => "at" in message);
  assert.ok(told.length >= 4 && told.length <= 6, `${told.length} of ${beats.length}`);

  said.length = 0;
  const times = () =>
    said.flatMap(({ instance, message }) =>
      instance === 1 && (message.kind === "delta" || message.kind === "snapshot") ? ["at" in message] : [],
    );
  world.join("cleo", { board: "b1", via: 1 });
  ben.update({ status: "idle" });
  ben.resume({ via: 1 });
  ben.leave();
  world.advance(10);
  assert.deepEqual(times(), [true, false, false, true], "cleo comes; ben is idle, comes again in place, and leaves");
});

test("[R23.10] a snapshot tells when its last change was, and nothing of those before", () => {
  const { world, ben } = settled({ faults: STEADY });
  const said = world.record("publish");
  const times = (kind: "delta" | "snapshot") => saidBy(said, 1, kind).map(({ message }) => ("at" in message ? message.at : undefined));
  const newcomer = () => {
    const via = world.start();
    world.join(`p${via}`, { board: "b1", via });
    world.advance(1_000);
  };
  const cleo = world.join("cleo", { board: "b1", via: 1 });
  world.advance(1_000);
  ben.leave();
  world.advance(1_000);
  newcomer();
  const [came, left] = times("delta").filter((at) => at !== undefined);
  assert.ok(came !== undefined && left === came + 1_000);
  assert.deepEqual(new Set(times("snapshot")), new Set([left]));
  cleo.update({ status: "idle" });
  said.length = 0;
  newcomer();
  assert.deepEqual(new Set(times("snapshot")), new Set([undefined]), "nobody came or left by the last change");
});

test("[R23.3] from a join until it is shown elsewhere: on time, after a loss, and where the viewer slept", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed, faults: STEADY, instances: 3 });
    const measured = measures(world);
    const shown = shownAt(world, "joined");
    const joinedAt = [world.now];
    world.join("eve", { board: "b1", via: 1 });
    world.advance(3_000);
    near(measured().ms[0], WAY_MS);

    lose(world, aboutSlices);
    joinedAt.push(world.now);
    world.join("finn", { board: "b1", via: 1 });
    world.advance(200);
    world.network.faults = STEADY;
    world.advance(3_000);

    joinedAt.push(world.now);
    world.pause(0);
    world.join("gil", { board: "b1", via: 1 });
    world.advance(1_200);
    world.resume(0);
    world.advance(3_000);
    const { words, ms } = measured();
    assert.deepEqual(words, ["join", "join", "join"]);
    for (const [index, at] of joinedAt.entries()) near(ms[index], (shown[index] ?? 0) - at, 2);
    assert.ok((ms[1] ?? 0) > 200 && (ms[2] ?? 0) >= 1_199, ms.join());
  });
});

test("[R23.3] the first member of an owner comes by snapshot and is measured; a board that opens later measures nobody who was there", () => {
  const { world } = settled({ faults: STEADY, instances: 3 });
  world.join("eve", { board: "b2", via: 0 });
  world.advance(2_000);
  const measured = measures(world);
  const late = measures(world, 2);
  const shown = shownAt(world, "joined");
  const joinedAt = world.now;
  world.join("finn", { board: "b2", via: 1 });
  world.advance(2_000);
  assert.deepEqual(measured().words, ["join"]);
  near(measured().ms[0], (shown[0] ?? 0) - joinedAt);
  world.join("gil", { board: "b2", via: 2 });
  world.advance(10_000);
  assert.deepEqual(late().words, []);
});

test("[R23.4] a ghost is counted from when its owner knew: on time, after a loss by replay, and by snapshot", () => {
  eachSeed(20, (seed) => {
    const { world, ben } = settled({ seed, faults: STEADY });
    const cleo = world.join("cleo", { board: "b1", via: 1 });
    const dan = world.join("dan", { board: "b1", via: 1 });
    world.advance(5_000);
    const measured = measures(world);
    const shown = shownAt(world, "left");
    const kinds = new Set<string>();
    world.network.onDelivery = ({ to, from, message }) => void (to === 0 && from === 1 && kinds.add(message.kind));
    const leftAt: Millis[] = [];
    // With others on the slice the change is told again; once it is empty, the whole slice is.
    for (const [member, lossMs] of [
      [dan, 0],
      [cleo, 400],
      [ben, 700],
    ] as const) {
      if (lossMs > 0) lose(world, aboutSlices);
      leftAt.push(world.now);
      member.leave();
      world.advance(lossMs);
      world.network.faults = STEADY;
      world.advance(5_000);
    }
    const { words, ms } = measured();
    assert.deepEqual(words, ["ghost left", "ghost left", "ghost left"]);
    for (const [index, at] of leftAt.entries()) near(ms[index], (shown[index] ?? 0) - at, 2);
    near(ms[0], WAY_MS, 1);
    assert.ok((ms[1] ?? 0) > 400 && (ms[2] ?? 0) > 700);
    assert.ok(kinds.has("replay") && kinds.has("snapshot"), [...kinds].join());
  });
});

test("[R23.4] nobody is a ghost for longer than it was shown", () => {
  const { world, ben } = settled({ faults: STEADY });
  const measured = measures(world);
  // Ben comes anew and leaves while instance 0 sleeps: it hears of both in one moment.
  ben.leave();
  world.advance(3_000);
  world.pause(0);
  world.join("dan", { board: "b1", via: 1 }).leave();
  world.advance(1_000);
  world.resume(0);
  world.advance(1_000);
  const { words, ms } = measured();
  assert.deepEqual(words.slice(-2), ["join", "ghost left"]);
  assert.equal(ms.at(-1), 0);
});

test("[R23.2] [R23.11] times are right though each instance counts its own, and wall clocks differ by seconds; random delays cost milliseconds", () => {
  eachSeed(20, (seed) => {
    const { world, ben } = settled({ seed, instances: 3 });
    world.advance(20_000);
    const measured = measures(world);
    const shown = shownAt(world, "left");
    const leftAt = world.now;
    ben.leave();
    world.advance(3_000);
    near(measured().ms[0], (shown[0] ?? 0) - leftAt, 6);
  });
});

test("[R23.2] a beat that came late does not make later changes look younger", () => {
  const { world, ben } = settled({ faults: STEADY });
  const measured = measures(world);
  world.network.faults = { ...STEADY, latencyMsMin: 200, latencyMsMax: 200 };
  world.advance(4_100);
  world.network.faults = STEADY;
  world.advance(700);
  ben.leave();
  world.advance(1_000);
  near(measured().ms[0], WAY_MS, 2);
});

test("[R23.13] an owner that tells no time, as those of earlier releases, is not measured", () => {
  const rewrites = ({ message }: Delivery) => {
    if (message.kind !== "heartbeat" && message.kind !== "delta") return message;
    const { at: _, ...earlier } = message;
    return earlier;
  };
  const { world, ben } = settled({ faults: { ...STEADY, rewrites } });
  const measured = measures(world);
  world.join("cleo", { board: "b1", via: 1 });
  ben.leave();
  world.advance(3_000);
  assert.deepEqual(measured().words, []);
});

test("[R23.12] an owner whose clock stood still is measured by the time that it tells anew", () => {
  const { world, ben } = settled({ faults: STEADY });
  world.advance(20_000);
  const measured = measures(world);
  // As a virtual machine that is moved: it sleeps for 3 s, and its clock does not know. Beats and changes tell times from before.
  const sleptMs = 3_000;
  world.pause(1);
  world.advance(sleptMs);
  world.network.faults = {
    ...STEADY,
    rewrites: ({ from, message }) =>
      from === 1 && "at" in message && message.at !== undefined ? { ...message, at: message.at - sleptMs } : message,
  };
  world.resume(1);
  world.advance(100);
  world.join("cleo", { board: "b1", via: 1 });
  world.advance(4_500);
  ben.leave();
  world.advance(100);
  const { words, ms } = measured();
  assert.deepEqual(words, ["join", "ghost left"]);
  for (const one of ms) near(one, WAY_MS, 2);
});

test("[R23.5] kill -9: people of the dead instance are counted from its last sign of life, which is at most a beat before its end", () => {
  eachSeed(40, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    world.join("eve", { board: "b1", via: 1 });
    world.advance(seed * 17);
    const measured = measures(world);
    const shown = shownAt(world, "left");
    const killedAt = world.now;
    world.kill(1);
    world.advance(8_000);
    const { words, ms } = measured();
    assert.deepEqual(words, ["ghost lost", "ghost lost"]);
    const ghostMs = (shown[0] ?? 0) - killedAt;
    for (const one of ms) assert.ok(one >= ghostMs - 10 && one <= ghostMs + heartbeatMs + 10, `${one} for ${ghostMs}`);
    assert.ok(Math.max(...ms) <= 5_000);
  });
});

test("[R23.14] in a large cluster, where beats of most come rarely, verdicts name the last one that anybody heard", () => {
  const constants = { heartbeatInstancesMax: 12, farMsPerInstance: 240, nearPeers: 8 };
  const { world } = settled({ seed: 2, instances: 24, constants, warmUpMs: 40_000 });
  const measured = world.record("measured");
  const killedAt = world.now;
  world.kill(1);
  world.advance(9_000);
  const ghosts = measured.filter(({ what }) => what === "ghost");
  assert.equal(ghosts.length, 4, "the four others on the board");
  for (const { at, ms } of ghosts) {
    const ghostMs = at - killedAt;
    assert.ok(ms >= ghostMs - 10 && ms <= ghostMs + heartbeatMs + 10, `${ms} for ${ghostMs}`);
  }
});

test("[R23.15] after a goodbye people have their time to come back, and only what is above it counts", () => {
  const { world } = settled({ instances: 3 });
  const measured = measures(world);
  const shown = shownAt(world, "left");
  const stoppedAt = world.now;
  world.stop(1);
  world.advance(8_000);
  assert.ok((shown[0] ?? 0) - stoppedAt >= goodbyeMs);
  assert.deepEqual(measured().words, ["ghost lost"]);
  near(measured().ms[0], 0, 30);
});

test("[R23.7] [R23.16] people who are cleared as nothing is heard count as no ghosts; the time without the bus is counted once it is over", () => {
  const { world } = settled();
  const measured = measures(world);
  const stoppedAt = world.now;
  world.network.stopRedis("killed");
  world.advance(35_000);
  assert.deepEqual(measured().words, []);
  world.network.startRedis();
  world.untilEqual(5_000);
  const { words, ms } = measured();
  assert.equal(words[0], "blind all");
  assert.ok((ms[0] ?? 0) >= 35_000 && (ms[0] ?? 0) <= world.now - stoppedAt, `${ms[0]}`);
});

test("[R23.6] people of an instance that is given up while it lives have left falsely, and for so long", () => {
  const { world } = settled();
  const measured = measures(world);
  const [left, joined] = [shownAt(world, "left"), shownAt(world, "joined")];
  world.network.cut(1);
  world.advance(6_000);
  world.network.mend(1);
  world.untilEqual(5_000);
  const { words, ms } = measured();
  assert.deepEqual(words, ["ghost lost", "false_leave kept"]);
  near(ms[1], (joined[0] ?? 0) - (left[0] ?? 0));
});

test("[R23.6] whoever comes back by itself after its instance was lost left falsely, too; after 15 s nobody did", () => {
  for (const awayMs of [6_000, 6_000 + falseLeaveMs]) {
    const { world, ben } = settled();
    const measured = measures(world);
    const [left, joined] = [shownAt(world, "left"), shownAt(world, "joined")];
    world.kill(1);
    world.advance(awayMs);
    ben.resume({ via: 0 });
    world.untilEqual(1_000);
    const { words, ms } = measured();
    assert.deepEqual(words, awayMs < falseLeaveMs ? ["ghost lost", "false_leave resumed"] : ["ghost lost"]);
    if (awayMs < falseLeaveMs) near(ms[1], (joined[0] ?? 0) - (left[0] ?? 0));
  }
});

test("[R23.6] a session that was ended and comes back has left: here, elsewhere, and where the end was heard of later", () => {
  const { world, ana, ben } = settled({ instances: 3 });
  const measured = measures(world);
  ben.leave();
  world.advance(2_000);
  ben.resume({ via: 2 });
  world.advance(2_000);
  ana.leave();
  ana.resume({ via: 0 });
  world.untilEqual(2_000);
  assert.ok(!measured().words.some((word) => word.startsWith("false_leave")));

  // Dora leaves while her instance is cut off and given up: so she was gone, though nobody knew it when she was shown leaving.
  const dora = world.join("dora", { board: "b1", via: 1 });
  world.advance(2_000);
  world.network.cut(1);
  world.advance(1_000);
  dora.leave();
  world.advance(5_000);
  world.network.mend(1);
  world.advance(3_000);
  world.join("dora", { board: "b1", via: 2, attempt: 2 });
  world.advance(1_000);
  assert.deepEqual(measured().words, ["ghost left", "join", "ghost lost", "join"]);
});

test("[R23.7] a lost subscriber is counted from its loss to the next own echo", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed, faults: STEADY });
    const measured = measures(world);
    const echoes = world.record("echo");
    const lostAt = world.now;
    world.network.reset(0, "subscriber");
    echoes.length = 0;
    world.advance(3_000);
    const { words, ms } = measured();
    assert.deepEqual(words, ["blind all"]);
    near(ms[0], (echoes.find(({ instance }) => instance === 0)?.at ?? 0) - lostAt);
  });
});

test("[R23.7] an instance that is deaf without knowing counts from its last own echo; where others' publishers are lost nobody is blind", () => {
  const { world } = settled({ faults: STEADY });
  const measured = measures(world);
  const others = measures(world, 1);
  const echoes = world.record("echo");
  world.advance(1_000);
  const lastEcho = echoes.findLast(({ instance, ms }) => instance === 0 && ms !== undefined)?.at ?? 0;
  world.network.deafen(0);
  echoes.length = 0;
  world.advance(6_000);
  const { words, ms } = measured();
  assert.deepEqual(words, ["blind all"]);
  near(ms[0], (echoes.find(({ instance }) => instance === 0)?.at ?? 0) - lastEcho);
  assert.deepEqual(others().words, []);
});

test("[R23.7] a board that is silent is counted apart", () => {
  const { world, ana } = settled({ faults: STEADY });
  const measured = measures(world);
  world.network.dropSubscription(0, B1);
  const saidAt = world.now;
  ana.update({ status: "idle" });
  world.advance(8_000);
  const { words, ms } = measured();
  assert.deepEqual(words, ["blind board"]);
  assert.ok((ms[0] ?? 0) >= CONSTANTS.boardUnechoedMs && (ms[0] ?? 0) < CONSTANTS.boardUnechoedMs + 1_500, `${ms[0]} since ${saidAt}`);
});
