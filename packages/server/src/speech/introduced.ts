/**
 * The members of one board that clients are told of one by one: at most `ROSTER_MAX`, in the order of the roster. Further members are
 * counted but not introduced; each time one of those introduced leaves, the first of the others takes its place.
 */

import { inOrder, type Member, ROSTER_MAX, type RosterEntry } from "@presence-service/protocol";

export class Introduced {
  readonly #members = new Map<number, Member>();
  /** Members that are not introduced, in the order in which they came. Most boards never have any. */
  #beyond: Map<number, Member> | undefined;

  constructor(entries: readonly RosterEntry[]) {
    for (const { actor, member } of entries) this.add(actor, member);
  }

  get count(): number {
    return this.#members.size;
  }

  /** All members are introduced. */
  get isEverybody(): boolean {
    return !this.#beyond?.size;
  }

  has(actor: number): boolean {
    return this.#members.has(actor);
  }

  /** Those introduced, in the order of rosters. They are kept as they came, which is nearly that order, so sorting costs about one comparison each. */
  inOrder(): (readonly [actor: number, member: Member])[] {
    return [...this.#members].sort(([, a], [, b]) => inOrder(a, b));
  }

  /** undefined: the member is not there. */
  memberOf(actor: number): Member | undefined {
    return this.#members.get(actor) ?? this.#beyond?.get(actor);
  }

  /** undefined: the member is introduced, or not there. */
  beyond(actor: number): Member | undefined {
    return this.#beyond?.get(actor);
  }

  /** True: the new member is to be introduced. */
  add(actor: number, member: Member): boolean {
    const isIntroduced = this.#members.size < ROSTER_MAX || this.#members.has(actor);
    if (!isIntroduced) this.#beyond ??= new Map();
    (isIntroduced ? this.#members : this.#beyond)?.set(actor, member);
    return isIntroduced;
  }

  /** True: the member is introduced. */
  update(actor: number, member: Member): boolean {
    if (this.#beyond?.has(actor)) this.#beyond.set(actor, member);
    if (this.#members.has(actor)) this.#members.set(actor, member);
    return this.#members.has(actor);
  }

  /** undefined: the member was not introduced. `next` is to be introduced now. */
  remove(actor: number): { readonly next?: { readonly actor: number; readonly member: Member } } | undefined {
    this.#beyond?.delete(actor);
    if (!this.#members.delete(actor)) return undefined;
    const [first] = this.#beyond ?? [];
    if (first === undefined) return {};
    const [next, member] = first;
    this.#beyond?.delete(next);
    this.#members.set(next, member);
    return { next: { actor: next, member } };
  }
}
