/** Callbacks of the app. One that throws is reported, and the others are still called. */

import type { Stop } from "./types.ts";

type Reporter = { report(problem: string, error: unknown): void };

export class Listeners<T> {
  readonly #host: Reporter;
  /** The same function may be added twice; each has its own place. */
  readonly #places = new Set<{ readonly listener: (value: T) => void }>();

  constructor(host: Reporter) {
    this.#host = host;
  }

  get size(): number {
    return this.#places.size;
  }

  add(listener: (value: T) => void): Stop {
    const place = { listener };
    this.#places.add(place);
    return () => {
      this.#places.delete(place);
    };
  }

  /** In the order of adding. A listener removed meanwhile is not called; one added meanwhile is called from the next time on. */
  emit(value: T): void {
    for (const place of [...this.#places]) if (this.#places.has(place)) this.call(place.listener, value);
  }

  call(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.#host.report("a listener threw", error);
    }
  }
}
