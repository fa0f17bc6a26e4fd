/**
 * Rights that are given, looked up and taken back: the host's own functions fail for one board or one message only, and access ends on
 * each path: a token that runs out, a kick, a refused token, a refused join. docs/PROTOCOL.md; R16.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { type BoardId, CLOSE, type ErrorCode, type ServerMessage } from "@presence-service/protocol";
import { asked, told, words } from "../testing/answers.ts";
import { Desk } from "../testing/desk.ts";
import type { User } from "./auth.ts";

const MINUTE_MS = 60_000;

// Failures for one board.

for (const [how, authorize] of [
  ["throws", () => assert.fail("no database")],
  ["rejects", () => Promise.reject(new Error("no database"))],
] as const) {
  test(`authorize ${how}: that board is unavailable; the connection and its other boards go on`, async () => {
    let isDown = false;
    const desk = await Desk.open({ authorize: (_user, boardId) => (isDown && boardId === "b" ? authorize() : true) });
    const ana = desk.enter("json", "a", "Ana");
    isDown = true;
    ana.join("b", "Ana");
    await nextTurn();
    ana.join("c", "Ana");
    assert.deepEqual(words(told(desk, ana)), ["unavailable b", "joined"]);
    assert.deepEqual([ana.socket.closedWith, ana.socket.isPaused, ana.connection.seats.length], [undefined, false, 2]);
    assert.equal(desk.lines.filter((line) => line.startsWith("error the host's authorize failed")).length, 1);
    isDown = false;
    ana.join("b", "Ana");
    assert.deepEqual(words(told(desk, ana)), ["joined"]);
  });
}

test("rights that cannot be looked up again take nothing away", async () => {
  let isDown = false;
  const desk = await Desk.open({ authorize: () => (isDown ? assert.fail("no database") : true) });
  const watcher = desk.enter("json", "b", "watcher");
  const ana = desk.enter("json", "b", "Ana");
  watcher.socket.takeFrames();
  isDown = true;
  ana.join("b", "Ana");
  ana.move("b", 1, 2);
  assert.deepEqual(words(told(desk, ana)), ["unavailable b"]);
  assert.deepEqual(words(told(desk, watcher)), ["cursors"]);
});

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: a board whose rights are slow to come holds up no other`, async () => {
    const rights = asked<boolean>();
    const desk = await Desk.open({ authorize: (_user, boardId) => (boardId === "slow" ? rights.ask() : true) });
    const ana = desk.enter(encoding, "quick", "Ana");
    const ben = desk.enter(encoding, "quick", "Ben");
    ana.join("slow", "Ana");
    ana.move("quick", 3, 4);
    ana.say({ kind: "broadcast", board: ana.ref("quick"), name: "n", data: 1 });
    assert.deepEqual(words(told(desk, ben)).sort(), ["cursors", "event"]);
    assert.equal(ana.socket.isPaused, false);
    ana.socket.takeFrames();
    rights.take().answer(true);
    await nextTurn();
    assert.deepEqual(words(told(desk, ana)), ["joined"]);
  });
}

test("messages for a board that waits are handled afterwards, in order; the last place counts", async () => {
  const rights = asked<boolean>();
  const desk = await Desk.open({
    authorize: (user) => user.userId === "zoe" || rights.ask(),
    authenticate: (token) => ({ userId: token ?? "" }),
  });
  const zoe = desk.connect("json");
  zoe.hello({ token: "zoe" });
  zoe.join("b", "zoe");
  const ana = desk.connect("json");
  ana.hello({ token: "ana" });
  told(desk, zoe);
  ana.join("b", "Ana");
  const board = "b" as BoardId;
  ana.say({ kind: "update", board, state: { n: 1 } });
  for (let x = 0; x < 100; x++) ana.move("b", x, 0);
  ana.say({ kind: "update", board, state: { n: 2 } });
  ana.say({ kind: "broadcast", board, name: "n", data: 1 });
  assert.deepEqual(told(desk, zoe), []);
  rights.take().answer(true);
  await nextTurn();
  const heard = told(desk, zoe);
  assert.deepEqual(words(heard), ["user_joined", "user_updated", "user_updated", "event", "presence_update", "cursors"]);
  const cursors = heard.find((message) => message.kind === "cursors");
  assert.equal(cursors?.kind === "cursors" && cursors.moves[0]?.at?.x, 99);
  assert.deepEqual(words(told(desk, ana)), ["welcome", "joined"]);
});

test("binary: a place that is told while a join again waits belongs to that join", async () => {
  const rights = asked<boolean>();
  let isSlow = false;
  const desk = await Desk.open({ authorize: () => !isSlow || rights.ask() });
  const ana = desk.enter("binary", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  ana.move("b", 1, 1);
  told(desk, ben);
  isSlow = true;
  ana.join("b", "Ana");
  ana.move("b", 2, 2);
  assert.deepEqual(told(desk, ben), []);
  rights.take().answer(true);
  await nextTurn();
  const cursors = told(desk, ben).findLast((message) => message.kind === "cursors");
  assert.deepEqual(cursors?.kind === "cursors" && cursors.moves.at(-1)?.at, { x: 2, y: 2 });
});

test("so many messages wait for the host and no more, and a leave does not wait", async () => {
  const rights = asked<boolean>();
  const desk = await Desk.open({ authorize: () => rights.ask() });
  const ana = desk.enter("json");
  ana.join("b", "Ana");
  for (let n = 0; n < 100; n++) ana.say({ kind: "broadcast", board: "b" as BoardId, name: "n", data: n });
  assert.deepEqual(words(told(desk, ana)), Array(36).fill("too_fast b"));
  ana.leave("b");
  rights.take().answer(true);
  await nextTurn();
  assert.deepEqual([told(desk, ana), ana.connection.seats.length, desk.manager.stats().own], [[], 0, 0]);
});

test("boards that the host is asked about count as boards", async () => {
  const rights = asked<boolean>();
  const desk = await Desk.open({ authorize: () => rights.ask() });
  const ana = desk.enter("json");
  for (let n = 0; n < 40; n++) ana.join(`b${n}`, "Ana");
  const refused = words(told(desk, ana));
  assert.deepEqual([rights.open.length, refused], [32, Array.from({ length: 8 }, (_, n) => `too_many_boards b${32 + n}`)]);
});

test("authorize that never answers is given up after 10 s, and a late answer changes nothing", async () => {
  const rights = asked<boolean>();
  const desk = await Desk.open({ authorize: () => rights.ask() });
  const ana = desk.enter("json");
  ana.join("b", "Ana");
  assert.deepEqual(told(desk, ana, 9900), []);
  assert.deepEqual(words(told(desk, ana, 200)), ["unavailable b"]);
  rights.take().answer(true);
  await nextTurn();
  assert.deepEqual(told(desk, ana), []);
});

test("classic: a join, a place and a leave while the host is asked", async () => {
  const rights = asked<boolean>();
  const desk = await Desk.open({ authorize: (_user, boardId) => boardId === "9" || rights.ask() });
  const ana = desk.enter("classic", "9");
  ana.join("1", "Ana");
  ana.join("1", "Ana");
  assert.equal(rights.open.length, 1, "a repeated join is ignored");
  ana.move("1", 5, 6);
  rights.take().answer(true);
  await nextTurn();
  const watcher = desk.connect("json");
  watcher.hello();
  watcher.join("1", "watcher");
  rights.take().answer(true);
  await nextTurn();
  const joined = told(desk, watcher).find(({ kind }) => kind === "joined");
  assert.deepEqual(joined?.kind === "joined" && joined.roster.find(({ member }) => member.username === "Ana")?.at, { x: 5, y: 6 });
  ana.join("2", "Ana");
  ana.leave("2");
  rights.take().answer(true);
  await nextTurn();
  desk.clock.advance(1000);
  assert.equal(ana.connection.seats.length, 2);
});

// Refused joins.

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: a join again that authorize refuses takes one off the board, and nothing of it is heard any more`, async () => {
    let isAllowed = true;
    const desk = await Desk.open({ authorize: (_user, boardId) => boardId !== "b" || isAllowed });
    const ana = desk.enter(encoding, "b", "Ana");
    ana.join("other", "Ana");
    isAllowed = true;
    const ben = desk.enter(encoding, "b", "Ben");
    told(desk, ana);
    const board = ana.ref("b");
    isAllowed = false;
    ana.join("b", "Ana");
    assert.deepEqual(words(told(desk, ana)), ["bad_board b"]);
    assert.deepEqual(words(told(desk, ben)), ["user_left", "presence_update"]);
    ben.move("b", 1, 1);
    ben.say({ kind: "broadcast", board: ben.ref("b"), name: "n", data: 1 });
    assert.deepEqual(told(desk, ana), []);
    ana.say({ kind: "broadcast", board, name: "n", data: 1 });
    assert.deepEqual(words(told(desk, ana)), [`not_joined ${encoding === "json" ? "b" : "broadcast"}`]);
    assert.deepEqual([ana.socket.closedWith, ana.connection.seats.length], [undefined, 1]);
  });
}

test("every other refusal leaves one where one was", async () => {
  const desk = await Desk.open();
  const watcher = desk.enter("json", "b", "watcher");
  const ana = desk.enter("json", "b", "Ana");
  const cases: [ErrorCode, () => void][] = [
    ["bad_username", () => ana.join("b", "A\u202ena")],
    ["superseded", () => ana.join("b", "Ana", 1)],
    [
      "bad_message",
      () =>
        ana.connection.received(Buffer.from('{"kind":"join","board":"b","attempt":9,"username":"x","status":"active","state":[]}'), false),
    ],
  ];
  watcher.socket.takeFrames();
  for (const [code, act] of cases) {
    act();
    assert.deepEqual([words(told(desk, ana)), told(desk, watcher), ana.connection.seats.length], [[`${code} b`], [], 1]);
  }
});

test("a session that comes back is asked about again", async () => {
  let isAllowed = true;
  const desk = await Desk.open({ authorize: () => isAllowed });
  const ana = desk.enter("json", "b", "Ana");
  ana.close(CLOSE.lost.code);
  isAllowed = false;
  const again = desk.connect("json");
  again.hello({ resumeToken: ana.resumeToken });
  again.join("b", "Ana", 2);
  assert.deepEqual(words(told(desk, again)), ["welcome", "bad_board b"]);
});

// Tokens that run out.

/** A token here is its user as JSON. */
const readToken = (token: string | undefined) => (token === undefined ? undefined : (JSON.parse(token) as User));
const expiring = (desk: Desk, ms: number, more: object = {}) =>
  JSON.stringify({ userId: "ana", expiresAt: desk.clock.wallNow() + ms, ...more });

