import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import {
  ANNOUNCEMENT_BYTES_MAX,
  ATTEMPT_MAX,
  cleanName,
  EVENT_NAME_BYTES_MAX,
  HIDDEN,
  type InstanceId,
  type Json,
  type JsonObject,
  KICK_REASON_BYTES_MAX,
  type Member,
  STATUSES,
  TIME_MAX,
  USER_ID_BYTES_MAX,
} from "@presence-service/protocol";
import fc, { type Arbitrary } from "fast-check";
import {
  actor,
  member as anyMember,
  boardId,
  damaged,
  path,
  point,
  recipients,
  state,
  text,
  u32,
} from "../../../protocol/test/arbitraries.ts";
import { LATER_FIELDS } from "../../../protocol/test/later.ts";
import { ANA_HEX, ENVELOPE, VECTORS } from "../../test/bus-vectors.ts";
import type { BusMessage, Cursors, DelReason, InstanceStatus, Op, Replay, SliceEntry } from "../core/messages.ts";
import { hashOfBoard } from "../core/occupancy.ts";
import { ANA, ana, FROM } from "../testing/ana.ts";
import { decodeRedisMessage, encodeRedisMessage, type RedisMessage } from "./envelope.ts";

const bytes = (hex: string) => new Uint8Array(Buffer.from(hex.replaceAll(" ", ""), "hex"));
const hexOf = (value: Uint8Array) => Buffer.from(value).toString("hex");
const encode = (message: BusMessage) => encodeRedisMessage({ from: FROM, link: 2, message });
const outcome = (input: Uint8Array) => {
  const decoded = decodeRedisMessage(input);
  return decoded.ok ? decoded.value.message : decoded.why;
};

/** Objects as literals make them. By default fast-check makes some with a null prototype. */
const record = (<T>(fields: { [K in keyof T]: Arbitrary<T[K]> }, constraints?: object) =>
  fc.record(fields, { ...constraints, noNullPrototype: true })) as typeof fc.record;

const seq = fc.oneof(fc.nat(300), fc.nat(), fc.maxSafeNat());
const instanceId = fc.uuid().map((id) => id as InstanceId);
const attempt = fc.oneof(fc.nat(3), fc.integer({ min: 0, max: ATTEMPT_MAX }));
/** Names on the bus are as fit as those of clients. */
const member = anyMember.map((member) => ({ ...member, username: cleanName(member.username) }));
const memberId = member.map(({ memberId }) => memberId);
const ended = record({ memberId, attempt });
const reasons: Record<DelReason, true> = { left: true, timeout: true, kicked: true, instance_lost: true, superseded: true };
const statuses: Record<InstanceStatus, true> = { ready: true, draining: true, degraded: true };
const anyOf = <K extends string>(keys: Record<K, true>) => fc.constantFrom(...(Object.keys(keys) as K[]));
const patch = record({ status: fc.constantFrom(...STATUSES), state }, { requiredKeys: [] }).map((fields) => ({ ...fields }) as JsonObject);
const timed = fc.option(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })).map((at) => (at === null ? {} : { at }));
const standing = { seq, hash: u32, count: u32 };
const held = fc.array(record({ owner: instanceId, seq }), { maxLength: 4 });

const op: Arbitrary<Op> = fc.oneof(
  record({ op: fc.constant("set" as const), slot: actor, attempt, member }),
  record({ op: fc.constant("patch" as const), slot: actor, patch }),
  record({ op: fc.constant("del" as const), memberId, attempt, reason: anyOf(reasons) }),
);

const cursors: Arbitrary<Cursors> = record(
  {
    kind: fc.constant("cursors" as const),
    seq,
    moves: fc
      .array(fc.tuple(actor, fc.option(point)), { maxLength: 20 })
      .map((moves) => moves.flatMap(([slot, at]) => [slot, at?.x ?? HIDDEN, at?.y ?? 0])),
    paths: fc.array(path, { minLength: 1, maxLength: 4 }),
  },
  { requiredKeys: ["kind", "seq", "moves"] },
);

