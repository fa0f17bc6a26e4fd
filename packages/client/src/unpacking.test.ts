/** Packed messages become plain ones, in order, also where unpacking takes its time; a broken one costs the connection, and no more than that. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as moment, setImmediate as nextTurn } from "node:timers/promises";
import { deflateRawSync } from "node:zlib";
import { type Bytes, CLOSE, PACKED, SERVER_MESSAGE_BYTES_MAX } from "@presence-service/protocol";
import { createPresence } from "./client.ts";
import { inflaterOf } from "./inflater.ts";
import { FakeDriver } from "./testing/fake-driver.ts";
import { greet } from "./testing/service.ts";
import { unpacking } from "./unpacking.ts";

const packed = (text: string) => Uint8Array.of(PACKED, ...deflateRawSync(text));
const plain = (text: string) => Uint8Array.from(Buffer.from(text));

/** Whatever comes out of a connection, as text, and what goes in. */
function connection(unpack: (bytes: Bytes) => Promise<Bytes>) {
  const log: string[] = [];
  const events = unpacking(
    {
      opened: (protocol) => void log.push(`opened ${protocol}`),
      received: (bytes) => void log.push(Buffer.from(bytes).toString()),
      closed: (code) => void log.push(`closed ${code}`),
    },
    unpack,
    (error) => void log.push(`broken ${String(error)}`),
  );
  return { log, events };
}

const inflate = inflaterOf(globalThis) ?? assert.fail("this Node has no DecompressionStream");

/** The runtime unpacks in another thread, which may have to wait for a core: turns of the loop would be no measure. */
async function until(holds: () => boolean): Promise<void> {
  for (let moments = 0; !holds(); moments++) {
    assert.ok(moments < 5000, "it does not happen");
    await moment(1);
  }
}

test("plain messages are handed on at once, as long as nothing is being unpacked", async () => {
  const { log, events } = connection(inflate);
  events.opened("presence.v2");
  events.received(plain("one"));
  assert.deepEqual(log, ["opened presence.v2", "one"]);
  events.received(packed("two"));
  await until(() => log.length === 3);
  await nextTurn();
  events.received(plain("three"));
  assert.deepEqual(log.slice(2), ["two", "three"]);
});

test("nothing overtakes a packed message: neither plain ones, nor a shorter packed one, nor the end of the connection", async () => {
  const finish = new Map<string, () => void>();
  const { log, events } = connection((bytes) => new Promise((resolve) => finish.set(Buffer.from(bytes).toString(), () => resolve(bytes))));
  events.received(Uint8Array.of(PACKED, 0x61));
  events.received(plain("b"));
  events.received(Uint8Array.of(PACKED, 0x63));
  events.received(plain("d"));
  events.closed(1006);
  finish.get("c")?.();
  await nextTurn();
  assert.deepEqual(log, []);
  finish.get("a")?.();
  await until(() => log.length === 5);
  assert.deepEqual(log, ["a", "b", "c", "d", "closed 1006"]);
});

test("a message that is broken, cut off, or larger than any message is told as broken, and what follows still comes", async () => {
  const bomb = Uint8Array.of(PACKED, ...deflateRawSync(Buffer.alloc(100 * SERVER_MESSAGE_BYTES_MAX)));
  for (const bytes of [bomb, Uint8Array.of(PACKED), Uint8Array.of(PACKED, 1, 2, 3), packed("whole").subarray(0, -2)]) {
    const { log, events } = connection(inflate);
    events.received(bytes);
    events.received(plain("next"));
    await until(() => log.length === 2);
    assert.match(log[0] ?? "", /^broken /);
    assert.equal(log[1], "next");
  }
});

test("the largest message is unpacked", async () => {
  const { log, events } = connection(inflate);
  events.received(packed("x".repeat(SERVER_MESSAGE_BYTES_MAX)));
  await until(() => log.length === 1);
  assert.equal(log[0]?.length, SERVER_MESSAGE_BYTES_MAX);
});

test("a runtime without the stream, or with one that does not know the format, unpacks nothing", () => {
  assert.equal(inflaterOf({}), undefined);
  class Older {
    constructor(format: string) {
      if (format !== "gzip") throw new TypeError(`unsupported: ${format}`);
    }
  }
  assert.equal(inflaterOf({ DecompressionStream: Older }), undefined);
});

test("a client whose runtime unpacks says so; after a message that it could not unpack it comes back without", async () => {
  const driver = new FakeDriver();
  driver.unpack = () => Promise.reject(new Error("not today"));
  const client = createPresence({ url: "wss://presence.test", driver, idleAfterMs: false });
  client.board("desk", { username: "ana" });
  const socket = await greet(driver);
  assert.equal(socket.sent("hello")[0]?.packs, true);
  socket.serveBytes(Uint8Array.of(PACKED, 1));
  await driver.advance(30_000);
  assert.equal(socket.closedWith, CLOSE.unresponsive.code);
  const next = await greet(driver);
  assert.notEqual(next, socket);
  assert.equal(next.sent("hello")[0]?.packs, undefined);
  client.close();
});
