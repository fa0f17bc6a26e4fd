/** A person, as the load sees it, whatever client the person uses; and the log of all of them. */

import type { Entry, Event } from "./log.ts";

export type Kind = "sdk" | "binary" | "json" | "classic";
export const KINDS: readonly Kind[] = ["sdk", "binary", "json", "classic"];

/** Where a client connects: the URL, and the instance behind it, as the log names it. */
export type Way = { readonly url: string; readonly via: number };

/** A person on one board. */
export interface Person {
  readonly kind: Kind;
  /** Its client has a roster now. */
  readonly isHere: boolean;
  enter(): void;
  /** For good. */
  leave(): void;
  /** Changes its state. A classic client has none. */
  say(): void;
  move(): void;
  /** The names in the log of those whom the person now is: a classic client that comes back is somebody else. */
  readonly name: string;
}

/** Entries in the order of their times, on the clock of this process. */
export class Log {
  readonly #take: (entry: Entry) => void;

  constructor(take: (entry: Entry) => void) {
    this.#take = take;
  }

  add(event: Event): void {
    this.#take({ at: Math.round(performance.now() * 10) / 10, ...event });
  }
}

/** A place that says how often its owner has moved. */
export function placeOf(moves: number): { x: number; y: number } {
  return { x: moves % 65_536, y: Math.floor(moves / 65_536) };
}

export function movesOf({ x, y }: { readonly x: number; readonly y: number }): number {
  return y * 65_536 + x;
}

/** No cursor of the person was shown. */
export const NO_PLACE = -1;
