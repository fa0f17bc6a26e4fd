/**
 * Connections that use the event loop fast or are overdrawn, and handshakes, wait in this lane. They go on one after the other, a few in
 * each turn of the lane, so that they leave most of the loop to all other clients. Pure.
 */

import type { Millis } from "@presence-service/protocol";
import { Deadlines } from "../core/deadlines.ts";

/** Turns of 300 work, every 3 ms: together at most about a third of the loop. A flood then delays others by about a millisecond. */
export const LANE_MS: Millis = 3;
export const TURNS_PER_LANE = 3;
/**
 * A lane that is late makes up for so many turns, or two milliseconds and a half. Where thousands come back to one board, each tick takes the loop for 50 ms: with
 * three turns after each, no more than 60 a second would be let in.
 */
export const LATE_TURNS_MAX = 9;

export interface Waiter {
  /** Takes its turn and answers undefined; or answers until when it has to wait, and then it takes no turn from others. */
  turn(now: Millis): Millis | undefined;
}

export class Lane {
  readonly #waiting = new Deadlines<Waiter>();
  #turnsUntil: Millis = Number.NEGATIVE_INFINITY;
  #turns = 0;

  /** Has the waiter take its turn, not before `at`. Waiters are served in the order of these times. */
  wait(waiter: Waiter, at: Millis): void {
    this.#waiting.set(waiter, at);
  }

  leave(waiter: Waiter): void {
    this.#waiting.set(waiter, Number.POSITIVE_INFINITY);
  }

  /** When `run` is to be called; Infinity: the lane is empty. */
  next(): Millis {
    const at = this.#waiting.next();
    return this.#turns < TURNS_PER_LANE ? at : Math.max(at, this.#turnsUntil);
  }

  run(now: Millis): void {
    if (now >= this.#turnsUntil) {
      // As long as nobody was waiting, it was not late.
      const lateMs = Math.max(0, now - Math.max(this.#turnsUntil, this.#waiting.next()));
      this.#turns = -Math.min(LATE_TURNS_MAX, TURNS_PER_LANE * Math.floor(lateMs / LANE_MS));
      this.#turnsUntil = now + LANE_MS;
    }
    while (this.#turns < TURNS_PER_LANE) {
      const waiter = this.#waiting.takeDue(now);
      if (waiter === undefined) return;
      const at = waiter.turn(now);
      if (at === undefined) this.#turns++;
      else this.#waiting.set(waiter, Math.max(at, now + LANE_MS));
    }
  }
}
