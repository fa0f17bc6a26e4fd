/** R7 in clusters in which an instance does not hear each beat of every other. They are large by their constants, and small enough to be quick. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { InstanceId } from "@presence-service/protocol";
import { type Delivery, groupChannel } from "../testing/network.ts";
import { settled } from "../testing/settled.ts";
import { eachSeed, type World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";
import { Groups, groupOf } from "./groups.ts";
import type { Verdict } from "./messages.ts";

const { heartbeatMs, downBeats } = CONSTANTS;
/** Each instance says every fourth beat to all, and hears eight others between. */
const LARGE = { heartbeatInstancesMax: 12, farMsPerInstance: 80, nearPeers: 8 };
const INSTANCES = 24;
const STRIDE = 4;

function large(seed: number, options: Partial<ConstructorParameters<typeof World>[0]> = {}) {
  return settled({ seed, instances: INSTANCES, constants: LARGE, warmUpMs: 15_000, ...options });
}

function isNear(world: World, one: number, other: number): boolean {
  return world.instance(one).groups.has(groupOf(world.instance(other).instanceId, world.config));
}

function others(world: World, index: number): number[] {
  return world.instances.map((instance) => instance.index).filter((other) => other !== index && world.instance(other).canRun);
}

/** Judgements of instances that live by others that live, but "up". */
function accusations(world: World): string[] {
  const found: string[] = [];
  world.observe(({ index }, effect) => {
    if (effect.kind !== "peer" || effect.state === "up") return;
    const accused = world.instances.find(({ instanceId }) => instanceId === effect.instanceId);
    if (accused?.state === "running") found.push(`${effect.state}: ${accused.index} by ${index}`);
  });
  return found;
}

/** Somebody says this in the name of `from`, and all hear it. */
function forge(world: World, from: number, accused: Verdict["accused"]): void {
  for (const { index } of world.instances)
    if (index !== from)
      world.instance(index).receive(() => ({
        kind: "heard",
        boardId: undefined,
        from: world.instance(from).instanceId,
        link: 1,
        message: { kind: "verdict", accused },
      }));
}

test("[R7.11] [R7.19] [R7.20] [R7.23] in a large cluster an instance says some beats to all, and those between to its group", () => {
  const { world } = large(1);
  const said = world.record("publish");
  world.advance(40 * heartbeatMs);
  for (const { index, instanceId } of world.instances) {
    const beats = said.filter(({ instance, message }) => instance === index && message.kind === "heartbeat");
    assert.equal(beats.length, 40);
    assert.equal(beats.filter(({ group }) => group === undefined).length, 40 / STRIDE);
    const numbers = beats.map(({ message }) => message.kind === "heartbeat" && message.beat);
    assert.deepEqual(
      numbers,
      numbers.map((_, nth) => Number(numbers[0]) + nth),
    );
    // As many groups on both sides as it says.
    const { groups } = world.instance(index);
    assert.ok(beats.every(({ message }) => message.kind === "heartbeat" && groups.size === 2 * (message.near?.reach ?? 0) + 1));
    assert.ok(beats.every(({ group }) => group === undefined || group === groupOf(instanceId, world.config)));
  }
});

test("[R7.12] an instance hears every beat of about `nearPeers` others, whatever the size of the cluster", () => {
  for (const instances of [18, 24, 48]) {
    const { world } = large(2, { instances });
    const near = world.instances.map(({ index }) => others(world, index).filter((other) => isNear(world, index, other)).length);
    const mean = near.reduce((sum, count) => sum + count, 0) / instances;
    assert.ok(Math.abs(mean - LARGE.nearPeers) <= 2, `${mean} of ${instances}`);
  }
});

test("[R7.21] a small cluster listens to no group", () => {
  const { world } = settled({ instances: 6, constants: LARGE });
  world.advance(10_000);
  assert.ok(world.instances.every(({ groups }) => groups.size === 0));
});

