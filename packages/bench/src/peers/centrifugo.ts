/**
 * Clients of Centrifugo, in its Protobuf protocol: each frame holds messages with their lengths before them. A board is a channel, and a move a publication of
 * its client. Centrifugo keeps who is on a channel where it is told to: people are there for it only in loads that are about it.
 */

import type { Seen } from "../clients.ts";
import { BenchSocket } from "../socket.ts";
import { type Enter, moveBefore, Person, type Place, positionOf } from "./person.ts";

const PATH = "/connection/websocket";
const SUBPROTOCOL = "centrifuge-protobuf";
/** The namespace of the channels whose people are known: ../../peers/centrifugo/config.json. */
const PEOPLE = "people:";

/** Fields of a command. */
const ID = 1;
const CONNECT = 4;
const SUBSCRIBE = 5;
const PUBLISH = 7;
const PRESENCE = 8;
/** Fields of an answer. */
const ERROR = 2;
const PUSH = 4;
const CONNECTED = 5;
const SUBSCRIBED = 6;
const PRESENT = 9;
/** Fields of a push, a publication and an error. */
const PUBLICATION = 4;
const DATA = 4;
const MESSAGE = 2;
/** In requests: the channel, and in that of a publication what is published. */
const CHANNEL = 1;
const CONTENT = 2;
/** The command without fields answers a ping, which is an answer without fields. */
const PONG = Uint8Array.of(0);
/** Of `{"user":"user ` */
const BEFORE_NUMBER = 14;

class CentrifugoPerson extends Person {
  readonly #channel: Buffer;
  #commands = 0;

  constructor(socket: BenchSocket, place: Place, seen: Seen) {
    super(socket, place, seen);
    this.#channel = Buffer.from(field(CHANNEL, Buffer.from(`${place.isKnown ? PEOPLE : ""}${place.board}`)));
    this.#ask(CONNECT, Buffer.alloc(0));
  }

  override move(move: number): void {
    const content = Buffer.from(`{"user":"user ${this.place.nth}",${positionOf(move)}}`);
    this.#ask(PUBLISH, Buffer.concat([this.#channel, field(CONTENT, content)]));
  }

  #ask(request: number, content: Uint8Array): void {
    const command = Buffer.from([(ID << 3) | NUMBER, ...varint(++this.#commands), ...tagged(request, content.length)]);
    this.socket.send(Buffer.concat([Buffer.from(varint(command.length + content.length)), command, content]));
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    reader.bytes = bytes;
    for (reader.at = start; reader.at < end; ) {
      const length = reader.varint();
      if (length === 0) this.socket.send(PONG);
      else this.#answer(reader.at + length);
    }
  }

  #answer(end: number): void {
    switch (reader.next(end)) {
      case PUSH:
        this.#pushed(reader.end);
        break;
      case CONNECTED:
        this.#ask(SUBSCRIBE, this.#channel);
        break;
      case SUBSCRIBED:
        if (this.place.isKnown) this.#ask(PRESENCE, this.#channel);
        else this.joined();
        break;
      case PRESENT:
        this.joined();
        break;
      case ERROR:
        this.socket.ended ??= `an error of Centrifugo: ${reader.text(MESSAGE)}`;
    }
    reader.at = end;
  }

  #pushed(end: number): void {
    if (!reader.enter(PUBLICATION, end) || !reader.enter(DATA, reader.end)) return;
    // A publication comes to the one who made it, too.
    if (numberAt(reader.bytes, reader.at + BEFORE_NUMBER) !== this.place.nth) this.seen(this, moveBefore(reader.bytes, reader.end - 1));
  }
}

const NUMBER = 0;
const LENGTH = 2;

/** Reads Protobuf. One for all, as nothing is read while something else is. */
const reader = {
  bytes: Buffer.alloc(0) as Buffer,
  at: 0,
  /** Of the field that was entered last. */
  end: 0,

  varint(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.bytes[this.at++] ?? 0;
      value += (byte & 0x7f) * unit;
      if (byte < 0x80) return value;
    }
  },

  /** Goes on to the content of the next field before `end`, and returns which one it is; 0: there is none. Numbers are skipped, and there is nothing else. */
  next(end: number): number {
    while (this.at < end) {
      const tag = this.varint();
      const value = this.varint();
      if ((tag & 7) !== LENGTH) continue;
      this.end = this.at + value;
      return tag >>> 3;
    }
    return 0;
  },

  /** Goes on to the content of this field; false: there is none before `end`. */
  enter(wanted: number, end: number): boolean {
    for (let found = this.next(end); found !== 0; found = this.next(end)) {
      if (found === wanted) return true;
      this.at = this.end;
    }
    return false;
  },

  text(wanted: number): string {
    return this.enter(wanted, this.end) ? this.bytes.toString("utf8", this.at, this.end) : "";
  },
};

const ZERO = 0x30;

function numberAt(bytes: Buffer, start: number): number {
  let value = 0;
  for (let at = start; ; at++) {
    const digit = (bytes[at] ?? 0) - ZERO;
    if (digit < 0 || digit > 9) return value;
    value = value * 10 + digit;
  }
}

function field(number: number, content: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(tagged(number, content.length)), content]);
}

function tagged(number: number, length: number): number[] {
  return [(number << 3) | LENGTH, ...varint(length)];
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [0x80 | (value & 0x7f), ...varint(Math.floor(value / 128))];
}

export const enterCentrifugo: Enter = async (place, seen) =>
  new CentrifugoPerson(await BenchSocket.open(place.port, SUBPROTOCOL, undefined, PATH), place, seen);