const messages: { readonly [K in BusMessage["kind"]]: Arbitrary<Extract<BusMessage, { kind: K }>> } = {
  heartbeat: fc
    .tuple(
      record({
        kind: fc.constant("heartbeat"),
        beat: seq,
        intervalMs: fc.integer({ min: 1, max: 60_000 }),
        beaconMs: fc.integer({ min: 1, max: 2 ** 21 - 1 }),
        boards: u32,
        status: anyOf(statuses),
        acks: fc.array(record({ peer: u32, beat: fc.integer({ min: 0, max: 0xffff }) }), { maxLength: 5 }),
        versions: fc.tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 1, max: 15 })).map((two) => ({
          min: Math.min(...two),
          max: Math.max(...two),
        })),
      }),
      fc.option(fc.array(boardId, { maxLength: 5 })),
      fc.boolean(),
      fc.option(record({ reach: u32, since: fc.integer({ min: 1, max: 0xffff_ffff }), turn: u32 })),
      timed,
      fc.boolean(),
      fc.boolean(),
    )
    .map(([heartbeat, mute, wanting, near, at, spread, moves]) => ({
      ...at,
      ...heartbeat,
      ...(mute !== null && { mute }),
      ...(wanting && { wanting }),
      ...(near !== null && { near }),
      ...(spread && { spread }),
      ...(moves && { moves }),
    })),
  verdict: record({
    kind: fc.constant("verdict"),
    accused: fc.array(record({ instanceId, beat: fc.integer({ min: 0, max: 2 ** 52 - 1 }), isDown: fc.boolean() }), { maxLength: 5 }),
  }),
  goodbye: fc.constant({ kind: "goodbye" }),
  kick: fc.record(
    {
      kind: fc.constant("kick" as const),
      whom: fc.oneof(record({ userId: text(USER_ID_BYTES_MAX, 1) }), record({ memberId })),
      boardId,
      reason: text(KICK_REASON_BYTES_MAX),
      voidBefore: fc.integer({ min: 0, max: TIME_MAX }),
    },
    { requiredKeys: ["kind", "whom", "reason"], noNullPrototype: true },
  ),
  revocations: record({
    kind: fc.constant("revocations"),
    list: fc.array(record({ userId: text(USER_ID_BYTES_MAX, 1), before: fc.integer({ min: 0, max: TIME_MAX }) }), { maxLength: 5 }),
  }),
  hook: record({ kind: fc.constant("hook"), words: state }),
  announcement: fc.record(
    { kind: fc.constant("announcement" as const), text: text(ANNOUNCEMENT_BYTES_MAX), boardId },
    { requiredKeys: ["kind", "text"], noNullPrototype: true },
  ),
  delta: fc
    .tuple(seq, fc.nat(), fc.array(op, { maxLength: 4 }), timed)
    .map(([prev, step, ops, at]) => ({ kind: "delta", prev, seq: Math.min(prev + 1 + step, Number.MAX_SAFE_INTEGER), ops, ...at }) as const)
    .filter(({ prev, seq }) => prev < seq),
  replay: fc
    .tuple(
      fc.integer({ min: 0, max: 2 ** 52 }),
      fc.array(fc.tuple(fc.nat(1000), fc.array(op, { maxLength: 3 }), timed), { minLength: 1, maxLength: 4 }),
    )
    .map(([first, told]) => {
      let at = first;
      const steps = told.map(([step, ops, timed]) => {
        const prev = at;
        at += step + 1;
        return { prev, seq: at, ops, ...timed };
      });
      return { kind: "replay", seq: at, steps } as const;
    }),
  snapshot: fc
    .tuple(
      record({
        kind: fc.constant("snapshot"),
        seq,
        part: fc.integer({ min: 0, max: 4095 }),
        parts: fc.integer({ min: 1, max: 4096 }),
        entries: fc.array(record({ slot: actor, attempt, seq, member }), { maxLength: 3 }),
        ended: fc.array(ended, { maxLength: 3 }),
      }),
      timed,
    )
    .map(([message, at]) => ({
      ...message,
      ...at,
      part: message.part % message.parts,
      entries: message.entries.map((entry) => ({ ...entry, seq: Math.min(entry.seq, message.seq) })),
    })),
  sync: fc.oneof(
    record(
      { kind: fc.constant("sync" as const), ...standing, asks: fc.constant("all" as const), held, observed: fc.boolean() },
      { requiredKeys: ["kind", "seq", "hash", "count", "asks", "held"] },
    ),
    record(
      { kind: fc.constant("sync" as const), ...standing, asks: held, observed: fc.boolean() },
      { requiredKeys: ["kind", "seq", "hash", "count", "asks"] },
    ),
  ),
  beacon: record({ kind: fc.constant("beacon"), ...standing, observed: fc.boolean() }, { requiredKeys: ["kind", "seq", "hash", "count"] }),
  cursors,
  moves: record({
    kind: fc.constant("moves"),
    boards: fc.array(
      fc.tuple(boardId, cursors).map(([boardId, cursors]) => ({ ...cursors, boardId })),
      { maxLength: 4 },
    ),
  }),
  event: record(
    { kind: fc.constant("event"), slot: actor, name: text(EVENT_NAME_BYTES_MAX), data: state.map((value): Json => value), ...recipients },
    { requiredKeys: ["kind", "slot", "name", "data"] },
  ),
  want: record({
    kind: fc.constant("want"),
    leaseMs: fc.integer({ min: 0, max: 3_600_000 }),
    answer: fc.boolean(),
    boards: fc.array(boardId.map(hashOfBoard), { maxLength: 8 }),
  }),
  occupancy: record({
    kind: fc.constant("occupancy"),
    shard: fc.nat(255),
    boards: fc.array(record({ board: boardId, members: u32, users: u32 }), { maxLength: 8 }),
  }),
};
const message = fc.oneof(...(Object.values(messages) as Arbitrary<BusMessage>[]));
const link = fc.oneof(fc.nat(300), u32);

