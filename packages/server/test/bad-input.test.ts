/**
 * Bad input from strangers, to our sockets and on our Redis channels. It is counted and answered as docs/PROTOCOL.md says, and
 * other clients are not affected. [C4] [R13]
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { connect } from "node:net";
import { type TestContext, test } from "node:test";
import { type BoardId, CLIENT_MESSAGE_BYTES_MAX, encodeClassic, encodeJson } from "@presence-service/protocol";
import {
  ClassicClient,
  eventually,
  type Instance,
  OPCODE,
  RawSocket,
  type RedisProcess,
  SessionClient,
  startCluster,
  throughout,
} from "./harness/index.ts";

type Invalid = {
  readonly why: string;
  readonly encoding: string;
  readonly direction: string;
  readonly hex?: string;
  readonly text?: string;
};
const VECTORS: Invalid[] = JSON.parse(readFileSync(new URL("../../protocol/vectors/invalid.json", import.meta.url), "utf8"));
/** Longer than any reaction to a message takes. */
const SETTLED_MS = 600;
const REJECTED = 'presence_client_rejected_total{reason="bad_message"}';

test("bad input", { timeout: 120_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t);
  const bystanders = {
    ana: await SessionClient.connect(t, one.wsUrl),
    ben: await SessionClient.connect(t, two.wsUrl, { encoding: "binary" }),
    cleo: await ClassicClient.connect(t, one.wsUrl),
  };
  await bystanders.ana.join("1", "ana");
  await bystanders.ben.join("1", "ben");
  bystanders.cleo.join(1, "cleo");
  await eventually(() => bystanders.ana.names("1").length === 2 && bystanders.ben.names("1").length === 2, { what: "they see each other" });

  await t.test("classic: ignored and counted, the connection kept", async (t) => {
    const client = await ClassicClient.connect(t, one.wsUrl);
    client.join(2, "mallory");
    await eventually(() => client.board(2).count === 1, { what: "the join is answered" });
    const valid = encodeClassic({ kind: "cursor_update", board: 2, x: 1, y: 2 });
    const junk: [string, string | Uint8Array<ArrayBuffer>][] = [
      ["nothing", new Uint8Array(0)],
      ["a type that never was", Uint8Array.of(0x09)],
      ["another", Uint8Array.of(0xff, 0, 1)],
      ["a byte too few", valid.slice(0, -1)],
      ["a byte too many", Uint8Array.of(...valid, 0)],
      ["two messages in one", Uint8Array.of(...valid, ...valid)],
      ["a name longer than it says", Uint8Array.of(0x03, 0, 2, 1, 0x61, 0x62)],
      ["a name shorter than it says", Uint8Array.of(0x03, 0, 2, 9, 0x61)],
      ["a name of 33 bytes", Uint8Array.of(0x03, 0, 2, 33, ...Buffer.alloc(33, "a"))],
      ["a name of 255 bytes", Uint8Array.of(0x03, 0, 2, 255, ...Buffer.alloc(255, "a"))],
      ["a name that is not UTF-8", Uint8Array.of(0x03, 0, 2, 2, 0xc3, 0x28)],
      ["a server's message", encodeClassic({ kind: "user_left", board: 2, user: 0 })],
      ["another server's message", encodeClassic({ kind: "presence_update", board: 2, count: 9 })],
      ["noise", new Uint8Array(randomBytes(1000).fill(0xfe, 0, 1))],
      ["a text", "hello"],
    ];
    const before = await one.metric(REJECTED);
    for (const [, bytes] of junk) client.sendRaw(bytes);
    client.heartbeat();
    await eventually(() => client.has("heartbeat"), { what: "the connection still answers" });
    await eventually(async () => (await one.metric(REJECTED)) - before === junk.length, {
      what: `${junk.length} messages are counted: ${junk.map(([why]) => why)}`,
    });
    assert.deepEqual([client.ended, client.violations, client.names(2), client.board(2).count], [undefined, [], [], 1]);
  });

  await t.test("classic: messages that are valid but out of place have no effect", async (t) => {
    const client = await ClassicClient.connect(t, one.wsUrl);
    const watcher = await ClassicClient.connect(t, two.wsUrl);
    watcher.join(3, "watcher");
    client.move(3, 1, 2);
    client.leave(3);
    client.join(3, "mallory");
    client.join(3, "mallory again");
    await eventually(() => watcher.names(3).length > 0, { what: "the watcher sees the join" });
    await throughout(() => String(watcher.names(3)) === "mallory" && watcher.board(3).count === 2 && !watcher.has("cursor_broadcast"), {
      what: "the watcher sees that join only",
      forMs: SETTLED_MS,
    });
    assert.deepEqual([...watcher.violations, ...client.violations], []);
  });

  for (const [encoding, name] of [["binary", "presence.v2"] as const, ["json", "presence.v2.json"] as const]) {
    const vectors = VECTORS.filter(({ encoding: of, direction }) => of === name && direction !== "server to client");

    await t.test(`${name}: each invalid vector is an error bad_message, and has no effect`, async (t) => {
      const before = await one.metric(REJECTED);
      for (const { why, hex, text } of vectors) {
        // One connection each, since a client that goes on sending invalid messages is closed.
        const client = await SessionClient.connect(t, one.wsUrl, { encoding });
        client.sendRaw(hex === undefined ? (text ?? "") : new Uint8Array(Buffer.from(hex, "hex")));
        await eventually(() => client.errors.length > 0 || client.ended, { what: `an answer to: ${why}` });
        const isTooBig = (text?.length ?? 0) > CLIENT_MESSAGE_BYTES_MAX;
        if (isTooBig) assert.equal(client.ended?.code, 1009, why);
        else assert.deepEqual([client.errors, client.ended], [["bad_message"], undefined], why);
      }
      assert.ok((await one.metric(REJECTED)) > before);
    });

    await t.test(`${name}: a well-formed message with wrong content is answered with another error`, async (t) => {
      const client = await SessionClient.connect(t, one.wsUrl, { encoding });
      const expectError = async (code: string, act: () => void) => {
        const before = client.errors.length;
        act();
        await eventually(() => client.errors.length > before, { what: `the error ${code}` });
        assert.deepEqual(client.errors.slice(before), [code]);
      };
      const place = `doc-${encoding}`;
      const watcher = await SessionClient.connect(t, two.wsUrl);
      await watcher.join(place, "watcher");
      await client.join(place, "mallory");
      const board = encoding === "json" ? ("elsewhere" as BoardId) : 4_000_000;
      await expectError("not_joined", () => client.send({ kind: "update", board, state: {} }));
      await expectError("not_joined", () => client.send({ kind: "broadcast", board, name: "n", data: 1 }));
      await expectError("bad_username", () => client.joinAs("doc-5", 2, "a\u0000b"));
      await expectError("bad_username", () => client.joinAs("doc-5", 2, "a\u202eb"));
      client.update(place, { state: { first: "x".repeat(3000) } });
      await expectError("bad_state", () => client.update(place, { state: { second: "x".repeat(3000) } }));
      await expectError("bad_message", () => client.send({ kind: "hello" }));
      await expectError("superseded", () => client.joinAs(place, 1, "mallory of yesterday"));
      const keys = () => Object.keys(watcher.memberOf(place, "mallory")?.state ?? {});
      await eventually(() => keys().length > 0, { what: "the update that was right is seen" });
      await throughout(() => String(keys()) === "first", { what: "no other update is seen", forMs: SETTLED_MS });
      assert.deepEqual([client.ended, client.violations, watcher.violations], [undefined, [], []]);
    });
  }

  await t.test("v2: before hello no message is handled; without hello the connection is closed; persistent garbage is abuse", async (t) => {
    const early = await RawSocket.connect(t, { port: one.port, protocol: "presence.v2.json" });
    const silent = await RawSocket.connect(t, { port: one.port, protocol: "presence.v2" });
    const answers: string[] = [];
    early.onMessage = (payload) => answers.push(payload.toString());
    early.send('{"kind":"join","board":"1","attempt":1,"username":"early","status":"active","state":{}}');
    await eventually(() => answers.some((answer) => answer.includes("bad_message")), { what: "an error" });
    const abuser = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    for (let n = 0; n < 1000; n++) abuser.sendRaw(Uint8Array.of(0xee, n & 0xff));
    await eventually(() => abuser.ended?.code === 4411, { what: () => `4411, not ${abuser.ended?.code}` });
    for (const socket of [early, silent]) {
      await eventually(() => socket.closeCode !== undefined, { what: "the hello deadline", withinMs: 8000 });
      assert.equal(socket.closeCode, 4410);
    }
  });

  await t.test("a connection may be on 32 boards, not more", async (t) => {
    const client = await SessionClient.connect(t, one.wsUrl);
    for (let n = 0; n < 32; n++) await client.join(`many-${n}`, "mallory");
    client.joinAs("many-32", 1000, "mallory");
    await eventually(() => client.errors.length > 0, { what: "an error" });
    assert.deepEqual(client.errors, ["too_many_boards"]);
  });

  await t.test("too large: 1009, for classic and v2 clients", async (t) => {
    for (const protocol of [undefined, "presence.v2", "presence.v2.json"]) {
      const sockets = [
        await RawSocket.connect(t, { port: one.port, ...(protocol && { protocol }) }),
        await RawSocket.connect(t, { port: one.port, ...(protocol && { protocol }) }),
      ] as const;
      sockets[0].send(Buffer.alloc(CLIENT_MESSAGE_BYTES_MAX + 1, 1));
      // The header claims 4 GiB: the frame is refused at once, without waiting for the payload.
      sockets[1].sendFrame({ opcode: OPCODE.binary, length: 2 ** 32 });
      for (const socket of sockets) await eventually(() => socket.hasEnded, { what: `${protocol ?? "classic"} is closed` });
      assert.deepEqual([sockets[0].closeCode, sockets[1].closeCode], [1009, 1009], protocol);
    }
  });

  await t.test("a violation of the WebSocket protocol ends only its own connection", async (t) => {
    const hello = encodeJson({ kind: "hello" });
    const long = Buffer.alloc(200, "x");
    const violations: [string, number | undefined, (socket: RawSocket) => void][] = [
      ["an unmasked frame", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.text, payload: hello, masked: false })],
      ["a reserved opcode", 1002, (socket) => socket.sendFrame({ opcode: 3, payload: hello })],
      ["a reserved control opcode", 1002, (socket) => socket.sendFrame({ opcode: 0xb })],
      ["a reserved bit", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.text, payload: hello, flags: 0xa0 })],
      ["compression that was not agreed on", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.text, payload: hello, flags: 0xc0 })],
      ["a continuation of nothing", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.continuation, payload: hello })],
      [
        "a message within a fragmented one",
        1002,
        (socket) => {
          socket.sendFrame({ opcode: OPCODE.text, payload: hello, flags: 0 });
          socket.sendFrame({ opcode: OPCODE.text, payload: hello });
        },
      ],
      ["a fragmented ping", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.ping, flags: 0 })],
      ["a ping of 200 bytes", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.ping, payload: long })],
      ["a close code that does not exist", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.close, payload: Uint8Array.of(0, 1) })],
      ["a close frame of one byte", 1002, (socket) => socket.sendFrame({ opcode: OPCODE.close, payload: Uint8Array.of(3) })],
      ["a text that is not UTF-8", 1007, (socket) => socket.sendFrame({ opcode: OPCODE.text, payload: Uint8Array.of(0xc3, 0x28) })],
      [
        "ten thousand fragments",
        undefined,
        (socket) => {
          socket.sendFrame({ opcode: OPCODE.text, payload: "{", flags: 0 });
          for (let n = 0; n < 10_000; n++) socket.sendFrame({ opcode: OPCODE.continuation, payload: " ", flags: 0 });
        },
      ],
      ["noise", undefined, (socket) => socket.write(randomBytes(5000).fill(0xff, 0, 2))],
    ];
    for (const [why, code, commit] of violations) {
      const socket = await RawSocket.connect(t, { port: one.port, protocol: "presence.v2.json" });
      commit(socket);
      await eventually(() => socket.hasEnded, { what: `the connection is ended after ${why}` });
      if (code !== undefined) assert.equal(socket.closeCode, code, why);
    }
  });

  await t.test("unusual but valid frames work: fragments, pings between them, a thousand pings", async (t) => {
    const socket = await RawSocket.connect(t, { port: one.port, protocol: "presence.v2.json" });
    const answers: string[] = [];
    socket.onMessage = (payload) => answers.push(payload.toString());
    const hello = encodeJson({ kind: "hello" });
    socket.sendFrame({ opcode: OPCODE.text, payload: hello.slice(0, 5), flags: 0 });
    socket.sendFrame({ opcode: OPCODE.ping, payload: "between" });
    socket.sendFrame({ opcode: OPCODE.continuation, payload: hello.slice(5, 9), flags: 0 });
    socket.sendFrame({ opcode: OPCODE.continuation, payload: hello.slice(9) });
    await eventually(() => answers.some((answer) => answer.includes('"welcome"')), { what: "a welcome" });
    const flooder = await RawSocket.connect(t, { port: one.port });
    for (let n = 0; n < 1000; n++) flooder.sendFrame({ opcode: OPCODE.ping, payload: "x" });
    flooder.send(encodeClassic({ kind: "heartbeat" }));
    await eventually(() => flooder.messagesRead > 0 || flooder.hasEnded, { what: "it is served, or ended" });
  });

  await t.test("half handshakes, wrong paths and other protocols than HTTP are refused", async (t) => {
    for (const bytes of [
      randomBytes(300),
      Buffer.from("GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"),
      Buffer.from("\u0016\u0003\u0001"),
    ]) {
      const socket = connect(one.port, "127.0.0.1");
      t.after(() => void socket.destroy());
      socket.on("error", () => {});
      socket.write(bytes);
      // The server waits for more bytes of half of them; they are closed when the test ends.
    }
    const refused: [string, Parameters<typeof RawSocket.request>[1]][] = [
      ["another path", { port: one.port, path: "/elsewhere" }],
      ["a version that never was", { port: one.port, headers: { "Sec-WebSocket-Version": "99" } }],
      ["a key that is none", { port: one.port, headers: { "Sec-WebSocket-Key": "short" } }],
    ];
    for (const [why, options] of refused) {
      const socket = await RawSocket.request(t, options);
      assert.ok(socket.status >= 400 && socket.status < 500, `${why}: ${socket.status}`);
    }
    const ws = await RawSocket.request(t, { port: one.port, path: "/ws?from=test" });
    assert.equal(ws.status, 101);
  });

  await t.test("foreign messages on our Redis channels, noise, and our own cut short: counted, without effect", async (t) => {
    const captured = await capture(t, redis, one, two);
    const before = await dropped(two);
    // Messages that the predecessor of this service published on such channels.
    const foreign = [
      '{"type":"cursor","board":1,"user":1,"x":5,"y":6}',
      '{"from":"somebody","key":"k","joined":"eve"}',
      "hello",
      "",
      "null",
    ];
    for (const channel of ["presence:board:1", "presence:global"]) {
      for (const text of foreign) await redis.cli("PUBLISH", channel, text);
      for (const size of [1, 16, 40, 2000]) await redis.cli("PUBLISH", channel, randomBytes(size));
    }
    let cuts = 0;
    for (const { channel, bytes } of captured) {
      for (const part of [0.1, 0.5, 0.8]) {
        await redis.cli("PUBLISH", channel, bytes.subarray(0, Math.floor(bytes.length * part)));
        cuts++;
      }
    }
    await redis.cli("PUBLISH", "presence:board:1", randomBytes(3_000_000));
    await eventually(async () => (await dropped(two)) - before >= 2 * (foreign.length + 4), {
      what: "they are counted",
    });
    t.diagnostic(`${cuts} cut messages of ${captured.length}; ${(await dropped(two)) - before} counted as dropped`);
    for (const instance of [one, two]) {
      await eventually(async () => (await instance.health()).status === "ok", { what: "the instances are well" });
      assert.equal(
        (await instance.health()).peers.filter(({ state }) => state === "up").length,
        1,
        "no foreign message counts as an instance",
      );
    }
  });

  await t.test("after all this the other clients have seen nothing of it", async () => {
    const { ana, ben, cleo } = bystanders;
    assert.ok(one.isRunning && two.isRunning);
    assert.deepEqual(
      [ana.names("1"), ben.names("1"), cleo.names(1)],
      [
        ["ben", "cleo"],
        ["ana", "cleo"],
        ["ana", "ben"],
      ],
    );
    assert.deepEqual([...ana.violations, ...ben.violations, ...cleo.violations], []);
    const leaves = [ana, ben, cleo].map(({ received }) => received.filter(({ kind }) => kind === "user_left").length);
    assert.deepEqual(leaves, [2, 2, 2], "only the two visitors left");
    assert.deepEqual([...ana.errors, ...ben.errors, ana.ended, ben.ended, cleo.ended], [undefined, undefined, undefined]);
    ana.move("1", 11, 12);
    await eventually(() => ben.cursorOf("1", "ana")?.x === 11 && cleo.cursorOf(1, "ana")?.y === 12, { what: "cursors flow" });
    for (const instance of [one, two]) {
      assert.deepEqual(
        instance.lines.filter((line) => /"level":"(?:error|fatal)"|uncaught|unhandled/i.test(line)),
        [],
      );
    }
  });
});

/** Captures real messages of instance one, of all kinds that a short visit causes. */
async function capture(t: TestContext, redis: RedisProcess, one: Instance, two: Instance) {
  const published = await redis.watch(t, "presence:*");
  const ana = await SessionClient.connect(t, one.wsUrl);
  const ben = await SessionClient.connect(t, two.wsUrl);
  await ben.join("1", "visiting ben");
  await ana.join("1", "visiting ana", { tool: "pen" });
  await eventually(() => ben.names("1").includes("visiting ana"), { what: "ana is seen" });
  ana.update("1", { status: "idle", state: { tool: null } });
  ana.move("1", 1, 2);
  ana.broadcast("1", "wave", { n: 1 });
  await eventually(() => ben.has("event") && ben.cursorOf("1", "visiting ana"), { what: "ben hears all of it" });
  ana.leave("1");
  ben.leave("1");
  await eventually(() => published.some(({ channel }) => channel === "presence:global"), { what: "a heartbeat" });
  return [...published];
}

async function dropped(instance: Instance): Promise<number> {
  const metrics = await instance.metrics();
  return ["invalid", "foreign", "old_link", "version"].reduce(
    (sum, why) => sum + metrics(`presence_bus_dropped_total{reason="${why}"}`),
    0,
  );
}
