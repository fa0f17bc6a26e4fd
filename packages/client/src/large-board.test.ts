/** The work of a page on a board of a thousand listed members: no change costs work for all of them unless the app asks for their list. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { BoardView } from "./core/board-view.ts";
import { atDesk, joined, memberOf } from "./testing/service.ts";

const LISTED = 1000;
const TIMES = 100;
const names = Array.from({ length: LISTED }, (_, nth) => `p${nth}`);

/** How often a list of so many is sorted, as making the list of all others is. */
function sortsOfLongLists(t: TestContext): { count: number } {
  const seen = { count: 0 };
  const { sort } = Array.prototype;
  t.after(() => Object.assign(Array.prototype, { sort }));
  Array.prototype.sort = function (this: unknown[], ...by) {
    if (this.length >= LISTED / 2) seen.count++;
    return sort.apply(this, by);
  };
  return seen;
}

test("comings and goings make no list of all members, and one when the app asks for it", async (t) => {
  const { board, socket } = await atDesk(names);
  const sorts = sortsOfLongLists(t);
  let changes = 0;
  board.subscribe(() => changes++);
  for (let nth = 0; nth < TIMES; nth++) {
    socket.serve({ kind: "user_joined", board: 7, actor: 5000 + nth, member: memberOf(`late${nth}`, { joinedAt: 1 }) });
    socket.serve({ kind: "user_left", board: 7, actor: 1 + nth, reason: "left" });
  }
  assert.deepEqual([changes, sorts.count], [2 * TIMES, 0]);
  assert.equal(board.others.length, LISTED);
  assert.equal(sorts.count, 1);
});

test("counts of a large board change while nobody who is listed does: the lists are those of before, and nothing is sorted", async (t) => {
  const { board, socket } = await atDesk(names);
  const before = board.snapshot();
  const sorts = sortsOfLongLists(t);
  for (let nth = 1; nth <= TIMES; nth++) {
    socket.serve({ kind: "presence_update", board: 7, members: 9000 + nth, users: 8000 + nth });
    const { others, users, memberCount, userCount } = board.snapshot();
    assert.deepEqual([memberCount, userCount], [9000 + nth, 8000 + nth]);
    assert.ok(others === before.others && users === before.users);
  }
  assert.equal(sorts.count, 0);
});

test("the counts are those of the members at every step, however they come, change, are missing and leave", () => {
  const view = new BoardView({ status: "active", state: {} });
  let state = 7;
  const below = (count: number) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * count);
  };
  const person = () => memberOf(`m${below(12)}`, { userId: ["me", "u1", "u2", "u3", "u4"][below(5)] ?? "" });
  const roster = () => [...new Map(Array.from({ length: below(8) }, person).map((member) => [member.memberId, member])).values()];
  let now = 0;
  view.joined(joined("b", roster()) as never, 1000, now);
  for (let step = 0; step < 3000; step++) {
    now += below(300);
    const actor = below(12);
    [
      () => view.listed([{ actor, member: person() }]),
      () => view.userUpdated(actor, { userId: `u${below(5)}` }),
      () => view.userUpdated(actor, { status: "idle" }),
      () => view.userLeft(actor, "left"),
      () => view.expire(now),
      () => view.lost(),
    ][below(6)]?.();
    if (view.selfActor === undefined) view.joined(joined("b", roster(), { settling: below(2) === 0 }) as never, 1000, now);
    // Without those beyond the list: nobody else is on this board.
    view.counted(0, 0);
    const shown = view.others.filter(({ status }) => status !== "reconnecting");
    const people = new Set([...(view.self ? [view.self] : []), ...shown].map(({ userId }) => userId));
    assert.deepEqual([view.memberCount, view.userCount], [shown.length + 1, people.size], `step ${step}`);
  }
});

test("the clock is asked once for each message of cursors, not once for each cursor", async (t) => {
  const { board, socket, driver } = await atDesk(names);
  const told: number[] = [];
  board.cursors.subscribe((moved) => told.push(moved.length));
  const { mock } = t.mock.method(driver, "now");
  const moves = names.slice(0, 500).map((_, at) => ({ actor: 1 + at, at: { x: at, y: at } }));
  socket.serve({ kind: "cursors", board: 7, stamp: 0, moves });
  assert.deepEqual(told, [500]);
  assert.ok(mock.callCount() < 10, `${mock.callCount()} times`);
});
