/**
 * The people on the board as a row of avatars, in one order for all viewers, with a button for those who have no room. The row takes the
 * same room whoever comes and goes.
 */

import type { User } from "@presence-service/client";
import {
  type CSSProperties,
  createElement,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
  useEffect,
  useId,
  useRef,
  useState,
} from "react";
import { useStore } from "./board.ts";
import { NOT_TAKEN } from "./board-store.ts";
import { useUsers } from "./hooks.ts";
import { inkOn } from "./ink.ts";
import { useSelected } from "./selected.ts";

export type AvatarStackProps = {
  /** So many avatars are shown (5); if there are more people, the place after them is a button "+n" that lists the rest. */
  readonly max?: number | undefined;
  /** In pixels (32). */
  readonly size?: number | undefined;
  /** Oneself is left out. */
  readonly others?: boolean | undefined;
  /** Makes each avatar a button: to follow that person, say. */
  readonly onSelect?: ((user: User) => void) | undefined;
  /** Draws the inside of an avatar; by default the picture, or the first letter of the name. */
  readonly renderAvatar?: ((user: User) => ReactNode) | undefined;
  /** The words of a screen reader for one person, and below for all of them; as in another language. */
  readonly nameOf?: ((user: User) => string) | undefined;
  readonly label?: ((count: number) => string) | undefined;
  readonly className?: string | undefined;
  readonly style?: CSSProperties | undefined;
};

/** Neighbours cover this part of each other. */
const OVERLAP = 0.25;

/** The people on the board as a row of avatars, in one order for all viewers; those who have no room are behind a button `+n`. */
export function AvatarStack({
  max = 5,
  size = 32,
  others = false,
  onSelect,
  renderAvatar = pictureOf,
  nameOf = plainNameOf,
  label = plainLabel,
  className,
  style,
}: AvatarStackProps): ReactElement {
  const shown = useUsers((users) => some(users, 0, max, others));
  const count = useCount(others);
  const rest = count - shown.length;
  const step = size * (1 - OVERLAP);
  // Room for all places, also for those that are empty.
  const room: CSSProperties = { position: "relative", boxSizing: "content-box", width: step * max + size, height: size };
  const list: CSSProperties = { listStyle: "none", margin: 0, padding: 0 };
  const item = (at: number): CSSProperties => ({ position: "absolute", top: 0, insetInlineStart: at * step, width: size, height: size });
  const moveFocus = useArrowKeys();
  return createElement(
    "div",
    {
      className: className ?? "presence-avatars",
      role: "group",
      "aria-label": label(count),
      style: { ...room, ...style },
      onKeyDown: moveFocus,
    },
    createElement(
      "ul",
      // Safari calls a list without bullets no list, unless it is told.
      { role: "list", style: list },
      shown.map((user, at) =>
        createElement("li", { key: user.userId, style: item(at) }, createElement(Avatar, { user, size, onSelect, renderAvatar, nameOf })),
      ),
    ),
    rest === 0
      ? null
      : createElement(
          "div",
          { style: item(shown.length) },
          createElement(Rest, { rest, from: max, others, size, onSelect, nameOf, label }),
        ),
  );
}

/** So many users from that place on. It looks at no more of them than it must: on a large board somebody comes or goes many times a second. */
function some(users: readonly User[], from: number, count: number, others: boolean): readonly User[] {
  const self = others ? users.findIndex(({ isSelf }) => isSelf) : -1;
  if (self < 0 || self >= from + count) return users.slice(from, from + count);
  if (self < from) return users.slice(from + 1, from + 1 + count);
  return [...users.slice(from, self), ...users.slice(self + 1, from + count + 1)];
}

/** On a large board more people than are listed. */
function useCount(others: boolean): number {
  const store = useStore();
  return useSelected(
    store,
    NOT_TAKEN,
    ({ users, userCount, self }) => Math.max(users.length, userCount) - (others && self !== null ? 1 : 0),
    Object.is,
  );
}

type Parts = Pick<AvatarStackProps, "onSelect"> & {
  readonly size: number;
  readonly renderAvatar: (user: User) => ReactNode;
  readonly nameOf: (user: User) => string;
  readonly label: (count: number) => string;
};

function Avatar({ user, size, onSelect, renderAvatar, nameOf }: Omit<Parts, "label"> & { readonly user: User }): ReactElement {
  const isIdle = user.members.every(({ status }) => status === "idle");
  const colors = { "--presence-color": user.color, "--presence-ink": inkOn(user.color) } as CSSProperties;
  const look = {
    className: "presence-avatar",
    title: nameOf(user),
    "aria-label": nameOf(user),
    "data-user": user.userId,
    "data-idle": isIdle || undefined,
    style: { ...ROUND, ...colors, width: size, height: size, fontSize: size * 0.45, background: user.color, color: inkOn(user.color) },
  };
  const inside = createElement("span", { "aria-hidden": true, style: INSIDE }, renderAvatar(user));
  // Without something to do it is no stop of the Tab key.
  return onSelect
    ? createElement("button", { type: "button", ...look, onClick: () => onSelect(user) }, inside)
    : createElement("span", { role: "img", ...look }, inside);
}

