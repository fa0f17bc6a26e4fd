/**
 * Decides when the changes of each board are written to its sockets (F2), and nothing else. The tick is a rate and not a gap: the
 * changes of a board at rest are written at the end of the loop's turn, those of a busy one every tick. The tick grows with the board,
 * as a frame costs more the more sockets it is for, and on all boards as the event loop fills.
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { Deadlines } from "../core/deadlines.ts";
import { Alarm } from "./alarm.ts";

/** One frame of a screen: smooth to the eye, and on a large board ten movers cost a viewer one frame, not ten. */
export const TICK_MS = 16;
/** Boards with so many sockets here have that tick. It falls with the square of their number, as does what a board's frames cost. */
const SEATS_OF_LARGE = 20;
/** Ten people who draw without pause are told of each other at once, and a crowd elsewhere brings a viewer 250 frames a second at most. */
const TICK_MS_MIN = 4;
/** Ticks and frames that a board at rest has saved up: a first move, an answer to it and one more move go out at once. */
const BURST = 3;
/**
 * How busy the event loop is, 0…1, and the tick that every board then has at least. Ten times a second still reads as movement. To gather the
 * ticks of many boards in one turn was tried: it saved no CPU, and moves were 4 ms later.
 */
const LEVELS = [
  { load: 0, tickMs: 0 },
  { load: 0.68, tickMs: 8 },
  { load: 0.75, tickMs: 16 },
  { load: 0.8, tickMs: 25 },
  { load: 0.85, tickMs: 40 },
  { load: 0.9, tickMs: 63 },
  { load: 0.95, tickMs: 100 },
] as const;
/** The share of a new sample in the load: joins that come in a burst fill the loop for one or two samples, and change little. */
const SAMPLE_SHARE = 0.3;
/**
 * Samples below a level before it is left: the tick grows at once and shrinks slowly. Where a shorter tick has brought the load back soon, twice
 * as many pass before the next try, up to a minute: a steady load does not have clients told one pace after the other.
 */
const CALM_SAMPLES_MIN = 4;
const CALM_SAMPLES_MAX = 240;
/** A board's place in the schedule; belongs to the ticker. */
export class Pace {
  /** The time by which the local ticks used so far are paid for: a bucket of `BURST` tokens in one number. */
  ticksPaidUntil: Millis = 0;
  /** The same for frames, local or remote: on a large board two per tick. */
  framesPaidUntil: Millis = 0;
  flushedAt: Millis = 0;
  isLocalDue = false;
  isRemoteDue = false;
  dueAt: Millis = Number.POSITIVE_INFINITY;
}

export class Ticker<B extends { readonly pace: Pace; readonly seats: number }> {
  readonly #clock: Clock;
  readonly #flush: (board: B, isLocal: boolean, now: Millis) => void;
  readonly #flushed: () => void;
  readonly #later = new Deadlines<B>();
  readonly #alarm: Alarm;
  /** Boards to be flushed at the end of this turn of the event loop. */
  #atTurnEnd: B[] = [];
  #load = 0;
  #level = 0;
  /** The tick of that level. */
  #leastTickMs: Millis = 0;
  #calmSamples = 0;
  #patience = CALM_SAMPLES_MIN;
  /** Samples since a level was left. */
  #sinceLeft = 0;
  /** The load has come back since, or no level was left yet. */
  #isBack = true;

  /** `isLocal`: the flush is for changes made here, of which other instances are told as well; otherwise only local sockets are told. `flushed`: after the last board of a turn. */
  constructor(clock: Clock, flush: (board: B, isLocal: boolean, now: Millis) => void, flushed: () => void) {
    this.#clock = clock;
    this.#flush = flush;
    this.#flushed = flushed;
    this.#alarm = new Alarm(clock, () => this.#runLater());
  }

