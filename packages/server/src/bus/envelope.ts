/**
 * The bytes on the bus: an envelope (version, sender, link number) around one message of core/messages.ts. docs/REPLICATION.md, "Wire
 * format", shows every message with an example; its budgets are tests. This file trusts the messages of the core, and no bytes that come
 * in: an accepted message can be applied, kept and sent on within the limits of the protocol. Faults that show only in a whole slice (a
 * slot given twice, a state that grows patch by patch) are for the core to check.
 */

import {
  ACTOR_MAX,
  ANNOUNCEMENT_BYTES_MAX,
  ATTEMPT_MAX,
  BOARD_ID_BYTES_MAX,
  type BoardId,
  cleanName,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  HEARTBEAT,
  type InstanceId,
  isArea,
  isBoardId,
  isColor,
  isFitName,
  isObject,
  isTime,
  isUserId,
  JSON_DEPTH_MAX,
  type JsonObject,
  KICK_REASON_BYTES_MAX,
  type MemberId,
  type Millis,
  OBSERVED,
  OCCUPANCY,
  PATCH_BYTES_MAX,
  RECIPIENTS,
  Reader,
  readMember,
  readUuid,
  STATUSES,
  TIME_MAX,
  TIMED,
  TIMES,
  U32_MAX,
  USER_ID_BYTES_MAX,
  VOIDING,
  Writer,
  writeMember,
} from "@presence-service/protocol";
import type {
  Accused,
  Ack,
  Announcement,
  BusMessage,
  DelReason,
  Ended,
  Heartbeat,
  Held,
  InstanceStatus,
  Kick,
  Op,
  Revocation,
  SliceEntry,
  Snapshot,
  Standing,
  Sync,
  Want,
} from "../core/messages.ts";
import { type BoardHash, WANT_BOARDS_MAX } from "../core/occupancy.ts";
import { MAGIC, readSender, type Sender, VERSION, writeHead } from "./head.ts";
import { CURSORS_TAG, MOVES_TAG, readBoardId, readBoardsMoves, readCursors, writeBoardsMoves, writeCursors } from "./moves.ts";
import { pack, unpack } from "./packing.ts";

export type RedisMessage = Sender & { readonly message: BusMessage };

/**
 * Why a message is ignored (R13). `foreign`: another program's. `version`: of a release that speaks another version, or of a kind that
 * this release does not know yet. `invalid`: ours by its first byte, and broken.
 */
export type Decoded =
  | { readonly ok: true; readonly value: RedisMessage }
  | { readonly ok: false; readonly why: "foreign" | "invalid" | "version" };

/** Three times the largest snapshot (`snapshotMembersMax` full members); an eighth of the output at which Redis cuts off a subscriber. */
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;
/** At 5 ms per instance, 12 000 instances. The members of a peer that claims more would stay on every roster long after it died (R7). */
const INTERVAL_MS_MAX = 60_000;
/** 35 minutes: 21 million pairs of board and instance (R6). */
const BEACON_MS_MAX = 2 ** 21 - 1;
/** Of the id of a wanted board (R15). */
const HASH_BYTES = 8;
/** A hundred members with the longest ids and names. */
const HOOK_BYTES_MAX = 131_072;
/** In one message. */
const REVOCATIONS_MAX = 1024;
/** An hour: 66 million wanted boards times instances (R15). */
const LEASE_MS_MAX = 3_600_000;
/** A million members in one slice. */
const SNAPSHOT_PARTS_MAX = 4096;

/**
 * Sizes in bytes, with the 20 of the envelope (19 for link numbers below 128), seqs up to 2^35 and slots below 2^14. A lone cursor takes
 * 33, or 37 outside of 0…65535; each further one takes 5 for slots below 32, 6 below 4096, 7 beyond. A join takes at most 64 + userId +
 * name. A heartbeat with 3 acks takes at most 50 while boards stay below 2^14 and beats below 2^21, which is 12 days (with a link below
 * 128: below 2^28, 4 years). Throws only on a fault of the core: a number that is no whole number, a `prev` that is not before its `seq`.
 */
export function encodeRedisMessage({ from, link, message }: RedisMessage): Uint8Array<ArrayBuffer> {
  const { tag, write } = KINDS[message.kind] as Kind<BusMessage>;
  writeHead(writer.reset(), { from, link });
  const head = writer.length;
  write(writer.u8(tag), message);
  const bytes = writer.finish();
  const packed = PACKED_KINDS.has(message.kind) ? pack(bytes.subarray(head)) : undefined;
  return packed === undefined ? bytes : writer.reset().bytes(bytes.subarray(0, head)).u8(PACKED).bytes(packed).finish();
}

