/**
 * Draws other people's cursors: one element each, moved by transforms. It knows fractions of the surface, and nothing of the SDK, which
 * makes the moves even.
 */

import { paint } from "./colour.ts";
import type { Person } from "./people.ts";

type Cursor = {
  readonly element: HTMLElement;
  readonly label: HTMLElement;
  /** Shown now, in fractions of the surface. */
  x: number;
  y: number;
  hidden: boolean;
  /** In pixels; undefined: the current name is not measured yet. */
  labelWidth: number | undefined;
};

/** The room that a label needs beside the tip of its cursor, and below it, in pixels (surface.css). */
const LABEL_RIGHT_OF_TIP = 15;
const LABEL_BELOW_TIP = 36;
const SVG = "http://www.w3.org/2000/svg";

export class CursorLayer {
  readonly #parent: HTMLElement;
  readonly #cursors = new Map<string, Cursor>();
  #width = 0;
  #height = 0;

  constructor(parent: HTMLElement) {
    this.#parent = parent;
    new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width ?? 0;
      this.#height = entry?.contentRect.height ?? 0;
      for (const cursor of this.#cursors.values()) {
        cursor.labelWidth = undefined;
        this.#place(cursor);
      }
    }).observe(parent);
  }

  /** Sets the people who may have a cursor, with name and colour. The cursors of all others are removed. */
  people(people: readonly (Pick<Person, "id" | "name" | "colour"> & { readonly faded: boolean })[]): void {
    const gone = new Set(this.#cursors.keys());
    for (const { id, name, colour, faded } of people) {
      gone.delete(id);
      const cursor = this.#cursors.get(id) ?? this.#add(id);
      if (cursor.label.textContent !== name) {
        cursor.label.textContent = name;
        cursor.labelWidth = undefined;
      }
      cursor.element.dataset["name"] = name;
      cursor.element.classList.toggle("faded", faded);
      paint(cursor.element, colour);
    }
    for (const id of gone) {
      this.#cursors.get(id)?.element.remove();
      this.#cursors.delete(id);
    }
  }

  move(id: string, x: number, y: number): void {
    const cursor = this.#cursors.get(id);
    if (cursor === undefined) return;
    cursor.x = x;
    cursor.y = y;
    this.#show(cursor, true);
    this.#place(cursor);
  }

  hide(id: string): void {
    const cursor = this.#cursors.get(id);
    if (cursor !== undefined) this.#show(cursor, false);
  }

  #add(id: string): Cursor {
    const element = document.createElement("div");
    element.className = "cursor";
    element.hidden = true;
    element.dataset["testid"] = "cursor";
    const arrow = document.createElementNS(SVG, "svg");
    arrow.setAttribute("viewBox", "0 0 20 20");
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", "M2 2l15 6.5-6.6 2L7.6 17z");
    arrow.append(path);
    const label = document.createElement("span");
    element.append(arrow, label);
    this.#parent.append(element);
    const cursor: Cursor = { element, label, x: 0, y: 0, hidden: true, labelWidth: undefined };
    this.#cursors.set(id, cursor);
    return cursor;
  }

  #show(cursor: Cursor, shown: boolean): void {
    if (cursor.hidden !== shown) return;
    cursor.hidden = !shown;
    cursor.element.hidden = !shown;
  }

  #place(cursor: Cursor): void {
    const { element, label } = cursor;
    const [left, top] = [cursor.x * this.#width, cursor.y * this.#height];
    element.style.transform = `translate3d(${left.toFixed(1)}px, ${top.toFixed(1)}px, 0)`;
    if (cursor.hidden) return;
    // Names stay readable at the edges: a label is at most half as wide as the surface, so one of the two sides has room for it.
    cursor.labelWidth ??= label.offsetWidth;
    element.classList.toggle("flipped", cursor.x > 0.5 && left + LABEL_RIGHT_OF_TIP + cursor.labelWidth > this.#width);
    element.classList.toggle("raised", top + LABEL_BELOW_TIP > this.#height);
  }
}
