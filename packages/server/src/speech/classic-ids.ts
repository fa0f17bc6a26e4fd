/**
 * The one-byte numbers by which classic clients know people, on one board of one instance: the lowest free one first, reused at once. A
 * member that comes when all 256 are taken is counted but not shown, and gets the next number that becomes free.
 */

import { CLASSIC_MEMBERS_MAX, type Member } from "@presence-service/protocol";

export class ClassicIds {
  readonly #actors: (number | undefined)[] = [];
  readonly #ids = new Map<number, number>();
  /** Members without an id, in the order in which they came. */
  readonly #waiting = new Map<number, Member>();

  /** Actors by id; undefined: the id is free. */
  get table(): readonly (number | undefined)[] {
    return this.#actors;
  }

  idOf(actor: number): number | undefined {
    return this.#ids.get(actor);
  }

  /** The new member's id; undefined: no id is free and the member has to wait, or it has one already. */
  add(actor: number, member: Member): number | undefined {
    if (this.#ids.has(actor)) return undefined;
    const free = this.#actors.indexOf(undefined);
    const id = free === -1 ? this.#actors.length : free;
    if (id >= CLASSIC_MEMBERS_MAX) {
      this.#waiting.set(actor, member);
      return undefined;
    }
    this.#actors[id] = actor;
    this.#ids.set(actor, id);
    return id;
  }

  update(actor: number, member: Member): void {
    if (this.#waiting.has(actor)) this.#waiting.set(actor, member);
  }

  /** The id that is free again, and the member that takes it now, if one waited; undefined: the member had no id. */
  remove(actor: number): { readonly id: number; readonly next?: { readonly actor: number; readonly member: Member } } | undefined {
    const id = this.#ids.get(actor);
    if (id === undefined) {
      this.#waiting.delete(actor);
      return undefined;
    }
    this.#ids.delete(actor);
    this.#actors[id] = undefined;
    const [first] = this.#waiting;
    if (first === undefined) return { id };
    const [waiting, member] = first;
    this.#waiting.delete(waiting);
    this.#actors[id] = waiting;
    this.#ids.set(waiting, id);
    return { id, next: { actor: waiting, member } };
  }
}
