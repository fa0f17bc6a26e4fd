/**
 * A WebSocket client for measuring: a bare TCP socket and a frame parser that allocates nothing per message, so that receiving costs
 * little. It works with servers that do not fragment messages.
 */

import { connect, type Socket } from "node:net";

/** `bytes[start…end)` is the payload, valid until this returns. */
export type Listener = (bytes: Buffer, start: number, end: number) => void;

const EMPTY = Buffer.alloc(0);
const PING = 9;
const CLOSE = 8;

export class BenchSocket {
  onMessage: Listener = () => {};
  /** Called once when it is over. */
  onEnd: () => void = () => {};
  bytesRead = 0;
  /** How often the system had bytes for it: a lower bound of how often the server has written. */
  reads = 0;
  /** Why the connection ended; undefined: it is open. */
  ended: string | undefined;
  readonly #socket: Socket;
  #unread: Buffer = EMPTY;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("error", (error) => {
      this.ended ??= error.message;
    });
    socket.on("close", () => {
      this.ended ??= "closed";
      this.onEnd();
    });
  }

  /** `protocol`: the subprotocol to offer; undefined: none. `address`: what a proxy in front would say of the client. */
  static open(port: number, protocol: string | undefined, address?: string, path = "/"): Promise<BenchSocket> {
    return new Promise((resolve, reject) => {
      const socket = connect({ port, host: "127.0.0.1", noDelay: true });
      const opened = new BenchSocket(socket);
      const offer = protocol === undefined ? "" : `Sec-WebSocket-Protocol: ${protocol}\r\n`;
      const forwarded = address === undefined ? "" : `X-Forwarded-For: ${address}\r\n`;
      socket.write(
        `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${offer}${forwarded}\r\n`,
      );
      let answer = EMPTY;
      const read = (chunk: Buffer) => {
        answer = Buffer.concat([answer, chunk]);
        const end = answer.indexOf("\r\n\r\n");
        if (end < 0) return;
        socket.off("data", read);
        if (!answer.toString("latin1", 0, 12).endsWith("101")) return reject(new Error(`refused: ${answer.toString("latin1", 0, end)}`));
        socket.on("data", (bytes: Buffer) => opened.#read(bytes));
        resolve(opened);
        if (answer.length === end + 4) return;
        // Those who wait for this promise first set their listener.
        opened.#unread = answer.subarray(end + 4);
        setImmediate(() => opened.#read(EMPTY));
      };
      socket.on("data", read);
      socket.once("close", () => reject(new Error(opened.ended)));
    });
  }

  /** Up to 125 bytes are sent without a copy; only joins are longer. */
  send(payload: Uint8Array): void {
    this.#send(0x82, payload);
  }

  sendText(text: string): void {
    this.#send(0x81, Buffer.from(text));
  }

  /** Reads nothing more until `resume()`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  #send(head: number, payload: Uint8Array): void {
    const isShort = payload.length < 126;
    const start = isShort ? 6 : 8;
    const frame = Buffer.allocUnsafe(start + payload.length);
    frame[0] = head;
    frame[1] = 0x80 | (isShort ? payload.length : 126);
    if (!isShort) frame.writeUInt16BE(payload.length, 2);
    // A mask of zeros leaves the payload as it is.
    frame.fill(0, start - 4, start);
    frame.set(payload, start);
    this.#socket.write(frame);
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    this.bytesRead += chunk.length;
    this.reads++;
    const bytes = this.#unread.length === 0 ? chunk : Buffer.concat([this.#unread, chunk]);
    let at = 0;
    while (at + 2 <= bytes.length) {
      let length = (bytes[at + 1] ?? 0) & 0x7f;
      let start = at + 2;
      if (length >= 126) {
        start = at + (length === 126 ? 4 : 10);
        if (start > bytes.length) break;
        length = length === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
      }
      const end = start + length;
      if (end > bytes.length) break;
      const opcode = (bytes[at] ?? 0) & 0x0f;
      if (opcode === PING) this.#pong(bytes.subarray(start, end));
      else if (opcode === CLOSE) this.ended = `closed with ${length >= 2 ? bytes.readUInt16BE(start) : "no code"}`;
      else this.onMessage(bytes, start, end);
      at = end;
    }
    this.#unread = at === bytes.length ? EMPTY : bytes.subarray(at);
  }

  #pong(payload: Buffer): void {
    this.#socket.write(Buffer.concat([Buffer.from([0x8a, 0x80 | payload.length, 0, 0, 0, 0]), payload]));
  }
}
