/** Observers at the desk: who may observe, what they are told and refused, and what they count for. docs/REPLICATION.md, R19. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { ACTOR_MAX, type BoardId } from "@presence-service/protocol";
import { type Client, Desk } from "../testing/desk.ts";
import { LIMITS } from "./budget.ts";

const kinds = ({ socket }: Client) => socket.takeMessages().map(({ kind }) => kind);

function observe(client: Client, board = "b", attempt = 1000): void {
  client.say({ kind: "join", boardId: board as BoardId, attempt, username: "", status: "active", state: {}, observe: true });
}

for (const encoding of ["binary", "json"] as const) {
  test(`[R19.1] an observer is told the board and what happens there, and counts nowhere: ${encoding}`, async () => {
    const desk = await Desk.open();
    const ana = desk.enter("json", "b", "Ana");
    const [olga, other] = [desk.enter(encoding), desk.enter(encoding)];
    for (const one of [olga, other]) observe(one);
    desk.clock.advance(100);
    for (const one of [olga, other]) {
      const [joined, ...more] = one.socket.takeMessages();
      assert.ok(joined?.kind === "joined");
      const { self, observe, observed, members, users, roster } = joined;
      assert.deepEqual([self, observe, observed, members, users, roster.length], [ACTOR_MAX, true, true, 1, 1, 1]);
      assert.deepEqual(
        more.map(({ kind }) => kind),
        [],
      );
    }
    const told = ana.socket.takeMessages();
    assert.deepEqual(told, [{ kind: "presence_update", board: "b", members: 1, users: 1, observed: true }]);
    ana.move("b", 1, 2);
    ana.say({ kind: "broadcast", board: ana.ref("b"), name: "wave", data: 1 });
    desk.enter("binary", "b", "Ben");
    assert.deepEqual(kinds(olga), ["event", "user_joined", "presence_update", "cursors"]);
    assert.equal(desk.manager.stats().observers, 2);
    for (const one of [olga, other]) one.leave("b");
    desk.clock.advance(100);
    const last = ana.socket.takeMessages().at(-1);
    assert.deepEqual([last?.kind, last && "observed" in last, desk.manager.stats().observers], ["presence_update", false, 0]);
  });

  test(`[R19.5] an observer that moves, updates or broadcasts is told so, is no abuse, and may become a member: ${encoding}`, async () => {
    const desk = await Desk.open();
    const ana = desk.enter("json", "b", "Ana");
    const olga = desk.enter(encoding);
    observe(olga);
    desk.clock.advance(100);
    for (const { socket } of [ana, olga]) socket.takeMessages();
    olga.move("b", 1, 2);
    olga.say({ kind: "update", board: olga.ref("b"), status: "idle" });
    olga.say({ kind: "broadcast", board: olga.ref("b"), name: "wave", data: 1 });
    const refused = olga.socket.takeMessages().map((message) => message.kind === "error" && message.code);
    assert.deepEqual(refused, ["observing", "observing", "observing"]);
    for (let n = 0; n < 100; n++) olga.move("b", n, n);
    desk.clock.advance(100);
    assert.deepEqual([ana.socket.takeMessages(), olga.connection.who === undefined], [[], false]);
    olga.socket.takeFrames();
    // Messages right behind the join are those of a member.
    olga.join("b", "Olga", 1001);
    olga.move("b", 3, 4);
    desk.clock.advance(100);
    assert.deepEqual(kinds(olga), ["joined"]);
    assert.deepEqual(kinds(ana), ["user_joined", "presence_update", "cursors"]);
    observe(olga, "b", 1002);
    desk.clock.advance(100);
    assert.deepEqual(kinds(ana), ["user_left", "presence_update"]);
  });
}

test("[R19.2] classic clients are not told that a board is observed", async () => {
  const desk = await Desk.open();
  const cleo = desk.enter("classic", "7", "Cleo");
  const olga = desk.enter("json");
  observe(olga, "7");
  desk.clock.advance(100);
  assert.deepEqual(cleo.socket.takeFrames(), []);
  olga.close(1006);
  desk.clock.advance(100);
  assert.deepEqual(cleo.socket.takeFrames(), []);
});

test("[R19.7] the host is told what is asked for, and may allow observing alone", async () => {
  const asked: boolean[] = [];
  const desk = await Desk.open({
    authorize: (_user, _board, { observe }) => {
      asked.push(observe);
      return observe;
    },
  });
  const olga = desk.enter("json");
  observe(olga);
  desk.clock.advance(200);
  assert.deepEqual(kinds(olga), ["joined"]);
  olga.join("b", "Olga", 1001);
  desk.clock.advance(100);
  const [error] = olga.socket.takeMessages();
  assert.deepEqual([asked, error?.kind === "error" && error.code, olga.connection.seats.length], [[true, false], "bad_board", 0]);
  assert.equal(desk.manager.stats().observers, 0);
});

test("[R16.3] an observer that is put off a board is told bad_board, and is on its other boards as before", async () => {
  const desk = await Desk.open({ authenticate: (token) => ({ userId: token ?? "" }) });
  const olga = desk.connect("json");
  olga.hello({ token: "u-olga" });
  for (const board of ["b", "c"]) observe(olga, board);
  desk.clock.advance(300);
  olga.socket.takeMessages();
  desk.manager.input({ kind: "kick", whom: { userId: "u-olga" }, boardId: "b" as BoardId, reason: "" });
  const [error, ...more] = olga.socket.takeMessages();
  assert.deepEqual([error?.kind === "error" && [error.code, error.ref], more], [["bad_board", "b"], []]);
  assert.deepEqual(
    olga.connection.seats.map(({ fanout }) => fanout.boardId),
    ["c"],
  );
});

test("[C2] an observer that is lost leaves nobody behind in its grace", async () => {
  const desk = await Desk.open();
  const lost = LIMITS.graces.burst + 100;
  for (let nth = 0; nth < lost; nth++) {
    const client = desk.connect("json");
    client.hello();
    observe(client);
    client.close(1006);
  }
  assert.equal(desk.metrics.throttled.grace, 0);
  assert.equal(desk.manager.stats().observers, 0);
});
