/** An instance hears others and is not heard: it must know before they give it up, and say so when nothing helps. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "@presence-service/protocol";
import { isTo, lose, loseNothing, settled } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import type { WorldMember } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import { shortOf } from "./peer.ts";

const { heartbeatMs, staleAckBeats } = CONSTANTS;
/** From the last beat that was heard: the beats that were not heard, and one until a peer says so. */
const NOTICED_MS: Millis = (staleAckBeats + 1) * heartbeatMs + 50;
/** Ten seconds after the last acknowledgement, which may be of a beat of 1.5 s before. */
const DEGRADED_MS: Millis = (CONSTANTS.unheardBeatsMax + 4) * heartbeatMs;

function recycled(world: World, instance: number): string[] {
  return world.instance(instance).recycles.map(({ link }) => link);
}

function peersOf(world: World, instance: number) {
  return world.instance(instance).core.stats(0).peers;
}

/** A cluster with one person at each of its first instances, and one board. */
function cluster(seed: number, instances: number): { world: World; people: WorldMember[] } {
  const world = new World({ seed, instances });
  const people = Array.from({ length: Math.min(instances, 5) }, (_, via) => world.join(`person${via}`, { board: "b1", via }));
  world.advance(3_000 + world.random.between(0, heartbeatMs));
  return { world, people };
}

/** A failover: the master is a replica of another now, to which all but these have connected, just now or long ago. */
function failOver(world: World, leftBehind: readonly number[]): void {
  world.network.mute(leftBehind);
  if (world.seed % 2 === 0) return;
  for (const { index } of world.instances) {
    if (leftBehind.includes(index)) continue;
    world.network.reset(index, "publisher");
    world.network.reset(index, "subscriber");
  }
}

function assertNobodyLeft(world: World, people: readonly WorldMember[]): void {
  assert.deepEqual(
    world.instances.flatMap(({ judgements }) => judgements.filter((state) => state === "down")),
    [],
  );
  for (const { log } of people)
    assert.deepEqual(
      log.filter((line) => line.startsWith("-")),
      [],
    );
}

for (const [instances, seeds] of [
  [2, 40],
  [3, 40],
  [5, 40],
  [12, 40],
  [40, 3],
  [100, 1],
] as const) {
  test(`[R10.17] failover of ${instances} instances with one left behind: it connects anew before anybody gives it up`, (t) => {
    let worstMs = 0;
    eachSeed(seeds, (seed) => {
      const { world, people } = cluster(seed, instances);
      failOver(world, [1]);
      worstMs = Math.max(
        worstMs,
        world.until(() => recycled(world, 1).length > 0, NOTICED_MS),
      );
      world.untilEqual(1_500);
      world.advance(10_000);
      assertNobodyLeft(world, people);
      assert.deepEqual(recycled(world, 1), ["publisher"]);
    });
    t.diagnostic(`${seeds} seeds, noticed after ${Math.round(worstMs)} ms at the latest`);
  });
}

for (const [instances, seeds] of [
  [3, 40],
  [4, 40],
  [12, 10],
  [40, 2],
] as const) {
  test(`[R10.17] failover of ${instances} instances with two left behind together, who hear each other`, (t) => {
    let worstMs = 0;
    eachSeed(seeds, (seed) => {
      const { world, people } = cluster(seed, instances);
      failOver(world, [1, 2]);
      worstMs = Math.max(
        worstMs,
        world.until(() => recycled(world, 1).length > 0 && recycled(world, 2).length > 0, NOTICED_MS + heartbeatMs),
      );
      world.untilEqual(1_500);
      world.advance(10_000);
      assertNobodyLeft(world, people);
    });
    t.diagnostic(`${seeds} seeds, noticed after ${Math.round(worstMs)} ms at the latest`);
  });
}

