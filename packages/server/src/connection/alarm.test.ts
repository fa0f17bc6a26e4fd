/** A timer that is late lets sockets be read first. R9 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.ts";
import { Alarm } from "./alarm.ts";

function ringing() {
  const clock = new FakeClock(0);
  const rings: number[] = [];
  return { clock, rings, alarm: new Alarm(clock, () => rings.push(clock.now())) };
}

test("it rings once, at the time that was set last", () => {
  const { clock, rings, alarm } = ringing();
  alarm.set(100);
  alarm.set(50);
  alarm.set(70);
  clock.advance(1000);
  assert.deepEqual(rings, [70]);
});

test("set to never, it does not ring", () => {
  const { clock, rings, alarm } = ringing();
  alarm.set(100);
  alarm.set(Number.POSITIVE_INFINITY);
  clock.advance(1000);
  assert.deepEqual(rings, []);
});

test("[R9.2] late, it waits until what is in the sockets was read, and looks again", () => {
  const { clock, rings, alarm } = ringing();
  alarm.set(100);
  clock.stall(2000);
  assert.deepEqual(rings, [], "not before the reads");
  clock.turn();
  assert.deepEqual(rings, [2000]);
  alarm.set(2100);
  clock.stall(2000);
  alarm.set(10_000); // the messages read made a later deadline
  clock.turn();
  assert.deepEqual(rings, [2000]);
  clock.advance(10_000);
  assert.deepEqual(rings, [2000, 10_000]);
});

test("it tells how late the timer was, whether or not it rings", () => {
  const clock = new FakeClock(0);
  const late: number[] = [];
  const alarm = new Alarm(
    clock,
    () => {},
    (ms) => late.push(ms),
  );
  alarm.set(100);
  clock.advance(100);
  alarm.set(200);
  clock.stall(2000);
  clock.turn();
  assert.deepEqual(late, [0, 1900]);
});
