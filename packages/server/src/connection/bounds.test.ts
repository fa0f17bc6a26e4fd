/** The limits that an operator may change: each is met by one client or address, names itself, and leaves everybody else alone. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE } from "@presence-service/protocol";
import { BOUND_NAMES, BOUNDS, type Bounds, boundsOf } from "../bounds.ts";
import { LIMIT_SETTINGS } from "../config/limit-settings.ts";
import { told, words } from "../testing/answers.ts";
import { Desk } from "../testing/desk.ts";
import { Account, AddressAccount, BUDGETS, budgetsOf, LIMITS, PRICE, ratesOf } from "./budget.ts";

const OTHER = { address: "192.0.2.2" };

function open(bounds: Partial<Bounds>, options: Parameters<typeof Desk.open>[0] = {}): Promise<Desk> {
  return Desk.open({ ...options, bounds: boundsOf(bounds) });
}

test("the defaults of settings are the rates and budgets that docs/OPERATIONS.md shows", () => {
  const bounds = boundsOf();
  assert.deepEqual(ratesOf(bounds), LIMITS);
  assert.deepEqual(budgetsOf(bounds), BUDGETS);
  for (const name of BOUND_NAMES) assert.equal(bounds[name], BOUNDS[name].default);
  assert.equal(Object.keys(LIMIT_SETTINGS).length, BOUND_NAMES.length);
  assert.equal(LIMIT_SETTINGS.CONNECTIONS_PER_ADDRESS.default, "20000");
});

test("a limit that is none, or out of its range, is refused", () => {
  for (const wrong of [{ helloMs: 0 }, { helloMs: 1.5 }, { connectionsPerUser: Number.NaN }, { membersPerBoards: 7 }])
    assert.throws(() => boundsOf(wrong as Partial<Bounds>), { code: "BAD_SETTINGS" });
});

test("a client on as many boards as it may be is told the limit, and goes on", async () => {
  const desk = await open({ boardsPerConnection: 2 });
  const ana = desk.connect("json");
  ana.hello();
  for (const board of ["a", "b", "c"]) ana.join(board, "Ana");
  const errors = told(desk, ana).filter((message) => message.kind === "error");
  assert.deepEqual(words(errors), ["too_many_boards c"]);
  assert.match(errors[0]?.message ?? "", /2 boards at most \(boardsPerConnection\)/);
  ana.leave("a");
  ana.join("c", "Ana");
  assert.deepEqual(words(told(desk, ana)), ["joined"]);
});

test("a full board refuses newcomers until somebody leaves; a member that comes back and an observer are let in", async () => {
  const desk = await open({ membersPerBoard: 2 });
  const [ana, ben, cleo] = [desk.enter("json", "b", "Ana"), desk.enter("binary", "b", "Ben"), desk.enter("json")];
  cleo.join("b", "Cleo");
  const [refusal] = told(desk, cleo);
  assert.ok(refusal?.kind === "error");
  assert.deepEqual([refusal.code, refusal.ref], ["unavailable", "b"]);
  assert.match(refusal.message, /2 members.*\(membersPerBoard\)/);
  ana.join("b", "Ana A.");
  assert.ok(words(told(desk, ana)).includes("joined"));
  cleo.say({ kind: "join", boardId: "b" as BoardId, attempt: 9, username: "Cleo", status: "active", state: {}, observe: true });
  assert.deepEqual(words(told(desk, cleo)), ["joined"]);
  ben.leave("b");
  desk.clock.advance(100);
  told(desk, cleo);
  cleo.join("b", "Cleo", 10);
  assert.deepEqual(words(told(desk, cleo)), ["joined"]);
});

test("an address brings so many boards here, and may join boards of others; a board that goes makes room", async () => {
  const desk = await open({ boardsPerAddress: 2 });
  const ana = desk.enter("json");
  const ben = desk.connect("json", OTHER);
  ben.hello();
  ben.join("theirs", "Ben");
  for (const board of ["a", "b", "c", "theirs"]) ana.join(board, "Ana");
  assert.deepEqual(words(told(desk, ana)).sort(), ["joined", "joined", "joined", "unavailable c"]);
  ana.leave("a");
  ana.join("c", "Ana");
  assert.deepEqual(words(told(desk, ana)), ["joined"]);
});

test("an address watches so many boards with all its connections, and may watch others when it has given some back", async () => {
  const desk = await open({ watchedPerAddress: 3, watchedPerConnection: 2 });
  const [ana, ben] = [desk.enter("json"), desk.enter("json")];
  const watch = (client: typeof ana, ...boards: string[]) => client.say({ kind: "watch", boards: boards as BoardId[] });
  watch(ana, "a", "b", "c");
  assert.deepEqual(
    words(told(desk, ana)).filter((word) => word.startsWith("too_many")),
    ["too_many_watched c"],
  );
  watch(ben, "a", "b");
  assert.deepEqual(
    words(told(desk, ben)).filter((word) => word.startsWith("unavailable")),
    ["unavailable b"],
  );
  ana.close(1000);
  watch(ben, "b");
  assert.deepEqual(
    words(told(desk, ben)).filter((word) => word.startsWith("unavailable")),
    [],
  );
  const cleo = desk.connect("json", OTHER);
  cleo.hello();
  watch(cleo, "a", "b");
  assert.equal(
    words(told(desk, cleo)).some((word) => word.startsWith("unavailable")),
    false,
  );
});

test("[C1] a user with too many connections is told so and may come back; another user, and nobody in particular, may connect", async () => {
  const desk = await open(
    { connectionsPerUser: 2 },
    { authenticate: (token) => (token === undefined ? { userId: "", anonymous: true } : { userId: token }) },
  );
  const greet = (token?: string) => {
    const client = desk.connect("json");
    client.hello(token === undefined ? {} : { token });
    return client;
  };
  const [first, , third] = [greet("ana"), greet("ana"), greet("ana")];
  const [refusal] = told(desk, third);
  assert.ok(refusal?.kind === "error");
  assert.deepEqual([refusal.code, refusal.ref], ["unavailable", "hello"]);
  assert.match(refusal.message, /2 connections.*\(connectionsPerUser\)/);
  assert.deepEqual(third.socket.closedWith, CLOSE.tooMany);
  for (const other of [greet("ben"), greet(), greet(), greet()]) assert.deepEqual(words(told(desk, other)), ["welcome"]);
  first.close(1001);
  assert.deepEqual(words(told(desk, greet("ana"))), ["welcome"]);
  assert.deepEqual(words(told(desk, greet("ana"))), ["unavailable hello"]);
});

test("an address may have so many connections; another address does not notice", async () => {
  const desk = await open({ connectionsPerAddress: 2 });
  const clients = [desk.enter("json"), desk.enter("json")];
  const { gate } = desk.manager;
  assert.deepEqual([gate.mayConnect("192.0.2.1"), gate.mayConnect("192.0.2.2")], [false, true]);
  clients[0]?.close(1001);
  assert.equal(gate.mayConnect("192.0.2.1"), true);
});

test("upgrades of an address above its rate wait; those of another address do not", async () => {
  const desk = await open({ handshakesPerAddress: 10 });
  let looked = 0;
  for (let nth = 0; nth < 60; nth++) desk.manager.gate.admit("192.0.2.1", () => looked++);
  desk.clock.advance(1000);
  assert.ok(looked >= 20 && looked <= 33, `${looked} after a second`);
  let other = 0;
  desk.manager.gate.admit("192.0.2.2", () => other++);
  desk.clock.advance(20);
  assert.equal(other, 1);
  desk.clock.advance(4000);
  assert.equal(looked, 60);
});

test("the time for a hello is a setting", async () => {
  const desk = await open({ helloMs: 1000 });
  const late = desk.connect("json");
  desk.clock.advance(1500);
  assert.deepEqual(late.socket.closedWith, CLOSE.helloTimeout);
});

test("joins of one board above its rate cost ten times as much, and each sender pays for its own", async () => {
  const desk = await open({ joinsPerBoard: 1, workPerAddress: 1000 });
  const [ana, ben] = [desk.enter("json", "b", "Ana"), desk.enter("json", "b", "Ben")];
  const balance = () => desk.metrics.throttled.debt;
  assert.equal(balance(), 0);
  for (let nth = 0; nth < 60; nth++) ana.join("b", `Ana ${nth}`);
  desk.clock.advance(50);
  assert.ok(balance() > 0, "she waits");
  told(desk, ben);
  ben.move("b", 1, 2);
  desk.clock.advance(50);
  assert.equal(ben.socket.closedWith, undefined);
  assert.equal(ana.socket.closedWith, undefined);
});

test("rates of kinds of messages are settings", async () => {
  const desk = await open({ eventsPerConnection: 1 });
  const ana = desk.enter("json", "b", "Ana");
  for (let nth = 0; nth < 5; nth++) ana.say({ kind: "broadcast", board: ana.ref("b"), name: "n", data: nth });
  assert.deepEqual(words(told(desk, ana)), ["too_fast b"]);
});

test("work of a connection and of an address are settings", () => {
  const bounds = boundsOf({ workPerConnection: 1000, workPerAddress: 1000 });
  const address = new AddressAccount(0, bounds, ratesOf(bounds));
  address.work.charge(1_000_000, 0);
  const account = new Account(address, 0);
  account.spend(1300);
  assert.deepEqual(account.settle(0), { cause: "debt", at: 1300 });
  assert.ok(PRICE.joinInCrowd > PRICE.join);
});
