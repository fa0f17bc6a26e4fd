/** The address of the service: one, a list of which the next is tried where a connect fails, or a function that is called on every connect. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import { FakeDriver, FakeSessions } from "./testing/fake-driver.ts";
import { greet, joined } from "./testing/service.ts";
import type { PresenceError, PresenceOptions } from "./types.ts";

const HURRIED_MS = 60_000;

function open(url: PresenceOptions["url"], driver = new FakeDriver()) {
  const presence = createPresence({ url, driver, idleAfterMs: false });
  const errors: PresenceError[] = [];
  const board = presence.board("desk", { username: "me" });
  board.on("error", (error) => void errors.push(error));
  return { driver, presence, board, errors };
}

const hostOf = ({ url }: { readonly url: string }) => new URL(url).host;

test("of a list the next address is tried after a connect that failed, and the one that works is kept", async () => {
  const { driver, board } = open(["wss://a.test", "wss://b.test", "wss://c.test"]);
  await driver.advance();
  driver.sockets.at(-1)?.drop(1006);
  await driver.advance(HURRIED_MS);
  assert.deepEqual(driver.sockets.map(hostOf).slice(0, 2), ["a.test", "b.test"]);
  assert.ok(
    driver.sockets.slice(0, 2).every(({ protocol }) => protocol === "presence.v2"),
    "each in the usual way first",
  );
  const socket = driver.sockets.at(-1) ?? assert.fail();
  const works = hostOf(socket);
  socket.accept();
  (await greet(driver)).serve(joined("desk"));
  assert.equal(board.status, "connected");
  driver.sockets.at(-1)?.drop(1006);
  await driver.advance(5_000);
  assert.equal(hostOf(driver.sockets.at(-1) ?? assert.fail()), works);
});

test("a function is called on every connect; a page keeps its session whatever it answers", async () => {
  let calls = 0;
  const driver = new FakeDriver(new FakeSessions());
  const { board } = open(() => Promise.resolve(`wss://${++calls}.test`), driver);
  const first = await greet(driver);
  first.serve(joined("desk"));
  first.drop(1006);
  await driver.advance(5_000);
  const second = await greet(driver);
  second.serve(joined("desk", [], { board: 2 }));
  assert.deepEqual([first, second].map(hostOf), ["1.test", "2.test"]);
  assert.equal(second.sent("hello")[0]?.resumeToken, first.sent("hello")[0]?.resumeToken);
  assert.equal(board.status, "connected");
});

test("a function that throws, gives no address, or hangs is an error that says so, and the connect is tried again", async () => {
  for (const [url, said] of [
    [() => Promise.reject(new Error("no directory")), /no address of the service: Error: no directory/],
    [() => "", /an empty one/],
    [() => 7 as unknown as string, /not number/],
    [() => new Promise<string>(() => {}), /url\(\) has given none for 10 s/],
  ] as const) {
    const { driver, errors, board } = open(url);
    await driver.advance(HURRIED_MS);
    assert.ok(
      errors.length > 1 && errors.every(({ code, message }) => code === "url_failed" && said.test(message)),
      JSON.stringify(errors),
    );
    assert.deepEqual([driver.sockets.length, board.status], [0, "connecting"]);
  }
});

test("a url that is none of these throws where it was given", () => {
  for (const url of [undefined, "", 7, [], [7], ["wss://a.test", ""], null])
    assert.throws(() => createPresence({ url: url as never }), /needs the address of the service/, String(url));
});
