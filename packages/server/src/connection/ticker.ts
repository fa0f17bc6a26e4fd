/**
 * When which board is told to its sockets (F2). The tick is a rate and not a gap: a board at rest is told at the end of the loop's
 * turn, a busy one every tick, and the tick grows as the event loop fills. It decides the time and nothing else.
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { Deadlines } from "../core/deadlines.ts";
import { Alarm } from "./alarm.ts";

/** One frame of a screen: smooth to the eye, and ten movers cost a viewer one frame, not ten. */
export const TICK_MS_MIN = 16;
/** Ten times a second still reads as movement. */
export const TICK_MS_MAX = 100;
/** What a board at rest has saved up, of ticks and of frames: a first move, its answer and one more go out at once. */
const BURST = 3;
/** Between these the tick stays. Their quotient exceeds the step, so that a step cannot undo itself. */
const LOAD_HIGH = 0.85;
const LOAD_LOW = 0.6;
const STEP = 1.4;
/** Samples below the low mark before the tick shrinks: hurry up to slow down, and take time to speed up. */
const CALM_SAMPLES = 4;

/** A board's place in the schedule; belongs to the ticker. */
export class Pace {
  /** Up to when the local ticks used are paid for: a bucket of `BURST` tokens in one number. */
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
  /** To be flushed at the end of this turn. */
  #atTurnEnd: B[] = [];
  #tickMs = TICK_MS_MIN;
  #calmSamples = 0;

  /** `isLocal`: it is the tick of what happened here, which other instances are told as well; otherwise only local sockets are. */
  constructor(clock: Clock, flush: (board: B, isLocal: boolean, now: Millis) => void) {
    this.#clock = clock;
    this.#flush = flush;
    this.#alarm = new Alarm(clock, () => this.#runLater());
  }

  /** What clients are told to keep to. */
  get cursorMs(): Millis {
    return Math.round(this.#tickMs);
  }

  /** Something happened here on that board. */
  local(board: B): void {
    if (board.pace.isLocalDue) return;
    board.pace.isLocalDue = true;
    this.#schedule(board, this.#localAt(board.pace));
  }

  /** Cursors of other instances moved, of however many: a viewer gets about two frames per tick, and waits for half a tick. */
  remote(board: B): void {
    if (board.pace.isRemoteDue) return;
    board.pace.isRemoteDue = true;
    this.#schedule(board, board.pace.framesPaidUntil - ((BURST - 1) * this.#tickMs) / 2);
  }

  forget(board: B): void {
    this.#later.set(board, Number.POSITIVE_INFINITY);
  }

  /** How busy the event loop was, 0…1, several times a second. */
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
    // Local ticks use up frames without asking; what they owe keeps nobody waiting for longer than half a tick.
    const framesPaidUntil = Math.max(now, pace.framesPaidUntil) + this.#tickMs / 2;
    pace.framesPaidUntil = Math.min(framesPaidUntil, now + (BURST * this.#tickMs) / 2);
    pace.isRemoteDue = false;
    pace.dueAt = Number.POSITIVE_INFINITY;
    this.#flush(board, isLocal, now);
    pace.flushedAt = now;
    if (pace.isLocalDue) this.#schedule(board, this.#localAt(pace));
  }
}