test("[R7.22] an instance gives up groups only once that would be right with a fifth of the instances less", () => {
  const groups = new Groups("00000000-0000-4000-8000-000000000000" as InstanceId, CONSTANTS, () => {});
  const reaches = [100, 110, 130, 110, 90].map((instances) => {
    groups.fit(instances, false);
    return groups.reach;
  });
  assert.deepEqual(reaches, [16, 16, 12, 14, 17]);
});

test("[R7.13] [R7.15] [R7.27] kill -9 in a large cluster: its people are shown reconnecting and then leave, everywhere within 5 s", () => {
  eachSeed(20, (seed) => {
    const { world, ana, others: clients } = large(seed, { faults: seed % 2 === 0 ? { lossRate: 0.01 } : {} });
    const accused = accusations(world);
    world.kill(1);
    world.until(() => others(world, 1).every((viewer) => world.judges(viewer, 1) === "down"), 5_000);
    assert.deepEqual(ana.log.slice(-2), ["~ben reconnecting", "-ben instance_lost"]);
    assert.ok(clients.every((client) => client.sees("ben") === undefined));
    assert.deepEqual(
      accused.filter((line) => line.startsWith("down")),
      [],
    );
  });
});

/** So that enough of them are left in each neighbourhood. */
const WATCHED = { constants: { ...LARGE, nearPeers: 14 } };

test("[R7.13] also when a third is killed at once", () => {
  eachSeed(5, (seed) => {
    const { world } = large(seed, WATCHED);
    const accused = accusations(world);
    for (let index = 16; index < INSTANCES; index++) world.kill(index);
    const survivors = world.instances.slice(0, 16);
    world.until(
      () => survivors.every(({ index }) => world.instances.slice(16).every((dead) => world.judges(index, dead.index) === "down")),
      5_000,
    );
    assert.deepEqual(accused, []);
  });
});

test("[R7.9] subscriptions to groups delay no judgement of peers that speak to none", () => {
  const { world } = large(3, { instances: LARGE.heartbeatInstancesMax });
  for (const index of [6, 7, 8, 9, 10, 11]) world.kill(index);
  const survivors = world.instances.slice(0, 6);
  world.until(() => survivors.every(({ index }) => [6, 7, 8, 9, 10, 11].every((dead) => world.judges(index, dead) === "down")), 4_600);
  assert.ok(survivors.every(({ groups }) => groups.size > 0));
});

test("[R7.30] where too few are left to agree, an instance believes itself in the end", () => {
  for (const left of [2, 1]) {
    const { world } = large(3);
    for (let index = left; index < INSTANCES; index++) world.kill(index);
    const survivors = world.instances.slice(0, left);
    world.until(
      () => survivors.every(({ index }) => world.instances.slice(left).every((dead) => world.judges(index, dead.index) === "down")),
      10_000,
    );
  }
});

test("[R7.14] [R7.25] [R7.26] of all that notice a silence few say so", () => {
  let said = 0;
  eachSeed(10, (seed) => {
    const { world } = large(seed, { constants: { ...LARGE, nearPeers: 24 } });
    world.observe((_, effect) => {
      if (effect.kind === "publish" && effect.message.kind === "verdict") said++;
    });
    world.kill(1);
    world.advance(6_000);
  });
  // Two at least say that it is suspect, and that it is down, each twice. All 23 would be 92.
  assert.ok(said / 10 >= 8 && said / 10 < 20, `${said / 10}`);
});

for (const lossRate of [0, 0.01])
  test(`[R7.16] a stall of 2 s in a large cluster with a loss of ${lossRate * 100} %: nobody is down, and all hear soon that it lives`, () => {
    eachSeed(20, (seed) => {
      const { world, ana } = large(seed, { faults: { lossRate } });
      const judged = world.record("peer");
      world.pause(1);
      world.advance(2_000);
      world.resume(1);
      world.until(() => others(world, 1).every((viewer) => world.judges(viewer, 1) === "up"), 1_600);
      world.advance(10_000);
      assert.ok(!judged.some(({ state }) => state === "down"));
      assert.deepEqual(
        ana.log.filter((line) => line.startsWith("-")),
        [],
      );
    });
  });