/** After a kind that has no extra fields yet, nothing is read at all. */
function laterFields(kind: string): Arbitrary<Uint8Array> {
  return ["event", "kick", "beacon", "sync", "heartbeat", "delta", "replay", "snapshot", "cursors"].includes(kind)
    ? fc.constantFrom(new Uint8Array(), LATER_FIELDS)
    : fc.uint8Array({ maxLength: 9 });
}

/** Extra fields may be absent, so a message that is cut off right before one of them is one. */
function assertInvalidOrBare(shorter: ReturnType<typeof outcome>, message: BusMessage): void {
  if (typeof shorter !== "object") return assert.equal(shorter, "invalid");
  const [whole, rest] = message.kind === "replay" ? [untimed(message), untimed(shorter as Replay)] : [message, shorter];
  assert.deepEqual({ ...whole, ...rest }, whole);
  const lost = Object.keys(message).filter((name) => !(name in shorter));
  const isExtra = (name: string) =>
    ["memberIds", "userIds", "observed", "wanting", "near", "at", "spread", "moves", "paths", "voidBefore"].includes(name);
  assert.ok((lost.length > 0 || message.kind === "replay") && lost.every(isExtra), lost.join());
}

/** The times of a replay are one extra field. */
function untimed({ steps, ...replay }: Replay): BusMessage {
  return { ...replay, steps: steps.map(({ at: _, ...step }) => step) };
}

