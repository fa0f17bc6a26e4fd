/**
 * Time that jumps from one event to the next. Events of one moment run in the order in which they were scheduled, so that a run is the
 * same every time. Knows nothing of the meaning of events.
 */

import type { Millis } from "@presence-service/protocol";

type Event = { readonly at: Millis; readonly order: number; readonly run: () => void };

export class VirtualClock {
  #now: Millis = 0;
  #order = 0;
  /** A binary heap: earliest first. */
  readonly #events: Event[] = [];

  get now(): Millis {
    return this.#now;
  }

  /** A time in the past means now. */
  at(at: Millis, run: () => void): void {
    const event = { at: Math.max(at, this.#now), order: this.#order++, run };
    const heap = this.#events;
    let index = heap.push(event) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || isEarlier(above, event)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
  }

  after(ms: Millis, run: () => void): void {
    this.at(this.#now + ms, run);
  }

  /** The time of the next event; Infinity: there is none. */
  next(): Millis {
    return this.#events[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Jumps to the next event and runs it. */
  runNext(): void {
    const event = this.#events[0];
    if (event === undefined) return;
    this.#dropFirst();
    this.#now = event.at;
    event.run();
  }

  /** Jumps ahead, never past an event. */
  jumpTo(at: Millis): void {
    this.#now = Math.max(this.#now, Math.min(at, this.next()));
  }

  #dropFirst(): void {
    const heap = this.#events;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let index = 0;
    for (;;) {
      const [left, right] = [heap[2 * index + 1], heap[2 * index + 2]];
      if (left === undefined) break;
      const below = right !== undefined && isEarlier(right, left) ? right : left;
      if (isEarlier(last, below)) break;
      heap[index] = below;
      index = below === right ? 2 * index + 2 : 2 * index + 1;
    }
    heap[index] = last;
  }
}

function isEarlier(a: Event, b: Event): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}
