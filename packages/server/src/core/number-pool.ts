/** Small numbers for members (slots, actors). The number that was freed first is given out first, but not before it has rested. */

import type { Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";

export class NumberPool {
  readonly #restMs: Millis;
  #freed: { readonly number: number; readonly at: Millis }[] = [];
  #firstFreed = 0;
  #next = 0;

  constructor(restMs: Millis) {
    this.#restMs = restMs;
  }

  checkpoint(keep: Keep): void {
    this.#freed = keep(this.#freed);
    this.#firstFreed = keep(this.#firstFreed);
    this.#next = keep(this.#next);
  }

  take(now: Millis): number {
    const oldest = this.#freed[this.#firstFreed];
    if (oldest === undefined || now - oldest.at < this.#restMs) return this.#next++;
    this.#firstFreed++;
    // Shift in bulk: one splice per 256 numbers instead of one per number.
    if (this.#firstFreed === 256) {
      this.#freed.splice(0, this.#firstFreed);
      this.#firstFreed = 0;
    }
    return oldest.number;
  }

  free(number: number, now: Millis): void {
    this.#freed.push({ number, at: now });
  }
}
