/** Boards that Redis refuses: the clients concerned are told, and the log and the metrics say so. Names are in the log only. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { BusRefused, type Cause } from "../bus/bus.ts";
import { Desk } from "../testing/desk.ts";
import { OUTBOX } from "./outbox.ts";

const CAUSE: Cause = { reason: "not permitted (NOPERM secret-7)", gist: "not permitted", advice: "Give it the right." };
const TICK_MS = 100;

function refuse(desk: Desk, channel: string): void {
  desk.listener.refused({ channel, ...CAUSE, attempt: 1, retryMs: 1 });
  desk.clock.advance(TICK_MS);
}

test("[R9.17] clients on a refused board are told, those that come later with the board; other clients are not, nor are classic ones", async () => {
  const desk = await Desk.open();
  const binary = desk.enter("binary", "42", "Ana");
  const json = desk.enter("json", "42", "Ben");
  const classic = desk.enter("classic", "42", "Cleo");
  const elsewhere = desk.enter("binary", "b", "Dora");
  for (const { socket } of [binary, json, classic, elsewhere]) socket.takeFrames();
  desk.bus.refusal = new BusRefused(CAUSE);
  refuse(desk, "test:board:42");
  assert.deepEqual(binary.socket.takeMessages(), [{ kind: "degraded", on: true, board: binary.ref("42") }]);
  assert.deepEqual(json.socket.takeMessages(), [{ kind: "degraded", on: true, board: "42" }]);
  assert.deepEqual([classic.socket.takeClassic(), elsewhere.socket.takeMessages()], [[], []]);

  const late = desk.connect("json");
  late.hello();
  late.join("42", "Emil");
  desk.clock.advance(TICK_MS);
  const told = late.socket.takeMessages().slice(1);
  assert.deepEqual(
    told.map(({ kind }) => kind),
    ["joined", "degraded"],
  );
  assert.deepEqual(told[1], { kind: "degraded", on: true, board: "42" });
  // The message has no other fields than these.
  assert.deepEqual(Object.keys(told[0] ?? {}).sort(), ["board", "boardId", "kind", "members", "roster", "self", "settling", "users"]);
  assert.ok(told[0]?.kind === "joined" && told[0].settling);

  // Redis takes messages again, and a probe comes back.
  desk.bus.refusal = undefined;
  desk.clock.advance(2_500);
  for (const { socket } of [json, late]) {
    assert.deepEqual(
      socket.takeMessages().filter(({ kind }) => kind === "degraded"),
      [{ kind: "degraded", on: false, board: "42" }],
    );
  }
  const after = desk.enter("json");
  after.join("42", "Finn");
  desk.clock.advance(TICK_MS);
  assert.ok(!after.socket.takeMessages().some(({ kind }) => kind === "degraded"));
});

test("[F4] a socket that was full when it was said is told with the fresh roster, and nothing where nothing has changed for it", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "42", "Ana");
  const ben = desk.enter("json", "42", "Ben");
  ana.socket.takeFrames();
  desk.bus.refusal = new BusRefused(CAUSE);
  ana.socket.queuedBytes = OUTBOX.rosterBytesMax + 1;
  ben.say({ kind: "update", board: ben.ref("42"), status: "idle" });
  desk.clock.advance(TICK_MS);
  refuse(desk, "test:board:42");
  assert.deepEqual(ana.socket.takeMessages(), []);
  ana.socket.drain();
  desk.clock.advance(TICK_MS);
  assert.deepEqual(
    ana.socket.takeMessages().map((message) => (message.kind === "degraded" ? message.on : message.kind)),
    ["joined", true],
  );
  ana.join("42", "Ana");
  desk.clock.advance(TICK_MS);
  assert.ok(!ana.socket.takeMessages().some(({ kind }) => kind === "degraded"));
});

test("one line says which channel, which right is missing and what to do; health words name neither channels nor users", async () => {
  const desk = await Desk.open();
  desk.enter("json", "secret-7", "Ana");
  for (let attempt = 0; attempt < 5; attempt++) refuse(desk, "test:board:secret-7");
  const lines = desk.lines.filter((line) => line.startsWith("warn"));
  assert.equal(lines.length, 1);
  assert.match(
    lines[0] ?? "",
    /Redis refuses a subscription.*test:board:secret-7.*NOPERM.*\+subscribe &test:board:secret-7.*Give it the right/,
  );
  assert.deepEqual([desk.metrics.refusals.subscribe, desk.manager.stats().degradedBoards, desk.manager.stats().status], [5, 1, "ready"]);
  assert.equal(desk.manager.refusal, "Redis refuses to subscribe: not permitted. Give it the right.");
  // The right is granted, and an own message comes back.
  desk.listener.subscribed("test:board:secret-7");
  desk.clock.advance(500);
  assert.deepEqual([desk.manager.refusal, desk.manager.stats().degradedBoards], [undefined, 0]);
});

test("the log says when the last board is well again, however soon after another one", async () => {
  const desk = await Desk.open();
  for (const board of ["a", "b", "c"]) {
    desk.enter("json", board, "Ana");
    refuse(desk, `test:board:${board}`);
  }
  for (const board of ["a", "b", "c"]) desk.listener.subscribed(`test:board:${board}`);
  desk.clock.advance(500);
  assert.equal(desk.manager.stats().degradedBoards, 0);
  assert.match(desk.lines.filter((line) => line.startsWith("info")).at(-1) ?? "", /no board is degraded any more/);
});

test("a refusal on a board that was given up meanwhile is no reason for anything", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "42", "Ana");
  desk.bus.refusal = new BusRefused(CAUSE);
  ana.leave("42");
  // A board whose last change did not come back is kept for 300 s.
  for (let wait = 0; wait < 1400; wait++) {
    desk.clock.advance(250);
    // Redis answers only after the board is forgotten.
    if (desk.manager.stats().boards > 0) continue;
    await Promise.resolve();
    await Promise.resolve();
  }
  desk.bus.refusal = undefined;
  desk.clock.advance(1000);
  for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  assert.deepEqual([desk.manager.stats().boards, desk.manager.refusal], [0, undefined]);
});

test("a refused publish degrades its board, by whatever Redis refuses it, and is no broken subscription", async () => {
  const desk = await Desk.open();
  const ana = desk.enter("json", "42", "Ana");
  ana.socket.takeFrames();
  desk.bus.refusal = new BusRefused({ ...CAUSE, reason: "READONLY", gist: "it is a replica" });
  ana.say({ kind: "update", board: ana.ref("42"), status: "idle" });
  for (let wait = 0; wait < 60; wait++) {
    desk.clock.advance(250);
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.ok(ana.socket.takeMessages().some((message) => message.kind === "degraded" && message.board === "42" && message.on));
  assert.deepEqual(
    [desk.manager.stats().status, desk.manager.stats().degradedBoards, desk.metrics.recycles],
    ["degraded", 1, { publisher: 0, subscriber: 0 }],
  );
  assert.match(desk.manager.refusal ?? "", /^Redis refuses to publish: it is a replica\./);
  assert.ok(desk.metrics.refusals.publish > 5);
  desk.bus.refusal = undefined;
  for (let wait = 0; wait < 12; wait++) {
    desk.clock.advance(250);
    await Promise.resolve();
    await Promise.resolve();
  }
  assert.deepEqual([desk.manager.stats().status, desk.manager.stats().degradedBoards, desk.manager.refusal], ["ready", 0, undefined]);
});
