/** Messages of the bus with their bytes: the examples of docs/REPLICATION.md, "Wire format". */

import type { BoardId, InstanceId, MemberId } from "@presence-service/protocol";
import { HIDDEN } from "@presence-service/protocol";
import type { BusMessage } from "../src/core/messages.ts";
import { type BoardHash, hashOfBoard, shardOf } from "../src/core/occupancy.ts";
import { ANA, ana } from "../src/testing/ana.ts";

export const OTHER = "b81e0d22-5c39-4f17-8e40-a1b2c3d4e5f6" as InstanceId;

/** The same in every example: version 1, FROM, link 2. */
export const ENVELOPE = "b1 3f2a9c517d044e8b9a660c1d2e3f4a5b 02";
export const ANA_HEX = "00112233445566778899aabbccddeeff d94f30 10 03 752d37 03 416e61 02 7b7d 08 02 06 8080b3c19c33";

/** Examples of docs/REPLICATION.md, "Wire format". A changed example breaks every rolling deploy: a new kind or version is needed instead. */
export const VECTORS: Record<string, [BusMessage, string]> = {
  heartbeat: [
    {
      kind: "heartbeat",
      beat: 1200,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 40,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [{ peer: 0xb81e0d22, beat: 0x04af }],
    },
    "01 b009 f403 9875 28 11 08 b81e0d22 04af",
  ],
  "heartbeat: cannot speak on a board": [
    {
      kind: "heartbeat",
      beat: 1200,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 40,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [],
      mute: ["doc-42" as BoardId],
    },
    "01 b009 f403 9875 28 11 04 01 06 646f632d3432",
  ],
  "heartbeat: asks for wants": [
    {
      kind: "heartbeat",
      beat: 1,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 0,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [],
      wanting: true,
    },
    "01 01 f403 9875 00 11 00 01 01 01",
  ],
  "heartbeat: in a large cluster": [
    {
      kind: "heartbeat",
      beat: 1200,
      intervalMs: 10_000,
      beaconMs: 15_000,
      boards: 40,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [{ peer: 0xb81e0d22, beat: 0x04af }],
      near: { reach: 1, since: 20, turn: 16 },
    },
    "01 b009 904e 9875 28 11 08 b81e0d22 04af 02 03 01 14 10",
  ],
  "heartbeat: boards are spread": [
    {
      kind: "heartbeat",
      beat: 1,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 0,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [],
      spread: true,
    },
    "01 01 f403 9875 00 11 00 04 01 01",
  ],
  "heartbeat: hears moves on its own channel": [
    {
      kind: "heartbeat",
      beat: 9,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 0,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [],
      moves: true,
    },
    "01 09 f403 9875 00 11 00 05 01 01",
  ],
  "heartbeat: tells its time": [
    {
      kind: "heartbeat",
      beat: 9,
      intervalMs: 500,
      beaconMs: 15_000,
      boards: 0,
      status: "ready",
      versions: { min: 1, max: 1 },
      acks: [],
      at: 4003,
    },
    "01 09 f403 9875 00 11 00 03 02 a31f",
  ],
  verdict: [{ kind: "verdict", accused: [{ instanceId: OTHER, beat: 1200, isDown: true }] }, "06 01 b81e0d225c394f178e40a1b2c3d4e5f6 e112"],
  goodbye: [{ kind: "goodbye" }, "02"],
  kick: [
    { kind: "kick", whom: { userId: "u-7" }, boardId: "doc-42" as BoardId, reason: "rude" },
    "03 00 03 752d37 06 646f632d3432 04 72756465",
  ],
  "kick: one session, everywhere": [{ kind: "kick", whom: { memberId: ANA }, reason: "" }, "03 01 00112233445566778899aabbccddeeff 00 00"],
  "kick: voids tokens": [
    { kind: "kick", whom: { userId: "u-7" }, reason: "", voidBefore: 1_760_000_000_000 },
    "03 00 03 752d37 00 00 01 06 8080b3c19c33",
  ],
  revocations: [{ kind: "revocations", list: [{ userId: "u-7", before: 1_760_000_000_000 }] }, "07 01 03 752d37 8080b3c19c33"],
  hook: [{ kind: "hook", words: { t: "ask", n: 0, age: 12 } }, "31 1a 7b2274223a2261736b222c226e223a302c22616765223a31327d"],
  announcement: [{ kind: "announcement", text: "Back at noon" }, "04 0c 4261636b206174206e6f6f6e 00"],
  "delta: set": [
    { kind: "delta", prev: 298, seq: 300, ops: [{ op: "set", slot: 5, attempt: 1, member: ana }] },
    `11 ac02 01 01 00 05 01 ${ANA_HEX}`,
  ],
  "delta: patch and del": [
    {
      kind: "delta",
      prev: 300,
      seq: 301,
      ops: [
        { op: "patch", slot: 5, patch: { status: "idle", state: { tool: null } } },
        { op: "del", memberId: ANA, attempt: 1, reason: "superseded" },
      ],
    },
    "11 ad02 00 02 01 05 27 7b22737461747573223a2269646c65222c227374617465223a7b22746f6f6c223a6e756c6c7d7d" +
      "02 00112233445566778899aabbccddeeff 01 04",
  ],
  "delta: left": [
    { kind: "delta", prev: 300, seq: 301, ops: [{ op: "del", memberId: ANA, attempt: 1, reason: "left" }], at: 4003 },
    "11 ad02 00 01 02 00112233445566778899aabbccddeeff 01 00 01 02 a31f",
  ],
  replay: [
    {
      kind: "replay",
      seq: 301,
      steps: [
        { prev: 298, seq: 300, ops: [{ op: "patch", slot: 5, patch: { status: "idle" } }] },
        { prev: 300, seq: 301, ops: [{ op: "del", memberId: "f".repeat(32) as MemberId, attempt: 1, reason: "left" }], at: 4003 },
      ],
    },
    "17 aa02 02 01 01 01 05 11 7b22737461747573223a2269646c65227d 00 01 02 ffffffffffffffffffffffffffffffff 01 00 01 04 02 00 a31f",
  ],
  snapshot: [
    {
      kind: "snapshot",
      seq: 301,
      part: 0,
      parts: 1,
      entries: [{ slot: 5, attempt: 1, seq: 300, member: ana }],
      ended: [{ memberId: "f".repeat(32) as MemberId, attempt: 2 }],
    },
    `12 ad02 00 00 01 01 05 01 ${ANA_HEX} 01 ffffffffffffffffffffffffffffffff 02`,
  ],
  "snapshot: of a slice that somebody has left": [
    { kind: "snapshot", seq: 301, part: 0, parts: 1, entries: [], ended: [{ memberId: ANA, attempt: 1 }], at: 4003 },
    "12 ad02 00 00 00 01 00112233445566778899aabbccddeeff 01 01 02 a31f",
  ],
  "sync: all": [
    { kind: "sync", seq: 301, hash: 0x9e3779b9, count: 1, asks: "all", held: [{ owner: OTHER, seq: 77 }] },
    "13 ad02 9e3779b9 01 00 01 b81e0d225c394f178e40a1b2c3d4e5f6 4d",
  ],
  "sync: one owner": [
    { kind: "sync", seq: 301, hash: 0x9e3779b9, count: 1, asks: [{ owner: OTHER, seq: 77 }] },
    "13 ad02 9e3779b9 01 02 b81e0d225c394f178e40a1b2c3d4e5f6 4d",
  ],
  "beacon: observed": [{ kind: "beacon", seq: 0, hash: 0, count: 0, observed: true }, "14 00 00000000 00 01 01 01"],
  beacon: [{ kind: "beacon", seq: 301, hash: 0x9e3779b9, count: 1 }, "14 ad02 9e3779b9 01"],
  cursors: [
    { kind: "cursors", seq: 301, moves: [5, 500, 65_535, 6, -1, 2, 40, HIDDEN, 0] },
    "15 ad02 03 14 01f4 ffff 1a ffffffff 00000002 a101",
  ],
  "cursors: with a path": [
    {
      kind: "cursors",
      seq: 301,
      moves: [5, 500, 65_535],
      paths: [{ actor: 5, stamp: 51_966, earlier: [{ ms: 12, dx: -300, dy: -2 }] }],
    },
    "15 ad02 01 14 01f4 ffff 01 09 01 05 cafe 01 0c d704 03",
  ],
  moves: [
    {
      kind: "moves",
      boards: [
        { kind: "cursors", boardId: "doc-42" as BoardId, seq: 301, moves: [5, 500, 65_535] },
        { kind: "cursors", boardId: "doc-43" as BoardId, seq: 300, moves: [40, HIDDEN, 0] },
      ],
    },
    "41 02 06 646f632d3432 08 ad02 01 14 01f4 ffff 06 646f632d3433 05 ac02 01 a101",
  ],
  event: [
    { kind: "event", slot: 5, name: "reaction", data: { emoji: "🎉" } },
    "16 05 08 7265616374696f6e 10 7b22656d6f6a69223a22f09f8e89227d",
  ],
  "event: for some": [
    { kind: "event", slot: 5, name: "wave", data: 1, memberIds: [ANA], userIds: ["u-17"] },
    `16 05 04 77617665 01 31 01 11 01 ${ANA} 02 06 01 04 752d3137`,
  ],
  want: [
    { kind: "want", leaseMs: 40_500, answer: true, boards: [hashOfBoard("doc-42" as BoardId), "0000000000000007" as BoardHash] },
    "05 b4bc02 01 02 6767023ae1fd50c6 0000000000000007",
  ],
  occupancy: [
    {
      kind: "occupancy",
      shard: shardOf(hashOfBoard("doc-42" as BoardId)),
      boards: [{ board: "doc-42" as BoardId, members: 300, users: 2 }],
    },
    "21 c6 01 06 646f632d3432 ac02 02",
  ],
};
