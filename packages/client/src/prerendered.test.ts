/** A page that the browser loads ahead is not on any board before it is shown. test/page-life.test.ts does it in a browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";

function prerendered() {
  const driver = new FakeDriver();
  let show = () => {};
  const promise = new Promise<void>((resolve) => {
    show = resolve;
  });
  driver.shown = () => promise;
  return { driver, presence: createPresence({ url: "ws://test", driver }), show: () => show() };
}

test("it connects when it is shown", async () => {
  const { driver, presence, show } = prerendered();
  const board = presence.board("desk", { username: "me" });
  await driver.advance(60_000);
  assert.deepEqual([driver.sockets.length, board.status], [0, "connecting"]);
  show();
  await driver.advance();
  assert.equal(driver.sockets.length, 1);
});

test("a board that was given back meanwhile needs no connection; neither does a client that was closed", async () => {
  const [one, two] = [prerendered(), prerendered()];
  one.presence.board("desk").leave();
  two.presence.board("desk");
  two.presence.close();
  for (const { driver, show } of [one, two]) {
    show();
    await driver.advance(60_000);
    assert.equal(driver.sockets.length, 0);
  }
});
