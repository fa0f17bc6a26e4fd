/**
 * The load generator runs and its figures are plausible. Speed is not judged here.
 * Runs alone: its figures would mean nothing beside others.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const exec = promisify(execFile);

async function bench(...args: string[]): Promise<Record<string, string>> {
  const { stdout } = await exec(process.execPath, ["--conditions=presence-source", CLI, ...args], { timeout: 60_000 });
  const [titles, , cells] = stdout
    .split("\n")
    .filter((line) => line.startsWith("|"))
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return Object.fromEntries((titles ?? []).map((title, nth) => [title, cells?.[nth] ?? ""]));
}

for (const protocol of ["binary", "classic"]) {
  test(`a short run, ${protocol}: updates arrive from both instances and are timed`, async () => {
    const row = await bench("--users", "3", "--board", "3", "--seconds", "1", "--warm-up", "0.5", "--protocol", protocol);
    assert.deepEqual([row["protocol"], row["users"], row["boards"]], [protocol, "2 × 3", "2"]);
    // 120 moves a second, each seen by two clients.
    assert.ok(Number(row["updates/s delivered"]) > 100, JSON.stringify(row));
    for (const latency of ["local p50 / p99 ms", "cross p50 / p99 ms"]) assert.match(row[latency] ?? "", /^\d+\.\d \/ \d+\.\d$/);
    assert.ok(Number(row["bytes per update"]) >= 5, JSON.stringify(row));
  });
}
