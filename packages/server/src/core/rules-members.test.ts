/** The times that an instance adds to a member, and the one order of all viewers that follows from them (R18.1 to R18.4). */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { differenceInOrder } from "../testing/checkers/order.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { settled } from "../testing/settled.ts";
import { World } from "../testing/world.ts";
import type { WorldMember } from "../testing/world-client.ts";
import type { BusMessage, Op } from "./messages.ts";

const shown = (viewer: WorldMember, name: string) => viewer.sees(name) as Member;

test("[R18.1] a session keeps its joinedAt when it comes back, here or elsewhere, and begins anew after it has left", () => {
  const { world, ana, ben } = settled();
  const { joinedAt } = shown(ben, "ana");
  assert.ok(joinedAt > 1.7e12, String(joinedAt));
  ana.join();
  world.advance(1000);
  assert.equal(shown(ben, "ana").joinedAt, joinedAt);
  ana.disconnect(GRACE_MS.full);
  world.advance(1000);
  ana.resume({ via: 0 });
  world.advance(1000);
  assert.equal(shown(ben, "ana").joinedAt, joinedAt);
  // The clock of instance 1 is ahead of that of instance 0.
  ana.resume({ via: 1 });
  world.advance(1000);
  assert.deepEqual([shown(ben, "ana").joinedAt, shown(ana, "ana").joinedAt], [joinedAt, joinedAt]);
  ana.leave();
  world.advance(1000);
  ana.join();
  world.advance(1000);
  assert.ok(shown(ben, "ana").joinedAt > joinedAt + 3000);
});

test("[R18.1] where no entry of the session is shown, it begins anew, and all viewers agree on that", () => {
  const { world, ana, ben } = settled();
  const { joinedAt } = shown(ben, "ana");
  ana.resume({ via: world.start() });
  world.advance(2000);
  assert.ok(shown(ben, "ana").joinedAt > joinedAt);
  assert.equal(shown(ana, "ana").joinedAt, shown(ben, "ana").joinedAt);
});

test("[R18.2] activeAt is there while a member is away, says since when, and comes with the status", () => {
  const { world, ana, ben } = settled();
  const said = world.record("publish");
  const changes = () => said.filter(({ message }) => message.kind === "delta").length;
  assert.ok(!("activeAt" in shown(ben, "ana")));
  world.advance(5000);
  ana.update({ status: "idle" });
  world.advance(100);
  const { activeAt = 0, joinedAt } = shown(ben, "ana");
  assert.ok(Math.abs(activeAt - joinedAt - 8000) < 100, `${activeAt - joinedAt} ms after the join`);
  world.advance(4000);
  // Neither a lost connection, nor a return as idle, makes it later.
  ana.disconnect(GRACE_MS.full);
  world.advance(100);
  assert.deepEqual([shown(ben, "ana").status, shown(ben, "ana").activeAt], ["reconnecting", activeAt]);
  ana.join();
  ana.resume({ via: 1 });
  ana.update({ status: "idle" });
  world.advance(100);
  const { activeAt: later = 0 } = shown(ben, "ana");
  assert.ok(later > activeAt, "it was active for a moment");
  ana.join({ status: "idle" });
  world.advance(100);
  assert.equal(shown(ben, "ana").activeAt, later);
  const before = changes();
  ana.update({ status: "active" });
  world.advance(100);
  assert.deepEqual(["activeAt" in shown(ben, "ana"), changes() - before], [false, 1]);
});

test("[R18.2] a quiet connection is away, and back with the first sign of life", () => {
  const { world, ana, ben } = settled();
  const { id } = ana.session.connection;
  const quiet = (on: boolean) => {
    ana.session.connection.send({ kind: "quiet", connection: id, on });
    world.advance(100);
    return shown(ben, "ana");
  };
  const since = quiet(true).activeAt ?? 0;
  assert.ok(since > shown(ben, "ana").joinedAt);
  assert.ok(!("activeAt" in quiet(false)));
  ana.update({ status: "idle" });
  world.advance(1000);
  const { activeAt } = shown(ben, "ana");
  assert.deepEqual([quiet(true).activeAt, quiet(false).activeAt], [activeAt, activeAt]);
});

test("[R18.2] a viewer that gives somebody up for silent adds no activeAt", () => {
  const { world, ben } = settled();
  world.pause(0);
  world.advance(2500);
  assert.deepEqual([shown(ben, "ana").status, "activeAt" in shown(ben, "ana")], ["reconnecting", false]);
});

test("an area is shown everywhere, changes, and ends; a join replaces it", () => {
  const { world, ana, ben } = settled();
  const area = () => {
    world.advance(100);
    return shown(ben, "ana").area;
  };
  assert.equal(area(), undefined);
  ana.update({ area: "slide-1" });
  assert.equal(area(), "slide-1");
  ana.update({ area: "slide-2", state: { tool: "pen" } });
  assert.equal(area(), "slide-2");
  ana.update({ status: "idle" });
  assert.equal(area(), "slide-2");
  ana.update({ area: "" });
  assert.equal(area(), undefined);
  ana.update({ area: "slide-3" });
  ana.join();
  assert.deepEqual([area(), "area" in shown(ben, "ana")], [undefined, false]);
});

/** Every member that instance 0 tells to others is there since that time. */
const since = (joinedAt: number) => (delivery: Delivery) => {
  const { from, to, message } = delivery;
  const forged = (member: Member) => ({ ...member, joinedAt });
  if (from !== 0 || to === 0) return message;
  if (message.kind === "snapshot")
    return { ...message, entries: message.entries.map((entry) => ({ ...entry, member: forged(entry.member) })) } as BusMessage;
  if (message.kind !== "delta") return message;
  return { ...message, ops: message.ops.map((op): Op => (op.op === "set" ? { ...op, member: forged(op.member) } : op)) };
};

for (const [what, joinedAt, place] of [
  ["ahead by a thousand years", 3.3e13, ["cleo", "ben", "ana"]],
  ["of the year 1970", 1, ["ana", "cleo", "ben"]],
] as const)
  test(`[R18.3] [R18.4] a forged joinedAt ${what} puts its member at one wrong place everywhere, until it joins again`, () => {
    const world = new World({ seed: 2, instances: 3 });
    world.network.faults = { ...HEALTHY, rewrites: since(joinedAt) };
    const cleo = world.join("cleo", { board: "b1", via: 1 });
    const ben = world.join("ben", { board: "b1", via: 2 });
    world.advance(4000);
    const ana = world.join("ana", { board: "b1", via: 0 });
    world.advance(1000);
    const listAt = (via: number) =>
      world
        .instance(via)
        .core.roster(ben.boardId)
        .entries.map(({ member }) => member.username);
    // The clock of instance 2 is behind that of 1, and no rule minds.
    const names = place[0] === "ana" ? ["ana", ...listAt(1).slice(1)] : [...listAt(1).slice(0, 2), "ana"];
    assert.deepEqual([listAt(1), listAt(2)], [names, names]);
    world.network.faults = HEALTHY;
    ana.resume({ via: 1 });
    world.advance(2000);
    assert.equal(differenceInOrder(world), undefined);
    const { joinedAt: now } = shown(cleo, "ana");
    if (place[0] === "ana") assert.equal(now, joinedAt);
    else assert.ok(now > 1.7e12 && now < 1.8e12, String(now));
  });
