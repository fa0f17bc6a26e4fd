/** A user who takes another name: shown at once, told in a join in place, and what becomes of it when the service is away, refuses it or is too busy. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, greet, joined, memberOf, refuse } from "./testing/service.ts";

test("renamed: shown at once, one join in place, and the cursor stays", async () => {
  const { board, socket, driver, log } = await atDesk(["ana"]);
  board.moveCursor(0, 0);
  await driver.advance(100);
  const statuses: string[] = [];
  board.subscribe(() => statuses.push(board.status));
  board.rename("Zed");
  board.rename("Zed");
  assert.equal(board.self?.username, "Zed");
  assert.deepEqual(socket.kinds.slice(-2), ["join", "cursor"]);
  assert.deepEqual(
    socket
      .sent("join")
      .map(({ attempt, username }) => [attempt, username])
      .slice(1),
    [[2, "Zed"]],
  );
  const { self } = board;
  socket.serve(joined("desk", ["ana"], { me: memberOf("me", { username: "Zed" }) }));
  assert.equal(board.self, self);
  assert.deepEqual([statuses, log, driver.sockets.length], [["connected"], [], 1]);
  assert.throws(() => board.rename("Zed\u202e"), TypeError);
  assert.throws(() => board.rename("x".repeat(257)), RangeError);
  assert.equal(board.self, self);
});

test("renamed twice in one task: the second waits for the answer to the first", async () => {
  const { board, socket } = await atDesk();
  for (const name of ["Y", "Ye", "Yen"]) board.rename(name);
  assert.deepEqual(
    socket.sent("join").map(({ username }) => username),
    ["me", "Y"],
  );
  socket.serve(joined("desk", [], { me: memberOf("me", { username: "Y" }) }));
  assert.equal(board.self?.username, "Yen");
  assert.deepEqual(
    socket.sent("join").map(({ username }) => username),
    ["me", "Y", "Yen"],
  );
  socket.serve(joined("desk", [], { me: memberOf("me", { username: "Yen" }) }));
  assert.equal(socket.sent("join").length, 3);
});

test("renamed while offline: kept, and sent on return", async () => {
  const { board, socket, driver } = await atDesk();
  await driver.advance(5_000);
  socket.drop(1006);
  board.rename("Zed");
  assert.equal(board.self?.username, "Zed");
  await driver.advance(1_000);
  const next = await greet(driver);
  assert.deepEqual(
    next.sent("join").map(({ username }) => username),
    ["Zed"],
  );
});

test("a name that the service refuses, or replaces, is not kept up", async () => {
  const { board, socket, driver, log } = await atDesk();
  board.rename("Admin");
  refuse(socket, "bad_username");
  assert.deepEqual([board.status, board.self?.username, log], ["connected", "me", ["!bad_username"]]);
  await driver.advance(1_000);
  assert.equal(socket.sent("join").at(-1)?.username, "me");
  socket.serve(joined("desk"));
  board.rename("Zed");
  socket.serve(joined("desk", [], { me: memberOf("me", { username: "Ms Known" }) }));
  assert.equal(board.self?.username, "Ms Known");
});

test("renamed when joins come too fast: the pause is kept, and so is the name", async () => {
  const { board, socket, driver } = await atDesk();
  board.rename("Zed");
  refuse(socket, "too_fast");
  board.rename("Zoe");
  assert.equal(socket.sent("join").length, 2);
  await driver.advance(1_000);
  assert.deepEqual([socket.sent("join").at(-1)?.username, board.self?.username], ["Zoe", "Zoe"]);
});
