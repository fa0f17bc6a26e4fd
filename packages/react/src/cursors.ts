/**
 * Draws the others' cursors above an element. React renders when a cursor appears, vanishes or its member changes; between these, moves
 * are transforms that cursor-layer.ts writes, all of them in the one animation frame in which the client tells them.
 */

import type { Member } from "@presence-service/client";
import {
  type CSSProperties,
  createElement,
  Fragment,
  memo,
  type ReactElement,
  type ReactNode,
  useEffect,
  useMemo,
  useRef,
  useSyncExternalStore,
} from "react";
import { useStore } from "./board.ts";
import { CursorLayer, UNMOVED } from "./cursor-layer.ts";
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

/** Draws the others' cursors above the positioned element around it. One's own pointer is told by `useCursorArea`. */
export function Cursors({ area, isHidden = false, renderCursor, smooth, className, style }: CursorsProps): ReactElement {
  const store = useStore();
  const layer = useMemo(() => new CursorLayer(store), [store]);
  const isCalm = useReducedMotion();
  const isSmooth = smooth ?? (isCalm ? false : undefined);
  const root = useRef<HTMLDivElement>(null);
  useEffect(() => layer.measure(root.current), [layer]);
  useEffect(() => (isHidden ? undefined : layer.watch(isSmooth)), [layer, isHidden, isSmooth]);
  useEffect(() => {
    const element = area?.element();
    if (element && ["", "static"].includes(getComputedStyle(element).position)) element.style.position = "relative";
  }, [area]);
  const shown = useSyncExternalStore(layer.subscribe, layer.snapshot, () => NOBODY);
  // A component above that renders for another reason renders no cursor.
  const cursors = useMemo(
    () => shown.map((member) => createElement(Cursor, { key: member.memberId, member, layer, renderCursor })),
    [shown, layer, renderCursor],
  );
  return createElement(
    "div",
    // Places of pointers say nothing to a screen reader; the names are in the list of people.
    { ref: root, "aria-hidden": true, className: className ?? "presence-cursors", style: { ...LAYER, ...style } },
    cursors,
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
    renderCursor ? renderCursor(member) : createElement(Arrow, { member, layer }),
  );
});

const NAME: CSSProperties = {
  position: "absolute",
  left: 12,
  top: 14,
  maxWidth: "min(12rem, 60cqw)",
  overflow: "hidden",
  textOverflow: "ellipsis",
  whiteSpace: "nowrap",
  transform: UNMOVED,
};
const ARROW: CSSProperties = { position: "absolute", left: -2, top: -2, display: "block", overflow: "visible" };

function Arrow({ member: { memberId, username }, layer }: Pick<CursorProps, "member" | "layer">): ReactElement {
  const ref = useMemo(() => (element: HTMLElement | null) => layer.names(memberId, element), [layer, memberId]);
  return createElement(
    Fragment,
    null,
    username === "" ? null : createElement("span", { ref, className: "presence-cursor-name", style: NAME }, username),
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
