/** A socket that is open and dead: events of page, network and app are a reason to ask; without an answer the socket is replaced. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE } from "@presence-service/protocol";
import { atDesk, type Desk, greet, joined, names } from "./testing/service.ts";

const questions = ({ socket }: Desk) => socket.sent("heartbeat").length;

const HINTS: { readonly [what: string]: (desk: Desk) => void } = {
  "the page is visible again": ({ driver }) => driver.page?.awake(false),
  "the network is back": ({ driver }) => driver.page?.awake(true),
  "a hand moves": ({ driver }) => driver.page?.active(),
  "the app tells others something": ({ board }) => board.broadcast("x", 1),
  "the app changes its state": ({ board }) => board.update({ at: Math.random() }),
  "a cursor is sent": ({ board }) => board.moveCursor(Math.random(), 0),
};

for (const [what, hint] of Object.entries(HINTS)) {
  test(`[C3] ${what}: a dead connection is asked at once and replaced within 3 s`, async () => {
    const desk = await atDesk(["ana"]);
    const { driver, board, socket } = desk;
    await driver.advance(5_000);
    hint(desk);
    await driver.advance();
    assert.equal(questions(desk), 1);
    await driver.advance(2_499);
    assert.deepEqual([board.status, socket.closedWith], ["connected", undefined]);
    await driver.advance(1);
    assert.deepEqual([board.status, names(board), socket.closedWith], ["reconnecting", ["ana reconnecting"], CLOSE.unresponsive.code]);
    await driver.advance(500);
    const next = await greet(driver);
    next.serve(joined("desk", ["ana"]));
    assert.deepEqual([driver.sockets.length, board.status], [2, "connected"]);
  });

  test(`[C3] ${what}: a connection that answers stays, and is not asked too often`, async () => {
    const desk = await atDesk(["ana"]);
    const { driver, board, socket } = desk;
    for (let at = 0; at < 600; at++) {
      const before = questions(desk);
      hint(desk);
      await driver.advance(100);
      if (questions(desk) > before) socket.serve({ kind: "heartbeat" });
    }
    assert.equal(board.status, "connected");
    assert.ok(questions(desk) <= 61, `${questions(desk)} heartbeats in a minute`);
  });
}

test("[C3] the answer to a question is not answered again, every other heartbeat of the service is", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, socket } = desk;
  await driver.advance(5_000);
  driver.page?.awake(false);
  await driver.advance();
  assert.equal(questions(desk), 1);
  // Any byte ends the doubt, but only the heartbeat is the answer.
  socket.serve({ kind: "pace", cursorMs: 50 }, { kind: "heartbeat" });
  await driver.advance();
  assert.equal(questions(desk), 1);
  socket.serve({ kind: "heartbeat" });
  await driver.advance();
  assert.equal(questions(desk), 2);
  // A question that the service does not answer takes nothing from its next heartbeat.
  driver.page?.awake(false);
  await driver.advance(1_000);
  socket.serve({ kind: "pace", cursorMs: 50 });
  await driver.advance(5_000);
  const before = questions(desk);
  socket.serve({ kind: "heartbeat" });
  await driver.advance();
  assert.equal(questions(desk), before + 1);
});

test("[C3] no broadcast is sent once a question is unanswered for 1 s, until the answer comes", async () => {
  const { driver, board, socket } = await atDesk(["ana"]);
  await driver.advance(5_000);
  const answers: [ms: number, isSent: boolean][] = [];
  for (let ms = 0; ms < 2_500; ms += 250) {
    answers.push([ms, board.broadcast("stroke", ms)]);
    await driver.advance(250);
  }
  assert.deepEqual(
    answers.filter(([, isSent]) => isSent).map(([ms]) => ms),
    [0, 250, 500, 750],
  );
  assert.equal(board.status, "reconnecting");
  assert.equal(board.broadcast("stroke", 0), false);
  await driver.advance(500);
  const next = await greet(driver);
  next.serve(joined("desk", ["ana"]));
  await driver.advance(3_000);
  assert.equal(board.broadcast("stroke", 1), true);
  await driver.advance(1_000);
  assert.equal(board.broadcast("stroke", 2), false);
  next.serve({ kind: "heartbeat" });
  assert.equal(board.broadcast("stroke", 3), true);
  assert.equal(socket.sent("broadcast").length, 4);
});

test("[C3] pointer moves send no question while messages of the service arrive", async () => {
  const desk = await atDesk(["ana"]);
  for (let at = 0; at < 100; at++) {
    desk.driver.page?.active();
    desk.socket.serve({ kind: "cursors", board: 7, stamp: 0, moves: [{ actor: 1, at: { x: at, y: 0 } }] });
    await desk.driver.advance(1_000);
  }
  assert.equal(questions(desk), 0);
});

test("[C3] a frozen page that wakes up does not take its own sleep for the service's silence", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, board, socket } = desk;
  driver.page?.awake(false);
  // The timer of the question fires late; the answer waits to be read.
  driver.timersSleepUntil = driver.now() + 20_000;
  await driver.advance(20_000);
  assert.equal(board.status, "connected");
  socket.serve({ kind: "heartbeat" });
  await driver.advance(5_000);
  assert.equal(board.status, "connected");
});

test("when the network comes back, a connect that hangs from before gets 3 s more", async () => {
  const { driver, socket } = await atDesk();
  await driver.advance(5_000);
  socket.drop(1006);
  await driver.advance(1_000);
  const stale = driver.socket;
  await driver.advance(1_000);
  driver.page?.awake(true);
  await driver.advance(3_000);
  assert.equal(stale.closedWith, CLOSE.unresponsive.code);
  await driver.advance(3_000);
  assert.equal(driver.sockets.length, 3);
});
