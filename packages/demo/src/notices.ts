/** Notices above the board. The user may close one; it stays closed until it says something else. */

import { byId, makeButton } from "./element.ts";

type Kind = "alone" | "degraded" | "problem";

export class Notices {
  /** The text of each as it was closed. */
  readonly #closed = new Map<string, string>();

  constructor() {
    for (const notice of byId("notices").children) {
      const close = makeButton("close", "×");
      close.ariaLabel = "Close this notice";
      close.addEventListener("click", () => {
        this.#closed.set(notice.id, textOf(notice));
        (notice as HTMLElement).hidden = true;
      });
      notice.append(close);
    }
  }

  show(kind: Kind, isShown: boolean): void {
    const notice = byId(kind);
    if (!isShown) this.#closed.delete(kind);
    notice.hidden = !isShown || this.#closed.get(kind) === textOf(notice);
  }

  /** Empty: there is none any more. */
  problem(text: string): void {
    const words = byId("problem").firstElementChild;
    if (words) words.textContent = text;
    this.show("problem", text !== "");
  }
}

function textOf(notice: Element): string {
  return notice.firstElementChild?.textContent ?? "";
}
