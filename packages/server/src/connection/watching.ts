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
import { PRICE, type Work } from "./budget.ts";

/** Counts that become known shortly one after the other leave together. */
const GATHER_MS: Millis = 20;
/** Boards in one message: in JSON, with the longest ids and numbers, 50 KB. */
const BOARDS_PER_MESSAGE = 256;
/**
 * News at a time, each for one watcher, and the pause after them. A thousand people who look at one list of a thousand boards would
 * otherwise hold up everybody else for half a second. The rest waits, and may change meanwhile.
 */
const NEWS_MAX = 20_000;
const PAUSE_MS: Millis = 100;

/** A connection, as its watched boards see it. */
export interface Watcher {
  readonly speech: Speech;
  readonly watched: Iterable<BoardId>;
  /** False: it has not read what it was sent. */
  readonly isKeepingUp: boolean;
  write(frame: Buffer | undefined): number;
  charge(work: Work): void;
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
  /** Boards whose counts may have changed since they were told. They become due once a second. */
  readonly #changed = new Set<BoardId>();
  /** Boards to be told now, in order. */
  readonly #due = new Set<BoardId>();
  /** Boards that a watcher has still to be told, changed or not. */
  readonly #owed = new Map<Watcher, Set<BoardId>>();
  /** Watchers that did not keep up and were told nothing. */
  readonly #behind = new Set<Watcher>();
  #toldAt: Millis = Number.NEGATIVE_INFINITY;
  #dueAt: Millis = Number.POSITIVE_INFINITY;
  /** More was due than may be told at a time. */
  #isInArrears = false;
  #pausesUntil: Millis = Number.NEGATIVE_INFINITY;

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
    this.#due.delete(boardId);
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
    const isFirst = board.told === undefined;
    (isFirst ? this.#due : this.#changed).add(boardId);
    this.#tellBy(isFirst ? this.#soon() : Math.max(this.#soon(), this.#toldAt + CONSTANTS.occupancyMs));
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  #owe(watcher: Watcher, boards: Iterable<BoardId>): void {
    const owed = this.#owed.get(watcher) ?? new Set();
    this.#owed.set(watcher, owed);
    for (const boardId of boards) owed.add(boardId);
    this.#tellBy(this.#soon());
  }

  #soon(): Millis {
    return this.#options.clock.now() + GATHER_MS;
  }

  #tellBy(soonest: Millis): void {
    const at = Math.max(soonest, this.#pausesUntil);
    if (at >= this.#dueAt) return;
    this.#dueAt = at;
    this.#alarm.set(at);
  }

  /** Watchers that are told the same boards share a frame, as people who look at one list do. */
  #tell(): void {
    this.#dueAt = Number.POSITIVE_INFINITY;
    const now = this.#options.clock.now();
    if (now - this.#toldAt >= CONSTANTS.occupancyMs && !this.#isInArrears) this.#begin(now);
    const news = new Map<Watcher, Occupancy[]>();
    const isNew = this.#takeDue(news);
    this.#isInArrears = this.#due.size > 0;
    if (this.#isInArrears) this.#pausesUntil = now + PAUSE_MS;
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
    if (this.#isInArrears) this.#tellBy(this.#pausesUntil);
    else if (this.#changed.size > 0 || this.#behind.size > 0) this.#tellBy(this.#toldAt + CONSTANTS.occupancyMs);
  }

  /** Makes the boards due that have changed in the last second. */
  #begin(now: Millis): void {
    this.#toldAt = now;
    for (const boardId of this.#changed) this.#due.add(boardId);
    this.#changed.clear();
    this.#catchUp();
  }

  /** Adds boards that are due to the news of their watchers, as many as may be told at a time, and answers which they are. */
  #takeDue(news: Map<Watcher, Occupancy[]>): Set<BoardId> {
    const taken = new Set<BoardId>();
    let left = NEWS_MAX;
    for (const boardId of this.#due) {
      if (left <= 0) break;
      this.#due.delete(boardId);
      const board = this.#boards.get(boardId);
      const counts = this.#options.core.occupancy(boardId);
      if (board === undefined || counts === undefined || isSame(board.told, counts)) continue;
      board.told = counts;
      taken.add(boardId);
      left -= board.watchers.size;
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

/** A client that watches much pays for its news: it is read later, and nobody else is told later for it. */
function write(watcher: Watcher, items: readonly Occupancy[], frames: Map<string, Buffer | undefined>): void {
  for (const boards of pieces(items, BOARDS_PER_MESSAGE)) {
    const message: ServerMessage = { kind: "occupancy", boards };
    const key = `${watcher.speech.encoding} ${boards.map(({ board }) => board).join()}`;
    const frame = frames.has(key) ? frames.get(key) : watcher.speech.frame(message);
    frames.set(key, frame);
    watcher.write(frame);
  }
  watcher.charge(items.length * PRICE.news);
}
