/** Emojis that rise where somebody points. What others send is only shown if it is one of ours. */

/** With the names that are read out. */
const EMOJIS = new Map([
  ["👋", "Wave"],
  ["👍", "Thumbs up"],
  ["🎉", "Celebrate"],
  ["❤️", "Heart"],
  ["😂", "Laugh"],
]);
export type Reaction = { readonly emoji: string; readonly x: number; readonly y: number };

/** Who floods gets a full screen, not a full memory. */
const SHOWN_MAX = 60;

/** Untrusted: undefined if it is not what this page sends. */
export function readReaction(data: unknown): Reaction | undefined {
  const { emoji, x, y } = (data ?? {}) as Record<string, unknown>;
  if (typeof emoji !== "string" || !EMOJIS.has(emoji)) return undefined;
  if (typeof x !== "number" || typeof y !== "number" || !(x >= 0 && x <= 1 && y >= 0 && y <= 1)) return undefined;
  return { emoji, x, y };
}

export class Reactions {
  readonly #surface: HTMLElement;

  /** Buttons for a tap, and the keys 1 to 5 for who does not want to move the pointer away. */
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
