/** The things on the board, and who has selected them: rings in their colours. One's own selection is told by `chosen`. */

import { paint } from "./colour.ts";
import { make } from "./element.ts";
import type { Person } from "./people.ts";

const RINGS_MAX = 4;
const RING_PX = 3;

export class Selection {
  readonly #things = new Map<string, { readonly button: HTMLElement; readonly tag: HTMLElement }>();
  #own: string | undefined;

  /** Buttons with `data-thing` below `board` are things; `chosen(undefined)`: nothing is selected any more. */
  constructor(board: HTMLElement, chosen: (thing: string | undefined) => void) {
    for (const button of board.querySelectorAll<HTMLElement>("[data-thing]")) {
      const tag = make("span", "tag");
      tag.ariaHidden = "true";
      button.append(tag);
      const id = button.dataset["thing"] ?? "";
      this.#things.set(id, { button, tag });
      button.addEventListener("click", () => chosen(this.#own === id ? undefined : id));
    }
    board.addEventListener("click", ({ target }) => {
      if (this.#own !== undefined && target instanceof Element && target.classList.contains("page")) chosen(undefined);
    });
    addEventListener("keydown", ({ key }) => {
      if (this.#own !== undefined && key === "Escape") chosen(undefined);
    });
  }

  show(people: readonly Person[]): void {
    this.#own = people.find(({ isSelf }) => isSelf)?.selected;
    const here = people.filter(({ status }) => status !== "left");
    for (const [id, { button, tag }] of this.#things) {
      const by = here.filter(({ selected }) => selected === id);
      button.ariaPressed = String(this.#own === id);
      button.title = by.length === 0 ? "" : `Selected by ${by.map(({ name }) => name).join(", ")}`;
      button.style.boxShadow = by
        .slice(0, RINGS_MAX)
        .map(({ colour }, at) => `0 0 0 ${RING_PX * (at + 1)}px ${colour}`)
        .join(", ");
      const [first] = by;
      tag.hidden = first === undefined;
      if (first === undefined) continue;
      tag.textContent = by.length === 1 ? first.name : `${first.name} +${by.length - 1}`;
      paint(tag, first.colour);
    }
  }
}
