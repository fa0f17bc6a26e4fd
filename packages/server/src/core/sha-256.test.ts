import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { beginningOfSha256 } from "./sha-256.ts";

test("it is what Node says, for texts of all lengths that ids have", () => {
  for (let length = 0; length <= 300; length++) {
    const text = Array.from({ length }, (_, at) => String.fromCharCode(33 + ((at * 31 + length) % 94))).join("");
    assert.equal(beginningOfSha256(text), createHash("sha256").update(text).digest("hex").slice(0, 16), text);
  }
});
