import assert from "node:assert/strict";
import { test } from "node:test";
import { AdminTokens, readAdminTokens } from "./tokens.ts";

const ONE = "a".repeat(32);
const TWO = "b".repeat(40);

test("a list of tokens: with names, or called by their places; a wrong one makes all of it wrong", () => {
  assert.deepEqual(readAdminTokens(`ops:${ONE}, ${TWO}`), [
    { name: "ops", token: ONE },
    { name: "token-2", token: TWO },
  ]);
  for (const bad of ["", "short", `${ONE},`, `${ONE},short`, `OPS:${ONE}`, `a b${ONE}`, `a:${ONE},a:${TWO}`, Array(9).fill(ONE).join(",")])
    assert.equal(readAdminTokens(bad), undefined, bad);
});

test("only a whole token counts, under its name", () => {
  const tokens = new AdminTokens(readAdminTokens(`ops:${ONE},${TWO}`) ?? []);
  assert.equal(tokens.nameIn(`Bearer ${ONE}`), "ops");
  assert.equal(tokens.nameIn(`bearer ${TWO} `), "token-2");
  for (const wrong of [undefined, "", ONE, `Bearer ${ONE.slice(1)}`, `Bearer ${ONE}a`, `Bearer ops:${ONE}`, `Basic ${ONE}`, "Bearer "])
    assert.equal(tokens.nameIn(wrong), undefined, wrong);
});
