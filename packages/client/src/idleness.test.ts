/** The SDK sees by itself that the user is away, and the app may know better. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { atDesk, type Desk, greet, joined } from "./testing/service.ts";

const IDLE_AFTER_MS = 300_000;

function told({ socket }: Desk): (string | undefined)[] {
  return socket.sent("update").map(({ status }) => status);
}

/** Time passes on a connection that is alive. */
async function wait({ driver, socket }: Desk, ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10_000) {
    await driver.advance(Math.min(left, 10_000));
    socket.serve({ kind: "heartbeat" });
  }
}

test("after five minutes without a hand the user is idle, and active again with the next move", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, board } = desk;
  driver.page?.active();
  await wait(desk, IDLE_AFTER_MS - 1);
  assert.deepEqual([board.self?.status, told(desk)], ["active", []]);
  await wait(desk, 1);
  assert.deepEqual([board.self?.status, told(desk)], ["idle", ["idle"]]);
  driver.page?.active();
  await driver.advance(50);
  assert.deepEqual([board.self?.status, told(desk)], ["active", ["idle", "active"]]);
});

test("a hidden page is idle at once, without a timer, and active when it is seen again", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, board } = desk;
  driver.timersSleepUntil = driver.now() + 60_000;
  driver.page?.hidden(true);
  await driver.advance();
  assert.deepEqual([board.self?.status, told(desk)], ["idle", ["idle"]]);
  driver.page?.hidden(false);
  await driver.advance(60_000);
  assert.equal(board.self?.status, "active");
});

test("the app's own status holds, unless the user is away", async () => {
  const desk = await atDesk(["ana"]);
  const { driver, board } = desk;
  board.setStatus("idle");
  driver.page?.active();
  await driver.advance(50);
  assert.equal(board.self?.status, "idle", "a hand does not undo what the app says");
  driver.page?.hidden(true);
  board.setStatus("active");
  await driver.advance(50);
  assert.equal(board.self?.status, "idle");
  driver.page?.hidden(false);
  await driver.advance(50);
  assert.equal(board.self?.status, "active");
});

test("a board entered while the user is away is joined as idle", async () => {
  const desk = await atDesk(["ana"]);
  desk.driver.page?.hidden(true);
  desk.presence.board("other", { username: "me" });
  await desk.driver.advance();
  assert.equal(desk.socket.sent("join").at(-1)?.status, "idle");
});

test("idleAfterMs: another time, or never; not a page: never", async () => {
  assert.throws(() => createPresence({ url: "ws://test", idleAfterMs: 0 }), /idleAfterMs must be a time above 0 in milliseconds, or false/);
  assert.throws(() => createPresence({ url: "ws://test", idleAfterMs: Number.NaN }), RangeError);
  for (const [idleAfterMs, isPage, status] of [
    [1_000, true, "idle"],
    [1_000, false, "active"],
    [false, true, "active"],
  ] as const) {
    const driver = new FakeDriver();
    if (!isPage) Object.defineProperty(driver, "watchPage", { value: undefined });
    const board = createPresence({ url: "ws://test", driver, idleAfterMs }).board("desk", { username: "me" });
    await driver.advance();
    (await greet(driver)).serve(joined("desk", []));
    driver.page?.hidden(true);
    await driver.advance(2_000);
    assert.equal(board.self?.status, status, `${idleAfterMs}, ${isPage ? "a page" : "no page"}`);
  }
});
