import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json, JsonObject } from "@presence-service/protocol";
import { applyMergePatch, mergePatchBetween } from "./merge-patch.ts";

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
