/** Boards of any size, told in messages of at most `SERVER_MESSAGE_BYTES_MAX`: who is introduced, in which messages, and by which change. C6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  type BoardId,
  decodeServerBinary,
  decodeServerJson,
  HIDDEN,
  type Member,
  type MemberId,
  type Point,
  ROSTER_MAX,
  type RosterEntry,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
  STATE_BYTES_MAX,
} from "@presence-service/protocol";
import fc from "fast-check";
import type { RosterView } from "../core/effects.ts";
import { PATH_SAMPLES_PER_TICK } from "../core/paths.ts";
import { FakeSocket } from "../testing/fake-socket.ts";
import { Draft } from "./draft.ts";
import type { Teller } from "./speech.ts";
import { BINARY, JSON_TEXT } from "./v2.ts";

const written = { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 };
const SPEECHES = { binary: BINARY, json: JSON_TEXT };

function memberOf(actor: number, more: Partial<Member> = {}): Member {
  const memberId = actor.toString(16).padStart(32, "0") as MemberId;
  return {
    memberId,
    userId: memberId,
    username: `u${actor}`,
    color: "#336699",
    status: "active",
    state: {},
    kind: "person",
    joinedAt: 0,
    ...more,
  };
}

/** A board whose members are those of `entries`, as one way of speaking tells it. */
class Board {
  readonly teller: Teller;
  readonly entries: RosterEntry[];
  draft = new Draft();
  readonly #isText: boolean;

  constructor(encoding: keyof typeof SPEECHES, entries: RosterEntry[]) {
    this.#isText = encoding === "json";
    this.entries = entries;
    const source = {
      roster: () => this.roster(),
      cursorOf: (actor: number): Point | undefined => this.entries.find((entry) => entry.actor === actor)?.at,
    };
    this.teller = SPEECHES[encoding].teller({ boardId: "b".repeat(128) as BoardId, number: 7 }, source);
  }

  roster(): RosterView {
    const { length } = this.entries;
    return { settling: false, degraded: false, members: length, users: length, observed: false, entries: this.entries };
  }

  join(actor: number): void {
    this.entries.push({ actor, member: memberOf(actor) });
    this.teller.change({ change: "joined", actor, member: memberOf(actor) }, this.draft);
  }

  leave(actor: number): void {
    this.entries.splice(
      this.entries.findIndex((entry) => entry.actor === actor),
      1,
    );
    this.teller.change({ change: "left", actor, reason: "left" }, this.draft);
  }

  /** The messages of a tick, as the client of that actor gets them. */
  told(actor = -1): ServerMessage[] {
    const socket = new FakeSocket();
    this.teller.news(this.draft);
    this.draft.writeTo(socket, actor, "all", written);
    this.draft = new Draft();
    return this.#read(socket);
  }

  /** The messages that answer a join of that actor. */
  entered(self: number): ServerMessage[] {
    const socket = new FakeSocket();
    const draft = new Draft();
    this.teller.board(this.roster())(self, [], draft);
    draft.writePieces(socket, written);
    assert.equal(socket.takeFrames().length, draft.frames);
    draft.writePieces(socket, written);
    return this.#read(socket);
  }

  #read(socket: FakeSocket): ServerMessage[] {
    return socket.takeFrames().map(({ isText, payload }) => {
      assert.ok(payload.length <= SERVER_MESSAGE_BYTES_MAX, `a message of ${payload.length} bytes`);
      assert.equal(isText, this.#isText);
      const message = isText ? decodeServerJson(payload.toString()) : decodeServerBinary(payload);
      return message ?? assert.fail(`not decodable: ${payload.subarray(0, 80).toString()}`);
    });
  }
}

function crowd(count: number, more: Partial<Member> = {}): RosterEntry[] {
  return Array.from({ length: count }, (_, actor) => ({ actor, member: memberOf(actor, more) }));
}

