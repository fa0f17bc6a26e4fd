/**
 * The others as a row of avatars in one order for all viewers; a button stands for those who have no room. An avatar is a button that
 * follows its person. The row takes the same room whoever comes and goes.
 */

import { paint } from "./colour.ts";
import { ARROWS, arrange, makeButton } from "./element.ts";
import { initial, type Person } from "./people.ts";

export class AvatarStack {
  readonly #row: HTMLElement;
  readonly #follow: (id: string) => void;
  readonly #avatars = new Map<string, HTMLButtonElement>();
  readonly #rest: HTMLButtonElement;
  readonly #max: () => number;

  /** `max`: so many have room beside the button for the rest; asked whenever somebody comes or goes. */
  constructor(row: HTMLElement, max: () => number, actions: { readonly follow: (id: string) => void; readonly showAll: () => void }) {
    this.#row = row;
    this.#max = max;
    this.#follow = actions.follow;
    this.#rest = makeButton("avatar rest");
    this.#rest.addEventListener("click", actions.showAll);
    row.addEventListener("keydown", moveFocus);
  }

  show(people: readonly Person[], followed: string | undefined): void {
    const others = people.filter(({ isSelf, status }) => !isSelf && status !== "left");
    const shown = others.slice(0, this.#max()).map((person) => this.#shown(person, person.id === followed));
    for (const [id, avatar] of this.#avatars) if (!shown.includes(avatar)) this.#avatars.delete(id);
    const rest = others.length - shown.length;
    this.#rest.textContent = `+${rest}`;
    this.#rest.ariaLabel = `${rest} more: show everybody`;
    arrange(this.#row, rest === 0 ? shown : [...shown, this.#rest]);
    this.#row.ariaLabel = others.length === 1 ? "1 other person" : `${others.length} other people`;
  }

  #shown({ id, name, colour, status, remark }: Person, isFollowed: boolean): HTMLButtonElement {
    const avatar = this.#avatars.get(id) ?? this.#add(id);
    avatar.textContent = initial(name);
    avatar.title = remark === "" ? name : `${name} (${remark})`;
    avatar.ariaLabel = `Follow ${avatar.title}`;
    avatar.ariaPressed = String(isFollowed);
    avatar.dataset["status"] = status;
    paint(avatar, colour);
    return avatar;
  }

  #add(id: string): HTMLButtonElement {
    const avatar = makeButton("avatar");
    avatar.addEventListener("click", () => this.#follow(id));
    this.#avatars.set(id, avatar);
    return avatar;
  }
}

/** Arrow keys, Home and End go through the row. */
function moveFocus(event: KeyboardEvent): void {
  const row = event.currentTarget as HTMLElement;
  const buttons = [...row.querySelectorAll("button")];
  const at = buttons.indexOf(event.target as HTMLButtonElement);
  const step = ARROWS[event.key]?.[0];
  const next = event.key === "Home" ? buttons[0] : event.key === "End" ? buttons.at(-1) : step ? buttons[at + step] : undefined;
  if (next === undefined) return;
  event.preventDefault();
  next.focus();
}
