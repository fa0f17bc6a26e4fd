/** Packed bus messages (R13.9): shorter, the same to whoever reads them, and bounded on both sides. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";
import type { InstanceId, MemberId } from "@presence-service/protocol";
import fc from "fast-check";
import type { BusMessage, SliceEntry } from "../core/messages.ts";
import { decodeRedisMessage, encodeRedisMessage } from "./envelope.ts";
import { PACK_BYTES_MAX, PACK_FROM_BYTES, pack, unpack } from "./packing.ts";

const FROM = "3f2a9c51-7d04-4e8b-9a66-0c1d2e3f4a5b" as InstanceId;
/** Magic, sender and a short link number. */
const HEAD_BYTES = 18;
const PACKED = 0x7f;

function entries(count: number, text = "pen"): SliceEntry[] {
  return Array.from({ length: count }, (_, nth) => ({
    slot: nth,
    attempt: 1,
    seq: nth + 1,
    member: {
      memberId: nth.toString(16).padStart(32, "0") as MemberId,
      userId: `user-${nth}`,
      username: `Somebody ${nth}`,
      kind: "person",
      color: "#0066aa",
      status: "active",
      joinedAt: 1_760_000_000_000 + nth,
      state: { tool: text },
    },
  }));
}

function snapshotOf(list: readonly SliceEntry[]): BusMessage {
  return { kind: "snapshot", seq: list.length, part: 0, parts: 1, entries: list, ended: [] };
}

const encode = (message: BusMessage) => encodeRedisMessage({ from: FROM, link: 2, message });
const wrapped = (body: Uint8Array) => Uint8Array.of(...encode({ kind: "goodbye" }).subarray(0, HEAD_BYTES), PACKED, ...body);

test("[R13.9] a long snapshot and a long replay are packed, and read as if they were not", () => {
  const replay: BusMessage = {
    kind: "replay",
    seq: 100,
    steps: entries(100).map((entry, nth) => ({
      prev: nth,
      seq: nth + 1,
      ops: [{ op: "set", slot: nth, attempt: 1, member: entry.member }],
    })),
  };
  for (const message of [snapshotOf(entries(100)), replay]) {
    const bytes = encode(message);
    assert.equal(bytes[HEAD_BYTES], PACKED);
    assert.ok(bytes.length < 4000, `${bytes.length}`);
    const decoded = decodeRedisMessage(bytes);
    assert.deepEqual(decoded.ok && decoded.value, { from: FROM, link: 2, message });
  }
});

test("[R13.9] a short message, one that would not become shorter, one that is too long, and other kinds are sent as they are", () => {
  assert.notEqual(encode(snapshotOf(entries(5)))[HEAD_BYTES], PACKED);
  assert.notEqual(encode(snapshotOf(entries(100, "x".repeat(3000))))[HEAD_BYTES], PACKED);
  const event: BusMessage = { kind: "event", slot: 1, name: "n", data: "x".repeat(4000) };
  assert.notEqual(encode(event)[HEAD_BYTES], PACKED);
  const noise = Uint8Array.from({ length: 2000 }, (_, at) => (at * 7919 * (at + 31)) >> 3);
  assert.equal(pack(crypto.getRandomValues(noise)), undefined);
});

test("[R13.9] pack and unpack: whatever is packed comes back, and nothing else is taken", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 0, maxLength: 3000 }), fc.nat(40), (bytes, times) => {
      const long = Buffer.concat(Array<Uint8Array>(times).fill(bytes));
      const packed = pack(long);
      if (packed === undefined) return;
      assert.ok(long.length >= PACK_FROM_BYTES && packed.length < long.length);
      assert.deepEqual(Buffer.from(unpack(packed) ?? []), long);
    }),
  );
});

test("[R13.1] [R13.9] a packed message that is a bomb, cut off, no message, or packed again is broken, and unpacks no more than the bound", () => {
  const bomb = deflateRawSync(Buffer.alloc(64 * PACK_BYTES_MAX));
  assert.equal(unpack(bomb), undefined);
  const whole = deflateRawSync(Buffer.from(encode(snapshotOf(entries(3)))).subarray(HEAD_BYTES));
  assert.ok(decodeRedisMessage(wrapped(whole)).ok, "a short one may be packed, too");
  for (const body of [bomb, whole.subarray(0, -3), Buffer.from("noise"), Buffer.alloc(0), deflateRawSync(Buffer.alloc(0))])
    assert.deepEqual(decodeRedisMessage(wrapped(body)), { ok: false, why: "invalid" });
  const again = deflateRawSync(Buffer.of(PACKED, ...whole));
  assert.deepEqual(decodeRedisMessage(wrapped(again)), { ok: false, why: "version" });
});

test("[R13.1] noise that says it is packed never throws", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (body) => void decodeRedisMessage(wrapped(body))),
    { numRuns: 2000 },
  );
});
