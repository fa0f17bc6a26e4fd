import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "./backoff.ts";

const ALMOST_ONE = 1 - Number.EPSILON;

test("the first retry comes within 2 s, those of the first minute within 5, later ones within 30, all jittered from zero", () => {
  const backoff = new Backoff();
  const windowAt = (now: number) => Math.round(backoff.delayMs("backoff", ALMOST_ONE, 7_000 + now));
  assert.deepEqual([0, 2_000, 6_000, 11_000, 59_999].map(windowAt), [2_000, 4_000, 5_000, 5_000, 5_000]);
  assert.deepEqual([60_000, 70_000, 90_000, 120_000].map(windowAt), [10_000, 20_000, 30_000, 30_000]);
  assert.equal(backoff.delayMs("backoff", 0, 200_000), 0);
  backoff.reset();
  assert.equal(backoff.delayMs("backoff", 0.5, 300_000), 1_000);
});

test("elsewhere is quick once; a client that is sent away again and again slows down", () => {
  const backoff = new Backoff();
  assert.equal(backoff.delayMs("elsewhere", 0.5, 0), 250);
  assert.equal(backoff.delayMs("elsewhere", 0.5, 0), 2_000);
});

test("after a goodbye retries begin quickly, and stay within 2 s while members are kept", () => {
  const backoff = new Backoff();
  backoff.delayMs("backoff", 0.5, 0);
  backoff.sentAway(1_000);
  const windowAt = (now: number) => Math.round(backoff.delayMs("backoff", ALMOST_ONE, now));
  assert.deepEqual([1_000, 1_500, 2_500, 4_500, 5_999].map(windowAt), [500, 1_000, 2_000, 2_000, 2_000]);
  assert.deepEqual([6_001, 10_000].map(windowAt), [4_000, 5_000]);
});

test("never sooner than the service asked for", () => {
  const backoff = new Backoff();
  assert.equal(backoff.delayMs("backoff", 0, 0, 5_000), 5_000);
  assert.ok(backoff.delayMs("elsewhere", 0.5, 0, 5_000) >= 5_000);
});
