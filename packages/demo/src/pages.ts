/** The tabs of the board's pages, with how many others are on each. Knows nothing of the SDK: `chosen` says which page the user wants. */

import { byId, make, makeButton } from "./element.ts";
import type { Person } from "./people.ts";
import { PAGES, type PageId } from "./state.ts";

export class Pages {
  readonly #tabs = new Map<PageId, { readonly button: HTMLButtonElement; readonly count: HTMLElement; readonly page: HTMLElement }>();

  constructor(chosen: (page: PageId) => void) {
    for (const id of PAGES) {
      const button = makeButton("tab", id);
      const count = make("span", "count");
      button.append(count);
      button.addEventListener("click", () => chosen(id));
      byId("pages").append(button);
      this.#tabs.set(id, { button, count, page: byId(`page-${id}`) });
    }
  }

  show(current: PageId, people: readonly Person[]): void {
    for (const [id, { button, count, page }] of this.#tabs) {
      page.hidden = id !== current;
      if (id === current) button.setAttribute("aria-current", "page");
      else button.removeAttribute("aria-current");
      const others = people.filter((person) => person.page === id && !person.isSelf && person.status !== "left").length;
      // The place of the number is kept, so that nothing beside it moves.
      count.textContent = others === 0 ? "" : String(others);
      button.ariaLabel = `${id}: ${others === 1 ? "1 other" : `${others} others`}`;
    }
  }
}
