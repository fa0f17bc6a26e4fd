/** The colours of people on one board: different as long as there are colours, the same at every viewer, and stable (R18). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GRACE_MS } from "../connection/timing.ts";
import { clashOfColors } from "../testing/checkers/colors.ts";
import { B1, settled } from "../testing/settled.ts";
import { World } from "../testing/world.ts";
import { memberIdOf, memberOf, type WorldMember } from "../testing/world-client.ts";
import { freeColor, PALETTE, sharedColor } from "./palette.ts";

/** Names of people who would all have the same colour. */
const ALIKE = Array.from({ length: 200 }, (_, nth) => `p${nth}`).filter((name) => freeColor(memberIdOf(name), () => false) === PALETTE[0]);
const colorOf = (viewer: WorldMember, name: string) => viewer.sees(name)?.color;

test("[R18.5] people who come one after another have different colours, until there are none", () => {
  const world = new World({ seed: 1, instances: 3 });
  const people = ALIKE.slice(0, 18).map((name, nth) => {
    world.advance(200);
    return world.join(name, { board: "b1", via: nth % 3 });
  });
  world.untilEqual(2000);
  const colors = people.map((person) => colorOf(people[0] as WorldMember, person.session.name));
  assert.deepEqual(new Set(colors), new Set(PALETTE));
  assert.deepEqual(new Set(colors.slice(0, 8)), new Set(PALETTE.slice(0, 8)));
});

test("[R18.5] a session keeps its colour, here and elsewhere, and all sessions of a person have one", () => {
  const { world, ana, ben } = settled();
  const other = world.join("ana's phone", { board: "b1", via: 1, user: ana.session.userId });
  world.advance(500);
  const color = colorOf(ben, "ana");
  assert.deepEqual([colorOf(ana, "ana's phone"), colorOf(ben, "ben") === color], [color, false]);
  ana.leave();
  world.advance(500);
  other.disconnect(GRACE_MS.full);
  world.advance(500);
  other.resume({ via: 0 });
  world.advance(500);
  assert.equal(colorOf(ben, "ana's phone"), color);
});

test("[R18.7] [R18.11] of two who joined at once with one colour the later one gives way, and its own client is told", () => {
  const world = new World({ seed: 1, instances: 3 });
  const [early = "", late = ""] = ALIKE;
  const zoe = world.join("zoe", { board: "b1", via: 0 });
  world.join("yan", { board: "b1", via: 1 });
  world.join("xia", { board: "b1", via: 2 });
  world.advance(1000);
  world.network.faults = { ...world.network.faults, loses: ({ to, from }) => to !== from };
  // The clock of instance 1 is ahead of that of instance 2, and it is the times that count.
  const second = world.join(late, { board: "b1", via: 1 });
  const first = world.join(early, { board: "b1", via: 2 });
  world.advance(100);
  const before = colorOf(first, early);
  assert.equal(colorOf(second, late), before);
  world.network.faults = { ...world.network.faults, loses: () => false };
  world.advance(3000);
  assert.equal(colorOf(zoe, early), before);
  assert.notEqual(colorOf(zoe, late), before);
  assert.equal(colorOf(second, late), colorOf(zoe, late));
  assert.equal(clashOfColors(world), undefined);
});

test("[R18.10] where the members of a person have got different colours, all take that of the first", () => {
  const { world, ana, ben } = settled();
  world.network.faults = { ...world.network.faults, loses: ({ to, from }) => to !== from };
  const [first = "", second = ""] = ALIKE;
  const user = memberIdOf(first);
  world.join(second, { board: "b1", via: 1 });
  world.join(first, { board: "b1", via: 0 });
  world.join("phone", { board: "b1", via: 1, user });
  world.advance(100);
  assert.notEqual(colorOf(ana, first), colorOf(ben, "phone"));
  world.network.faults = { ...world.network.faults, loses: () => false };
  world.untilEqual(3_000);
  world.advance(1_000);
  for (const viewer of [ana, ben]) assert.equal(colorOf(viewer, first), colorOf(viewer, "phone"));
});

test("[R18.6] where all colours are taken the userId alone chooses", () => {
  const world = new World({ seed: 1, instances: 2 });
  const people = Array.from({ length: 24 }, (_, nth) => world.join(`p${nth}`, { board: "b1", via: nth % 2 }));
  world.untilEqual(2_000);
  for (const name of ["late", "later", "last"]) {
    world.join(name, { board: "b1", via: 0 });
    world.advance(200);
    assert.equal(colorOf(people[0] as WorldMember, name), sharedColor(memberIdOf(name)));
  }
});

test("[R18.9] a forged entry makes a person give way once, and ends with its owner's next word", () => {
  const { world, ana, ben } = settled();
  const color = colorOf(ana, "ana") ?? assert.fail();
  const said = world.record("publish");
  const member = { ...memberOf("eve"), color, joinedAt: 1 };
  const entries = [{ slot: 9, attempt: 1, seq: 2 ** 40, member }];
  const message = { kind: "snapshot", seq: 2 ** 40, part: 0, parts: 1, entries, ended: [] } as const;
  world.instance(0).receive(() => ({ kind: "heard", boardId: B1, from: world.instance(1).instanceId, link: 1, message }));
  world.advance(20_000);
  assert.deepEqual([ana.sees("eve"), world.difference()], [undefined, undefined]);
  assert.notEqual(colorOf(ben, "ana"), color);
  const patches = said.filter(({ instance, message }) => instance === 0 && JSON.stringify(message).includes('"patch":{"color"'));
  assert.equal(patches.length, 1);
});

test("[R18.8] nobody's colour changes because somebody left", () => {
  const world = new World({ seed: 1, instances: 2 });
  const people = ALIKE.slice(0, 18).map((name, nth) => world.join(name, { board: "b1", via: nth % 2 }));
  world.advance(3000);
  const seen = world.record("roster");
  for (const one of people.slice(0, 6)) one.leave();
  world.advance(3000);
  assert.deepEqual(
    seen.flatMap(({ change }) => (change.change === "updated" ? [change.patch] : [])),
    [],
  );
});