for (const [kind, ofKind] of Object.entries(messages) as [string, Arbitrary<BusMessage>][]) {
  test(`${kind}: an encoded message is decoded, no part of it is taken for the whole, and later fields are skipped (R13)`, () => {
    fc.assert(
      fc.property(instanceId, link, ofKind, fc.nat(), laterFields(kind), (from, link, message, cut, later) => {
        const value: RedisMessage = { from, link, message };
        const encoded = encodeRedisMessage(value);
        assert.deepEqual(decodeRedisMessage(encoded), { ok: true, value });
        const shorter = outcome(encoded.subarray(0, 1 + (cut % (encoded.length - 1))));
        assertInvalidOrBare(shorter, message);
        assert.deepEqual(decodeRedisMessage(Buffer.concat([encoded, later])), { ok: true, value });
      }),
    );
  });
}

for (const [name, [message, hex]] of Object.entries(VECTORS)) {
  test(`vector: ${name}; every truncation and every flipped bit is refused or means something`, () => {
    const good = bytes(`${ENVELOPE} ${hex}`);
    assert.equal(hexOf(encode(message)), hexOf(good));
    assert.deepEqual(decodeRedisMessage(good), { ok: true, value: { from: FROM, link: 2, message } });
    assert.equal(outcome(good.subarray(0, 0)), "foreign");
    for (let length = 1; length < good.length; length++) {
      const shorter = outcome(good.subarray(0, length));
      assertInvalidOrBare(shorter, message);
    }
    for (let bit = 0; bit < good.length * 8; bit++) {
      const flipped = good.slice();
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      assertRefusedOrFinal(flipped);
    }
  });
}

test("damaged messages and noise are refused or mean something, and never throw", () => {
  const broken = damaged(fc.tuple(link, message).map(([link, message]) => encodeRedisMessage({ from: FROM, link, message })));
  const noise = fc.uint8Array({ maxLength: 64 });
  const body = fc.tuple(fc.constantFrom(1, 2, 3, 4, 5, 6, 7, 17, 18, 19, 20, 21, 22, 33, 65), noise);
  const wellAddressed = body.map(([tag, rest]) => Uint8Array.of(...bytes(ENVELOPE), tag, ...rest));
  fc.assert(fc.property(fc.oneof(broken, noise, wellAddressed), assertRefusedOrFinal), { numRuns: 1500 });
});

/** An accepted message can be encoded again: the bytes are accepted too, and encoding that once more gives the same bytes. */
function assertRefusedOrFinal(input: Uint8Array): void {
  const decoded = decodeRedisMessage(input);
  if (!decoded.ok) return assert.ok(["foreign", "version", "invalid"].includes(decoded.why));
  const again = encodeRedisMessage(decoded.value);
  const back = decodeRedisMessage(again);
  // Compared as bytes: a peer's JSON may say -0.
  assert.ok(back.ok);
  assert.equal(hexOf(encodeRedisMessage(back.value)), hexOf(again));
}

test("[R13.2] messages of other programs on our channels are foreign, whatever they hold", () => {
  const texts = ['{"type":"cursor","userId":1,"x":3,"y":4}', "[1,2]", '"b1"', " {}", "\ufeff{}", "PING", "é", "🎉", "", "\0"];
  for (const text of texts) assert.equal(outcome(Buffer.from(text)), "foreign", text);
  fc.assert(fc.property(text(40), (text) => assert.equal(outcome(Buffer.from(text)), "foreign")));
  for (let first = 0; first < 256; first++)
    if (first >> 4 !== 0xb) assert.equal(outcome(Uint8Array.of(first, ...encode({ kind: "goodbye" }).subarray(1))), "foreign");
});

test("[R13.2] other versions, and kinds of later releases, are told from broken messages", () => {
  for (let version = 0; version < 16; version++)
    if (version !== 1) assert.equal(outcome(Uint8Array.of(0xb0 | version, 1, 2, 3)), "version");
  const known = new Set(Object.values(VECTORS).map(([, hex]) => Number.parseInt(hex.slice(0, 2), 16)));
  assert.deepEqual(
    [...known].sort((a, b) => a - b),
    [0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 7, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x21, 0x31, 0x41],
  );
  known.add(0x7f); // packed: packing.test.ts
  for (let tag = 0; tag < 256; tag++) if (!known.has(tag)) assert.equal(outcome(Uint8Array.of(...bytes(ENVELOPE), tag, 1, 2)), "version");
});

