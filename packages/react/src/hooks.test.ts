/** Hooks against the real core in this process: what they read, and that nothing else makes a component render. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Member } from "@presence-service/client";
import { act, createElement, Fragment } from "react";
import { advance, onBoard, reading, render, strict } from "../test/rendered.ts";
import { Service } from "../test/service.ts";
import {
  Board,
  createPresenceHooks,
  PresenceProvider,
  useBoard,
  useBroadcast,
  useEvent,
  useFollow,
  useOccupancy,
  useOthers,
  useSelf,
  useStatus,
  useUpdate,
  useUsers,
} from "./index.ts";

test("a component shows the others, and renders for what its selector makes of them alone", async () => {
  const service = await Service.open();
  const names = reading(() => useOthers((others) => others.map(({ username }) => username)));
  const tools = reading(() => useOthers((others) => others.map(({ state }) => state["tool"] ?? "none")));
  const all = reading(() => useOthers().length);
  const own = reading(() => useSelf((self) => self?.username ?? null));
  const status = reading(() => useStatus());
  const parts = [names, tools, all, own, status];
  const shown = createElement(Fragment, null, ...parts.map(({ element }) => element));
  const { container, unmount } = await render(onBoard(service.presence(), shown));
  const texts = () => [...container.querySelectorAll("pre")].map(({ textContent }) => textContent);
  const renders = () => parts.map((part) => part.renders);
  assert.deepEqual(texts(), ["[]", "[]", "0", "null", '"connecting"']);
  const ana = service.presence().board("desk", { username: "Ana" });
  await advance(service, 1_000);
  assert.deepEqual(texts(), ['["Ana"]', '["none"]', "1", '"me"', '"connected"']);

  let before = renders();
  for (let at = 0; at < 20; at++) {
    ana.moveCursor(at / 20, 0.5);
    await advance(service, 50);
  }
  assert.deepEqual(renders(), before, "cursors make nothing render");

  ana.update({ tool: "pen" });
  await advance(service);
  assert.deepEqual(texts(), ['["Ana"]', '["pen"]', "1", '"me"', '"connected"']);
  const [namesBefore = 0, toolsBefore = 0, allBefore = 0, ...rest] = before;
  assert.deepEqual(renders(), [namesBefore, toolsBefore + 1, allBefore + 1, ...rest]);

  before = renders();
  service.presence().board("desk", { username: "Ben" });
  await advance(service, 1_000);
  assert.deepEqual(texts(), ['["Ana","Ben"]', '["pen","none"]', "2", '"me"', '"connected"']);
  assert.deepEqual(renders().slice(3), before.slice(3), "the status and oneself are as they were");
  await unmount();
});

test("an equality of one's own decides, and a selector is always that of the last render", async () => {
  const service = await Service.open();
  let key = "tool";
  const roughly = reading(() =>
    useOthers(
      (others) => others.length,
      (a, b) => Math.abs(a - b) < 2,
    ),
  );
  const keyed = reading(() => useSelf((self) => self?.state[key] ?? null));
  const tree = () =>
    onBoard(presence, createElement(Fragment, null, roughly.element, createElement(keyed.element.type, keyed.element.props as never)));
  const presence = service.presence();
  const { container, show, unmount } = await render(tree());
  const board = presence.board("desk");
  board.update({ tool: "pen", size: 3 });
  service.presence().board("desk");
  await advance(service, 1_000);
  assert.equal(container.textContent, '0"pen"');
  key = "size";
  await show(tree());
  assert.equal(container.textContent, "03");
  service.presence().board("desk");
  await advance(service, 1_000);
  assert.equal(container.textContent, "23");
  await unmount();
});

test("StrictMode, a new key and a moved component: the board is not left, and the others see no leave", async () => {
  const service = await Service.open();
  const watcher = service.presence().board("desk", { username: "Ana" });
  const presence = service.presence();
  const tree = (key: string) =>
    strict(
      createElement(
        PresenceProvider,
        { client: presence },
        createElement(
          Board,
          { key, id: "desk", username: "me" },
          reading(() => useUsers((users) => users.map(({ username }) => username))).element,
        ),
      ),
    );
  const { container, show, unmount } = await render(tree("one"));
  await advance(service, 1_000);
  const left: string[] = [];
  const joined: string[] = [];
  watcher.on("user_left", ({ member }) => left.push(member.username));
  watcher.on("user_joined", ({ member }) => joined.push(member.username));
  assert.equal(container.textContent, '["Ana","me"]');
  await show(tree("two"));
  assert.equal(container.textContent, '["Ana","me"]', "the new board is there at once");
  await advance(service, 3_000);
  await show(null);
  await advance(service, 900);
  await show(tree("three"));
  await advance(service, 3_000);
  assert.deepEqual([left, joined], [[], []]);
  await unmount();
  await advance(service, 2_000);
  assert.deepEqual(left, ["me"], "a component that stays away leaves");
});

test("another id is another board; another username is a rename", async () => {
  const service = await Service.open();
  const [one, two] = ["one", "two"].map((id) => service.presence().board(id, { username: "Ana" }));
  const presence = service.presence();
  const { show, unmount } = await render(onBoard(presence, null, "one"));
  await advance(service, 1_000);
  const names = () => [one, two].map((board) => board?.others.map(({ username }) => username).join());
  assert.deepEqual(names(), ["me", ""]);
  await show(onBoard(presence, null, "one", "Mia"));
  await advance(service, 1_000);
  assert.deepEqual(names(), ["Mia", ""]);
  await show(onBoard(presence, null, "two", "Mia"));
  await advance(service, 3_000);
  assert.deepEqual(names(), ["", "Mia"]);
  await unmount();
});

test("update, broadcast and events: functions stay the same, the listener is that of the last render, and what is said early waits", async () => {
  const service = await Service.open();
  const ana = service.presence().board("desk", { username: "Ana" });
  const heard: string[] = [];
  ana.on("wave", ({ member, data }) => heard.push(`${member.username} ${JSON.stringify(data)}`));
  const functions = new Set<unknown>();
  const seen: string[] = [];
  let round = "first";
  let wave: ReturnType<typeof useBroadcast> = () => false;
  const speaker = () =>
    reading(() => {
      const update = useUpdate();
      wave = useBroadcast();
      const [mine] = [round];
      useEvent("wave", ({ member }) => seen.push(`${mine} ${member.username}`));
      useEvent("user_joined", ({ member }) => seen.push(`joined ${member.username}`));
      for (const each of [update, wave]) functions.add(each);
      update({ tool: "pen" });
      return null;
    }).element;
  const presence = service.presence();
  const { show, unmount } = await render(onBoard(presence, speaker()));
  await advance(service, 1_000);
  assert.deepEqual(ana.others[0]?.state, { tool: "pen" }, "said before the board was taken");
  assert.equal(wave("wave", { hand: 1 }), true);
  ana.broadcast("wave", {});
  await advance(service);
  round = "second";
  await show(onBoard(presence, speaker()));
  ana.broadcast("wave", {});
  assert.equal(wave("wave", { hand: 2 }, { userId: "nobody" }), true);
  await advance(service);
  assert.deepEqual(heard, ['me {"hand":1}']);
  assert.deepEqual(seen, ["joined Ana", "first Ana", "second Ana"]);
  assert.equal(functions.size, 2);
  await unmount();
});

test("occupancy: of the board above, and of boards in a list, which nobody enters", async () => {
  const service = await Service.open();
  service.presence().board("one");
  service.presence().board("desk");
  const here = reading(() => useOccupancy());
  const there = reading(() => [...useOccupancy(["one", "none"])]);
  const list = createElement(PresenceProvider, { client: service.presence() }, there.element);
  const { container, unmount } = await render(createElement(Fragment, null, onBoard(service.presence(), here.element), list));
  await advance(service, 3_000);
  const texts = [...container.querySelectorAll("pre")].map(({ textContent }) => textContent);
  assert.deepEqual(texts, ['{"members":2,"users":2}', '[["one",{"members":1,"users":1}],["none",{"members":0,"users":0}]]']);
  await unmount();
});

test("a board that the app leaves itself shows nobody any more, and unmounting it is nothing new", async () => {
  const service = await Service.open();
  service.presence().board("desk", { username: "Ana" });
  let board: ReturnType<typeof useBoard> = null;
  const others = reading(() => {
    board = useBoard();
    return useOthers((all) => all.map(({ username }) => username));
  });
  const status = reading(() => useStatus());
  const { container, unmount } = await render(onBoard(service.presence(), createElement(Fragment, null, others.element, status.element)));
  await advance(service, 1_000);
  assert.equal(container.textContent, '["Ana"]"connected"');
  await act(async () => (board as ReturnType<typeof useBoard>)?.leave());
  assert.equal(container.textContent, '[]"closed"');
  const { renders } = others;
  await unmount();
  assert.equal(others.renders, renders);
});

test("following: renders when the member is another one, tells each move, and ends with one's own pointer", async () => {
  const service = await Service.open();
  const ana = service.presence().board("desk", { username: "Ana" });
  const places: (number | undefined)[] = [];
  let started: ReturnType<typeof useFollow> | undefined;
  let board: ReturnType<typeof useBoard> = null;
  const follower = reading(() => {
    board = useBoard();
    started = useFollow(({ cursor }) => places.push(cursor?.x));
    return started.following?.username ?? null;
  });
  const { container, unmount } = await render(onBoard(service.presence(), follower.element));
  await advance(service, 1_000);
  const [member] = (board as ReturnType<typeof useBoard>)?.others ?? [];
  assert.ok(member);
  await act(async () => started?.follow(member));
  assert.equal(container.textContent, '"Ana"');
  const { renders } = follower;
  for (let at = 1; at <= 5; at++) {
    ana.moveCursor(at / 10, 0.5);
    await advance(service, 100);
  }
  await advance(service);
  assert.equal(follower.renders, renders);
  assert.ok(Math.abs((places.at(-1) ?? 0) - 0.5) < 0.001);
  await act(async () => (board as ReturnType<typeof useBoard>)?.moveCursor(0.1, 0.1));
  await advance(service);
  assert.equal(container.textContent, "null");
  await unmount();
});

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? unknown : never;
/** The compiler refuses a value of any other type, `any` included. */
const exactly =
  <Wanted>() =>
  <Given>(_value: Given & Same<Wanted, Given>) => {};