test("a token that runs out closes the connection with 4401, after asking for another one", async () => {
  const desk = await Desk.open({ authenticate: readToken });
  const watcher = desk.connect("json");
  watcher.hello({ token: '{"userId":"zoe"}' });
  watcher.join("b", "zoe");
  const ana = desk.connect("json");
  ana.hello({ token: expiring(desk, 10 * MINUTE_MS) });
  ana.join("b", "Ana");
  const pass = (ms: number) => {
    const messages: ServerMessage[] = [];
    for (let left = ms; left > 0; left -= 2500) {
      watcher.connection.ponged();
      messages.push(...told(desk, ana, Math.min(left, 2500)));
    }
    return messages;
  };
  assert.deepEqual(words(pass(1000)), ["welcome", "joined"]);
  const early = Array.from({ length: 53 }, () => pass(10_000)).flat();
  assert.deepEqual([early, pass(8_500)], [[], []], "not before a minute before");
  const asked = pass(1000);
  assert.deepEqual(words(asked), ["token_expiring"]);
  const [first] = asked;
  assert.ok(first?.kind === "token_expiring" && Math.abs(first.expiresInMs - MINUTE_MS) <= 500, JSON.stringify(first));
  const later = [1, 2, 3, 4].flatMap(() => words(pass(14_750)));
  assert.deepEqual(later, Array(4).fill("token_expiring"), "asked again, at half of what is left");
  assert.equal(ana.socket.closedWith, undefined);
  told(desk, watcher, 0);
  desk.clock.advance(1000);
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
  assert.deepEqual(words(told(desk, watcher)), ["user_left", "presence_update"]);
});

