/**
 * Decides which request is answered next. All answers share one rate. Where more is asked for, addresses take turns: an address that
 * asks without pause makes itself wait, and not a probe, which would have the process ended when it waits for too long.
 */

import type { Millis } from "@presence-service/protocol";

/**
 * Answers of all kinds to everybody, at 30 µs each: 3 % of a core, however many ask without pause. They wait for their turn instead of
 * being refused: ten sockets 10 ms, a thousand a second. A page with all that it loads is within the burst.
 */
const ANSWERS_PER_MS = 1;
const ANSWERS_BURST = 200;

export class Turns {
  #paidUntil: Millis = Number.NEGATIVE_INFINITY;
  /** Those that wait, by address; the address whose turn is next comes first. */
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Resolves when it is the caller's turn. */
  async of(address: string): Promise<void> {
    if (this.#waiting.size === 0 && this.#isPaid()) return this.#pay();
    await new Promise<void>((resolve) => {
      const waiting = this.#waiting.get(address);
      if (waiting !== undefined) return void waiting.push(resolve);
      this.#waiting.set(address, [resolve]);
      if (this.#waiting.size === 1) this.#wait();
    });
  }

  #isPaid(): boolean {
    return this.#paidUntil <= performance.now();
  }

  #pay(): void {
    this.#paidUntil = Math.max(this.#paidUntil, performance.now() - ANSWERS_BURST / ANSWERS_PER_MS) + 1 / ANSWERS_PER_MS;
  }

  #wait(): void {
    setTimeout(() => this.#run(), this.#paidUntil - performance.now());
  }

  #run(): void {
    for (const [address, waiting] of this.#waiting) {
      if (!this.#isPaid()) break;
      this.#pay();
      this.#waiting.delete(address);
      const next = waiting.shift();
      // Behind all others; this loop comes to it again.
      if (waiting.length > 0) this.#waiting.set(address, waiting);
      next?.();
    }
    if (this.#waiting.size > 0) this.#wait();
  }
}
