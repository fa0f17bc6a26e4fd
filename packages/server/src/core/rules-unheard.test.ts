/** An instance that others do not hear, and how it finds out by their acknowledgements. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "@presence-service/protocol";
import { lose, settled } from "../testing/settled.ts";
import { eachSeed, type Recorded, World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";

const { heartbeatMs } = CONSTANTS;

function recycledLinks(world: World, instance: number): string[] {
  return world.instance(instance).recycles.map(({ link }) => link);
}

function _asksOfAll(said: readonly Recorded<"publish">[], instance: number): Recorded<"publish">[] {
  return said.filter((one) => one.instance === instance && one.message.kind === "sync" && one.message.asks === "all");
}

function gaps(times: readonly Millis[]): Millis[] {
  return times.slice(1).map((at, index) => at - (times[index] ?? 0));
}

/** Judgements of other instances but "up", by any instance or by these. */
function _accusations(judged: readonly Recorded<"peer">[], ...by: number[]): string[] {
  return judged
    .filter(({ instance, state }) => state !== "up" && (by.length === 0 || by.includes(instance)))
    .map(({ instance, state }) => `${instance}: ${state}`);
}

// R10 Mute.

test("[R10.12] a demoted master: missing acknowledgements make the mute instance reconnect its publisher", () => {
  eachSeed(40, (seed) => {
    const { world, ben } = settled({ seed, instances: 3 });
    world.network.mute(1);
    ben.update({ state: { heard: false } });
    // Two turns and three beats, the beat that was heard last, and the beat that tells this instance.
    world.until(() => recycledLinks(world, 1).includes("publisher"), 7 * heartbeatMs);
    assert.deepEqual([recycledLinks(world, 1), world.instance(1).counted.mute], [["publisher"], 1]);
    world.untilEqual(1_000);
    world.advance(20_000);
    assert.deepEqual(
      world.instances.map(({ recycles }) => recycles.length),
      [0, 1, 0],
    );
  });
});

test("[R10.5] nobody believes itself mute because of beats that were lost to all", () => {
  eachSeed(40, (seed) => {
    const { world } = settled({ seed, instances: 5 });
    world.network.stopRedis(seed % 2 === 0 ? "killed" : "paused");
    world.advance(world.random.between(5_000, 15_000));
    const recycles = world.record("recycle");
    world.network.startRedis();
    world.advance(10_000);
    assert.deepEqual(recycles, []);
  });
});

test("[R10.6] an instance that slept does not believe itself mute", () => {
  eachSeed(10, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    world.pause(1);
    world.advance(world.random.between(3_000, 30_000));
    world.resume(1);
    world.advance(10_000);
    assert.deepEqual(recycledLinks(world, 1), []);
  });
});

test("[R10] also where the only witness has just started", () => {
  eachSeed(20, (seed) => {
    const world = new World({ seed, instances: 1 });
    const ana = world.join("ana", { board: "b1", via: 0 });
    world.network.mute(0);
    world.advance(20_000);
    world.join("ben", { board: "b1", via: world.start() });
    world.untilEqual(10_000);
    assert.deepEqual(ana.roster(), ["ana", "ben"]);
  });
});

test("[R10.12] also where both are mute", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed });
    world.network.mute(0);
    world.network.mute(1);
    world.advance(5_000);
    world.untilEqual(10_000);
  });
});

test("[R10.12] also where one is alone with a master of its own", () => {
  eachSeed(20, (seed) => {
    const { world } = settled({ seed, instances: 3 });
    world.network.split([2]);
    world.until(() => recycledLinks(world, 2).includes("publisher"), 6_000);
    world.untilEqual(10_000);
  });
});

test("[R10.13] while it does not help the publisher is reconnected after 4, 8, 16 and then every 30 s", () => {
  const { world } = settled({ instances: 3 });
  world.network.mute(1, { stays: true });
  world.advance(150_000);
  const waits = gaps(world.instance(1).recycles.map(({ at }) => at));
  assert.ok(waits.length >= 5, `${waits}`);
  for (const [index, expected] of [8_000, 16_000, 30_000, 30_000].entries())
    assert.ok(Math.abs((waits[index] ?? 0) - expected) <= 2 * heartbeatMs, `${waits}`);
});

test("[R10.4] nor is anybody blamed by a peer that is degraded itself", () => {
  const { world } = settled();
  world.network.deafen(1, { stays: true });
  world.advance(60_000);
  assert.deepEqual(recycledLinks(world, 0), []);
});

test("[R10.11] one of several peers that does not hear me is its own trouble", () => {
  const { world } = settled({ instances: 4 });
  lose(world, ({ from, to, message }) => from === 0 && to === 1 && message.kind === "heartbeat");
  world.advance(60_000);
  assert.deepEqual(recycledLinks(world, 0), []);
});

test("[R10.1] with many peers everybody is acknowledged in turn, and nobody takes a turn's wait for deafness", () => {
  const { world } = settled({ instances: 2 });
  for (let more = 0; more < 12; more++) world.start();
  world.advance(60_000);
  assert.deepEqual(
    world.instances.flatMap(({ recycles }) => recycles),
    [],
  );
  const said = world.record("publish");
  world.advance(heartbeatMs);
  const acks = said.flatMap(({ message }) => (message.kind === "heartbeat" ? [message.acks.length] : []));
  assert.deepEqual(acks, Array(14).fill(CONSTANTS.acksPerBeat));
});

test("[R10.14] when the last peer was judged down, the publisher is reconnected, in case it is I who is not heard", () => {
  const { world } = settled();
  world.kill(1);
  world.until(() => world.judges(0, 1) === "down", 5_000);
  world.advance(heartbeatMs);
  assert.deepEqual(recycledLinks(world, 0), ["publisher"]);
  world.advance(CONSTANTS.downRememberedMs);
  const times = world.instance(0).recycles.length;
  assert.ok(times <= 5);
  world.advance(60_000);
  assert.equal(world.instance(0).recycles.length, times);
});
