import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member, ServerMessage } from "@presence-service/protocol";
import { joined, memberOf } from "../testing/service.ts";
import { BoardView, type Changes } from "./board-view.ts";

const GRACE_MS = 15_000;
type Joined = Extract<ServerMessage, { kind: "joined" }>;

function view(others: readonly (string | Member)[] = []): BoardView {
  const view = new BoardView({ status: "active", state: {} });
  enter(view, others);
  return view;
}

function enter(view: BoardView, others: readonly (string | Member)[], options: Parameters<typeof joined>[2] = {}, now = 0): Changes {
  return view.joined(joined("b", others, options) as Joined, GRACE_MS, now);
}

const told = ({ events }: Changes) =>
  events.map(({ name, detail }) => `${name} ${detail.member.username} ${"reason" in detail ? detail.reason : detail.member.status}`);
const shown = (view: BoardView) => view.others.map(({ username, status }) => `${username} ${status}`);

test("everybody on the board at first sight has joined", () => {
  const board = new BoardView({ status: "active", state: {} });
  assert.deepEqual(told(enter(board, ["ana", "ben"])), ["user_joined ana active", "user_joined ben active"]);
  assert.equal(board.self?.username, "me");
  assert.equal(board.memberCount, 3);
});

test("a new reference only for what changed", () => {
  const board = view(["ana", "ben"]);
  const { others, users } = board;
  board.cursors([{ actor: 1, at: { x: 1, y: 2 } }]);
  board.userUpdated(1, { status: "active" });
  assert.equal(board.others, others);
  assert.equal(board.users, users);
  board.userUpdated(1, { state: { tool: "pen" } });
  assert.notEqual(board.others, others);
  assert.notEqual(board.others[0], others[0]);
  assert.equal(board.others[1], others[1]);
  const changed = board.users.filter((user) => !users.includes(user)).map(({ username }) => username);
  assert.deepEqual(changed, ["ana"]);
});

test("one user for all members of a userId, in the order in which the first of each joined", () => {
  const board = view([
    memberOf("ana", { joinedAt: 3 }),
    memberOf("ana2", { userId: "ana", joinedAt: 0 }),
    memberOf("me2", { userId: "me" }),
  ]);
  assert.deepEqual(
    board.users.map(({ userId, isSelf, members }) => [userId, isSelf, members.length]),
    [
      ["ana", false, 2],
      ["me", true, 2],
    ],
  );
  assert.deepEqual([board.memberCount, board.userCount], [4, 2]);
});

test("[C2] a member who is there before and after a reconnect is the same object, and never joins or leaves", () => {
  const board = view(["ana", "ben"]);
  const before = board.others;
  assert.deepEqual(told(board.lost()), ["user_updated ana reconnecting", "user_updated ben reconnecting"]);
  assert.deepEqual(told(enter(board, ["ben", "ana"], { board: 3, firstActor: 40 })), [
    "user_updated ben active",
    "user_updated ana active",
  ]);
  assert.deepEqual(
    board.others.map((member, at) => member === before[at]),
    [true, true],
  );
});

test("[C6] missing from a settled roster: gone at once", () => {
  const board = view(["ana", "ben"]);
  board.lost();
  assert.deepEqual(told(enter(board, ["ana"])), ["user_updated ana active", "user_left ben left"]);
});

test("[C6] missing from a settling roster: reconnecting for the grace", () => {
  const board = view(["ana", "ben", "cleo"]);
  board.lost();
  assert.deepEqual(told(enter(board, ["ana"], { settling: true }, 1_000)), ["user_updated ana active"]);
  assert.deepEqual(shown(board), ["ana active", "ben reconnecting", "cleo reconnecting"]);
  assert.equal(board.memberCount, 2);
  assert.deepEqual(told(board.listed([{ actor: 9, member: memberOf("ben") }])), ["user_updated ben active"]);
  assert.deepEqual(told(board.expire(1_000 + GRACE_MS - 1)), []);
  assert.deepEqual(told(board.expire(board.deadline)), ["user_left cleo timeout"]);
  assert.deepEqual(shown(board), ["ana active", "ben active"]);
  assert.equal(board.deadline, Number.POSITIVE_INFINITY);
});

