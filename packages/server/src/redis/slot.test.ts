/** Slots as Redis counts them, and names that lie in a slot that is wanted. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { Random } from "../core/random.ts";
import { numberInSlots, SLOTS, slotOf } from "./slot.ts";

test("slots are those of CLUSTER KEYSLOT", () => {
  // From the specification of Redis Cluster, and of redis-cli.
  assert.equal(slotOf("123456789"), 0x31c3);
  assert.equal(slotOf("foo"), 12_182);
  assert.equal(slotOf("presence:{foo}:bar"), 12_182);
  assert.equal(slotOf("foo{}{bar}"), slotOf("foo{}{bar}"));
});

test("[R9.26] six digits reach every slot, so a master with a single one has a name for its clock, found in no time", () => {
  const reached = new Set<number>();
  for (let number = 100_000; number < 1_000_000 && reached.size < SLOTS; number++) reached.add(slotOf(`name:${number}`));
  assert.equal(reached.size, SLOTS);
  const random = new Random(1);
  let tries = 0;
  for (let round = 0; round < 50; round++) {
    const name = `presence:echo:${Math.floor(random.next() * 2 ** 32).toString(16)}:`;
    const wanted = Math.floor(random.next() * SLOTS);
    const number = numberInSlots(name, 0, (slot) => {
      tries++;
      return slot === wanted;
    });
    assert.equal(slotOf(`${name}${number}`), wanted);
  }
  assert.ok(tries / 50 < 2 * SLOTS, `${tries / 50} tries`);
});