/** Never throws. Takes time linear in `bytes` and keeps no view of them. Bytes after the last known field, of a later release, are skipped. */
export function decodeRedisMessage(bytes: Uint8Array): Decoded {
  const first = bytes[0] ?? 0;
  if ((first & 0xf0) !== MAGIC) return FOREIGN;
  if (first !== (MAGIC | VERSION)) return OTHER_VERSION;
  if (bytes.length > MESSAGE_BYTES_MAX) return INVALID;
  reader.reset(bytes).u8();
  const from = readSender(reader);
  const link = reader.varint(U32_MAX);
  let tag = reader.u8();
  if (tag === PACKED) {
    const unpacked = unpack(reader.bytes(reader.remaining));
    if (unpacked === undefined) return INVALID;
    // A packed message in a packed one has no reader.
    tag = reader.reset(unpacked).u8();
  }
  if (reader.failed) return INVALID;
  const read = READERS[tag];
  if (read === undefined) return OTHER_VERSION;
  const message = read(reader);
  return reader.failed ? INVALID : { ok: true, value: { from, link, message } };
}

/** Stands for the tag: the rest is the tag and the message, packed. */
const PACKED = 0x7f;
/** The kinds that are long, and of which many are sent only where somebody has missed something. */
const PACKED_KINDS: ReadonlySet<BusMessage["kind"]> = new Set(["snapshot", "replay"]);

const FOREIGN: Decoded = { ok: false, why: "foreign" };
const OTHER_VERSION: Decoded = { ok: false, why: "version" };
const INVALID: Decoded = { ok: false, why: "invalid" };

const writer = new Writer(1024);
const reader = new Reader(new Uint8Array(0));

type Kind<M> = {
  readonly tag: number;
  readonly write: (to: Writer, message: M) => void;
  /** The result means nothing if the reader has failed by then. */
  readonly read: (from: Reader) => M;
};

/**
 * Tags are append-only and never reused; 0x01… go to the global channel, 0x11… to a board's, 0x21… to a shard's, 0x31… to those with webhooks, 0x41… to that of one instance. docs/REPLICATION.md, "What may change", says
 * how a kind grows.
 */
const KINDS: { readonly [K in BusMessage["kind"]]: Kind<Extract<BusMessage, { kind: K }>> } = {
  heartbeat: { tag: 0x01, write: writeHeartbeat, read: readHeartbeat },
  goodbye: { tag: 0x02, write() {}, read: () => ({ kind: "goodbye" }) },
  kick: { tag: 0x03, write: writeKick, read: readKick },
  announcement: {
    tag: 0x04,
    write: (to, { text, boardId }) => writeScope(to.string(text), boardId),
    read: (from): Announcement => ({ kind: "announcement", text: from.string(ANNOUNCEMENT_BYTES_MAX), ...readScope(from) }),
  },
  revocations: {
    tag: 0x07,
    write: (to, { list }) => writeList(to, list, (to, { userId, before }) => to.string(userId).varint(before)),
    read: (from) => ({ kind: "revocations", list: readItems(from, from.varint(REVOCATIONS_MAX), readRevocation) }),
  },
  want: { tag: 0x05, write: writeWant, read: readWant },
  verdict: {
    tag: 0x06,
    write: (to, { accused }) => writeList(to, accused, writeAccused),
    read: (from) => ({ kind: "verdict", accused: readList(from, readAccused) }),
  },
  delta: {
    tag: 0x11,
    write(to, delta) {
      const { prev, seq, ops } = delta;
      to.varint(seq).varint(seq - prev - 1);
      writeList(to, ops, writeOp);
      TIMED.write(to, delta);
    },
    read(from) {
      const seq = from.varint();
      const prev = seq - 1 - from.varint(seq - 1);
      return { kind: "delta", prev, seq, ops: readList(from, readOp).filter((op) => op !== undefined), ...TIMED.read(from) };
    },
  },
  replay: {
    tag: 0x17,
    write(to, { steps }) {
      to.varint(steps[0]?.prev ?? 0);
      let at = steps[0]?.prev ?? 0;
      writeList(to, steps, (to, { seq, ops }) => {
        to.varint(seq - at - 1);
        at = seq;
        writeList(to, ops, writeOp);
      });
      if (steps.some(({ at }) => at !== undefined)) TIMES.write(to, { times: steps.map(({ at = 0 }) => at) });
    },
    read(from) {
      let at = from.varint();
      const steps = readList(from, (from) => {
        const prev = at;
        at = prev + 1 + from.varint(Number.MAX_SAFE_INTEGER - prev - 1);
        return { prev, seq: at, ops: readList(from, readOp).filter((op) => op !== undefined) };
      });
      if (steps.length === 0) from.fail();
      const { times = [] } = TIMES.read(from);
      return { kind: "replay", seq: at, steps: steps.map((step, index) => ({ ...step, ...(times[index] && { at: times[index] }) })) };
    },
  },
  snapshot: { tag: 0x12, write: writeSnapshot, read: readSnapshot },
  sync: { tag: 0x13, write: writeSync, read: readSync },
  beacon: {
    tag: 0x14,
    write(to, beacon) {
      writeStanding(to, beacon);
      OBSERVED.write(to, beacon);
    },
    read: (from) => ({ kind: "beacon", ...readStanding(from), ...OBSERVED.read(from) }),
  },
  cursors: { tag: CURSORS_TAG, write: writeCursors, read: readCursors },
  moves: { tag: MOVES_TAG, write: writeBoardsMoves, read: readBoardsMoves },
  event: {
    tag: 0x16,
    write: (to, event) => RECIPIENTS.write(to.varint(event.slot).string(event.name).json(event.data), event),
    read: (from) => ({
      kind: "event",
      slot: from.varint(ACTOR_MAX),
      name: from.string(EVENT_NAME_BYTES_MAX),
      data: from.json(EVENT_DATA_BYTES_MAX),
      ...RECIPIENTS.read(from),
    }),
  },
  hook: {
    tag: 0x31,
    write: (to, { words }) => to.json(words),
    read: (from) => ({ kind: "hook", words: from.json(HOOK_BYTES_MAX) }),
  },
  occupancy: {
    tag: 0x21,
    write: (to, { shard, boards }) => writeList(to.u8(shard), boards, OCCUPANCY.write),
    read: (from) => ({ kind: "occupancy", shard: from.u8(), boards: readList(from, OCCUPANCY.read) }),
  },
};

