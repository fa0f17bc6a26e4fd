/** Rights with limits: a yes without broadcasts, a user who is nobody in particular, and a fresh token that says less than the one before. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { BoardId } from "@presence-service/protocol";
import { asked, told, words } from "../testing/answers.ts";
import { Desk } from "../testing/desk.ts";
import type { Limits, User } from "./auth.ts";

const BOARD = "b" as BoardId;

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: a user who may not broadcast is shown, moves and updates, and each broadcast is refused`, async () => {
    const desk = await Desk.open({ authorize: (_user, boardId) => (boardId === "b" ? { broadcast: false } : { broadcast: true }) });
    const ben = desk.enter(encoding, "b", "Ben");
    const ana = desk.enter(encoding, "b", "Ana");
    told(desk, ben);
    ana.say({ kind: "broadcast", board: ana.ref("b"), name: "n", data: 1 });
    ana.say({ kind: "update", board: ana.ref("b"), state: { n: 1 } });
    ana.move("b", 1, 2);
    assert.deepEqual(words(told(desk, ana)), [encoding === "json" ? "not_allowed b" : "not_allowed broadcast"]);
    assert.deepEqual(words(told(desk, ben)).sort(), ["cursors", "user_updated"]);
    const [one, other] = [desk.enter(encoding, "c", "One"), desk.enter(encoding, "c", "Other")];
    told(desk, other);
    one.say({ kind: "broadcast", board: one.ref("c"), name: "n", data: 1 });
    assert.deepEqual(words(told(desk, other)), ["event"]);
  });
}

for (const answer of [{}, { broadcast: 0 }, { broadcast: true, admin: true }, { id: 7 }, [], "yes", 1]) {
  test(`an answer of authorize that is ${JSON.stringify(answer)} gives no right, and is remarked`, async () => {
    const desk = await Desk.open({ authorize: () => answer as unknown as boolean });
    const ana = desk.connect("json");
    ana.hello();
    ana.join("b", "Ana");
    assert.deepEqual(words(told(desk, ana)), ["welcome", "bad_board b"]);
    assert.equal(desk.lines.filter((line) => line.includes("authorize answered neither")).length, 1);
  });
}

test("[C1] each session of nobody in particular is a person of its own, and authorize is asked about it", async () => {
  const users: User[] = [];
  const desk = await Desk.open({
    authenticate: (token) => (token === undefined ? { userId: "", anonymous: true } : { userId: token }),
    authorize: (user) => {
      users.push(user);
      return true;
    },
  });
  const ana = desk.enter("json", "b", "Ana");
  const ben = desk.enter("json", "b", "Ben");
  const joined = [...told(desk, ana), ...told(desk, ben)].flatMap((message) => (message.kind === "user_joined" ? [message.member] : []));
  assert(joined.length > 0);
  for (const member of joined) assert.equal(member.userId, member.memberId);
  assert.equal(users.filter(({ anonymous }) => anonymous === true).length, 2);
});

const LIFE_MS = 60_000;

/** A host whose rights are as they are set at the moment. */
async function hostOf(rights: { may: boolean | Limits | "broken" }) {
  const desk: Desk = await Desk.open({
    authenticate: (token) => ({ userId: token ?? "", expiresAt: desk.clock.wallNow() + LIFE_MS }),
    authorize: () => (rights.may === "broken" ? assert.fail("no database") : rights.may),
  });
  const ana = desk.connect("json");
  ana.hello({ token: "ana" });
  ana.join("b", "Ana");
  ana.say({ kind: "watch", boards: ["w" as BoardId] });
  told(desk, ana);
  const renew = () => {
    ana.say({ kind: "auth", token: "ana" });
    return words(told(desk, ana));
  };
  return { desk, ana, renew };
}

test("a fresh token has the host asked again: what the user may not do any more ends at once, on boards and for counts", async () => {
  const rights = { may: true as boolean | Limits | "broken" };
  const { desk, ana, renew } = await hostOf(rights);
  rights.may = { broadcast: false };
  assert.deepEqual(renew(), []);
  ana.say({ kind: "broadcast", board: BOARD, name: "n", data: 1 });
  assert.deepEqual(words(told(desk, ana)), ["not_allowed b"]);
  rights.may = true;
  assert.deepEqual(renew(), []);
  ana.say({ kind: "broadcast", board: BOARD, name: "n", data: 1 });
  assert.deepEqual(words(told(desk, ana)), []);
  rights.may = false;
  assert.deepEqual(renew(), ["bad_board b", "bad_board w"]);
  assert.deepEqual([ana.connection.seats.length, [...ana.connection.watched]], [0, []]);
  assert.equal(ana.socket.closedWith, undefined);
});

test("a host that cannot say with a fresh token takes nothing away", async () => {
  const rights = { may: true as boolean | Limits | "broken" };
  const { ana, renew } = await hostOf(rights);
  rights.may = "broken";
  assert.deepEqual(renew(), []);
  assert.deepEqual([ana.connection.seats.length, [...ana.connection.watched]], [1, ["w"]]);
});

test("an answer that comes when the board has been left and entered again is not about the new stay", async () => {
  const answers = asked<boolean>();
  let isSlow = false;
  const desk: Desk = await Desk.open({
    authenticate: (token) => ({ userId: token ?? "", expiresAt: desk.clock.wallNow() + LIFE_MS }),
    authorize: () => (isSlow ? answers.ask() : true),
  });
  const ana = desk.connect("json");
  ana.hello({ token: "ana" });
  ana.join("b", "Ana");
  told(desk, ana);
  isSlow = true;
  ana.say({ kind: "auth", token: "ana" });
  told(desk, ana);
  isSlow = false;
  ana.say({ kind: "leave", board: BOARD });
  ana.join("b", "Ana");
  answers.take().answer(false);
  await nextTurn();
  assert.equal(ana.connection.seats.length, 1);
});
