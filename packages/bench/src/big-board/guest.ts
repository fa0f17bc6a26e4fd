/** One person on a big board, over a bare socket: joins, moves, leaves, comes back. It counts what it is sent and keeps no roster. */

import { randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { inflateRawSync } from "node:zlib";
import { type BoardId, type BoardRef, decodeServerBinary, encodeBinary, PACKED, type ResumeToken } from "@presence-service/protocol";
import { BenchSocket } from "../socket.ts";

export const BOARD = "big" as BoardId;

const HEARTBEAT = 0x08;
const JOINED = 0x42;
const CURSORS = 0x46;
const ROSTER = 0x4f;
const ANSWER = encodeBinary({ kind: "heartbeat" });

/** Bytes from the service by the type of the message, of all guests together. */
export const bytesOfType = new Map<number, number>();

/** Why connects had to be tried again, and how many, of all guests together. */
export const failures = new Map<string, number>();

const RETRY_MS = 500;

export type Seen = {
  /** In which area of the app; empty: in none. */
  readonly area?: string;
  /** The areas whose cursors it is sent; undefined: those of its own. */
  readonly look?: readonly string[];
};

export class Guest {
  readonly nth: number;
  readonly #resumeToken = randomBytes(16).toString("hex") as ResumeToken;
  readonly #seen: Seen;
  #attempt = 0;
  #socket: BenchSocket | undefined;
  #board: BoardRef | undefined;
  #askedAt = 0;
  #joined: () => void = () => {};
  /** Entries of the roster that are still to come. */
  #following = 0;
  /** Positions that it was sent. */
  delivered = 0;
  /** By actor, where somebody wants to know. */
  readonly deliveredBy: Map<number, number> | undefined;
  bytesWritten = 0;
  retries = 0;
  #readBefore = 0;
  /** From the question to be let in to the answer, the last time. */
  joinedMs = Number.NaN;
  /** Members of the board, as the answer said. */
  count = 0;

  constructor(nth: number, seen: Seen = {}, isCounting = false) {
    this.nth = nth;
    this.deliveredBy = isCounting ? new Map() : undefined;
    this.#seen = seen;
  }

  /**
   * It knows the board when this returns. `held`: the members that it knew before, by name. A connection that is refused or lost meanwhile is tried
   * again. Each guest has an address of its own, as people have: else all would share the budget of one.
   */
  async enter(port: number, held = ""): Promise<void> {
    for (;;) {
      const failure = await this.#tryToEnter(port, held).catch((error: Error) => error.message);
      if (failure === undefined) return;
      this.retries++;
      failures.set(failure, (failures.get(failure) ?? 0) + 1);
      await wait(RETRY_MS * (0.5 + Math.random()));
    }
  }

  /** undefined: it knows the board; otherwise why it does not. */
  async #tryToEnter(port: number, held: string): Promise<string | undefined> {
    const { nth } = this;
    const socket = await BenchSocket.open(port, "presence.v2", `10.${nth >> 16}.${(nth >> 8) & 255}.${nth & 255}`);
    this.#socket = socket;
    socket.onMessage = (bytes, start, end) => this.#hear(bytes, start, end);
    this.#send(encodeBinary({ kind: "hello", resumeToken: this.#resumeToken, packs: true }));
    this.#askedAt = performance.now();
    const said = { attempt: ++this.#attempt, username: `member ${nth}`, status: "active", state: { tool: "pen" } } as const;
    const { area = "" } = this.#seen;
    this.#send(Buffer.concat([encodeBinary({ kind: "join", boardId: BOARD, ...said, area }), fieldOf(held)]));
    return new Promise((entered) => {
      this.#joined = () => entered(undefined);
      socket.onEnd = () => entered(socket.ended);
    });
  }

  /** The pointer is at that place, in integers. */
  move(x: number, y: number): void {
    if (this.#board !== undefined) this.#send(encodeBinary({ kind: "cursor", board: this.#board, at: { x, y } }));
  }

  leave(): void {
    if (this.#board !== undefined) this.#send(encodeBinary({ kind: "leave", board: this.#board }));
    this.#board = undefined;
  }

  /** The connection is over, without a word. */
  drop(): void {
    this.#board = undefined;
    this.#readBefore = this.bytesRead;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  get bytesRead(): number {
    return this.#readBefore + (this.#socket?.bytesRead ?? 0);
  }

  /** Why its connection ended; undefined: it did not. */
  get ended(): string | undefined {
    return this.#socket?.ended;
  }

  #send(bytes: Uint8Array): void {
    this.bytesWritten += bytes.length;
    this.#socket?.send(bytes);
  }

  #hear(bytes: Buffer, start: number, end: number): void {
    const type = typeAt(bytes, start);
    bytesOfType.set(type, (bytesOfType.get(type) ?? 0) + end - start);
    switch (type) {
      case HEARTBEAT:
        return this.#send(ANSWER);
      case CURSORS:
        return this.#cursors(bytes, start + 1, end);
      case ROSTER:
      case PACKED:
        this.#following -= entriesIn(bytes.subarray(start, end));
        return this.#whole();
      case JOINED: {
        const joined = decodeServerBinary(plain(bytes.subarray(start, end)));
        if (joined?.kind !== "joined") return;
        this.joinedMs = performance.now() - this.#askedAt;
        this.#board = joined.board;
        this.count = joined.members;
        this.#following = joined.following ?? 0;
        const { look } = this.#seen;
        if (look !== undefined) this.#send(encodeBinary({ kind: "look", board: joined.board, areas: look }));
        return this.#whole();
      }
    }
  }

  #whole(): void {
    if (this.#following <= 0) this.#joined();
  }

  #cursors(bytes: Buffer, start: number, end: number): void {
    // The board's number, and the stamp.
    const counted = varint(bytes, varint(bytes, start).next + 2);
    this.delivered += counted.value;
    if (this.deliveredBy === undefined) return;
    const message = decodeServerBinary(bytes.subarray(start - 1, end));
    if (message?.kind !== "cursors") return;
    for (const { actor } of message.moves) this.deliveredBy.set(actor, (this.deliveredBy.get(actor) ?? 0) + 1);
  }
}

