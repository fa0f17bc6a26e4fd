/**
 * The boards whose counts the app watches without being on them: it asks the service for them in pieces, again in each connection, and
 * keeps what it was told. Several handles may watch one board. It has no socket and no timer: client.ts gives it both.
 */

import {
  type BoardId,
  CLIENT_MESSAGE_BYTES_MAX,
  type ClientMessage,
  type ErrorCode,
  type Millis,
  type Occupancy as Told,
  WATCHED_BOARDS_MAX,
} from "@presence-service/protocol";
import { Listeners } from "./listeners.ts";
import type { Occupancy, Watch } from "./types.ts";

/** Calls that follow each other in one task, or in the mounting of one page, leave in few messages. */
const GATHER_MS: Millis = 20;
/** A board given up and watched again within this time was watched all the time, as when a framework mounts a component anew. */
const RELEASE_MS: Millis = 1_000;
/** After an answer that the service cannot say at the moment, or is asked too fast. */
const RETRY_MS: Millis = 5_000;
const NEVER = Number.POSITIVE_INFINITY;

type Board = {
  handles: number;
  counts: Occupancy | undefined;
  isAsked: boolean;
  /** When it is given up, as no handle watches it. */
  leaveAt: Millis;
};

export type WatchingHost = {
  now(): Millis;
  /** False: there is no connection. */
  send(message: ClientMessage): boolean;
  report(problem: string, error?: unknown): void;
  /** The deadline may have changed. */
  hastened(): void;
};

type WatchHandle = {
  readonly boards: ReadonlySet<BoardId>;
  /** The counts of these boards have changed. */
  readonly changed: (boards: ReadonlySet<BoardId>) => void;
  /** The app has this. */
  readonly shown: Watch;
};

export class Watching {
  readonly #host: WatchingHost;
  readonly #boards = new Map<BoardId, Board>();
  readonly #handles = new Set<WatchHandle>();
  #sayAt: Millis = NEVER;

  constructor(host: WatchingHost) {
    this.#host = host;
  }

  get isWanted(): boolean {
    return this.#handles.size > 0;
  }

