/** Every viewer shows the same cursors, also when messages are missed, nobody listens, or a session moves. R5, R6, R11, F6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { saidBy } from "../testing/settled.ts";
import { World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";
import type { BoardEvent, Cursors } from "./messages.ts";

/** A subscription, a message to Redis and one from there, at their slowest, and two cursor ticks. */
const UNDER_WAY_MS = 50;

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

test("[R5.9] [F6] moves that nobody elsewhere was there to see are told within 100 ms to those who come, though their instance need not ask", () => {
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
  world.until(() => ben.cursorOf("ana")?.x === 77, CONSTANTS.answerMs + UNDER_WAY_MS);
  assert.deepEqual([ben.cursorOf("ana"), saidBy(said, 1, "sync")], [{ x: 77, y: 78 }, []]);
});

test("[R6.8] places of one member overwrite each other until the tick: one message, the last place", () => {
  const { world, ana } = pointing();
  const said = world.record("publish");
  for (let x = 1; x <= 5; x++) ana.move(x, 0);
  world.advance(50);
  assert.deepEqual(
    saidBy(said, 0, "cursors").map(({ message }) => (message as Cursors).moves.slice(1)),
    [[5, 0]],
  );
});

test("[R3.11] a cursor whose slot is not held moves nobody; one whose slot is held counts whatever seq comes with it", () => {
  const { world, ana, ben } = pointing();
  const said = world.record("publish");
  ben.move(1, 1);
  world.advance(1_000);
  const [{ message } = {}] = saidBy(said, 1, "cursors");
  assert.ok(message?.kind === "cursors");
  const from = world.instance(1).instanceId;
  const [slot = 0] = message.moves;
  const forged: Cursors = { kind: "cursors", seq: message.seq + 5, moves: [slot + 7, 3, 3, slot, 9, 9] };
  const events: BoardEvent = { kind: "event", slot: slot + 7, name: "wave", data: 1 };
  const told = world.record("event");
  for (const one of [forged, events])
    world.instance(0).receive(() => ({ kind: "heard", boardId: ana.boardId, from, link: 2 ** 20, message: one }));
  world.advance(50);
  assert.deepEqual([ana.cursorOf("ben"), ana.cursorOf("ana"), told], [{ x: 9, y: 9 }, { x: 10, y: 20 }, []]);
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