export const MESSAGE_KINDS: readonly string[] = Object.keys(KINDS);

const READERS: Kind<BusMessage>["read"][] = [];
for (const { tag, read } of Object.values(KINDS)) READERS[tag] = read;

/** Numbers on the wire; append-only. A status of a later release means `ready`, a reason `left`: it ends the attempt for good. */
const INSTANCE_STATUSES = numbered<InstanceStatus>({ ready: 0, draining: 1, degraded: 2 }, "ready");
const DEL_REASONS = numbered<DelReason>({ left: 0, timeout: 1, kicked: 2, instance_lost: 3, superseded: 4 }, "left");

/** A flag beside the status: the heartbeat names boards on which the sender is mute. Mostly there are none, and then it costs no byte. */
const MUTE_FLAG = 4;

function writeHeartbeat(to: Writer, heartbeat: Heartbeat): void {
  const { beat, intervalMs, beaconMs, boards, status, versions, acks, mute } = heartbeat;
  to.varint(beat)
    .varint(wholeMs(intervalMs, INTERVAL_MS_MAX))
    .varint(wholeMs(beaconMs, BEACON_MS_MAX))
    .varint(boards)
    .u8((versions.min << 4) | versions.max)
    .varint(acks.length * 8 + (mute === undefined ? 0 : MUTE_FLAG) + INSTANCE_STATUSES.number(status));
  for (const { peer, beat } of acks) to.u32(peer).u16(beat);
  if (mute !== undefined) writeList(to, mute, (to, boardId) => to.string(boardId));
  HEARTBEAT.write(to, heartbeat);
}

function readHeartbeat(from: Reader): Heartbeat {
  const beat = from.varint();
  const intervalMs = from.varint(INTERVAL_MS_MAX);
  const beaconMs = from.varint(BEACON_MS_MAX);
  const boards = from.varint(U32_MAX);
  const range = from.u8();
  const versions = { min: range >> 4, max: range & 15 };
  const head = from.varint(U32_MAX);
  const status = INSTANCE_STATUSES.value(head & 3);
  const acks = readItems(from, head >>> 3, readAck);
  if (intervalMs === 0 || beaconMs === 0 || versions.min === 0 || versions.min > versions.max) from.fail();
  const mute = head & MUTE_FLAG ? { mute: readList(from, readBoardId) } : undefined;
  const extra = HEARTBEAT.read(from);
  if (extra.near?.since === 0) from.fail();
  return { kind: "heartbeat", beat, intervalMs, beaconMs, boards, status, acks, versions, ...mute, ...extra };
}

function readAck(from: Reader): Ack {
  return { peer: from.u32(), beat: from.u16() };
}

