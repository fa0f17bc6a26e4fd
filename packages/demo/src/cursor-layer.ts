/**
 * Draws other people's cursors: one element each, moved by transforms in one animation frame, gliding between the
 * positions that arrive. It knows fractions of the surface and nothing of where they come from.
 */

import { paint } from "./colour.ts";

type Cursor = {
  readonly element: HTMLElement;
  readonly label: HTMLElement;
  /** Shown now, in fractions of the surface. */
  x: number;
  y: number;
  /** Where it glides to. */
  toX: number;
  toY: number;
  hidden: boolean;
};

/** After this time 63 % of the way is done: smooth at the 16 to 100 ms between updates, and hardly behind. */
const GLIDE_MS = 45;
/** Below half a pixel on any screen. */
const CLOSE_ENOUGH = 0.0002;
const SVG = "http://www.w3.org/2000/svg";

export class CursorLayer {
  readonly #parent: HTMLElement;
  readonly #cursors = new Map<string, Cursor>();
  readonly #jumps = matchMedia("(prefers-reduced-motion: reduce)");
  #width = 0;
  #height = 0;
  #frame: number | undefined;
  #lastFrameAt = 0;

  constructor(parent: HTMLElement) {
    this.#parent = parent;
    new ResizeObserver(([entry]) => {
      this.#width = entry?.contentRect.width ?? 0;
      this.#height = entry?.contentRect.height ?? 0;
      for (const cursor of this.#cursors.values()) this.#place(cursor);
    }).observe(parent);
  }

  /** Who may have a cursor, under which name and colour. Cursors of everybody else go. */
  people(people: readonly { readonly id: string; readonly name: string; readonly colour: string; readonly faded: boolean }[]): void {
    const gone = new Set(this.#cursors.keys());
    for (const { id, name, colour, faded } of people) {
      gone.delete(id);
      const cursor = this.#cursors.get(id) ?? this.#add(id);
      cursor.label.textContent = name;
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
    cursor.toX = x;
    cursor.toY = y;
    // Who just appeared comes from nowhere, not from the corner.
    if (cursor.hidden || this.#jumps.matches) {
      cursor.x = x;
      cursor.y = y;
      this.#place(cursor);
    }
    this.#show(cursor, true);
    this.#wake();
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
    const cursor: Cursor = { element, label, x: 0, y: 0, toX: 0, toY: 0, hidden: true };
    this.#cursors.set(id, cursor);
    return cursor;
  }

  #show(cursor: Cursor, shown: boolean): void {
    if (cursor.hidden !== shown) return;
    cursor.hidden = !shown;
    cursor.element.hidden = !shown;
  }

  #place({ element, x, y }: Cursor): void {
    element.style.transform = `translate3d(${(x * this.#width).toFixed(1)}px, ${(y * this.#height).toFixed(1)}px, 0)`;
    // Names stay readable at the right edge.
    element.classList.toggle("flipped", x > 0.8);
  }

  /** Frames are asked for only while something moves. */
  #wake(): void {
    if (this.#frame !== undefined) return;
    this.#lastFrameAt = performance.now();
    this.#frame = requestAnimationFrame((now) => this.#glide(now));
  }

  #glide(now: number): void {
    const step = 1 - Math.exp(-Math.max(0, now - this.#lastFrameAt) / GLIDE_MS);
    this.#lastFrameAt = now;
    let moving = false;
    for (const cursor of this.#cursors.values()) {
      const dx = cursor.toX - cursor.x;
      const dy = cursor.toY - cursor.y;
      if (cursor.hidden || (dx === 0 && dy === 0)) continue;
      const arrived = Math.abs(dx) < CLOSE_ENOUGH && Math.abs(dy) < CLOSE_ENOUGH;
      cursor.x = arrived ? cursor.toX : cursor.x + dx * step;
      cursor.y = arrived ? cursor.toY : cursor.y + dy * step;
      this.#place(cursor);
      moving ||= !arrived;
    }
    this.#frame = moving ? requestAnimationFrame((then) => this.#glide(then)) : undefined;
  }
}
