/** Places of pointers on a board, and back. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pointOf } from "./input.ts";
import { type CanvasView, canvasSpace, elementSpace, type Space } from "./spaces.ts";

/** An element as the browser tells it: its border is 2 px, and it is drawn `scale` times as large as it is laid out. */
function elementOf({ left = 0, top = 0, width = 400, height = 200, scale = 1 }): HTMLElement {
  return {
    offsetWidth: width + 4,
    offsetHeight: height + 4,
    clientWidth: width,
    clientHeight: height,
    clientLeft: 2,
    clientTop: 2,
    getBoundingClientRect: () => ({ left, top, width: (width + 4) * scale, height: (height + 4) * scale }),
  } as HTMLElement;
}

/** The place of a pointer after its way over the wire, as the others are told it. */
function told(space: Space, clientX: number, clientY: number) {
  const [x, y, options] = space.placeOf({ clientX, clientY });
  const point = pointOf(x, y, options);
  assert(point);
  return { point, x: point.x / 65535, y: point.y / 65535 };
}

test("elements of different sizes, borders and scales: the same part of each", () => {
  const mine = elementSpace(elementOf({ left: 100, top: 50 }));
  const theirs = elementSpace(elementOf({ width: 1200, height: 900, scale: 0.5 }));
  const at = theirs.drawnAt(told(mine, 100 + 2 + 100, 50 + 2 + 150));
  assert(Math.abs(at.x - 300) < 0.1 && Math.abs(at.y - 675) < 0.1, JSON.stringify(at));
});

test("a scaled element: what is under the pointer, also at its far corner", () => {
  const space = elementSpace(elementOf({ scale: 2 }));
  assert.deepEqual(space.placeOf({ clientX: 804, clientY: 404 }), [1, 1, {}]);
});

test("an element without a size gives no place", () => {
  const [x, y, options] = elementSpace(elementOf({ width: 0, height: 0 })).placeOf({ clientX: 2, clientY: 2 });
  assert.equal(pointOf(x, y, options), undefined);
});

test("canvas: each viewer pans and zooms as they like, and sees the pointer at the same unit", () => {
  let view: CanvasView = { x: -1000.5, y: 20, zoom: 4 };
  const mine = canvasSpace(elementOf({}), () => view);
  const move = told(mine, 2 + 40, 2 + 80);
  assert.deepEqual(move.point, { x: (-1000.5 + 10) * 8, y: (20 + 20) * 8 });
  view = { x: -1000, y: 0, zoom: 0.5 };
  assert.deepEqual(mine.drawnAt(move), { x: 9.5 * 0.5, y: 40 * 0.5 });
});
