import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTOR_MAX, type BoardId } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { atDesk, greet, INSTANCE, joined, logOf, memberOf, names, refuse } from "./testing/service.ts";

const desk = "desk" as BoardId;
/** The SDK leaves a board so long after its last handle was given back. */
const RELEASE_MS = 1_000;

test("nothing happens before the first board", async () => {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "ws://test", driver });
  await driver.advance(60_000);
  assert.equal(driver.sockets.length, 0);
  assert.equal(presence.status, "connecting");
  presence.close();
  assert.equal(presence.status, "closed");
});

test("joins are pipelined behind hello; the board is connected when it was joined", async () => {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "ws://test", driver, token: async () => "secret" });
  const board = presence.board("desk", { username: "me", state: { tool: "pen" } });
  await driver.advance();
  const { socket } = driver;
  assert.deepEqual([socket.url, socket.protocol], ["ws://test", "presence.v2"]);
  socket.accept();
  assert.deepEqual(socket.kinds, ["hello", "join"]);
  assert.equal(socket.sent("hello")[0]?.token, "secret");
  assert.deepEqual(socket.sent("join"), [
    { kind: "join", boardId: desk, attempt: 1, username: "me", status: "active", state: { tool: "pen" } },
  ]);
  assert.deepEqual([board.status, board.self, board.others, board.instanceId], ["connecting", null, [], undefined]);
  await greet(driver);
  assert.deepEqual([presence.status, board.status, presence.instanceId], ["connected", "connecting", INSTANCE]);
  socket.serve(joined("desk", ["ana"]));
  assert.deepEqual([board.status, board.self?.username, names(board), board.instanceId], ["connected", "me", ["ana active"], INSTANCE]);
});

test("two handles are one membership: left when both were, each once", async () => {
  const { presence, board, socket, driver } = await atDesk(["ana"]);
  const second = presence.board("desk", { username: "ignored" });
  assert.deepEqual(names(second), ["ana active"]);
  assert.equal(second.snapshot(), board.snapshot());
  assert.equal(socket.sent("join").length, 1);
  second.leave();
  second.leave();
  assert.deepEqual([second.status, second.others, board.status], ["closed", [], "connected"]);
  await driver.advance(RELEASE_MS);
  assert.equal(socket.sent("leave").length, 0);
  board.leave();
  await driver.advance(RELEASE_MS);
  assert.deepEqual(socket.sent("leave"), [{ kind: "leave", board: 7 }]);
  board.moveCursor(0, 0);
  board.update({ a: 1 });
  assert.equal(board.broadcast("x", 1), false);
  await driver.advance(1_000);
  assert.equal(socket.kinds.at(-1), "leave");
});

test("a handle that is given back tells its own subscribers, once and as the last thing, that it shows nobody any more", async () => {
  const { presence, board, socket } = await atDesk(["ana"]);
  const second = presence.board("desk");
  const told: string[] = [];
  const tell = (name: string, handle: typeof board) => () => told.push(`${name} ${handle.status} ${names(handle)}`);
  board.subscribe(tell("first", board));
  const stop = board.subscribe(tell("stopped", board));
  board.subscribe(() => {
    board.leave();
    board.subscribe(tell("too late", board));
    throw new Error("and others are told all the same");
  });
  board.subscribe(tell("last", board));
  second.subscribe(tell("second", second));
  for (const name of ["user_left", "lost", "error"] as const) board.on(name, () => told.push(name));
  stop();
  board.leave();
  assert.deepEqual(told.splice(0), ["first closed ", "last closed "]);
  socket.serve({ kind: "user_left", board: 7, actor: 1, reason: "left" });
  assert.deepEqual(told.splice(0), ["second connected "]);
  presence.close();
  assert.deepEqual(told.splice(0), ["second closed "]);
  second.leave();
  assert.deepEqual(told, [], "it was told already");
});

test("left before the join was answered: the answer is answered by a leave", async () => {
  const { presence, socket, driver } = await atDesk();
  const board = presence.board("b2");
  board.leave();
  await driver.advance(RELEASE_MS);
  assert.equal(socket.sent("leave").length, 0);
  socket.serve(joined("b2", [], { board: 8 }));
  assert.deepEqual(socket.sent("leave"), [{ kind: "leave", board: 8 }]);
});

