/** File descriptors: strangers never take the last ones, and requests are answered all the same. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { SILENT } from "../telemetry/log.ts";
import { descriptorLimit, shareDescriptors } from "./descriptors.ts";

test("of 200 descriptors 64 are ours, 17 are for plain sockets and the rest for WebSockets", () => {
  const descriptors = shareDescriptors(undefined, { limit: 200, dropped: () => {}, log: SILENT });
  const sockets = [];
  for (; descriptors.hasRoom; sockets.push(new PassThrough())) descriptors.upgraded(sockets.at(-1) ?? new PassThrough());
  assert.equal(sockets.length, 200 - 64 - 17);
  descriptors.closed();
  assert.equal(descriptors.hasRoom, true);
  assert.equal(shareDescriptors(undefined, { limit: 10, dropped: () => {}, log: SILENT }).hasRoom, true, "few are better than none");
});

test("too many plain sockets: the oldest goes, the newest is answered, and it is said once", async (t) => {
  const lines: object[] = [];
  let dropped = 0;
  let now = 0;
  const server = createServer((_request, response) => response.end("here"));
  const log = { ...SILENT, warn: (fields: object | string) => void lines.push(fields as object) };
  shareDescriptors(server, { limit: 200, dropped: () => dropped++, log, now: () => now });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  const ended: number[] = [];
  const come = async (from: number, to: number) => {
    for (let n = from; n < to; n++) {
      const socket = connect(port, "127.0.0.1");
      t.after(() => void socket.destroy());
      socket.on("error", () => {}).on("close", () => ended.push(n));
      await Promise.all([once(socket, "connect"), once(server, "connection")]);
    }
  };
  await come(0, 100);
  assert.equal(dropped, 0, "those who just came may have what is free");
  now = 999;
  await come(100, 136);
  assert.equal(dropped, 0);
  await come(136, 140);
  assert.equal(dropped, 4, "but not what is kept for ourselves");
  now = 1000;
  await come(140, 200);
  assert.equal(dropped, 64, "after a second they give way, one for each that comes");
  assert.equal(await (await fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close" } })).text(), "here");
  while (ended.length < 65) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(ended, [...Array(65).keys()], "in the order of their coming");
  assert.deepEqual(lines, [{ limit: 200, plain: 17, webSockets: 0 }]);
});

test("sockets that wait for their upgrade have places of WebSockets: those who come later do not end them", async (t) => {
  let dropped = 0;
  let now = 0;
  const server = createServer();
  const descriptors = shareDescriptors(server, { limit: 200, dropped: () => dropped++, log: SILENT, now: () => now });
  const come = () => {
    const socket = new PassThrough();
    t.after(() => void socket.destroy());
    server.emit("connection", socket);
    return socket;
  };
  const waiting = Array.from({ length: 100 }, come);
  for (const socket of waiting) descriptors.waits(socket);
  now = 60_000;
  const plain = Array.from({ length: 17 }, come);
  assert.deepEqual([dropped, descriptors.hasRoom], [0, true]);
  for (let nth = 0; nth < 30; nth++) descriptors.waits(come());
  assert.deepEqual([descriptors.hasRoom, descriptors.hasRoomFor(come())], [false, false]);
  now = 70_000;
  come();
  assert.ok(plain[0]?.destroyed && waiting.every(({ destroyed }) => !destroyed), "plain ones give way");
  const [first, second] = waiting;
  assert.ok(first && second && descriptors.hasRoomFor(first), "it has its place");
  descriptors.upgraded(first);
  assert.equal(descriptors.hasRoom, false);
  second.destroy();
  await once(second, "close");
  assert.equal(descriptors.hasRoom, true);
  descriptors.closed();
  for (let nth = 0; nth < 2; nth++) {
    assert.equal(descriptors.hasRoom, true);
    descriptors.waits(come());
  }
  assert.equal(descriptors.hasRoom, false);
});

test("the limit is what the system says, and none where it says nothing", () => {
  const folder = mkdtempSync(join(tmpdir(), "presence-limits-"));
  try {
    const limits = (text: string) => {
      writeFileSync(join(folder, "limits"), text);
      return descriptorLimit(join(folder, "limits"));
    };
    assert.equal(
      limits("Max processes   1   1   processes\nMax open files            1024                 524288               files\n"),
      1024,
    );
    assert.equal(limits("Max open files            unlimited            unlimited            files\n"), Number.MAX_SAFE_INTEGER);
    assert.equal(descriptorLimit(join(folder, "nothing")), Number.MAX_SAFE_INTEGER);
    if (process.platform === "linux") assert.ok(descriptorLimit() < Number.MAX_SAFE_INTEGER);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
