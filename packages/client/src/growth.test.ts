/** Services of a later release at this SDK: the app is told the same as by one of this release. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE, type ServerMessage } from "@presence-service/protocol";
import { isSentByServers, MESSAGE_FIELDS } from "../../protocol/src/message-fields.ts";
import { laterBinary, UNKNOWN_MESSAGES } from "../../protocol/test/later.ts";
import { createPresence } from "./client.ts";
import { FakeDriver, type FakeSocket } from "./testing/fake-driver.ts";
import { atDesk, greet, joined, logOf, memberOf, welcome } from "./testing/service.ts";

const ana = memberOf("ana", { avatar: "https://example.com/a.png", state: { tool: "pen" } });
const board = 7;

/** Every message of the service, in an order that makes sense. */
const MESSAGES: readonly ServerMessage[] = [
  welcome(),
  joined("desk", [ana, "ben"], { at: { ana: { x: 1, y: 2 } } }),
  { kind: "pace", cursorMs: 100 },
  { kind: "heartbeat" },
  { kind: "user_joined", board, actor: 3, member: memberOf("cleo") },
  { kind: "roster", board, roster: [{ actor: 4, member: memberOf("dan"), at: { x: 3, y: 4 } }] },
  { kind: "paged", board, members: [ana], more: false },
  { kind: "user_updated", board, actor: 1, patch: { status: "idle", state: { tool: null } } },
  { kind: "statuses", board, status: "idle", actors: [2, 4], activeAt: 1_760_000_000_000, afterMs: [0, 1500] },
  {
    kind: "cursors",
    board,
    stamp: 9,
    moves: [
      { actor: 1, at: { x: 500, y: -70_000 } },
      { actor: 2, at: null },
    ],
  },
  { kind: "presence_update", board, members: 9, users: 8 },
  { kind: "event", board, actor: 1, name: "reaction", data: { emoji: "🎉" } },
  { kind: "announcement", text: "Back at noon" },
  { kind: "announcement", text: "Only here", board },
  { kind: "degraded", on: true, board },
  { kind: "degraded", on: false, board },
  { kind: "occupancy", boards: [{ board: "doc-42" as BoardId, members: 3, users: 2 }] },
  { kind: "degraded", on: true },
  { kind: "error", code: "too_fast", message: "slow down", ref: "desk" },
  { kind: "user_left", board, actor: 3, reason: "kicked" },
  { kind: "token_expiring", expiresInMs: 60_000 },
  { kind: "goodbye", code: 4000, retryAfterMs: 250 },
];

async function told(serve: (socket: FakeSocket, message: ServerMessage) => void): Promise<string[]> {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "ws://test", driver, token: () => "token" });
  const desk = presence.board("desk", { username: "me", state: { tool: "pen" } });
  const log = logOf(desk);
  desk.on("announcement", ({ text }) => log.push(`announcement ${text}`));
  desk.on("reaction", ({ member, data }) => log.push(`reaction ${member.username} ${JSON.stringify(data)}`));
  desk.cursors.subscribe((moved) => log.push(`moved ${JSON.stringify(moved)}`));
  desk.subscribe(() => log.push(JSON.stringify(desk.snapshot())));
  await driver.advance();
  const { socket } = driver;
  socket.accept();
  for (const message of MESSAGES) {
    serve(socket, message);
    await driver.advance(60);
  }
  socket.drop(CLOSE.draining.code);
  await driver.advance(400);
  return [...log, ...socket.kinds, String(driver.sockets.length)];
}

test("a later service is understood in all that this SDK knows, and the app does not notice the rest", async () => {
  const kinds = Object.entries(MESSAGE_FIELDS).flatMap(([kind, fields]) => (isSentByServers(fields) ? [kind] : []));
  assert.deepEqual(new Set(MESSAGES.map(({ kind }) => kind)), new Set(kinds));
  const today = await told((socket, message) => socket.serve(message));
  assert.ok(today.length > 20, String(today.length));
  const later = await told((socket, message) => {
    socket.serveBytes(new Uint8Array(Buffer.from(UNKNOWN_MESSAGES.service.hex, "hex")));
    const inPatch =
      message.kind === "user_updated" ? { ...message, patch: { ...message.patch, mood: "calm", seen: { since: 7 } } } : message;
    socket.serveBytes(laterBinary(inPatch));
  });
  assert.deepEqual(later, today);
});

test("values of a later service: a status is shown as active, a reason as left, an error is passed on", async () => {
  const { socket, board: desk, log } = await atDesk([memberOf("ana", { status: "idle" }), "ben"]);
  const errors: string[] = [];
  desk.on("error", ({ code, message }) => errors.push(`${code}: ${message}`));
  socket.serve({ kind: "user_updated", board, actor: 1, patch: { status: "away" } });
  assert.equal(desk.others[0]?.status, "active");
  socket.serveBytes(Uint8Array.of(0x45, board, 2, 0x63));
  socket.serveBytes(Uint8Array.of(0x4c, 0xc8, 2, 0x68, 0x69));
  socket.serve({ kind: "error", code: "unknown_message", message: "no such message" });
  assert.deepEqual(log, ["~ana active", "-ben left", "!unknown", "!unknown_message"]);
  assert.deepEqual([errors, desk.status], [["unknown: hi", "unknown_message: no such message"], "connected"]);
});

for (const [code, isFinal] of [
  [4002, false],
  [4099, false],
  [4400, true],
  [4499, true],
  [3000, false],
  [4600, false],
] as const) {
  test(`the unknown close code ${code} ${isFinal ? "ends the client" : "is a reason to connect again"}, also where a goodbye names it`, async () => {
    for (const isSaid of [false, true]) {
      const driver = new FakeDriver();
      const presence = createPresence({ url: "ws://test", driver });
      const log = logOf(presence.board("desk"));
      const socket = await greet(driver);
      if (isSaid) socket.serve({ kind: "goodbye", code, retryAfterMs: 100 });
      socket.drop(isSaid ? CLOSE.lost.code : code);
      await driver.advance(5_000);
      assert.deepEqual([driver.sockets.length > 1, log], [!isFinal, isFinal ? ["!ended"] : []]);
    }
  });
}
