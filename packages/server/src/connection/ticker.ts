/**
 * Decides when the changes of each board are written to its sockets (F2), and nothing else. The tick is a rate and not a gap: the
 * changes of a board at rest are written at the end of the loop's turn, those of a busy one every tick. The tick grows as the event
 * loop fills.
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { Deadlines } from "../core/deadlines.ts";
import { Alarm } from "./alarm.ts";

/** One frame of a screen: smooth to the eye, and ten movers cost a viewer one frame, not ten. */
export const TICK_MS_MIN = 16;
/** Ten times a second still reads as movement. */
export const TICK_MS_MAX = 100;
/** Ticks and frames that a board at rest has saved up: a first move, an answer to it and one more move go out at once. */
const BURST = 3;
/** Between these loads the tick stays as it is. Their quotient exceeds the step, so that a step cannot undo itself. */
const LOAD_HIGH = 0.85;
const LOAD_LOW = 0.6;
const STEP = 1.4;
/** Samples below the low mark before the tick shrinks: it grows at once and shrinks slowly. */
const CALM_SAMPLES = 4;

/** A board's place in the schedule; belongs to the ticker. */
export class Pace {
  /** The time by which the local ticks used so far are paid for: a bucket of `BURST` tokens in one number. */
  ticksPaidUntil: Millis = 0;
  /** The same for frames, of which there are two per tick. */
  framesPaidUntil: Millis = 0;
  flushedAt: Millis = 0;
  isLocalDue = false;
  isRemoteDue = false;
  dueAt: Millis = Number.POSITIVE_INFINITY;
}

export class Ticker<B extends { readonly pace: Pace }> {
  readonly #clock: Clock;
  readonly #flush: (board: B, isLocal: boolean, now: Millis) => void;
  readonly #later = new Deadlines<B>();
  readonly #alarm: Alarm;
  /** Boards to be flushed at the end of this turn of the event loop. */
  #atTurnEnd: B[] = [];
  #tickMs = TICK_MS_MIN;
  #calmSamples = 0;

  /** `isLocal`: the flush is for changes made here, of which other instances are told as well; otherwise only local sockets are told. */
  constructor(clock: Clock, flush: (board: B, isLocal: boolean, now: Millis) => void) {
    this.#clock = clock;
    this.#flush = flush;
    this.#alarm = new Alarm(clock, () => this.#runLater());
  }

  /** The cursor pace that clients are told to keep to. */
  get cursorMs(): Millis {
    return Math.round(this.#tickMs);
  }

  /** Something on that board has changed at this instance. */
  local(board: B): void {
    if (board.pace.isLocalDue) return;
    board.pace.isLocalDue = true;
    this.#schedule(board, this.#localAt(board.pace));
  }

  /** Cursors of other instances moved: a viewer gets about two frames per tick, however many instances send, and waits for half a tick. */
  remote(board: B): void {
    if (board.pace.isRemoteDue) return;
    board.pace.isRemoteDue = true;
    this.#schedule(board, board.pace.framesPaidUntil - ((BURST - 1) * this.#tickMs) / 2);
  }

  forget(board: B): void {
    this.#later.set(board, Number.POSITIVE_INFINITY);
  }

  /** Fits the tick to how busy the event loop was, 0…1. To be called several times a second. */
  adapt(load: number): void {
    this.#calmSamples = load < LOAD_LOW ? this.#calmSamples + 1 : 0;
    if (load > LOAD_HIGH) this.#tickMs = Math.min(TICK_MS_MAX, this.#tickMs * STEP);
    else if (this.#calmSamples >= CALM_SAMPLES) {
      this.#tickMs = Math.max(TICK_MS_MIN, this.#tickMs / STEP);
      this.#calmSamples = 0;
    }
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  #localAt(pace: Pace): Millis {
    return pace.ticksPaidUntil - (BURST - 1) * this.#tickMs;
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
  };

  #runLater(): void {
    const now = this.#clock.now();
    for (let board = this.#later.takeDue(now); board !== undefined; board = this.#later.takeDue(now)) this.#run(board, now);
    this.#alarm.set(this.#later.next());
  }

  #run(board: B, now: Millis): void {
    const { pace } = board;
    const isLocal = pace.isLocalDue && this.#localAt(pace) <= now;
    if (isLocal) {
      pace.isLocalDue = false;
      pace.ticksPaidUntil = Math.max(now, pace.ticksPaidUntil) + this.#tickMs;
    }
    // A local tick always sends, even without frame budget. Its debt is capped, so that the next remote frame waits half a tick at most.
    const framesPaidUntil = Math.max(now, pace.framesPaidUntil) + this.#tickMs / 2;
    pace.framesPaidUntil = Math.min(framesPaidUntil, now + (BURST * this.#tickMs) / 2);
    pace.isRemoteDue = false;
    pace.dueAt = Number.POSITIVE_INFINITY;
    this.#flush(board, isLocal, now);
    pace.flushedAt = now;
    if (pace.isLocalDue) this.#schedule(board, this.#localAt(pace));
  }
}
