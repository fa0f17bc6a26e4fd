/**
 * Waits for facts: whoever learns something calls `check`, and each waiting case looks again. Nothing is polled. Time for which this process
 * stood still, as on a machine with too much to do, is not the other side's: deadlines are later by it.
 */

import { Mistake } from "./cases.ts";

const WITHIN_MS = 5000;

export class Waiting {
  readonly #looks = new Set<() => void>();

  check(): void {
    for (const look of this.#looks) look();
  }

  /** Resolves to what `find` finds, as soon as it is neither undefined nor false. `story`: what was seen, for the reason of a failure. */
  until<T>(find: () => T | undefined | false, what: string, story: () => string, withinMs = WITHIN_MS): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = () => {
        const found = find();
        if (found === undefined || found === false) return;
        stop();
        resolve(found);
      };
      const watch = new Stopwatch();
      const expire = () => {
        const leftMs = withinMs - watch.ranMs;
        if (leftMs > 0) {
          timer = setTimeout(expire, leftMs);
          return;
        }
        stop();
        reject(new Mistake(`${what}: not within ${withinMs} ms\n${story()}`));
      };
      let timer = setTimeout(expire, withinMs);
      const stop = () => {
        clearTimeout(timer);
        this.#looks.delete(look);
      };
      this.#looks.add(look);
      look();
    });
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** How late a timer may be before this process is thought to have stood still. */
const LATE_MS = 100;

/** Adds up the time for which this process stood still: a timer that comes so often is late by it. */
const standstill = { totalMs: 0, lookedAt: 0 };

function standstillMs(): number {
  const lateMs = performance.now() - standstill.lookedAt - LATE_MS;
  return standstill.totalMs + (lateMs > LATE_MS ? lateMs : 0);
}

function look(): void {
  standstill.totalMs = standstillMs();
  standstill.lookedAt = performance.now();
}

/** Time since it was made. */
export class Stopwatch {
  readonly #startedAt: number;
  readonly #stillMs: number;

  constructor() {
    if (standstill.lookedAt === 0) {
      standstill.lookedAt = performance.now();
      setInterval(look, LATE_MS).unref();
    }
    this.#startedAt = performance.now();
    this.#stillMs = standstillMs();
  }

  get ms(): number {
    return performance.now() - this.#startedAt;
  }

  /** Without the time for which this process stood still: for what must not take too long. */
  get ranMs(): number {
    return this.ms - (standstillMs() - this.#stillMs);
  }
}