test("types: a client's State and Events are those of its hooks", async () => {
  const service = await Service.open();
  type State = { tool: "pen" | "select" };
  type Events = { wave: { hand: number } };
  const typed = createPresenceHooks(service.presence<State, Events>());
  const reader = reading(() => {
    const update = typed.useUpdate();
    const broadcast = typed.useBroadcast();
    const tools: readonly ("pen" | "select")[] = typed.useOthers((others) => others.map(({ state }) => state.tool));
    typed.useEvent("wave", ({ data }) => data.hand satisfies number);
    exactly<number>()(typed.useOthers((others) => others.length));
    exactly<readonly Member<State>[]>()(typed.useOthers());
    exactly<"pen" | "select" | undefined>()(typed.useSelf((self) => self?.state.tool));
    exactly<string[]>()(typed.useUsers((users) => users.map(({ username }) => username)));
    // @ts-expect-error: there is no such tool
    void (() => update({ tool: "hammer" }));
    // @ts-expect-error: there is no such event
    void (() => broadcast("shout", {}));
    return tools;
  });
  // @ts-expect-error: this State needs a tool from the start
  void (() => createElement(typed.Board, { id: "desk" }));
  const tree = createElement(
    typed.PresenceProvider,
    null,
    createElement(typed.Board, { id: "desk", state: { tool: "pen" } }, reader.element),
  );
  const { container, unmount } = await render(tree);
  service.presence<State>().board("desk", { state: { tool: "select" } });
  await advance(service, 1_000);
  assert.equal(container.textContent, '["select"]');
  await unmount();
});

test("a hook without its parent says what is missing", async () => {
  const { error } = console;
  console.error = () => {};
  try {
    await assert.rejects(render(reading(() => useSelf()).element), /no <Board id="…"> above/);
    await assert.rejects(render(createElement(Board, { id: "desk" })), /no <PresenceProvider client=\{presence\}> above/);
  } finally {
    console.error = error;
  }
});
