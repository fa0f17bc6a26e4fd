/**
 * The boards that clients here watch without being on them (R15): who watches what, what they were told, and when they are told what has
 * changed. The core knows the counts, and watched-boards.ts what one client may watch.
 */

import type { BoardId, Millis, Occupancy, ServerMessage } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { Core } from "../core/core.ts";
import type { Input } from "../core/effects.ts";
import { isSame, type Occupants, pieces } from "../core/occupancy.ts";
import type { Speech } from "../speech/speech.ts";
import { Alarm } from "./alarm.ts";

/** Counts that become known shortly one after the other leave together. */
const GATHER_MS: Millis = 20;
/** Boards in one message: in JSON, with the longest ids and numbers, 50 KB. */
const BOARDS_PER_MESSAGE = 256;

/** A connection, as its watched boards see it. */
export interface Watcher {
  readonly speech: Speech;
  readonly watched: Iterable<BoardId>;
  /** False: it has not read what it was sent. */
  readonly isKeepingUp: boolean;
  write(frame: Buffer | undefined): number;
}

type Watched = {
  readonly watchers: Set<Watcher>;
  /** The counts as every watcher was told them; undefined: not known yet. */
  told: Occupants | undefined;
};

export type WatchingOptions = {
  readonly core: Pick<Core, "occupancy">;
  readonly clock: Clock;
  /** Gives the core a fact. */
  readonly input: (input: Input) => void;
};

export class Watching {
  readonly #options: WatchingOptions;
  readonly #alarm: Alarm;
  readonly #boards = new Map<BoardId, Watched>();
  /** Boards whose counts may have changed since they were told. */
  readonly #changed = new Set<BoardId>();
  /** Boards that a watcher has still to be told, changed or not. */
  readonly #owed = new Map<Watcher, Set<BoardId>>();
  /** Watchers that did not keep up and were told nothing. */
  readonly #behind = new Set<Watcher>();
  #toldAt: Millis = Number.NEGATIVE_INFINITY;
  #dueAt: Millis = Number.POSITIVE_INFINITY;

  constructor(options: WatchingOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#tell());
  }

  /** True: it is the first one here that watches this board. */
  add(watcher: Watcher, boardId: BoardId): boolean {
    const board = this.#boards.get(boardId) ?? { watchers: new Set(), told: undefined };
    this.#boards.set(boardId, board);
    board.watchers.add(watcher);
    if (board.told !== undefined) this.#owe(watcher, [boardId]);
    if (board.watchers.size > 1) return false;
    this.#options.input({ kind: "watch", boardId });
    return true;
  }

  remove(watcher: Watcher, boardId: BoardId): void {
    const board = this.#boards.get(boardId);
    this.#owed.get(watcher)?.delete(boardId);
    if (!board?.watchers.delete(watcher) || board.watchers.size > 0) return;
    this.#boards.delete(boardId);
    this.#changed.delete(boardId);
    this.#options.input({ kind: "unwatch", boardId });
  }

  /** The watcher's connection has ended. */
  forget(watcher: Watcher): void {
    for (const boardId of watcher.watched) this.remove(watcher, boardId);
    this.#owed.delete(watcher);
    this.#behind.delete(watcher);
  }

  /** The core knows other counts of that board, or knows them for the first time. */
  changed(boardId: BoardId): void {
    const board = this.#boards.get(boardId);
    if (board === undefined) return;
    this.#changed.add(boardId);
    const isFirst = board.told === undefined;
    this.#tellBy(isFirst ? this.#soon : Math.max(this.#soon, this.#toldAt + CONSTANTS.occupancyMs));
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  #owe(watcher: Watcher, boards: Iterable<BoardId>): void {
    const owed = this.#owed.get(watcher) ?? new Set();
    this.#owed.set(watcher, owed);
    for (const boardId of boards) owed.add(boardId);
    this.#tellBy(this.#soon);
  }

  get #soon(): Millis {
    return this.#options.clock.now() + GATHER_MS;
  }

  #tellBy(at: Millis): void {
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#alarm.set(at);
  }

  /** Watchers that are told the same boards share a frame, as people who look at one list do. */
  #tell(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    const mayTellChanges = now - this.#toldAt >= CONSTANTS.occupancyMs;
    if (mayTellChanges) this.#toldAt = now;
    const news = new Map<Watcher, Occupancy[]>();
    const isNew = this.#takeChanges(mayTellChanges, news);
    if (mayTellChanges) this.#catchUp();
    for (const [watcher, boards] of this.#owed)
      for (const boardId of boards) {
        const told = this.#boards.get(boardId)?.told;
        if (told !== undefined && !isNew.has(boardId)) add(news, watcher, { board: boardId, ...told });
      }
    this.#owed.clear();
    const frames = new Map<string, Buffer | undefined>();
    for (const [watcher, boards] of news) {
      if (watcher.isKeepingUp) write(watcher, boards, frames);
      else this.#behind.add(watcher);
    }
    if (this.#changed.size > 0 || this.#behind.size > 0) this.#tellBy(this.#toldAt + CONSTANTS.occupancyMs);
  }

  /** Adds boards that have changed, or are known for the first time, to the news of their watchers, and answers which they are. */
  #takeChanges(mayTellChanges: boolean, news: Map<Watcher, Occupancy[]>): Set<BoardId> {
    const taken = new Set<BoardId>();
    for (const boardId of this.#changed) {
      const board = this.#boards.get(boardId);
      const counts = this.#options.core.occupancy(boardId);
      if (board?.told !== undefined && !mayTellChanges) continue;
      this.#changed.delete(boardId);
      if (board === undefined || counts === undefined || isSame(board.told, counts)) continue;
      board.told = counts;
      taken.add(boardId);
      const item = { board: boardId, members: counts.members, users: counts.users };
      for (const watcher of board.watchers) add(news, watcher, item);
    }
    return taken;
  }

  /** Whoever keeps up again is told everything anew. */
  #catchUp(): void {
    for (const watcher of this.#behind) {
      if (!watcher.isKeepingUp) continue;
      this.#behind.delete(watcher);
      this.#owed.set(watcher, new Set(watcher.watched));
    }
  }
}

function add(news: Map<Watcher, Occupancy[]>, watcher: Watcher, item: Occupancy): void {
  const items = news.get(watcher);
  if (items === undefined) news.set(watcher, [item]);
  else items.push(item);
}

function write(watcher: Watcher, items: readonly Occupancy[], frames: Map<string, Buffer | undefined>): void {
  for (const boards of pieces(items, BOARDS_PER_MESSAGE)) {
    const message: ServerMessage = { kind: "occupancy", boards };
    const key = `${watcher.speech.encoding} ${boards.map(({ board }) => board).join()}`;
    const frame = frames.has(key) ? frames.get(key) : watcher.speech.frame(message);
    frames.set(key, frame);
    watcher.write(frame);
  }
}
