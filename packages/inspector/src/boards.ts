/** The list of boards of the instance that answers: searched, by id or by size, a page at a time. */

import type { BoardStats, Boards } from "./answers.ts";
import { byId, el, keep, setText } from "./dom.ts";

const PAGE = 50;

export class BoardList {
  readonly #search = byId<HTMLInputElement>("search");
  readonly #by = byId<HTMLSelectElement>("by");
  readonly #body = byId("boards");
  readonly #next = byId<HTMLButtonElement>("boards-next");
  readonly #first = byId<HTMLButtonElement>("boards-first");
  readonly #open: (boardId: string) => void;
  /** Pages go by id: this one begins after it. */
  #after = "";
  #last = "";

  /** `changed`: another list is wanted. */
  constructor(open: (boardId: string) => void, changed: () => void) {
    this.#open = open;
    const turn = (after: string) => {
      this.#after = after;
      changed();
    };
    this.#search.addEventListener("input", () => turn(""));
    this.#by.addEventListener("change", () => turn(""));
    this.#first.addEventListener("click", () => turn(""));
    this.#next.addEventListener("click", () => turn(this.#last));
  }

  get query(): string {
    const query = new URLSearchParams({ limit: String(PAGE), by: this.#by.value });
    if (this.#search.value !== "") query.set("holds", this.#search.value);
    if (this.#after !== "") query.set("after", this.#after);
    return `/boards?${query}`;
  }

  show({ boards, more }: Boards, chosen: string): void {
    this.#last = boards.at(-1)?.boardId ?? "";
    this.#next.hidden = !more || this.#by.value === "members";
    this.#first.hidden = this.#after === "";
    const isSearched = this.#search.value !== "";
    setText(
      byId("boards-none"),
      boards.length > 0
        ? ""
        : isSearched
          ? "No board of this instance has that in its id."
          : "Nobody who is connected to this instance is on a board.",
    );
    byId("boards-table").hidden = boards.length === 0;
    keep(this.#body, boards, {
      key: ({ boardId }) => boardId,
      make: ({ boardId }) =>
        el(
          "tr",
          { "data-board": boardId },
          el("th", { scope: "row" }, el("button", { type: "button", class: "link", onclick: () => this.#open(boardId) }, boardId)),
          ...Array.from({ length: 4 }, () => el("td")),
        ),
      fill: (row, board) => fill(row, board, board.boardId === chosen),
    });
  }
}

function fill(row: HTMLElement, { members, users, own, observers, degraded }: BoardStats, isChosen: boolean): void {
  row.classList.toggle("chosen", isChosen);
  row.querySelector("button")?.setAttribute("aria-pressed", String(isChosen));
  row.classList.toggle("degraded", degraded);
  const texts = [`${members}${degraded ? " (others unheard)" : ""}`, String(users), String(own), String(observers)];
  texts.forEach((text, at) => {
    const cell = row.children[at + 1];
    if (cell) setText(cell, text);
  });
}
