/** The clock of all parts but the core, which is told the time. Tests have one that jumps (testing/fake-clock.ts). */

import { performance } from "node:perf_hooks";
import type { Millis } from "@presence-service/protocol";

export interface Clock {
  /** Monotonic time; only differences mean something. */
  now(): Millis;
  /** Time since the epoch. It may jump, so use it only to convert a time that somebody else gives, at the moment it is given. */
  wallNow(): Millis;
  /** Calls back once, when so much time has passed: not sooner if it is `LONG_MS` or more. The returned function cancels that. */
  after(ms: Millis, callback: () => void): () => void;
  /** Calls back at the end of this turn of the event loop, when everything that waits in sockets now has been read. */
  afterReads(callback: () => void): void;
  /** How much of the time since the last call the event loop was busy, 0…1. */
  load(): number;
}

/** From here on a millisecond more does not matter. */
const LONG_MS: Millis = 32;

export class SystemClock implements Clock {
  #utilization = performance.eventLoopUtilization();

  now(): Millis {
    return performance.now();
  }

  wallNow(): Millis {
    return Date.now();
  }

  after(ms: Millis, callback: () => void): () => void {
    // Node drops fractions of milliseconds, of the wait and of the time at which it begins. A timer that is too early by one is set again, and
    // half of the times that an instance at rest woke up were for that.
    const timer = setTimeout(callback, Math.ceil(ms) + (ms < LONG_MS ? 0 : 1));
    return () => clearTimeout(timer);
  }

  afterReads(callback: () => void): void {
    setImmediate(callback);
  }

  load(): number {
    const before = this.#utilization;
    this.#utilization = performance.eventLoopUtilization();
    return performance.eventLoopUtilization(this.#utilization, before).utilization;
  }
}
