/** Rules whose absence no run of the simulator shows: a test of the rule itself fails without each of them. The others are in src/run.test.ts. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { testsThatMiss } from "../src/ablate-tests.ts";
import { ABLATIONS } from "../src/ablations.ts";

for (const { rule, missedBy } of ABLATIONS)
  if (missedBy !== undefined)
    test(`[${rule}] without it a test that quotes it fails`, () => {
      assert.notDeepEqual(testsThatMiss(rule, missedBy), []);
    });
