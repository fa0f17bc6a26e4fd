/**
 * All checks except the tests with real processes, in under a minute: format, lint, types, dead code, then the form of the
 * code (tidy) and the fast tests. All are run even if one fails, so that one run shows everything to fix.
 */

import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { node24, ROOT } from "./node-24.js";
import "./setup.js";

const node = node24();
const bin = join(ROOT, "node_modules/.bin");

/** Name, program, arguments. @type {[string, string, string[]][]} */
const steps = [
  ["format and lint", join(bin, "biome"), ["check", "--error-on-warnings"]],
  ["types", node, ["scripts/types.js"]],
  ["dead code", node, [join(ROOT, "node_modules/knip/bin/knip.js"), "--no-progress", "--no-config-hints"]],
  ["tidy and fast tests", node, ["scripts/test.js", "--fast"]],
];

const failed = steps.filter(([name, program, args]) => {
  console.log(`\n${name}`);
  const startedAt = performance.now();
  const { status, error } = spawnSync(program, args, { cwd: ROOT, stdio: "inherit" });
  const isFine = status === 0;
  console.log(
    `${isFine ? "✓" : "✗"} ${name}, ${((performance.now() - startedAt) / 1000).toFixed(1)} s${error ? `: ${error.message}` : ""}`,
  );
  return !isFine;
});

console.log(failed.length === 0 ? "\nAll fine." : `\nNot fine: ${failed.map(([name]) => name).join(", ")}.`);
process.exitCode = failed.length === 0 ? 0 : 1;
