/**
 * The load generator runs and its figures are plausible. Speed is not judged here.
 * Runs alone: its figures would mean nothing beside others.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Results } from "../src/peers/output.ts";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const PEERS_CLI = fileURLToPath(new URL("../src/peers/cli.ts", import.meta.url));
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

test("a comparison, without peers: moves and joins are measured, and written as pages, JSON and pictures", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence-peers-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const options = "--scenario hot-board,join-storm --scale 0.05 --repeats 1 --seconds 1 --warm-up 0.5 --late-max 60000".split(" ");
  const args = ["--conditions=presence-source", PEERS_CLI, ...options, "--peers", "", "--write", folder];
  await exec(process.execPath, args, { timeout: 100_000 });
  const figuresOf = (scenario: string) => {
    const { comparisons } = JSON.parse(readFileSync(join(folder, `${scenario}.json`), "utf8")) as Results;
    return comparisons[0]?.entries.find(({ name }) => name === "ours")?.runs[0]?.figures ?? assert.fail(`no good run of ${scenario}`);
  };
  // 100 moves, each seen by four others; on a busy machine later ones replace earlier ones.
  for (const name of ["cpu", "crossP50", "localP99", "arrived"] as const) assert.ok((figuresOf("hot-board")[name] ?? 0) > 0, name);
  for (const name of ["joinP50", "joinP99", "stormKb"] as const) assert.ok((figuresOf("join-storm")[name] ?? 0) > 0, name);
  for (const scenario of ["hot-board", "join-storm"]) {
    assert.match(readFileSync(join(folder, `${scenario}.svg`), "utf8"), /^<svg .*<\/svg>\n$/s);
    assert.match(readFileSync(join(folder, `${scenario}.md`), "utf8"), /^# .*\n\| ours \| \d/s);
  }
});
