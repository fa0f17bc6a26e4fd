/** The field for one's own name. A name that is refused changes nothing, and is told. */

import { byId } from "./element.ts";
import { chooseName, cleanName, pageAddress } from "./place.ts";

export class NameField {
  readonly #field = byId<HTMLInputElement>("name");
  #name: string;

  /** `rename` throws on a name that nobody may have. */
  constructor(name: string, rename: (wanted: string) => void, complain: (problem: string) => void) {
    this.#name = name;
    this.#field.value = name;
    this.#field.addEventListener("change", () => {
      const wanted = cleanName(this.#field.value);
      try {
        if (wanted === "") return;
        rename(wanted);
        complain("");
        this.keep(wanted);
      } catch (error) {
        complain(`Your name stays ${this.#name}: ${error instanceof Error ? error.message : String(error)}.`);
      } finally {
        this.#field.value = this.#name;
      }
    });
    this.#field.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.#field.blur();
    });
  }

  keep(chosen: string): void {
    this.#name = chosen;
    this.#field.value = chosen;
    chooseName(chosen);
    // Remove the name from the address, or a reload would bring it back.
    history.replaceState(null, "", pageAddress());
  }
}
