/** In a process of its own, as flags of V8 stay, and with V8's own word on which functions are optimized. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { rest, work } from "./compilers.ts";

const IS_CHILD = process.env["COUNT_OPTIMIZED"] === "yes";
/** Several times what makes a function hot; V8 compiles on another thread meanwhile, so between rounds it has its turn. */
const ROUNDS = 200;
const CALLS = 2000;
/** Maglev's and TurboFan's, of V8's `OptimizationStatus`. */
const OPTIMIZED = (1 << 4) | (1 << 5) | (1 << 6);

type Counted = (number: number) => number;

async function isOptimized(): Promise<boolean> {
  const counted = new Function("number", "return (number * 31 + 7) % 1024") as Counted;
  const statusOf = new Function("counted", "return %GetOptimizationStatus(counted)") as (counted: Counted) => number;
  let number = 0;
  for (let round = 0; round < ROUNDS; round++) {
    for (let call = 0; call < CALLS; call++) number = counted(number);
    await new Promise(setImmediate);
    if ((statusOf(counted) & OPTIMIZED) !== 0) return true;
  }
  return false;
}

if (IS_CHILD) {
  const found: boolean[] = [];
  for (const change of [() => {}, rest, work]) {
    change();
    found.push(await isOptimized());
  }
  console.log(JSON.stringify(found));
} else
  test("a function that is hot is optimized, but not while an instance rests", async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--allow-natives-syntax", "--conditions=presence-source", fileURLToPath(import.meta.url)],
      { env: { ...process.env, COUNT_OPTIMIZED: "yes", NODE_OPTIONS: "" } },
    );
    assert.deepEqual([JSON.parse(stdout), stderr], [[true, false, true], ""]);
  });
