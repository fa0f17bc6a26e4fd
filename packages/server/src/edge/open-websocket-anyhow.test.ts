/**
 * A WebSocket after its handshake, with and without TLS: whatever the cuts of packets, the pauses in between and the end of the client, each message, ping
 * and pong is heard once and in order. The frames of a client, and how they come, are drawn from a seed.
 */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { connect as connectTls, createServer as createTlsServer, type TLSSocket } from "node:tls";
import { certificates } from "../../test/harness/certificates.ts";
import { eventually } from "../../test/harness/eventually.ts";
import { Random } from "../core/random.ts";
import { OpenWebSocket } from "./open-websocket.ts";

const OPCODE = { continuation: 0, text: 1, close: 8, ping: 9, pong: 10 };
/** Longer than the longest head that Node can hand over with an upgrade. */
const HEAD_BYTES_MAX = 70_000;
const SEEDS = 60;

/** A whole number from 0 on. */
type Below = (end: number) => number;

test("over TCP, everything is heard once and in order", { timeout: 60_000 }, async (t) => {
  for (let seed = 1; seed <= SEEDS; seed++) await hearsAll(t, seed, undefined);
});

test("over TLS, too", { timeout: 60_000 }, async (t) => {
  const folder = certificates(t);
  const [key, cert] = ["server.key", "server.pem"].map((name) => readFileSync(join(folder, name)));
  for (let seed = 1; seed <= SEEDS; seed++) await hearsAll(t, seed, { key, cert });
});

async function hearsAll(t: TestContext, seed: number, tls: { key: Buffer | undefined; cert: Buffer | undefined } | undefined) {
  const random = new Random(seed);
  const below: Below = (end) => Math.floor(random.between(0, end));
  const { bytes, heard: expected } = speech(below);
  const heard: string[] = [];
  const headBytes = below(3) === 0 ? below(Math.min(bytes.length, HEAD_BYTES_MAX)) : 0;
  const onceIn = 1 + below(6);
  const serve = (socket: Socket) => {
    // A test that fails must not keep the process.
    t.after(() => socket.destroy());
    const webSocket = new OpenWebSocket(socket);
    let isPaused = false;
    const goOn = () => {
      isPaused = false;
      webSocket.resume();
    };
    const hear = (words: string) => {
      // Bytes that were read before the socket closed are handed on to their end.
      heard.push(isPaused && !socket.destroyed ? `${words} in a pause` : words);
      if (isPaused || below(onceIn) > 0) return;
      isPaused = true;
      webSocket.pause();
      [process.nextTick, setImmediate, setTimeout][below(3)]?.(goOn);
    };
    webSocket.begin(
      {
        received: (data) => hear(data.toString()),
        pinged: (data) => hear(`ping ${data}`),
        ponged: () => hear("pong"),
        owe() {},
        end: ({ code }, how) => hear(`end ${code} ${how}`),
        closed: (code) => heard.push(`closed ${code}`),
      },
      Buffer.from(bytes.subarray(0, headBytes)),
    );
  };
  const server = tls ? createTlsServer({ ...tls, allowHalfOpen: true } as object, serve) : createServer({ allowHalfOpen: true }, serve);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const to = { port: (server.address() as AddressInfo).port, host: "127.0.0.1" };
  const client: Socket | TLSSocket = tls ? connectTls({ ...to, rejectUnauthorized: false }) : connect({ ...to, noDelay: true });
  t.after(() => {
    client.destroy();
    server.close();
  });
  client.on("error", () => {}).resume();
  await once(client, tls ? "secureConnect" : "connect");
  const pieceMax = below(4) === 0 ? 40 : 9000;
  for (let at = headBytes; at < bytes.length; ) {
    const end = at + 1 + below(pieceMax);
    client.write(bytes.subarray(at, end));
    at = end;
    if (below(5) === 0) await new Promise(setImmediate);
  }
  const hasClosed = expected.at(-1) !== "closed 1006";
  if (!hasClosed || below(2) === 0) client.end();
  await eventually(() => heard.at(-1)?.startsWith("closed"), { what: () => `the end of seed ${seed}, after ${heard.length}` });
  const wrong = heard.findIndex((words, nth) => words !== expected[nth]);
  const at = wrong < 0 ? heard.length : wrong;
  assert.deepEqual(
    [heard[at]?.slice(0, 80), heard.length],
    [expected[at]?.slice(0, 80), expected.length],
    `seed ${seed}, the ${at}th heard`,
  );
  client.destroy();
  server.close();
}

/** All that a client sends, until its close frame or until it only ends its side; and all of it that is to be heard. */
function speech(below: Below): { readonly bytes: Buffer; readonly heard: readonly string[] } {
  const frames: Buffer[] = [];
  const heard: string[] = [];
  const say = (opcode: number, text: string, isFinal = true) => frames.push(frame(below, opcode, Buffer.from(text), isFinal));
  const ping = (text: string) => {
    say(OPCODE.ping, text);
    heard.push(`ping ${text}`);
  };
  for (let nth = below(300); nth >= 0; nth--) {
    const kind = below(10);
    if (kind === 0) ping(String(nth));
    else if (kind === 1) {
      say(OPCODE.pong, "p".repeat(below(126)));
      heard.push("pong");
    } else {
      const text = `${nth}${"é".repeat(below(below(8) === 0 ? 8000 : 20))}`;
      const parts = below(4) === 0 ? 1 + below(20) : 1;
      const partLength = Math.ceil(text.length / parts);
      for (let part = 0; part < parts; part++) {
        say(part === 0 ? OPCODE.text : OPCODE.continuation, text.slice(part * partLength, (part + 1) * partLength), part === parts - 1);
        if (part < parts - 1 && below(4) === 0) ping(`${nth}.${part}`);
      }
      heard.push(text);
    }
  }
  const isClosing = below(4) > 0;
  if (isClosing) frames.push(frame(below, OPCODE.close, Buffer.of(1001 >> 8, 1001 & 0xff), true));
  // Nothing is heard after a close frame.
  if (isClosing && below(3) === 0) say(OPCODE.text, "x".repeat(3000));
  heard.push(isClosing ? "closed 1001" : "closed 1006");
  return { bytes: Buffer.concat(frames), heard };
}

/** A client's frame, with a key of its own and, unless it is of the kinds that may not, a header that is longer than it has to be at times. */
function frame(below: Below, opcode: number, payload: Buffer, isFinal: boolean): Buffer {
  const { length } = payload;
  const width = opcode < OPCODE.close ? below(9) : 2;
  let header = Buffer.of(0, 0x80 | length);
  if (width === 0) {
    header = Buffer.alloc(10);
    header[1] = 0x80 | 127;
    header.writeUInt32BE(length, 6);
  } else if (width === 1 || length > 125) {
    header = Buffer.of(0, 0x80 | 126, length >> 8, length & 0xff);
  }
  header[0] = (isFinal ? 0x80 : 0) | opcode;
  const key = Buffer.of(below(256), below(256), below(256), below(256));
  const masked = payload.map((byte, at) => byte ^ (key[at & 3] as number));
  return Buffer.concat([header, key, masked]);
}
