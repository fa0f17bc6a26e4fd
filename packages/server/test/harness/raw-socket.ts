/**
 * A WebSocket client on a bare TCP socket: cheap enough for a crowd, and free to break every rule of RFC 6455. It hands over messages
 * as views that are valid until its listener returns, and answers pings unless told not to.
 */

import assert from "node:assert/strict";
import { connect, type Socket } from "node:net";
import { eventually } from "./eventually.ts";
import type { Scope } from "./scope.ts";

export type RawOptions = {
  readonly port: number;
  readonly path?: string;
  readonly protocol?: string;
  /** The address that it comes from, such as 127.0.0.2 (Linux); not given: 127.0.0.1. */
  readonly from?: string;
  /** Further headers of the upgrade request. */
  readonly headers?: Readonly<Record<string, string>>;
};

export const OPCODE = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;

export class RawSocket {
  /** Called with each whole message. */
  onMessage: (payload: Buffer, opcode: number) => void = () => {};
  answersPings = true;
  /** Status of the answer to the upgrade; 0: none came. */
  status = 0;
  /** Headers of that answer, in lower case. */
  readonly headers = new Map<string, string>();
  /** From the server's close frame. */
  closeCode: number | undefined;
  /** The TCP connection is over. */
  hasEnded = false;
  bytesRead = 0;
  messagesRead = 0;
  readonly #socket: Socket;
  #unread: Buffer = Buffer.alloc(0);
  #isOpen = false;

  private constructor({ port, path = "/", protocol, from, headers = {} }: RawOptions) {
    this.#socket = connect({ port, host: "127.0.0.1", noDelay: true, ...(from && { localAddress: from }) });
    this.#socket.on("error", () => {});
    this.#socket.on("close", () => {
      this.hasEnded = true;
    });
    this.#socket.on("data", (chunk: Buffer) => this.#read(chunk));
    const all = {
      Host: `localhost:${port}`,
      Connection: "Upgrade",
      Upgrade: "websocket",
      "Sec-WebSocket-Version": "13",
      "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
      ...(protocol === undefined ? {} : { "Sec-WebSocket-Protocol": protocol }),
      ...headers,
    };
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
    this.#socket.write(`GET ${path} HTTP/1.1\r\n${lines.join("")}\r\n`);
  }

  /** Open once it is returned; cut with the test. */
  static async connect(scope: Scope, options: RawOptions): Promise<RawSocket> {
    const socket = await RawSocket.request(scope, options);
    assert.equal(socket.status, 101, `the upgrade at port ${options.port} was refused`);
    return socket;
  }

  /** Returns when the upgrade is answered, also if it is refused. */
  static async request(scope: Scope, options: RawOptions): Promise<RawSocket> {
    const socket = new RawSocket(options);
    scope.after(() => socket.destroy());
    await eventually(() => socket.status !== 0 || socket.hasEnded, { what: `an answer to the upgrade at port ${options.port}` });
    return socket;
  }

  /** One message in one frame. */
  send(payload: Uint8Array | string): void {
    this.sendFrame({ opcode: typeof payload === "string" ? OPCODE.text : OPCODE.binary, payload });
  }

  /** A frame as described, right or wrong: `flags` is the whole upper half of the first byte (0x80: final). */
  sendFrame(frame: { opcode: number; payload?: Uint8Array | string; flags?: number; masked?: boolean; length?: number }): void {
    const payload = Buffer.from(frame.payload ?? "");
    this.write(Buffer.concat([frameHeader(frame, payload.length), payload]));
  }

  /** Sends raw bytes. */
  write(bytes: Uint8Array): void {
    this.#socket.write(bytes);
  }

  /** Bytes written and not taken by the system yet. */
  get queuedBytes(): number {
    return this.#socket.writableLength;
  }

  /** Stops reading: the server's messages fill the buffers on the way. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Cuts the TCP connection without a close frame. */
  destroy(): void {
    this.#socket.resetAndDestroy();
  }

  #read(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = this.#isOpen ? 0 : this.#readAnswer(bytes);
    while (this.#isOpen) {
      const end = this.#readFrame(bytes, at);
      if (end < 0) break;
      at = end;
    }
    this.#unread = at === bytes.length ? EMPTY : bytes.subarray(at);
  }

  /** The offset where frames begin; 0 while the answer is incomplete, and after a refusal. */
  #readAnswer(bytes: Buffer): number {
    const end = bytes.indexOf("\r\n\r\n");
    if (end < 0 || this.status !== 0) return 0;
    const [first = "", ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
    for (const line of lines) this.headers.set(line.slice(0, line.indexOf(":")).toLowerCase(), line.slice(line.indexOf(":") + 1).trim());
    this.status = Number(first.split(" ")[1]);
    this.#isOpen = this.status === 101;
    return this.#isOpen ? end + 4 : 0;
  }

  /** The offset of the next frame; -1: this frame is incomplete. Servers do not mask, and ours does not fragment. */
  #readFrame(bytes: Buffer, at: number): number {
    if (bytes.length < at + 2) return -1;
    let length = (bytes[at + 1] ?? 0) & 0x7f;
    let start = at + 2;
    if (length === 126) {
      if (bytes.length < at + 4) return -1;
      length = bytes.readUInt16BE(at + 2);
      start = at + 4;
    } else if (length === 127) {
      if (bytes.length < at + 10) return -1;
      length = Number(bytes.readBigUInt64BE(at + 2));
      start = at + 10;
    }
    const end = start + length;
    if (bytes.length < end) return -1;
    const opcode = (bytes[at] ?? 0) & 0x0f;
    const payload = bytes.subarray(start, end);
    if (opcode === OPCODE.close) this.closeCode = length >= 2 ? payload.readUInt16BE(0) : 1005;
    else if (opcode === OPCODE.ping) {
      if (this.answersPings) this.sendFrame({ opcode: OPCODE.pong, payload });
    } else if (opcode !== OPCODE.pong) {
      this.messagesRead++;
      this.onMessage(payload, opcode);
    }
    return end;
  }
}

const EMPTY = Buffer.alloc(0);

/** Masked with the key 0, which leaves the payload as it is. */
function frameHeader({ opcode, flags = 0x80, masked = true, length }: FrameForm, bytes: number): Buffer {
  const said = length ?? bytes;
  const first = flags | opcode;
  const mask = masked ? 0x80 : 0;
  const key = masked ? [0, 0, 0, 0] : [];
  if (said < 126) return Buffer.from([first, mask | said, ...key]);
  if (said < 65_536) return Buffer.from([first, mask | 126, said >> 8, said & 0xff, ...key]);
  const wide = Buffer.alloc(10);
  wide[0] = first;
  wide[1] = mask | 127;
  wide.writeBigUInt64BE(BigInt(said), 2);
  return Buffer.concat([wide, Buffer.from(key)]);
}

type FrameForm = { readonly opcode: number; readonly flags?: number; readonly masked?: boolean; readonly length?: number };
