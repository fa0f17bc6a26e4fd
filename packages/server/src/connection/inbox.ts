/**
 * Messages of one client that are not read yet, as the host is being asked about it or its connection waits for its turn. They stay
 * undecoded and in order, the socket is paused, and each message is handed on once, however often reading stops in between.
 */

import type { ClientSocket } from "../speech/socket.ts";

type Unread = { readonly data: Buffer; readonly isBinary: boolean };

/** A socket that pauses when told to brings no more, and when it breaks what `SLICE_BYTES` can hold: a tenth of this. */
const UNREAD_MAX = 4096;

export class Inbox {
  #isAsking = false;
  #isWaiting = false;
  readonly #socket: ClientSocket;
  readonly #read: (data: Buffer, isBinary: boolean) => void;
  /** undefined: messages are read at once. */
  #unread: Unread[] | undefined;
  #done = 0;
  /** The last WebSocket ping that came while waiting: the only one that needs an answer then (RFC 6455, 5.5.3). */
  #ping: Buffer | undefined;

  constructor(socket: ClientSocket, read: (data: Buffer, isBinary: boolean) => void) {
    this.#socket = socket;
    this.#read = read;
  }

  /** The host is being asked. */
  get isAsking(): boolean {
    return this.#isAsking;
  }

  /** The connection waits for its turn. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** False: far too much waits already. */
  take(data: Buffer, isBinary: boolean): boolean {
    if (this.#unread === undefined) this.#read(data, isBinary);
    else return this.#unread.push({ data, isBinary }) <= UNREAD_MAX;
    return true;
  }

  takePing(data: Buffer): void {
    // Copied, as the buffer is a view of everything that was read with it.
    if (this.#unread !== undefined) this.#ping = Buffer.from(data);
    else this.#socket.pong(data);
  }

  ask(): void {
    this.#isAsking = true;
    this.#hold();
  }

  wait(): void {
    this.#isWaiting = true;
    this.#hold();
  }

  /** The host has answered: calls `act`, and then goes on reading. */
  answered(act: () => void): void {
    this.#isAsking = false;
    act();
    this.#catchUp();
  }

  goOn(): void {
    this.#isWaiting = false;
    this.#catchUp();
  }

  /** The connection has ended: nothing more is read. */
  close(): void {
    this.#unread = undefined;
    this.#ping = undefined;
    this.#isAsking = false;
    this.#isWaiting = false;
  }

  #hold(): void {
    this.#unread ??= [];
    this.#socket.pause();
  }

  #catchUp(): void {
    for (let unread = this.#unread; unread !== undefined; unread = this.#unread) {
      if (this.#isAsking || this.#isWaiting) return;
      const next = unread[this.#done++];
      if (next === undefined) return this.#open();
      this.#read(next.data, next.isBinary);
    }
  }

  #open(): void {
    if (this.#ping !== undefined) this.#socket.pong(this.#ping);
    this.#ping = undefined;
    this.#unread = undefined;
    this.#done = 0;
    this.#socket.resume();
  }
}
