/** The components against the real core in this process: what they draw, when React renders, and that a server can draw them. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { act, createElement, Fragment, Profiler, Suspense } from "react";
import { hydrateRoot } from "react-dom/client";
import { renderToString } from "react-dom/server";
import { advance, onBoard, reading, render, strict } from "../test/rendered.ts";
import { Service } from "../test/service.ts";
import { AvatarStack, ConnectionStatus, Cursors, useCursorArea, useUsers } from "./index.ts";

const EVIL = '<img src=x onerror="document.title=1">';

function Area({ isHidden = false }: { readonly isHidden?: boolean }) {
  const area = useCursorArea<HTMLDivElement>();
  return createElement("div", { ref: area.ref, "data-area": true }, createElement(Cursors, { area, isHidden }));
}

test("cursors appear, move without a render, change with their member and vanish; names are text", async () => {
  const service = await Service.open();
  const ana = service.presence().board("desk", { username: EVIL });
  let commits = 0;
  const presence = service.presence();
  const tree = (isHidden = false) =>
    onBoard(presence, createElement(Profiler, { id: "area", onRender: () => commits++ }, createElement(Area, { isHidden })));
  const { container, show, unmount } = await render(strict(tree()));
  await advance(service, 1_000);
  const cursors = () => [...container.querySelectorAll<HTMLElement>(".presence-cursor")];
  assert.equal(cursors().length, 0);
  ana.moveCursor(0.25, 0.5);
  await advance(service);
  assert.equal(cursors().length, 1);
  assert.match(cursors()[0]?.style.transform ?? "", /^translate\(25\.0\d*cqw, 50\.0\d*cqh\)$/);
  assert.equal(cursors()[0]?.querySelector(".presence-cursor-name")?.textContent, EVIL);
  assert.ok(container.querySelector("img") === null);

  const before = commits;
  for (let at = 0; at <= 20; at++) {
    ana.moveCursor(at / 20, at / 20);
    await advance(service, 50);
  }
  await advance(service);
  assert.match(cursors()[0]?.style.transform ?? "", /^translate\(100\.0+cqw, 100\.0+cqh\)$/);
  assert.equal(commits, before, "21 moves, no render");

  ana.rename("Ana");
  await advance(service, 1_000);
  assert.equal(cursors()[0]?.textContent, "Ana");
  assert.match(cursors()[0]?.style.transform ?? "", /^translate\(100\.0+cqw/, "a render leaves the place alone");
  await show(strict(tree(true)));
  assert.equal(cursors().length, 0);
  await show(strict(tree()));
  assert.equal(cursors().length, 1, "at rest, and shown again");
  ana.hideCursor();
  await advance(service);
  assert.equal(cursors().length, 0);
  ana.moveCursor(0.5, 0.5);
  await advance(service);
  ana.leave();
  await advance(service, 3_000);
  assert.equal(cursors().length, 0);
  await unmount();
});

test("one's own pointer is told as fractions of the area's padding box, once a place, and hidden when it leaves", async () => {
  const service = await Service.open();
  const ana = service.presence().board("desk", { username: "Ana" });
  const seen: string[] = [];
  ana.cursors.subscribe(
    (moves) => {
      for (const { x, y, hidden } of moves) seen.push(hidden ? "hidden" : `${x.toFixed(2)} ${y.toFixed(2)}`);
    },
    { smooth: false },
  );
  const { container, unmount } = await render(onBoard(service.presence(), createElement(Area)));
  await advance(service, 1_000);
  const element = container.querySelector<HTMLElement>("[data-area]") ?? assert.fail();
  // Half as large as it is laid out, with a border of 10.
  const size = { offsetWidth: 220, offsetHeight: 120, clientWidth: 200, clientHeight: 100, clientLeft: 10, clientTop: 10 };
  for (const [name, value] of Object.entries(size)) Object.defineProperty(element, name, { value });
  element.getBoundingClientRect = () => ({ left: 50, top: 50, width: 110, height: 60 }) as DOMRect;
  const point = (type: string, clientX: number, clientY: number) => {
    const event = new Event(type);
    Object.assign(event, { clientX, clientY, pointerType: "mouse" });
    element.dispatchEvent(event);
  };
  point("pointermove", 55 + 25, 55 + 25);
  await advance(service);
  point("pointermove", 55 + 100, 55 + 50);
  await advance(service);
  point("pointerleave", 0, 0);
  await advance(service);
  assert.deepEqual(seen, ["0.25 0.50", "1.00 1.00", "hidden"]);
  assert.equal(element.style.position, "relative", "cursors are placed in it");
  await unmount();
});

test("avatars stand in the order of joining, the row is as wide whoever comes, and the rest is behind a button", async () => {
  const service = await Service.open();
  const selected: string[] = [];
  const shown = createElement(AvatarStack, { max: 2, size: 40, onSelect: ({ username }) => selected.push(username) });
  const { container, unmount } = await render(onBoard(service.presence(), shown));
  await advance(service, 1_000);
  const row = container.querySelector<HTMLElement>(".presence-avatars") ?? assert.fail();
  const avatars = () => [...row.querySelectorAll(".presence-avatar")].map((avatar) => avatar.getAttribute("aria-label"));
  const { width } = row.style;
  assert.deepEqual(avatars(), ["me (you)"]);
  for (const username of ["Ana", "Ben", EVIL]) {
    service.presence().board("desk", { username });
    await advance(service, 500);
  }
  assert.deepEqual(avatars(), ["me (you)", "Ana", "+2: 2 people here"]);
  assert.deepEqual([row.style.width, row.getAttribute("aria-label")], [width, "4 people here"]);
  const [me, ana, rest] = [...row.querySelectorAll<HTMLButtonElement>("button")];
  assert.ok(me && ana && rest);
  const press = (key: string) =>
    act(async () => document.activeElement?.dispatchEvent(new window.KeyboardEvent("keydown", { key, bubbles: true })));
  me.focus();
  await press("ArrowRight");
  assert.ok(document.activeElement === ana);
  await press("End");
  assert.ok(document.activeElement === rest);
  await act(async () => rest.click());
  assert.deepEqual(
    [...row.querySelectorAll(".presence-avatar-list li")].map(({ textContent }) => textContent),
    ["Ben", EVIL],
  );
  assert.equal(rest.getAttribute("aria-expanded"), "true");
  await press("Escape");
  assert.ok(row.querySelector(".presence-avatar-list") === null);
  assert.ok(document.activeElement === rest);
  await act(async () => ana.click());
  assert.deepEqual(selected, ["Ana"]);
  assert.ok(container.querySelector("img") === null);
  await unmount();
});

test("a lost connection is told after a while, to screen readers too, and not at all if it is back by then", async (t) => {
  const service = await Service.open();
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const { container, unmount } = await render(onBoard(service.presence(), createElement(ConnectionStatus, { words: { closed: "Zu" } })));
  const status = container.querySelector('[role="status"]') ?? assert.fail();
  const later = (ms: number) => act(async () => t.mock.timers.tick(ms));
  assert.equal(status.textContent, "");
  await later(5_000);
  assert.equal(status.textContent, "Connecting…");
  await advance(service, 1_000);
  assert.equal(status.textContent, "");
  service.cut();
  await advance(service, 10);
  await later(4_000);
  assert.equal(status.textContent, "");
  await later(1_000);
  assert.equal(status.textContent, "Connection lost. Trying again…");
  service.mend();
  await advance(service, 5_000);
  assert.equal(status.textContent, "");
  await unmount();
});

test("a server draws an empty board without connecting, and a browser takes it over without a warning", async () => {
  const service = await Service.open();
  service.presence().board("desk", { username: "Ana" });
  await advance(service, 1_000);
  const names = () => reading(() => useUsers((users) => users.map(({ username }) => username))).element;
  const presence = service.presence();
  const tree = () =>
    strict(
      onBoard(
        presence,
        createElement(Fragment, null, names(), createElement(Area), createElement(AvatarStack), createElement(ConnectionStatus)),
      ),
    );
  const html = renderToString(tree());
  await advance(service, 2_000);
  assert.match(html, /<pre>\[\]<\/pre>/);
  assert.equal(presence.instanceId, undefined, "a server does not connect");
  const container = document.body.appendChild(document.createElement("div"));
  container.innerHTML = html;
  const said: unknown[][] = [];
  const { error } = console;
  console.error = (...words: unknown[]) => said.push(words);
  try {
    const root = await act(async () => hydrateRoot(container, tree(), { onRecoverableError: (problem) => said.push([problem]) }));
    await advance(service, 1_000);
    assert.equal(container.querySelector("pre")?.textContent, '["Ana","me"]');
    await act(async () => root.unmount());
  } finally {
    console.error = error;
  }
  assert.deepEqual(said, []);
});

test("what is suspended on a board keeps it, and shows the roster of then when it comes", async () => {
  const service = await Service.open();
  const ana = service.presence().board("desk", { username: "Ana" });
  let arrive: (text: string) => void = () => {};
  let title: string | undefined;
  const late = new Promise<string>((resolve) => {
    arrive = resolve;
  }).then((text) => {
    title = text;
  });
  const reader = reading(() => {
    // React 18 has no `use`.
    if (title === undefined) throw late;
    return useUsers((users) => users.map(({ username }) => `${title} ${username}`));
  });
  const tree = onBoard(service.presence(), createElement(Suspense, { fallback: "…" }, reader.element));
  const { container, unmount } = await render(strict(tree));
  await advance(service, 1_000);
  assert.equal(container.textContent, "…");
  assert.deepEqual(
    ana.others.map(({ username }) => username),
    ["me"],
  );
  await act(async () => arrive("Dr."));
  assert.equal(container.textContent, '["Dr. Ana","Dr. me"]');
  await unmount();
});
