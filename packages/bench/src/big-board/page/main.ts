/**
 * The page that browser.ts measures: a big board with the React parts (`?parts=react`), or with the SDK alone, which listens to everything
 * and draws nothing (`?parts=sdk`). It keeps the times between frames, and how much the app was told.
 */

import { type Board as BoardHandle, createPresence } from "@presence-service/client";
import { AvatarStack, Board, Cursors, PresenceProvider, useBoard, useCursorArea, useOccupancy } from "@presence-service/react";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

export type Watched = {
  /** Frames and long tasks since the last `begin`, in milliseconds. */
  frames: number[];
  longTasks: number[];
  moves: number;
  changes: number;
  /** Since the navigation, when the roster was whole. */
  wholeAt: number | undefined;
  board: BoardHandle | undefined;
  begin(): void;
};

const query = new URLSearchParams(location.search);
const presence = createPresence({ url: query.get("url") ?? "" });
const members = Number(query.get("members"));
/** The service introduces so many, and ourselves. */
const INTRODUCED_MAX = 1000;

const watched: Watched = {
  frames: [],
  longTasks: [],
  moves: 0,
  changes: 0,
  wholeAt: undefined,
  board: undefined,
  begin() {
    Object.assign(watched, { frames: [], longTasks: [], moves: 0, changes: 0 });
  },
};
Object.assign(window, { watched });

let framedAt: number | undefined;
requestAnimationFrame(function framed(at) {
  if (framedAt !== undefined) watched.frames.push(at - framedAt);
  framedAt = at;
  requestAnimationFrame(framed);
});
new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) watched.longTasks.push(duration);
}).observe({ entryTypes: ["longtask"] });

function watch(board: BoardHandle): void {
  watched.board = board;
  board.subscribe(() => {
    watched.changes++;
    const listed = Math.min(INTRODUCED_MAX - 1, members);
    if (watched.wholeAt === undefined && board.memberCount > members && board.others.length >= listed) watched.wholeAt = performance.now();
  });
  board.cursors.subscribe((moved) => {
    watched.moves += moved.length;
  });
}

function App() {
  return createElement(
    PresenceProvider,
    { client: presence },
    createElement(Board, { id: "big", username: "viewer" }, createElement(Desk)),
  );
}

function Desk() {
  const area = useCursorArea<HTMLDivElement>();
  const board = useBoard();
  if (board && watched.board === undefined) watch(board);
  return createElement(
    "div",
    null,
    createElement("div", { id: "bar" }, createElement(AvatarStack, { max: 8 }), createElement(Count)),
    createElement("div", { ref: area.ref, id: "area" }, createElement(Cursors, { area })),
  );
}

function Count() {
  return createElement("output", { id: "count" }, useOccupancy().members);
}

const root = document.querySelector("#root");
if (query.get("parts") === "sdk") watch(presence.board("big", { username: "viewer" }));
else if (root) createRoot(root).render(createElement(App));
