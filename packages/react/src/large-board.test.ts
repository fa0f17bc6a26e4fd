/** The work of the parts on a board of a thousand listed members, in renders, styles and elements; the service's side is played by hand. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { act, createElement, Profiler, type ReactNode } from "react";
import { atDesk, memberOf } from "../../client/src/testing/service.ts";
import { onBoard, reading, render } from "../test/rendered.ts";
import { AvatarStack, Cursors, useOthers } from "./index.ts";

const LISTED = 1000;
const MOVERS = 100;
const SIZE = { width: 1000, height: 800 };
const names = Array.from({ length: LISTED }, (_, nth) => `p${nth}`);

async function onLargeBoard(children: ReactNode) {
  const desk = await atDesk(names);
  const counted = { commits: 0 };
  const { container, unmount } = await render(
    onBoard(desk.presence, createElement(Profiler, { id: "all", onRender: () => void counted.commits++ }, children)),
  );
  const serve = (message: Parameters<typeof desk.socket.serve>[0]) => act(async () => desk.socket.serve(message));
  const moveAll = (x: number, stamp: number) => {
    const moves = Array.from({ length: MOVERS }, (_, nth) => ({ actor: 1 + nth, at: { x, y: 500 * nth } }));
    return serve({ kind: "cursors", board: 7, stamp, moves });
  };
  const pass = (ms: number) => act(async () => desk.driver.advance(ms));
  return { board: desk.board, container, counted, serve, moveAll, pass, unmount };
}

/** A page that tells the size of an element, as browsers do. */
function knowSizes(t: TestContext): void {
  class Observer {
    readonly #tell: (entries: readonly { readonly contentRect: typeof SIZE }[]) => void;
    constructor(tell: (entries: readonly { readonly contentRect: typeof SIZE }[]) => void) {
      this.#tell = tell;
    }
    observe(): void {
      this.#tell([{ contentRect: SIZE }]);
    }
    disconnect(): void {}
  }
  Object.assign(globalThis, { ResizeObserver: Observer });
  t.after(() => Reflect.deleteProperty(globalThis, "ResizeObserver"));
}

test("many cursors that move: no render, one style of one element each, and five elements each in the page", async (t) => {
  knowSizes(t);
  const { board, container, counted, moveAll, pass, unmount } = await onLargeBoard(createElement(Cursors));
  let told = 0;
  board.cursors.subscribe((moves) => {
    told += moves.length;
  });
  await moveAll(1000, 0);
  await pass(1000);
  const cursors = container.querySelectorAll(".presence-cursor");
  assert.equal(cursors.length, MOVERS);
  assert.ok(container.querySelectorAll("*").length <= 2 + 5 * MOVERS);
  const changed = new Map<string, number>();
  const observer = new window.MutationObserver((records) => {
    for (const { target } of records) {
      const { className } = target as HTMLElement;
      changed.set(className, (changed.get(className) ?? 0) + 1);
    }
  });
  observer.observe(container, { subtree: true, attributes: true, childList: true, characterData: true });
  counted.commits = 0;
  told = 0;
  await moveAll(1200, 50);
  await pass(1000);
  await act(async () => {});
  assert.ok(told >= MOVERS);
  assert.deepEqual([...changed], [["presence-cursor", told]]);
  assert.equal(counted.commits, 0);
  await unmount();
});

test("all cursors vanish with one render", async () => {
  const { container, counted, moveAll, serve, pass, unmount } = await onLargeBoard(createElement(Cursors));
  await moveAll(1000, 0);
  await pass(1000);
  counted.commits = 0;
  await serve({
    kind: "cursors",
    board: 7,
    stamp: 60,
    moves: Array.from({ length: MOVERS }, (_, nth) => ({ actor: 1 + nth, at: null })),
  });
  assert.equal(container.querySelectorAll(".presence-cursor").length, 0);
  assert.equal(counted.commits, 1);
  await unmount();
});

test("the stack renders for those whom it shows and for how many there are, and for nobody else", async () => {
  const { container, counted, serve, unmount } = await onLargeBoard(createElement(AvatarStack, { max: 3 }));
  const row = container.querySelector(".presence-avatars") ?? assert.fail();
  const rest = () => row.querySelector(".presence-avatar-rest")?.textContent;
  const elements = row.querySelectorAll("*").length;
  assert.equal(rest(), `+${LISTED + 1 - 3}`);
  counted.commits = 0;
  for (let nth = 100; nth < 200; nth++) await serve({ kind: "user_updated", board: 7, actor: 1 + nth, patch: { status: "idle" } });
  assert.equal(counted.commits, 0);
  await serve({ kind: "presence_update", board: 7, members: 12_000, users: 10_000 });
  assert.deepEqual([counted.commits, rest(), row.getAttribute("aria-label")], [1, "+9997", "10000 people here"]);
  assert.equal(row.querySelectorAll("*").length, elements);
  const button = row.querySelector<HTMLButtonElement>(".presence-avatar-rest") ?? assert.fail();
  await act(async () => button.click());
  const lines = [...row.querySelectorAll(".presence-avatar-list li")].map(({ textContent }) => textContent);
  assert.deepEqual([lines.length, lines.at(-1)], [LISTED + 1 - 3 + 1, `+${10_000 - LISTED - 1}`], "those who are not listed are counted");
  await unmount();
});

test("oneself left out of the stack is left out of its count, wherever one is in the order", async () => {
  const desk = await atDesk(["ana", "ben", memberOf("cleo", { joinedAt: 0 })]);
  const { container, unmount } = await render(onBoard(desk.presence, createElement(AvatarStack, { max: 2, others: true })));
  const avatars = [...container.querySelectorAll(".presence-avatar")].map((avatar) => avatar.getAttribute("aria-label"));
  assert.deepEqual(avatars, ["cleo", "ana", "+1: 1 person here"]);
  await unmount();
});

test("a selector over a thousand members that gives the same list renders nothing", async () => {
  const names = reading(() => useOthers((others) => others.map(({ username }) => username)).length);
  const { serve, unmount } = await onLargeBoard(names.element);
  names.renders = 0;
  for (let nth = 0; nth < 20; nth++) await serve({ kind: "user_updated", board: 7, actor: 1 + nth, patch: { status: "idle" } });
  assert.equal(names.renders, 0);
  await unmount();
});
