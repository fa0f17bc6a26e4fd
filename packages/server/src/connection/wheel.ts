/**
 * A timing wheel: who is due at which step, where a step is a whole number that only grows. To set, to move and to forget somebody costs the
 * same however many there are, and a step touches those alone that are due. The caller says what a step is, and keeps the ticket of each guest.
 */

const NEVER = -1;

/** A guest's place in the ring of those that are due at one step. It moves with its guest: ten thousand that move leave no garbage. */
export class Ticket<G> {
  /** undefined: this one only holds the ring together. */
  readonly guest: G | undefined;
  #step = NEVER;
  #before: Ticket<G> = this;
  #after: Ticket<G> = this;

  constructor(guest?: G) {
    this.guest = guest;
  }

  /** When the guest is due; undefined: it is not set. */
  get step(): number | undefined {
    return this.#step === NEVER ? undefined : this.#step;
  }

  /** The one that follows in the ring. */
  get after(): Ticket<G> {
    return this.#after;
  }

  /** Leaves its ring for the end of that one. For the wheel only. */
  enter(ring: Ticket<G>, step: number): void {
    this.leave();
    this.#step = step;
    this.#after = ring;
    this.#before = ring.#before;
    this.#before.#after = ring.#before = this;
  }

  /** The guest is due no more. */
  leave(): void {
    this.#step = NEVER;
    this.#before.#after = this.#after;
    this.#after.#before = this.#before;
    this.#after = this.#before = this;
  }
}

export class Wheel<G> {
  readonly #rings = new Map<number, Ticket<G>>();
  /** The present step: a later one is the first that can be set. */
  #step: number;

  constructor(step: number) {
    this.#step = step;
  }

  /** Replaces the step that was set before. A step that is over means the next one. */
  set(ticket: Ticket<G>, step: number): void {
    const at = Math.max(step, this.#step + 1);
    let ring = this.#rings.get(at);
    if (ring === undefined) {
      ring = new Ticket();
      this.#rings.set(at, ring);
    }
    ticket.enter(ring, at);
  }

  /**
   * Goes on to that step. Calls back with each that is due: it is set no more, and may be set anew. If a call throws, those after it come with
   * the next turn.
   */
  turn(until: number, call: (ticket: Ticket<G>, guest: G) => void): void {
    for (;;) {
      const ring = this.#rings.get(this.#step);
      for (let ticket = ring?.after; ticket?.guest !== undefined; ticket = ring?.after) {
        ticket.leave();
        call(ticket, ticket.guest);
      }
      this.#rings.delete(this.#step);
      if (this.#step >= until) return;
      this.#step++;
    }
  }
}
