/** In a process of its own, as flags of V8 stay, and with V8's own word on which functions are optimized. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { arrived, busy, rest } from "./compilers.ts";

const IS_CHILD = process.env["COUNT_OPTIMIZED"] === "yes";
/** Several times what makes a function hot; V8 compiles on another thread meanwhile, so between rounds it has its turn. */
const ROUNDS = 200;
const CALLS = 2000;
/** Of V8's `OptimizationStatus`. */
const MAGLEV = 1 << 5;
const TURBOFAN = 1 << 6;

type Counted = (number: number) => number;

/** The best that V8 makes of a new function. */
async function madeOf(): Promise<string> {
  const counted = new Function("number", "return (number * 31 + 7) % 1024") as Counted;
  const statusOf = new Function("counted", "return %GetOptimizationStatus(counted)") as (counted: Counted) => number;
  let number = 0;
  let seen = 0;
  for (let round = 0; round < ROUNDS && (seen & TURBOFAN) === 0; round++) {
    for (let call = 0; call < CALLS; call++) number = counted(number);
    await new Promise(setImmediate);
    seen |= statusOf(counted);
  }
  return (seen & TURBOFAN) !== 0 ? "turbofan" : (seen & MAGLEV) !== 0 ? "maglev" : "neither";
}

if (IS_CHILD) {
  // Else its loop would be optimized, with the function inside.
  new Function("caller", "%NeverOptimizeFunction(caller)")(madeOf);
  const found: string[] = [];
  for (const change of [() => {}, rest, arrived, busy]) {
    change();
    found.push(await madeOf());
  }
  console.log(JSON.stringify(found));
} else
  test("a hot function is optimized, but not while an instance rests, and by Maglev alone until somebody moves", async () => {
    const { stdout, stderr } = await promisify(execFile)(
      process.execPath,
      ["--allow-natives-syntax", "--conditions=presence-source", fileURLToPath(import.meta.url)],
      { env: { ...process.env, COUNT_OPTIMIZED: "yes", NODE_OPTIONS: "" } },
    );
    assert.equal(stderr, "");
    // Which compilers a release of Node has differs: 22 has no Maglev by default.
    const [usual, resting, joining, moving]: string[] = JSON.parse(stdout);
    assert.notEqual(usual, "neither");
    assert.deepEqual([resting, moving], ["neither", usual]);
    assert.notEqual(joining, "turbofan");
  });
