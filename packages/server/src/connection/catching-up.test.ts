/** C5: a client that comes back and names the members that it holds, from its socket to the answer. The answer itself: speech/held.test.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, Member, ServerMessage } from "@presence-service/protocol";
import { namesOf, rosterAfter } from "../testing/catching-up.ts";
import { type Client, Desk } from "../testing/desk.ts";

const boardId = "doc" as BoardId;
const join = { kind: "join", boardId, attempt: 9, username: "Ben", status: "active", state: {} } as const;

function joinedIn(messages: readonly ServerMessage[]): Extract<ServerMessage, { kind: "joined" }>[] {
  return messages.filter((message) => message.kind === "joined");
}

/** Ana and Ben are on the board; Ben's connection is lost, and he is back, with the members that he holds. */
async function benIsBack(encoding: "binary" | "json"): Promise<{ desk: Desk; ben: Client; held: readonly Member[] }> {
  const desk = await Desk.open();
  desk.enter(encoding, boardId, "Ana");
  const first = desk.connect(encoding);
  first.hello();
  first.join(boardId, "Ben");
  desk.clock.advance(200);
  const [joined] = joinedIn(first.socket.takeMessages());
  const held = joined?.roster.map(({ member }) => member) ?? [];
  first.close(1006);
  const ben = desk.connect(encoding);
  ben.hello({ resumeToken: first.resumeToken });
  ben.socket.takeFrames();
  return { desk, ben, held };
}

for (const encoding of ["binary", "json"] as const) {
  test(`[C5] ${encoding}: a member that is held is told by its actor, and only once`, async () => {
    const { desk, ben, held } = await benIsBack(encoding);
    ben.say({ ...join, held: namesOf(held) });
    desk.clock.advance(200);
    const messages = ben.socket.takeMessages();
    const [joined] = joinedIn(messages);
    assert.deepEqual([joined?.held?.length, joined?.roster.map(({ member }) => member.username)], [2, ["Ben"]]);
    assert.deepEqual(
      rosterAfter([joined ?? assert.fail()], held)
        .map(({ member }) => member.username)
        .sort(),
      ["Ana", "Ben"],
    );
    // The answer to a join that names nobody is whole, also on the same connection.
    ben.say({ ...join, attempt: 10 });
    desk.clock.advance(200);
    const [again] = joinedIn(ben.socket.takeMessages());
    assert.deepEqual([again?.held, again?.roster.length], [undefined, 2]);
  });
}

test("[C5] a list is forgotten where the roster has to wait for a slow client", async () => {
  const { desk, ben, held } = await benIsBack("binary");
  ben.socket.queuedBytes = 100_000;
  ben.say({ ...join, held: namesOf(held) });
  desk.clock.advance(200);
  assert.deepEqual([joinedIn(ben.socket.takeMessages()), ben.connection.seats[0]?.held], [[], undefined]);
  ben.socket.drain();
  desk.clock.advance(200);
  const [joined] = joinedIn(ben.socket.takeMessages());
  assert.deepEqual([joined?.held, joined?.roster.length], [undefined, 2]);
});

test("[C5] a roster that comes unasked, to a client that was too slow, has no answer to a list of long ago", async () => {
  const { desk, ben, held } = await benIsBack("binary");
  ben.say({ ...join, held: namesOf(held) });
  desk.clock.advance(200);
  assert.equal(joinedIn(ben.socket.takeMessages())[0]?.held?.length, 2);
  assert.equal(ben.connection.seats[0]?.held, undefined, "nothing is kept for it");
  ben.socket.queuedBytes = 300_000;
  desk.enter("binary", boardId, "Cleo");
  assert.deepEqual(ben.socket.takeMessages(), []);
  ben.socket.drain();
  desk.clock.advance(200);
  const [joined] = joinedIn(ben.socket.takeMessages());
  assert.deepEqual([joined?.held, joined?.roster.length], [undefined, 3]);
});
