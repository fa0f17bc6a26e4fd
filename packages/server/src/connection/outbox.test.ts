/** F4: a slow client is spared some frames, gets others instead, and is given up in the end. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { OUTBOX, Outbox } from "./outbox.ts";
import { VISIT_MS } from "./timing.ts";

const { lowBytes, rosterBytesMax, stalledMsMax } = OUTBOX;

function live(): Outbox {
  const outbox = new Outbox();
  assert.equal(outbox.offer(0, 0, 0), "fresh");
  return outbox;
}

test("[F4] a new client gets the board first, then every tick", () => {
  const outbox = new Outbox();
  assert.equal(outbox.isLive, false);
  assert.equal(outbox.offer(0, 100, 0), "fresh");
  assert.equal(outbox.offer(0, 100, 16), "all");
  assert.equal(outbox.offer(lowBytes, 100, 32), "all");
});

test("[F4] above the low mark cursors are skipped, and later sent at once from where it stopped", () => {
  const outbox = live();
  assert.equal(outbox.offer(lowBytes + 1, 100, 16), "roster");
  assert.equal(outbox.offer(lowBytes + 1, 100, 32), "roster");
  assert.equal(outbox.offer(0, 100, 48), "catch_up");
  assert.equal(outbox.skippedSince, 16);
  assert.equal(outbox.offer(0, 100, 64), "all");
});

test("[F4] above the roster's budget nothing is sent until it has drained, then the whole board", () => {
  const outbox = live();
  assert.equal(outbox.offer(rosterBytesMax - 100, 101, 16), "nothing");
  assert.equal(outbox.offer(lowBytes + 1, 0, 32), "nothing");
  assert.equal(outbox.offer(lowBytes, 0, 48), "fresh");
});

test("[F4] a roster larger than the budget does not make its receiver stale again", () => {
  const outbox = live();
  outbox.sentFresh(1_000_000);
  assert.equal(outbox.offer(1_000_000, 100, 16), "roster");
  assert.equal(outbox.offer(1_000_000 + rosterBytesMax, 100, 32), "nothing");
});

test("[F4] once such a roster has drained, its receiver may queue as much as everybody else", () => {
  const outbox = live();
  outbox.sentFresh(5_000_000);
  assert.equal(outbox.offer(5_000_000, 100, 16), "roster");
  assert.equal(outbox.offer(0, 100, 32), "catch_up");
  assert.equal(outbox.offer(rosterBytesMax, 100, 48), "nothing");
});

test("[F4] who has read everything gets everything of a tick, however much that is", () => {
  assert.equal(live().offer(0, rosterBytesMax + 1, 16), "all");
});

test("[F4] who does not read at all is given up after 30 s of visits, who catches up in time is not", () => {
  const outbox = live();
  const visits = stalledMsMax / VISIT_MS;
  const visit = (times: number) => Array.from({ length: times }, () => outbox.isStalled()).some(Boolean);
  assert.equal(visit(2 * visits), false, "nothing was kept back");
  outbox.offer(lowBytes + 1, 0, 1000);
  assert.equal(visit(visits), false);
  assert.equal(outbox.offer(0, 0, 2000), "catch_up");
  outbox.offer(lowBytes + 1, 0, 3000);
  assert.equal(visit(visits), false);
  assert.equal(visit(1), true);
  outbox.restart();
  assert.equal(visit(visits), false, "a board that is told anew");
});
