/** Words of an operator reach clients: R16 Kick, R17 Announcement. docs/PROTOCOL.md. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BoardId, CLOSE } from "@presence-service/protocol";
import { asked, told, words } from "../testing/answers.ts";
import { type Client, Desk } from "../testing/desk.ts";
import { identityOf, type User } from "./auth.ts";

const KICK = { kind: "kick", reason: "" } as const;

/** The memberId of a client where the host does not authenticate. */
const memberOf = ({ resumeToken }: Client) => ({ memberId: identityOf(undefined, resumeToken).memberId });

test("[R16.5] kicked by the user: every connection of theirs is closed with 4403, at every instance, on a board or not", async () => {
  const authenticate = (token: string | undefined) => ({ userId: token ?? "" });
  const here = await Desk.open({ authenticate });
  const there = await Desk.open({ authenticate, beside: here });
  here.clock.advance(2000);
  const enter = (desk: Desk, token: string, board?: string) => {
    const client = desk.connect("json");
    client.hello({ token });
    if (board !== undefined) client.join(board, token);
    return client;
  };
  const theirs = [enter(here, "eve", "b"), enter(here, "eve"), enter(there, "eve", "b"), enter(there, "eve")];
  const zoe = enter(here, "zoe", "b");
  told(here, zoe);
  await here.manager.tellAll({ ...KICK, whom: { userId: "eve" }, reason: "spam" });
  told(here, zoe, 100);
  for (const { socket } of theirs) assert.deepEqual(socket.closedWith, { ...CLOSE.kicked, meaning: "spam" });
  assert.equal(zoe.socket.closedWith, undefined);
  assert.equal(here.metrics.closes[4403], 2);
  await assert.doesNotReject(here.manager.tellAll({ ...KICK, whom: { userId: "eve" } }), "again does no harm");
  const said = here.lines.filter((line) => line.includes("kicked by an operator"));
  assert.deepEqual(said, ['info kicked by an operator {"userId":"eve","reason":"spam"}', 'info kicked by an operator {"userId":"eve"}']);
});

for (const encoding of ["binary", "json"] as const) {
  test(`[R16.4] ${encoding}: kicked off one board: told as kicked, off that board only`, async () => {
    const desk = await Desk.open();
    const zoe = desk.enter(encoding, "b", "zoe");
    const eve = desk.enter(encoding, "b", "eve");
    eve.join("other", "eve");
    told(desk, eve);
    told(desk, zoe, 0);
    const board = eve.ref("b");
    const self = eve.connection.seats[0]?.actor;
    await desk.manager.tellAll({ ...KICK, whom: memberOf(eve), boardId: "b" as BoardId });
    assert.deepEqual(told(desk, eve), [{ kind: "user_left", board, actor: self, reason: "kicked" }]);
    const [left] = told(desk, zoe);
    assert.equal(left?.kind === "user_left" && left.reason, "kicked");
    assert.deepEqual([eve.socket.closedWith, eve.connection.seats.length], [undefined, 1]);
    zoe.move("b", 1, 1);
    assert.deepEqual(told(desk, eve), []);
    eve.join("b", "eve");
    assert.deepEqual(words(told(desk, eve)), ["joined"], "the host lets them in again");
  });
}

test("[R16.3] kicked while waiting for the roster: the join is answered", async () => {
  const desk = await Desk.open();
  await Desk.open({ beside: desk });
  desk.clock.advance(2000);
  const eve = desk.enter("json");
  eve.join("b", "eve");
  await desk.manager.tellAll({ ...KICK, whom: memberOf(eve), boardId: "b" as BoardId });
  assert.deepEqual(words(told(desk, eve)).slice(0, 1), ["bad_board b"]);
  assert.equal(eve.connection.seats.length, 0);
});

test("[R16.4] a classic client has no word for being put out: its connection is closed", async () => {
  const desk = await Desk.open();
  const eve = desk.enter("classic", "1", "eve");
  const zoe = desk.enter("json", "1", "zoe");
  zoe.join("1", "zoe");
  const joined = told(desk, zoe).find(({ kind }) => kind === "joined");
  const member = joined?.kind === "joined" ? joined.roster.find(({ member }) => member.username === "eve")?.member : undefined;
  await desk.manager.tellAll({ ...KICK, whom: { memberId: member?.memberId ?? assert.fail() }, boardId: "1" as BoardId });
  assert.equal(eve.socket.closedWith, CLOSE.kicked);
});

test("[R16.8] a yes that was under way when the kick came is asked for again", async () => {
  const rights = asked<boolean>();
  const people = asked<User | undefined>();
  const desk = await Desk.open({ authorize: () => rights.ask(), authenticate: (token) => people.ask(token) });
  const eve = desk.connect("json");
  eve.hello({ token: "eve" });
  people.take().answer({ userId: "eve" });
  await nextTurn();
  eve.join("b", "eve");
  desk.clock.advance(20);
  const again = desk.connect("json");
  again.hello({ token: "eve" });
  const [may, who] = [rights.take(), people.take()];
  await desk.manager.tellAll({ ...KICK, whom: { userId: "eve" }, boardId: "b" as BoardId });
  may.answer(true);
  who.answer({ userId: "eve" });
  await nextTurn();
  assert.deepEqual([told(desk, eve).map(({ kind }) => kind), told(desk, again)], [["welcome"], []]);
  rights.take().answer(false);
  people.take().answer(undefined);
  await nextTurn();
  assert.deepEqual(words(told(desk, eve)), ["bad_board b"]);
  assert.equal(again.socket.closedWith, CLOSE.unauthorized);
});

test("[R16.7] a kick that the bus does not take is carried out here, and whoever kicked is told", async () => {
  const desk = await Desk.open();
  const eve = desk.enter("json", "b", "eve");
  desk.bus.isDown = true;
  const kicked = desk.manager.tellAll({ ...KICK, whom: memberOf(eve) });
  await assert.rejects(kicked, { code: "BUS_DOWN" });
  assert.equal(eve.socket.closedWith?.code, CLOSE.kicked.code);
});

test("[R17.1] an announcement is told to all, or to those on one board, and not to classic clients", async () => {
  const here = await Desk.open();
  const there = await Desk.open({ beside: here });
  here.clock.advance(2000);
  const clients = [here.enter("binary", "b"), there.enter("json", "b"), there.enter("json", "c")];
  const classic = here.enter("classic", "1");
  here.clock.advance(1000);
  for (const { socket } of clients) socket.takeFrames();
  await here.manager.tellAll({ kind: "announcement", text: "to all" });
  here.clock.turn();
  await there.manager.tellAll({ kind: "announcement", text: "to b", boardId: "b" as BoardId });
  const heard = clients.map((client) =>
    told(here, client, 100).map((message) => message.kind === "announcement" && [message.text, message.board]),
  );
  const [binary] = clients;
  assert.deepEqual(heard, [
    [
      ["to all", undefined],
      ["to b", binary?.ref("b")],
    ],
    [
      ["to all", undefined],
      ["to b", "b"],
    ],
    [["to all", undefined]],
  ]);
  assert.deepEqual(classic.socket.takeFrames(), []);
});
