/** The people who are here and their cursors, on a canvas that each of them pans and zooms alone. */

import { type CursorMove, canvasSpace, createPresence, type User } from "@presence-service/client";
import { drawCanvas, drawCursor } from "./draw.ts";
import { createView } from "./view.ts";

const username = new URLSearchParams(location.search).get("name") ?? `Guest ${Math.ceil(Math.random() * 99)}`;
const presence = createPresence({ url: import.meta.env.VITE_PRESENCE_URL ?? "ws://localhost:3001" });
const board = presence.board("canvas", { username });

const viewport = element<HTMLElement>("#viewport");
const canvas = element<HTMLCanvasElement>("canvas");
const view = createView(viewport, changed);
const space = canvasSpace(viewport, () => view);

// One's own pointer. While the canvas moves below it, it points to another place, though it rests.
let pointer: PointerEvent | undefined;
function tellPointer(): void {
  if (pointer) board.moveCursor(...space.placeOf(pointer));
}
viewport.addEventListener("pointermove", (event) => {
  pointer = event;
  tellPointer();
});
viewport.addEventListener("pointerleave", () => {
  pointer = undefined;
  board.hideCursor();
});

// The others' pointers: their last moves are kept, since one's own view decides where they are drawn.
const cursors = new Map<string, CursorMove>();
board.cursors.subscribe((moved) => {
  for (const move of moved) {
    if (move.hidden) cursors.delete(move.member.memberId);
    else cursors.set(move.member.memberId, move);
  }
  drawSoon();
});

board.subscribe(() => {
  element("#people").replaceChildren(...board.users.map(button));
  element("#status").textContent = board.status === "connected" ? "" : board.status;
});

function button({ username, color, isSelf, members }: User): HTMLElement {
  const made = document.createElement("button");
  made.textContent = isSelf ? `${username} (you)` : username;
  made.disabled = isSelf;
  made.style.setProperty("--color", color);
  made.addEventListener("click", () => {
    const move = members.map(({ memberId }) => cursors.get(memberId)).find((found) => found !== undefined);
    if (move) view.show(space.drawnAt(move));
  });
  return made;
}

function changed(): void {
  tellPointer();
  drawSoon();
}

let isDrawing = false;
function drawSoon(): void {
  if (isDrawing) return;
  isDrawing = true;
  requestAnimationFrame(() => {
    isDrawing = false;
    const painter = drawCanvas(canvas, view);
    for (const move of cursors.values()) drawCursor(painter, move.member, space.drawnAt(move));
  });
}

new ResizeObserver(drawSoon).observe(viewport);

function element<E extends Element>(selector: string): E {
  const found = document.querySelector<E>(selector);
  if (!found) throw new Error(`the page has no ${selector}`);
  return found;
}
