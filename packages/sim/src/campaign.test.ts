import assert from "node:assert/strict";
import { test } from "node:test";
import { HEALTHY, World, watchHeld } from "@presence-service/server/testing";
import { complaints, type Outcome, runSeed, type Size, TROUBLES, type TroubleName } from "./campaign.ts";
import { trace } from "./trace.ts";

/** The size that `npm run campaign` uses too, which can run more seeds. */
const SIZE: Size = { instances: 8, boards: 20, people: 60 };
const SEEDS = 3;

for (const trouble of Object.keys(TROUBLES) as TroubleName[]) {
  test(`[L1] campaign, ${trouble}: ${SIZE.instances} instances, ${SIZE.boards} boards and ${SIZE.people} people see right rosters in time`, () => {
    for (let seed = 1; seed <= SEEDS; seed++) assert.deepEqual(complaints(runSeed(trouble, seed, SIZE)), [], `${trouble} ${seed}`);
  });
}

test("a run of one seed is the same every time, also while it is traced", () => {
  const size = { instances: 3, boards: 2, people: 8 };
  const lines: string[] = [];
  const traced = runSeed("outages", 5, size, (world) => trace(world, 0, (line) => lines.push(line)));
  assert.deepEqual(traced, runSeed("outages", 5, size));
  assert.ok(lines.some((line) => /^ +[\d.]+ stopRedis "(killed|paused)"$/.test(line)));
  assert.ok(lines.some((line) => /^ +[\d.]+ \d ← join attempt:1,member:p\d active,connection:\d+,boardId:b\d$/.test(line)));
  assert.ok(lines.some((line) => /^ +[\d.]+ 1 → publish /.test(line)));
});

test("complaints about a run: rosters equal too late, rosters that differ again, and violations that an oracle found", () => {
  const fine: Outcome = { seed: 1, trouble: "redis", equalMs: 3_000, sinceConnectedMs: 100, again: [], falseLeaves: [] };
  assert.deepEqual(complaints(fine), []);
  assert.deepEqual(complaints({ ...fine, equalMs: 6_000 }), ["equal after 6.0 s, not 5.0 s"]);
  assert.deepEqual(complaints({ ...fine, sinceConnectedMs: 2_500 }), ["equal 2.5 s after the last instance had reconnected, not 2.0 s"]);
  const again = [{ atMs: 1_000, forMs: 300, what: "ana sees nobody" }];
  assert.deepEqual(complaints({ ...fine, again }), ["differed again after 1.0 s, for 0.3 s: ana sees nobody"]);
  assert.deepEqual(complaints({ ...fine, trouble: "subscriptions", again }), [], "they may");
  assert.deepEqual(complaints({ ...fine, violation: "S4" }), ["S4"]);
  assert.deepEqual(complaints({ ...fine, falseLeaves: ["S5"] }), [], "an outage that is long enough is a reason");
  assert.deepEqual(complaints({ ...fine, trouble: "none", equalMs: 0, falseLeaves: ["S5"] }), ["S5"]);
});

test("[S5] a leave of a member who is there is reported; a leave of a member whose entry was ended is not", () => {
  const world = new World({ seed: 1, instances: 2 });
  const told: string[] = [];
  watchHeld(world, (sentence) => told.push(sentence));
  const ana = world.join("ana", { board: "b1", via: 0 });
  world.join("ben", { board: "b1", via: 1 });
  const cleo = world.join("cleo", { board: "b1", via: 1 });
  world.advance(3_000);
  cleo.leave();
  world.advance(100);
  cleo.join();
  world.advance(100);
  assert.deepEqual(told, []);
  world.network.faults = { ...HEALTHY, loses: ({ from, to }) => from === 1 && to === 0 };
  world.advance(6_000);
  assert.deepEqual(ana.roster(), ["ana"]);
  assert.deepEqual(told, ["S5: instance 0 lets ben leave b1 (instance_lost), who is there"]);
});
