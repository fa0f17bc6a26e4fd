/** Events: told once, in the order of each sender, to all others or only to those they are for. docs/REPLICATION.md, R3.11 and R21. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberId } from "@presence-service/protocol";
import { saidBy, settled } from "../testing/settled.ts";
import { memberIdOf } from "../testing/world-client.ts";

/** Ana is at instance 0, ben at 1, cleo at 2; one more is beside ana and one beside ben. */
function crowd() {
  const {
    world,
    ana,
    ben,
    others: [cleo = assert.fail()],
  } = settled({ instances: 3 });
  const near = world.join("near", { board: "b1", via: 0 });
  const far = world.join("far", { board: "b1", via: 1 });
  world.advance(100);
  const all = { ana, ben, cleo, near, far };
  const told = () => Object.entries(all).flatMap(([name, { events }]) => events.splice(0).map((event) => `${name}: ${event}`));
  return { world, ana, told };
}

test("[R21.1] an event for some is told to them, here and elsewhere, and to nobody else", () => {
  const { world, ana, told } = crowd();
  const [near, far, cleo] = [memberIdOf("near"), memberIdOf("far"), memberIdOf("cleo")];
  const said = world.record("publish");
  ana.broadcast("wave", 1, { memberIds: [near, far] });
  world.advance(100);
  assert.deepEqual(told(), ["near: ana wave 1", "far: ana wave 1"]);
  ana.broadcast("wave", 2, { userIds: [cleo] });
  ana.broadcast("wave", 3, { memberIds: [far], userIds: [far, near, "nobody"] });
  world.advance(100);
  assert.deepEqual(told(), ["cleo: ana wave 2", "near: ana wave 3", "far: ana wave 3"]);
  assert.equal(saidBy(said, 0, "event").length, 3);
});

test("[R21.2] an event that names nobody who is here is told to nobody; one without names to everybody", () => {
  const { world, ana, told } = crowd();
  ana.broadcast("wave", 1, { memberIds: [] });
  ana.broadcast("wave", 2, { memberIds: ["f".repeat(32) as MemberId], userIds: [] });
  world.advance(100);
  assert.deepEqual(told(), []);
  ana.broadcast("wave", 3);
  world.advance(100);
  assert.equal(told().length, 4);
});

test("[R21.3] a sender that names itself is not told", () => {
  const { world, ana, told } = crowd();
  ana.broadcast("wave", 1, { memberIds: [memberIdOf("ana"), memberIdOf("ben")], userIds: [memberIdOf("ana")] });
  world.advance(100);
  assert.deepEqual(told(), ["ben: ana wave 1"]);
});

test("[R21.4] whoever comes after an event is not told of it, also by a name that it has by then", () => {
  const { world, ana, told } = crowd();
  ana.broadcast("wave", 1, { memberIds: [memberIdOf("late")] });
  const late = world.join("late", { board: "b1", via: 0 });
  world.advance(1_000);
  assert.deepEqual([told(), late.events], [[], []]);
  ana.broadcast("wave", 2, { memberIds: [memberIdOf("late")] });
  world.advance(100);
  assert.deepEqual(late.events, ["ana wave 2"]);
});
