/**
 * The next deadline of each board: a binary heap with lazy deletion, so that ten thousand idle boards cost nothing. Equal deadlines come in
 * the order in which they were set, however often somebody has asked for the next one: a core does the same when it is told the same.
 */

import type { Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";

type Scheduled<K> = { readonly at: Millis; readonly order: number; readonly key: K };

export class Deadlines<K> {
  #heap: Scheduled<K>[] = [];
  #current = new Map<K, Scheduled<K>>();
  #order = 0;

  checkpoint(keep: Keep): void {
    this.#current = keep(this.#current);
    this.#order = keep(this.#order);
    // A sorted list is a heap. Stale ones are left out: how many there are depends on who has asked for the next one.
    this.#heap = [...this.#current.values()].sort((a, b) => (isEarlier(a, b) ? -1 : 1));
  }

  /** Replaces the key's deadline; Infinity: none. */
  set(key: K, at: Millis): void {
    if (this.#current.get(key)?.at === at) return;
    if (at === Number.POSITIVE_INFINITY) {
      this.#current.delete(key);
      return;
    }
    const item = { at, order: this.#order++, key };
    this.#current.set(key, item);
    this.#push(item);
  }

  /** The key's deadline is at that time at the latest. */
  hasten(key: K, at: Millis): void {
    if (at < (this.#current.get(key)?.at ?? Number.POSITIVE_INFINITY)) this.set(key, at);
  }

  has(key: K): boolean {
    return this.#current.has(key);
  }

  /** The earliest deadline; Infinity: there is none. */
  next(): Millis {
    this.#dropStale();
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Removes and returns a key that is due, or undefined. */
  takeDue(now: Millis): K | undefined {
    this.#dropStale();
    const first = this.#heap[0];
    if (first === undefined || first.at > now) return undefined;
    this.#pop();
    this.#current.delete(first.key);
    return first.key;
  }

  #dropStale(): void {
    for (let first = this.#heap[0]; first !== undefined && this.#current.get(first.key) !== first; first = this.#heap[0]) this.#pop();
  }

  #push(item: Scheduled<K>): void {
    const heap = this.#heap;
    let index = heap.push(item) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as Scheduled<K>;
      if (isEarlier(above, item)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = item;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && isEarlier(right, heap[child] as Scheduled<K>)) child++;
      const below = heap[child] as Scheduled<K>;
      if (isEarlier(last, below)) break;
      heap[index] = below;
      index = child;
    }
    heap[index] = last;
  }
}

function isEarlier(a: Scheduled<unknown>, b: Scheduled<unknown>): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
