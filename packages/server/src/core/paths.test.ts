/** Paths of fast cursors, from the instance of their mover to the viewers of all. R22. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, type CursorPath, HIDDEN, PATH_MS_MAX, PATH_POINTS_MAX } from "@presence-service/protocol";
import fc from "fast-check";
import { saidBy } from "../testing/settled.ts";
import { World } from "../testing/world.ts";
import { Cursors } from "./cursors.ts";
import { PATH_SAMPLES_PER_TICK } from "./paths.ts";

const B1 = "b1" as BoardId;
const path = (stamp: number, ...earlier: [ms: number, dx: number][]): CursorPath => ({
  stamp,
  earlier: earlier.map(([ms, dx]) => ({ ms, dx, dy: 0 })),
});

/** The movers of a board, all of them here. */
function movers(count: number): Cursors {
  const cursors = new Cursors();
  for (let actor = 0; actor < count; actor++) cursors.assign(actor, actor + 100);
  return cursors;
}

test("[R22.1] a path travels with its place, as its mover gave it, to clients here and at other instances", () => {
  const world = new World({ seed: 1, instances: 2 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const ben = world.join("ben", { board: "b1", via: 1 });
  world.advance(1_000);
  const said = world.record("publish");
  ana.move(500, 0, path(65_530, [12, -300]));
  world.advance(100);
  assert.deepEqual(ben.cursorOf("ana"), { x: 500, y: 0 });
  for (const via of [0, 1]) {
    const { core } = world.instance(via);
    const actor = core.roster(B1).entries.find(({ member }) => member.username === "ana")?.actor;
    assert.deepEqual(core.pathsTaken(B1), [{ actor, ...path(65_530, [12, -300]) }], `at instance ${via}`);
  }
  // The place is repeated once, and told again to whoever asks: without its path.
  world.advance(1_000);
  const paths = saidBy(said, 0, "cursors").map(({ message }) => "paths" in message);
  assert.deepEqual(paths, [true, false]);
  ana.move(501, 0);
  world.advance(100);
  for (const via of [0, 1]) assert.deepEqual(world.instance(via).core.pathsTaken(B1), []);
});

test("[R22.2] a place that a later one overwrites becomes part of the path, up to 8 places of 255 ms", () => {
  const cursors = movers(1);
  cursors.mark(0, 10, 0, 0, path(65_500, [5, -4]));
  cursors.mark(0, 30, 0, 0, path(14, [20, -7]));
  cursors.take();
  assert.deepEqual(cursors.paths, [{ actor: 0, ...path(14, [55, -24], [50, -20], [20, -7]) }]);
  for (const way of [() => cursors.mark(0, 50, 0, 0), () => cursors.mark(0, HIDDEN, 0, 0, path(9))]) {
    cursors.mark(0, 40, 0, 0, path(14));
    way();
    cursors.take();
    cursors.takeOwn();
    assert.deepEqual([cursors.paths, cursors.ownPaths], [[], []], "a place without a path, or none");
  }
  const sample = fc.record({ ms: fc.integer({ min: 1, max: PATH_MS_MAX }), dx: fc.integer({ min: -99, max: 99 }), dy: fc.constant(0) });
  const told = fc.record({ x: fc.nat(65_535), after: fc.nat(120), earlier: fc.array(sample, { maxLength: PATH_POINTS_MAX }) });
  fc.assert(
    fc.property(fc.array(told, { minLength: 1, maxLength: 6 }), fc.nat(65_535), (all, start) => {
      let at = start;
      const places = new Map<number, number>();
      for (const { x, after, earlier } of all) {
        at += after;
        places.set(at, x);
        for (const { ms, dx } of earlier) places.set(at - ms, x + dx);
        cursors.mark(0, x, 0, 0, { stamp: at % 65_536, earlier });
      }
      cursors.take();
      const [joined] = cursors.paths;
      assert.equal(joined?.stamp, at % 65_536);
      assert.ok(joined.earlier.length <= PATH_POINTS_MAX && joined.earlier.every(({ ms }) => ms > 0 && ms <= PATH_MS_MAX));
      const last = all.at(-1)?.x ?? 0;
      const given = all.flatMap(({ x, earlier }) => [x, ...earlier.map(({ dx }) => x + dx)]);
      for (const { dx } of joined.earlier) assert.ok(given.includes(last + dx), "a place that nobody told");
      // Where no two places have one time, each is told with its own.
      const isPlain = new Set(all.flatMap(({ earlier }) => earlier)).size === places.size - all.length;
      if (isPlain && all.length === 1) for (const { ms, dx } of joined.earlier) assert.equal(places.get(at - ms), last + dx);
    }),
  );
});

test("[R22.3] a tick passes on so many samples of a board, and of the other movers their places", () => {
  const cursors = movers(100);
  for (let actor = 0; actor < 100; actor++) cursors.mark(actor, actor, 0, 0, path(9, [3, 1], [2, 1], [1, 1]));
  assert.equal(cursors.take().length, 300);
  assert.equal(cursors.takeOwn().length, 300);
  assert.deepEqual(cursors.paths.length, PATH_SAMPLES_PER_TICK / 4);
  assert.deepEqual(
    cursors.ownPaths.map(({ actor }) => actor),
    cursors.paths.map(({ actor }) => actor + 100),
    "by slot on the bus",
  );
  cursors.mark(7, 1, 0, 0);
  cursors.take();
  cursors.takeOwn();
  assert.deepEqual([cursors.paths, cursors.ownPaths], [[], []], "what was left over is not told later");
});

test("moves without paths leave no object behind, also beside paths", () => {
  const cursors = movers(8);
  const heapGrowth = () => {
    const before = process.memoryUsage().heapUsed;
    for (let n = 0; n < 2000; n++) cursors.mark(n % 7, n, n, n);
    return process.memoryUsage().heapUsed - before;
  };
  for (const hasPaths of [false, true]) {
    if (hasPaths) cursors.mark(7, 1, 1, 0, path(9));
    const growths = Array.from({ length: 61 }, heapGrowth).sort((a, b) => a - b);
    // One object each would be 32 KB at least. The median leaves out the rounds in which garbage was collected.
    assert.ok((growths[30] ?? Number.POSITIVE_INFINITY) < 16_000, String(growths));
  }
});
