import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BoardId,
  type ClientMessage,
  decodeClientBinary,
  decodeClientJson,
  decodeServerBinary,
  decodeServerJson,
  encodeBinary,
  encodeJson,
  type Json,
  type JsonObject,
  mergePatchBetween,
  type ServerMessage,
  STATE_BYTES_MAX,
  utf8Bytes,
  Writer,
} from "@presence-service/protocol";
import fc from "fast-check";
import { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
import type { Delivery } from "../testing/network.ts";
import { HEALTHY } from "../testing/network.ts";
import { World } from "../testing/world.ts";
import type { Effect } from "./effects.ts";
import type { BusMessage } from "./messages.ts";

// Everything that one client may say, all others can read: it passes the decoders, the cores of two instances and all encoders.

const B1 = "b1" as BoardId;

/** A `join` as a client of `presence.v2` may write it: the state is the very text given. */
function binaryJoin(state: string): ClientMessage | undefined {
  return decodeClientBinary(new Writer().u8(0x02).string("b1").varint(1).string("Ana").u8(0).string(state).finish());
}

function binaryUpdate(patch: string): ClientMessage | undefined {
  return decodeClientBinary(
    new Writer()
      .u8(0x05)
      .varint(0)
      .varint(2)
      .sized((to) => to.string(patch))
      .finish(),
  );
}

function jsonJoin(state: string): ClientMessage | undefined {
  return decodeClientJson(`{"kind":"join","board":"b1","attempt":1,"username":"Ana","status":"active","state":${state}}`);
}

/** Values whose text changes when it is written again, or barely fits. */
const KINDS = [
  fc.bigInt({ min: -(10n ** 24n), max: 10n ** 24n }).map(String),
  fc.tuple(fc.integer({ min: -99, max: 99 }), fc.integer({ min: -30, max: 30 })).map(([m, e]) => `${m}e${e}`),
  fc.integer({ min: 15, max: 21 }).map((count) => "9".repeat(count)),
  fc.constantFrom(
    '"\\ud800"',
    '"\\udc00\\ud800"',
    '"\\u0001"',
    '"\\"\\\\"',
    '"\u2028"',
    '"🎉"',
    "null",
    `${"[".repeat(31)}${"]".repeat(31)}`,
  ),
  fc.json({ maxDepth: 3 }),
];
/** Values of one kind, or of all kinds: one kind must not hide behind the check for another. */
const values = fc.oneof(...[...KINDS, fc.oneof(...KINDS)].map((kind) => fc.array(kind, { minLength: 1, maxLength: 300 })));

/** Names that an object has without being given them, and some that are written in another form. */
const NAMES = ["toString", "valueOf", "hasOwnProperty", "", "length", "é", "\\u0001", "\\ud800"];

/** A state of many fields, padded to a few bytes around the limit, or short. */
const state = fc.tuple(values, fc.integer({ min: -2, max: 2 }), fc.boolean()).map(([items, around, isFull]) => {
  const bare = items.map((item, at) => `"${NAMES[at] ?? at}":${item}`).join(",");
  const padding = STATE_BYTES_MAX + around - utf8Bytes(`{${bare},"pad":""}`);
  return isFull && padding > 0 ? `{${bare},"pad":"${"x".repeat(padding)}"}` : `{${bare}}`;
});

function world() {
  const two = new World({ seed: 1, instances: 2 });
  const roster = (via: number): ServerMessage => {
    const { entries, ...rest } = two.instance(via).core.roster(B1);
    return { kind: "joined", boardId: B1, board: 7, self: 0, ...rest, roster: entries };
  };
  // Every bus message crosses the bus in bytes.
  const rewrites = ({ message }: Delivery): BusMessage => {
    const decoded = decodeRedisMessage(encodeRedisMessage({ from: two.instance(0).instanceId, link: 1, message }));
    assert.ok(decoded.ok, `a ${message.kind} of the bus cannot be read`);
    return decoded.value.message;
  };
  two.network.faults = { ...HEALTHY, rewrites };
  two.observe((_, effect) => readable(effect));
  return { two, roster };
}

function readable(effect: Effect): void {
  if (effect.kind !== "roster") return;
  const { change } = effect;
  if (change.change === "joined") crosses({ kind: "user_joined", board: 7, actor: change.actor, member: change.member });
  if (change.change === "updated") crosses({ kind: "user_updated", board: 7, actor: change.actor, patch: change.patch });
}

/** Checks that clients of both encodings read the message. */
function crosses(message: ServerMessage): void {
  assert.ok(decodeServerBinary(encodeBinary(message)), `a ${message.kind} in presence.v2 cannot be read`);
  const named = "board" in message ? { ...message, board: B1 } : message;
  assert.ok(decodeServerJson(encodeJson(named as ServerMessage)), `a ${message.kind} in presence.v2.json cannot be read`);
}

test("a state that was accepted is readable for everybody on every instance, however its numbers and texts were spelled", () => {
  fc.assert(
    fc.property(state, state, fc.constantFrom(binaryJoin, jsonJoin), (first, second, join) => {
      const joined = join(first);
      if (joined?.kind !== "join") return;
      const { two, roster } = world();
      two.join("ben", { board: "b1", via: 1 });
      const ana = two.join("ana", { board: "b1", via: 0, state: joined.state });
      const update = binaryUpdate(second);
      if (update?.kind === "update" && update.state) ana.update({ state: update.state });
      two.advance(500);
      for (const via of [0, 1]) crosses(roster(via));
      const shown = [0, 1].map(
        (via) =>
          two
            .instance(via)
            .core.roster(B1)
            .entries.find(({ member }) => member.username === "ana")?.member,
      );
      assert.deepEqual(shown[1], shown[0]);
    }),
    { numRuns: 150 },
  );
});

test("a state of 4093 bytes that is longer when written again is refused in both encodings", () => {
  const grows = `{"n":[${Array(227).fill("99999999999999999").join(",")}]}`;
  assert.ok(utf8Bytes(grows) <= STATE_BYTES_MAX && utf8Bytes(JSON.stringify(JSON.parse(grows))) > STATE_BYTES_MAX);
  assert.deepEqual([binaryJoin(grows), binaryUpdate(grows), jsonJoin(grows)], [undefined, undefined, undefined]);
});

test("the largest patch there is can be read: every key of a full state goes, another full state comes, with another name and avatar", () => {
  const keys = Array.from({ length: 4096 }, (_, n) => n.toString(36)).sort((a, b) => a.length - b.length);
  const fullOf = (names: readonly string[], value: Json) => {
    const full: Record<string, Json> = {};
    for (const name of names) if (utf8Bytes(JSON.stringify({ ...full, [name]: value })) <= STATE_BYTES_MAX) full[name] = value;
    return full;
  };
  const before = { username: "Ana", avatar: "a", status: "active", state: fullOf(keys.slice(0, 700), 0) };
  const after = { username: "\\".repeat(256), avatar: "\u0001".repeat(512), status: "idle", state: fullOf(keys.slice(1000), 0) };
  const patch = mergePatchBetween(before, after) ?? {};
  assert.ok(utf8Bytes(JSON.stringify(patch)) > 12_000);
  crosses({ kind: "user_updated", board: 7, actor: 1, patch });
  const delta: BusMessage = { kind: "delta", prev: 1, seq: 2, ops: [{ op: "patch", slot: 1, patch }] };
  assert.ok(decodeRedisMessage(encodeRedisMessage({ from: world().two.instance(0).instanceId, link: 1, message: delta })).ok);
});

test("[R4.2] a peer's state that outgrew its limit patch by patch counts as a divergence and is shown to nobody", () => {
  const { two, roster } = world();
  const counted = two.record("counted");
  two.join("ben", { board: "b1", via: 1 });
  const ana = two.join("ana", { board: "b1", via: 0 });
  two.advance(500);
  const grow =
    (patch: JsonObject) =>
    (delivery: Delivery): BusMessage =>
      delivery.message.kind === "delta"
        ? { ...delivery.message, ops: [{ op: "patch", slot: 0, patch: { state: patch } }] }
        : delivery.message;
  for (const key of ["a", "b", "c"]) {
    two.network.faults = { ...HEALTHY, rewrites: grow({ [key]: "x".repeat(STATE_BYTES_MAX / 2) }) };
    ana.update({ state: { turn: key } });
    two.advance(50);
    crosses(roster(1));
  }
  two.network.faults = HEALTHY;
  two.untilEqual(1000);
  assert.ok(counted.some(({ instance, what }) => instance === 1 && what === "divergence"));
});
