/** Time as the parts at the edge use it. Tests have one that jumps (testing/fake-clock.ts); the core is told the time instead. */

import { performance } from "node:perf_hooks";
import type { Millis } from "@presence-service/protocol";

export interface Clock {
  /** Monotonic; where it began means nothing. */
  now(): Millis;
  /** Since the epoch. It may jump, so it is only for what others say in it, and only at the moment they say it. */
  wallNow(): Millis;
  /** Calls back once, when so much time has passed; what it returns prevents that. */
  after(ms: Millis, callback: () => void): () => void;
  /** Calls back at the end of this turn of the event loop: after everything that waits in sockets now has been read. */
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