test("[R7.28] where the words that a peer is down are lost, it is down after eight own beats under suspicion", () => {
  const isDownWord = ({ message }: Delivery) => message.kind === "verdict" && message.accused.some(({ isDown }) => isDown);
  eachSeed(2, (seed) => {
    const { world } = large(seed, { constants: { ...LARGE, farMsPerInstance: 240 }, warmUpMs: 40_000, faults: { loses: isDownWord } });
    world.kill(1);
    const far = others(world, 1).filter((viewer) => !isNear(world, viewer, 1));
    assert.ok(far.length > 0);
    // By its beats to all alone it would be down after 46 s.
    world.until(() => far.every((viewer) => world.judges(viewer, 1) === "down"), 2 * downBeats * heartbeatMs);
  });
});

test("[R7.15] [R7.29] one alone accuses in vain, and so do strangers", () => {
  const { world } = large(4);
  const accused = accusations(world);
  const { instanceId } = world.instance(1);
  const word = [{ instanceId, beat: 2 ** 30, isDown: true }];
  for (let beat = 0; beat < 20; beat++) {
    forge(world, 2, word);
    const stranger = { kind: "heard", boardId: undefined, link: 1, message: { kind: "verdict", accused: word } } as const;
    for (const { index } of world.instances)
      for (const digit of [0, 1, 2])
        world.instance(index).receive(() => ({ ...stranger, from: `0000000${digit}-0000-4000-8000-000000000000` as typeof instanceId }));
    world.advance(heartbeatMs);
  }
  assert.deepEqual(accused, []);
});

test("[R7.31] [R7.32] whatever is forged about it, nobody who lives is judged down: the accused answers", () => {
  const { world, ana } = large(5, { faults: { lossRate: 0.01 } });
  const accused = accusations(world);
  const { instanceId } = world.instance(1);
  for (let times = 0; times < 60; times++) {
    for (const from of [2, 3, 4]) forge(world, from, [{ instanceId, beat: 2 ** 30, isDown: true }]);
    world.advance(100);
  }
  assert.ok(accused.some((line) => line.startsWith("suspect")));
  assert.deepEqual(
    accused.filter((line) => line.startsWith("down")),
    [],
  );
  world.until(() => others(world, 1).every((viewer) => world.judges(viewer, 1) === "up"), 3 * heartbeatMs);
  assert.ok(!ana.log.some((line) => line.startsWith("-")));
});

test("[R7.16] [R7.24] an instance that has lost a subscription to a group gives up nobody whom others hear", () => {
  // Beats to all are rarer than what makes a near peer down.
  const { world } = large(6, { constants: { ...LARGE, farMsPerInstance: 240 }, warmUpMs: 40_000 });
  const accused = accusations(world);
  const near = others(world, 0).filter(
    (other) =>
      isNear(world, 0, other) &&
      groupOf(world.instance(other).instanceId, world.config) !== groupOf(world.instance(0).instanceId, world.config),
  );
  assert.ok(near.length > 2);
  for (const other of near) world.network.dropSubscription(0, groupChannel(groupOf(world.instance(other).instanceId, world.config)));
  world.advance(30_000);
  assert.ok(accused.some((line) => line.startsWith("suspect")));
  assert.deepEqual(
    accused.filter((line) => line.startsWith("down")),
    [],
  );
});

