/**
 * Clients of y-websocket and of Hocuspocus: both carry the awareness protocol of Yjs, in which each move is the person's whole state as JSON. Their documents
 * stay empty. Hocuspocus puts the name of the document before each message and asks for a token first.
 */

import type { Seen } from "../clients.ts";
import { BenchSocket } from "../socket.ts";
import { type Enter, moveBefore, Person, type Place, positionOf } from "./person.ts";

const SYNC = 0;
const AWARENESS = 1;
const AUTH = 2;
/** Sync step 1 and 2 with nothing in them. */
const ASK = [SYNC, 0, 1, 0];
const ANSWER = [SYNC, 1, 2, 0, 0];
const AUTHENTICATED = 2;
/** As in y-protocols: a client that has not moved for so long says it all again, or is taken for gone after twice that. */
const RENEW_MS = 15_000;
/** Real ids are random and of 32 bits: as long as these. */
const FIRST_ID = 1_000_000_000;
const COLOR = "#30bced";
const BRACE = 0x7d;

class AwarenessPerson extends Person {
  /** It stands before each message: the name of the document, or nothing. */
  readonly #before: Uint8Array;
  readonly #id: number;
  readonly #idBytes: readonly number[];
  #position = "null";
  #saidAt = 0;

  constructor(socket: BenchSocket, place: Place, seen: Seen, before: Uint8Array) {
    super(socket, place, seen);
    this.#before = before;
    this.#id = FIRST_ID + place.nth;
    this.#idBytes = varint(this.#id);
    const timer = setInterval(() => {
      if (socket.ended !== undefined) clearInterval(timer);
      else if (performance.now() - this.#saidAt > RENEW_MS) this.say();
    }, RENEW_MS / 5).unref();
  }

  override move(move: number): void {
    this.#position = `{${positionOf(move)}}`;
    this.say();
  }

  say(): void {
    this.#saidAt = performance.now();
    const state = Buffer.from(`{"user":{"name":"user ${this.place.nth}","color":"${COLOR}"},"cursor":${this.#position}}`);
    const update = [1, ...this.#idBytes, ...varint(nextClock(this.place.nth)), ...varint(state.length)];
    this.tell([AWARENESS, ...varint(update.length + state.length), ...update], state);
  }

  tell(head: readonly number[], rest: Uint8Array = new Uint8Array(0)): void {
    const message = Buffer.allocUnsafe(this.#before.length + head.length + rest.length);
    message.set(this.#before);
    message.set(head, this.#before.length);
    message.set(rest, this.#before.length + head.length);
    this.socket.send(message);
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    reader.bytes = bytes;
    reader.at = start + this.#before.length;
    switch (reader.varint()) {
      case AUTH:
        if (reader.varint() === AUTHENTICATED) this.begin();
        return;
      case SYNC:
        if (reader.varint() === 0) this.tell(ANSWER);
        return;
      case AWARENESS:
        reader.varint(); // the length
        return this.#aware(bytes, end);
    }
  }

  begin(): void {
    this.tell(ASK);
    this.say();
  }

  #aware(bytes: Buffer, end: number): void {
    for (let left = reader.varint(); left > 0 && reader.at < end; left--) {
      const id = reader.varint();
      reader.varint(); // the clock
      const length = reader.varint();
      reader.at += length;
      if (id === this.#id) this.joined();
      // A state without a position ends with `null}`, and a position with `}}`.
      else if (bytes[reader.at - 2] === BRACE) this.seen(this, moveBefore(bytes, reader.at - 2));
    }
  }
}

/** Reads numbers of Yjs. One for all, as nothing is read while something else is. */
const reader = {
  bytes: Buffer.alloc(0) as Buffer,
  at: 0,
  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  },
};

/** By the number of the person. It goes on when somebody comes back, as that of a page does: a state with an older clock is ignored. */
const clocks = new Map<number, number>();

function nextClock(nth: number): number {
  const clock = (clocks.get(nth) ?? 0) + 1;
  clocks.set(nth, clock);
  return clock;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value & 0x7f), ...varint(Math.floor(value / 128))];
}

export const enterYWebsocket: Enter = async (place, seen) => {
  const socket = await BenchSocket.open(place.port, undefined, undefined, `/${place.board}`);
  const person = new AwarenessPerson(socket, place, seen, new Uint8Array(0));
  person.begin();
  return person;
};

export const enterHocuspocus: Enter = async (place, seen) => {
  const name = Buffer.from(place.board);
  const before = Buffer.from([...varint(name.length), ...name]);
  const person = new AwarenessPerson(await BenchSocket.open(place.port, undefined), place, seen, before);
  person.tell([AUTH, 0, 0]); // an empty token
  return person;
};