test("a fresh token in time goes on, with its own end; the system's clock may be set meanwhile", async () => {
  const desk = await Desk.open({ authenticate: readToken });
  const ana = desk.connect("binary");
  ana.hello({ token: expiring(desk, 20_000) });
  assert.deepEqual(words(told(desk, ana, 9_000)), ["welcome"]);
  desk.clock.wallAheadMs += 3_600_000;
  assert.deepEqual(words(told(desk, ana, 1_500)), ["token_expiring"]);
  ana.say({ kind: "auth", token: expiring(desk, 30_000) });
  desk.clock.wallAheadMs -= 7_200_000;
  desk.clock.advance(14_000);
  assert.equal(ana.socket.closedWith, undefined);
  assert.deepEqual(words(told(desk, ana, 1_500)), ["token_expiring"]);
  desk.clock.advance(16_000);
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});

test("a fresh token that holds for a moment only ends at that moment", async () => {
  const desk = await Desk.open({ authenticate: readToken });
  const ana = desk.connect("json");
  ana.hello({ token: expiring(desk, 10 * MINUTE_MS) });
  desk.clock.advance(6_000);
  ana.say({ kind: "auth", token: expiring(desk, 1_500) });
  desk.clock.advance(1_400);
  assert.equal(ana.socket.closedWith, undefined);
  desk.clock.advance(400);
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});

test("a fresh token may say something else of its user: from the next join on", async () => {
  const desk = await Desk.open({ authenticate: readToken });
  const ana = desk.connect("json");
  ana.hello({ token: '{"userId":"ana","username":"Ana","color":"#000001"}' });
  ana.join("b", "x");
  told(desk, ana);
  ana.say({ kind: "auth", token: '{"userId":"ana","username":"Anna","color":"#000002","avatar":"a.png","kind":"agent"}' });
  ana.join("b", "x");
  const [joined] = told(desk, ana);
  const member = joined?.kind === "joined" ? joined.roster[0]?.member : undefined;
  assert.deepEqual([member?.username, member?.color, member?.avatar, member?.kind], ["Anna", "#000002", "a.png", "agent"]);
});

