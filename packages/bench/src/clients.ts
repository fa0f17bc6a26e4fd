/** Clients that move and watch, in the two encodings that matter for speed. A position holds the number of its move, for timing. */

import { type BoardId, decodeServerBinary, encodeBinary, encodeClassic } from "@presence-service/protocol";
import type { BenchSocket } from "./socket.ts";

export type Protocol = "binary" | "classic";

/** The status that members choose. */
export type Status = "active" | "idle";

/** Called for each position of another client that arrives. */
export type Seen = (viewer: { readonly instance: number }, move: number) => void;

export abstract class Client {
  readonly socket: BenchSocket;
  /** Index of the instance it is connected to. */
  readonly instance: number;
  isJoined = false;
  /** Called when a member is shown as leaving. */
  left: () => void = () => {};
  protected readonly board: number;
  protected readonly seen: Seen;

  constructor(socket: BenchSocket, instance: number, board: number, seen: Seen) {
    this.socket = socket;
    this.instance = instance;
    this.board = board;
    this.seen = seen;
    socket.onMessage = (bytes, start, end) => this.hear(bytes, start, end);
  }

  /** `area` empty: in none. */
  abstract join(username: string, status: Status, area?: string): void;
  /** `move`: any u32; it is sent as the position. */
  abstract move(move: number): void;
  protected abstract hear(bytes: Buffer, start: number, end: number): void;
}

export class ClassicClient extends Client {
  override join(username: string): void {
    this.socket.send(encodeClassic({ kind: "join", board: this.board, username }));
  }

  override move(move: number): void {
    const bytes = Buffer.allocUnsafe(7);
    bytes[0] = 0x01;
    bytes.writeUInt16BE(this.board, 1);
    bytes.writeUInt32BE(move, 3);
    this.socket.send(bytes);
  }

  protected override hear(bytes: Buffer, start: number): void {
    if (bytes[start] === 0x02) this.seen(this, bytes.readUInt32BE(start + 4));
    else if (bytes[start] === 0x07) this.isJoined = true;
  }
}

const CURSORS = 0x46;
const HIDDEN = 1;
const WIDE = 2;

export class BinaryClient extends Client {
  /** Everything of a `cursor` message before the coordinates. */
  #head: Uint8Array = new Uint8Array(0);
  #self = -1;

  override join(username: string, status: Status, area = ""): void {
    this.socket.send(encodeBinary({ kind: "hello" }));
    const boardId = String(this.board) as BoardId;
    this.socket.send(encodeBinary({ kind: "join", boardId, attempt: 1, username, status, state: {}, area }));
  }

  override move(move: number): void {
    const bytes = Buffer.allocUnsafe(this.#head.length + 4);
    bytes.set(this.#head);
    bytes.writeUInt32BE(move, this.#head.length);
    this.socket.send(bytes);
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    if (bytes[start] === CURSORS) return this.#cursors(bytes, start + 1, end);
    const message = decodeServerBinary(bytes.subarray(start, end));
    if (message?.kind === "heartbeat") this.socket.send(encodeBinary({ kind: "heartbeat" }));
    if (message?.kind === "user_left") this.left();
    if (message?.kind !== "joined") return;
    this.#self = message.self;
    const example = encodeBinary({ kind: "cursor", board: message.board, at: { x: 0, y: 0 } });
    this.#head = example.subarray(0, example.length - 4);
    this.isJoined = true;
  }

  #cursors(bytes: Buffer, start: number, end: number): void {
    let at = start;
    while ((bytes[at++] ?? 0) & 0x80); // the board's number
    at += 2; // the stamp
    let left = 0;
    for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
      byte = bytes[at++] ?? 0;
      left |= (byte & 0x7f) << shift;
    }
    for (; left > 0 && at < end; left--) {
      let head = 0;
      let shift = 0;
      let byte: number;
      do {
        byte = bytes[at++] ?? 0;
        head |= (byte & 0x7f) << shift;
        shift += 7;
      } while (byte & 0x80);
      if (head & HIDDEN) continue;
      if (head >>> 2 !== this.#self && !(head & WIDE)) this.seen(this, bytes.readUInt32BE(at));
      at += head & WIDE ? 8 : 4;
    }
  }
}