  get deadline(): Millis {
    let at = this.#sayAt;
    for (const { leaveAt } of this.#boards.values()) at = Math.min(at, leaveAt);
    return at;
  }

  watch(ids: readonly BoardId[]): Watch {
    const boards = new Set(ids);
    let count = 0;
    for (const [boardId, { handles }] of this.#boards) if (handles > 0 && !boards.has(boardId)) count++;
    if (count + boards.size > WATCHED_BOARDS_MAX) throw new RangeError(`at most ${WATCHED_BOARDS_MAX} boards can be watched`);
    for (const boardId of boards) this.#take(boardId);
    const handle = watchHandle(
      boards,
      this.#host,
      (id) => this.#boards.get(id)?.counts,
      (one) => this.#stop(one),
    );
    this.#handles.add(handle);
    this.#saySoon(GATHER_MS);
    return handle.shown;
  }

  #take(boardId: BoardId): void {
    const board = this.#boards.get(boardId) ?? { handles: 0, counts: undefined, isAsked: false, leaveAt: NEVER };
    this.#boards.set(boardId, board);
    board.handles++;
    board.leaveAt = NEVER;
  }

  #stop(handle: WatchHandle): void {
    if (!this.#handles.delete(handle)) return;
    for (const boardId of handle.boards) {
      const board = this.#boards.get(boardId);
      if (board !== undefined && --board.handles === 0) board.leaveAt = this.#host.now() + RELEASE_MS;
    }
    this.#host.hastened();
  }

  /** A connection is greeted: it watches nothing yet. */
  greeted(): void {
    for (const board of this.#boards.values()) board.isAsked = false;
    this.#say();
  }

  tick(now: Millis): void {
    const left: BoardId[] = [];
    for (const [boardId, board] of this.#boards) {
      if (now < board.leaveAt) continue;
      this.#boards.delete(boardId);
      if (board.isAsked) left.push(boardId);
    }
    if (left.length > 0) this.#send(left, true);
    if (now >= this.#sayAt) this.#say();
  }

  told(boards: readonly Told[]): void {
    const changed = new Set<BoardId>();
    for (const { board: boardId, members, users } of boards) {
      const board = this.#boards.get(boardId);
      if (board === undefined || (board.counts?.members === members && board.counts.users === users)) continue;
      board.counts = { members, users };
      changed.add(boardId);
    }
    this.#tellHandles(changed);
  }

  #tellHandles(changed: ReadonlySet<BoardId>): void {
    for (const handle of [...this.#handles]) handle.changed(changed);
  }

  /** False: that error is about no watched board. One that the service refuses to this user has no counts, or none any more. */
  failed(code: ErrorCode | "unknown", ref: string): boolean {
    const board = this.#boards.get(ref as BoardId);
    const isAboutAll = code === "too_fast" && ref === "watch";
    if (board === undefined && !isAboutAll) return false;
    if (isAboutAll) for (const one of this.#boards.values()) one.isAsked = false;
    else if (board !== undefined && code === "unavailable") board.isAsked = false;
    if (isAboutAll || code === "unavailable") this.#saySoon(RETRY_MS);
    if (code === "bad_board" && board?.counts !== undefined) {
      board.counts = undefined;
      this.#tellHandles(new Set([ref as BoardId]));
    }
    return true;
  }

  /** The client has ended. */
  closed(): void {
    this.#handles.clear();
    this.#boards.clear();
    this.#sayAt = NEVER;
  }

  #saySoon(afterMs: Millis): void {
    this.#sayAt = Math.min(this.#sayAt, this.#host.now() + afterMs);
    this.#host.hastened();
  }

  #say(): void {
    this.#sayAt = NEVER;
    const asked = [...this.#boards].filter(([, { isAsked, handles }]) => !isAsked && handles > 0);
    if (asked.length === 0 || !this.#send(asked.map(([boardId]) => boardId))) return;
    for (const [, board] of asked) board.isAsked = true;
  }

  /** As many in each message as fit. False: there is no connection, and `greeted` sends them. */
  #send(boards: readonly BoardId[], off?: true): boolean {
    let piece: BoardId[] = [];
    let left = 0;
    const pieces: BoardId[][] = [];
    for (const boardId of boards) {
      // A length of up to two bytes, and the id, which is ASCII.
      left -= boardId.length + 2;
      if (left < 0) {
        piece = [];
        pieces.push(piece);
        left = CLIENT_MESSAGE_BYTES_MAX - 16 - boardId.length - 2;
      }
      piece.push(boardId);
    }
    return pieces.map((ids) => this.#host.send({ kind: "watch", boards: ids, ...(off && { off }) })).every((isSent) => isSent);
  }
}

/** The object that `presence.watch()` returns. Its methods need no `this`. */
function watchHandle(
  boards: ReadonlySet<BoardId>,
  host: WatchingHost,
  countsOf: (boardId: BoardId) => Occupancy | undefined,
  stopped: (handle: WatchHandle) => void,
): WatchHandle {
  const listeners = new Listeners<void>(host);
  /** undefined: they have changed since they were made. */
  let counts: ReadonlyMap<string, Occupancy> | undefined;
  function snapshot(): ReadonlyMap<string, Occupancy> {
    counts ??= new Map(
      [...boards].flatMap((boardId) => {
        const told = countsOf(boardId);
        return told === undefined ? [] : [[boardId, told] as const];
      }),
    );
    return counts;
  }
  const handle: WatchHandle = {
    boards,
    changed(changed) {
      if (![...changed].some((boardId) => boards.has(boardId))) return;
      counts = undefined;
      listeners.emit();
    },
    shown: {
      get counts() {
        return snapshot();
      },
      snapshot,
      subscribe: (listener) => listeners.add(listener),
      stop() {
        // The last counts stay readable.
        snapshot();
        stopped(handle);
      },
    },
  };
  return handle;
}
