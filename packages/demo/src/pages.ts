/** The tabs of the board's pages, with how many others are on each. Knows nothing of the SDK: `chosen` says which page the user wants. */

import { byId } from "./element.ts";
import type { Person } from "./people.ts";
import { PAGES, type PageId } from "./state.ts";

export class Pages {
  readonly #tabs = new Map<PageId, { readonly button: HTMLElement; readonly count: HTMLElement; readonly page: HTMLElement }>();

  constructor(chosen: (page: PageId) => void) {
    for (const id of PAGES) {
      const button = byId("pages").querySelector<HTMLElement>(`[data-page="${id}"]`);
      const count = button?.querySelector<HTMLElement>(".count");
      if (!button || !count) throw new Error(`index.html has no tab for the page ${id}`);
      button.addEventListener("click", () => chosen(id));
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
      button.title = others === 1 ? "1 other person" : `${others} other people`;
    }
  }
}
