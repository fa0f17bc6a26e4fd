/**
 * Where a pointer is on a board, and where a board's place is on the screen. Two usual cases: fractions of an element, and a canvas
 * without end that is panned and zoomed. An app that needs a third one writes its own two functions.
 */

import type { CursorMove, MoveOptions } from "./types.ts";

/** The part of a pointer event that a space reads: pixels of the window. */
export type PointerPlace = { readonly clientX: number; readonly clientY: number };

export type Space = {
  /** The arguments of `board.moveCursor`. Not finite, and thus ignored by it, while the element has no size. */
  placeOf(pointer: PointerPlace): [x: number, y: number, options: MoveOptions];
  /** Where to draw a cursor: CSS pixels from the top left corner of the element's padding box, where absolute children are placed. */
  drawnAt(move: Pick<CursorMove, "x" | "y" | "point">): { readonly x: number; readonly y: number };
};

/** The part of a canvas that is seen: which of its points is in the element's top left corner, and CSS pixels per unit of the canvas. */
export type CanvasView = { readonly x: number; readonly y: number; readonly zoom: number };

/** Places are kept to an eighth of a unit, up to 268 million units away from the origin. A cursor that moves 2 048 units between two of its places jumps. */
const STEPS_PER_UNIT = 8;

/**
 * Fractions of the element's padding box: everybody points at the same part of it, however large it is at each. Give it the content, not
 * the box in which the content scrolls.
 */
export function elementSpace(element: HTMLElement): Space {
  return {
    placeOf(pointer) {
      const { width, height } = sizeOf(element);
      const { x, y } = within(element, pointer);
      return [x / width, y / height, {}];
    },
    drawnAt({ x, y }) {
      const { width, height } = sizeOf(element);
      return { x: x * width, y: y * height };
    },
  };
}

/**
 * Units of a canvas without end. Each user has a view of their own, which `view` tells; draw all cursors anew when it changes, with the
 * last move of each. `stepsPerUnit`: how finely places are kept, the same for everybody on the board. A step is one integer of the wire, of
 * which places from 0 to 65 535 are the cheapest, and 16 384 between two places of a cursor are shown as a jump.
 */
export function canvasSpace(element: HTMLElement, view: () => CanvasView, stepsPerUnit: number = STEPS_PER_UNIT): Space {
  return {
    placeOf(pointer) {
      const { x, y, zoom } = view();
      const at = within(element, pointer);
      return [(x + at.x / zoom) * stepsPerUnit, (y + at.y / zoom) * stepsPerUnit, { units: "integer" }];
    },
    drawnAt({ point }) {
      const { x, y, zoom } = view();
      return { x: (point.x / stepsPerUnit - x) * zoom, y: (point.y / stepsPerUnit - y) * zoom };
    },
  };
}

function sizeOf({ clientWidth, clientHeight }: HTMLElement): { readonly width: number; readonly height: number } {
  return { width: clientWidth, height: clientHeight };
}

/** From the corner of the padding box, in the element's own pixels, also while it is scaled. */
function within(element: HTMLElement, { clientX, clientY }: PointerPlace): { readonly x: number; readonly y: number } {
  const box = element.getBoundingClientRect();
  const across = element.offsetWidth > 0 ? box.width / element.offsetWidth : 1;
  const down = element.offsetHeight > 0 ? box.height / element.offsetHeight : 1;
  return { x: (clientX - box.left) / across - element.clientLeft, y: (clientY - box.top) / down - element.clientTop };
}
