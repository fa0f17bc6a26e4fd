/** The clock of all parts but the core, which is told the time. Tests have one that jumps (testing/fake-clock.ts). */

import { performance } from "node:perf_hooks";
import type { Millis } from "@presence-service/protocol";

export interface Clock {
  /** Monotonic time; only differences mean something. */
  now(): Millis;
  /** Time since the epoch. It may jump, so use it only to convert a time that somebody else gives, at the moment it is given. */
  wallNow(): Millis;
  /** Calls back once, when so much time has passed. The returned function cancels that. */
  after(ms: Millis, callback: () => void): () => void;
  /** Calls back at the end of this turn of the event loop, when everything that waits in sockets now has been read. */
  afterReads(callback: () => void): void;
  /** How much of the time since the last call the event loop was busy, 0…1. */
  load(): number;
}

export class SystemClock implements Clock {
  #utilization = performance.eventLoopUtilization();

  now(): Millis {
    return performance.now();
  }

  wallNow(): Millis {
    return Date.now();
  }

  after(ms: Millis, callback: () => void): () => void {
    const timer = setTimeout(callback, ms);
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
