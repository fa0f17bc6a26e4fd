/** Switches a rule off and runs the tests that quote it: for rules whose absence no run of the simulator shows. */

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";

const ABLATING = new URL("./ablating.ts", import.meta.url);
const RULES = fileURLToPath(new URL("../../server/src/core", import.meta.url));

/** The names of the tests in `core/rules-….test.ts` that fail without the rule. Numbers that contradict each other fail any test, and do not count. */
export function testsThatMiss(rule: string, subject: string): string[] {
  const off = ["--conditions=presence-source", `--import=${ABLATING}?${rule}`];
  const meant = ["--test", "--test-reporter=tap", `--test-name-pattern=\\b${rule.replace(".", "\\.")}\\b`];
  // Without NODE_TEST_CONTEXT it is not taken for a part of a test that calls this.
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const { stdout } = spawnSync(process.execPath, [...off, ...meant, `${RULES}/rules-${subject}.test.ts`], { encoding: "utf8", env });
  return stdout
    .split(/^(?=(?:not )?ok )/m)
    .filter((part) => part.startsWith("not ok ") && !part.includes("contradict each other"))
    .map((part) => /^not ok \d+ - (.*)/.exec(part)?.[1] ?? part);
}
