/** The parts of the page that need no browser. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inkOn } from "./colour.ts";
import { readReaction } from "./reactions.ts";

test("text on a colour is black or white, whichever can be read", () => {
  assert.equal(inkOn("#ffffff"), "#000");
  assert.equal(inkOn("#facc15"), "#000");
  assert.equal(inkOn("#1d4ed8"), "#fff");
  assert.equal(inkOn("#000000"), "#fff");
});

test("a reaction of somebody else is shown only if it is one of ours, on the board", () => {
  assert.deepEqual(readReaction({ emoji: "🎉", x: 0, y: 1, more: 1 }), { emoji: "🎉", x: 0, y: 1 });
  for (const bad of [
    null,
    undefined,
    1,
    "🎉",
    [],
    {},
    { emoji: "<b>", x: 0, y: 0 },
    { emoji: "🎉", x: 2, y: 0 },
    { emoji: "🎉", x: "0", y: 0 },
    { emoji: "🎉", x: Number.NaN, y: 0 },
  ]) {
    assert.equal(readReaction(bad), undefined);
  }
});
