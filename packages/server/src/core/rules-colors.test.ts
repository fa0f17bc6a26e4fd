/** The colours of people on one board: different as long as there are colours, the same at every viewer, and stable (R18.5 to R18.9). */

import assert from "node:assert/strict";
import { test } from "node:test";
import { GRACE_MS } from "../connection/timing.ts";
import { clashOfColors } from "../testing/checkers/colors.ts";
import { settled } from "../testing/settled.ts";
import { World } from "../testing/world.ts";
import { memberIdOf, type WorldMember } from "../testing/world-client.ts";
import { freeColor, PALETTE } from "./palette.ts";

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

test("[R18.7] of two who joined at once with one colour the later one gives way, and its own client is told", () => {
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
