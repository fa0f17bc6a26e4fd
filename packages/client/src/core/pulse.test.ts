import assert from "node:assert/strict";
import { test } from "node:test";
import { Pulse } from "./pulse.ts";

const HEARTBEAT_MS = 10_000;

test("[C3] where nobody watches no question is sent without a doubt, and after two and a half heartbeats of silence the connection is dead", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0, false);
  assert.deepEqual([pulse.check(24_999), pulse.deadline, pulse.check(25_000)], [undefined, 25_000, "silent"]);
  pulse.heard(25_000);
  assert.deepEqual([pulse.check(49_999), pulse.check(50_000)], [undefined, "silent"]);
  assert.equal(new Pulse(1, 0).check(2_499), undefined, "whatever the service calls a heartbeat");
});

test("[C3] where somebody watches, 20 s of silence are a doubt, however rarely the service sends heartbeats", () => {
  const pulse = new Pulse(30_000, 0);
  assert.deepEqual(
    [pulse.check(19_999), pulse.deadline, pulse.check(20_000), pulse.check(22_500)],
    [undefined, 20_000, "ask", "unanswered"],
  );
  pulse.heard(22_500);
  pulse.isWatched = false;
  assert.deepEqual([pulse.check(97_499), pulse.check(97_500)], [undefined, "silent"]);
});

test("[C3] a doubt sends a question at once; without an answer the connection is doubtful after 1 s and given up after 2.5 s", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0);
  pulse.doubt(10);
  assert.deepEqual([pulse.deadline, pulse.check(10), pulse.check(10)], [10, "ask", undefined]);
  assert.deepEqual([pulse.isDoubtful(1_009), pulse.isDoubtful(1_010)], [false, true]);
  pulse.doubt(2_000);
  assert.deepEqual([pulse.deadline, pulse.check(2_509), pulse.check(2_510)], [2_510, undefined, "unanswered"]);
});

test("[C3] any byte is an answer", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0);
  pulse.doubt(0);
  pulse.check(0);
  pulse.heard(1_500);
  assert.deepEqual([pulse.isDoubtful(1_500), pulse.check(20_000)], [false, undefined]);
});

test("[C3] use of the connection is a doubt only after 3 s of silence", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0);
  assert.deepEqual([pulse.used(2_999), pulse.check(2_999)], [false, undefined]);
  assert.deepEqual([pulse.used(3_000), pulse.check(3_000)], [true, "ask"]);
});

test("questions come no faster than the service answers; a doubt meanwhile waits and is not lost", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0);
  pulse.doubt(0);
  pulse.check(0);
  pulse.heard(20);
  pulse.doubt(30);
  assert.deepEqual([pulse.check(999), pulse.deadline, pulse.check(1_000)], [undefined, 1_000, "ask"]);
});

test("a check that runs late asks again: the answer may be waiting to be read", () => {
  const pulse = new Pulse(HEARTBEAT_MS, 0);
  pulse.doubt(0);
  pulse.check(0);
  assert.equal(pulse.check(4_500), "ask");
  assert.equal(pulse.check(7_000), "unanswered");
  assert.equal(new Pulse(HEARTBEAT_MS, 0).check(60_000), "silent", "a late check still notices a long silence");
});
