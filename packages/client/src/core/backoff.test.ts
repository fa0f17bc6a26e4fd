import assert from "node:assert/strict";
import { test } from "node:test";
import { Backoff } from "./backoff.ts";

const ALMOST_ONE = 1 - Number.EPSILON;

test("the first retry comes within 2 s, then the window doubles up to 30 s, jittered from zero", () => {
  const backoff = new Backoff();
  const windows = Array.from({ length: 6 }, () => Math.round(backoff.delayMs("backoff", ALMOST_ONE)));
  assert.deepEqual(windows, [2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  assert.equal(backoff.delayMs("backoff", 0), 0);
  backoff.reset();
  assert.equal(backoff.delayMs("backoff", 0.5), 1_000);
});

test("elsewhere is quick once; who is sent away again and again slows down", () => {
  const backoff = new Backoff();
  assert.equal(backoff.delayMs("elsewhere", 0.5), 250);
  assert.equal(backoff.delayMs("elsewhere", 0.5), 2_000);
});

test("never sooner than the service asked for", () => {
  const backoff = new Backoff();
  assert.equal(backoff.delayMs("backoff", 0, 5_000), 5_000);
  assert.ok(backoff.delayMs("elsewhere", 0.5, 5_000) >= 5_000);
});
