/** The manners of the tools that are run by hand: they say what they can do, and refuse what they do not know in a sentence. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ROOT } from "./repository.ts";

const TOOLS = ["attacks", "conformance", "faults", "fuzz", "image", "model", "multitude", "peace", "runtimes", "sim"];

const BENCH = join(ROOT, "packages/bench");
const BENCH_SCRIPTS: Record<string, string> = JSON.parse(readFileSync(join(BENCH, "package.json"), "utf8")).scripts;

type Tool = { readonly tool: string; readonly folder: string; readonly args: readonly string[] };

const ALL: readonly Tool[] = [
  ...TOOLS.map((tool) => ({ tool, folder: ROOT, args: [`scripts/${tool}.js`] })),
  ...Object.entries(BENCH_SCRIPTS).map(([tool, script]) => ({ tool, folder: BENCH, args: script.split(" ").slice(1) })),
];
function start({ folder, args }: Tool, options: readonly string[]) {
  return spawnSync(process.execPath, [...args, ...options], { cwd: folder, encoding: "utf8" });
}

for (const one of ALL) {
  const { tool } = one;
  const run = (option: string) => start(one, [option]);
  test(`${tool}: --help prints its usage, and another option is refused in a sentence`, () => {
    const helped = run("--help");
    assert.equal(helped.status, 0, helped.stderr);
    assert.match(helped.stdout, new RegExp(`npm run ${tool}`));
    const refused = run("--nonsense");
    assert.equal(refused.status, 64, refused.stderr);
    assert.match(refused.stderr, /Unknown option '--nonsense'/);
    assert.doesNotMatch(refused.stderr, /^\s+at /m);
  });
}

const WRONG: readonly (readonly [tool: string, options: readonly string[], says: RegExp])[] = [
  ["attacks", ["no such threat"], /no threat has no such threat in it/],
  ["bench", ["--users", "many"], /--users is many; it must be a number above 0/],
  ["faults", ["--only", "no such fault"], /no fault has no such fault in its name/],
  ["fuzz", ["--inputs", "many"], /--inputs must be a number/],
  ["multitude", ["--instances", "many"], /--instances is many; it must be a number/],
  ["paired", ["--with", "RECORDER_BYTES"], /--with is RECORDER_BYTES; it must be NAME=VALUE/],
  ["peace", ["--hours", "many"], /--hours is many; it must be a number/],
  ["runtimes", ["22"], /22 is no version of Node; name it in full/],
  ["runtimes", ["22.18.0", "../elsewhere"], /elsewhere is no version of Node/],
  ["sim", ["--clients", "sdk", "--ablate", "R6"], /--ablate is for the clients of the model/],
];

for (const [tool, options, says] of WRONG)
  test(`${tool} ${options.join(" ")}: a value that means nothing is refused in a sentence`, () => {
    const refused = start(ALL.find((one) => one.tool === tool) as Tool, options);
    assert.equal(refused.status, 64, refused.stderr);
    assert.match(refused.stderr, says);
    assert.doesNotMatch(refused.stderr, /^\s+at /m);
  });
