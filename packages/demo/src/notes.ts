/**
 * Sticky notes: the own one, which can be written on, dragged and removed, and those of the others as text. A note is part of its member's
 * state, so nothing else stores it: `changed` tells the own one.
 */

import { paint } from "./colour.ts";
import { ARROWS, arrange, make, makeButton } from "./element.ts";
import type { Person } from "./people.ts";
import { NOTE_LENGTH_MAX, type Note, type PageId } from "./state.ts";

/** One press of an arrow key, in fractions of the room. */
const STEP = 0.05;

export class Notes {
  readonly #layer: HTMLElement;
  readonly #changed: (note: Note | undefined) => void;
  readonly #others = new Map<string, HTMLElement>();
  readonly #own: HTMLElement;
  readonly #text: HTMLTextAreaElement;
  #note: Note | undefined;

  constructor(layer: HTMLElement, note: Note | undefined, changed: (note: Note | undefined) => void) {
    this.#layer = layer;
    this.#changed = changed;
    this.#note = note;
    this.#text = make("textarea", "", note?.text);
    this.#text.maxLength = NOTE_LENGTH_MAX;
    this.#text.placeholder = "Write: everybody sees it";
    this.#text.ariaLabel = "Your note";
    this.#text.addEventListener("input", () => this.#change({ text: this.#text.value }));
    this.#own = make("div", "note own");
    this.#own.dataset["testid"] = "own-note";
    this.#own.append(this.#handle(), this.#text);
  }

  /** Puts the own note here, or brings it to this page; then it can be written on. */
  put(page: PageId, x: number, y: number): void {
    this.#set({ text: "", ...this.#note, page, x, y });
    this.#layer.append(this.#own);
    this.#text.focus();
  }

  show(people: readonly Person[], page: PageId): void {
    const shown: HTMLElement[] = [];
    for (const { id, name, colour, note, isSelf, status } of people) {
      if (isSelf) paint(this.#own, colour);
      if (isSelf || note === undefined || note.page !== page || status === "left") continue;
      const element = this.#others.get(id) ?? this.#add(id);
      const [who, text] = element.children;
      if (who && who.textContent !== name) who.textContent = name;
      if (text && text.textContent !== note.text) text.textContent = note.text;
      element.classList.toggle("faded", status !== "active");
      paint(element, colour);
      place(element, note);
      shown.push(element);
    }
    for (const [id, element] of this.#others) if (!shown.includes(element)) this.#others.delete(id);
    if (this.#note?.page === page) shown.push(this.#own);
    arrange(this.#layer, shown);
  }

  #add(id: string): HTMLElement {
    const element = make("div", "note");
    element.dataset["testid"] = "note";
    element.append(make("b", "who"), make("p", ""));
    this.#others.set(id, element);
    return element;
  }

  #change(part: Partial<Note>): void {
    if (this.#note !== undefined) this.#set({ ...this.#note, ...part });
  }

  #set(note: Note | undefined): void {
    this.#note = note;
    if (note === undefined) this.#own.remove();
    else place(this.#own, note);
    this.#changed(note);
  }

  /** Its upper edge: dragged by pointer or finger, moved by the arrow keys, and with a button that takes the note away. */
  #handle(): HTMLElement {
    const handle = make("div", "handle");
    const grip = makeButton("grip", "your note");
    grip.ariaLabel = "Move your note: drag it, or use the arrow keys";
    const remove = makeButton("remove", "×");
    remove.ariaLabel = "Remove your note";
    remove.addEventListener("click", () => {
      this.#text.value = "";
      this.#set(undefined);
    });
    let from = { x: 0, y: 0 };
    grip.addEventListener("pointerdown", ({ pointerId, clientX, clientY }) => {
      grip.setPointerCapture(pointerId);
      from = { x: clientX, y: clientY };
    });
    grip.addEventListener("pointermove", ({ pointerId, clientX, clientY }) => {
      if (!grip.hasPointerCapture(pointerId)) return;
      this.#moveBy(clientX - from.x, clientY - from.y);
      from = { x: clientX, y: clientY };
    });
    grip.addEventListener("keydown", (event) => {
      const [dx, dy] = ARROWS[event.key] ?? [0, 0];
      if (dx === 0 && dy === 0) return;
      event.preventDefault();
      this.#moveBy(dx * STEP * this.#layer.clientWidth, dy * STEP * this.#layer.clientHeight);
    });
    handle.append(grip, remove);
    return handle;
  }

  #moveBy(dx: number, dy: number): void {
    const { x = 0, y = 0 } = this.#note ?? {};
    const [roomX, roomY] = [this.#layer.clientWidth - this.#own.offsetWidth, this.#layer.clientHeight - this.#own.offsetHeight];
    this.#change({ x: within(x + dx / Math.max(1, roomX)), y: within(y + dy / Math.max(1, roomY)) });
  }
}

function place(element: HTMLElement, { x, y }: Note): void {
  element.style.setProperty("--x", x.toFixed(4));
  element.style.setProperty("--y", y.toFixed(4));
}

function within(fraction: number): number {
  return Math.min(1, Math.max(0, fraction));
}
