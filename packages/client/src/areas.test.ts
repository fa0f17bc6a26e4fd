/** Cursors of areas: what is shown, what the service is told, how one follows a member, and who has just left. docs/PROTOCOL.md, Areas. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Point } from "@presence-service/protocol";
import { atDesk, greet, joined, memberOf } from "./testing/service.ts";
import type { Board, Followed } from "./types.ts";

const board = 7;
const at = (x: number): Point => ({ x, y: 0 });
const cursors = (...moves: [actor: number, x: number | null][]) =>
  ({ kind: "cursors", board, stamp: 0, moves: moves.map(([actor, x]) => ({ actor, at: x === null ? null : at(x) })) }) as const;
const goes = (actor: number, area: string | null) => ({ kind: "user_updated", board, actor, patch: { area } }) as const;
const inArea = (name: string, area: string) => memberOf(name, { area });

function watch(desk: Board): string[] {
  const log: string[] = [];
  desk.cursors.subscribe((moves) => log.push(...moves.map((move) => `${move.member.username} ${move.hidden ? "-" : move.point.x}`)), {
    smooth: false,
  });
  return log;
}

/** All that was logged since the last call. */
const taken = (log: string[]) => log.splice(0);

test("a cursor is shown only while we look at its member's area, whatever message brought it", async () => {
  const { board: desk, socket, driver } = await atDesk();
  socket.serve(joined("desk", ["ana", inArea("ben", "b"), inArea("cleo", "c")], { at: { ana: at(1), ben: at(2), cleo: at(3) } }));
  const log = watch(desk);
  assert.deepEqual(taken(log), ["ana 1"]);
  socket.serve(cursors([1, 11], [2, 12]), { kind: "user_joined", board, actor: 4, member: inArea("dan", "b"), at: at(4) });
  assert.deepEqual(taken(log), ["ana 11"]);
  desk.area("b");
  await driver.advance(100);
  assert.deepEqual(taken(log), ["ana -"], "the old area is left");
  // Under way when we left it, then the last places of the new one.
  socket.serve(cursors([1, 21]), cursors([2, 22], [4, 24]));
  assert.deepEqual(taken(log), ["ben 22", "dan 24"]);
  socket.serve(goes(2, "c"), goes(1, "b"));
  assert.deepEqual(taken(log), ["ben -"]);
  socket.serve(cursors([1, 31], [2, 32]));
  assert.deepEqual(taken(log), ["ana 31"]);
  socket.serve(goes(1, null));
  assert.deepEqual(taken(log), ["ana -"]);
  assert.deepEqual(socket.sent("look"), [], "one's own area needs no word");
});

test("look: the service is told what differs, and again on a new connection; null is one's own area", async () => {
  const { board: desk, socket, driver } = await atDesk(["ana", inArea("ben", "b")]);
  const log = watch(desk);
  socket.serve(cursors([1, 1]));
  desk.look(["b", "b"]);
  desk.look(["b"]);
  socket.serve(cursors([1, 11], [2, 12]));
  desk.look("all");
  socket.serve(cursors([1, 21], [2, 22]));
  assert.deepEqual(taken(log), ["ana 1", "ana -", "ben 12", "ana 21", "ben 22"]);
  desk.look(null);
  assert.deepEqual(taken(log), ["ben -"]);
  assert.deepEqual(socket.sent("look"), [
    { kind: "look", board, areas: ["b"] },
    { kind: "look", board, all: true },
    { kind: "look", board },
  ]);
  desk.look(["b", ""]);
  socket.drop(1006);
  await driver.advance(5_000);
  const again = await greet(driver);
  assert.deepEqual(again.sent("look"), [], "the board has no number yet");
  again.serve(joined("desk", ["ana", inArea("ben", "b")], { board: 9, at: { ben: at(5) } }));
  assert.deepEqual(again.sent("look"), [{ kind: "look", board: 9, areas: ["b", ""] }]);
  assert.deepEqual(taken(log), ["ana -", "ben 5"]);
  assert.throws(() => desk.look(Array.from({ length: 17 }, (_, nth) => String(nth))), RangeError);
  assert.throws(() => desk.look(["a".repeat(129)]), RangeError);
  assert.throws(() => desk.look("b" as never), TypeError);
});