test("left and entered again: a higher attempt, and words about the old place are ignored", async () => {
  const { presence, board, socket, driver } = await atDesk(["ana"]);
  board.leave();
  await driver.advance(RELEASE_MS);
  const again = presence.board("desk");
  const log = logOf(again);
  assert.deepEqual(
    socket.sent("join").map(({ attempt }) => attempt),
    [1, 2],
  );
  socket.serve({ kind: "user_joined", board: 7, actor: 5, member: memberOf("ghost") });
  socket.serve(joined("desk", ["ana"]));
  assert.deepEqual(log, ["+ana"]);
});

test("a word for every change, in order: events, then the snapshot; cursors apart", async () => {
  const { board, socket, log } = await atDesk();
  let renders = 0;
  board.subscribe(() => {
    renders++;
    log.push(`= ${board.others.length}`);
  });
  const moved: string[] = [];
  board.cursors.subscribe((moves) => moved.push(...moves.map(({ member, x, hidden }) => `${member.username} ${x} ${hidden}`)));
  socket.serve(
    { kind: "user_joined", board: 7, actor: 1, member: memberOf("ana") },
    { kind: "cursors", board: 7, stamp: 0, moves: [{ actor: 1, at: { x: 0xffff, y: 0 } }] },
    { kind: "user_updated", board: 7, actor: 1, patch: { status: "idle" } },
    { kind: "user_left", board: 7, actor: 1, reason: "left" },
  );
  assert.deepEqual(log, ["+ana", "= 1", "~ana idle", "= 1", "-ana left", "= 0"]);
  assert.deepEqual(moved, ["ana 1 false", "ana 1 true"]);
  assert.equal(renders, 3);
  const snapshot = board.snapshot();
  socket.serve({ kind: "heartbeat" });
  assert.equal(board.snapshot(), snapshot);
});

test("a late subscriber to cursors is shown where they are", async () => {
  const { board, socket } = await atDesk(["ana"]);
  socket.serve({ kind: "cursors", board: 7, stamp: 0, moves: [{ actor: 1, at: { x: -5, y: 70_000 } }] });
  let point: unknown;
  board.cursors.subscribe(([move]) => {
    point = move?.point;
  });
  assert.deepEqual(point, { x: -5, y: 70_000 });
});

test("a peer's event reaches its listeners, and can never pose as the service's", async () => {
  const { board, socket } = await atDesk(["ana"]);
  const heard: unknown[] = [];
  board.on("reaction", ({ member, data }) => heard.push([member.username, data]));
  board.on("error", (error) => heard.push(error));
  socket.serve(
    { kind: "event", board: 7, actor: 1, name: "reaction", data: { emoji: "🎉" } },
    { kind: "event", board: 7, actor: 1, name: "error", data: { code: "kicked" } },
    { kind: "event", board: 7, actor: 99, name: "reaction", data: 1 },
  );
  assert.deepEqual(heard, [["ana", { emoji: "🎉" }]]);
  assert.throws(() => board.broadcast("error", 1), TypeError);
});

test("an event for some names them, each once; nobody, too many and nonsense are told at once", async () => {
  const { board, socket } = await atDesk(["ana", "ben"]);
  const [ana, ben] = board.others;
  assert.ok(ana && ben && board.self);
  assert.equal(board.to(ana).broadcast("wave", 1), true);
  assert.equal(board.to([ana, ben, ana, { userId: "u-7" }]).broadcast("wave", 2), true);
  assert.equal(board.to({ userId: "u-7" }).broadcast("wave", 3), true);
  assert.equal(board.to([]).broadcast("wave", 4), false);
  assert.deepEqual(
    socket.sent("broadcast").map(({ data, memberIds, userIds }) => [data, memberIds, userIds]),
    [
      [1, [ana.memberId], undefined],
      [2, [ana.memberId, ben.memberId], ["u-7"]],
      [3, undefined, ["u-7"]],
    ],
  );
  for (const whom of [{ memberId: "ana" }, { userId: "" }, { ...ana, memberId: undefined }])
    assert.throws(() => board.to(whom as never), TypeError);
  const users = Array.from({ length: 33 }, (_, nth) => ({ userId: `u-${nth}` }));
  assert.throws(() => board.to(users), RangeError);
  const { to } = board;
  assert.equal(to(users.slice(1)).broadcast("wave", 5), true);
  board.leave();
  assert.equal(to(ana).broadcast("wave", 6), false);
});

