/**
 * Where the others' cursors are, beside React: it knows elements and places, writes transforms, and tells React only who has a cursor. A move costs
 * one style of one element, however many cursors there are: a style that children inherit would cost a page of 500 cursors its frames.
 */

import type { CursorMove, Member } from "@presence-service/client";
import type { BoardStore } from "./board-store.ts";

const NOBODY: readonly Member[] = [];

/** An element that is transformed anyway: to begin or to end that is a layout. */
export const UNMOVED = "translate(0px, 0px)";

type Cursor = { member: Member; x: number; y: number };
type Rem = number;

/** No name needs more room than this right of the tip of its cursor, and below it. */
const NAME_WIDTH = (rem: Rem) => 12 + 12 * rem;
const NAME_HEIGHT = (rem: Rem) => 14 + 3 * rem;

export class CursorLayer {
  readonly #store: BoardStore;
  /** In the order in which they appeared. */
  readonly #cursors = new Map<string, Cursor>();
  /** React's: one that hides and is back at once has the same ones. */
  readonly #elements = new Map<string, HTMLElement>();
  readonly #names = new Map<string, HTMLElement>();
  readonly #listeners = new Set<() => void>();
  #shown: readonly Member[] = NOBODY;
  /** A member that is shown has changed since. */
  #isStale = false;
  /** Names of cursors before these places have room. 0: the size of the layer is not known. */
  #room = { x: 0, y: 0 };

  constructor(store: BoardStore) {
    this.#store = store;
  }

  readonly snapshot = (): readonly Member[] => this.#shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  watch(smooth: boolean | undefined): () => void {
    const options = smooth === undefined ? {} : { smooth };
    const stopCursors = this.#store.attach((board) => {
      // Taken again: those who are visible are told anew, and the others are not.
      this.#clear();
      return board.cursors.subscribe((moves) => this.#moved(moves), options);
    });
    // Names and colours of those who are shown. A thousand may change with one message: they are shown together.
    const stopUpdates = this.#store.attach((board) => board.on("user_updated", ({ member }) => this.#updated(member)));
    const stopRoster = this.#store.subscribe(() => this.#isStale && this.#show());
    return () => {
      stopCursors();
      stopUpdates();
      stopRoster();
      this.#clear();
    };
  }

  /** Follows the size of the element in which cursors are placed. */
  measure(layer: HTMLElement | null): (() => void) | undefined {
    if (layer === null || typeof ResizeObserver === "undefined") return undefined;
    const observer = new ResizeObserver(([entry]) => {
      const { width = 0, height = 0 } = entry?.contentRect ?? {};
      const rem = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) || 16;
      this.#room = { x: 1 - NAME_WIDTH(rem) / width, y: 1 - NAME_HEIGHT(rem) / height };
      for (const memberId of this.#cursors.keys()) this.#draw(memberId);
    });
    observer.observe(layer);
    return () => observer.disconnect();
  }

  /** React has made or removed the element of a cursor. */
  draws(memberId: string, element: HTMLElement | null): void {
    this.#keep(this.#elements, memberId, element);
  }

  /** The same with that of its name. */
  names(memberId: string, name: HTMLElement | null): void {
    this.#keep(this.#names, memberId, name);
  }

  #keep(elements: Map<string, HTMLElement>, memberId: string, element: HTMLElement | null): void {
    if (element === null) return void elements.delete(memberId);
    elements.set(memberId, element);
    this.#draw(memberId);
  }

  #moved(moves: readonly CursorMove[]): void {
    let isOther = false;
    for (const { member, x, y, hidden } of moves) {
      const { memberId } = member;
      const cursor = this.#cursors.get(memberId);
      if (hidden) isOther = this.#cursors.delete(memberId) || isOther;
      else if (cursor === undefined) {
        this.#cursors.set(memberId, { member, x, y });
        isOther = true;
      } else {
        cursor.x = x;
        cursor.y = y;
        this.#draw(memberId);
      }
    }
    if (isOther) this.#show();
  }

  #updated(member: Member): void {
    const cursor = this.#cursors.get(member.memberId);
    if (cursor === undefined) return;
    cursor.member = member;
    this.#isStale = true;
  }

  #clear(): void {
    if (this.#cursors.size === 0) return;
    this.#cursors.clear();
    this.#show();
  }

  #show(): void {
    this.#isStale = false;
    this.#shown = Array.from(this.#cursors.values(), ({ member }) => member);
    for (const listener of [...this.#listeners]) listener();
  }

  #draw(memberId: string): void {
    const [cursor, element, name] = [this.#cursors.get(memberId), this.#elements.get(memberId), this.#names.get(memberId)];
    if (!cursor || !element) return;
    const { x, y } = cursor;
    element.style.transform = `translate(${percent(x)}cqw, ${percent(y)}cqh)`;
    if (!name) return;
    // A name stays inside the layer: CSS moves it back by what would be cut, so its own size is not measured.
    if (x < this.#room.x && y < this.#room.y) {
      if (name.style.transform !== UNMOVED) name.style.transform = UNMOVED;
    } else name.style.transform = `translate(min(0px, ${percent(1 - x)}cqw - 12px - 100%), min(0px, ${percent(1 - y)}cqh - 14px - 100%))`;
  }
}

/** Thousandths of a percent: far below a pixel. */
function percent(fraction: number): string {
  return (fraction * 100).toFixed(4);
}