const ROUND: CSSProperties = {
  position: "relative",
  display: "grid",
  placeItems: "center",
  boxSizing: "border-box",
  margin: 0,
  padding: 0,
  border: 0,
  borderRadius: "50%",
  lineHeight: 1,
};
const INSIDE: CSSProperties = {
  position: "absolute",
  inset: 0,
  display: "grid",
  placeItems: "center",
  overflow: "hidden",
  borderRadius: "inherit",
};
const PICTURE: CSSProperties = { position: "absolute", inset: 0, width: "100%", height: "100%", objectFit: "cover" };

/** The letter stays below the picture: it is there while the picture loads, and if it never does. */
function pictureOf({ username, avatar }: User): ReactNode {
  const letter = ([...username.trim()][0] ?? "?").toUpperCase();
  if (avatar === undefined || !/^(?:https?:|data:image\/|\/|\.)/i.test(avatar)) return letter;
  return [
    letter,
    createElement("img", {
      key: avatar,
      src: avatar,
      alt: "",
      referrerPolicy: "no-referrer",
      style: PICTURE,
      onError: (event: { currentTarget: HTMLElement }) => event.currentTarget.remove(),
    }),
  ];
}

function plainNameOf({ username, isSelf, members }: User): string {
  const name = username === "" ? "Somebody" : username;
  const notes = [...(isSelf ? ["you"] : []), ...(members.every(({ status }) => status === "idle") ? ["away"] : [])];
  return notes.length === 0 ? name : `${name} (${notes.join(", ")})`;
}

function plainLabel(count: number): string {
  return count === 1 ? "1 person here" : `${count} people here`;
}

type RestProps = Omit<Parts, "renderAvatar"> & {
  /** So many people have no avatar. */
  readonly rest: number;
  /** The first of them is at this place. */
  readonly from: number;
  readonly others: boolean;
};

function Rest({ rest, from, others, size, onSelect, nameOf, label }: RestProps): ReactElement {
  const id = useId();
  const [isOpen, setOpen] = useState(false);
  const [opensLeft, setOpensLeft] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (!isOpen) return;
    const elsewhere = ({ target }: Event) => !box.current?.contains(target as Node) && setOpen(false);
    document.addEventListener("pointerdown", elsewhere);
    document.addEventListener("focusin", elsewhere);
    return () => {
      document.removeEventListener("pointerdown", elsewhere);
      document.removeEventListener("focusin", elsewhere);
    };
  }, [isOpen]);
  const closed = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !isOpen) return;
    event.stopPropagation();
    setOpen(false);
    button.current?.focus();
  };
  const look = { width: size, height: size, fontSize: size * 0.4 };
  return createElement(
    "div",
    { ref: box, onKeyDown: closed },
    createElement(
      "button",
      {
        ref: button,
        type: "button",
        className: "presence-avatar presence-avatar-rest",
        "aria-expanded": isOpen,
        "aria-controls": isOpen ? id : undefined,
        "aria-label": `+${rest}: ${label(rest)}`,
        style: { ...ROUND, ...look },
        onClick: () => {
          setOpensLeft((button.current?.getBoundingClientRect().left ?? 0) > window.innerWidth / 2);
          setOpen(!isOpen);
        },
      },
      `+${rest}`,
    ),
    isOpen
      ? createElement(List, {
          id,
          rest,
          from,
          others,
          onSelect,
          nameOf,
          label: label(rest),
          style: { ...LIST, ...(opensLeft ? { right: 0 } : { left: 0 }) },
        })
      : null,
  );
}

type ListProps = Pick<RestProps, "rest" | "from" | "others" | "onSelect" | "nameOf"> & {
  readonly id: string;
  readonly label: string;
  readonly style: CSSProperties;
};

/** Made while it is open. On a large board only some of the people are known by name: the last line says how many more there are. */
function List({ id, rest, from, others, onSelect, nameOf, label, style }: ListProps): ReactElement {
  const users = useUsers((all) => some(all, from, all.length, others));
  return createElement(
    "ul",
    { id, role: "list", className: "presence-avatar-list", tabIndex: 0, "aria-label": label, style },
    users.map((user) =>
      createElement(
        "li",
        { key: user.userId, "data-user": user.userId },
        onSelect ? createElement("button", { type: "button", onClick: () => onSelect(user) }, nameOf(user)) : nameOf(user),
      ),
    ),
    rest > users.length ? createElement("li", { key: "more" }, `+${rest - users.length}`) : null,
  );
}

/** Above the page, so that it moves nothing; towards the middle of the window, so that it is not cut. */
const LIST: CSSProperties = {
  position: "absolute",
  zIndex: 1,
  top: "calc(100% + 4px)",
  maxHeight: "15rem",
  minWidth: "10rem",
  margin: 0,
  padding: "0.5rem 0.75rem",
  overflow: "auto",
  listStyle: "none",
};

/** Arrow keys, Home and End go through the buttons of the row. */
function useArrowKeys(): (event: KeyboardEvent<HTMLElement>) => void {
  return (event) => {
    const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>("button")];
    const at = buttons.indexOf(event.target as HTMLElement);
    if (at < 0) return;
    const isBackward = getComputedStyle(event.currentTarget).direction === "rtl";
    const steps: Record<string, number> = {
      ArrowRight: isBackward ? at - 1 : at + 1,
      ArrowLeft: isBackward ? at + 1 : at - 1,
      Home: 0,
      End: buttons.length - 1,
    };
    const next = buttons[steps[event.key] ?? -1];
    if (!next) return;
    event.preventDefault();
    next.focus();
  };
}
