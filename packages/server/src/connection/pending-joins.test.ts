/** Messages that wait for the host's answer are bounded, by board and in all. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, ClientMessage } from "@presence-service/protocol";
import { PendingJoins } from "./pending-joins.ts";

test("what is held for the boards of one connection is bounded in bytes, and what is done or given up counts no more", () => {
  const pending = new PendingJoins();
  const boards = Array.from({ length: 32 }, (_, nth) => `b${nth}` as BoardId);
  const held = boards.map((board) => pending.begin(board));
  const event = (board: BoardId): ClientMessage => ({ kind: "broadcast", board, name: "n", data: [] });
  const fill = () => boards.reduce((count, board) => count + Number(pending.hold(board, { message: event(board), bytes: 4096 })), 0);
  assert.deepEqual([fill(), fill()], [16, 0]);
  assert.equal(pending.end("b0" as BoardId, held[0] ?? []), true);
  assert.equal(pending.giveUp("b1" as BoardId), true);
  assert.equal(fill(), 2);
  pending.giveUpAll();
  for (const board of boards) pending.begin(board);
  const move: ClientMessage = { kind: "cursor", board: "b0" as BoardId, at: null };
  for (let nth = 0; nth < 5000; nth++) assert.equal(pending.hold("b0" as BoardId, { message: move, bytes: 60 }), true);
  assert.equal(fill(), 15);
});
