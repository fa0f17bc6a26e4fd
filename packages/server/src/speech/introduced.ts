/**
 * The members of one board that clients are told of one by one: at most `ROSTER_MAX`, in the order of the roster. Further members are
 * counted but not introduced; each time one of those introduced leaves, the first of the others takes its place.
 */

import { type Member, ROSTER_MAX, type RosterEntry } from "@presence-service/protocol";

export class Introduced {
  readonly #actors = new Set<number>();
  /** Members that are not introduced, in the order in which they came. */
  readonly #beyond = new Map<number, Member>();

  constructor(entries: readonly RosterEntry[]) {
    for (const { actor, member } of entries) this.add(actor, member);
  }

  get count(): number {
    return this.#actors.size;
  }

  /** All members are introduced. */
  get isEverybody(): boolean {
    return this.#beyond.size === 0;
  }

  has(actor: number): boolean {
    return this.#actors.has(actor);
  }

  /** undefined: the member is introduced, or not there. */
  beyond(actor: number): Member | undefined {
    return this.#beyond.get(actor);
  }

  /** True: the new member is to be introduced. */
  add(actor: number, member: Member): boolean {
    if (this.#actors.size >= ROSTER_MAX && !this.#actors.has(actor)) this.#beyond.set(actor, member);
    else this.#actors.add(actor);
    return this.#actors.has(actor);
  }

  /** True: the member is introduced. */
  update(actor: number, member: Member): boolean {
    if (this.#beyond.has(actor)) this.#beyond.set(actor, member);
    return this.#actors.has(actor);
  }

  /** undefined: the member was not introduced. `next` is to be introduced now. */
  remove(actor: number): { readonly next?: { readonly actor: number; readonly member: Member } } | undefined {
    this.#beyond.delete(actor);
    if (!this.#actors.delete(actor)) return undefined;
    const [first] = this.#beyond;
    if (first === undefined) return {};
    const [next, member] = first;
    this.#beyond.delete(next);
    this.#actors.add(next);
    return { next: { actor: next, member } };
  }
}