/** The roster that a client shows after these messages. */
function listed(messages: readonly ServerMessage[]): RosterEntry[] {
  const [joined, ...more] = messages;
  assert.ok(joined?.kind === "joined" && joined.roster.some(({ actor }) => actor === joined.self), "one's own entry is in the first page");
  const others = more.flatMap((message) => (message.kind === "roster" ? message.roster : assert.fail(message.kind)));
  assert.equal(joined.following ?? 0, others.length);
  const byActor = new Map([...joined.roster, ...others].map((entry) => [entry.actor, entry]));
  return [...byActor.values()].sort((a, b) => a.actor - b.actor);
}

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: a small board is one message`, () => {
    const messages = new Board(encoding, crowd(50)).entered(7);
    assert.deepEqual([messages.length, listed(messages).length], [1, 50]);
  });

  test(`${encoding}: no page is larger than a message may be, whatever members say, and the pages are the roster`, () => {
    const texts = fc.constantFrom("", '"'.repeat(256), "é".repeat(128), "x".repeat(100));
    const states = fc.constantFrom({}, { t: "x".repeat(STATE_BYTES_MAX - 8) }, { t: "\u0001".repeat(600) }, { t: "é".repeat(400) });
    const avatars = fc.constantFrom("", "\u0001".repeat(512), "a".repeat(512));
    const one = fc.tuple(texts, states, avatars, fc.constantFrom(undefined, { x: -2_000_000_000, y: 5 }, { x: 1, y: 2 }));
    const property = fc.property(fc.array(one, { minLength: 1, maxLength: 80 }), fc.nat(), (kinds, nth) => {
      const entries = kinds.map(([username, state, avatar, at], actor) => {
        const userId = "\u0001".repeat(128);
        return { actor: actor * 7, member: memberOf(actor, { username, state, avatar, userId }), ...(at && { at }) };
      });
      const self = entries[nth % entries.length]?.actor ?? 0;
      assert.deepEqual(listed(new Board(encoding, entries).entered(self)), entries);
    });
    fc.assert(property, { numRuns: 40 });
  });

  test(`${encoding}: ${ROSTER_MAX} members are introduced, all are counted, and one's own member is introduced to oneself`, () => {
    const board = new Board(encoding, crowd(ROSTER_MAX + 5));
    const within = board.entered(3);
    assert.deepEqual([within[0]?.kind === "joined" && within[0].members, listed(within).length], [ROSTER_MAX + 5, ROSTER_MAX]);
    const beyond = listed(board.entered(ROSTER_MAX + 2));
    assert.deepEqual([beyond.length, beyond.at(-1)?.actor], [ROSTER_MAX + 1, ROSTER_MAX + 2]);
  });

  test(`${encoding}: the moves and changes of members beyond are not told; their events bring their sender`, () => {
    const board = new Board(encoding, crowd(ROSTER_MAX + 1));
    const [last, beyond] = [ROSTER_MAX - 1, ROSTER_MAX];
    board.join(beyond + 1);
    board.teller.change({ change: "updated", actor: beyond, patch: { status: "idle" }, member: memberOf(beyond) }, board.draft);
    board.teller.cursors([beyond, 1, 2, last, 3, 4], 5, board.draft);
    board.teller.event(beyond, "wave", 1, board.draft);
    board.teller.event(last, "wave", 2, board.draft);
    const [cursors, first, second, ...more] = board.told();
    assert.deepEqual(cursors?.kind === "cursors" && cursors.moves, [{ actor: last, at: { x: 3, y: 4 } }]);
    assert.deepEqual(first?.kind === "event" && [first.data, first.member], [1, memberOf(beyond)]);
    assert.deepEqual(second?.kind === "event" && [second.data, second.member], [2, undefined]);
    assert.deepEqual(more, []);
    board.teller.cursors([beyond, HIDDEN, 0], 5, board.draft);
    board.leave(beyond);
    assert.deepEqual(board.told(), []);
  });

  test(`[C6] ${encoding}: when somebody leaves, the first of those beyond is introduced as it is then, but not to itself`, () => {
    const board = new Board(encoding, crowd(ROSTER_MAX));
    for (const more of [0, 1, 2]) board.join(ROSTER_MAX + more);
    board.leave(ROSTER_MAX);
    const next = ROSTER_MAX + 1;
    board.teller.change({ change: "updated", actor: next, patch: {}, member: memberOf(next, { status: "idle" }) }, board.draft);
    const entry = board.entries.find(({ actor }) => actor === next);
    board.entries.splice(board.entries.indexOf(entry as RosterEntry), 1, { actor: next, member: memberOf(next), at: { x: 1, y: 2 } });
    assert.deepEqual(board.told(), []);
    board.leave(5);
    const user = { kind: "user_joined", actor: next, member: memberOf(next, { status: "idle" }), at: { x: 1, y: 2 } };
    const [left, joined, ...more] = board.told();
    assert.deepEqual([left?.kind, { ...joined, board: undefined }, more], ["user_left", { ...user, board: undefined }, []]);
    board.leave(6);
    assert.deepEqual(
      board.told(ROSTER_MAX + 2).map(({ kind }) => kind),
      ["user_left"],
    );
    board.teller.cursors([next, 3, 4], 5, board.draft);
    assert.deepEqual(
      board.told().map(({ kind }) => kind),
      ["cursors"],
    );
  });

  test(`${encoding}: the cursors of all who are introduced are one message`, () => {
    const board = new Board(encoding, crowd(ROSTER_MAX));
    const moves = board.entries.flatMap(({ actor }) => [actor, -2_147_483_647, -2_147_483_647]);
    // As many paths as a tick has room for, in the form that takes most: each has eight earlier places, or none.
    const point = { ms: 255, dx: -2_147_483_647, dy: -2_147_483_647 };
    for (const length of [8, 0]) {
      const paths = board.entries
        .slice(0, Math.floor(PATH_SAMPLES_PER_TICK / (length + 1)))
        .map(({ actor }) => ({ actor, stamp: 65_535, earlier: Array.from({ length }, () => point) }));
      board.teller.cursors(moves, 65_535, board.draft, paths);
      const [cursors] = board.told();
      assert.equal(cursors?.kind === "cursors" && cursors.moves.length, ROSTER_MAX);
      assert.equal(cursors?.kind === "cursors" && cursors.paths?.length, paths.length);
    }
  });
}
