import assert from "node:assert/strict";
import { test } from "node:test";
import { TROUBLE_NAMES } from "./faults.ts";
import { runSchedule } from "./run.ts";
import { drawSchedule, SIZES } from "./schedule.ts";
import { transplanting } from "./transplants.ts";

test("a core that is written down and brought back in the middle of a run goes on as before, whatever the trouble", () => {
  const done = { count: 0 };
  for (const trouble of TROUBLE_NAMES) {
    const schedule = drawSchedule(trouble, 1, SIZES.small);
    const { hash } = runSchedule(schedule);
    assert.equal(runSchedule(schedule, { makeCore: transplanting({ seed: 1, share: 0.02 }, done) }).hash, hash, trouble);
  }
  assert.ok(done.count > 1000, `${done.count} transplants`);
});
