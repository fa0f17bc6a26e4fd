/**
 * Time for a claim that something took no longer than so long, here and in the tests of the service. A process may stand still, as on a machine
 * with too much to do, and can neither do nor see anything then.
 */

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