test("authorize sees what authenticate gave last, as it gave it", async () => {
  class Person {
    readonly userId: string;
    readonly roles: readonly string[];
    constructor(userId: string, roles: readonly string[]) {
      this.userId = userId;
      this.roles = roles;
    }
    has(role: string) {
      return this.roles.includes(role);
    }
  }
  const desk = await Desk.open({
    authenticate: (token) => new Person("ana", [token ?? ""]),
    authorize: (user) => (user as Person).has("editor"),
  });
  const ana = desk.connect("json");
  ana.hello({ token: "reader" });
  ana.join("b", "Ana");
  ana.say({ kind: "auth", token: "editor" });
  ana.join("b", "Ana");
  assert.deepEqual(words(told(desk, ana)), ["welcome", "bad_board b", "joined"]);
});

for (const [what, given] of [
  ["of nobody", undefined],
  ["of another user", { userId: "ben" }],
  ["that has run out", { userId: "ana", expiresAt: 1_000_000_000_000 }],
] as const) {
  test(`a token ${what} ends the connection at once`, async () => {
    const desk = await Desk.open({ authenticate: (token) => (token === "good" ? { userId: "ana" } : (given as User | undefined)) });
    const ana = desk.connect("json");
    ana.hello({ token: "good" });
    ana.say({ kind: "auth", token: "other" });
    desk.clock.advance(20);
    assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
  });
}

test("a token refresh that fails for the moment changes nothing, until the old token runs out", async () => {
  let isDown = false;
  const desk = await Desk.open({ authenticate: (token) => (isDown ? assert.fail("no keys") : readToken(token)) });
  const ana = desk.connect("json");
  ana.hello({ token: expiring(desk, 10_000) });
  ana.join("b", "Ana");
  told(desk, ana);
  isDown = true;
  ana.say({ kind: "auth", token: "anything" });
  assert.deepEqual(words(told(desk, ana)), ["unavailable auth"]);
  assert.equal(ana.socket.closedWith, undefined);
  desk.clock.advance(8_500);
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});

test("of fresh tokens that the host is asked about the latest counts; nothing else waits for them", async () => {
  const tokens = asked<User | undefined>();
  const desk = await Desk.open({ authenticate: (token) => (token === "first" ? { userId: "ana" } : tokens.ask(token)) });
  const ana = desk.connect("json");
  ana.hello({ token: "first" });
  for (const token of ["a", "b", "c"]) ana.say({ kind: "auth", token });
  ana.join("b", "Ana");
  assert.deepEqual(words(told(desk, ana)), ["welcome", "joined"]);
  const [a, b, c] = [tokens.take(), tokens.take(), tokens.take()];
  c.answer({ userId: "ana" });
  a.answer(undefined);
  b.answer({ userId: "ben" });
  await nextTurn();
  assert.equal(ana.socket.closedWith, undefined);
  ana.say({ kind: "auth", token: "d" });
  tokens.take().answer(undefined);
  await nextTurn();
  assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
});

for (const encoding of ["binary", "json"] as const) {
  for (const given of [{ userId: "" }, {}, { userId: "ana", expiresAt: "tomorrow" }, "ana"])
    test(`${encoding}: a client that cannot be identified (${JSON.stringify(given)}) is told so, and not to try again`, async () => {
      const desk = await Desk.open({ authenticate: () => given as User });
      const ana = desk.connect(encoding);
      ana.hello();
      const [error] = ana.socket.takeMessages();
      assert.ok(
        error?.kind === "error" && error.code === "unauthorized" && error.message.startsWith("authenticate gave"),
        JSON.stringify(error),
      );
      assert.equal(ana.socket.closedWith, CLOSE.unauthorized);
      assert.equal(CLOSE.unauthorized.retry, "never");
    });
}

test("decoration that does not fit locks nobody out, and is logged by its field, not by the thousand", async () => {
  const user = { userId: 7, username: null, color: "#F00", avatar: "x".repeat(2000) };
  const desk = await Desk.open({ authenticate: () => user as unknown as User });
  const clients = Array.from({ length: 100 }, () => desk.enter("json", "b", "Ana"));
  const [member] = desk.manager.stats().own === 100 ? [clients[0]] : [];
  assert.ok(member, "all are there");
  member.join("b", "Ana");
  const joined = told(desk, member).find(({ kind }) => kind === "joined");
  const entry = joined?.kind === "joined" ? joined.roster.find(({ actor }) => actor === joined.self)?.member : undefined;
  assert.deepEqual([entry?.userId, entry?.username, entry?.color, entry?.avatar], ["7", "Ana", "#ff0000", undefined]);
  assert.equal(desk.lines.filter((line) => line.includes("an avatar that is not")).length, 2, "one each 10 s");
});
