/**
 * One timer that can be set anew at no cost. When it goes off late, the event loop was busy or the process was stopped, and messages
 * may still wait unread in sockets: then sockets are read before the callback judges by the time that has passed (R9).
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";

/** A timer this late shows that the loop was busy or stopped: with time to spare no timer is so late. The rules wait for far longer. */
const LATE_MS = 50;

export class Alarm {
  readonly #clock: Clock;
  readonly #ring: () => void;
  readonly #late: ((ms: Millis) => void) | undefined;
  #at: Millis = Number.POSITIVE_INFINITY;
  #armedFor: Millis = Number.POSITIVE_INFINITY;
  #cancel: (() => void) | undefined;

  /** `late`: told how late each timer went off, which is how late the event loop was. */
  constructor(clock: Clock, ring: () => void, late?: (ms: Millis) => void) {
    this.#clock = clock;
    this.#ring = ring;
    this.#late = late;
  }

  /** Rings once at that time and never before; Infinity: not at all. Replaces the time set before. */
  set(at: Millis): void {
    this.#at = at;
    // A timer that goes off too early only looks again, which is cheaper than a new timer each time.
    if (at < this.#armedFor) this.#arm();
  }

  #arm(): void {
    this.#cancel?.();
    this.#armedFor = this.#at;
    this.#cancel =
      this.#at === Number.POSITIVE_INFINITY ? undefined : this.#clock.after(Math.max(0, this.#at - this.#clock.now()), this.#due);
  }

  readonly #due = () => {
    const lateMs = this.#clock.now() - this.#armedFor;
    this.#late?.(lateMs);
    if (lateMs > LATE_MS) this.#clock.afterReads(this.#look);
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
