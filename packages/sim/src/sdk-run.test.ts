import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeServerBinary } from "@presence-service/protocol";
import { TROUBLE_NAMES } from "./faults.ts";
import { drawSchedule, SIZES } from "./schedule.ts";
import { runWithSdk } from "./sdk-run.ts";

const SEEDS = 2;

for (const trouble of TROUBLE_NAMES)
  test(`[L1] [S6] sim, SDK clients on whole instances, ${trouble}: their events lead to what they show, and afterwards all show who is there`, async () => {
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { findings } = await runWithSdk(drawSchedule(trouble, seed, SIZES.small));
      assert.deepEqual(findings, [], `npm run sim -- --clients sdk --trouble ${trouble} --seed ${seed}`);
    }
  });

test("a seed gives the same run of SDK clients every time, to the last thing that an app is told", async () => {
  const run = (seed: number) => runWithSdk(drawSchedule("everything", seed, SIZES.small));
  const first = await run(1);
  assert.deepEqual(await run(1), first);
  assert.notEqual((await run(2)).hash, first.hash);
});

test("[L1] an SDK client that misses messages is found out", async () => {
  for (const kind of ["user_joined", "user_left", "user_updated", "occupancy"]) {
    let count = 0;
    const misses = (payload: Uint8Array) => decodeServerBinary(payload)?.kind === kind && count++ % 2 === 0;
    let found = false;
    for (let seed = 1; seed <= 10 && !found; seed++)
      found = (await runWithSdk(drawSchedule("none", seed, SIZES.small), { misses })).findings.some(({ broken }) => broken === "L1");
    assert.ok(found, kind);
  }
});
