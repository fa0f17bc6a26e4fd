import assert from "node:assert/strict";
import { test } from "node:test";
import { grantsIn, mayOn, type Right, readGrants } from "./rights.ts";

const CLAIM = { "doc-42": ["write"], "team-7/*": ["read"], "team-7/plan": ["write", "event"] };

const MAY: readonly (readonly [board: string, rights: readonly Right[]])[] = [
  ["doc-42", ["read", "write"]],
  ["doc-421", []],
  ["doc-4", []],
  ["team-7/notes", ["read"]],
  ["team-7/", ["read"]],
  ["team-7", []],
  ["team-7/plan", ["read", "write", "event"]],
  ["*", []],
];

for (const [board, rights] of MAY) {
  test(`a token of those rights may on ${board}: ${rights.join(", ") || "nothing"}`, () => {
    const grants = grantsIn(CLAIM) ?? assert.fail("the claim is of the form");
    assert.deepEqual(
      (["read", "write", "event"] as const).filter((right) => mayOn(grants, board, right)),
      rights,
    );
  });
}

test("* alone is every board", () => {
  assert(mayOn(grantsIn({ "*": ["read"] }) ?? [], "any:board/at.all", "read"));
});

const WRONG: readonly unknown[] = [
  undefined,
  null,
  "doc-42",
  ["doc-42"],
  7,
  { "doc-42": "write" },
  { "doc-42": ["writes"] },
  { "doc-42": ["write"], "team 7": ["read"] },
  { "doc-*-7": ["read"] },
  { "": ["read"] },
  { "doc-42": ["write", 7] },
];

for (const claim of WRONG) {
  test(`of the claim ${JSON.stringify(claim)} nothing counts`, () => {
    assert.equal(grantsIn(claim), undefined);
  });
}

test("the setting says the same in fewer signs, and a wrong entry makes all of it wrong", () => {
  assert.deepEqual(readGrants("lobby=read, public/*=read+write+event"), [
    { boards: "lobby", rights: ["read"] },
    { boards: "public/*", rights: ["read", "write", "event"] },
  ]);
  for (const text of ["", "lobby", "lobby=", "lobby=red", "lobby=read=write", "lobby=read,", "a b=read", "=read"])
    assert.equal(readGrants(text), undefined, text);
});
