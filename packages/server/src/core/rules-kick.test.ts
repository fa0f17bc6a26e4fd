/** An operator speaks to the whole cluster: R16 Kick, R17 Announcement. docs/REPLICATION.md. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GRACE_MS } from "../connection/timing.ts";
import { watchLeaves } from "../testing/checkers/leaves.ts";
import { watchSlices } from "../testing/checkers/slices.ts";
import { eachSeed, World } from "../testing/world.ts";
import { memberIdOf } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";

/** From the kick at one instance until the others have carried it out. */
const DONE_MS = 20;

/** Ana is on two boards at instance 0; zoe watches both from instance 2, and the host speaks at instance 1. */
function watched(seed = 1) {
  const world = new World({ seed, instances: 3 });
  watchSlices(world);
  const ana = world.join("ana", { board: "b1", via: 0 });
  const elsewhere = ana.session.join("b2" as typeof ana.boardId, {});
  const zoe = world.join("zoe", { board: "b1", via: 2 });
  const other = zoe.session.join("b2" as typeof zoe.boardId, {});
  world.advance(3_000);
  zoe.log.length = other.log.length = 0;
  return { world, ana, elsewhere, zoe, other };
}

for (const via of [0, 1, 2]) {
  test(`[R16.2] kicked at instance ${via}: gone from all boards, told as kicked, and the connection is closed`, () => {
    eachSeed(10, (seed) => {
      const { world, ana, zoe, other } = watched(seed);
      world.kick("ana", { via });
      world.advance(DONE_MS);
      assert.equal(world.difference(), undefined);
      assert.deepEqual([zoe.log, other.log], [["-ana kicked"], ["-ana kicked"]]);
      assert.equal(ana.session.connection.isOpen, false);
      assert.equal(zoe.session.connection.isOpen, true);
      world.advance(2 * GRACE_MS.full);
      assert.deepEqual([zoe.log, world.difference()], [["-ana kicked"], undefined]);
    });
  });
}

for (const via of [0, 1]) {
  test(`[R16.4] kicked off one board at instance ${via}: off that board, and still on the other`, () => {
    const { world, ana, zoe, other } = watched();
    world.kick("ana", { via, board: "b1" });
    world.advance(DONE_MS);
    assert.equal(world.difference(), undefined);
    assert.deepEqual([zoe.log, other.log, ana.log.at(-1)], [["-ana kicked"], [], "put out"]);
    assert.equal(ana.session.connection.isOpen, true);
    ana.update({ state: { late: true } });
    assert.deepEqual(ana.refusals, ["not_joined"]);
  });
}

test("[R16.3] somebody within the grace is kicked too, and whoever lets them in again may", () => {
  const { world, ana, zoe } = watched();
  ana.disconnect(GRACE_MS.full);
  world.advance(1000);
  world.kick("ana", { via: 1, board: "b1" });
  world.advance(DONE_MS);
  assert.deepEqual(zoe.log, ["~ana reconnecting", "-ana kicked"]);
  ana.resume({ via: 2 });
  world.untilEqual(DONE_MS + CONSTANTS.openMs);
  assert.equal(zoe.log.at(-1), "+ana");
});

test("[R16.3] somebody who waits for the first roster is put out, and never told of it", () => {
  const world = new World({ seed: 3, instances: 2 });
  world.advance(2000);
  const ana = world.join("ana", { board: "b9", via: 0 });
  world.kick("ana", { via: 0, board: "b9" });
  world.advance(2 * CONSTANTS.openMs);
  assert.deepEqual(ana.log, ["put out"]);
  assert.deepEqual(world.union("b9"), []);
});

test("[R1.2] [R16.3] an instance removes its own members only: what it holds of others changes when their owners say so", () => {
  const { world, ana } = watched();
  world.network.cut(0);
  world.kick("ana", { via: 2 });
  world.advance(500);
  const seen = world
    .instance(2)
    .core.roster(ana.boardId)
    .entries.map(({ member }) => member.memberId);
  assert.ok(seen.includes(memberIdOf("ana")));
});

test("[R16.6] a kick counts whatever is thought of its sender", () => {
  const { world, ana, zoe } = watched();
  world.network.cut(1);
  world.until(() => world.judges(0, 1) === "down", 10_000);
  const { instanceId } = world.instance(1);
  const message = { kind: "kick", whom: { memberId: ana.session.memberId }, reason: "" } as const;
  world.instance(0).receive(() => ({ kind: "heard", boardId: undefined, from: instanceId, link: 0, message }));
  world.advance(DONE_MS);
  assert.equal(zoe.log.at(-1), "-ana kicked");
});

test("[R17.1] an announcement reaches everybody once, or everybody on one board", () => {
  const { world, ana, zoe } = watched();
  const ben = world.join("ben", { board: "b3", via: 1 });
  world.advance(500);
  world.announce("to all", { via: 1 });
  world.announce("to b1", { via: 1, board: "b1" });
  world.advance(DONE_MS);
  for (const { session } of [ana, zoe]) assert.deepEqual(session.announcements, ["to all", "to b1"]);
  assert.deepEqual(ben.session.announcements, ["to all"]);
});

test("[R17.2] an announcement that was missed is not told again, nor to those who come later", () => {
  const { world, ana, zoe } = watched();
  world.network.cut(0);
  world.advance(100);
  world.announce("to all", { via: 2 });
  world.advance(DONE_MS);
  world.network.mend(0);
  const late = world.join("late", { board: "b1", via: 1 });
  world.advance(10_000);
  assert.deepEqual([ana, late, zoe].map(({ session }) => session.announcements.length).sort(), [0, 0, 1]);
});

test("[R16] [L1] kicks at random, while people come, go and move on and connections are lost: rosters are equal afterwards", () => {
  eachSeed(80, (seed) => {
    const world = new World({ seed, instances: 3 });
    watchSlices(world);
    watchLeaves(world);
    const one = <T>(list: readonly T[]): T => list[Math.floor(world.random.between(0, list.length))] ?? assert.fail("nobody");
    const via = () => Math.floor(world.random.between(0, 3));
    const people = ["ana", "ben", "cleo", "dan", "eve"].map((name) => world.join(name, { board: "b1", via: via() }));
    for (const { session } of people) session.join("b2" as (typeof people)[0]["boardId"], {});
    for (let round = 0; round < 60; round++) {
      const member = one(people);
      const what = world.random.next();
      const { isOpen } = member.session.connection;
      if (what < 0.3) world.kick(member.session.name, { via: via(), ...(what < 0.15 && { board: one(["b1", "b2"]) }) });
      else if (what < 0.5) member.resume({ via: via() });
      else if (what < 0.6 && isOpen) member.disconnect(one(Object.values(GRACE_MS)));
      else if (what < 0.7 && isOpen) member.join();
      else if (what < 0.75) world.network.cut(via());
      else if (what < 0.85) world.network.mendAll();
      else if (isOpen) member.update({ state: { round } });
      world.advance(world.random.between(0, 500));
    }
    world.network.mendAll();
    for (const { session } of people) session.loseAbandoned(0);
    world.untilEqual(10_000);
  });
});
