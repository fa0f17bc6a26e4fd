/** A wheel touches those that are due, each once, on its step. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Wheel } from "./wheel.ts";

/** Goes on to that step, and answers with those that were due. */
function turn(wheel: Wheel<string>, step: number): string[] {
  const due: string[] = [];
  wheel.turn(step, (guest) => due.push(guest));
  return due;
}

test("each is due on the step that was set last, and then no more", () => {
  const wheel = new Wheel<string>(100);
  wheel.set("ana", 103);
  wheel.set("ben", 101);
  wheel.set("ben", 104);
  wheel.set("cem", 103);
  wheel.delete("cem");
  assert.deepEqual(
    [101, 102, 103, 104, 105].map((step) => turn(wheel, step)),
    [[], [], ["ana"], ["ben"], []],
  );
  assert.equal(wheel.stepOf("ana"), undefined);
});

test("a jump over many steps brings all that were due, in their order; a step that is over means the next one", () => {
  const wheel = new Wheel<string>(0);
  wheel.set("late", 9000);
  wheel.set("early", 3);
  assert.deepEqual(turn(wheel, 10_000), ["early", "late"]);
  wheel.set("over", 7);
  assert.equal(wheel.stepOf("over"), 10_001);
});

test("those that are due may set, move and delete themselves and each other", () => {
  const wheel = new Wheel<string>(0);
  for (const guest of ["ana", "ben", "cem"]) wheel.set(guest, 1);
  const due: string[] = [];
  wheel.turn(1, (guest) => {
    due.push(guest);
    wheel.set(guest, 1);
    if (guest === "ana") wheel.delete("ben");
  });
  assert.deepEqual(due, ["ana", "cem"]);
  assert.deepEqual(turn(wheel, 2), ["ana", "cem"]);
});

test("after a call that throws the others come with the next step", () => {
  const wheel = new Wheel<string>(0);
  for (const guest of ["ana", "ben", "cem"]) wheel.set(guest, 1);
  const fail = () => {
    throw new Error("no");
  };
  assert.throws(() => wheel.turn(1, fail));
  wheel.set("dan", 1);
  assert.deepEqual(turn(wheel, 2), ["ben", "cem", "dan"]);
});
