/** Which element one's own pointer is told of: each move as fractions of that element, and none while the pointer is elsewhere. */

import { useMemo } from "react";
import { useStore } from "./board.ts";
import type { BoardStore } from "./board-store.ts";
import { useLatest } from "./latest.ts";

export type CursorAreaOptions = {
  /** Tells the way of a fast pointer too, for ink and lasers (`moveCursor` of the client). */
  readonly path?: boolean | undefined;
  /** One's own pointer is not told. */
  readonly isPaused?: boolean | undefined;
};

/** Stays the same object. Give `ref` to an element, and the area to `<Cursors area={area}>` inside of it. */
export type CursorArea<E extends HTMLElement = HTMLElement> = {
  readonly ref: (element: E | null) => void;
  /** The element now, if it is mounted. */
  readonly element: () => E | null;
};

/**
 * The pointer over the element with the area's `ref` is this member's cursor. Fractions are those of the element's padding box, where
 * `<Cursors>` draws, so a border, scaling and different window sizes do no harm. Give it to the content, not to the box in which it scrolls.
 */
export function useCursorArea<E extends HTMLElement = HTMLElement>(options: CursorAreaOptions = {}): CursorArea<E> {
  const store = useStore();
  const latest = useLatest(options);
  return useMemo(() => createArea<E>(store, () => latest.current), [store, latest]);
}

function createArea<E extends HTMLElement>(store: BoardStore, options: () => CursorAreaOptions): CursorArea<E> {
  let element: E | null = null;
  let stop: (() => void) | undefined;
  return {
    element: () => element,
    // Not a function that returns its end: React 18 knows no such refs.
    ref: (next) => {
      if (next === element) return;
      stop?.();
      element = next;
      stop = next === null ? undefined : watchPointer(next, store, options);
    },
  };
}

function watchPointer(element: HTMLElement, store: BoardStore, options: () => CursorAreaOptions): () => void {
  let shown: { readonly x: number; readonly y: number } | undefined;
  const moved = (event: PointerEvent) => {
    const { path = false, isPaused = false } = options();
    const at = { x: event.clientX, y: event.clientY };
    // A page that scrolls below a pointer at rest sends such moves. They would end a follow.
    if (isPaused || (shown?.x === at.x && shown.y === at.y)) return;
    shown = at;
    const board = store.board();
    if (!board) return;
    const box = paddingBox(element);
    if (!path) return place(board, box, at, {});
    const before = event.getCoalescedEvents?.() ?? [];
    for (const each of before.length > 0 ? before : [event])
      place(board, box, { x: each.clientX, y: each.clientY }, { path, ago: Math.max(0, performance.now() - each.timeStamp) });
  };
  const hidden = () => {
    if (shown === undefined) return;
    shown = undefined;
    store.board()?.hideCursor();
  };
  // A finger that is lifted points nowhere.
  const lifted = (event: PointerEvent) => {
    if (event.pointerType !== "mouse") hidden();
  };
  element.addEventListener("pointermove", moved);
  element.addEventListener("pointerdown", moved);
  element.addEventListener("pointerleave", hidden);
  element.addEventListener("pointercancel", hidden);
  element.addEventListener("pointerup", lifted);
  return () => {
    element.removeEventListener("pointermove", moved);
    element.removeEventListener("pointerdown", moved);
    element.removeEventListener("pointerleave", hidden);
    element.removeEventListener("pointercancel", hidden);
    element.removeEventListener("pointerup", lifted);
    hidden();
  };
}

type Box = { readonly left: number; readonly top: number; readonly width: number; readonly height: number };

function place(
  board: { moveCursor(x: number, y: number, options: { path?: boolean; ago?: number }): void },
  box: Box,
  at: { readonly x: number; readonly y: number },
  options: { path?: boolean; ago?: number },
): void {
  if (box.width > 0 && box.height > 0) board.moveCursor((at.x - box.left) / box.width, (at.y - box.top) / box.height, options);
}

/** In pixels of the window, also while the element is scaled. */
function paddingBox(element: HTMLElement): Box {
  const rect = element.getBoundingClientRect();
  const across = element.offsetWidth > 0 ? rect.width / element.offsetWidth : 1;
  const down = element.offsetHeight > 0 ? rect.height / element.offsetHeight : 1;
  return {
    left: rect.left + element.clientLeft * across,
    top: rect.top + element.clientTop * down,
    width: element.clientWidth * across,
    height: element.clientHeight * down,
  };
}
