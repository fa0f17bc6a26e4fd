/**
 * Draws the others' cursors above an element. React renders when a cursor appears, vanishes or its member changes; between these, moves
 * are transforms that this file writes itself, all of them in the one animation frame in which the client tells them.
 */

import type { CursorMove, Member } from "@presence-service/client";
import {
  type CSSProperties,
  createElement,
  Fragment,
  memo,
  type ReactElement,
  type ReactNode,
  useEffect,
  useMemo,
  useSyncExternalStore,
} from "react";
import { useStore } from "./board.ts";
import type { BoardStore } from "./board-store.ts";
import { inkOn } from "./ink.ts";

export type CursorsProps = {
  /** That of `useCursorArea`, whose element is around this one: it is made the one in which cursors are placed. Without it, the nearest positioned element is. */
  readonly area?: { element(): HTMLElement | null } | undefined;
  /** Nobody's cursor is shown, and none is asked for. */
  readonly isHidden?: boolean | undefined;
  /** Draws one cursor, with its tip at 0, 0; by default an arrow and the name. Rendered when its member changes, not when it moves. */
  readonly renderCursor?: ((member: Member) => ReactNode) | undefined;
  /** Default: even motion, or places as they come where the user wants less motion. */
  readonly smooth?: boolean | undefined;
  readonly className?: string | undefined;
  readonly style?: CSSProperties | undefined;
};

/** Above the content, in its way never. Sizes of the layer are units of the transforms, so it follows every resize by itself. */
const LAYER: CSSProperties = {
  position: "absolute",
  inset: 0,
  overflow: "clip",
  pointerEvents: "none",
  containerType: "size",
  userSelect: "none",
};
const CURSOR: CSSProperties = { position: "absolute", left: 0, top: 0 };

export function Cursors({ area, isHidden = false, renderCursor, smooth, className, style }: CursorsProps): ReactElement {
  const store = useStore();
  const layer = useMemo(() => new CursorLayer(store), [store]);
  const isCalm = useReducedMotion();
  const isSmooth = smooth ?? (isCalm ? false : undefined);
  useEffect(() => (isHidden ? undefined : layer.watch(isSmooth)), [layer, isHidden, isSmooth]);
  useEffect(() => {
    const element = area?.element();
    if (element && ["", "static"].includes(getComputedStyle(element).position)) element.style.position = "relative";
  }, [area]);
  const shown = useSyncExternalStore(layer.subscribe, layer.snapshot, () => NOBODY);
  return createElement(
    "div",
    // Places of pointers say nothing to a screen reader; the names are in the list of people.
    { "aria-hidden": true, className: className ?? "presence-cursors", style: { ...LAYER, ...style } },
    shown.map((member) => createElement(Cursor, { key: member.memberId, member, layer, renderCursor })),
  );
}

const NOBODY: readonly Member[] = [];

type CursorProps = { readonly member: Member; readonly layer: CursorLayer; readonly renderCursor: CursorsProps["renderCursor"] };

const Cursor = memo(function Cursor({ member, layer, renderCursor }: CursorProps): ReactElement {
  const { memberId, color } = member;
  const ref = useMemo(() => (element: HTMLElement | null) => layer.draws(memberId, element), [layer, memberId]);
  const colors = { "--presence-color": color, "--presence-ink": inkOn(color) } as CSSProperties;
  return createElement(
    "div",
    { ref, className: "presence-cursor", "data-member": memberId, "data-status": member.status, style: { ...CURSOR, ...colors } },
    renderCursor ? renderCursor(member) : createElement(Arrow, { name: member.username }),
  );
});

/** A name stays inside the layer at its right and lower edge: CSS moves it back by what would be cut, and nothing is measured. */
const NAME: CSSProperties = {
  position: "absolute",
  left: 12,
  top: 14,
  maxWidth: "min(12rem, 60cqw)",
  overflow: "hidden",
  textOverflow: "ellipsis",
  whiteSpace: "nowrap",
  transform:
    "translate(min(0px, (1 - var(--presence-x, 0)) * 100cqw - 12px - 100%), min(0px, (1 - var(--presence-y, 0)) * 100cqh - 14px - 100%))",
};
const ARROW: CSSProperties = { position: "absolute", left: -2, top: -2, display: "block", overflow: "visible" };

