/**
 * The load generator runs and its figures are plausible. Speed is not judged here.
 * Runs alone: its figures would mean nothing beside others.
 */

import assert from "node:assert/strict";
import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { peersNamed, thoseHere } from "../src/peers/contenders.ts";
import type { Results } from "../src/peers/output.ts";

const CLI = fileURLToPath(new URL("../src/cli.ts", import.meta.url));
const SYSTEM_CALLS = fileURLToPath(new URL("../src/system-calls.ts", import.meta.url));
const PEERS_CLI = fileURLToPath(new URL("../src/peers/cli.ts", import.meta.url));
const AFFINITY_CLI = fileURLToPath(new URL("../src/affinity.ts", import.meta.url));
const REST_CLI = fileURLToPath(new URL("../src/rest.ts", import.meta.url));
const exec = promisify(execFile);

const bench = async (...args: string[]) => (await rowsOf(CLI, ...args))[0] ?? {};

/** The rows of the first table that it prints: cells by title. */
async function rowsOf(cli: string, ...args: string[]): Promise<Record<string, string>[]> {
  const { stdout } = await exec(process.execPath, ["--conditions=presence-source", cli, ...args], { timeout: 100_000 });
  const [titles = [], , ...rows] = (/(?:^\|.*\n)+/m.exec(stdout)?.[0] ?? "")
    .split("\n")
    .filter(Boolean)
    .map((line) => line.split("|").map((cell) => cell.trim()));
  return rows.map((cells) => Object.fromEntries(titles.map((title, nth) => [title, cells[nth] ?? ""])));
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

test("affinity: each move of people who are spread is a publish that four instances hear, and of people on one instance none is", async () => {
  const [spread = {}, affinity = {}] = await rowsOf(AFFINITY_CLI, ..."--repeats 1 --seconds 3 --warm-up 1 --late-max 60000".split(" "));
  // Eight heartbeats a second, and 200 moves; on a busy machine later ones replace earlier ones.
  assert.ok(Number(spread["publishes/s"]) > 50, JSON.stringify(spread));
  const [delivered, published] = [Number(spread["messages/s that Redis delivers"]), Number(spread["publishes/s"])];
  assert.ok(Math.abs(delivered / published - 4) < 0.4, JSON.stringify(spread));
  assert.ok(Number(affinity["publishes/s"]) < 15, JSON.stringify(affinity));
  assert.equal(affinity["cross p50 ms"], "–");
});

test("rest: Redis counts two publishes a second of an instance", async () => {
  const [idle = {}] = await rowsOf(REST_CLI, ..."--instances 2 --sizes 2 --boards 10 --settle 1 --seconds 5".split(" "));
  assert.ok(Math.abs(Number(idle["publishes"]) - 2) < 0.3, JSON.stringify(idle));
  // Of messages, and the protocol of Redis around them.
  assert.ok(Number(idle["bytes that Redis reads"]) < 200, JSON.stringify(idle));
});

const isCounted = spawnSync("perf", ["stat", "-e", "raw_syscalls:sys_enter", "--", "true"]).status === 0;
test("what a move costs in calls of the system: an instance reads and writes, and so does the least that Node does", {
  skip: isCounted ? false : "perf cannot count calls of the system here",
}, async () => {
  const options = ["--peers", "", "--board", "4", "--repeats", "1", "--seconds", "1", "--warm-up", "0.5"];
  const rows = await rowsOf(SYSTEM_CALLS, ...options);
  for (const name of ["ours: instances", "ours: Redis", "ours, alone: instances", "bare: instances", "bare, one link: Redis"]) {
    const row = rows.find((row) => row["per move"] === name);
    for (const kind of ["epoll", "reads", "writes"]) assert.ok(Number(row?.[kind]) > 0, `${kind} of ${name}: ${JSON.stringify(rows)}`);
  }
});

const isCentrifugoHere = thoseHere(peersNamed(["centrifugo"])).length > 0;
test("Centrifugo: each move arrives at each other member, once", {
  skip: isCentrifugoHere ? false : "centrifugo is not on the PATH",
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence-peers-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const options =
    "--scenario small-boards,join-storm --peers centrifugo --scale 0.05 --repeats 1 --seconds 1 --warm-up 0.5 --late-max 60000".split(" ");
  await exec(process.execPath, ["--conditions=presence-source", PEERS_CLI, ...options, "--write", folder], { timeout: 100_000 });
  const figuresOf = (scenario: string) =>
    (JSON.parse(readFileSync(join(folder, `${scenario}.json`), "utf8")) as Results).comparisons.map(
      ({ entries }) => entries.find(({ name }) => name === "centrifugo")?.runs[0]?.figures ?? assert.fail(`no good run of ${scenario}`),
    );
  for (const { arrived } of figuresOf("small-boards")) assert.equal(arrived, 100);
  for (const { joinP50 = 0 } of figuresOf("join-storm")) assert.ok(joinP50 > 0);
});

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
