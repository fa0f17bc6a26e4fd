/** A board given back and taken again, as by a framework that mounts a component anew: the client does not leave the board. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, greet, joined, logOf, names } from "./testing/service.ts";

const RELEASE_MS = 1_000;

test("given back and taken again in one task: the same membership, with cursor, state and listeners of its own", async () => {
  const { presence, board, socket, driver } = await atDesk(["ana"], { tool: "pen" });
  board.moveCursor(0.5, 0.5);
  board.update({ tool: "ink" });
  await driver.advance(100);
  const said = socket.kinds;
  const { self } = board;
  const late: string[] = [];
  board.on("user_joined", ({ member }) => late.push(member.username));
  board.leave();
  assert.deepEqual([board.status, board.self], ["closed", null]);
  const again = presence.board("desk", { username: "me", state: { tool: "pen" } });
  assert.deepEqual([again.status, again.self, names(again)], ["connected", self, ["ana active"]]);
  await driver.advance(10 * RELEASE_MS);
  assert.deepEqual(socket.kinds, said);
  again.leave();
  await driver.advance(RELEASE_MS - 1);
  assert.deepEqual(socket.kinds, said);
  await driver.advance(1);
  assert.deepEqual(socket.kinds.slice(0, said.length + 1), [...said, "leave"]);
  assert.deepEqual(late, []);
});

test("changed options are applied when a board is taken again; omitted or unchanged options leave name and state as they are", async () => {
  const { presence, board, socket, driver } = await atDesk([], { tool: "pen" });
  board.update({ size: 2 });
  await driver.advance(100);
  board.leave();
  const second = presence.board("desk");
  assert.deepEqual([second.self?.username, second.self?.state], ["me", { tool: "pen", size: 2 }]);
  second.leave();
  assert.throws(() => presence.board("desk", { username: "other", state: { big: "x".repeat(5_000) } }), RangeError);
  const third = presence.board("desk", { username: "other", state: { tool: "ink" } });
  assert.deepEqual([third.self?.username, third.self?.state], ["other", { tool: "ink" }]);
  await driver.advance(100);
  const join = socket.sent("join").at(-1);
  assert.deepEqual([join?.attempt, join?.username, join?.state], [2, "other", { tool: "ink" }]);
  await driver.advance(10 * RELEASE_MS);
  assert.equal(socket.sent("leave").length, 0);
  third.leave();
  const fourth = presence.board("desk", { username: "other", state: { tool: "ink" } });
  fourth.update({ tool: "gum" });
  assert.deepEqual(fourth.self?.state, { tool: "gum" });
});

test("at the end of the page or of the client the leave is sent without a wait", async () => {
  const { presence, board, socket, driver } = await atDesk();
  const other = presence.board("b2");
  socket.serve(joined("b2", [], { board: 8 }));
  board.leave();
  assert.equal(socket.sent("leave").length, 0);
  driver.page?.ended();
  assert.deepEqual(socket.sent("leave"), [{ kind: "leave", board: 7 }]);
  assert.equal(other.status, "connected");
  other.leave();
  presence.close();
  assert.deepEqual(socket.sent("leave").at(-1), { kind: "leave", board: 8 });
  assert.deepEqual([socket.closedWith, driver.timers], [1000, 0]);
});

test("a lost connection is not made again for a board that was given back, unless it is taken again", async () => {
  const { presence, board, socket, driver } = await atDesk(["ana"]);
  await driver.advance(5_000);
  board.leave();
  socket.drop(1006);
  const again = presence.board("desk");
  const log = logOf(again);
  await driver.advance(1_000);
  const next = await greet(driver);
  next.serve(joined("desk", ["ana"]));
  assert.deepEqual([again.status, log], ["connected", ["~ana active"]]);
  await driver.advance(5_000);
  again.leave();
  next.drop(1006);
  await driver.advance(60_000);
  assert.equal(driver.sockets.length, 2);
});

test("a refused board that was given back is asked for anew", async () => {
  const { presence, board, socket } = await atDesk();
  board.on("error", () => {});
  const refused = presence.board("b2");
  refused.on("error", () => {});
  socket.serve({ kind: "error", code: "bad_board", message: "no", ref: "b2" });
  const second = presence.board("b2");
  assert.equal(second.status, "closed");
  refused.leave();
  second.leave();
  const { length } = socket.sent("join");
  presence.board("b2").leave();
  assert.equal(presence.board("b2").status, "connecting");
  assert.equal(socket.sent("join").length, length + 1);
});

test("300 boards entered and left at once never exceed the limit of boards", async () => {
  const { presence, socket, driver } = await atDesk();
  let [inside, most] = [1, 1];
  const boards = Array.from({ length: 300 }, (_, at) => `b${at}`);
  for (const [at, id] of boards.entries()) {
    const board = presence.board(id);
    socket.serve(joined(id, [], { board: at + 10 }));
    board.leave();
    inside = 1 + at + 1 - socket.sent("leave").length;
    most = Math.max(most, inside);
  }
  assert.equal(most, 32);
  await driver.advance(RELEASE_MS);
  assert.equal(socket.sent("leave").length, 300);
});

test("StrictMode: taken, given back and taken at the first mount", async () => {
  const { presence, socket, driver } = await atDesk();
  presence.board("b2", { username: "me" }).leave();
  const board = presence.board("b2", { username: "me" });
  socket.serve(joined("b2", ["ana"], { board: 8 }));
  await driver.advance(10 * RELEASE_MS);
  assert.deepEqual([board.status, names(board)], ["connected", ["ana active"]]);
  assert.deepEqual([socket.sent("join").length, socket.sent("leave").length], [2, 0]);
});