function writeAccused(to: Writer, { instanceId, beat, isDown }: Accused): void {
  to.hex(instanceId, 16).varint(beat * 2 + (isDown ? 1 : 0));
}

function readAccused(from: Reader): Accused {
  const instanceId = readUuid(from) as InstanceId;
  const word = from.varint();
  return { instanceId, beat: Math.floor(word / 2), isDown: word % 2 === 1 };
}

const BY_USER_ID = 0;
const BY_MEMBER_ID = 1;

function writeKick(to: Writer, { whom, boardId, reason, voidBefore }: Kick): void {
  if ("userId" in whom) to.u8(BY_USER_ID).string(whom.userId);
  else to.u8(BY_MEMBER_ID).hex(whom.memberId, 16);
  writeScope(to, boardId);
  to.string(reason);
  if (voidBefore !== undefined) VOIDING.write(to, { voidBefore });
}

function readKick(from: Reader): Kick {
  const by = from.u8();
  if (by > BY_MEMBER_ID) from.fail();
  const whom = by === BY_MEMBER_ID ? { memberId: from.hex(16) as MemberId } : { userId: from.string(USER_ID_BYTES_MAX) };
  if ("userId" in whom && !isUserId(whom.userId)) from.fail();
  return { kind: "kick", whom, ...readScope(from), reason: from.string(KICK_REASON_BYTES_MAX), ...VOIDING.read(from) };
}

function readRevocation(from: Reader): Revocation {
  const userId = from.string(USER_ID_BYTES_MAX);
  if (!isUserId(userId)) from.fail();
  return { userId, before: from.varint(TIME_MAX) };
}

function writeWant(to: Writer, { leaseMs, answer, boards }: Want): void {
  to.varint(leaseMs).u8(answer ? 1 : 0);
  writeList(to, boards, (to, hash) => to.hex(hash, HASH_BYTES));
}

function readWant(from: Reader): Want {
  const leaseMs = from.varint(LEASE_MS_MAX);
  const answer = from.u8();
  if (answer > 1) from.fail();
  return {
    kind: "want",
    leaseMs,
    answer: answer === 1,
    boards: readItems(from, from.varint(WANT_BOARDS_MAX), (from) => from.hex(HASH_BYTES) as BoardHash),
  };
}

/** An empty id, which no board has, says "everywhere". */
function writeScope(to: Writer, boardId: BoardId | undefined): void {
  to.string(boardId ?? "");
}

function readScope(from: Reader): { readonly boardId?: BoardId } {
  const boardId = from.string(BOARD_ID_BYTES_MAX);
  if (boardId === "") return {};
  if (!isBoardId(boardId)) from.fail();
  return { boardId: boardId as BoardId };
}

/** Rounded up: peers wait for at least as long as the interval before they judge silence. */
function wholeMs(value: Millis, max: Millis): number {
  return Math.min(Math.ceil(value), max);
}

const SET = 0;
const PATCH = 1;
const DEL = 2;

function writeOp(to: Writer, op: Op): void {
  switch (op.op) {
    case "set":
      return writeEntry(to.u8(SET), op);
    case "patch":
      to.u8(PATCH).varint(op.slot).json(op.patch);
      return;
    case "del":
      writeEnded(to.u8(DEL), op);
      to.u8(DEL_REASONS.number(op.reason));
  }
}

/** undefined: an op of a later release, which changes nothing that the hash of a slice covers (R6). All of them begin with their length. */
function readOp(from: Reader): Op | undefined {
  switch (from.u8()) {
    case SET:
      return { op: "set", ...readEntry(from) };
    case PATCH:
      return { op: "patch", slot: from.varint(ACTOR_MAX), patch: readPatch(from) };
    case DEL:
      return { op: "del", ...readEnded(from), reason: DEL_REASONS.value(from.u8()) };
    default:
      from.skip(from.varint(U32_MAX));
      return undefined;
  }
}

/** Reads only the fields that a patch may change, checked so that the patched member is valid; fields of a later release are left out. */
function readPatch(from: Reader): JsonObject {
  // The member's fields are one level around those of its state.
  const given = from.json(PATCH_BYTES_MAX, JSON_DEPTH_MAX + 1);
  const fields: JsonObject = isObject(given) ? given : {};
  const patch: Record<string, JsonObject[string]> = {};
  if (!isObject(given)) from.fail();
  if (fields["status"] !== undefined) {
    // A status of a later release means `active`.
    patch["status"] = STATUSES.find((status) => status === fields["status"]) ?? "active";
    if (typeof fields["status"] !== "string") from.fail();
  }
  for (const [name, isFit] of [["activeAt", isTime] as const, ["area", isArea] as const]) {
    const value = fields[name];
    if (value === undefined) continue;
    patch[name] = value;
    if (value !== null && !isFit(value)) from.fail();
  }
  if (fields["color"] !== undefined) {
    patch["color"] = fields["color"];
    if (!isColor(fields["color"])) from.fail();
  }
  if (fields["state"] !== undefined) {
    patch["state"] = fields["state"];
    if (!isObject(fields["state"])) from.fail();
  }
  return patch;
}