test("[R7.17] an instance to which Redis refuses the groups says each beat to all, and is heard and judged as before", () => {
  const { world } = large(7);
  const accused = accusations(world);
  for (const { index } of world.instances) {
    if (index > 2) continue;
    for (let group = 0; group < world.config.beatGroups; group++) world.network.refuse(index, { on: groupChannel(group) });
  }
  const said = world.record("publish");
  world.advance(20_000);
  const last = said.filter(({ instance, message, at }) => instance === 1 && message.kind === "heartbeat" && at > world.now - 10_000);
  assert.ok(last.length > 5 && last.every(({ group }) => group === undefined));
  accused.length = 0;
  world.advance(10_000);
  assert.deepEqual(accused, []);
  world.kill(1);
  world.until(() => others(world, 1).every((viewer) => world.judges(viewer, 1) === "down"), 2 * downBeats * heartbeatMs + 1_000);
});

test("[R7.18] [R7.35] [R7.36] [R7.37] a newcomer to a large cluster suspects nobody, and has proved itself to all within 3 s", () => {
  eachSeed(10, (seed) => {
    const { world } = large(seed);
    const accused = accusations(world);
    const listened = world.record("group");
    const said = world.record("publish");
    const newcomer = world.start();
    world.advance(3_000);
    assert.equal(listened.filter(({ instance, act }) => instance === newcomer && act === "subscribe").length, world.config.beatGroups);
    const known = ({ instanceId }: { instanceId: string }, viewer: number) =>
      world
        .instance(viewer)
        .core.stats(0)
        .peers.some((peer) => peer.instanceId === instanceId && peer.state === "up");
    assert.ok(world.instances.every(({ index }) => index === newcomer || known(world.instance(newcomer), index)));
    world.advance(10_000);
    assert.deepEqual(accused, []);
    const toAll = said.flatMap(({ instance, message, group }) =>
      instance === newcomer && message.kind === "heartbeat" && group === undefined ? [message.beat] : [],
    );
    const pauses = toAll.map((beat, nth) => beat - (toAll[nth - 1] ?? 0));
    assert.deepEqual(toAll.slice(0, 2), [1, 2]);
    for (const [nth, pause] of pauses.slice(1).entries()) assert.ok(pause <= 2 * (pauses[nth] ?? 0), pauses.join());
  });
});

test("[R7.13] a third cut off with a Redis of its own: each side gives up the other within 5 s, and all are equal after they meet", () => {
  const { world } = large(8, WATCHED);
  const third = [0, 3, 6, 9, 12, 15, 18, 21];
  world.network.split(third, { stays: true });
  world.until(
    () =>
      world.instances.every(({ index }) =>
        others(world, index).every((other) => third.includes(index) === third.includes(other) || world.judges(index, other) === "down"),
      ),
    5_000,
  );
  world.network.mendAll();
  world.until(
    () => world.instances.every(({ index }) => others(world, index).every((other) => world.judges(index, other) === "up")),
    20_000,
  );
  world.untilEqual(3_000);
});

test("[R10.8] a large cluster: an instance that publishes to a demoted master notices it before it is given up", () => {
  eachSeed(10, (seed) => {
    const { world } = large(seed);
    world.network.mute(1);
    const judged = accusations(world);
    world.until(() => world.instance(1).recycles.some(({ link }) => link === "publisher"), 3_000);
    world.advance(10_000);
    assert.deepEqual(
      judged.filter((line) => line.startsWith("down")),
      [],
    );
  });
});

test("[R10.6] [R10.9] in a large cluster in peace nobody believes itself unheard, however many others each acknowledges", () => {
  eachSeed(3, (seed) => {
    const { world } = large(seed, { instances: 40, constants: { ...LARGE, acksPerBeat: 1 } });
    world.advance(60_000);
    assert.ok(world.instances.every(({ recycles }) => recycles.length === 0));
  });
});

test("[R10.6] nor when many die at once and turns become shorter", () => {
  eachSeed(5, (seed) => {
    const { world } = large(seed, { constants: { ...LARGE, nearPeers: 20, acksPerBeat: 1 } });
    for (let index = 16; index < INSTANCES; index++) world.kill(index);
    world.advance(30_000);
    assert.ok(world.instances.every(({ recycles }) => recycles.length === 0));
  });
});
