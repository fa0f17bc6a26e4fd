/** The lane serves few waiters at a time, in the order of their waiting. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Millis } from "@presence-service/protocol";
import { LANE_MS, LATE_LANES_MAX, Lane, TURNS_PER_LANE, type Waiter } from "./lane.ts";

function waiter(turns: string[], name: string, until: Millis = 0): Waiter {
  return {
    turn(now) {
      if (now < until) return until;
      turns.push(name);
      return undefined;
    },
  };
}

test("so many in each turn of the lane, those first that have waited for longest", () => {
  const lane = new Lane();
  const turns: string[] = [];
  for (let nth = 0; nth < 5; nth++) lane.wait(waiter(turns, `${nth}`), 108 + nth / 10);
  assert.equal(lane.next(), 108);
  lane.run(110);
  assert.deepEqual(turns, ["0", "1", "2"]);
  assert.equal(lane.next(), 110 + LANE_MS);
  lane.run(110 + LANE_MS - 1);
  assert.equal(turns.length, TURNS_PER_LANE);
  lane.run(110 + LANE_MS);
  assert.deepEqual(turns, ["0", "1", "2", "3", "4"]);
  assert.equal(lane.next(), Number.POSITIVE_INFINITY);
});

test("a lane that is run late makes up for it, to a bound, and for no time in which nobody waited", () => {
  const lane = new Lane();
  const turns: string[] = [];
  const crowd = (at: Millis) => {
    for (let nth = 0; nth < 100; nth++) lane.wait(waiter(turns, `${nth}`), at);
  };
  const runAt = (now: Millis) => {
    turns.length = 0;
    lane.run(now);
    return turns.length;
  };
  crowd(60_000);
  assert.equal(runAt(60_000), TURNS_PER_LANE, "nobody had waited");
  assert.equal(runAt(60_000 + 2 * LANE_MS), 2 * TURNS_PER_LANE, "one lane late");
  assert.equal(runAt(60_050), (1 + LATE_LANES_MAX) * TURNS_PER_LANE);
  assert.equal(runAt(60_051), 0);
  assert.equal(runAt(60_050 + LANE_MS), TURNS_PER_LANE);
});

test("a waiter that cannot pay takes no turn from others, and is asked again when it can", () => {
  const lane = new Lane();
  const turns: string[] = [];
  for (let nth = 0; nth < 100; nth++) lane.wait(waiter(turns, "poor", 500), 0);
  lane.wait(waiter(turns, "rich"), 1);
  lane.run(10);
  assert.deepEqual(turns, ["rich"]);
  assert.equal(lane.next(), 500);
});

test("a waiter that has left gets no turn", () => {
  const lane = new Lane();
  const turns: string[] = [];
  const gone = waiter(turns, "gone");
  lane.wait(gone, 0);
  lane.leave(gone);
  lane.run(10);
  assert.deepEqual([turns, lane.next()], [[], Number.POSITIVE_INFINITY]);
});
