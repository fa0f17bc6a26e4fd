/** The lines of the option `debug`. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createPresence } from "./client.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet, joined } from "./testing/service.ts";

test("each message and each turn of the connection is a line, and no line has a secret", async () => {
  const driver = new FakeDriver();
  const lines: string[] = [];
  const presence = createPresence({
    url: "wss://test/presence?key=s3cret",
    token: "s3cret",
    driver,
    debug: (line) => lines.push(line),
  });
  presence.board("desk", { username: "me" });
  await greet(driver);
  driver.socket.serve(joined("desk", ["ana"]));
  driver.socket.serveBytes(Uint8Array.of(0x6f));
  driver.socket.drop(1006);
  const beginnings = lines.map((line) => line.slice(0, 24));
  assert.deepEqual(
    [lines[0], ...beginnings.slice(1)],
    [
      "connects to wss://test/presence",
      '→ {"kind":"hello","resum',
      '→ {"kind":"join","boardI',
      '← {"kind":"welcome","mem',
      '← {"kind":"joined","boar',
      "← a message that this re",
      "the connection has ended",
      ...beginnings.slice(7),
    ],
  );
  assert.match(lines[7] ?? "", /^connects again in \d+ ms$/);
  assert.match(lines[1] ?? "", /"token":"…"/);
  for (const line of lines) assert.doesNotMatch(line, /s3cret|abababab/, line);
});

test("a function that throws hurts nothing, and is reported", async () => {
  const driver = new FakeDriver();
  const presence = createPresence({
    url: "ws://test",
    driver,
    debug: () => {
      throw new Error("no disk");
    },
  });
  const board = presence.board("desk", { username: "me" });
  await greet(driver);
  driver.socket.serve(joined("desk"));
  assert.equal(board.status, "connected");
  assert.match(driver.reports.join(), /debug threw: Error: no disk/);
});