test("an observer looks at everything, until it says otherwise", async () => {
  const { presence, socket } = await atDesk();
  const seen = presence.observe("other");
  const log = watch(seen);
  socket.serve({ ...joined("other", ["ana", inArea("ben", "b")], { board }), self: 2 ** 30 - 1, observe: true } as never);
  socket.serve(cursors([1, 1], [2, 2]));
  seen.look(["b"]);
  assert.deepEqual(taken(log), ["ana 1", "ben 2", "ana -"]);
});

test("another area: our pointer has no place there until it moves, and no place goes before the area that it is in", async () => {
  const { board: desk, socket, driver } = await atDesk(["ana"]);
  desk.moveCursor(1, 0, { units: "integer" });
  await driver.advance(100);
  const said = () => socket.kinds.slice(2).map((kind, nth) => (kind === "cursor" ? `cursor ${socket.sent("cursor")[nth]}` : kind));
  assert.deepEqual(said().length, 1);
  desk.area("b");
  desk.moveCursor(2, 0, { units: "integer" });
  desk.area("c");
  desk.moveCursor(3, 0, { units: "integer" });
  await driver.advance(100);
  assert.deepEqual(socket.kinds.slice(2), ["cursor", "update", "cursor"]);
  assert.deepEqual(
    socket.sent("cursor").map(({ at }) => at?.x),
    [1, 3],
  );
  assert.equal(socket.sent("update")[0]?.area, "c");
  desk.area("d");
  await driver.advance(1_000);
  assert.deepEqual(socket.kinds.slice(5), ["update"], "the service hides it by itself");
  desk.moveCursor(4, 0, { units: "integer" });
  await driver.advance(100);
  desk.area("e");
  desk.area("d");
  await driver.advance(100);
  assert.deepEqual(socket.kinds.slice(6), ["cursor", "cursor"], "the area was never left for the service, so it is told");
  assert.deepEqual(socket.sent("cursor").at(-1)?.at, null);
  desk.area("f");
  await driver.advance();
  desk.area("g");
  desk.moveCursor(5, 0, { units: "integer" });
  await driver.advance(100);
  assert.deepEqual(
    socket.kinds.slice(8),
    ["update", "update", "cursor"],
    "the place waits for the second update, and no timer runs meanwhile",
  );
});

test("offline the area is kept, and goes with the join, before any place", async () => {
  const { board: desk, socket, driver } = await atDesk(["ana"]);
  socket.drop(1006);
  desk.area("b");
  desk.moveCursor(2, 0, { units: "integer" });
  await driver.advance(5_000);
  const again = await greet(driver);
  again.serve(joined("desk", [inArea("ana", "b")], { at: { ana: at(1) } }));
  await driver.advance(100);
  assert.deepEqual([again.kinds, again.sent("join")[0]?.area], [["hello", "join", "cursor"], "b"]);
});

function followed(desk: Board, name: string) {
  const member = desk.others.find(({ username }) => username === name) ?? assert.fail(name);
  const log: string[] = [];
  const stop = desk.follow(member, ({ member, cursor, ended }: Followed) => {
    log.push(`${member.area ?? ""} ${JSON.stringify(member.state)} ${cursor === null ? "-" : cursor.point.x}${ended ? ` ${ended}` : ""}`);
  });
  return { log, stop };
}

test("follow: area, state and pointer of a member across areas, until we move our own pointer", async () => {
  const { board: desk, socket, driver } = await atDesk([inArea("ana", "a"), inArea("ben", "b")], {}, { smooth: false });
  const others = watch(desk);
  const { log } = followed(desk, "ana");
  assert.deepEqual(taken(log), ["a {} -"]);
  assert.deepEqual(socket.sent("look"), [{ kind: "look", board, areas: ["a", ""] }]);
  socket.serve(cursors([1, 1], [2, 2]));
  socket.serve({ kind: "user_updated", board, actor: 1, patch: { state: { viewport: 3 } } });
  socket.serve({ kind: "user_updated", board, actor: 2, patch: { state: { viewport: 4 } } });
  assert.deepEqual(taken(log), ["a {} 1", 'a {"viewport":3} 1']);
  socket.serve(goes(1, "b"));
  assert.deepEqual(taken(log), ['b {"viewport":3} -']);
  assert.deepEqual(socket.sent("look").at(-1), { kind: "look", board, areas: ["b", ""] });
  assert.throws(() => desk.follow({} as never, () => {}), TypeError);
  socket.serve(cursors([1, 5], [2, 6]));
  // We go where she is: that is our own area then.
  desk.area("b");
  await driver.advance(100);
  assert.deepEqual(socket.sent("look").at(-1), { kind: "look", board });
  desk.hideCursor();
  desk.moveCursor(0.5, 0.5);
  socket.serve(cursors([1, 7]), goes(1, "c"));
  assert.deepEqual(taken(log), ['b {"viewport":3} 5', 'b {"viewport":3} 5 moved']);
  assert.deepEqual(taken(others), ["ana 1", "ana -", "ana 5", "ben 6", "ana 7", "ana -"]);
});

