/** Upgrades that wait for their turn, on real sockets: clients that leave meanwhile, and clients that do not wait to speak. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, connect, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { type BoardId, encodeJson, type ResumeToken } from "@presence-service/protocol";
import { eventually } from "../../test/harness/eventually.ts";
import { Desk } from "../testing/desk.ts";
import { acceptUpgrades, EARLY_BYTES_MAX } from "./websocket.ts";

const ADDRESS = "203.0.113.9";
const REQUEST = [
  "GET / HTTP/1.1",
  "Host: localhost",
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Protocol: presence.v2.json",
  "\r\n",
].join("\r\n");

/** A text of a client, in a frame whose masking key is 0. */
function frame(text: string): Buffer {
  const payload = Buffer.from(text);
  return Buffer.concat([Buffer.of(0x81, 0xfe, payload.length >> 8, payload.length & 0xff, 0, 0, 0, 0), payload]);
}

const HELLO = frame(encodeJson({ kind: "hello", resumeToken: "0".repeat(32) as ResumeToken }));
const joining = (boardId: string) =>
  frame(encodeJson({ kind: "join", boardId: boardId as BoardId, attempt: 1, username: "Ana", status: "active", state: {} }));

/** A server whose upgrades all come from one address, which has to wait: the clock stands still until the test has it go on. */
async function full(t: TestContext) {
  const desk = await Desk.open();
  const places = new Set<unknown>();
  const server = createServer();
  acceptUpgrades(server, {
    manager: desk.manager,
    paths: ["/"],
    isAlone: true,
    isServing: () => true,
    tokenInUrl: false,
    isAllowed: () => true,
    descriptors: {
      hasRoom: true,
      hasRoomFor: () => true,
      waits: (socket) => void places.add(socket.on("close", () => places.delete(socket))),
      upgraded: (socket) => void places.delete(socket),
      closed() {},
    },
    addressOf: () => ADDRESS,
    log: { warn() {} } as never,
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  let admitted = 0;
  for (let nth = 0; nth < 100; nth++) desk.manager.gate.admit(ADDRESS, () => admitted++);
  assert.ok(admitted < 100, "nobody waits");
  const sockets: Socket[] = [];
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    desk,
    /** Of clients that wait. */
    places,
    /** A client that has asked for an upgrade and waits for it. */
    async client() {
      const socket = connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1", allowHalfOpen: true });
      sockets.push(socket);
      socket.on("error", () => {});
      const before = places.size;
      socket.write(REQUEST);
      await eventually(() => places.size > before, { what: "it waits" });
      let heard = "";
      socket.on("data", (bytes) => {
        heard += bytes;
      });
      return { socket, heard: () => heard };
    },
  };
}

test("a client that ends its side while it waits leaves the queue at once", async (t) => {
  const { desk, places, client } = await full(t);
  const [gone, patient] = [await client(), await client()];
  const isOver = once(gone.socket, "close");
  gone.socket.end();
  await eventually(() => places.size === 1, { what: "its place is free" });
  await isOver;
  assert.equal(gone.heard(), "");
  desk.clock.advance(2000);
  await eventually(() => patient.heard().startsWith("HTTP/1.1 101"), { what: "the other one is let in" });
});

test("a client that speaks before its turn is heard when it comes, once and in order", async (t) => {
  const { desk, client } = await full(t);
  const ana = await client();
  ana.socket.write(HELLO);
  await new Promise(setImmediate);
  ana.socket.write(joining("b"));
  const watcher = desk.enter("json", "b", "Ben");
  desk.clock.advance(2000);
  await eventually(() => ana.heard().includes('"welcome"'), { what: () => `a welcome, not ${ana.heard()}` });
  ana.socket.write(joining("c"));
  await eventually(
    () => {
      desk.clock.advance(200);
      return (ana.heard().match(/"joined"/g) ?? []).length === 2;
    },
    { what: () => `both boards, not ${ana.heard()}` },
  );
  assert.ok(watcher.socket.takeMessages().some(({ kind }) => kind === "user_joined"));
});

test("a client that says too much before its turn is not read any more, and is heard all the same", async (t) => {
  const { desk, client } = await full(t);
  const ana = await client();
  ana.socket.write(HELLO);
  const noise = frame(JSON.stringify({ type: "heartbeat", more: "x".repeat(1000) }));
  const count = Math.ceil((4 * EARLY_BYTES_MAX) / noise.length);
  for (let nth = 0; nth < count; nth++) ana.socket.write(noise);
  ana.socket.write(joining("b"));
  await eventually(() => ana.socket.writableLength === 0, { what: "all is sent" });
  await eventually(
    () => {
      desk.clock.advance(1000);
      return ana.heard().includes('"joined"');
    },
    { what: () => `the board, not ${ana.heard()}` },
  );
});
