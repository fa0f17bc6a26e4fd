/** How the client asks for the encoding, and which error an app gets when no way works. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { CLOSE } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet, joined } from "./testing/service.ts";

function enter(url = "ws://test/presence") {
  const driver = new FakeDriver();
  const presence = createPresence({ url, driver });
  const errors: string[] = [];
  const board = presence.board("desk");
  board.on("error", ({ code, message }) => errors.push(`${code}: ${message}`));
  /** The next connection, which may take a while. */
  const next = async () => {
    const { length } = driver.sockets;
    for (let waitedMs = 0; driver.sockets.length === length; waitedMs += 50) {
      assert.ok(waitedMs < 60_000, "there is another connection within a minute");
      await driver.advance(50);
    }
    return driver.socket;
  };
  return { driver, presence, board, errors, next };
}

const PLAIN = ["ws://test/presence", "presence.v2"];
const QUERY = ["ws://test/presence?encoding=presence.v2", undefined];
const wayOf = ({ url, protocol }: { readonly url: string; readonly protocol: string | undefined }) => [url, protocol];

test("a proxy that removes the subprotocol is noticed at once; from then on the client asks for the encoding in the URL", async () => {
  const { driver, board, errors, next } = enter();
  const first = await next();
  assert.deepEqual(wayOf(first), PLAIN);
  first.accept("");
  assert.deepEqual([first.closedWith, first.kinds], [1000, []]);
  await driver.advance(250);
  assert.deepEqual(wayOf(driver.socket), QUERY);
  const socket = await greet(driver);
  socket.serve(joined("desk", ["ana"]));
  assert.equal(board.status, "connected");
  await driver.advance(5_000);
  socket.drop(1006);
  assert.deepEqual(wayOf(await next()), QUERY);
  assert.deepEqual(errors, []);
});

test("when the handshake fails, as browsers make it fail, the client tries both ways in turn until one works", async () => {
  const { driver, board, next } = enter("wss://test/presence?room=1");
  const ways: (string | undefined)[][] = [];
  for (let attempt = 0; attempt < 3; attempt++) {
    const socket = await next();
    ways.push(wayOf(socket));
    socket.drop(1006);
  }
  assert.deepEqual(ways, [
    ["wss://test/presence?room=1", "presence.v2"],
    ["wss://test/presence?room=1&encoding=presence.v2", undefined],
    ["wss://test/presence?room=1", "presence.v2"],
  ]);
  await next();
  const socket = await greet(driver);
  socket.serve(joined("desk"));
  assert.equal(board.status, "connected");
});

test("a way that has worked is not given up for a restart", async () => {
  const { driver, next } = enter();
  await next();
  await greet(driver);
  await driver.advance(5_000);
  driver.socket.drop(1006);
  const ways: unknown[] = [];
  for (let attempt = 0; attempt < 4; attempt++) {
    const socket = await next();
    ways.push(socket.protocol);
    socket.drop(1006);
  }
  assert.deepEqual(ways, ["presence.v2", "presence.v2", "presence.v2", undefined]);
});

test("after the third failure the app gets one error with the reason and advice, without secrets", async () => {
  const cases: readonly [fail: (driver: FakeDriver) => Promise<unknown>, reason: RegExp][] = [
    [async (driver) => driver.socket.drop(1006), /Does the service run there.*Content-Security-Policy.*connect-src/],
    [(driver) => driver.advance(10_000), /No connection was made within 10 s/],
    [
      async (driver) => {
        driver.socket.accept();
        await driver.advance(10_000);
      },
      /no welcome came within 10 s. Is that the presence service\?/,
    ],
    [
      async (driver) => {
        driver.socket.accept("presence.v2");
        driver.socket.drop(CLOSE.internal.code);
      },
      /closed with 1011 before welcome: the server failed; it has logged why/,
    ],
  ];
  for (const [fail, reason] of cases) {
    const { driver, board, errors, next } = enter("ws://test/presence?token=secret");
    for (let attempt = 0; attempt < 8; attempt++) {
      await next();
      assert.equal(errors.length, attempt < 3 ? 0 : 1, `after ${attempt}: ${errors}`);
      await fail(driver);
    }
    assert.match(errors[0] ?? "", /^unreachable: cannot reach ws:\/\/test\/presence, trying again\. /);
    assert.match(errors[0] ?? "", reason);
    assert.doesNotMatch(errors[0] ?? "", /secret/);
    assert.equal(board.status, "connecting");
  }
});

test("where there is no page, the error asks nothing of origins, policies and a browser's console", async () => {
  for (const [isPage, words] of [
    [true, /origin.*Content-Security-Policy.*browser's console/],
    [false, /trying again\. No connection could be made\. Does the service run there, on this path\?$/],
  ] as const) {
    const { driver, errors, next } = enter();
    if (!isPage) Object.defineProperty(driver, "watchPage", { value: undefined });
    for (let attempt = 0; attempt < 3; attempt++) (await next()).drop(1006);
    await driver.advance();
    assert.match(errors[0] ?? "", words);
  }
});

test("where a proxy removes the header and the other way fails too, the error names the header", async () => {
  const { driver, errors, next } = enter();
  for (let attempt = 0; attempt < 3; attempt++) {
    const socket = await next();
    if (socket.protocol === undefined) socket.drop(1006);
    else socket.accept("");
  }
  await driver.advance();
  assert.match(errors[0] ?? "", /^unreachable: .*Sec-WebSocket-Protocol.*\?encoding=presence\.v2/);
});
