/** The sign and the frame around the board while a member is followed. */

import { paint } from "./colour.ts";
import { byId } from "./element.ts";
import type { Person } from "./people.ts";

export class FollowSign {
  readonly #frame = byId("follow");
  readonly #name = byId("followed");

  /** People without a pointer press Escape, or the avatar again. */
  constructor(stop: () => void) {
    addEventListener("keydown", ({ key }) => {
      if (key === "Escape") stop();
    });
  }

  show(person: Pick<Person, "name" | "colour"> | undefined): void {
    this.#frame.hidden = person === undefined;
    if (person === undefined) return;
    this.#name.textContent = person.name;
    paint(this.#frame, person.colour);
  }
}
