/** The list of people: name, colour, status, and which instance serves them. Elements are kept while their member is there. */

import { paint } from "./colour.ts";
import type { Person } from "./people.ts";

const DOTS_MAX = 5;

export class RosterPanel {
  readonly #list: HTMLElement;
  readonly #dots: HTMLElement;
  readonly #count: HTMLElement;
  readonly #items = new Map<string, HTMLLIElement>();

  constructor(elements: { list: HTMLElement; dots: HTMLElement; count: HTMLElement }) {
    this.#list = elements.list;
    this.#dots = elements.dots;
    this.#count = elements.count;
  }

  show(people: readonly Person[]): void {
    const gone = new Set(this.#items.keys());
    const own = people.find(({ isSelf }) => isSelf)?.instance;
    for (const person of people) {
      gone.delete(person.id);
      const item = this.#items.get(person.id) ?? this.#add(person.id);
      fill(item, person, own);
      this.#list.append(item);
    }
    for (const id of gone) {
      this.#items.get(id)?.remove();
      this.#items.delete(id);
    }
    this.#count.textContent = people.length === 0 ? "Nobody yet" : people.length === 1 ? "1 here" : `${people.length} here`;
    this.#dots.replaceChildren(
      ...people.slice(0, DOTS_MAX).map((person) => {
        const dot = document.createElement("i");
        dot.textContent = initial(person.name);
        paint(dot, person.colour);
        return dot;
      }),
    );
  }

  #add(id: string): HTMLLIElement {
    const item = document.createElement("li");
    item.dataset["testid"] = "member";
    for (const className of ["dot", "who", "state", "where"]) {
      const part = document.createElement("span");
      part.className = className;
      item.append(part);
    }
    this.#items.set(id, item);
    return item;
  }
}

function fill(item: HTMLLIElement, person: Person, ownInstance: string | undefined): void {
  const [dot, who, state, where] = item.children;
  if (dot === undefined || who === undefined || state === undefined || where === undefined) return;
  item.dataset["name"] = person.name;
  item.dataset["instance"] = person.instance;
  item.dataset["status"] = person.status;
  item.dataset["self"] = String(person.isSelf);
  paint(item, person.colour);
  dot.textContent = initial(person.name);
  who.textContent = person.name;
  state.textContent = person.remark;
  where.textContent = person.instance;
  where.classList.toggle("same", person.instance === ownInstance);
  (where as HTMLElement).title =
    person.instance === "" ? "" : `served by instance ${person.instance}${person.instance === ownInstance ? ", like you" : ""}`;
}

function initial(name: string): string {
  return ([...name][0] ?? "?").toUpperCase();
}
