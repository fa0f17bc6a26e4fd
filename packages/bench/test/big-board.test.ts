/**
 * The measurement of big boards runs, and what it counts is right on a small one. Speed is not judged here.
 * Runs alone: a browser draws for it.
 */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const CLI = fileURLToPath(new URL("../src/big-board/cli.ts", import.meta.url));
const MEMBERS = 40;
/** Two in each area. */
const MOVERS = 20;

/** The rows of the tables, by the first words of their titles. */
async function measure(...args: string[]): Promise<Record<string, string>[]> {
  const options = [
    "--conditions=presence-source",
    CLI,
    "--members",
    String(MEMBERS),
    "--movers",
    String(MOVERS),
    "--seconds",
    "1",
    ...args,
  ];
  const { stdout } = await promisify(execFile)(process.execPath, options, { timeout: 100_000 });
  let titles: string[] = [];
  const rows: Record<string, string>[] = [];
  for (const line of stdout.split("\n").filter((line) => line.startsWith("| "))) {
    const cells = line.split("|").map((cell) => cell.trim());
    if (cells[1] === "members") titles = cells;
    else if (cells[1] !== "---")
      rows.push(Object.fromEntries(titles.map((title, nth) => [title.split(/[:,(]/)[0] ?? "", cells[nth] ?? ""])));
  }
  return rows;
}

test("people who move in areas, and people who come back after each loss", async () => {
  const rows = await measure("--only", "areas,return", "--within", "0.5");
  const load = (what: RegExp) => rows.find(({ load = "", lost = "" }) => what.test(load) || what.test(lost)) ?? assert.fail(String(what));
  const areas = load(/areas/);
  const [least, most] = (areas["of a mover"] ?? "").split(", ").map(Number);
  assert.ok(least && most && least > 0 && most <= 25, "each mover is told of, and no more often than it moves");
  const seen = Number((areas["a viewer is sent"] ?? "").split(",")[0]);
  assert.ok(seen > 0 && seen < Number(areas["moves/s"]) / 3, "a viewer is sent the movers of its area");
  for (const [what, coming] of [
    [/all connections/, MEMBERS],
    [/one of two/, MEMBERS / 2],
    [/the only/, MEMBERS],
  ] as const)
    assert.equal(Number(load(what)["come back"]), coming);
});

test("a page in Chromium", async () => {
  const rows = await measure("--only", "page");
  const moved = rows.find(({ load }) => load === `${MOVERS} move`) ?? assert.fail("no row of moves");
  assert.ok(Number(moved["moves/s told"]) > 0);
  // The page around them has some thirty, and a cursor has five, two of these text.
  assert.ok(Number(moved["DOM nodes"]) < 100 + 8 * MOVERS, moved["DOM nodes"]);
});
