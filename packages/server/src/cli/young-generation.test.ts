/** In a process of its own, with and without the bound: how large V8 makes its young generation while much of what is made stays for a while. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { boundYoungGeneration, YOUNG_BYTES_MAX, youngBytes } from "./young-generation.ts";

const ROLE = process.env["YOUNG_GENERATION"];
const MADE = 400_000;
const HELD = 100_000;
const A_TURN = 500;

/** The most that it took, as thousands connect: each object stays until many more have come. */
async function largest(): Promise<number> {
  const held: object[] = [];
  let most = 0;
  for (let nth = 0; nth < MADE; nth++) {
    held[nth % HELD] = { nth, text: [nth, nth, nth, nth] };
    if (nth % A_TURN > 0) continue;
    await new Promise(setImmediate);
    most = Math.max(most, youngBytes());
  }
  return most;
}

if (ROLE !== undefined) {
  if (ROLE === "bounded") boundYoungGeneration();
  console.log(await largest());
} else
  test("the young generation of V8 stays below its bound, where it would grow beyond", async (t) => {
    const of = async (role: string) => {
      const { stdout, stderr } = await promisify(execFile)(
        process.execPath,
        ["--conditions=presence-source", fileURLToPath(import.meta.url)],
        { env: { ...process.env, YOUNG_GENERATION: role, NODE_OPTIONS: "" } },
      );
      assert.equal(stderr, "");
      return Number(stdout);
    };
    const [bounded, free] = [await of("bounded"), await of("free")];
    t.diagnostic(`${bounded} bytes, and ${free} without the bound`);
    assert.ok(bounded <= YOUNG_BYTES_MAX && free > YOUNG_BYTES_MAX, `${bounded} bytes, and ${free} without the bound`);
  });
