/** A clock for the parts at the edge that advances only when the test says so, and an event loop whose turns the test ends. */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";

type Timer = { readonly at: Millis; readonly callback: () => void };

export class FakeClock implements Clock {
  /** The result of `load`. */
  busy = 0;
  /** The moments at which timers went off. */
  wakeUps = 0;
  /** The difference between `wallNow` and `now`; a test may change it, as if the system's clock was set. */
  wallAheadMs: Millis = 1_750_000_000_000;
  #now: Millis;
  readonly #timers = new Set<Timer>();
  #atTurnEnd: (() => void)[] = [];

  constructor(now: Millis = 1000) {
    this.#now = now;
  }

  now(): Millis {
    return this.#now;
  }

  wallNow(): Millis {
    return this.#now + this.wallAheadMs;
  }

  after(ms: Millis, callback: () => void): () => void {
    const timer = { at: this.#now + ms, callback };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  afterReads(callback: () => void): void {
    this.#atTurnEnd.push(callback);
  }

  load(): number {
    return this.busy;
  }

  /** Ends turns of the loop until one brings nothing new. Time stands still. */
  turn(): void {
    while (this.#atTurnEnd.length > 0) for (const callback of this.#atTurnEnd.splice(0)) callback();
  }

  /** Timers fire on time, in order, each followed by the end of its turn. */
  advance(ms: Millis): void {
    const until = this.#now + ms;
    this.turn();
    for (let next = this.#next(until); next !== undefined; next = this.#next(until)) {
      if (next.at > this.#now) this.wakeUps++;
      this.#now = Math.max(this.#now, next.at);
      this.#fire(next);
      this.turn();
    }
    this.#now = until;
  }

  /** The process is stopped for so long, then all due timers fire. Callbacks for the end of their turn have not run yet. */
  stall(ms: Millis): void {
    this.#now += ms;
    for (let next = this.#next(this.#now); next !== undefined; next = this.#next(this.#now)) this.#fire(next);
  }

  #fire(timer: Timer): void {
    this.#timers.delete(timer);
    timer.callback();
  }

  #next(until: Millis): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) if (timer.at <= until && (first === undefined || timer.at < first.at)) first = timer;
    return first;
  }
}
