/**
 * A process that floods: `node flooder.ts <port> <sockets> <kind> <own address>`. Each socket writes as fast as the other side reads, and a closed one
 * is opened again. It runs at a low priority: the service is measured, not the number of cores of the machine.
 */

import { connect, type Socket } from "node:net";
import { setPriority } from "node:os";
import { type ClientMessage, encodeBinary, encodeJson } from "@presence-service/protocol";
import { FLOODS, type Flood } from "./flood-kinds.ts";

const CHUNK_BYTES = 64 * 1024;
const REOPEN_MS = 5;

const [port = 0, sockets = 0] = process.argv.slice(2, 4).map(Number);
const localAddress = process.argv[5] ?? "127.0.0.1";
const flood = FLOODS[process.argv[4] as keyof typeof FLOODS] as Flood;
setPriority(10);
let opened = 0;
for (let nth = 0; nth < sockets; nth++) open();

function open(): void {
  const socket = connect({ port, host: "127.0.0.1", localAddress, noDelay: true });
  let answer = "";
  socket.on("error", () => {});
  socket.on("close", () => setTimeout(open, REOPEN_MS));
  const protocol = flood.protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${flood.protocol}\r\n`;
  socket.write(
    `GET / HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${protocol}\r\n`,
  );
  socket.on("data", (chunk: Buffer) => {
    if (answer.includes("\r\n\r\n")) return;
    answer += chunk.toString("latin1");
    if (answer.includes(" 101 ") && answer.includes("\r\n\r\n")) begin(socket);
  });
}

function begin(socket: Socket): void {
  if (flood.isOver) return void socket.destroy();
  for (const message of flood.first ?? []) socket.write(frameOf(say(message)));
  if (flood.isFrozen) return void socket.pause();
  if (flood.once) return void setTimeout(() => socket.destroy(), 50);
  const number = opened++;
  let nth = 0;
  const chunk = () => {
    const parts: Buffer[] = [];
    for (let bytes = 0; bytes < (flood.chunkBytes ?? CHUNK_BYTES); ) {
      const part = flood.raw ?? frameOf(say(flood.message?.(nth++, number)));
      bytes += part.length;
      parts.push(part);
    }
    return Buffer.concat(parts);
  };
  const fixed = flood.isFixed === false ? undefined : chunk();
  const write = () => {
    while (!socket.destroyed && socket.write(fixed ?? chunk()));
  };
  socket.on("drain", write);
  write();
}

function say(message: ClientMessage | string | Uint8Array | undefined): string | Uint8Array {
  if (message === undefined) return new Uint8Array(0);
  if (typeof message === "string" || message instanceof Uint8Array) return message;
  return flood.protocol === "presence.v2.json" ? encodeJson(message) : encodeBinary(message);
}

function frameOf(payload: string | Uint8Array): Buffer {
  const bytes = Buffer.from(payload as string);
  const first = typeof payload === "string" ? 0x81 : 0x82;
  const head = bytes.length < 126 ? [first, 0x80 | bytes.length] : [first, 0xfe, bytes.length >> 8, bytes.length & 0xff];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), bytes]);
}
