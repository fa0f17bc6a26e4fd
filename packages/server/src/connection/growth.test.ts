/** Clients of a later release at this one: everybody is told the same as if they were of this release. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { type BoardId, CLOSE, type ClientMessage, decodeServerBinary, decodeServerJson } from "@presence-service/protocol";
import { laterBinary, laterJson, UNKNOWN_MESSAGES } from "../../../protocol/test/later.ts";
import { type Client, Desk } from "../testing/desk.ts";

type Release = "this" | "later";

/** A client of that release says the message; a later one says something unknown before each. */
function say(client: Client, release: Release, message: ClientMessage): void {
  if (release === "this") return client.say(message);
  const isBinary = client.encoding === "binary";
  client.connection.received(unknown(client), isBinary);
  client.connection.received(Buffer.from(isBinary ? laterBinary(message) : laterJson(message)), isBinary);
}

function unknown({ encoding }: Client): Buffer {
  const { hex, json } = UNKNOWN_MESSAGES.client;
  return encoding === "binary" ? Buffer.from(hex, "hex") : Buffer.from(json);
}

/** All that four clients are told while one of them says every message there is. */
async function conversation(encoding: "binary" | "json", release: Release): Promise<string[]> {
  const desk = await Desk.open({ authenticate: (token) => (token === undefined ? { userId: "guest" } : { userId: token }) });
  const watchers = (["binary", "json", "classic"] as const).map((encoding) => desk.enter(encoding, "1", encoding));
  const ana = desk.connect(encoding);
  const told: string[] = [];
  const listen = (ms = 100) => {
    desk.clock.advance(ms);
    for (const [at, client] of [ana, ...watchers].entries()) {
      for (const { isText, payload } of client.socket.takeFrames()) {
        const message = isText ? decodeServerJson(payload.toString()) : decodeServerBinary(payload);
        const isOfUnknown = message?.kind === "error" && message.code === "unknown_message";
        if (!isOfUnknown) told.push(`${at} ${isText ? payload.toString() : payload.toString("hex")}`);
        else assert.deepEqual([release, at, message.ref], ["later", 0, encoding === "json" ? "follow" : undefined]);
      }
    }
  };
  const boardId = "1" as BoardId;
  say(ana, release, { kind: "hello", token: "ana", resumeToken: ana.resumeToken });
  listen();
  say(ana, release, { kind: "join", boardId, attempt: 1, username: "Ana", status: "idle", state: { tool: "pen" } });
  listen(200);
  const board = ana.ref("1");
  const messages: { readonly [K in ClientMessage["kind"]]?: Extract<ClientMessage, { kind: K }>[] } = {
    cursor: [
      { kind: "cursor", board, at: { x: 5, y: 6 } },
      { kind: "cursor", board, at: { x: -5, y: 70_000 } },
      { kind: "cursor", board, at: null },
    ],
    update: [
      { kind: "update", board, status: "active", state: { tool: null } },
      { kind: "update", board, status: "idle" },
      { kind: "update", board },
      { kind: "update", board, area: "slide-3" },
    ],
    look: [
      { kind: "look", board, areas: ["slide-3", ""] },
      { kind: "look", board, all: true },
      { kind: "look", board },
    ],
    broadcast: [{ kind: "broadcast", board, name: "reaction", data: { emoji: "🎉" } }],
    heartbeat: [{ kind: "heartbeat" }],
    auth: [{ kind: "auth", token: "ana" }],
    leave: [{ kind: "leave", board }],
  };
  for (const message of Object.values(messages).flat()) {
    say(ana, release, message);
    listen();
  }
  assert.deepEqual([ana.socket.closedWith, desk.metrics.clientRejected.bad_message], [undefined, 0]);
  // The session of a classic client is made at random.
  const classicId = /"memberId":"(\w+)","userId":"guest","username":"classic"/.exec(told.join("\n"))?.[1];
  return told.map((line) => line.replaceAll(classicId ?? "none", "classic"));
}

for (const encoding of ["binary", "json"] as const) {
  test(`${encoding}: a later client is understood in all that this release knows, and nobody else notices the rest`, async () => {
    const told = await conversation(encoding, "this");
    assert.ok(told.length > 20, String(told.length));
    assert.deepEqual(await conversation(encoding, "later"), told);
  });

  test(`[C4] ${encoding}: unknown messages are answered as often as other mistakes, also before hello, and never count as garbage`, async () => {
    const desk = await Desk.open();
    const ana = desk.connect(encoding);
    const codes = () => {
      desk.clock.advance(500);
      return ana.socket.takeMessages().map((message) => (message.kind === "error" ? message.code : message.kind));
    };
    ana.connection.received(unknown(ana), encoding === "binary");
    ana.hello();
    assert.deepEqual(codes(), ["unknown_message", "welcome"]);
    for (let n = 0; n < 1000; n++) ana.connection.received(unknown(ana), encoding === "binary");
    const answers = codes();
    assert.ok(answers.length >= 29 && answers.length <= 31 && answers.every((code) => code === "unknown_message"), String(answers));
    assert.deepEqual([ana.socket.closedWith, desk.metrics.clientRejected.unknown_message], [undefined, 1001]);
  });

  test(`${encoding}: a status of a later release is shown as active`, async () => {
    const desk = await Desk.open();
    const ben = desk.enter("json", "b", "Ben");
    const ana = desk.enter(encoding, "b", "Ana");
    ana.say({ kind: "update", board: ana.ref("b"), status: "idle" });
    desk.clock.advance(100);
    ben.socket.takeFrames();
    const update =
      encoding === "json" ? '{"kind":"update","board":"b","status":"away"}' : Buffer.of(0x05, Number(ana.ref("b")), 0x01, 0x01, 0x09);
    ana.connection.received(Buffer.from(update), encoding === "binary");
    desk.clock.advance(100);
    const [updated] = ben.socket.takeMessages();
    assert.deepEqual(updated?.kind === "user_updated" && updated.patch, { status: "active", activeAt: null });
  });
}

test("[C4] only bytes that no client of any release sends are garbage", async () => {
  const desk = await Desk.open();
  const isClosedFor = (encoding: "binary" | "json", garbage: string | Buffer, isBinary = encoding === "binary") => {
    const eve = desk.enter(encoding);
    for (let n = 0; n < 40; n++) eve.connection.received(Buffer.from(garbage), isBinary);
    desk.clock.advance(500);
    return eve.socket.closedWith === CLOSE.abuse;
  };
  for (const bytes of [[], [0], [0x40], [0x4a, 50], [0xff]]) assert.ok(isClosedFor("binary", Buffer.from(bytes)), String(bytes));
  for (const bytes of [[0x3e], [0x3f, 1], [0x20, 0xff]]) assert.ok(!isClosedFor("binary", Buffer.from(bytes)), String(bytes));
  for (const text of ["", "{", "7", "[]", "{}", '{"kind":7}', '{"kind":"follow","a":{"__proto__":1}}'])
    assert.ok(isClosedFor("json", text), text);
  assert.ok(isClosedFor("binary", "9 is text", false), "text where bytes are spoken");
  assert.ok(isClosedFor("json", '{"kind":"follow"}', true), "bytes where text is spoken");
  for (const text of ['{"kind":""}', '{"kind":"welcome"}', '{"kind":"toString"}']) assert.ok(!isClosedFor("json", text), text);
});