test("follow ends when the member leaves, when it is stopped, when another one is followed, and with the board", async () => {
  const { board: desk, socket, presence } = await atDesk([inArea("ana", "a"), inArea("ben", "b")], {}, { smooth: false });
  const ana = followed(desk, "ana");
  const ben = followed(desk, "ben");
  assert.deepEqual(ana.log, ["a {} -", "a {} - stopped"]);
  const zoe = memberOf("zoe");
  const ended: unknown[] = [];
  desk.follow(zoe, (followed) => ended.push(followed));
  assert.deepEqual(ended, [{ member: zoe, cursor: null, ended: "left" }]);
  assert.deepEqual(taken(ben.log), ["b {} -", "b {} - stopped"]);
  const again = followed(desk, "ben");
  again.stop();
  again.stop();
  assert.deepEqual(taken(again.log), ["b {} -", "b {} - stopped"]);
  assert.deepEqual(socket.sent("look").at(-1), { kind: "look", board });
  const left = followed(desk, "ana");
  socket.serve({ kind: "user_left", board, actor: 1, reason: "left" });
  assert.deepEqual(taken(left.log), ["a {} -", "a {} - left"]);
  const closed = followed(desk, "ben");
  presence.close();
  assert.deepEqual(taken(closed.log), ["b {} -", "b {} - stopped"]);
});

test("a follower is told the member's way back, with the same session", async () => {
  const { board: desk, socket, driver } = await atDesk([inArea("ana", "a")], {}, { smooth: false });
  const { log } = followed(desk, "ana");
  socket.drop(1006);
  await driver.advance(5_000);
  const again = await greet(driver);
  again.serve(joined("desk", [inArea("ana", "c")], { at: { ana: at(9) } }));
  assert.deepEqual(
    again.sent("look"),
    [
      { kind: "look", board, areas: ["a", ""] },
      { kind: "look", board, areas: ["c", ""] },
    ].slice(-2),
  );
  assert.deepEqual([log[0], log.at(-1)], ["a {} -", "c {} -"]);
  again.serve(cursors([1, 9]));
  assert.equal(log.at(-1), "c {} 9");
});

test("just left: members who leave stay for some seconds, unless they were kicked or come back", async () => {
  const people = ["ana", "ben", "cleo", "dan"];
  const { board: desk, socket, driver } = await atDesk(people, {}, { justLeftMs: 5_000 });
  let renders = 0;
  desk.subscribe(() => renders++);
  const names = () => desk.justLeft.map(({ username }) => username);
  socket.serve({ kind: "user_left", board, actor: 1, reason: "left" });
  await driver.advance(2_000);
  socket.serve({ kind: "user_left", board, actor: 2, reason: "timeout" }, { kind: "user_left", board, actor: 3, reason: "kicked" });
  const list = desk.justLeft;
  assert.deepEqual([names(), desk.others.length, desk.snapshot().justLeft === list], [["ana", "ben"], 1, true]);
  renders = 0;
  await driver.advance(2_999);
  assert.deepEqual([names(), renders], [["ana", "ben"], 0]);
  await driver.advance(1);
  assert.deepEqual([names(), renders], [["ben"], 1]);
  socket.serve({ kind: "user_joined", board, actor: 5, member: memberOf("ben") });
  assert.deepEqual([names(), desk.others.map(({ username }) => username)], [[], ["ben", "dan"]]);
  socket.serve({ kind: "user_left", board, actor: 4, reason: "instance_lost" });
  desk.leave();
  assert.deepEqual(desk.justLeft, []);
});

test("just left is empty without the option", async () => {
  const { board: desk, socket, driver } = await atDesk(["ana"]);
  const { justLeft } = desk;
  socket.serve({ kind: "user_left", board, actor: 1, reason: "left" });
  assert.equal(desk.justLeft, justLeft);
  assert.deepEqual(justLeft, []);
  assert.ok(driver.timers <= 1);
  await assert.rejects(atDesk([], {}, { justLeftMs: -1 }), RangeError);
});