test("[C6] from one settling service to the next the grace goes on; each has a fifth of it to find somebody, and all together two", () => {
  const board = view(["ana", "ben"]);
  for (let at = 0; at < GRACE_MS; at += 1_000) {
    board.lost();
    enter(board, [], { settling: true }, at);
    assert.equal(board.deadline, Math.max(GRACE_MS, at + GRACE_MS / 5));
  }
  // While the connection is lost nobody is removed.
  board.lost();
  assert.deepEqual(told(board.expire(5 * GRACE_MS)), []);
  for (let at = 1.5 * GRACE_MS; at < 2 * GRACE_MS; at += 1_000) {
    board.lost();
    enter(board, [], { settling: true }, at);
    assert.deepEqual(told(board.expire(at)), []);
  }
  // One who was found starts anew.
  board.listed([{ actor: 9, member: memberOf("ben") }]);
  board.lost();
  assert.deepEqual(told(enter(board, [], { settling: true }, 2 * GRACE_MS)), []);
  assert.deepEqual(told(board.expire(2 * GRACE_MS)), ["user_left ana timeout"]);
  assert.equal(board.deadline, 3 * GRACE_MS);
  assert.deepEqual(told(board.expire(3 * GRACE_MS)), ["user_left ben timeout"]);
});

test("our own updates come back late: they do not undo newer ones", () => {
  const board = view();
  board.setOwn({ status: "idle", state: { tool: "ink" } });
  board.userUpdated(0, { status: "active", state: { tool: "pen" }, color: "#000000" });
  assert.deepEqual(board.self, { ...memberOf("me"), status: "idle", state: { tool: "ink" }, color: "#000000" });
  assert.deepEqual(shown(board), []);
});

test("a patch cannot change a memberId, nor break a field", () => {
  const board = view([memberOf("ana", { avatar: "a.png" })]);
  board.userUpdated(1, { memberId: "0".repeat(32), username: 7, status: "dancing", state: null, color: null, avatar: null, extra: 1 });
  assert.deepEqual(board.others, [memberOf("ana")]);
});

test("others are listed in the order of all viewers, whatever order they came in", () => {
  const board = view([memberOf("ana", { joinedAt: 9 }), memberOf("ben", { joinedAt: 7 })]);
  assert.deepEqual(shown(board), ["ben active", "ana active"]);
  board.listed([{ actor: 9, member: memberOf("cleo", { joinedAt: 8 }) }]);
  assert.deepEqual(shown(board), ["ben active", "cleo active", "ana active"]);
  board.userUpdated(2, { joinedAt: 10 });
  assert.deepEqual(shown(board), ["cleo active", "ana active", "ben active"]);
  assert.deepEqual(
    board.users.map(({ username }) => username),
    ["me", "cleo", "ana", "ben"],
  );
});

test("kind, area and times are patched; a value that does not fit leaves them as they are", () => {
  const board = view(["ana"]);
  board.userUpdated(1, { status: "idle", kind: "agent", area: "slide-3", activeAt: 7, joinedAt: 5 });
  const agent = memberOf("ana", { status: "idle", kind: "agent", area: "slide-3", activeAt: 7, joinedAt: 5 });
  assert.deepEqual(board.others, [agent]);
  board.userUpdated(1, { kind: 7, joinedAt: "5" });
  assert.deepEqual(board.others, [agent]);
  board.userUpdated(1, { status: "active", activeAt: null, area: null, kind: "robot" });
  assert.deepEqual(board.others, [memberOf("ana", { joinedAt: 5 })]);
});

test("our own area is what we asked for, and activeAt ends when we are active", () => {
  const board = view();
  board.setOwn({ status: "idle", state: {}, area: "slide-3" });
  board.userUpdated(0, { area: "slide-2", activeAt: 7, status: "idle" });
  assert.deepEqual(board.self, memberOf("me", { status: "idle", area: "slide-3", activeAt: 7 }));
  board.setOwn({ status: "active", state: {} });
  assert.deepEqual(board.self, memberOf("me"));
});

test("unknown actors are ignored", () => {
  const board = view(["ana"]);
  const { version } = board;
  for (const changes of [
    board.userUpdated(99, { status: "idle" }),
    board.userLeft(99, "left"),
    board.cursors([{ actor: 99, at: { x: 1, y: 1 } }]),
  ]) {
    assert.deepEqual(changes, { events: [], moved: [] });
  }
  assert.equal(board.version, version);
});

test("cursors: fractions and integers, hidden with their member, dropped if the roster has none", () => {
  const board = view(["ana", "ben"]);
  const [ana] = board.others;
  const point = { x: 0xffff, y: 0 };
  assert.deepEqual(
    board.cursors([
      { actor: 1, at: point },
      { actor: 0, at: point },
    ]).moved,
    [{ member: ana, x: 1, y: 0, hidden: false, point }],
  );
  assert.deepEqual(board.cursors([{ actor: 1, at: point }]).moved, []);
  assert.equal(board.visibleCursors().length, 1);
  board.cursors([{ actor: 2, at: point }]);
  assert.deepEqual(
    board.userLeft(2, "left").moved.map(({ member, hidden }) => [member.username, hidden]),
    [["ben", true]],
  );
  board.lost();
  assert.equal(board.visibleCursors().length, 1);
  assert.deepEqual(
    enter(board, ["ana"]).moved.map(({ hidden }) => hidden),
    [true],
  );
  board.lost();
  assert.deepEqual(
    enter(board, ["ana"], { at: { ana: { x: 0, y: 0 } } }).moved.map(({ x, hidden }) => [x, hidden]),
    [[0, false]],
  );
});

