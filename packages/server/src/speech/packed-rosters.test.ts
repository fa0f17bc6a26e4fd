/** Packed rosters (docs/PROTOCOL.md, "Packed messages"): made once for all who read them, told to nobody else, and bounded. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import {
  type BoardId,
  decodeServerBinary,
  type MemberId,
  PACKED,
  type RosterEntry,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
  STATE_BYTES_MAX,
} from "@presence-service/protocol";
import { namesOf } from "../testing/catching-up.ts";
import { Desk } from "../testing/desk.ts";
import { FakeSocket, type Frame } from "../testing/fake-socket.ts";
import { Draft } from "./draft.ts";
import { BINARY, JSON_TEXT } from "./v2.ts";

const written = { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 };

function entriesOf(count: number, state = {}): RosterEntry[] {
  return Array.from({ length: count }, (_, nth) => {
    const memberId = nth.toString(16).padStart(32, "0") as MemberId;
    const member = { memberId, userId: memberId, username: `u${nth}`, color: "#336699", status: "active", kind: "person" } as const;
    return { actor: nth, member: { ...member, state, joinedAt: 0 } };
  });
}

/** The pieces that a client is told such a board in. */
function pieces(speech: typeof BINARY, entries: readonly RosterEntry[], packs: boolean, selves: readonly number[] = [0]): Draft[] {
  const { length } = entries;
  const view = { settling: false, degraded: false, members: length, users: length, observed: false, entries };
  const teller = speech.teller({ boardId: "b" as BoardId, number: 7 }, { roster: () => view, cursorOf: () => undefined });
  const tell = teller.board(view);
  return selves.map((self) => {
    const draft = new Draft();
    tell(self, [], draft, "", packs);
    return draft;
  });
}

function socketOf(draft: Draft): FakeSocket {
  const socket = new FakeSocket();
  draft.writePieces(socket, written);
  return socket;
}

function unpacked({ payload }: Frame): ServerMessage | undefined {
  if (payload[0] !== PACKED) return decodeServerBinary(payload);
  return decodeServerBinary(inflateRawSync(payload.subarray(1), { maxOutputLength: SERVER_MESSAGE_BYTES_MAX }));
}

test("a client that reads packed messages is told the same members, in fewer bytes; joined has its own entry alone", () => {
  const entries = entriesOf(1000);
  const [plain, packed] = [false, true].map((packs) => socketOf(pieces(BINARY, entries, packs)[0] ?? assert.fail()).takeFrames());
  const [joined, ...rosters] = (packed ?? []).map(unpacked);
  assert.ok(joined?.kind === "joined" && joined.following === 1000);
  assert.deepEqual(
    joined.roster.map(({ actor }) => actor),
    [0],
  );
  assert.ok((packed ?? []).slice(1).every(({ payload }) => payload[0] === PACKED));
  const told = rosters.flatMap((message) => (message?.kind === "roster" ? message.roster : []));
  assert.deepEqual(told, entries);
  const bytesIn = (frames: readonly Frame[] = []) => frames.reduce((sum, { payload }) => sum + payload.length, 0);
  assert.ok(bytesIn(packed) < bytesIn(plain) / 2, `${bytesIn(packed)} of ${bytesIn(plain)}`);
});

test("it is packed once for all who join in one tick, and each of them pays for what it would be unpacked", () => {
  const drafts = pieces(BINARY, entriesOf(1000), true, [1, 2]);
  const [ana, ben] = drafts.map((draft) => socketOf(draft).written);
  assert.ok(ana?.at(-1) !== undefined && ana.at(-1) === ben?.at(-1), "the same bytes");
  const [plain] = pieces(BINARY, entriesOf(1000), false, [1]);
  for (const { bytes, packedAway } of drafts) assert.ok(bytes + packedAway >= (plain?.bytes ?? 0));
});

