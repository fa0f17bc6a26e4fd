/** Which tokens are void, and until when: R24 Revocation. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { REVOCATIONS_MAX, Revocations } from "./revocations.ts";

const T = 1_800_000_000_000;

test("[R24.2] a token issued at that time or before is void, and so is one that does not say; a later one counts", () => {
  const known = new Revocations(10_000, () => T);
  assert.equal(known.add({ userId: "eve", before: T - 100 }), true);
  assert.equal(known.add({ userId: "eve", before: T - 200 }), false, "older than what is known");
  const ofEve = [T - 200, T - 100, T - 99, undefined].map((issuedAt) => known.isVoid("eve", issuedAt));
  assert.deepEqual(ofEve, [true, true, false, true]);
  assert.equal(known.isVoid("ana", undefined), false);
});

test("[R24.2] a time that has not come is taken as now: no token that is still to be made is void", () => {
  const known = new Revocations(10_000, () => T);
  known.add({ userId: "eve", before: T + 1e9 });
  assert.deepEqual([known.isVoid("eve", T), known.isVoid("eve", T + 1)], [true, false]);
});

test("[R24.5] it is remembered as long as a token may live", () => {
  let now = T;
  const known = new Revocations(10_000, () => now);
  known.add({ userId: "eve", before: T });
  now = T + 10_000;
  assert.equal(known.isVoid("eve", T), true);
  now++;
  assert.deepEqual([known.isVoid("eve", T), known.list(), known.add({ userId: "eve", before: T })], [false, [], false]);
});

test("[R24.6] where the list is full, the oldest is forgotten, and everybody's tokens of its time are void: never fewer than revoked", () => {
  const known = new Revocations(1e9, () => T + 1e6);
  for (let nth = 0; nth <= REVOCATIONS_MAX; nth++) known.add({ userId: `u${nth}`, before: T + nth });
  assert.equal(known.list().length, REVOCATIONS_MAX);
  assert.equal(known.isVoid("u0", T), true, "the one that was forgotten");
  assert.deepEqual([known.isVoid("ana", T), known.isVoid("ana", T + 1), known.isVoid("ana", undefined)], [true, false, true]);
  assert.deepEqual([known.isVoid("u5", T + 5), known.isVoid("u5", T + 6)], [true, false]);
});
