/**
 * Waits for facts: whoever learns something calls `check`, and each waiting case looks again. Nothing is polled. Time for which this process
 * stood still is not the other side's: deadlines are later by it.
 */

import { Mistake } from "./cases.ts";
import { Stopwatch } from "./stopwatch.ts";

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
