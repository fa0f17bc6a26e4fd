/**
 * The rules as models, verified in all runs within small bounds: `npm run model` has larger ones. Needs spin and cc.
 * Runs alone: a verifier uses all cores.
 */

import assert from "node:assert/strict";
import { availableParallelism } from "node:os";
import { suite, test } from "node:test";
import { OFF, off, WHOLE } from "../src/model/rules.ts";
import { verify } from "../src/model/verify.ts";

/** The largest take half a minute on a quiet machine. */
const timeout = 300_000;

suite("models", { concurrency: availableParallelism() }, () => {
  for (const { model, settings } of WHOLE)
    test(`the model ${[model, ...settings].join(" ")} keeps its promises in every run`, { timeout }, async () => {
      const { states, wrong } = await verify(model, settings);
      assert.equal(wrong, undefined);
      assert.ok(states > 1_000, `${states} states are too few: something never happens`);
    });

  for (const { clause, model, settings = [] } of OFF)
    test(`[${clause}] without it the model ${[model, ...settings].join(" ")} has a run that breaks a promise`, { timeout }, async () => {
      const { wrong } = await verify(model, [...settings, off(clause)]);
      assert.match(wrong ?? "nothing is wrong", /^(assertion violated|acceptance cycle|invalid end state)/);
    });
});
