import assert from "node:assert/strict";
import { test } from "node:test";
import { Deadlines } from "./deadlines.ts";

/** The order in which keys come due; `asks`: whether the next deadline is asked for after each change. */
function order(asks: boolean): string[] {
  const deadlines = new Deadlines<string>();
  const set = (key: string, at: number) => {
    deadlines.set(key, at);
    if (asks) deadlines.next();
  };
  for (let round = 0; round < 20; round++) for (const [index, key] of [..."abcdefgh"].entries()) set(key, (index * 7 + round * 5) % 4);
  for (const key of "hgfe") set(key, 1);
  for (const key of "abc") set(key, Number.POSITIVE_INFINITY);
  for (const key of "cab") set(key, 1);
  const taken: string[] = [];
  for (let key = deadlines.takeDue(10); key !== undefined; key = deadlines.takeDue(10)) taken.push(key);
  return taken;
}

test("equal deadlines come in the order in which they were set, however often the next one was asked for", () => {
  assert.deepEqual(order(false), order(true));
  assert.equal(new Set(order(false)).size, 8);
  const deadlines = new Deadlines<string>();
  for (const key of ["b", "a", "c"]) deadlines.set(key, 5);
  deadlines.set("b", 6);
  deadlines.set("b", 5);
  assert.deepEqual([deadlines.takeDue(5), deadlines.takeDue(5), deadlines.takeDue(5), deadlines.takeDue(5)], ["a", "c", "b", undefined]);
});
