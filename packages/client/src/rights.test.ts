/** Rights that change: fresh tokens, boards whose rights cannot be looked up, refusals, kicks. docs/PROTOCOL.md, Rights. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { atDesk, joined } from "./testing/service.ts";

test("asked for a fresh token, the client gets one and sends it", async () => {
  let tokens = 0;
  const { socket, driver } = await atDesk([], {}, { token: () => `token ${++tokens}` });
  socket.serve({ kind: "token_expiring", expiresInMs: 60_000 });
  await driver.advance();
  assert.deepEqual(socket.sent("auth"), [{ kind: "auth", token: "token 2" }]);
});

test("a token that is a string is not renewed; a token() that fails is an error, and is called again with the next reminder", async () => {
  const fixed = await atDesk([], {}, { token: "fixed" });
  fixed.socket.serve({ kind: "token_expiring", expiresInMs: 60_000 });
  await fixed.driver.advance();
  assert.deepEqual(fixed.socket.sent("auth"), []);

  let isDown = false;
  const { socket, driver, log, board } = await atDesk([], {}, { token: () => (isDown ? assert.fail("offline") : "good") });
  isDown = true;
  socket.serve({ kind: "token_expiring", expiresInMs: 60_000 });
  await driver.advance();
  assert.deepEqual([log, board.status, socket.sent("auth")], [["!token_failed"], "connected", []]);
  isDown = false;
  socket.serve({ kind: "token_expiring", expiresInMs: 30_000 });
  await driver.advance();
  assert.deepEqual(socket.sent("auth"), [{ kind: "auth", token: "good" }]);
});

test("a join refused as unavailable is repeated, after longer and longer waits; other boards are not affected", async () => {
  const { presence, board, socket, driver } = await atDesk();
  const other = presence.board("other", { username: "me" });
  const joins = () => socket.sent("join").filter(({ boardId }) => boardId === ("other" as BoardId)).length;
  const unavailable = () => socket.serve({ kind: "error", code: "unavailable", message: "later", ref: "other" });
  const codes: string[] = [];
  other.on("error", ({ code }) => codes.push(code));
  unavailable();
  await driver.advance(900);
  assert.deepEqual([joins(), board.status, other.status], [1, "connected", "connecting"]);
  await driver.advance(200);
  assert.equal(joins(), 2);
  unavailable();
  await driver.advance(1_800);
  assert.equal(joins(), 2);
  await driver.advance(400);
  assert.equal(joins(), 3);
  socket.serve(joined("other", [], { board: 9 }));
  assert.deepEqual([other.status, codes], ["connected", ["unavailable", "unavailable"]]);
});

test("a join again that is refused ends the board without a leave: the service has taken us off it", async () => {
  const { board, socket, log, presence } = await atDesk(["ana"]);
  board.rename("Me");
  socket.serve({ kind: "error", code: "bad_board", message: "no such board", ref: "desk" });
  assert.deepEqual([log, board.status, presence.status, socket.sent("leave")], [["!bad_board"], "closed", "connected", []]);
});

test("an announcement for one board reaches listeners of that board only", async () => {
  const { presence, board, socket } = await atDesk();
  const other = presence.board("other", { username: "me" });
  socket.serve(joined("other", [], { board: 9 }));
  const heard: string[] = [];
  board.on("announcement", ({ text }) => heard.push(`desk ${text}`));
  other.on("announcement", ({ text }) => heard.push(`other ${text}`));
  socket.serve({ kind: "announcement", text: "here", board: 9 }, { kind: "announcement", text: "all" });
  assert.deepEqual(heard, ["other here", "desk all", "other all"]);
});

test("an error about a join that could not be read goes to the board that waits for its answer", async () => {
  const { presence, socket } = await atDesk();
  const other = presence.board("other", { username: "me" });
  socket.serve({ kind: "error", code: "bad_message", message: "join: boardId must be …", ref: "join" });
  assert.equal(other.status, "closed");
});
