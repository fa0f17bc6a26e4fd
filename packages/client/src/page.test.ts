/** `board.page`: members of a board of any size, and events of members who were not introduced. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, greet, joined, memberOf } from "./testing/service.ts";

const board = 7;
const ids = ["ana", "ben"].map((name) => memberOf(name).memberId);

test("pages are answered in order, and read as the app reads states", async () => {
  const { board: desk, socket, log } = await atDesk([], {}, { parseState: (state) => ({ read: true, ...state }) });
  const first = desk.page();
  const second = desk.page({ count: 2, after: ids[0] ?? "" });
  assert.deepEqual(socket.sent("page"), [
    { kind: "page", board, count: 100 },
    { kind: "page", board, count: 2, after: ids[0] },
  ]);
  socket.serve({ kind: "paged", board, members: [memberOf("ana")], more: true });
  socket.serve({ kind: "paged", board, members: [], more: false });
  assert.deepEqual(await first, { members: [memberOf("ana", { state: { read: true } })], more: true });
  assert.deepEqual([await second, desk.others, log], [{ members: [], more: false }, [], []]);
});

test("a page is refused without a connection, when it is lost, and after leave", async () => {
  const { board: desk, socket, driver } = await atDesk();
  const asked = desk.page();
  socket.drop(1006);
  await assert.rejects(asked, /connection was lost before the page came/);
  await assert.rejects(desk.page(), /not connected/);
  await driver.advance(5_000);
  const again = await greet(driver);
  again.serve(joined("desk"));
  const once = desk.page();
  again.serve({ kind: "paged", board, members: [], more: false });
  assert.deepEqual(await once, { members: [], more: false });
  desk.leave();
  await assert.rejects(desk.page(), /was left/);
});

test("a page that cannot be is refused before it is asked", async () => {
  const { board: desk, socket } = await atDesk();
  for (const count of [0, 1001, 1.5]) await assert.rejects(desk.page({ count }), RangeError);
  await assert.rejects(desk.page({ after: "ana" }), TypeError);
  assert.deepEqual(socket.sent("page"), []);
});

test("an event of a member who was not introduced brings its sender, who is not shown", async () => {
  const { board: desk, socket, log } = await atDesk();
  const heard: unknown[] = [];
  desk.on("wave", (event) => heard.push(event));
  socket.serve({ kind: "event", board, actor: 9_000, name: "wave", data: 1, member: memberOf("zoe") });
  socket.serve({ kind: "event", board, actor: 9_001, name: "wave", data: 2 });
  assert.deepEqual([heard, log, desk.others], [[{ member: memberOf("zoe"), data: 1 }], [], []]);
});
