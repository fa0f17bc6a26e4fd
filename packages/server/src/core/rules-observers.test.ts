/** Observers: they see a board as it is, and nobody sees them. docs/REPLICATION.md, R19. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { B1, isTo, lose, loseNothing, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import { memberIdOf } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";

/** From a change at one instance until the others show it. */
const DONE_MS = 20;

/** Ana at instance 0 and ben at 1; instance 2 has nobody on the board but olga, who observes. */
function observed(seed = 1) {
  const world = new World({ seed, instances: 3 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const ben = world.join("ben", { board: "b1", via: 1 });
  world.advance(3_000);
  ana.move(5, 6);
  world.advance(500);
  const olga = world.joinToObserve("olga", { board: "b1", via: 2 });
  world.advance(500);
  return { world, ana, ben, olga };
}

const isObserved = (world: World) => world.instances.map(({ core }) => core.counts(B1).observed);

test("[R19.1] an observer sees members, places and events, and is seen by nobody", () => {
  eachSeed(10, (seed) => {
    const { world, ana, ben, olga } = observed(seed);
    const told = world.record("roster");
    assert.deepEqual([olga.roster(), olga.cursorOf("ana")], [["ana", "ben"], { x: 5, y: 6 }]);
    ana.move(7, 8);
    ana.broadcast("wave", 1);
    ben.update({ state: { tool: "pen" } });
    world.advance(100);
    assert.deepEqual(
      [olga.cursorOf("ana"), olga.events, olga.log.at(-1)],
      [{ x: 7, y: 8 }, ["ana wave 1"], '~ben {"state":{"tool":"pen"}}'],
    );
    for (const { core } of world.instances) assert.deepEqual([core.counts(B1).members, core.counts(B1).users], [2, 2]);
    assert.deepEqual(
      [ana.roster(), told.filter(({ change }) => change.change !== "updated"), world.difference()],
      [["ana", "ben"], [], undefined],
    );
    assert.deepEqual([world.instance(2).core.stats(world.now).observers, world.instance(0).core.stats(world.now).observers], [1, 0]);
  });
});

test("[R19.2] a member whom only an observer at another instance sees publishes its places, and is told that it is seen", () => {
  eachSeed(10, (seed) => {
    const world = new World({ seed, instances: 2 });
    const ana = world.join("ana", { board: "b1", via: 0 });
    world.advance(3_000);
    const said = world.record("publish");
    const told = world.record("observed");
    ana.move(1, 1);
    world.advance(1000);
    assert.equal(saidBy(said, 0, "cursors").length, 0);
    const olga = world.joinToObserve("olga", { board: "b1", via: 1 });
    world.advance(500);
    assert.deepEqual([olga.cursorOf("ana"), isObserved(world)], [{ x: 1, y: 1 }, [true, true]]);
    ana.move(2, 2);
    world.advance(100);
    assert.deepEqual(olga.cursorOf("ana"), { x: 2, y: 2 });
    olga.leave();
    world.advance(DONE_MS);
    assert.deepEqual(
      [isObserved(world), told.map(({ instance }) => instance).sort()],
      [
        [false, false],
        [0, 0, 1, 1],
      ],
    );
  });
});

for (const beginsWith of ["observer", "member"] as const) {
  test(`[R19.2] that a board is observed is known whoever is there first: the ${beginsWith}`, () => {
    const world = new World({ seed: 3, instances: 2 });
    const enter = [() => world.joinToObserve("olga", { board: "b1", via: 1 }), () => world.join("ana", { board: "b1", via: 0 })];
    if (beginsWith === "member") enter.reverse();
    for (const one of enter) {
      one();
      world.advance(5_000);
    }
    assert.deepEqual(isObserved(world), [true, true]);
  });
}

test("[R19.3] a lost word that a board is observed, or no longer, is said again within 1.5 s", () => {
  const { world, ana, others } = settled({ instances: 3 });
  assert.equal(others.length, 1);
  lose(world, isTo(0, "beacon", "sync"));
  const olga = world.joinToObserve("olga", { board: "b1", via: 1 });
  world.advance(200);
  assert.equal(isObserved(world)[0], false);
  loseNothing(world);
  world.advance(1_500);
  assert.deepEqual(isObserved(world), [true, true, true]);
  lose(world, isTo(0, "beacon", "sync"));
  olga.session.disconnect(15_000);
  world.advance(200);
  assert.equal(isObserved(world)[0], true);
  loseNothing(world);
  world.advance(1_500);
  assert.deepEqual(
    [isObserved(world), ana.roster()],
    [
      [false, false, false],
      ["ana", "ben", "cleo"],
    ],
  );
});

test("[R19.4] the observers of an instance that is killed end with it, and an observer has no grace", () => {
  const { world, olga, ana } = observed();
  assert.deepEqual(isObserved(world), [true, true, true]);
  world.kill(2);
  world.advance(5_000);
  assert.deepEqual(isObserved(world).slice(0, 2), [false, false]);
  olga.session.resume(1);
  world.advance(500);
  assert.deepEqual(
    [isObserved(world).slice(0, 2), olga.roster()],
    [
      [true, true],
      ["ana", "ben"],
    ],
  );
  olga.disconnect(15_000);
  world.advance(DONE_MS);
  assert.deepEqual([isObserved(world).slice(0, 2), ana.log.filter((line) => line.includes("olga"))], [[false, false], []]);
});

test("[R19.5] an observer may not move, update or broadcast; it becomes a member by a join, and an observer again", () => {
  const { world, ana, olga } = observed();
  olga.update({ state: { tool: "pen" } });
  olga.broadcast("wave", 1);
  assert.deepEqual([olga.refusals, ana.events], [["observing", "observing"], []]);
  olga.join();
  world.advance(DONE_MS);
  assert.deepEqual(
    [ana.roster(), isObserved(world), olga.roster()],
    [
      ["ana", "ben", "olga"],
      [false, false, false],
      ["ana", "ben", "olga"],
    ],
  );
  olga.observe();
  world.advance(DONE_MS);
  assert.deepEqual([ana.roster(), ana.log.at(-1), isObserved(world)], [["ana", "ben"], "-olga left", [true, true, true]]);
  assert.equal(world.difference(), undefined);
});

test("[R2.1] [R19.1] a board that was forgotten and is opened again by an observer goes on above its old seq: nobody is contradicted, or asks for ever", () => {
  eachSeed(5, (seed) => {
    const world = new World({ seed, instances: 2 });
    const ana = world.join("ana", { board: "b1", via: 0 });
    const ben = world.join("ben", { board: "b1", via: 1 });
    world.advance(3_000);
    ana.leave();
    // Instance 0 forgets the board, and instance 1 still holds its empty slice there.
    world.advance(CONSTANTS.lingerMs + 1_000);
    assert.ok(!world.instance(0).boards.has(B1));
    const olga = world.joinToObserve("olga", { board: "b1", via: 0 });
    world.advance(2_000);
    const said = world.record("publish");
    world.advance(10_000);
    assert.deepEqual([olga.roster(), ben.roster(), isObserved(world)], [["ben"], ["ben"], [true, true]]);
    assert.deepEqual(
      world.instances.map(({ counted }) => counted.divergence ?? 0),
      [0, 0],
    );
    assert.deepEqual([saidBy(said, 0, "sync"), saidBy(said, 1, "sync")], [[], []]);
  });
});

test("[R19.6] an instance stays on a board while somebody observes, answers with an empty slice, and lingers afterwards", () => {
  const { world, olga } = observed();
  world.advance(5 * 60_000);
  assert.ok(world.instance(2).boards.has(B1));
  assert.equal(world.instance(2).counted.divergence ?? 0, 0);
  const dan = world.join("dan", { board: "b1", via: world.start() });
  world.advance(500);
  assert.deepEqual([dan.roster(), isObserved(world), world.difference()], [["ana", "ben", "dan"], [true, true, true, true], undefined]);
  olga.leave();
  world.advance(CONSTANTS.lingerMs - 1000);
  assert.ok(world.instance(2).boards.has(B1));
  world.advance(2000);
  assert.ok(!world.instance(2).boards.has(B1));
});

test("[R16.3] an observer is kicked like a member, off one board or out of the service", () => {
  for (const board of ["b1", undefined] as const) {
    const { world, olga, ana } = observed();
    const elsewhere = olga.session.observe("b2" as BoardId);
    world.advance(500);
    world.kick("olga", { via: 0, ...(board && { board }) });
    world.advance(DONE_MS);
    assert.deepEqual([olga.session.connection.isOpen, ana.roster()], [board !== undefined, ["ana", "ben"]]);
    assert.equal(isObserved(world)[0], false);
    if (board !== undefined) assert.deepEqual([olga.log.at(-1), elsewhere.roster()], ["put out", []]);
  }
});

test("[R11.14] a join of an observer below an ended attempt is refused, and it goes on observing", () => {
  const { world, olga } = observed();
  olga.join();
  world.advance(DONE_MS);
  olga.observe();
  olga.session.attempt -= 1;
  olga.join();
  assert.deepEqual(olga.refusals, ["superseded"]);
  world.advance(DONE_MS);
  assert.equal(world.instance(2).core.stats(world.now).observers, 1);
  assert.equal(world.instance(2).core.counts(B1).members, 2);
  assert.equal(memberIdOf("olga"), olga.session.memberId);
});
