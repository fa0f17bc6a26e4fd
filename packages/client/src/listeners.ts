/** Callbacks of the app. One that throws is reported and hurts neither the others nor us. */

import type { Stop } from "./types.ts";

export class Listeners<T> {
  readonly #report: (problem: string, error: unknown) => void;
  /** The same function may be added twice; each has its own place. */
  readonly #places = new Set<{ readonly listener: (value: T) => void }>();

  constructor(report: (problem: string, error: unknown) => void) {
    this.#report = report;
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

  /** In the order of adding. Who is removed meanwhile is not called, who is added meanwhile is called next time. */
  emit(value: T): void {
    for (const place of [...this.#places]) if (this.#places.has(place)) this.call(place.listener, value);
  }

  call(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.#report("a listener threw", error);
    }
  }
}