/** A packed `joined` begins with a block that is stored as it is, so its type is seen without unpacking it, and it is counted as what it is. */
function typeAt(bytes: Buffer, start: number): number {
  const isJoined = bytes[start] === PACKED && bytes[start + 1] === 0 && bytes[start + 6] === JOINED;
  return isJoined ? JOINED : (bytes[start] ?? 0);
}

let field: { readonly held: string; readonly bytes: Uint8Array } = { held: "", bytes: new Uint8Array(0) };

/** The list as the last field of a `join`. All guests hold the same, so it is encoded once: otherwise the generator would be what is measured. */
function fieldOf(held: string): Uint8Array {
  if (field.held === held) return field.bytes;
  const join = { kind: "join", boardId: BOARD, attempt: 1, username: "", status: "active", state: {} } as const;
  field = { held, bytes: encodeBinary({ ...join, held }).subarray(encodeBinary(join).length) };
  return field.bytes;
}

function plain(message: Buffer): Buffer {
  return message[0] === PACKED ? inflateRawSync(message.subarray(1)) : message;
}

function varint(bytes: Buffer, start: number): { readonly value: number; readonly next: number } {
  let value = 0;
  let at = start;
  for (let shift = 0, byte = 0x80; byte & 0x80; shift += 7) {
    byte = bytes[at++] ?? 0;
    value |= (byte & 0x7f) << shift;
  }
  return { value, next: at };
}

/** Everybody who joins in one tick is sent the same pages, so each is read once: otherwise the generator would be what is measured. */
const pages = new Map<string, number>();
const BEGINNING = 256;

function entriesIn(page: Buffer): number {
  const key = `${page.length} ${page.toString("latin1", 0, BEGINNING)}`;
  let entries = pages.get(key);
  if (entries === undefined) {
    const message = decodeServerBinary(plain(page));
    entries = message?.kind === "roster" ? message.roster.length : 0;
    pages.set(key, entries);
  }
  return entries;
}

/** More at once are fewer ticks in which all others are told of them. */
const CONNECTS_AT_ONCE = 250;

/** All of them are on the board when this returns; neighbours in the list are on different instances. */
export async function gather(guests: readonly Guest[], ports: readonly number[]): Promise<void> {
  for (let from = 0; from < guests.length; from += CONNECTS_AT_ONCE) {
    const some = guests.slice(from, from + CONNECTS_AT_ONCE);
    await Promise.all(some.map((guest) => guest.enter(ports[guest.nth % ports.length] ?? 0)));
  }
}

export function noneLost(guests: readonly Guest[]): void {
  const lost = guests.find(({ ended }) => ended !== undefined);
  if (lost) throw new Error(`member ${lost.nth} was lost: ${lost.ended}`);
}
