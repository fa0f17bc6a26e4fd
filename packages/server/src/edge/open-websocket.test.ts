/** A WebSocket after its handshake, on real sockets: pauses within a read, both ways to close, and clients that do not keep to them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { CLOSE, type CloseReason } from "@presence-service/protocol";
import { eventually } from "../../test/harness/eventually.ts";
import { PRICE } from "../connection/budget.ts";
import { CLOSE_TIMEOUT_MS, CLOSING_BYTES_MAX, type Conversation, OpenWebSocket, SLICE_BYTES } from "./open-websocket.ts";

/** A client's frame, masked with the key 0, which leaves the payload as it is. */
function frame(opcode: number, payload: Uint8Array | string = ""): Buffer {
  const bytes = Buffer.from(payload);
  const wide = bytes.length < 126 ? [] : [bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.of(0x80 | opcode, 0x80 | (wide.length > 0 ? 126 : bytes.length), ...wide, 0, 0, 0, 0), bytes]);
}
const message = (payload: Uint8Array | string) => frame(2, payload);
const closing = (code: number, reason = "") => Buffer.concat([Buffer.of(code >> 8, code & 0xff), Buffer.from(reason)]);

/** Both ends of a connection whose handshake is over, and what the conversation was told. */
async function open(t: TestContext, { head = Buffer.alloc(0) as Buffer, onMessage = (_webSocket: OpenWebSocket) => {} } = {}) {
  const server = createServer({ allowHalfOpen: true });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [Socket];
  t.after(() => {
    client.destroy();
    socket.destroy();
    server.close();
  });
  const heard: string[] = [];
  let owed = 0;
  const webSocket = new OpenWebSocket(socket);
  const conversation: Conversation = {
    received(data) {
      heard.push(data.toString());
      onMessage(webSocket);
    },
    pinged(data) {
      heard.push(`ping ${data}`);
      webSocket.pong(data);
    },
    ponged: () => void heard.push("pong"),
    owe(work) {
      owed += work;
    },
    end: ({ code }, how) => void heard.push(`end ${code} ${how}`),
    closed: (code) => void heard.push(`closed ${code}`),
  };
  webSocket.begin(conversation, head);
  const got: Buffer[] = [];
  let hasEnded = false;
  client.on("data", (bytes) => got.push(bytes));
  client.on("end", () => {
    hasEnded = true;
  });
  return {
    client,
    socket,
    webSocket,
    heard,
    owed: () => owed,
    got: () => Buffer.concat(got),
    hasEnded: () => hasEnded,
    /** Waits for that as the last thing heard. */
    last: (words: string) => eventually(() => heard.at(-1) === words, { what: `${words} after ${heard}` }),
  };
}

/** Closes it without the timer that would destroy its socket. */
function closeForEver(t: TestContext, webSocket: OpenWebSocket, reason: CloseReason): void {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  webSocket.close(reason);
  t.mock.timers.reset();
}

test("a pause takes effect within a read, and nothing is lost or out of order", async (t) => {
  const texts = Array.from({ length: 50 }, (_, nth) => `message ${nth}`);
  const { client, webSocket, heard } = await open(t, { onMessage: (webSocket) => webSocket.pause(), head: message("the head") });
  client.write(Buffer.concat(texts.map(message)));
  for (let count = 1; count <= 51; count++) {
    await eventually(() => heard.length >= count, { what: `message ${count}` });
    assert.equal(heard.length, count, "one message for each time it was resumed");
    webSocket.resume();
  }
  assert.deepEqual(heard, ["the head", ...texts]);
});

test("a pause that is over before its message is handled changes nothing", async (t) => {
  const onMessage = (webSocket: OpenWebSocket) => {
    webSocket.pause();
    webSocket.resume();
  };
  const { client, heard, last } = await open(t, { onMessage });
  client.write(Buffer.concat(["1", "2", "3"].map(message)));
  await last("3");
  assert.deepEqual(heard, ["1", "2", "3"]);
});

test("long reads have a price, whatever they hold, and short ones have none", async (t) => {
  const { client, owed, last } = await open(t);
  client.write(message("short"));
  await last("short");
  assert.equal(owed(), 0);
  client.write(Buffer.concat([message(Buffer.alloc(4 * SLICE_BYTES)), message("long")]));
  await last("long");
  assert.ok(owed() >= PRICE.slice && owed() <= 4 * PRICE.slice, String(owed()));
});

test("the client's close frame is answered by the same one and by the end, and tells the code", async (t) => {
  const { client, heard, got, hasEnded, last } = await open(t);
  client.write(Buffer.concat([message("a"), frame(9, "p"), frame(10), frame(8, closing(4321, "bye")), message("too late")]));
  await eventually(hasEnded, { what: "the server's end" });
  assert.deepEqual(got(), Buffer.concat([Buffer.of(0x8a, 1), Buffer.from("p"), Buffer.of(0x88, 5), closing(4321, "bye")]));
  client.end();
  await last("closed 4321");
  assert.deepEqual(heard, ["a", "ping p", "pong", "closed 4321"]);
});

