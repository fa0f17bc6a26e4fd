/**
 * Time for a claim that something took no longer than so long. A process may stand still, as on a machine with too much to do, and can
 * neither do nor see anything then. That time is not counted.
 */

const LOOK_EVERY_MS = 50;
/** A timer that is later by so much shows that this process stood still. */
const LATE_MS = 100;

let stillMs = 0;
let lookedAt = performance.now();
setInterval(look, LOOK_EVERY_MS).unref();

function look(): void {
  const now = performance.now();
  const lateMs = now - lookedAt - LOOK_EVERY_MS;
  if (lateMs > LATE_MS) stillMs += lateMs;
  lookedAt = now;
}

/** Begins when it is made. */
export class Stopwatch {
  readonly #startedAt: number;
  readonly #stillMs: number;

  constructor() {
    look();
    this.#startedAt = performance.now();
    this.#stillMs = stillMs;
  }

  /** For which this process ran since. */
  get ranMs(): number {
    look();
    return performance.now() - this.#startedAt - (stillMs - this.#stillMs);
  }
}
