/** The parameter by which a load balancer keeps the people of a board together. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { hashOf } from "./address.ts";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet } from "./testing/service.ts";

test("the address gets a hash of the first board that is held, anew with each connect", async () => {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "wss://test/ws?key=1", affinity: true, driver });
  const desk = presence.board("desk", { username: "me" });
  presence.board("shelf", { username: "me" });
  const socket = await greet(driver);
  assert.equal(socket.url, `wss://test/ws?key=1&b=${hashOf("desk")}`);
  desk.leave();
  await driver.advance(1_000);
  socket.drop(1006);
  await driver.advance(5_000);
  assert.equal(driver.socket.url, `wss://test/ws?key=1&b=${hashOf("shelf")}`);
});

test("a client that only watches, or has not asked for it, adds nothing", async () => {
  for (const affinity of [true, false]) {
    const driver = new FakeDriver();
    const presence = createPresence({ url: "wss://test", affinity, driver });
    presence.watch(["desk"]);
    if (!affinity) presence.board("desk", { username: "me" });
    await driver.advance();
    assert.equal(driver.socket.url, "wss://test");
  }
});

test("the hash is that of other languages: FNV-1a of the UTF-8", () => {
  assert.deepEqual([hashOf(""), hashOf("a"), hashOf("foobar")], ["811c9dc5", "e40c292c", "bf9cf968"]);
});