test("nothing is packed in JSON, on a short board, or where it would not be shorter", () => {
  const isPacked = (draft: Draft | undefined) =>
    socketOf(draft ?? assert.fail())
      .takeFrames()
      .some(({ payload }) => payload[0] === PACKED);
  assert.ok(!isPacked(pieces(BINARY, entriesOf(10), true)[0]));
  assert.ok(isPacked(pieces(BINARY, entriesOf(40), true)[0]));
  assert.ok(isPacked(pieces(BINARY, entriesOf(1000), true)[0]));
  assert.ok(!isPacked(pieces(BINARY, entriesOf(1000), false)[0]));
  assert.ok(!isPacked(pieces(JSON_TEXT, entriesOf(1000), true)[0]));
});

test("of a board with very large states only the first pages are packed, as packing holds up the loop", () => {
  const frames = socketOf(
    pieces(BINARY, entriesOf(200, { text: "x".repeat(STATE_BYTES_MAX - 20) }), true)[0] ?? assert.fail(),
  ).takeFrames();
  assert.equal(frames.filter(({ payload }) => payload[0] === PACKED).length, 4);
  assert.ok(frames.length > 8);
  const told = frames.map(unpacked).flatMap((message) => (message?.kind === "roster" ? message.roster : []));
  assert.equal(told.length, 200);
});

test("[C5] the answer to a long list is packed once for all who hold the same: a third of the bytes where some are away, the same in all, each with its own entry", () => {
  const entries = entriesOf(1000).map(({ actor, member }): RosterEntry => {
    const activeAt = 1_760_000_000_000 + 7 * actor;
    return { actor, member: actor % 2 ? { ...member, status: "reconnecting", activeAt } : member };
  });
  const view = { settling: false, degraded: false, members: 1000, users: 1000, observed: false, entries };
  const tell = BINARY.teller({ boardId: "b" as BoardId, number: 7 }, { roster: () => view, cursorOf: () => undefined }).board(view);
  const list = namesOf(entries.map(({ member }) => member));
  const answer = (self: number | undefined, packs: boolean) => {
    const draft = new Draft();
    tell(self, [], draft, list, packs);
    const frames = socketOf(draft).takeFrames();
    assert.equal(frames.length, 1);
    return { frame: frames[0] ?? assert.fail(), draft };
  };
  const plain = answer(3, false);
  const packed = [3, 4, 999].map((self) => answer(self, true));
  for (const { frame, draft } of packed) {
    assert.equal(frame.payload[0], PACKED);
    assert.ok(draft.bytes < plain.draft.bytes / 3, `${draft.bytes} of ${plain.draft.bytes}`);
  }
  const [first] = packed.map(({ draft }) => draft.bytes + draft.packedAway);
  assert.ok((first ?? 0) >= plain.draft.bytes, "it is paid for as it is unpacked");
  assert.deepEqual(unpacked(packed[0]?.frame ?? assert.fail()), unpacked(plain.frame));
  const selves = packed.map(({ frame }) => {
    const message = unpacked(frame);
    return message?.kind === "joined" && [message.self, ...message.roster.map(({ actor }) => actor)];
  });
  assert.deepEqual(selves, [
    [3, 3],
    [4, 4],
    [999, 999],
  ]);
  const [ana, ben] = packed.map(({ draft }) => socketOf(draft).written);
  assert.ok(ana?.at(-1) !== undefined && ana.at(-1) === ben?.at(-1), "the same bytes");
});

test("a client says in its hello that it reads packed messages", async () => {
  const desk = await Desk.open();
  for (let nth = 0; nth < 60; nth++) desk.enter("binary", "b", `somebody ${nth}`);
  for (const packs of [true, false]) {
    const client = desk.connect("binary");
    client.hello({ packs });
    client.socket.takeFrames();
    client.join("b", "new");
    desk.clock.advance(200);
    assert.equal(
      client.socket.takeFrames().some(({ payload }) => payload[0] === PACKED),
      packs,
    );
  }
});
