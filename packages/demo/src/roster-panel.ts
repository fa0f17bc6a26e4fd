/** The list of people: name, colour, status, page, and which instance serves them. Elements are kept while their member is there. */

import { paint } from "./colour.ts";
import { arrange, byId, make, makeButton } from "./element.ts";
import { initial, type Person } from "./people.ts";

type Row = { readonly item: HTMLLIElement; readonly parts: Record<(typeof PARTS)[number], HTMLElement>; shown: string };

const PARTS = ["avatar", "who", "state", "where"] as const;

export class RosterPanel {
  readonly #list = byId("roster");
  readonly #rows = new Map<string, Row>();
  readonly #follow: (id: string) => void;

  constructor(follow: (id: string) => void) {
    this.#follow = follow;
    const toggle = byId("toggle");
    toggle.addEventListener("click", () => this.open(toggle.ariaExpanded !== "true"));
  }

  /** On a narrow screen the panel is a sheet that opens upwards; on a wide one it is always there. */
  open(isOpen = true): void {
    byId("toggle").ariaExpanded = String(isOpen);
    if (isOpen) this.#list.focus();
  }

  /** `showsInstances`: there are several, so that it means something which one serves whom. */
  show(people: readonly Person[], followed: string | undefined, showsInstances: boolean): void {
    const self = people.find(({ isSelf }) => isSelf);
    const own = showsInstances ? self?.instance : undefined;
    const items = people.map((person) => {
      const elsewhere = person.page === self?.page ? "" : (person.page ?? "");
      return this.#shown(person, person.remark || elsewhere, person.id === followed, own);
    });
    const ids = new Set(people.map(({ id }) => id));
    for (const id of this.#rows.keys()) if (!ids.has(id)) this.#rows.delete(id);
    arrange(this.#list, items);
    const here = people.filter(({ status }) => status !== "left").length;
    byId("count").textContent = here === 0 ? "Nobody yet" : `${here} here`;
  }

  #shown(person: Person, remark: string, isFollowed: boolean, own: string | undefined): HTMLLIElement {
    const row = this.#rows.get(person.id) ?? this.#add(person);
    const { instance, name, status, isSelf } = person;
    // A hundred rows are looked at for each change of one.
    const shown = JSON.stringify([instance, name, status, remark, person.colour, isFollowed, own]);
    if (row.shown === shown) return row.item;
    row.shown = shown;
    const { item, parts } = row;
    Object.assign(item.dataset, { name, instance, status, self: String(isSelf), followed: String(isFollowed) });
    paint(item, person.colour);
    parts.avatar.textContent = initial(name);
    parts.who.textContent = name;
    parts.state.textContent = remark;
    parts.where.textContent = own === undefined ? "" : instance;
    parts.where.classList.toggle("same", instance === own);
    parts.where.title = instance === "" ? "" : `served by instance ${instance}${instance === own ? ", like you" : ""}`;
    return item;
  }

  #add({ id, isSelf }: Person): Row {
    const item = make("li", "");
    item.dataset["testid"] = "member";
    const parts = Object.fromEntries(PARTS.map((part) => [part, make("span", part)])) as Row["parts"];
    const inside = isSelf ? make("div", "row") : makeButton("row");
    if (!isSelf) {
      inside.title = "Follow";
      inside.addEventListener("click", () => this.#follow(id));
    }
    inside.append(...PARTS.map((part) => parts[part]));
    item.append(inside);
    const row: Row = { item, parts, shown: "" };
    this.#rows.set(id, row);
    return row;
  }
}
