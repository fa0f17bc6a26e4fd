/** Merge patches as RFC 7396 says, and the one equality that decides what is a change, in the service and in the SDK alike. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "./domain.ts";
import { applyMergePatch, isSame, mergePatchBetween } from "./merge-patch.ts";

/** RFC 7396, appendix A. */
const EXAMPLES: readonly [Json, Json, Json][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test("RFC 7396, all examples", () => {
  for (const [target, patch, result] of EXAMPLES) assert.deepEqual(applyMergePatch(target, patch), result, JSON.stringify([target, patch]));
});

test("values that a patch does not change keep their reference", () => {
  const before = { tool: "pen", view: { x: 1 }, list: [1, { a: 2 }] };
  assert.equal(applyMergePatch(before, { tool: "pen", view: { x: 1, gone: null }, list: [1, { a: 2 }] }), before);
  const after = applyMergePatch(before, { tool: "ink" }) as typeof before;
  assert.equal(after.view, before.view);
  assert.deepEqual(before.tool, "pen");
});

test("nothing reaches a prototype", () => {
  const result = applyMergePatch({}, JSON.parse('{"__proto__":{"isAdmin":true},"constructor":{"x":1}}')) as JsonObject;
  assert.equal(Object.getPrototypeOf(result), Object.prototype);
  assert.deepEqual(Object.keys(result), ["constructor"]);
  assert.equal(({} as Record<string, unknown>)["isAdmin"], undefined);
});

test("the patch between two states leads from one to the other", () => {
  const states: JsonObject[] = [{}, { a: 1 }, { a: { b: 1, c: [1] } }, { a: { c: [1, 2] }, d: "x" }, { d: { e: {} } }];
  for (const from of states) {
    for (const to of states) {
      const patch = mergePatchBetween(from, to);
      assert.deepEqual(patch ? applyMergePatch(from, patch) : from, to);
      if (from === to) assert.equal(patch, undefined);
    }
  }
});

test("equal is equal whatever the order of the keys, also inside of lists; the order of a list counts", () => {
  const ordered = { a: 1, b: { c: 1, d: null }, list: [{ e: 1, f: 2 }] };
  const shuffled = { list: [{ f: 2, e: 1 }], b: { d: null, c: 1 }, a: 1 };
  assert.equal(isSame(ordered, shuffled), true);
  assert.equal(mergePatchBetween(ordered, shuffled), undefined);
  assert.equal(applyMergePatch(ordered, { list: [{ f: 2, e: 1 }] }), ordered);
  assert.deepEqual(mergePatchBetween({ list: [1, 2] }, { list: [2, 1] }), { list: [2, 1] });
});

test("values of different kinds are different", () => {
  const values: (Json | undefined)[] = [
    undefined,
    null,
    false,
    true,
    0,
    1,
    "",
    "0",
    [],
    [0],
    [null],
    [[]],
    {},
    { 0: 0 },
    { a: null },
    { a: [] },
  ];
  for (const [at, a] of values.entries()) {
    for (const [other, b] of values.entries()) assert.equal(isSame(a, b), at === other, JSON.stringify([a, b]));
  }
});
