/** Errors that are final and errors that are not: refused tokens, missing randomness, too many boards, sessions of several clients. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver, FakeSessions } from "./testing/fake-driver.ts";
import { atDesk, greet, joined, logOf, memberOf } from "./testing/service.ts";

/** The first retry after one failure, and a later one. */
const QUICK_MS = 250;
const LATER_MS = 5_000;

function refuseToken(driver: FakeDriver): void {
  driver.socket.accept();
  driver.socket.drop(CLOSE.unauthorized.code);
}

test("after a refused token, token() is called once more with the refused token", async () => {
  const driver = new FakeDriver();
  const asked: (string | undefined)[] = [];
  const token = (refused?: string) => {
    asked.push(refused);
    return refused === undefined ? "stale" : "fresh";
  };
  const presence = createPresence({ url: "ws://test", driver, token });
  const log = logOf(presence.board("desk"));
  await driver.advance();
  refuseToken(driver);
  await driver.advance(QUICK_MS);
  const socket = await greet(driver);
  assert.equal(socket.sent("hello")[0]?.token, "fresh");
  assert.deepEqual([presence.status, log, asked], ["connected", [], [undefined, "stale"]]);
  // Much later the second token is too old as well.
  await driver.advance(10_000);
  driver.socket.drop(CLOSE.unauthorized.code);
  await driver.advance(QUICK_MS);
  await greet(driver);
  assert.deepEqual([presence.status, asked.at(-1)], ["connected", "fresh"]);
});

test("after two refused tokens the client stops; the next board asks for another token", async () => {
  const driver = new FakeDriver();
  let given = 0;
  const presence = createPresence({ url: "ws://test", driver, token: () => `token ${++given}` });
  const board = presence.board("desk");
  const log = logOf(board);
  await driver.advance();
  refuseToken(driver);
  await driver.advance(QUICK_MS);
  refuseToken(driver);
  assert.deepEqual([log, presence.status, board.status, driver.timers], [["!unauthorized"], "closed", "closed", 0]);
  await driver.advance(60_000);
  assert.equal(driver.sockets.length, 2);
  const again = presence.board("desk");
  assert.deepEqual([presence.status, again.status, board.status], ["connecting", "connecting", "closed"]);
  const socket = await greet(driver);
  socket.serve(joined("desk", ["ana"]));
  assert.deepEqual([socket.sent("hello")[0]?.token, again.status], ["token 3", "connected"]);
  assert.equal(socket.sent("hello")[0]?.resumeToken, driver.sockets[0]?.sent("hello")[0]?.resumeToken);
});

test("an app that enters a board anew whenever its token is refused makes no hot loop", async () => {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "ws://test", driver, token: () => "wrong" });
  const enter = () => presence.board("desk").on("error", enter);
  enter();
  const until = driver.now() + 60_000;
  let { length } = driver.sockets;
  while (driver.now() < until) {
    await driver.advance(10);
    if (driver.sockets.length === length) continue;
    length = driver.sockets.length;
    refuseToken(driver);
  }
  assert.ok(length < 40, `${length} connections in a minute`);
});

test("without randomness there is an error; randomness that comes later is used", async () => {
  const driver = new FakeDriver();
  const { randomBytes } = driver;
  driver.randomBytes = () => {
    throw new ReferenceError("crypto is not defined");
  };
  const presence = createPresence({ url: "ws://test", driver, token: () => "fine" });
  const board = presence.board("desk");
  const errors: string[] = [];
  board.on("error", ({ code, message }) => errors.push(`${code}: ${message}`));
  await driver.advance();
  assert.equal(errors.length, 1);
  assert.match(errors[0] ?? "", /^no_random: .*getRandomValues.*crypto is not defined/);
  driver.randomBytes = randomBytes;
  await driver.advance(LATER_MS);
  await greet(driver);
  assert.equal(presence.status, "connected");
});

test("a new session that cannot be made at once is made later, and its failure does not end the process", async () => {
  const driver = new FakeDriver(new FakeSessions());
  const { randomBytes } = driver;
  const presence = createPresence({ url: "ws://test", driver });
  const log = logOf(presence.board("desk"));
  const taken: unknown[] = [];
  // From the fourth time on the client waits before it connects again.
  for (let renewal = 0; renewal < 4; renewal++) {
    const socket = await greet(driver);
    taken.push(socket.sent("hello")[0]?.resumeToken);
    if (renewal === 3) {
      driver.randomBytes = () => {
        throw new Error("no more");
      };
    }
    socket.drop(CLOSE.superseded.code);
  }
  // The test runner fails this test if a rejected promise has no handler by now.
  await new Promise(setImmediate);
  assert.deepEqual(log, []);
  await driver.advance(LATER_MS);
  assert.deepEqual([...new Set(log)], ["!no_random"]);
  driver.randomBytes = randomBytes;
  await driver.advance(LATER_MS);
  const { resumeToken } = (await greet(driver)).sent("hello")[0] ?? assert.fail();
  assert.ok(!taken.includes(resumeToken), "the session of the other tab is not taken again");
  assert.equal(presence.status, "connected");
});

