/** One person on a big board, over a bare socket: joins, moves, leaves, comes back. It counts what it is sent and keeps no roster. */

import { randomBytes } from "node:crypto";
import { type BoardId, type BoardRef, decodeServerBinary, encodeBinary, type ResumeToken } from "@presence-service/protocol";
import { BenchSocket } from "../socket.ts";

export const BOARD = "big" as BoardId;

const HEARTBEAT = 0x08;
const WELCOME = 0x41;
const JOINED = 0x42;
const ANSWER = encodeBinary({ kind: "heartbeat" });

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
  /** From the question to be let in to the answer, the last time. */
  joinedMs = Number.NaN;
  /** Members of the board, as the answer said. */
  count = 0;

  constructor(nth: number, seen: Seen = {}) {
    this.nth = nth;
    this.#seen = seen;
  }

  /** It is on the board when this returns. Each guest has an address of its own, as people have: else all would share the budget of one. */
  async enter(port: number): Promise<void> {
    const { nth } = this;
    const socket = await BenchSocket.open(port, "presence.v2", `10.${nth >> 16}.${(nth >> 8) & 255}.${nth & 255}`);
    this.#socket = socket;
    socket.onMessage = (bytes, start, end) => this.#hear(bytes, start, end);
    socket.send(encodeBinary({ kind: "hello", resumeToken: this.#resumeToken, packs: true }));
    return new Promise((joined) => {
      this.#joined = joined;
    });
  }

  /** The pointer is at that place, in integers. */
  move(x: number, y: number): void {
    if (this.#board !== undefined) this.#socket?.send(encodeBinary({ kind: "cursor", board: this.#board, at: { x, y } }));
  }

  leave(): void {
    if (this.#board !== undefined) this.#socket?.send(encodeBinary({ kind: "leave", board: this.#board }));
    this.#board = undefined;
  }

  /** The connection is over, without a word. */
  drop(): void {
    this.#board = undefined;
    this.#socket?.destroy();
    this.#socket = undefined;
  }

  get bytesRead(): number {
    return this.#socket?.bytesRead ?? 0;
  }

  /** Why its connection ended; undefined: it did not. */
  get ended(): string | undefined {
    return this.#socket?.ended;
  }

  #hear(bytes: Buffer, start: number, end: number): void {
    switch (bytes[start]) {
      case HEARTBEAT:
        return this.#socket?.send(ANSWER);
      case WELCOME:
        return this.#join();
      case JOINED: {
        const joined = decodeServerBinary(bytes.subarray(start, end));
        if (joined?.kind !== "joined") return;
        this.joinedMs = performance.now() - this.#askedAt;
        this.#board = joined.board;
        this.count = joined.members;
        const { look } = this.#seen;
        if (look !== undefined) this.#socket?.send(encodeBinary({ kind: "look", board: joined.board, areas: look }));
        return this.#joined();
      }
    }
  }

  #join(): void {
    const { area = "" } = this.#seen;
    this.#askedAt = performance.now();
    const said = { attempt: ++this.#attempt, username: `member ${this.nth}`, status: "active", state: { tool: "pen" }, area } as const;
    this.#socket?.send(encodeBinary({ kind: "join", boardId: BOARD, ...said }));
  }
}

const CONNECTS_AT_ONCE = 50;

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