/** An entry in a delta or in a snapshot. */
type Entry = Omit<SliceEntry, "seq">;

function writeEntry(to: Writer, { slot, attempt, member }: Entry): void {
  writeMember(to.varint(slot).varint(attempt), member);
}

function readEntry(from: Reader): Entry {
  const slot = from.varint(ACTOR_MAX);
  const attempt = from.varint(ATTEMPT_MAX);
  const member = readMember(from);
  // A release with another rule for names may be on the same bus: to refuse its members would never end in peace.
  return { slot, attempt, member: isFitName(member.username) ? member : { ...member, username: cleanName(member.username) } };
}

function writeEnded(to: Writer, { memberId, attempt }: Ended): void {
  to.hex(memberId, 16).varint(attempt);
}

function readEnded(from: Reader): Ended {
  return { memberId: from.hex(16) as MemberId, attempt: from.varint(ATTEMPT_MAX) };
}

function writeSnapshot(to: Writer, snapshot: Snapshot): void {
  const { seq, part, parts, entries, ended } = snapshot;
  to.varint(seq)
    .varint(part)
    .varint(parts - part - 1);
  writeList(to, entries, (to, entry) => writeEntry(to.varint(seq - entry.seq), entry));
  writeList(to, ended, writeEnded);
  TIMED.write(to, snapshot);
}

function readSnapshot(from: Reader): Snapshot {
  const seq = from.varint();
  const part = from.varint(SNAPSHOT_PARTS_MAX - 1);
  const parts = part + 1 + from.varint(SNAPSHOT_PARTS_MAX - 1 - part);
  const entries = readList(from, (from): SliceEntry => ({ seq: seq - from.varint(seq), ...readEntry(from) }));
  return { kind: "snapshot", seq, part, parts, entries, ended: readList(from, readEnded), ...TIMED.read(from) };
}

function writeStanding(to: Writer, { seq, hash, count }: Standing): void {
  to.varint(seq).u32(hash).varint(count);
}

function readStanding(from: Reader): Standing {
  return { seq: from.varint(), hash: from.u32(), count: from.varint(U32_MAX) };
}

/** Begins with a count. 0: all owners are asked, and the seqs held of some follow; otherwise the number of named owners plus one. */
function writeSync(to: Writer, sync: Sync): void {
  writeStanding(to, sync);
  if (sync.asks === "all") writeList(to.varint(0), sync.held, writeHeld);
  else {
    to.varint(sync.asks.length + 1);
    for (const held of sync.asks) writeHeld(to, held);
  }
  OBSERVED.write(to, sync);
}

function readSync(from: Reader): Sync {
  const standing = readStanding(from);
  const named = from.varint(U32_MAX);
  if (named === 0) return { kind: "sync", ...standing, asks: "all", held: readList(from, readHeld), ...OBSERVED.read(from) };
  return { kind: "sync", ...standing, asks: readItems(from, named - 1, readHeld), ...OBSERVED.read(from) };
}

function writeHeld(to: Writer, { owner, seq }: Held): void {
  to.hex(owner, 16).varint(seq);
}

function readHeld(from: Reader): Held {
  return { owner: readUuid(from) as InstanceId, seq: from.varint() };
}

function writeList<T>(to: Writer, items: readonly T[], write: (to: Writer, item: T) => void): void {
  to.varint(items.length);
  for (const item of items) write(to, item);
}

function readList<T>(from: Reader, read: (from: Reader) => T): T[] {
  return readItems(from, from.varint(U32_MAX), read);
}

/** The count may be false: after the first missing byte the reader has failed, and the loop ends. */
function readItems<T>(from: Reader, count: number, read: (from: Reader) => T): T[] {
  const items: T[] = [];
  for (let left = count; left > 0 && !from.failed; left--) items.push(read(from));
  return items;
}

/** Maps values to numbers and back, an unknown number to `unknown`; its type makes sure that no value is missing. */
function numbered<V extends string>(numbers: Readonly<Record<V, number>>, unknown: V) {
  const values = Object.keys(numbers) as V[];
  return {
    number: (value: V): number => numbers[value],
    value: (number: number): V => values.find((value) => numbers[value] === number) ?? unknown,
  };
}
