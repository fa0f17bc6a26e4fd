/** The bucket allows its burst at once and its rate from then on, and saves no more than one burst. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { TokenBucket } from "./token-bucket.ts";

/** How many tokens there are to take at one time. */
function taken(bucket: TokenBucket, now: number): number {
  let count = 0;
  while (bucket.take(now)) count++;
  return count;
}

test("the burst at once, then one for each part of a second", () => {
  const bucket = new TokenBucket({ perSecond: 20, burst: 3 }, 1_000);
  assert.equal(taken(bucket, 1_000), 3);
  assert.equal(taken(bucket, 1_049), 0, "refused calls cost nothing and save nothing");
  assert.equal(taken(bucket, 1_050), 1);
  assert.equal(taken(bucket, 1_150), 2);
});

test("rest saves no more than one burst, before the first token and after", () => {
  const bucket = new TokenBucket({ perSecond: 20, burst: 3 }, 0);
  assert.equal(taken(bucket, 3_600_000), 3);
  assert.equal(taken(bucket, 7_200_000), 3);
});

test("a bucket is full again once it has paid for what was taken: a new one would give as much", () => {
  const bucket = new TokenBucket({ perSecond: 20, burst: 3 }, 0);
  assert.equal(bucket.isFull(0), true);
  assert.equal(taken(bucket, 1_000), 3);
  assert.equal(bucket.isFull(1_149), false);
  assert.equal(bucket.isFull(1_150), true);
});
