/** A person on a board of any service, as the measurements know them: each service has a file beside this one that speaks its protocol. */

import type { Seen } from "../clients.ts";
import type { BenchSocket } from "../socket.ts";

export type Place = {
  readonly port: number;
  /** Index of the instance. */
  readonly instance: number;
  readonly board: string;
  /** The number of the person: no other one in the run has it. */
  readonly nth: number;
  /** The load is about who is on the board: services that can do without that keep it here only. */
  readonly isKnown: boolean;
};

export abstract class Person {
  readonly place: Place;
  readonly socket: BenchSocket;
  /** When the service had told who is on the board. */
  joinedAt: number | undefined;
  protected readonly seen: Seen;

  constructor(socket: BenchSocket, place: Place, seen: Seen) {
    this.socket = socket;
    this.place = place;
    this.seen = seen;
    socket.onMessage = (bytes, start, end) => this.hear(bytes, start, end);
  }

  get isJoined(): boolean {
    return this.joinedAt !== undefined;
  }

  get instance(): number {
    return this.place.instance;
  }

  /** `move`: any u32; it is sent as the position. */
  abstract move(move: number): void;

  protected joined(): void {
    this.joinedAt ??= performance.now();
  }

  protected abstract hear(bytes: Buffer, start: number, end: number): void;
}

/** Connects and asks to join; the person is joined later. */
export type Enter = (place: Place, seen: Seen) => Promise<Person>;

/** A move as a position in JSON. */
export function positionOf(move: number): string {
  return `"x":${move & 0xffff},"y":${move >>> 16}`;
}

const ZERO = 0x30;
/** Of `,"y":` */
const BETWEEN = 5;

/** The move of a `positionOf` that ends before `end`. It looks at nothing else, so that reading costs little. */
export function moveBefore(bytes: Buffer, end: number): number {
  let at = end - 1;
  let high = 0;
  for (let unit = 1; isDigit(bytes[at]); at--, unit *= 10) high += ((bytes[at] ?? 0) - ZERO) * unit;
  at -= BETWEEN;
  let low = 0;
  for (let unit = 1; isDigit(bytes[at]); at--, unit *= 10) low += ((bytes[at] ?? 0) - ZERO) * unit;
  return high * 0x10000 + low;
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= ZERO && byte < ZERO + 10;
}
