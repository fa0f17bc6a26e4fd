/**
 * A timing wheel: who is due at which step, where a step is a whole number that only grows. To set, to move and to forget somebody costs the
 * same however many there are, and a step touches those alone that are due. The caller says what a step is.
 */

export class Wheel<G> {
  readonly #due = new Map<number, Set<G>>();
  readonly #stepOf = new Map<G, number>();
  /** The present step: a later one is the first that can be set. */
  #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  /** undefined: never. */
  stepOf(guest: G): number | undefined {
    return this.#stepOf.get(guest);
  }

  /** Replaces the step that was set before. A step that is over means the next one. */
  set(guest: G, step: number): void {
    this.delete(guest);
    const at = Math.max(step, this.#step + 1);
    this.#stepOf.set(guest, at);
    const due = this.#due.get(at);
    if (due === undefined) this.#due.set(at, new Set([guest]));
    else due.add(guest);
  }

  delete(guest: G): void {
    const step = this.#stepOf.get(guest);
    if (step === undefined) return;
    this.#stepOf.delete(guest);
    const due = this.#due.get(step);
    due?.delete(guest);
    if (due?.size === 0) this.#due.delete(step);
  }

  /**
   * Goes on to that step. Calls back with each that is due: it is set no more, and may be set anew. If a call throws, those after it come with
   * the next turn.
   */
  turn(until: number, call: (guest: G) => void): void {
    for (;;) {
      const due = this.#due.get(this.#step);
      for (const guest of due ?? []) {
        due?.delete(guest);
        this.#stepOf.delete(guest);
        call(guest);
      }
      this.#due.delete(this.#step);
      if (this.#step >= until) return;
      this.#step++;
    }
  }
}
