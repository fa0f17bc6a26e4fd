/** The getters of a board beside its snapshot. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk } from "./testing/service.ts";

test("what a board shows is the same in parts and in its snapshot", async () => {
  const { board, socket, driver } = await atDesk(["ana", "ben"]);
  const same = () => {
    const { self, others, users, memberCount, userCount } = board;
    assert.deepEqual(
      { ...board.snapshot(), status: "", justLeft: [] },
      { self, others, users, memberCount, userCount, status: "", justLeft: [] },
    );
    for (const part of ["self", "others", "users"] as const) assert.equal(board[part], board.snapshot()[part], part);
  };
  same();
  socket.serve({ kind: "user_left", board: 7, actor: 1, reason: "left" });
  same();
  socket.drop(1006);
  same();
  board.leave();
  await driver.advance(1_000);
  same();
});
