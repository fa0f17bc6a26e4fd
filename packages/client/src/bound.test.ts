import assert from "node:assert/strict";
import { test } from "node:test";
import { atDesk, joined } from "./testing/service.ts";

test("every method that the SDK hands out works when it is taken off its object", async () => {
  const { presence, board, socket } = await atDesk(["ana"]);
  const inputs: Readonly<Record<string, readonly unknown[]>> = {
    moveCursor: [0.5, 0.5],
    update: [{ tool: "ink" }],
    setStatus: ["idle"],
    rename: ["me too"],
    broadcast: ["reaction", 1],
    to: [{ userId: "u-7" }],
    page: [],
    subscribe: [() => {}],
    on: ["user_joined", () => {}],
    area: ["slide-3"],
    look: ["all"],
    follow: [{ memberId: "00".repeat(16) }, () => {}],
    board: ["desk"],
    observe: ["desk"],
    watch: [["desk"]],
  };
  const called: string[] = [];
  for (const object of [board, board.cursors, presence]) {
    const own = Object.getOwnPropertyNames(object);
    const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(object));
    for (const name of new Set([...inherited, ...own])) {
      const isGetter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(object), name)?.get !== undefined;
      const method: unknown = isGetter ? undefined : object[name as keyof typeof object];
      // The methods that end something are called last, below.
      if (typeof method !== "function" || ["constructor", "leave", "close", "hasOwnProperty"].includes(name)) continue;
      if (Object.getPrototypeOf(object) === Object.prototype && inherited.includes(name)) continue;
      // A page is not answered here.
      Promise.resolve(method(...(inputs[name] ?? []))).catch(() => {});
      called.push(name);
    }
  }
  assert.deepEqual(called.sort(), [
    ...[
      "area",
      "board",
      "broadcast",
      "follow",
      "hideCursor",
      "look",
      "moveCursor",
      "observe",
      "on",
      "page",
      "rename",
      "setStatus",
      "snapshot",
      "subscribe",
      "subscribe",
      "to",
      "update",
      "watch",
    ],
  ]);
  // As React's `useSyncExternalStore(board.subscribe, board.snapshot)` does.
  const { subscribe, snapshot, leave } = board;
  let renders = 0;
  const stop = subscribe(() => renders++);
  const before = snapshot();
  socket.serve(joined("desk", []));
  assert.deepEqual([renders, snapshot() !== before], [1, true]);
  stop();
  leave();
  assert.equal(board.status, "closed");
  const { close } = presence;
  close();
  assert.equal(presence.status, "closed");
});
