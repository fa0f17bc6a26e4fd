/** Members who come to a board: a few are told one by one, a crowd in one `roster`, packed for those who read that. C6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inflateRawSync } from "node:zlib";
import {
  type BoardId,
  decodeServerBinary,
  decodeServerJson,
  type Member,
  type MemberId,
  PACKED,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import { FakeSocket } from "../testing/fake-socket.ts";
import { Draft } from "./draft.ts";
import type { Teller } from "./speech.ts";
import { BINARY, JSON_TEXT } from "./v2.ts";

const VIEWER = 0;
const written = { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 };

function memberOf(actor: number, more: Partial<Member> = {}): Member {
  const memberId = actor.toString(16).padStart(32, "0") as MemberId;
  const rest = {
    username: `u${actor}`,
    color: "#336699",
    status: "active",
    kind: "person",
    joinedAt: 1_760_000_000_000,
    state: {},
  } as const;
  return { memberId, userId: memberId, ...rest, ...more };
}

class Board {
  readonly teller: Teller;
  readonly #entries: RosterEntry[] = [{ actor: VIEWER, member: memberOf(VIEWER) }];
  #draft = new Draft();
  bytes = 0;

  constructor(speech = BINARY, packs = true) {
    const roster = () => ({ settling: false, degraded: false, observed: false, members: 1, users: 1, entries: this.#entries });
    const cursorOf = (actor: number) => (actor === 3 ? { x: 5, y: 6 } : undefined);
    this.teller = speech.teller({ boardId: "b" as BoardId, number: 7 }, { roster, cursorOf }, packs);
  }

  join(...actors: readonly number[]): void {
    for (const actor of actors) this.teller.change({ change: "joined", actor, member: memberOf(actor) }, this.#draft);
  }

  update(actor: number): void {
    this.teller.change({ change: "updated", actor, patch: { state: { n: 1 } }, member: memberOf(actor, { state: { n: 1 } }) }, this.#draft);
  }

  leave(actor: number): void {
    this.teller.change({ change: "left", actor, reason: "left" }, this.#draft);
  }

  event(actor: number): void {
    this.teller.event(actor, "wave", null, this.#draft);
  }

  move(...actors: readonly number[]): void {
    this.teller.cursors(
      actors.flatMap((actor) => [actor, 1, 2]),
      3,
      this.#draft,
    );
  }

  /** Somebody is told the whole board between two ticks that bring news. */
  enter(self: number): void {
    this.teller.board({ settling: false, degraded: false, observed: false, members: 1, users: 1, entries: [] })(self, [], new Draft());
  }

  news(): this {
    this.teller.news(this.#draft);
    return this;
  }

  /** The messages of this tick to that client. */
  told(actor = VIEWER): ServerMessage[] {
    const socket = new FakeSocket();
    this.#draft.writeTo(socket, actor, "all", written);
    this.#draft = new Draft();
    return socket.takeFrames().map(({ isText, payload }) => {
      this.bytes += payload.length;
      const bytes = payload[0] === PACKED ? inflateRawSync(payload.subarray(1)) : payload;
      return (isText ? decodeServerJson(payload.toString()) : decodeServerBinary(bytes)) ?? assert.fail();
    });
  }
}

const kinds = (messages: readonly ServerMessage[]) => messages.map(({ kind }) => kind);
const listed = ([message]: readonly ServerMessage[]) => (message?.kind === "roster" ? message.roster : assert.fail(message?.kind));
const crowd = (count: number) => Array.from({ length: count }, (_, nth) => nth + 1);

test("[C6] a few who come are told one by one, and not to themselves; a crowd is one message, with their places", () => {
  const board = new Board();
  board.join(1, 2);
  assert.deepEqual(kinds(board.news().told()), ["user_joined", "user_joined"]);
  board.join(3);
  assert.deepEqual(board.news().told(3), []);
  board.join(...crowd(40).slice(3));
  const messages = board.news().told();
  assert.deepEqual([kinds(messages), listed(messages).map(({ actor }) => actor)], [["roster"], crowd(40).slice(3)]);
  assert.deepEqual(board.news().told(), [], "once");
  const other = new Board();
  other.join(...crowd(8));
  assert.deepEqual(listed(other.news().told())[2]?.at, { x: 5, y: 6 });
});

for (const speech of [BINARY, JSON_TEXT])
  test(`[C6] ${speech.encoding}: clients that read no packed messages are told each newcomer by a message of its own, at once`, () => {
    const board = new Board(speech, false);
    board.join(...crowd(40));
    board.update(1);
    board.move(1);
    assert.deepEqual(kinds(board.told()), [...crowd(40).map(() => "user_joined"), "user_updated", "cursors"]);
    board.enter(5);
    assert.deepEqual(board.news().told(), []);
  });

test("[C6] a crowd of a thousand takes a third of the bytes of a message for each", () => {
  const [plain, packed] = [false, true].map((packs) => {
    const board = new Board(BINARY, packs);
    board.join(...crowd(999));
    board.news().told();
    return board.bytes;
  }) as [number, number];
  assert.ok(packed > 1000 && packed < plain / 3, `${packed} of ${plain} bytes`);
});

test("[C6] who waits is told as it is then, and nothing is said of it before; a client that came meanwhile knows it already", () => {
  const board = new Board();
  board.join(1);
  board.update(1);
  board.move(1, VIEWER);
  assert.deepEqual(
    board.told(9).map((message) => (message.kind === "cursors" ? message.moves.map(({ actor }) => actor) : message.kind)),
    [[VIEWER]],
  );
  board.enter(5);
  const messages = board.news().told();
  assert.deepEqual(listed(messages), [{ actor: 1, member: memberOf(1, { state: { n: 1 } }) }]);
});

test("[C6] an event of somebody who waits, and a leave, bring the introduction before them", () => {
  const board = new Board();
  board.join(1);
  board.event(1);
  board.join(2);
  board.leave(2);
  assert.deepEqual(kinds(board.news().told()), ["user_joined", "event", "user_joined", "user_left"]);
});