test("[R10.9] failover with all but one left behind: that one hears nobody of them, and that some have connected anew misleads none", () => {
  eachSeed(40, (seed) => {
    const { world, people } = cluster(seed, 5);
    failOver(world, [1, 2, 3, 4]);
    world.until(() => [1, 2, 3, 4].every((index) => recycled(world, index).length > 0), NOTICED_MS + 2 * heartbeatMs);
    world.untilEqual(1_500);
    world.advance(10_000);
    assertNobodyLeft(world, people);
  });
});

test("[R10.3] a peer that does not hear itself acknowledges nobody, and nobody believes itself mute for its sake", () => {
  eachSeed(40, (seed) => {
    const { world } = settled({ seed });
    const recycles = world.record("recycle");
    world.network.deafen(1);
    world.advance(10_000);
    assert.deepEqual(
      recycles.map(({ instance, link }) => [instance, link]),
      [[1, "subscriber"]],
    );
  });
});

test("[R10.2] besides the live peers whose turn it is, each heartbeat acknowledges those that fell silent", () => {
  const { world } = cluster(1, 12);
  lose(world, ({ from, to }) => from === 5 && to !== 5);
  world.until(() => world.judges(0, 5) === "suspect", 3_000);
  const said = world.record("publish");
  world.advance(3 * heartbeatMs);
  const beats = said.flatMap(({ instance, message }) => (instance === 0 && message.kind === "heartbeat" ? [message] : []));
  assert.equal(beats.length, 3);
  for (const { acks } of beats) {
    assert.ok(acks.some(({ peer }) => peer === shortOf(world.instance(5).instanceId)));
    assert.ok(acks.length >= CONSTANTS.acksPerBeat && acks.length <= 2 * CONSTANTS.acksPerBeat);
  }
});

test("[R10.7] an acknowledgement of a beat that is more than sixteen old means nothing", () => {
  const { world } = settled({ instances: 3 });
  world.advance(20 * heartbeatMs);
  const states = () => peersOf(world, 0).map(({ state }) => state);
  const said = world.record("publish");
  world.advance(2 * heartbeatMs);
  const own = said.findLast(({ instance, message }) => instance === 0 && message.kind === "heartbeat")?.message;
  assert.ok(own?.kind === "heartbeat");
  for (const [old, deaf] of [
    [17, []],
    [16, ["deaf"]],
  ] as const) {
    const heard = said.findLast(({ instance, message }) => instance === 1 && message.kind === "heartbeat")?.message;
    assert.ok(heard?.kind === "heartbeat");
    const acks = [{ peer: shortOf(world.instance(0).instanceId), beat: (own.beat - old) & 0xffff }];
    const message = { ...heard, beat: heard.beat + (old === 17 ? 1 : 2), acks };
    world.instance(0).receive(() => ({ kind: "heard", boardId: undefined, from: world.instance(1).instanceId, link: 1, message }));
    assert.deepEqual(
      states().filter((state) => state !== "up"),
      deaf,
    );
  }
});

test("[R10.10] where a single witness hears others and not me, I am mute after 20 of its heartbeats, not before", () => {
  const { world } = settled({ instances: 3 });
  // Instance 2 is no witness, and instance 1 hears it.
  world.network.faults = {
    ...world.network.faults,
    rewrites: ({ from, message }) => (from === 2 && message.kind === "heartbeat" ? { ...message, status: "degraded" } : message),
    loses: ({ from, to, message }) => from === 0 && to === 1 && message.kind === "heartbeat",
  };
  const tookMs = world.until(() => recycled(world, 0).length > 0, DEGRADED_MS);
  assert.ok(tookMs >= (CONSTANTS.unheardBeatsMax - 1) * heartbeatMs, `${tookMs}`);
  assert.deepEqual(recycled(world, 0), ["publisher"]);
});

test("[R10.8] two peers that do not hear me are no trouble of theirs, though others do", () => {
  const { world } = settled({ instances: 5 });
  lose(world, ({ from, to, message }) => from === 0 && (to === 1 || to === 2) && message.kind === "heartbeat");
  world.until(() => recycled(world, 0).length > 0, NOTICED_MS + heartbeatMs);
  assert.deepEqual(recycled(world, 0), ["publisher"]);
});

