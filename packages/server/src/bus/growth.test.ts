/** Instances of a later release on the bus (R13): one of this release holds and shows the same as they do, and asks for nothing. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, Writer } from "@presence-service/protocol";
import { LATER_FIELDS, laterRecord } from "../../../protocol/test/later.ts";
import type { BusMessage } from "../core/messages.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { World } from "../testing/world.ts";
import { decodeRedisMessage, encodeRedisMessage, type RedisMessage } from "./envelope.ts";

const B1 = "b1" as BoardId;
const LATER_OP = new Writer().u8(9).varint(LATER_FIELDS.length).bytes(LATER_FIELDS).finish();

/** The bytes of a later release for that message: more ops, more fields in patches and members, and more at the end. */
function later(value: RedisMessage): Uint8Array {
  const encode = (message: BusMessage) => encodeRedisMessage({ ...value, message });
  const { message } = value;
  const to = new Writer();
  switch (message.kind) {
    case "delta": {
      const { at: _, ...bare } = message;
      const empty = encode({ ...bare, ops: [] });
      to.bytes(empty.subarray(0, -1))
        .varint(message.ops.length + 2)
        .bytes(LATER_OP);
      for (const op of message.ops) {
        const known = op.op === "patch" ? { ...op, patch: { ...op.patch, mood: "calm", seen: { since: 7 } } } : op;
        const one = encode({ ...bare, ops: [known] }).subarray(empty.length);
        if (op.op === "set") laterRecord(to, one, op.member);
        else to.bytes(one);
      }
      to.bytes(LATER_OP).bytes(encode({ ...message, ops: [] }).subarray(empty.length));
      break;
    }
    case "snapshot": {
      const { at: _, ...untimed } = message;
      const bare = { ...untimed, entries: [], ended: [] };
      const head = encode(bare).subarray(0, -2);
      to.bytes(head).varint(message.entries.length);
      for (const entry of message.entries)
        laterRecord(to, encode({ ...bare, entries: [entry] }).subarray(head.length + 1, -1), entry.member);
      to.bytes(encode({ ...message, entries: [] }).subarray(head.length + 1));
      break;
    }
    default:
      to.bytes(encode(message));
  }
  return to.bytes(LATER_FIELDS).finish();
}

test("[R13.3] a rolling deploy: what a later instance adds changes nothing for one of this release, and neither asks for more than before", () => {
  const run = (isLater: boolean) => {
    const two = new World({ seed: 3, instances: 2 });
    const counted = two.record("counted");
    const kinds = new Set<string>();
    const rewrites = ({ message }: Delivery): BusMessage => {
      kinds.add(message.kind);
      const value: RedisMessage = { from: two.instance(0).instanceId, link: 1, message };
      const decoded = decodeRedisMessage(isLater ? later(value) : encodeRedisMessage(value));
      assert.ok(decoded.ok, `a ${message.kind} cannot be read`);
      return decoded.value.message;
    };
    two.network.faults = { ...HEALTHY, rewrites };
    const ana = two.join("ana", { board: "b1", via: 0, state: { tool: "pen" } });
    two.join("ben", { board: "b1", via: 1 });
    two.advance(500);
    two.join("cleo", { board: "b1", via: 0 });
    ana.update({ state: { tool: null }, status: "idle" });
    ana.move(5, 6);
    ana.broadcast("reaction", 7);
    two.advance(1000);
    two.join("dan", { board: "b1", via: 0 }).leave();
    two.advance(40_000);
    two.untilEqual(1000);
    const shown = [0, 1].map((via) => two.instance(via).core.roster(B1).entries);
    return { shown, counted: counted.map(({ instance, what }) => `${instance} ${what}`), kinds: [...kinds].sort() };
  };
  const today = run(false);
  assert.deepEqual(today.kinds, ["beacon", "cursors", "delta", "event", "heartbeat", "snapshot", "sync"]);
  assert.ok(!today.counted.some((line) => line.endsWith("divergence")));
  assert.deepEqual(run(true), today);
});