test("counts hold those beyond the roster, and follow joins and leaves", () => {
  const board = view(["ana"]);
  board.counted(5_000, 4_000);
  assert.deepEqual([board.memberCount, board.userCount], [5_000, 4_000]);
  board.listed([{ actor: 9, member: memberOf("ben") }]);
  board.userLeft(1, "left");
  board.userLeft(9, "left");
  assert.deepEqual([board.memberCount, board.userCount], [4_999, 3_999]);
});

test("an app's view of a state is made once per change", () => {
  let parsed = 0;
  const board = new BoardView({ status: "active", state: {} }, (state) => ({ seen: ++parsed, ...state }));
  enter(board, [memberOf("ana", { state: { a: 1 } })]);
  board.lost();
  enter(board, [memberOf("ana", { state: { a: 1 } })]);
  assert.deepEqual(board.others[0]?.state, { seen: 1, a: 1 });
  board.userUpdated(1, { state: { b: 2 } });
  assert.deepEqual(board.others[0]?.state, { seen: 2, a: 1, b: 2 });
});

test("a roster in pages: others grow, nobody leaves before the last page, and the counts are the service's", () => {
  const board = view(["ana", "ben", "cleo", "dan"]);
  board.lost();
  const first = { ...(joined("b", ["cleo"], { firstActor: 20 }) as Joined), members: 5_000, users: 4_000, following: 3 };
  assert.deepEqual(told(board.joined(first, GRACE_MS, 0)), ["user_updated cleo active"]);
  assert.deepEqual(shown(board), ["ana reconnecting", "ben reconnecting", "cleo active", "dan reconnecting"]);
  assert.deepEqual([board.memberCount, board.userCount], [5_000, 4_000]);
  // One's own entry may come again.
  const second = [
    { actor: 21, member: memberOf("eve"), at: { x: 1, y: 2 } },
    { actor: 0, member: memberOf("me") },
  ];
  const changes = board.listed(second);
  assert.deepEqual([told(changes), changes.moved.map(({ point }) => point)], [["user_joined eve active"], [{ x: 1, y: 2 }]]);
  assert.deepEqual(told(board.listed([{ actor: 22, member: memberOf("ana") }])), [
    "user_updated ana active",
    "user_left ben left",
    "user_left dan left",
  ]);
  assert.deepEqual([board.memberCount, board.userCount, board.self?.username], [5_000, 4_000, "me"]);
});

test("a roster of a settling service in pages: those it did not name are missing after the last page", () => {
  const board = view(["ana", "ben"]);
  board.lost();
  board.joined({ ...(joined("b", [], { settling: true }) as Joined), following: 1 }, GRACE_MS, 100);
  board.listed([{ actor: 5, member: memberOf("ben") }]);
  assert.deepEqual(shown(board), ["ana reconnecting", "ben active"]);
  assert.deepEqual(told(board.expire(100 + GRACE_MS)), ["user_left ana timeout"]);
});

test("a roster that was cut off is given up with its connection", () => {
  const board = view(["ana", "ben"]);
  board.lost();
  board.joined({ ...(joined("b", ["ana"]) as Joined), following: 1 }, GRACE_MS, 0);
  board.lost();
  assert.deepEqual(shown(board), ["ana reconnecting", "ben reconnecting"]);
  assert.deepEqual(told(enter(board, ["ana"])), ["user_updated ana active", "user_left ben left"]);
});

test("[C2] a crowd whose status changes is one message: an event for each member, none for ourselves, and nobody else is touched", () => {
  const board = view(["ana", "ben", "cleo"]);
  const { self } = board;
  const crowd = { kind: "statuses", board: 7, actors: [board.selfActor ?? assert.fail(), 1, 2, 99] } as const;
  const away = board.statuses({ ...crowd, status: "reconnecting", activeAt: 5, afterMs: [0, 10, 20] });
  assert.deepEqual(told(away), ["user_updated ana reconnecting", "user_updated ben reconnecting"]);
  assert.deepEqual(
    board.others.map(({ username, status, activeAt }) => [username, status, activeAt]),
    [
      ["ana", "reconnecting", 15],
      ["ben", "reconnecting", 25],
      ["cleo", "active", undefined],
    ],
  );
  assert.deepEqual(told(board.statuses({ ...crowd, status: "active" })), ["user_updated ana active", "user_updated ben active"]);
  assert.deepEqual([board.others[0]?.activeAt, board.self], [undefined, self]);
});
