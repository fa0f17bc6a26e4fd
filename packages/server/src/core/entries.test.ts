import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberId } from "@presence-service/protocol";
import { memberOf } from "../testing/world-client.ts";
import { Entries, hashOf } from "./entries.ts";
import type { SliceEntry } from "./messages.ts";

function entry(name: string, slot: number, attempt: number, seq: number): SliceEntry {
  return { slot, attempt, seq, member: memberOf(name) };
}

test("[R6.6] the hash of a slice is the XOR over its members, whichever way it came to be", () => {
  const entries = new Entries<SliceEntry>();
  const [ana, ben, cleo] = [entry("ana", 0, 1, 1), entry("ben", 1, 1, 2), entry("cleo", 2, 7, 3)];
  for (const one of [ana, entry("ben", 1, 1, 9), cleo, ben]) entries.put(one);
  entries.remove(cleo);
  assert.equal(entries.hash, (hashOf(ana) ^ hashOf(ben)) >>> 0);
  entries.remove(ana);
  entries.remove(ben);
  assert.deepEqual([entries.hash, entries.size, entries.at(0)], [0, 0, undefined]);
});

test("[R6.6] it depends on memberId, attempt and seq alone, so that versions with other fields agree", () => {
  const memberId = "00112233445566778899aabbccddeeff" as MemberId;
  const one = { slot: 1, attempt: 1, seq: 300, member: { ...memberOf("ana"), memberId } };
  assert.equal(hashOf({ ...one, slot: 2, member: { ...memberOf("ben"), memberId, state: { tool: "pen" } } } as SliceEntry), hashOf(one));
  assert.equal(new Set([one, { ...one, attempt: 2 }, { ...one, seq: 301 }, { ...one, seq: 300 + 2 ** 32 }].map(hashOf)).size, 4);
  // The value every release computes.
  assert.equal(hashOf(one), 1_125_393_318);
});

test("a slot that passes from one member to another is the other's", () => {
  const entries = new Entries<SliceEntry>();
  const [ana, ben] = [entry("ana", 0, 1, 1), entry("ben", 0, 1, 2)];
  entries.put(ana);
  entries.put(ben);
  entries.remove(ana);
  assert.deepEqual([entries.at(0), [...entries.members()]], [ben, [ben.member.memberId]]);
});