test("[R13.3] a later field of one board in `moves` is skipped, and the next board is read", () => {
  const [message] = VECTORS["moves"] ?? assert.fail();
  const later = `${ENVELOPE} 41 02 06 646f632d3432 0b ad02 01 14 01f4 ffff 02 01 2a 06 646f632d3433 05 ac02 01 a101`;
  assert.deepEqual(decodeRedisMessage(bytes(later)), { ok: true, value: { from: FROM, link: 2, message } });
});

test("[R13.4] nothing is accepted that could not be applied, kept and sent on", () => {
  const refused: Record<string, string> = {
    "a link number beyond u32": "b1 3f2a9c517d044e8b9a660c1d2e3f4a5b ffffffff1f 02",
    "a number not in its shortest form": `${ENVELOPE.replace(/02$/, "8200")} 02`,
    "a heartbeat every 0 ms": `${ENVELOPE} 01 01 00 01 01 11 00`,
    "a heartbeat every 60.001 s": `${ENVELOPE} 01 01 e1d403 01 01 11 00`,
    "a beacon every 0 ms": `${ENVELOPE} 01 01 01 00 01 11 00`,
    "a beacon every 2^21 ms": `${ENVELOPE} 01 01 01 80808001 01 11 00`,
    "versions from 0": `${ENVELOPE} 01 01 01 01 01 01 00`,
    "versions from 2 to 1": `${ENVELOPE} 01 01 01 01 01 21 00`,
    "a kick of neither a user nor a member": `${ENVELOPE} 03 02 03 752d37 00 00`,
    "a kick of a user with 129 bytes": `${ENVELOPE} 03 00 8101 ${"61".repeat(129)} 00 00`,
    "a kick of a user without a userId": `${ENVELOPE} 03 00 00 00 00`,
    "a kick off a board that cannot be": `${ENVELOPE} 03 00 03 752d37 01 7b 00`,
    "a reason of 124 bytes": `${ENVELOPE} 03 00 03 752d37 00 7c ${"61".repeat(124)}`,
    "an announcement of 4097 bytes": `${ENVELOPE} 04 8120 ${"61".repeat(4097)} 00`,
    "a change to seq 0": `${ENVELOPE} 11 00 00 00`,
    "moves on a board that cannot be": `${ENVELOPE} 41 01 01 7b 04 01 01 a101`,
    "moves on a board that are longer than they say": `${ENVELOPE} 41 01 01 62 03 01 01 a101`,
    "a change from before seq 0": `${ENVELOPE} 11 05 05 00`,
    "an op of a later release that is cut off": `${ENVELOPE} 11 05 00 01 03 02 00`,
    "a member with extra fields longer than their length": `${ENVELOPE} 11 05 00 01 00 05 01 ${ANA_HEX.replace(/08 02 06/, "07 02 06")}`,
    "a slot of a patch beyond 30 bits": `${ENVELOPE} 11 05 00 01 01 8080808004 02 7b7d`,
    "an attempt of a member beyond u32": `${ENVELOPE} 11 05 00 01 00 05 8080808010 ${ANA_HEX}`,
    "a slot of a member beyond 30 bits": `${ENVELOPE} 11 05 00 01 00 8080808004 01 ${ANA_HEX}`,
    "a slot of an event beyond 30 bits": `${ENVELOPE} 16 8080808004 01 61 01 31`,
    "an ended attempt beyond u32": `${ENVELOPE} 11 05 00 01 02 ${ANA} 8080808010 00`,
    "a patch that is a list": `${ENVELOPE} 11 05 00 01 01 05 02 5b5d`,
    "a patch that is null": `${ENVELOPE} 11 05 00 01 01 05 04 6e756c6c`,
    "a member that changed after its slice": `${ENVELOPE} 12 05 00 00 01 06 05 01 ${ANA_HEX} 00`,
    "part 4096": `${ENVELOPE} 12 05 8020 00 00 00`,
    "4097 parts": `${ENVELOPE} 12 05 00 8020 00 00`,
    "a cursor without its y": `${ENVELOPE} 15 05 01 14 01f4 ff`,
    "fewer cursors than promised": `${ENVELOPE} 15 05 02 14 01f4 ffff`,
    "an event without data": `${ENVELOPE} 16 05 01 61 00`,
    "an event for half a member": `${ENVELOPE} 16 05 01 61 01 31 01 03 01 aabb`,
    "an event for 33 users": `${ENVELOPE} 16 05 01 61 01 31 02 43 21 ${"01 75".repeat(33)}`,
    "an event for a user without a userId": `${ENVELOPE} 16 05 01 61 01 31 02 02 01 00`,
  };
  for (const [why, hex] of Object.entries(refused)) assert.equal(outcome(bytes(hex)), "invalid", why);

  const patched = (fields: string) =>
    outcome(encode({ kind: "delta", prev: 1, seq: 2, ops: [{ op: "patch", slot: 1, patch: JSON.parse(fields) }] }));
  const unfit = ['{"status":3}', '{"status":null}', '{"state":null}', '{"state":[]}', '{"state":1}', '{"state":{"__proto__":1}}'];
  for (const fields of unfit) assert.equal(patched(fields), "invalid", fields);
  assert.equal(patched(`{"state":{"a":"${"x".repeat(20_000)}"}}`), "invalid");
  assert.equal(patched(`{"state":${'{"a":'.repeat(32)}1${"}".repeat(32)}}`) instanceof Object, true);
  assert.equal(patched(`{"state":${'{"a":'.repeat(33)}1${"}".repeat(33)}}`), "invalid");

  const tooLong: Partial<Member>[] = [
    { username: "n".repeat(257) },
    { userId: "u".repeat(129) },
    { userId: "" },
    { state: { a: "x".repeat(4096) } },
  ];
  for (const fields of tooLong)
    assert.equal(
      outcome(encode({ kind: "delta", prev: 1, seq: 2, ops: [{ op: "set", slot: 1, attempt: 1, member: { ...ana, ...fields } }] })),
      "invalid",
    );
  assert.equal(outcome(encode({ kind: "event", slot: 1, name: "n".repeat(65), data: 1 })), "invalid");
  assert.equal(outcome(encode({ kind: "event", slot: 1, name: "n", data: "d".repeat(4096) })), "invalid");
});

