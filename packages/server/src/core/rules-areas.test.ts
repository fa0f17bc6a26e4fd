/** A cursor belongs to the area of its member, at every instance and whatever is lost on the way. R20. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { HIDDEN } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { HEALTHY } from "../testing/network.ts";
import { saidBy } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import type { WorldMember } from "../testing/world-client.ts";
import type { Cursors } from "./messages.ts";

function pointing() {
  const world = new World({ seed: 1, instances: 2 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const [ben, cleo] = [world.join("ben", { board: "b1", via: 1 }), world.join("cleo", { board: "b1", via: 0 })];
  world.advance(1_000);
  ana.update({ area: "a" });
  ana.move(10, 20);
  world.advance(1_000);
  for (const viewer of [ben, cleo]) assert.deepEqual(viewer.cursorOf("ana"), { x: 10, y: 20 });
  return { world, ana, ben, cleo };
}

test("[R20.4] another area hides the cursor at every instance, until the next place", () => {
  const { world, ana, ben, cleo } = pointing();
  ana.update({ area: "b" });
  world.advance(50);
  const late = world.join("late", { board: "b1", via: 1 });
  // The repetition of the last place (R6.7) is over then.
  world.advance(1_000);
  for (const viewer of [ben, cleo, late]) assert.deepEqual([viewer.sees("ana")?.area, viewer.cursorOf("ana")], ["b", undefined]);
  ana.update({ state: { page: 2 } });
  ana.move(11, 20);
  ana.update({ status: "idle" });
  world.advance(100);
  for (const viewer of [ben, cleo, late]) assert.deepEqual(viewer.cursorOf("ana"), { x: 11, y: 20 });
});

test("[R20.4] a place that was not published yet does not follow the change of the area", () => {
  const { world, ana } = pointing();
  const said = world.record("publish");
  ana.move(99, 99);
  ana.update({ area: "b" });
  world.advance(1_000);
  const places = saidBy(said, 0, "cursors").map(({ message }) => (message as Cursors).moves.slice(1));
  assert.ok(places.length > 0 && places.every(([x]) => x === HIDDEN), JSON.stringify(places));
});

test("[R20.4] where the change is lost, a place of the new area is shown in the old one until the doubt ends", () => {
  const { world, ana, ben } = pointing();
  world.network.faults = { ...HEALTHY, loses: ({ message, to }) => message.kind === "delta" && to === 1 };
  ana.update({ area: "b" });
  world.advance(10);
  world.network.faults = HEALTHY;
  ana.move(5, 5);
  world.advance(15);
  assert.deepEqual([ben.sees("ana")?.area, ben.cursorOf("ana")], ["a", { x: 5, y: 5 }]);
  world.until(() => ben.sees("ana")?.area === "b" && ben.cursorOf("ana")?.x === 5, 250);
});

/** A person whose areas are numbered: `x` of each place is the area in which it was pointed to. */
class Reader {
  readonly member: WorldMember;
  area = 0;
  /** undefined: it has not pointed since it came into that area. */
  place: { readonly x: number; readonly y: number } | undefined;

  constructor(member: WorldMember) {
    this.member = member;
  }

  /** A client says where it is with its join; the World's says it right behind. */
  resume(via: number): void {
    this.member.resume({ via });
    this.turnPage();
  }

  turnPage(): void {
    this.member.update({ area: String(++this.area) });
    this.place = undefined;
  }

  point(y: number): void {
    this.place = { x: this.area, y };
    this.member.move(this.area, y);
  }
}

test("[R20.4] no viewer ever shows a place of an area that its member has left; afterwards all show the latest", () => {
  eachSeed(60, (seed) => {
    const world = new World({ seed, instances: 3, faults: { lossRate: 0.05, duplicateRate: 0.05 } });
    const readers = ["ana", "ben", "cleo", "dan"].map((name, index) => new Reader(world.join(name, { board: "b1", via: index % 3 })));
    const pick = <T>(choices: readonly T[]) => choices[Math.floor(world.random.next() * choices.length)] as T;
    const look = () => {
      for (const { connections } of world.instances)
        for (const { views, session } of connections.values())
          for (const view of views.values())
            for (const { username, area = "0" } of view.members.values()) {
              const place = view.placeOf(username);
              if (place !== undefined && place.x < Number(area))
                world.fail(`${session.name} is shown ${username} in ${area}, at a place of ${place.x}`);
            }
    };
    for (let step = 0; step < 150; step++) {
      const reader = pick(readers);
      const { session } = reader.member;
      const what = world.random.next();
      if (!session.connection.isOpen || session.isSuperseded || what < 0.1) reader.resume(pick([0, 1, 2]));
      else if (what < 0.15) reader.member.disconnect(GRACE_MS.full);
      else if (what < 0.2) world.network.reset(pick([0, 1, 2]), pick(["publisher", "subscriber"]));
      else if (what < 0.5) reader.turnPage();
      else reader.point(step);
      for (let ms = 0; ms < 60; ms += 5) {
        world.advance(5);
        look();
      }
    }
    world.network.faults = HEALTHY;
    for (const reader of readers) reader.resume(pick([0, 1, 2]));
    world.untilEqual(30_000);
    world.advance(GRACE_MS.full + 10_000);
    for (const reader of readers) {
      reader.turnPage();
      if (world.random.next() < 0.7) reader.point(1_000);
      if (world.random.next() < 0.2) reader.turnPage();
    }
    world.advance(500);
    for (const { member } of readers)
      for (const { member: other, place } of readers)
        if (other !== member)
          assert.deepEqual(member.cursorOf(other.session.name), place, `${member.session.name} of ${other.session.name}`);
    look();
  });
});
