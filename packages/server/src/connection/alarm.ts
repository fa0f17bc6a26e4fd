/**
 * One timer that can be set anew at no cost. When it goes off late, the event loop was busy or the process was stopped, and what
 * explains the delay may still wait unread: then sockets are read before anybody judges by the time that has passed (R9).
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";

/** Later than any timer of a loop with some air; far below what the rules wait for. */
const LATE_MS = 50;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  #at: Millis = Number.POSITIVE_INFINITY;
  #armedFor: Millis = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock;
    this.#ring = ring;
  }

  /** Rings once at that time and never before; Infinity: not at all. Replaces what was set. */
  set(at: Millis): void {
    this.#at = at;
    // A timer that goes off too early only looks again: cheaper than a new one each time.
    if (at < this.#armedFor) this.#arm();
  }

  #arm(): void {
    this.#cancel?.();
    this.#armedFor = this.#at;
    this.#cancel =
      this.#at === Number.POSITIVE_INFINITY ? undefined : this.#clock.after(Math.max(0, this.#at - this.#clock.now()), this.#due);
  }

  readonly #due = () => {
    if (this.#clock.now() - this.#armedFor > LATE_MS) this.#clock.afterReads(this.#look);
    else this.#look();
  };

  readonly #look = () => {
    this.#armedFor = Number.POSITIVE_INFINITY;
    this.#cancel = undefined;
    if (this.#clock.now() < this.#at) return this.#arm();
    this.#at = Number.POSITIVE_INFINITY;
    this.#ring();
  };
}
