/** Emojis that rise where somebody points. A reaction of another member is shown only if it is one of this page's emojis. */

/** Each with its name for screen readers. */
const EMOJIS = new Map([
  ["👋", "Wave"],
  ["👍", "Thumbs up"],
  ["🎉", "Celebrate"],
  ["❤️", "Heart"],
  ["😂", "Laugh"],
]);
export type Reaction = { readonly emoji: string; readonly x: number; readonly y: number };

/** No more than this many are shown at once, so that a flood of reactions does not fill the memory. */
const SHOWN_MAX = 60;

/** Checks untrusted data; undefined: this page does not send such a reaction. */
export function readReaction(data: unknown): Reaction | undefined {
  const { emoji, x, y } = (data ?? {}) as Record<string, unknown>;
  if (typeof emoji !== "string" || !EMOJIS.has(emoji)) return undefined;
  if (typeof x !== "number" || typeof y !== "number" || !(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return undefined;
  return { emoji, x, y };
}

export class Reactions {
  readonly #surface: HTMLElement;

  /** Adds a button for each emoji, and the keys 1 to 5, which leave the pointer where it is. */
  constructor(surface: HTMLElement, bar: HTMLElement, react: (emoji: string) => void) {
    this.#surface = surface;
    const emojis = [...EMOJIS.keys()];
    emojis.forEach((emoji, index) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = emoji;
      button.ariaLabel = EMOJIS.get(emoji) ?? emoji;
      button.title = `${button.ariaLabel} (key ${index + 1})`;
      button.addEventListener("click", () => react(emoji));
      bar.append(button);
    });
    addEventListener("keydown", (event) => {
      const emoji = emojis[Number(event.key) - 1];
      if (emoji !== undefined && !event.repeat && !(event.target instanceof HTMLInputElement)) react(emoji);
    });
  }

  show({ emoji, x, y }: Reaction): void {
    if (this.#surface.querySelectorAll(".reaction").length >= SHOWN_MAX) return;
    const element = document.createElement("span");
    element.className = "reaction";
    element.dataset["testid"] = "reaction";
    element.textContent = emoji;
    element.style.left = `${x * 100}%`;
    element.style.top = `${y * 100}%`;
    element.addEventListener("animationend", () => element.remove());
    this.#surface.append(element);
  }
}
