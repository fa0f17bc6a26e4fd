/** Every viewer shows the same cursors, also when messages are missed, nobody listens, or a session moves. R5, R6, R11, F6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { World } from "../testing/world.ts";

function pointing() {
  const world = new World({ seed: 1, instances: 4 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const ben = world.join("ben", { board: "b1", via: 1 });
  world.advance(1_000);
  ana.move(10, 20);
  world.advance(1_000);
  assert.deepEqual(ben.cursorOf("ana"), { x: 10, y: 20 });
  return { world, ana, ben };
}

test("[R5.7] a hiding that was missed is told with the answer to whoever asks", () => {
  const { world, ana, ben } = pointing();
  world.network.cut(1);
  world.advance(200);
  ana.hide();
  // The last place is repeated once, and the repetition falls into the cut as well.
  world.advance(1_500);
  assert.deepEqual(ben.cursorOf("ana"), { x: 10, y: 20 });
  world.network.mend(1);
  world.advance(2_000);
  assert.equal(ben.cursorOf("ana"), undefined);
});

test("[F6] moves that nobody elsewhere was there to see are told to who comes, though their instance has not to ask", () => {
  const { world, ana, ben } = pointing();
  ben.leave();
  world.advance(3_000);
  const said = world.record("publish");
  ana.move(77, 78);
  world.advance(3_000);
  assert.deepEqual(
    said.filter(({ message }) => message.kind === "cursors"),
    [],
  );
  // Instance 1 lingers on the board: it is subscribed and asks nobody.
  ben.join();
  world.advance(300);
  assert.deepEqual(ben.cursorOf("ana"), { x: 77, y: 78 });
});

test("[R11.15] the place of a session's former attempt is shown to nobody, neither to who saw it nor to who comes", () => {
  const { world, ana, ben } = pointing();
  ana.disconnect(15_000);
  world.advance(500);
  assert.deepEqual(ben.cursorOf("ana"), { x: 10, y: 20 });
  ana.resume({ via: 2 });
  const cleo = world.join("cleo", { board: "b1", via: 3 });
  world.advance(1_000);
  assert.deepEqual([ben.cursorOf("ana"), cleo.cursorOf("ana")], [undefined, undefined]);
  ana.move(30, 40);
  world.advance(1_000);
  assert.deepEqual(
    [ben.cursorOf("ana"), cleo.cursorOf("ana")],
    [
      { x: 30, y: 40 },
      { x: 30, y: 40 },
    ],
  );
});

test("[R11.3] an ended attempt leaves the snapshots in time, also if a higher one of that member was ended elsewhere meanwhile", () => {
  const { world } = pointing();
  world.join("cleo", { board: "b1", via: 0 }).leave();
  world.advance(100);
  world.join("cleo", { board: "b1", via: 1, attempt: 5 }).leave();
  world.advance(world.config.endedMs + 1_000);
  const said = world.record("publish");
  world.join("dan", { board: "b1", via: 2 });
  world.advance(1_000);
  const ended = said.flatMap(({ message }) => (message.kind === "snapshot" ? [message.ended.length] : []));
  assert.ok(ended.length >= 2);
  assert.deepEqual(new Set(ended), new Set([0]));
});
