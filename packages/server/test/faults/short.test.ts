/**
 * The fault suite in short: the faults that happen most, on one Redis. `npm run faults` is the whole of it.
 * Runs alone: its promises are times, under load.
 */

import assert from "node:assert/strict";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { FAULTS } from "./faults.ts";
import type { Entry } from "./log.ts";
import { lineOf } from "./report.ts";
import { runFaults } from "./run.ts";

const SHORT = ["instance kill -9", "Redis kill -9, back after 3 s", "CLIENT KILL of subscribers"];

test("[R7] [R9] faults under load keep what is promised", { timeout: 110_000 }, async (t) => {
  const faults = SHORT.map((name) => FAULTS.find((fault) => fault.name === name) ?? assert.fail(`there is no ${name}`));
  const entries: Entry[] = [];
  const verdicts = await runFaults(t, {
    topology: "standalone",
    faults,
    peaceMs: 1000,
    onEntry: (entry) => entries.push(entry),
    onVerdict: (verdict) => t.diagnostic(lineOf(verdict)),
    onRecordings: (files) => t.diagnostic(`what the instances were told, for npm run sim -- --replay: ${files.join(", ")}`),
  });
  if (verdicts.some(({ broken }) => broken.length > 0)) {
    const path = join(mkdtempSync(join(tmpdir(), "presence-faults-")), "short.jsonl");
    writeFileSync(path, entries.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
    t.diagnostic(`what clients did and saw, for npm run faults -- --judge: ${path}`);
  }
  assert.deepEqual(
    verdicts.flatMap(({ fault, broken }) => broken.map((sentence) => `${fault}: ${sentence}`)),
    [],
  );
  assert.equal(verdicts.length, SHORT.length);
});
