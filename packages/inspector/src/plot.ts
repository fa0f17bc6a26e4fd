/** One small plot: lines over the last two minutes, one for each instance that answered, with the latest value in words. It knows no metric. */

import { el, setText } from "./dom.ts";
import { KEPT_MS, type Point } from "./history.ts";
import { amount, short } from "./words.ts";

export type Line = { readonly instance: string; readonly points: readonly Point[] };

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 240;
const HEIGHT = 56;
/** Two samples further apart than this are not joined: the page was hidden meanwhile. */
const GAP_MS = 5000;

export class Plot {
  readonly element: HTMLElement;
  readonly #latest = el("output");
  readonly #highest = el("small");
  readonly #svg = document.createElementNS(SVG, "svg");
  readonly #title: string;
  readonly #unit: string;

  constructor(title: string, unit: string, help: string) {
    this.#title = title;
    this.#unit = unit;
    this.#svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
    this.#svg.setAttribute("preserveAspectRatio", "none");
    this.#svg.setAttribute("role", "img");
    const caption = el("figcaption", {}, el("span", { title: help }, title), this.#latest);
    this.element = el("figure", { class: "plot" }, caption, this.#svg, this.#highest);
  }

  show(lines: readonly Line[], now: number): void {
    const top = Math.max(0, ...lines.flatMap(({ points }) => points.map(({ value }) => value)));
    const latest = lines.map(({ points }) => points.at(-1)?.value).find((value) => value !== undefined);
    const text = latest === undefined ? "–" : `${amount(latest)} ${this.#unit}`;
    const highest = latest === undefined ? "nothing yet" : `up to ${amount(top)} ${this.#unit} in 2 min`;
    setText(this.#latest, text.trim());
    setText(this.#highest, highest);
    this.#svg.setAttribute("aria-label", `${this.#title}: ${text}, ${highest}`);
    const drawn = lines.map(({ instance, points }, nth) => {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", pathOf(points, now, top === 0 ? 1 : top));
      path.setAttribute("class", `line-${nth}`);
      const name = document.createElementNS(SVG, "title");
      name.textContent = short(instance);
      path.append(name);
      return path;
    });
    // The first instance is the one of the number: it is drawn last, above the others.
    this.#svg.replaceChildren(...drawn.reverse());
  }
}

function pathOf(points: readonly Point[], now: number, top: number): string {
  let last = Number.NEGATIVE_INFINITY;
  return points
    .map(({ at, value }) => {
      const x = WIDTH - ((now - at) / KEPT_MS) * WIDTH;
      const y = HEIGHT - 2 - (value / top) * (HEIGHT - 6);
      const isJoined = at - last <= GAP_MS;
      last = at;
      return `${isJoined ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
