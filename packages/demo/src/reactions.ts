/** Emojis that rise where somebody points. A reaction of another member is shown only if it is one of this page's emojis. */

import { isShortcut, make, makeButton } from "./element.ts";
import { type Events, isFraction } from "./state.ts";

/** Each with its name for screen readers. */
const EMOJIS = new Map([
  ["👋", "Wave"],
  ["👍", "Thumbs up"],
  ["🎉", "Celebrate"],
  ["❤️", "Heart"],
  ["😂", "Laugh"],
]);
export const REACTIONS: readonly string[] = [...EMOJIS.keys()];
export type Reaction = Events["reaction"];

/** No more than this many are shown at once, so that a flood of reactions does not fill the memory. */
const SHOWN_MAX = 60;

/** Checks untrusted data; undefined: this page does not send such a reaction. */
export function readReaction(data: unknown): Reaction | undefined {
  const { emoji, x, y } = (data ?? {}) as Record<string, unknown>;
  if (typeof emoji !== "string" || !EMOJIS.has(emoji)) return undefined;
  if (!isFraction(x) || !isFraction(y)) return undefined;
  return { emoji, x, y };
}

export class Reactions {
  readonly #surface: HTMLElement;

  /** Adds a button for each emoji, and the keys 1 to 5, which leave the pointer where it is. */
  constructor(surface: HTMLElement, bar: HTMLElement, react: (emoji: string) => void) {
    this.#surface = surface;
    REACTIONS.forEach((emoji, index) => {
      const button = makeButton("", emoji);
      button.ariaLabel = EMOJIS.get(emoji) ?? emoji;
      button.title = `${button.ariaLabel} (key ${index + 1})`;
      button.addEventListener("click", () => react(emoji));
      bar.append(button);
    });
    addEventListener("keydown", (event) => {
      const emoji = REACTIONS[Number(event.key) - 1];
      if (emoji !== undefined && isShortcut(event)) react(emoji);
    });
  }

  show({ emoji, x, y }: Reaction): void {
    if (this.#surface.querySelectorAll(".reaction").length >= SHOWN_MAX) return;
    const element = make("span", "reaction", emoji);
    element.dataset["testid"] = "reaction";
    // Several at one place do not hide each other.
    element.style.setProperty("--drift", `${(Math.random() * 80 - 40).toFixed(0)}px`);
    element.style.left = `${x * 100}%`;
    element.style.top = `${y * 100}%`;
    element.addEventListener("animationend", () => element.remove());
    this.#surface.append(element);
  }
}
