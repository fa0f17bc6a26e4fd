/** A lost connection is told to the app once it has lasted, and its end too. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, greet, joined } from "./testing/service.ts";

async function outage() {
  const desk = await atDesk(["ana"]);
  const told: unknown[] = [];
  desk.board.on("lost", (event) => told.push({ lost: event }));
  desk.board.on("restored", (event) => told.push({ restored: event }));
  return { ...desk, told };
}

test("an outage of less than 5 s is not told", async () => {
  const { driver, socket, board, told } = await outage();
  socket.drop(1006);
  assert.equal(board.status, "reconnecting", "the status says it at once");
  await driver.advance(4_900);
  await greet(driver);
  driver.socket.serve(joined("desk", ["ana"]));
  await driver.advance(3_000);
  assert.deepEqual(told, []);
});

test("a longer one is told once, with what the runtime knows of the network, and its end", async () => {
  const { driver, socket, told } = await outage();
  driver.isOnline = () => false;
  socket.drop(1006);
  await driver.advance(4_999);
  assert.deepEqual(told, []);
  await driver.advance(1);
  assert.deepEqual(told, [{ lost: { isOffline: true } }]);
  await driver.advance(3_000);
  driver.isOnline = () => true;
  await greet(driver);
  assert.deepEqual(told.slice(1), [{ restored: { afterMs: 8_000 } }]);
  await driver.advance(3_000);
  assert.equal(told.length, 2);
});

test("a first connection that does not come is no lost one; neither is an end by the app", async () => {
  const { driver, socket, presence, told } = await outage();
  socket.drop(1006);
  await driver.advance(2_000);
  presence.close();
  await driver.advance(60_000);
  assert.deepEqual(told, []);
});

test("peers cannot send events with these names", async () => {
  const { board } = await outage();
  for (const name of ["lost", "restored"]) assert.throws(() => board.broadcast(name, {}), /name of an event of the service/);
});
