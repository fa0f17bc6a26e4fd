/**
 * Connections that use the event loop fast or are overdrawn wait in such a lane, and upgrades in another one. They go on one after the other, a few in
 * each turn of the lane, so that they leave most of the loop to all other clients. Pure.
 */

import type { Millis } from "@presence-service/protocol";
import { Deadlines } from "../core/deadlines.ts";

/** Turns of 300 work, every 3 ms: together at most about a third of the loop. A flood then delays others by about a millisecond. */
export const LANE_MS: Millis = 3;
export const TURNS_PER_LANE = 3;
/**
 * Upgrades have a lane of their own. One takes 55 µs (a profile of 10 000 that came back), so these are a fifth of the loop. Where they shared the lane of connections, everybody who
 * had just joined had a turn as well, although it had nothing more to say, and each second let 500 to 1 000 in.
 */
export const UPGRADES_PER_LANE = 12;
/**
 * A lane that is late makes up for so many others, which takes two milliseconds and a half. Where thousands come back to one board, each tick takes the loop for 50 ms: with
 * one lane after each, few would be let in.
 */
export const LATE_LANES_MAX = 3;

export interface Waiter {
  /** Takes its turn and answers undefined; or answers until when it has to wait, and then it takes no turn from others. */
  turn(now: Millis): Millis | undefined;
}

export class Lane {
  readonly #waiting = new Deadlines<Waiter>();
  readonly #turnsMax: number;
  #turnsUntil: Millis = Number.NEGATIVE_INFINITY;
  #turns = 0;

  /** `turnsMax`: in each lane of 3 ms. */
  constructor(turnsMax = TURNS_PER_LANE) {
    this.#turnsMax = turnsMax;
  }

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
    return this.#turns < this.#turnsMax ? at : Math.max(at, this.#turnsUntil);
  }

  run(now: Millis): void {
    if (now >= this.#turnsUntil) {
      // As long as nobody was waiting, it was not late.
      const lateMs = Math.max(0, now - Math.max(this.#turnsUntil, this.#waiting.next()));
      this.#turns = -this.#turnsMax * Math.min(LATE_LANES_MAX, Math.floor(lateMs / LANE_MS));
      this.#turnsUntil = now + LANE_MS;
    }
    while (this.#turns < this.#turnsMax) {
      const waiter = this.#waiting.takeDue(now);
      if (waiter === undefined) return;
      const at = waiter.turn(now);
      if (at === undefined) this.#turns++;
      else this.#waiting.set(waiter, Math.max(at, now + LANE_MS));
    }
  }
}