function Arrow({ name }: { readonly name: string }): ReactElement {
  return createElement(
    Fragment,
    null,
    name === "" ? null : createElement("span", { className: "presence-cursor-name", style: NAME }, name),
    createElement(
      "svg",
      { className: "presence-cursor-arrow", width: 20, height: 20, viewBox: "0 0 20 20", style: ARROW },
      createElement("path", {
        d: "M2 2l15 6.5-6.6 2L7.6 17z",
        fill: "var(--presence-color)",
        stroke: "var(--presence-outline, #fff)",
        strokeWidth: 1.5,
        strokeLinejoin: "round",
      }),
    ),
  );
}

/** Where cursors are, beside React: knows elements and places, and tells React only who has a cursor. */
class CursorLayer {
  readonly #store: BoardStore;
  readonly #places = new Map<string, { readonly x: number; readonly y: number }>();
  readonly #elements = new Map<string, HTMLElement>();
  readonly #listeners = new Set<() => void>();
  #shown: readonly Member[] = NOBODY;

  constructor(store: BoardStore) {
    this.#store = store;
  }

  readonly snapshot = (): readonly Member[] => this.#shown;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  watch(smooth: boolean | undefined): () => void {
    const options = smooth === undefined ? {} : { smooth };
    const stopCursors = this.#store.attach((board) => {
      // Taken again: those who are visible are told anew, and the others are not.
      this.#clear();
      return board.cursors.subscribe((moves) => this.#moved(moves), options);
    });
    // Names and colours of those who are shown.
    const stopRoster = this.#store.subscribe(() => this.#changed());
    return () => {
      stopCursors();
      stopRoster();
      this.#clear();
    };
  }

  /** React has made or removed the element of a cursor. */
  draws(memberId: string, element: HTMLElement | null): void {
    if (element === null) return void this.#elements.delete(memberId);
    this.#elements.set(memberId, element);
    this.#draw(memberId);
  }

  #moved(moves: readonly CursorMove[]): void {
    let shown: Member[] | undefined;
    for (const { member, x, y, hidden } of moves) {
      const { memberId } = member;
      const wasShown = this.#places.has(memberId);
      if (hidden) this.#places.delete(memberId);
      else this.#places.set(memberId, { x, y });
      if (wasShown && !hidden) this.#draw(memberId);
      else if (hidden && wasShown) shown = (shown ?? [...this.#shown]).filter((each) => each.memberId !== memberId);
      else if (!hidden) {
        shown ??= [...this.#shown];
        shown.push(member);
      }
    }
    if (shown) this.#show(shown);
  }

  #clear(): void {
    this.#places.clear();
    this.#show([]);
  }

  #changed(): void {
    if (this.#shown.length === 0) return;
    const others = new Map(this.#store.snapshot().others.map((member) => [member.memberId, member]));
    const next = this.#shown.map((member) => others.get(member.memberId) ?? member);
    if (next.some((member, at) => member !== this.#shown[at])) this.#show(next);
  }

  #show(shown: readonly Member[]): void {
    if (shown.length === 0 && this.#shown.length === 0) return;
    this.#shown = shown.length === 0 ? NOBODY : shown;
    for (const listener of [...this.#listeners]) listener();
  }

  #draw(memberId: string): void {
    const [place, element] = [this.#places.get(memberId), this.#elements.get(memberId)];
    if (!place || !element) return;
    element.style.transform = `translate(${percent(place.x)}cqw, ${percent(place.y)}cqh)`;
    element.style.setProperty("--presence-x", place.x.toFixed(4));
    element.style.setProperty("--presence-y", place.y.toFixed(4));
  }
}

/** Thousandths of a percent: far below a pixel. */
function percent(fraction: number): string {
  return (fraction * 100).toFixed(4);
}

const CALM = "(prefers-reduced-motion: reduce)";

function useReducedMotion(): boolean {
  return useSyncExternalStore(subscribeToMotion, isCalmNow, () => false);
}

function subscribeToMotion(listener: () => void): () => void {
  const query = window.matchMedia?.(CALM);
  query?.addEventListener("change", listener);
  return () => query?.removeEventListener("change", listener);
}

function isCalmNow(): boolean {
  return window.matchMedia?.(CALM).matches ?? false;
}