test("[R10.13] a new publisher that helped is the first of its kind when it is mute again", () => {
  const { world } = settled({ instances: 3 });
  // One replacement is in vain, so that the next wait would be 16 s.
  world.network.mute(1, { stays: true });
  world.until(() => recycled(world, 1).length === 2, 15_000);
  world.network.mend(1);
  world.untilEqual(5_000);
  world.advance(CONSTANTS.muteRetryMsMin);
  world.network.mute(1);
  world.until(() => recycled(world, 1).length === 3, NOTICED_MS);
});

// Mute for good.

test("[R10.15] [R10.16] an instance whose Redis is a replica is degraded after ten seconds, lists others as deaf, and what it shows of them stays true", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben, others } = settled({ seed, instances: 3 });
    const degraded = world.record("degraded");
    world.network.mute(1, { stays: true });
    world.until(() => world.instance(1).isDegraded, DEGRADED_MS);
    assert.deepEqual(
      degraded.map(({ instance, why }) => [instance, why]),
      [[1, "unheard"]],
    );
    const { status, degradedWhy, peers } = world.instance(1).core.stats(0);
    assert.deepEqual([status, degradedWhy, peers.map(({ state }) => state)], ["degraded", "unheard", ["deaf", "deaf"]]);
    // It stays so, although the instance connects anew again and again.
    world.advance(120_000);
    assert.deepEqual([world.instance(1).isDegraded, degraded.length], [true, 1]);
    assert.deepEqual(
      ben.log.filter((line) => line.startsWith("-")),
      [],
    );
    assert.deepEqual(ben.roster(), ["ana", "ben", "cleo"]);
    ana.update({ state: { tool: "pen" } });
    others[0]?.leave();
    world.advance(200);
    assert.deepEqual([ben.roster(), ben.sees("ana")?.state], [["ana", "ben"], { tool: "pen" }]);
    // Nobody else shows it, or its people, as being there.
    assert.deepEqual([ana.roster(), world.judges(0, 1) === "up"], [["ana"], false]);
    world.network.mend(1);
    world.untilEqual(3_000);
    world.until(() => !world.instance(1).isDegraded, 2_000);
    assert.deepEqual(
      peersOf(world, 1).map(({ state }) => state),
      ["up", "up"],
    );
  });
});

for (const [instances, seeds] of [
  [2, 10],
  [3, 10],
  [60, 1],
] as const) {
  test(`[R10.15] also where it was so from its start, beside ${instances}`, () => {
    eachSeed(seeds, (seed) => {
      const { world } = cluster(seed, instances);
      const late = world.start();
      world.network.mute(late, { stays: true });
      world.until(() => world.instance(late).isDegraded, DEGRADED_MS);
      assert.ok(world.instance(late).isReady);
      world.advance(30_000);
      assert.ok(world.instance(late).isDegraded);
      assert.ok(peersOf(world, late).every(({ state }) => state === "deaf"));
      // No instance heard the questions of this one. Once an instance hears them, all can.
      const zoe = world.join("zoe", { board: "b1", via: late });
      world.advance(10_000);
      assert.deepEqual(zoe.roster(), ["zoe"]);
      assert.deepEqual(
        world.instances.filter(({ index, recycles, isDegraded }) => index !== late && (isDegraded || recycles.length > 0)),
        [],
      );
      world.network.mend(late);
      world.untilEqual(3_000);
    });
  });
}

for (const instances of [3, 4])
  test(`[R10.15] also where two of ${instances} are on the same replica, and hear each other`, () => {
    eachSeed(20, (seed) => {
      const { world, people } = cluster(seed, instances);
      world.network.mute([1, 2], { stays: true });
      // This may take one beat more: while one of the two connects anew, the other may miss a beat of it.
      world.until(() => world.instance(1).isDegraded && world.instance(2).isDegraded, DEGRADED_MS + heartbeatMs);
      world.advance(30_000);
      assert.ok(world.instance(1).isDegraded && world.instance(2).isDegraded);
      for (const index of [1, 2]) world.network.mend(index);
      world.untilEqual(3_000);
      world.advance(3_000);
      assert.ok(world.instances.every(({ isDegraded }) => !isDegraded));
      assert.equal(people[1]?.roster().length, instances);
    });
  });

