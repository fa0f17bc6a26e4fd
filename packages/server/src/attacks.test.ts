/** The table of attacks (`npm run attacks`): each names tests that exist, and a defence. */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

type Attack = { readonly threat: string; readonly defence: string; readonly tests: readonly string[] };

const ATTACKS: Attack[] = JSON.parse(readFileSync(new URL("../test/attacks/attacks.json", import.meta.url), "utf8"));

test("each attack has a defence, and tests that exist", () => {
  assert.ok(ATTACKS.length >= 25);
  for (const { threat, defence, tests } of ATTACKS) {
    assert.ok(defence.length > 10 && tests.length > 0, threat);
    for (const path of tests) {
      const file = new URL(path.startsWith("scripts/") ? `../../../${path}` : `../../../packages/${path}`, import.meta.url);
      assert.ok(existsSync(file), `${threat}: ${path}`);
    }
  }
});
