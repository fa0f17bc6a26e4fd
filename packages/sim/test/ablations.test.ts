/** Rules whose absence no run of the simulator shows: a test of the rule itself fails without each of them. The others are in src/run.test.ts. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { ABLATIONS } from "../src/ablations.ts";

const ABLATING = new URL("../src/ablating.ts", import.meta.url);
const RULES = fileURLToPath(new URL("../../server/src/core", import.meta.url));

/** By whose tests each rule is missed, among those that quote it: `core/rules-….test.ts`. */
const MISSED: readonly (readonly [string, string])[] = [
  ["R4.6", "replication"],
  ["R4.13", "replication"],
  ["R6.2", "repair"],
  ["R7.8", "liveness"],
  ["R7.10", "liveness"],
  ["R9.7", "liveness"],
  ["R9.23", "silence"],
  ["R11.4", "outages"],
  ["R11.11", "sessions"],
  ["R11.18", "sessions"],
  ["R12.1", "sessions"],
  ["R15.7", "occupancy"],
  ["R15.8", "occupancy"],
  ["R15.12", "occupancy"],
];

for (const [rule, subject] of MISSED)
  test(`[${rule}] without it a test that quotes it fails`, () => {
    assert.ok(ABLATIONS.some((one) => one.rule === rule));
    const off = ["--conditions=presence-source", `--import=${ABLATING}?${rule}`];
    const meant = ["--test", "--test-reporter=tap", `--test-name-pattern=\\b${rule.replace(".", "\\.")}\\b`];
    // Without NODE_TEST_CONTEXT it is not taken for a part of this test.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const { stdout } = spawnSync(process.execPath, [...off, ...meant, `${RULES}/rules-${subject}.test.ts`], { encoding: "utf8", env });
    const failures = stdout.split(/^(?=not ok )/m).filter((part) => part.startsWith("not ok "));
    assert.ok(failures.length > 0, stdout);
    // Numbers that contradict each other make any test fail, and prove nothing.
    assert.ok(
      failures.some((failure) => !failure.includes("contradict each other")),
      stdout,
    );
  });
