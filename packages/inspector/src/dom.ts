/** Makes and keeps elements. All text goes in as text and never as markup, since members and apps write some of it. */

type Value = string | number | boolean | undefined | ((event: Event) => void);
export type Child = Node | string | undefined;

/** Functions become listeners (`onclick`), everything else attributes; undefined and false: none. */
export function el<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Readonly<Record<string, Value>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name.replace(/^on/, ""), value);
    else if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

export function byId<T extends HTMLElement = HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`index.html has no #${id}`);
  return element as T;
}

/** Writes only what changes, so that selections and screen readers are not disturbed. */
export function setText(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

type Kept = Map<string, HTMLElement>;
const KEPT = new WeakMap<HTMLElement, Kept>();

/** Shows one element for each item. An element stays while its item does, with its focus; those that are in their place are not moved. */
export function keep<T>(
  parent: HTMLElement,
  items: readonly T[],
  { key, make, fill }: { key(item: T): string; make(item: T): HTMLElement; fill(element: HTMLElement, item: T): void },
): void {
  const before = KEPT.get(parent) ?? new Map();
  const now: Kept = new Map();
  for (const item of items) {
    const element = before.get(key(item)) ?? make(item);
    fill(element, item);
    now.set(key(item), element);
  }
  for (const [known, element] of before) if (now.get(known) !== element) element.remove();
  let at = parent.firstElementChild;
  for (const element of now.values()) {
    if (element === at) at = at.nextElementSibling;
    else parent.insertBefore(element, at);
  }
  KEPT.set(parent, now);
}

export type Cell = string | { readonly text: string; readonly title?: string; readonly class?: string };

/** Rows of a table, of which the first cell names the row; `isHead`: each names its column. Their elements stay, so that a reader can select what does not change. */
export function showRows(
  body: HTMLElement,
  rows: readonly { readonly key: string; readonly class?: string; readonly cells: readonly Cell[] }[],
  isHead = false,
): void {
  keep(body, rows, {
    key: ({ key }) => key,
    make: ({ key }) => el("tr", { "data-key": key }),
    fill: (row, { cells, class: name = "" }) => {
      if (row.className !== name) row.className = name;
      while (row.childElementCount > cells.length) row.lastElementChild?.remove();
      while (row.childElementCount < cells.length) row.append(cellOf(isHead ? "col" : row.childElementCount === 0 ? "row" : ""));
      cells.forEach((cell, at) => {
        const { text, title = "", class: kind = "" } = typeof cell === "string" ? { text: cell } : cell;
        const element = row.children[at] as HTMLElement;
        setText(element, text);
        if (element.title !== title) element.title = title;
        if (element.className !== kind) element.className = kind;
      });
    },
  });
}

function cellOf(scope: "row" | "col" | ""): HTMLElement {
  return scope === "" ? el("td") : el("th", { scope });
}
