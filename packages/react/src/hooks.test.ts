/** Hooks against the real core in this process: what they read, and that nothing else makes a component render. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { createElement } from "react";
import { advance, onBoard, reader, render, strict } from "../test/rendered.ts";
import { Service } from "../test/service.ts";
import { useOthers } from "./index.ts";

test("a component shows the others, and renders for what its selector makes of them alone", async () => {
  const service = await Service.open();
  const names = reader(() => useOthers((others) => others.map(({ username }) => username)));
  const { container, unmount } = await render(strict(onBoard(service.presence(), createElement(names.Reader))));
  assert.equal(container.textContent, "[]");
  const ana = service.presence().board("desk", { username: "Ana" });
  await advance(service, 1_000);
  assert.equal(container.textContent, '["Ana"]');
  const { renders } = names;
  ana.update({ tool: "pen" });
  ana.moveCursor(0.5, 0.5);
  await advance(service);
  assert.equal(names.renders, renders);
  await unmount();
});
