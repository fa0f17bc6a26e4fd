/** The manners of the tools that are run by hand: they say what they can do, and refuse what they do not know in a sentence. */

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { ROOT } from "./repository.ts";

const TOOLS = ["attacks", "conformance", "faults", "fuzz", "image", "model", "multitude", "peace", "runtimes", "sim"];

function run(tool: string, option: string) {
  return spawnSync(process.execPath, [`scripts/${tool}.js`, option], { cwd: ROOT, encoding: "utf8" });
}

for (const tool of TOOLS) {
  test(`${tool}: --help prints its usage, and another option is refused in a sentence`, () => {
    const helped = run(tool, "--help");
    assert.equal(helped.status, 0, helped.stderr);
    assert.match(helped.stdout, new RegExp(`npm run ${tool}`));
    const refused = run(tool, "--nonsense");
    assert.equal(refused.status, 64, refused.stderr);
    assert.match(refused.stderr, /Unknown option '--nonsense'/);
    assert.doesNotMatch(refused.stderr, /^\s+at /m);
  });
}
