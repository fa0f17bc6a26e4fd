/** A `joined` without others, whose members come with the next message: an app is told of the board with the members on it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { RosterEntry, ServerMessage } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet, joined, logOf, names } from "./testing/service.ts";

type Joined = Extract<ServerMessage, { kind: "joined" }>;

/** The same board, with its members after `joined`. */
function inTwo(others: readonly string[], board = 7): [Joined, ServerMessage] {
  const whole = joined("desk", others, { board }) as Joined;
  const own = whole.roster.slice(0, 1);
  return [
    { ...whole, roster: own, following: whole.roster.length },
    { kind: "roster", board, roster: whole.roster as RosterEntry[] },
  ];
}

async function enter() {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "wss://presence.test", driver, idleAfterMs: false });
  const board = presence.board("desk", { username: "me" });
  const seen: string[] = [];
  board.subscribe(() => seen.push(`${board.status} ${board.others.length}`));
  return { driver, presence, board, seen, socket: await greet(driver) };
}

test("the board is connected when its members are there, and not before; nobody is told twice", async () => {
  const { socket, board, seen } = await enter();
  const log = logOf(board);
  const [first, next] = inTwo(["ana", "ben"]);
  socket.serve(first);
  assert.deepEqual([board.status, seen], ["connecting", []]);
  socket.serve(next);
  assert.deepEqual([board.status, names(board), seen], ["connected", ["ana active", "ben active"], ["connected 2"]]);
  assert.deepEqual(new Set(log), new Set(log), "each once");
  assert.equal(board.self?.username, "me");
});

test("after a reconnect nobody leaves who is in the members that follow", async () => {
  const { driver, socket, board } = await enter();
  socket.serve(...inTwo(["ana", "ben"]));
  const log = logOf(board);
  socket.drop(1006);
  await driver.advance(1_000);
  const next = await greet(driver);
  const [first, rest] = inTwo(["ana", "ben"], 2);
  next.serve(first);
  next.serve(rest);
  assert.deepEqual(names(board), ["ana active", "ben active"]);
  assert.ok(!log.some((line) => line.startsWith("-")), log.join());
});

test("a board that is left before its members came is left at the service", async () => {
  const { driver, socket, board } = await enter();
  const [first, next] = inTwo(["ana"]);
  socket.serve(first);
  board.leave();
  await driver.advance(2_000);
  assert.deepEqual(socket.sent("leave"), [{ kind: "leave", board: 7 }]);
  socket.serve(next);
  assert.deepEqual([board.status, board.others], ["closed", []]);
});

test("a connection that is lost before the members came forgets that it was told the board", async () => {
  const { driver, socket, board } = await enter();
  socket.serve(inTwo(["ana"])[0]);
  socket.drop(1006);
  await driver.advance(1_000);
  const next = await greet(driver);
  next.serve(...inTwo(["ben"], 3));
  assert.deepEqual([board.status, names(board)], ["connected", ["ben active"]]);
});

test("pages after the first one are added as they come", async () => {
  const { socket, board } = await enter();
  const whole = joined("desk", ["ana", "ben", "cleo"]) as Joined;
  const [me, ...others] = whole.roster;
  socket.serve({ ...whole, roster: [me as RosterEntry], following: 3 });
  socket.serve({ kind: "roster", board: 7, roster: others.slice(0, 2) });
  assert.deepEqual(names(board), ["ana active", "ben active"]);
  socket.serve({ kind: "roster", board: 7, roster: others.slice(2) });
  assert.deepEqual(names(board), ["ana active", "ben active", "cleo active"]);
});

test("a roster that comes once the board is whole has members who came: each is told to the app, those who are known already are not, and the counts are the last ones", async () => {
  const { socket, board } = await enter();
  const whole = joined("desk", ["ana", "ben", "cleo"]) as Joined;
  const [me, ana, ...others] = whole.roster as [RosterEntry, RosterEntry, ...RosterEntry[]];
  socket.serve({ ...whole, roster: [me, ana], members: 2, users: 2 });
  const came: string[] = [];
  board.on("user_joined", ({ member }) => came.push(member.username));
  socket.serve({ kind: "presence_update", board: 7, members: 30, users: 30 });
  socket.serve({ kind: "roster", board: 7, roster: [ana, me, ...others] });
  assert.deepEqual(
    [came, names(board)],
    [
      ["ben", "cleo"],
      ["ana active", "ben active", "cleo active"],
    ],
  );
  assert.equal(board.self?.memberId, me.member.memberId);
  socket.serve({ kind: "presence_update", board: 7, members: 30, users: 30 });
  assert.equal(board.memberCount, 30);
});