test("observing: self is null and nothing is sent; with another handle a member, and an observer again when that is left", async () => {
  const { presence, driver, socket } = await atDesk(["ana"]);
  const seen = presence.observe("hall");
  await driver.advance();
  const joins = () => socket.sent("join").filter(({ boardId }) => boardId === "hall");
  assert.deepEqual(
    joins().map(({ observe }) => observe),
    [true],
  );
  const answer = joined("hall", ["ben"]);
  assert.ok(answer.kind === "joined");
  const { roster } = answer;
  const bare = { ...answer, board: 8, members: 1, users: 1, roster: roster.filter(({ actor }) => actor !== answer.self) };
  const asObserver = { ...bare, self: ACTOR_MAX, observe: true, observed: true };
  socket.serve(asObserver);
  assert.deepEqual([seen.status, seen.self, names(seen), seen.memberCount], ["connected", null, ["ben active"], 1]);
  const before = socket.kinds.length;
  seen.moveCursor(0.5, 0.5);
  seen.update({ tool: "pen" });
  seen.setStatus("idle");
  await driver.advance(1000);
  assert.equal(seen.broadcast("wave", 1), false);
  assert.deepEqual(socket.kinds.slice(before), []);

  const mine = presence.board("hall", { username: "me", state: { tool: "ink" } });
  assert.deepEqual(
    joins().map(({ observe, username, state }) => [observe, username, state]),
    [
      [true, "", {}],
      [undefined, "me", { tool: "ink" }],
    ],
  );
  socket.serve({ ...answer, board: 8 });
  assert.deepEqual([seen.self?.username, mine.self === seen.self], ["me", true]);
  mine.leave();
  assert.equal(joins().at(-1)?.observe, true);
  socket.serve(asObserver);
  assert.deepEqual([seen.self, mine.status], [null, "closed"]);
});

test("a member who is alone sends its cursor while somebody observes", async () => {
  const { board, socket, driver } = await atDesk([]);
  board.moveCursor(0.5, 0.5);
  await driver.advance(100);
  assert.deepEqual(socket.sent("cursor"), []);
  socket.serve({ kind: "presence_update", board: 7, members: 1, users: 1, observed: true });
  assert.equal(socket.sent("cursor").length, 1);
  socket.serve({ kind: "presence_update", board: 7, members: 1, users: 1 });
  board.moveCursor(0.1, 0.5);
  await driver.advance(100);
  assert.equal(socket.sent("cursor").length, 1);
});

test("updates of one task travel as one patch, show at once, and precede a broadcast", async () => {
  const { board, socket, driver } = await atDesk(["ana"], { tool: "pen", size: 1 });
  const before = board.self;
  board.update({ tool: "ink" });
  board.update({ size: null, zoom: 2 });
  assert.deepEqual(board.self?.state, { tool: "ink", zoom: 2 });
  assert.notEqual(board.self, before);
  await driver.advance();
  assert.deepEqual(socket.sent("update"), [{ kind: "update", board: 7, state: { tool: "ink", size: null, zoom: 2 } }]);
  board.update({ zoom: 3 });
  await driver.advance(49);
  assert.equal(socket.sent("update").length, 1);
  assert.equal(board.broadcast("done", null), true);
  assert.deepEqual(socket.kinds.slice(-2), ["update", "broadcast"]);
  // Plain JavaScript can pass any status. The SDK refuses it here: the service would refuse the whole update, with its state.
  assert.throws(() => board.setStatus("away" as "idle"), TypeError);
  board.setStatus("idle");
  await driver.advance(50);
  assert.deepEqual(socket.sent("update").at(-1), { kind: "update", board: 7, status: "idle" });
  board.area("slide-3");
  assert.equal(board.self?.area, "slide-3");
  await driver.advance(50);
  assert.deepEqual(socket.sent("update").at(-1), { kind: "update", board: 7, area: "slide-3" });
  board.area(null);
  await driver.advance(50);
  assert.deepEqual(socket.sent("update").at(-1), { kind: "update", board: 7, area: "" });
  assert.throws(() => board.area("é".repeat(65)), RangeError);
  assert.throws(() => board.area(3 as never), TypeError);
  assert.throws(() => board.area("\ud800"), TypeError);
  board.update({ zoom: 4 });
  board.update({ zoom: 3 });
  await driver.advance(50);
  assert.equal(socket.sent("update").length, 5);
});