  /** The cursor pace that clients are told to keep to. */
  get cursorMs(): Millis {
    return Math.max(TICK_MS, this.#leastTickMs);
  }

  /** Something on that board has changed at this instance. */
  local(board: B): void {
    if (board.pace.isLocalDue) return;
    board.pace.isLocalDue = true;
    this.#schedule(board, this.#localAt(board));
  }

  /** Cursors of other instances moved: on a large board a viewer gets about two frames per tick, however many instances send. */
  remote(board: B): void {
    if (board.pace.isRemoteDue) return;
    board.pace.isRemoteDue = true;
    this.#schedule(board, board.pace.framesPaidUntil - (BURST - 1) * this.#frameGapOf(board));
  }

  /** That board is to be flushed by then, even if nothing changes there; Infinity: it need not. */
  by(board: B, at: Millis): void {
    this.#schedule(board, at);
  }

  forget(board: B): void {
    this.#later.set(board, Number.POSITIVE_INFINITY);
  }

  /** Fits the tick to how busy the event loop was, 0…1. To be called several times a second. */
  adapt(load: number): void {
    this.#load += SAMPLE_SHARE * (load - this.#load);
    const level = LEVELS.findLastIndex((each) => this.#load >= each.load);
    this.#calmSamples = level < this.#level ? this.#calmSamples + 1 : 0;
    this.#sinceLeft++;
    if (level > this.#level) {
      if (!this.#isBack)
        this.#patience = this.#sinceLeft > 2 * this.#patience ? CALM_SAMPLES_MIN : Math.min(2 * this.#patience, CALM_SAMPLES_MAX);
      this.#isBack = true;
      this.#enter(level);
    }
    // A level that was left without harm is followed by the next one soon.
    if (this.#calmSamples < (this.#isBack ? this.#patience : CALM_SAMPLES_MIN)) return;
    this.#isBack = false;
    this.#enter(this.#level - 1);
    this.#calmSamples = 0;
    this.#sinceLeft = 0;
  }

  #enter(level: number): void {
    this.#level = level;
    this.#leastTickMs = LEVELS[level]?.tickMs ?? 0;
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  /** A frame every 16 ms for each person here, as far as what frames cost allows. */
  #tickOf({ seats }: B): Millis {
    return Math.max(this.#leastTickMs, TICK_MS_MIN, TICK_MS / seats, costMs(seats));
  }

  #frameGapOf({ seats }: B): Millis {
    return Math.max(this.#leastTickMs / 2, TICK_MS_MIN, costMs(seats) / 2);
  }

  #localAt(board: B): Millis {
    return board.pace.ticksPaidUntil - (BURST - 1) * this.#tickOf(board);
  }

  #schedule(board: B, at: Millis): void {
    if (at >= board.pace.dueAt) return;
    board.pace.dueAt = at;
    if (at > this.#clock.now()) {
      this.#later.set(board, at);
      this.#alarm.set(this.#later.next());
      return;
    }
    this.#later.set(board, Number.POSITIVE_INFINITY);
    if (this.#atTurnEnd.push(board) === 1) this.#clock.afterReads(this.#runTurnEnd);
  }

  readonly #runTurnEnd = () => {
    const boards = this.#atTurnEnd;
    this.#atTurnEnd = [];
    for (const board of boards) this.#run(board, this.#clock.now());
    this.#flushed();
  };

  #runLater(): void {
    const now = this.#clock.now();
    for (let board = this.#later.takeDue(now); board !== undefined; board = this.#later.takeDue(now)) this.#run(board, now);
    this.#flushed();
    this.#alarm.set(this.#later.next());
  }

  #run(board: B, now: Millis): void {
    const { pace } = board;
    const tickMs = this.#tickOf(board);
    const isLocal = pace.isLocalDue && this.#localAt(board) <= now;
    if (isLocal) {
      pace.isLocalDue = false;
      pace.ticksPaidUntil = Math.max(now, pace.ticksPaidUntil) + tickMs;
    }
    // A local tick always sends, even without frame budget. Its debt is capped, so that the next remote frame waits for one gap at most.
    const gapMs = this.#frameGapOf(board);
    pace.framesPaidUntil = Math.min(Math.max(now, pace.framesPaidUntil) + gapMs, now + BURST * gapMs);
    pace.isRemoteDue = false;
    pace.dueAt = Number.POSITIVE_INFINITY;
    this.#flush(board, isLocal, now);
    pace.flushedAt = now;
    if (pace.isLocalDue) this.#schedule(board, this.#localAt(board));
  }
}

function costMs(seats: number): Millis {
  return TICK_MS * Math.min(1, (seats / SEATS_OF_LARGE) ** 2);
}
