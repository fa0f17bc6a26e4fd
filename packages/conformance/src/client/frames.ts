/**
 * The service's half of RFC 6455, as small as a scripted service needs it: the answer to an upgrade, frames out, masked frames in. It
 * speaks no extension, and sends each message in one frame.
 */

import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export type Frame = { readonly opcode: number; readonly payload: Buffer; readonly isLast: boolean; readonly isMasked: boolean };

export function acceptance({ headers }: IncomingMessage, subprotocol: string | undefined): string {
  const key = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
  const lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade", `Sec-WebSocket-Accept: ${key}`];
  if (subprotocol !== undefined) lines.push(`Sec-WebSocket-Protocol: ${subprotocol}`);
  return `${lines.join("\r\n")}\r\n\r\n`;
}

export function frame(opcode: number, payload: Uint8Array): Buffer {
  const { length } = payload;
  const head = Buffer.alloc(length < 126 ? 2 : length < 65_536 ? 4 : 10);
  head[0] = 0x80 | opcode;
  head[1] = length < 126 ? length : length < 65_536 ? 126 : 127;
  if (head.length === 4) head.writeUInt16BE(length, 2);
  if (head.length === 10) head.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([head, payload]);
}

/** Takes bytes as they come and gives whole frames. */
export class FrameReader {
  #unread: Buffer = Buffer.alloc(0);

  read(bytes: Buffer): Frame[] {
    this.#unread = Buffer.concat([this.#unread, bytes]);
    const frames: Frame[] = [];
    for (let next = this.#next(); next !== undefined; next = this.#next()) frames.push(next);
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#unread;
    const [first = 0, second = 0] = bytes;
    const short = second & 0x7f;
    const lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0;
    const isMasked = (second & 0x80) !== 0;
    const start = 2 + lengthBytes + (isMasked ? 4 : 0);
    if (bytes.length < start) return undefined;
    const length = lengthBytes === 2 ? bytes.readUInt16BE(2) : lengthBytes === 8 ? Number(bytes.readBigUInt64BE(2)) : short;
    if (bytes.length < start + length) return undefined;
    const payload = Buffer.from(bytes.subarray(start, start + length));
    if (isMasked) for (let at = 0; at < length; at++) payload[at] = (payload[at] ?? 0) ^ (bytes[start - 4 + (at % 4)] ?? 0);
    this.#unread = bytes.subarray(start + length);
    return { opcode: first & 0x0f, payload, isLast: (first & 0x80) !== 0, isMasked };
  }
}