test("[R10.15] also where two have been there from their start, and one is on the master", () => {
  eachSeed(10, (seed) => {
    const { world } = cluster(seed, 1);
    const late = [world.start(), world.start()];
    world.network.mute(late, { stays: true });
    world.until(() => late.every((index) => world.instance(index).isDegraded), DEGRADED_MS);
    world.advance(30_000);
    assert.ok(late.every((index) => world.instance(index).isDegraded) && !world.instance(0).isDegraded);
  });
});

test("[R4.14] a slice in doubt whose owner cannot be asked is shown for half a minute, and then no more", () => {
  const { world, ben, others } = settled({ instances: 3 });
  world.network.mute(1, { stays: true });
  world.until(() => world.instance(1).isDegraded, DEGRADED_MS);
  lose(world, isTo(1, "delta"));
  others[0]?.leave();
  world.advance(100);
  loseNothing(world);
  world.advance(20_000);
  assert.deepEqual(ben.roster(), ["ana", "ben", "cleo"]);
  world.until(() => ben.sees("cleo") === undefined, 30_000);
  assert.deepEqual(ben.roster(), ["ana", "ben"]);
});

test("[R10] instances in a cluster that changes believe neither themselves nor others deaf", () => {
  eachSeed(5, (seed) => {
    const world = new World({ seed, instances: 8 });
    const recycles = world.record("recycle");
    const degraded = world.record("degraded");
    for (let change = 0; change < 20; change++) {
      const victim = world.instances.filter(({ state }) => state === "running")[change % 5]?.index ?? 0;
      if (change % 2 === 0) world.kill(victim);
      else world.stop(victim);
      world.start();
      world.advance(world.random.between(500, 4_000));
    }
    world.advance(60_000);
    assert.deepEqual([recycles, degraded], [[], []]);
    for (const { index, state } of world.instances)
      if (state === "running") assert.ok(peersOf(world, index).filter(({ state: judged }) => judged === "up").length === 7);
  });
});

// R9 Broken bus: two links.

test("[R9.29] two links that are both dead are replaced one after the other, without a wait", () => {
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed, instances: 3 });
    world.network.hang(1, "publisher");
    world.network.hang(1, "subscriber");
    ana.update({ state: { missed: true } });
    world.until(() => recycled(world, 1).length > 0, 3_600);
    world.until(() => recycled(world, 1).length > 1, 2 * heartbeatMs);
    assert.deepEqual(recycled(world, 1).toSorted(), ["publisher", "subscriber"]);
    world.untilEqual(1_500);
    world.advance(10_000);
    assert.equal(recycled(world, 1).length, 2);
    assert.deepEqual(
      ben.log.filter((line) => line.startsWith("-")),
      [],
    );
  });
});

test("[R9.4] a publisher that hangs is replaced also while there is no subscriber", () => {
  const { world } = settled();
  world.network.cut(0, { links: ["subscriber"] });
  world.network.hang(0, "publisher");
  world.until(() => recycled(world, 0).length > 0, CONSTANTS.unansweredMsMax + 2 * heartbeatMs);
  assert.deepEqual(recycled(world, 0), ["publisher"]);
});

test("[R10.14] the last instance that stays connects anew while its only peer is away, and no more once that is back", () => {
  eachSeed(10, (seed) => {
    const { world } = settled({ seed, instances: 2 });
    world.network.cut(1);
    world.until(() => world.judges(0, 1) === "down", 10_000);
    world.advance(2_000);
    assert.deepEqual(new Set(recycled(world, 0)), new Set(["publisher"]));
    world.network.mend(1);
    world.until(() => world.judges(0, 1) === "up", 5_000);
    world.advance(5_000);
    const before = recycled(world, 0).length;
    world.advance(120_000);
    assert.equal(recycled(world, 0).length, before);
  });
});