test("[R13.4] of a patch only what a patch may touch is taken: no peer renames a member or takes its id", () => {
  const fit = { status: "idle", activeAt: 7, area: "slide-3", color: "#003cfc", state: { a: 1 } };
  const patch = { memberId: "x", username: "Eve", kind: "agent", joinedAt: 1, later: true, ...fit };
  const delta = { kind: "delta", prev: 1, seq: 2, ops: [{ op: "patch", slot: 1, patch }] } as const;
  assert.deepEqual(outcome(encode(delta)), { ...delta, ops: [{ op: "patch", slot: 1, patch: fit }] });
  const none = { activeAt: null, area: null };
  assert.deepEqual(outcome(encode({ ...delta, ops: [{ op: "patch", slot: 1, patch: none }] })), {
    ...delta,
    ops: [{ op: "patch", slot: 1, patch: none }],
  });
  for (const unfit of [
    { activeAt: -1 },
    { activeAt: 2 ** 42 },
    { activeAt: "7" },
    { area: "" },
    { area: "a".repeat(129) },
    { area: 7 },
    { color: null },
    { color: "#ABCDEF" },
  ])
    assert.equal(outcome(encode({ ...delta, ops: [{ op: "patch", slot: 1, patch: unfit }] })), "invalid");
});

test("values that this release does not know have a meaning: a member is active, an end is final, an instance is ready", () => {
  const patch = { kind: "delta", prev: 1, seq: 2, ops: [{ op: "patch", slot: 1, patch: { status: "away" } }] } as const;
  assert.deepEqual(outcome(encode(patch)), { ...patch, ops: [{ op: "patch", slot: 1, patch: { status: "active" } }] });
  const del = outcome(bytes(`${ENVELOPE} 11 05 00 01 02 ${ANA} 01 09`));
  assert.deepEqual(del, { kind: "delta", prev: 4, seq: 5, ops: [{ op: "del", memberId: ANA, attempt: 1, reason: "left" }] });
  const heartbeat = outcome(bytes(`${ENVELOPE} 01 01 01 01 01 11 03`));
  assert.equal(typeof heartbeat === "object" && heartbeat.kind === "heartbeat" && heartbeat.status, "ready");
  const member = outcome(bytes(`${ENVELOPE} 11 05 00 01 00 05 01 ${ANA_HEX.replace(" 10 ", " df ")}`));
  assert.deepEqual(member, { kind: "delta", prev: 4, seq: 5, ops: [{ op: "set", slot: 5, attempt: 1, member: ana }] });
});

