/** The sign and the frame around the board while a member is followed. */

import { paint } from "./colour.ts";
import { byId } from "./element.ts";
import type { Person } from "./people.ts";

export class FollowSign {
  readonly #frame = byId("follow");
  readonly #name = byId("followed");

  constructor(stop: () => void) {
    byId("unfollow").addEventListener("click", stop);
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