test("a state is sent as a whole when the patch that replaces it would be too large", async () => {
  const keys = (letter: string) => Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${letter}${at}`, 1]));
  const { board, socket, driver, log } = await atDesk(["ana"], keys("a"));
  const gone = Object.fromEntries(Object.keys(keys("a")).map((key) => [key, null]));
  board.update({ ...gone, ...keys("b") });
  await driver.advance();
  assert.deepEqual([socket.sent("update"), socket.sent("join").at(-1)?.state], [[], keys("b")]);
  // While that join is not answered, the next change of the kind waits.
  board.update({ ...Object.fromEntries(Object.keys(keys("b")).map((key) => [key, null])), ...keys("c") });
  await driver.advance(500);
  assert.equal(socket.sent("join").length, 2);
  socket.serve(joined("desk", ["ana"]));
  await driver.advance(100);
  assert.deepEqual([socket.sent("join").length, socket.sent("join").at(-1)?.state, log], [3, keys("c"), []]);
});

test("broadcasts faster than the service takes them are not sent and return false; updates are not held up by them", async () => {
  const { board, socket, driver } = await atDesk(["ana"]);
  const sent = (count: number) => Array.from({ length: count }, (_, at) => board.broadcast("stroke", at)).filter(Boolean).length;
  assert.equal(sent(1_000), 100);
  board.update({ k: 1 });
  await driver.advance(100);
  assert.equal(sent(1_000), 5);
  await driver.advance(10_000);
  assert.equal(sent(1_000), 100);
  assert.deepEqual([socket.sent("broadcast").length, socket.sent("update").length], [205, 1]);
});

test("bad input throws where it is given, and changes nothing", async () => {
  const { board, presence, socket, driver } = await atDesk();
  const { self } = board;
  assert.throws(() => presence.board("a b"), TypeError);
  assert.throws(() => board.update({ big: "x".repeat(5_000) }), RangeError);
  assert.throws(() => board.update({ zoom: Number.NaN }), TypeError);
  assert.throws(() => board.update(JSON.parse('{"__proto__":{"x":1}}')), TypeError);
  assert.throws(() => board.broadcast("x", "y".repeat(5_000)), RangeError);
  assert.throws(() => board.broadcast("x", undefined as never), TypeError);
  assert.equal(board.self, self);
  await driver.advance(100);
  assert.deepEqual(socket.kinds, ["hello", "join"]);
});

test("a name that nobody may have throws where it is given, and enters nothing", async () => {
  const { presence, socket } = await atDesk();
  for (const username of ["x".repeat(257), "é".repeat(129)]) assert.throws(() => presence.board("b2", { username }), RangeError);
  for (const char of ["\0", "\n", "\u202e", "\u200f", "\u2066", "\u2028", "\u061c", "\ud800"]) {
    assert.throws(() => presence.board("b2", { username: `Ana${char}` }), TypeError);
  }
  assert.throws(() => presence.board("b2", { username: null as never }), TypeError);
  assert.equal(socket.sent("join").length, 1);
  assert.equal(presence.board("b2", { username: "é".repeat(128) }).status, "connecting");
});

test("a join that the service could not read ends its board, if only one join is unanswered", async () => {
  const { presence, board, socket } = await atDesk();
  const other = presence.board("b2");
  const log = logOf(other);
  socket.serve({ kind: "error", code: "bad_message", message: "?" });
  assert.deepEqual([board.status, other.status, log], ["connected", "closed", ["!bad_message"]]);
});

test("[F6] cursors: fractions to integers, paced, silent while alone", async () => {
  const { board, socket, driver } = await atDesk();
  board.moveCursor(0.25, 2);
  await driver.advance(100);
  assert.deepEqual(socket.sent("cursor"), []);
  socket.serve({ kind: "user_joined", board: 7, actor: 1, member: memberOf("ana") });
  assert.deepEqual(
    socket.sent("cursor").map(({ at }) => at),
    [{ x: 16384, y: 65535 }],
  );
  board.moveCursor(0.5, 0.5);
  board.moveCursor(-7.4, 3e9, { units: "integer" });
  board.moveCursor(Number.NaN, 0);
  await driver.advance(50);
  assert.deepEqual(
    socket
      .sent("cursor")
      .map(({ at }) => at)
      .slice(1),
    [{ x: -7, y: 0x7fff_ffff }],
  );
  socket.serve({ kind: "pace", cursorMs: 200 });
  board.moveCursor(1, 1);
  await driver.advance(199);
  assert.equal(socket.sent("cursor").length, 2);
  await driver.advance(1);
  assert.equal(socket.sent("cursor").length, 3);
  driver.page?.blurred();
  await driver.advance(200);
  assert.equal(socket.sent("cursor").at(-1)?.at, null);
});

test("errors reach the board they are about; errors without a listener reach the console", async () => {
  const { presence, socket, log, driver } = await atDesk();
  const other = presence.board("b2");
  socket.serve({ kind: "error", code: "bad_board", message: "no such board", ref: "b2" });
  assert.equal(other.status, "closed");
  assert.deepEqual(driver.reports, ["bad_board (b2): no such board"]);
  assert.deepEqual(log, []);
  socket.serve({ kind: "error", code: "bad_message", message: "?" });
  assert.deepEqual(log, ["!bad_message"]);
});

test("a join that came too fast is tried again, after longer and longer waits", async () => {
  const { presence, socket, driver } = await atDesk();
  presence.board("b2").on("error", () => {});
  for (const [turn, pauseMs] of [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000].entries()) {
    refuse(socket, "too_fast", "b2");
    await driver.advance(pauseMs / 2);
    socket.serve({ kind: "heartbeat" });
    await driver.advance(pauseMs / 2 - 1);
    assert.equal(socket.sent("join").length, turn + 2);
    await driver.advance(1);
    assert.equal(socket.sent("join").at(-1)?.attempt, turn + 3);
  }
  socket.serve(joined("b2", [], { board: 8 }));
  await driver.advance(10_000);
  refuse(socket, "too_fast", "b2");
  await driver.advance(1_000);
  assert.equal(socket.sent("join").length, 10);
});

test("an update that came too fast is not lost: after a pause a join sends the full state, and no other client sees a join", async () => {
  const { board, socket, driver, log } = await atDesk(["ana"], { tool: "pen", size: 1 });
  const seen: string[] = [];
  board.update({ size: null });
  await driver.advance();
  refuse(socket, "too_fast");
  board.subscribe(() => seen.push(board.status));
  board.update({ tool: "ink" });
  refuse(socket, "too_fast");
  await driver.advance(999);
  assert.deepEqual([socket.sent("update").length, socket.sent("join").length, board.self?.state], [1, 1, { tool: "ink" }]);
  await driver.advance(1);
  assert.deepEqual(socket.sent("join").at(-1), {
    kind: "join",
    boardId: desk,
    attempt: 2,
    username: "me",
    status: "active",
    state: { tool: "ink" },
  });
  board.update({ tool: "gum" });
  await driver.advance(50);
  assert.deepEqual(socket.sent("update").at(-1)?.state, { tool: "gum" });
  socket.serve(joined("desk", ["ana"]));
  assert.deepEqual(
    [log, seen],
    [
      ["!too_fast", "!too_fast"],
      ["connected", "connected"],
    ],
  );
  await driver.advance(10_000);
  assert.equal(socket.sent("join").length, 2);
});

test("after a refused state the SDK reports it and sends the whole state; if that is refused too, the last accepted state comes back", async () => {
  const { board, socket, driver, log } = await atDesk([], { tool: "pen" });
  board.update({ big: "x" });
  await driver.advance();
  refuse(socket, "bad_state");
  assert.deepEqual(log, ["!bad_state"]);
  await driver.advance(1_000);
  assert.deepEqual(socket.sent("join").at(-1)?.state, { tool: "pen", big: "x" });
  refuse(socket, "bad_state");
  assert.deepEqual([board.status, board.self?.state], ["connected", { tool: "pen" }]);
  await driver.advance(2_000);
  assert.deepEqual(socket.sent("join").at(-1)?.state, { tool: "pen" });
  refuse(socket, "bad_state");
  assert.deepEqual([board.status, socket.sent("leave").length], ["closed", 1]);
});

test("a board that is not allowed any more is left", async () => {
  const { board, socket, log } = await atDesk(["ana"]);
  board.rename("Zed");
  refuse(socket, "bad_board");
  socket.serve({ kind: "user_left", board: 7, actor: 1, reason: "left" }, joined("desk", ["ana"]));
  assert.deepEqual([board.status, board.others, log, socket.sent("leave").length], ["closed", [], ["!bad_board"], 0]);
});

test("kicked from a board: closed, and nobody is shown", async () => {
  const { board, socket, log } = await atDesk(["ana"]);
  socket.serve({ kind: "user_left", board: 7, actor: 0, reason: "kicked" });
  assert.deepEqual([board.status, board.self, board.others], ["closed", null, []]);
  assert.deepEqual(log, ["!kicked"]);
});

test("taken off a board for any other reason: back by itself, with a higher attempt", async () => {
  const { board, socket, driver, log } = await atDesk(["ana"]);
  socket.serve({ kind: "user_left", board: 7, actor: 0, reason: "timeout" });
  assert.equal(board.status, "reconnecting");
  await driver.advance(1_000);
  assert.equal(socket.sent("join").at(-1)?.attempt, 2);
  socket.serve(joined("desk", ["ana"]));
  assert.equal(board.status, "connected");
  assert.deepEqual(log, []);
});

test("a listener that throws is reported; the other listeners are still called", async () => {
  const { board, socket, driver, log } = await atDesk();
  board.on("announcement", () => {
    throw new Error("mine");
  });
  board.on("announcement", ({ text }) => log.push(text));
  socket.serve({ kind: "announcement", text: "maintenance at noon" });
  assert.deepEqual(log, ["maintenance at noon"]);
  assert.deepEqual(driver.reports, ["a listener threw: Error: mine"]);
});

test("degraded is set and cleared again", async () => {
  const { board, socket, presence } = await atDesk();
  const seen: string[] = [];
  board.subscribe(() => seen.push(board.status));
  socket.serve({ kind: "degraded", on: true }, { kind: "degraded", on: false });
  assert.deepEqual(seen, ["degraded", "connected"]);
  assert.equal(presence.status, "connected");
});

test("degraded on one board concerns that board only, is apart from degraded on all, and ends with our place on the board", async () => {
  const { board, socket, presence, driver } = await atDesk();
  const door = presence.board("door", { username: "me" });
  socket.serve(joined("door", [], { board: 8 }));
  const seen: string[] = [];
  board.subscribe(() => seen.push(board.status));
  const statuses = () => [presence.status, board.status, door.status];
  socket.serve({ kind: "degraded", on: true, board: 7 });
  assert.deepEqual(statuses(), ["connected", "degraded", "connected"]);
  socket.serve({ kind: "degraded", on: true }, { kind: "degraded", on: false, board: 7 });
  assert.deepEqual(statuses(), ["degraded", "degraded", "degraded"]);
  socket.serve({ kind: "degraded", on: true, board: 7 }, { kind: "degraded", on: false });
  assert.deepEqual(statuses(), ["connected", "degraded", "connected"]);
  // A fresh roster says nothing of it.
  socket.serve(joined("desk"));
  assert.deepEqual(statuses(), ["connected", "degraded", "connected"]);
  assert.deepEqual(seen, ["degraded"]);
  socket.drop(1006);
  assert.deepEqual(statuses(), ["reconnecting", "reconnecting", "reconnecting"]);
  await driver.advance(5_000);
  await greet(driver);
  driver.socket.serve(joined("desk"), joined("door", [], { board: 8 }));
  assert.deepEqual(statuses(), ["connected", "connected", "connected"]);
});

test("close leaves every board, says goodbye and ends all timers", async () => {
  const { presence, board, socket, driver } = await atDesk(["ana"]);
  const seen: string[] = [];
  board.subscribe(() => seen.push(board.status));
  presence.board("b2");
  presence.close();
  presence.close();
  assert.deepEqual(socket.sent("leave"), [{ kind: "leave", board: 7 }]);
  assert.equal(socket.closedWith, 1000);
  assert.deepEqual(seen, ["closed"]);
  assert.deepEqual([presence.status, board.others, driver.page, driver.timers], ["closed", [], undefined, 0]);
  assert.equal(presence.board("b3").status, "closed");
  await driver.advance(60_000);
  assert.equal(driver.sockets.length, 1);
});

test("without options, or without a url, createPresence says what it needs", () => {
  for (const options of [undefined, {}, "wss://h", { url: undefined }] as never[])
    assert.throws(() => createPresence(options), {
      name: "TypeError",
      message: /needs the address of the service: createPresence\(\{ url/,
    });
});