test("[R13.4] a name that no client may have is shown without the characters that names may not hold, and its member is held", () => {
  const set = (username: string) =>
    ({ kind: "delta", prev: 1, seq: 2, ops: [{ op: "set", slot: 1, attempt: 1, member: { ...ana, username } }] }) as const;
  assert.deepEqual(outcome(encode(set("A\u202en\u0007a"))), set("Ana"));
  const snapshot = (username: string) =>
    ({
      kind: "snapshot",
      seq: 2,
      part: 0,
      parts: 1,
      entries: [{ slot: 1, attempt: 1, seq: 2, member: { ...ana, username } }],
      ended: [],
    }) as const;
  assert.deepEqual(outcome(encode(snapshot("\u2067"))), snapshot(""));
});

test("[R13.1] the work is that of the bytes that came, whatever they promise", () => {
  const promises = [
    "01 01 01 01 01 11 fcffffff0f",
    "11 05 00 ffffffff0f",
    "12 05 00 00 ffffffff0f",
    "12 05 00 00 00 ffffffff0f",
    "13 05 00000000 00 ffffffff0f",
    "13 05 00000000 00 00 ffffffff0f",
    "41 ffffffff0f",
    "41 01 01 62 ffffffff0f",
  ];
  for (const hex of promises) assert.equal(outcome(bytes(`${ENVELOPE} ${hex}`)), "invalid");

  const million = (hex: string, filler: string) => Buffer.concat([bytes(`${ENVELOPE} ${hex}`), Buffer.alloc(2 ** 20, bytes(filler))]);
  const hostile: Record<string, Uint8Array> = {
    acks: million("01 01 01 01 01 11 fcffffff0f", "00"),
    "varints without an end": million("11", "ff"),
    "empty patches": million("11 05 00 ffffffff0f", "01 05 02 7b7d"),
    "empty ops of a later release": million("11 05 00 ffffffff0f", "03 00"),
    dels: million("11 05 00 ffffffff0f", `02 ${ANA} 01 00`),
    "small members": million("12 05 00 00 ffffffff0f", `00 05 01 ${ANA_HEX}`),
    owners: million("13 05 00000000 00 ffffffff0f", "00"),
    "owners of which something is held": million("13 05 00000000 00 00 ffffffff0f", "00"),
    "moves of many boards": million("41 ffffffff0f", "01 62 02 01 00"),
    "hidden cursors": million("15 05 ffffffff0f", "01"),
    paths: million("15 05 00 01 808040 ffffffff0f", "01 000000"),
    "nested data": million("16 05 00 808040", "5b"),
    "a goodbye that goes on": million("02", "00"),
    noise: Buffer.alloc(2 ** 20, 0xb1),
  };
  for (const [name, input] of Object.entries(hostile)) {
    const start = process.cpuUsage();
    outcome(input);
    const { user, system } = process.cpuUsage(start);
    // It takes 10 to 100 ms of CPU; work that is not linear in a million bytes would take minutes.
    assert.ok(user + system < 2_000_000, name);
  }
  const huge = Buffer.concat([encode({ kind: "goodbye" }), Buffer.alloc(4 * 2 ** 20)]);
  assert.equal(outcome(huge), "invalid");
});