test("a token that does not come within 10 s is an error", async () => {
  const driver = new FakeDriver();
  const log = logOf(createPresence({ url: "ws://test", driver, token: () => new Promise(() => {}) }).board("desk"));
  await driver.advance(10_000);
  assert.deepEqual(log, ["!token_failed"]);
});

test("a board refused with too_many_boards is entered when another board is left, refused or taken away", async () => {
  const { presence, board, socket, driver } = await atDesk();
  const more = ["b2", "b3", "b4"].map((id) => presence.board(id));
  const logs = more.map(logOf);
  const crowd = (ref: string) => socket.serve({ kind: "error", code: "too_many_boards", message: "full", ref });
  for (const id of ["b2", "b3", "b4"]) crowd(id);
  assert.deepEqual(
    more.map(({ status }) => status),
    ["connecting", "connecting", "connecting"],
  );
  const joins = () => socket.sent("join").map(({ boardId }) => boardId);
  await driver.advance(60);
  assert.equal(joins().length, 4, "nothing changes while no board is left");
  board.leave();
  await driver.advance(1_000);
  assert.deepEqual(joins().slice(4), ["b2"]);
  assert.equal(socket.kinds.lastIndexOf("leave") < socket.kinds.lastIndexOf("join"), true);
  socket.serve(joined("b2", ["ana"], { board: 8 }));
  assert.equal(more[0]?.status, "connected");
  socket.serve({ kind: "user_left", board: 8, actor: 0, reason: "kicked" });
  assert.deepEqual(joins().slice(5), ["b3"]);
  socket.serve({ kind: "error", code: "bad_board", message: "no", ref: "b3" });
  assert.deepEqual(joins().slice(6), ["b4"]);
  crowd("b4");
  assert.equal(joins().length, 7);
  assert.deepEqual(logs, [
    ["!too_many_boards", "+ana", "!kicked"],
    ["!too_many_boards", "!bad_board"],
    ["!too_many_boards", "!too_many_boards"],
  ]);
});

test("[C1] several clients of one page each keep their session across a reload, also with the same URL; clients of a copied page do not", async () => {
  const enter = async (sessions: FakeSessions, names: readonly (string | undefined)[]) => {
    const tokens: string[] = [];
    for (const name of names) {
      const driver = new FakeDriver(sessions);
      createPresence({ url: "ws://test", driver, ...(name !== undefined && { name }) }).board("desk");
      await driver.advance();
      driver.socket.accept();
      tokens.push(String(driver.socket.sent("hello")[0]?.resumeToken));
    }
    return tokens;
  };
  const unnamed = [undefined, undefined, undefined];
  for (const [before, after] of [
    [unnamed, unnamed],
    [
      ["a", undefined, "b"],
      [undefined, "b", "a"],
    ],
  ] as const) {
    const sessions = new FakeSessions();
    const first = await enter(sessions, before);
    assert.equal(new Set(first).size, 3);
    const duplicate = await enter(sessions.copy(), before);
    assert.equal(new Set([...first, ...duplicate]).size, 6);
    sessions.unload();
    const reloaded = await enter(sessions, after);
    assert.deepEqual(
      after.map((name, at) => [name, reloaded[at]]),
      before === after ? after.map((name, at) => [name, first[at]]) : after.map((name) => [name, first[[...before].indexOf(name)]]),
    );
  }
});

test("[C1] a client that takes a new session keeps its place in storage, and a closed one gives it back", async () => {
  const sessions = new FakeSessions();
  const driver = new FakeDriver(sessions);
  const presence = createPresence({ url: "ws://test", driver });
  presence.board("desk");
  const socket = await greet(driver);
  socket.drop(CLOSE.superseded.code);
  await driver.advance();
  const next = await greet(driver);
  next.serve(joined("desk", [], { me: memberOf("me-again") }));
  assert.deepEqual([sessions.texts.size, sessions.taken.size], [1, 1]);
  presence.close();
  assert.equal(sessions.taken.size, 0);
});