test("our close frame has code and reason; what the client says after it is not handed on, but its answer is waited for", async (t) => {
  const { client, heard, webSocket, got, hasEnded, last } = await open(t);
  webSocket.close({ ...CLOSE.kicked, meaning: "é".repeat(100) });
  webSocket.write(Buffer.from("not sent any more"));
  webSocket.close(CLOSE.draining);
  const expected = Buffer.concat([Buffer.of(0x88, 124), closing(CLOSE.kicked.code, "é".repeat(61))]);
  await eventually(() => got().length >= expected.length, { what: "the close frame" });
  client.write(Buffer.concat([message("a"), frame(9), frame(10)]));
  assert.equal(hasEnded(), false);
  client.write(frame(8, closing(CLOSE.kicked.code)));
  await eventually(hasEnded, { what: "the server's end" });
  assert.deepEqual(got(), expected);
  client.end();
  await last(`closed ${CLOSE.kicked.code}`);
  assert.equal(heard.length, 1);
});

test("a client that does not answer our close frame is cut off after a while, and one that floods at once", async (t) => {
  const waits = await open(t);
  t.mock.timers.enable({ apis: ["setTimeout"] });
  waits.webSocket.close(CLOSE.draining);
  t.mock.timers.tick(CLOSE_TIMEOUT_MS - 1);
  assert.equal(waits.socket.destroyed, false);
  t.mock.timers.tick(1);
  assert.equal(waits.socket.destroyed, true);
  t.mock.timers.reset();
  const again = await open(t);
  closeForEver(t, again.webSocket, CLOSE.draining);
  again.client.write(message(Buffer.alloc(CLOSING_BYTES_MAX - 100)));
  await eventually(() => again.socket.bytesRead > CLOSING_BYTES_MAX - 100, { what: "as much as may still come" });
  assert.equal(again.socket.destroyed, false);
  again.client.write(message(Buffer.alloc(200)));
  await again.last(`closed ${CLOSE.lost.code}`);
});

test("bytes that are broken are answered by a close frame that tells why, and by the end", async (t) => {
  for (const [bytes, code, end] of [
    [Buffer.of(0x82, 0), 1002, CLOSE.lost.code],
    [frame(1, Buffer.of(0xff)), 1007, CLOSE.lost.code],
    [Buffer.of(0x82, 0xff, 0, 0, 0, 0, 0, 1, 0, 0), 1009, CLOSE.tooBig.code],
  ] as const) {
    const { client, heard, got, hasEnded, last } = await open(t);
    client.write(Buffer.concat([message("before"), bytes, message("after")]));
    await eventually(hasEnded, { what: "the server's end" });
    assert.deepEqual(got(), Buffer.concat([Buffer.of(0x88, 2), closing(code)]));
    client.end();
    await last(`closed ${CLOSE.lost.code}`);
    assert.deepEqual(heard, ["before", `end ${end} broken`, `closed ${CLOSE.lost.code}`]);
  }
});

test("a client that ends its side gets the end, also within a frame", async (t) => {
  for (const bytes of [Buffer.alloc(0), message("half").subarray(0, 8)]) {
    const { client, webSocket, heard, hasEnded, last } = await open(t);
    client.end(bytes);
    await eventually(hasEnded, { what: "the server's end" });
    webSocket.write(Buffer.from("to nobody"));
    await last(`closed ${CLOSE.lost.code}`);
    assert.equal(heard.length, 1);
  }
});

test("a paused socket that breaks hands on a short rest, with the client's close frame, and no long one", async (t) => {
  for (const [more, expected] of [
    [0, ["pause", "rest", "closed 1001"]],
    [SLICE_BYTES, ["pause", `closed ${CLOSE.lost.code}`]],
  ] as const) {
    const { client, socket, heard } = await open(t, { onMessage: (webSocket) => webSocket.pause() });
    client.write(message("pause"));
    await eventually(() => heard.length === 1, { what: "the pause" });
    const rest = Buffer.concat([message("rest"), frame(8, closing(1001)), Buffer.alloc(more)]);
    client.write(rest);
    await eventually(() => socket.readableLength === rest.length, { what: "the rest is read" });
    client.resetAndDestroy();
    await eventually(() => heard.length >= expected.length && heard.at(-1)?.startsWith("closed"), { what: "the close" });
    assert.deepEqual(heard, expected);
  }
});

test("a paused socket is closed: it reads on for the client's answer, or ends if too much waits unread", async (t) => {
  const few = await open(t, { onMessage: (webSocket) => webSocket.pause() });
  few.client.write(Buffer.concat([message("pause"), message("unread")]));
  await few.last("pause");
  few.webSocket.close(CLOSE.abuse);
  few.client.write(frame(8, closing(CLOSE.abuse.code)));
  await eventually(few.hasEnded, { what: "the server's end" });
  few.client.end();
  await few.last(`closed ${CLOSE.abuse.code}`);

  const many = await open(t, { onMessage: (webSocket) => webSocket.pause() });
  many.client.write(message("pause"));
  await many.last("pause");
  many.client.write(Buffer.alloc(CLOSING_BYTES_MAX + 1));
  await eventually(() => many.socket.readableLength > CLOSING_BYTES_MAX, { what: "too much is unread" });
  closeForEver(t, many.webSocket, CLOSE.abuse);
  await eventually(many.hasEnded, { what: "the server's end" });
  assert.deepEqual([many.socket.isPaused(), many.socket.destroyed], [true, false]);
  assert.equal(many.got().readUInt16BE(2), CLOSE.abuse.code);
  many.webSocket.terminate();
  await many.last(`closed ${CLOSE.lost.code}`);
});