test("the largest snapshot message there is fits: 250 full members", () => {
  const full: Member = {
    ...ana,
    userId: "u".repeat(128),
    username: "n".repeat(256),
    avatar: "a".repeat(512),
    state: { a: "x".repeat(4088) },
  };
  const entries = Array.from({ length: 250 }, (_, slot): SliceEntry => ({ slot, attempt: ATTEMPT_MAX, seq: slot, member: full }));
  const snapshot: BusMessage = { kind: "snapshot", seq: 2 ** 40, part: 0, parts: 40, entries, ended: [] };
  assert.deepEqual(outcome(encode(snapshot)), snapshot);
});

test("a decoded message holds no view of its bytes, which a driver may use again", () => {
  for (const [message] of Object.values(VECTORS)) {
    const encoded = encode(message);
    const decoded = decodeRedisMessage(encoded);
    encoded.fill(0);
    assert.deepEqual(decoded, { ok: true, value: { from: FROM, link: 2, message } });
  }
});

test("senders are told apart by all 16 bytes, however many there are", () => {
  for (let number = 0; number < 10_000; number++) {
    const from = `3f2a9c51-7d04-4e8b-9a66-${number.toString(16).padStart(12, "0")}` as InstanceId;
    const decoded = decodeRedisMessage(encodeRedisMessage({ from, link: 1, message: { kind: "goodbye" } }));
    assert.ok(decoded.ok && decoded.value.from === from);
  }
});

test("a message that the core may never send throws", () => {
  assert.throws(() => encode({ kind: "delta", prev: 5, seq: 5, ops: [] }), RangeError);
  assert.throws(() => encode({ kind: "snapshot", seq: 5, part: 1, parts: 1, entries: [], ended: [] }), RangeError);
  assert.throws(
    () => encode({ kind: "snapshot", seq: 5, part: 0, parts: 1, entries: [{ slot: 1, attempt: 1, seq: 6, member: ana }], ended: [] }),
    RangeError,
  );
  assert.throws(() => encode({ kind: "beacon", seq: 0.5, hash: 0, count: 0 }), RangeError);
});

test("intervals are rounded up to what peers believe", () => {
  const [heartbeat] = VECTORS["heartbeat"] ?? [];
  assert.ok(heartbeat?.kind === "heartbeat");
  assert.deepEqual(outcome(encode({ ...heartbeat, intervalMs: 0.2, beaconMs: 15_000.01 })), {
    ...heartbeat,
    intervalMs: 1,
    beaconMs: 15_001,
  });
  assert.deepEqual(outcome(encode({ ...heartbeat, intervalMs: 2 ** 40, beaconMs: 2 ** 40 })), {
    ...heartbeat,
    intervalMs: 60_000,
    beaconMs: 2 ** 21 - 1,
  });
});

test("REPLICATION.md: its examples are the vectors", () => {
  const document = readFileSync(new URL("../../../../docs/REPLICATION.md", import.meta.url), "utf8");
  // A line of an example: bytes, then two spaces and what they mean.
  const blocks = [...document.matchAll(/^```hex\n([\s\S]*?)^```/gm)].map(([, block = ""]) =>
    block.replace(/ {2,}.*$/gm, "").replace(/\s/g, ""),
  );
  assert.deepEqual(new Set(blocks), new Set(Object.values(VECTORS).map(([, hex]) => hex.replaceAll(" ", ""))));
});
