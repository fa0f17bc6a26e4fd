/** The same tests of hooks and components with React 18. All others run with React 19. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const FILES = ["hooks", "parts"].map((name) => `packages/react/src/${name}.test.ts`);
const TESTS_MIN = 10;
const OPTIONS = ["--conditions=presence-source", `--import=${new URL("./as-react-18.ts", import.meta.url).href}`];
const VERSIONS = `for (const name of ["react", "react-dom"]) console.log((await import(name)).version);`;

test("hooks and components work with React 18", { timeout: 90_000 }, async (t) => {
  assert.match(await runNode("--input-type=module", "--eval", VERSIONS), /^18\.\S+\n18\.\S+\n$/);
  const told = await runNode("--test", "--test-reporter=tap", ...FILES);
  const passed = Number(/^# pass (\d+)$/m.exec(told)?.[1]);
  assert.ok(passed >= TESTS_MIN, told);
  t.diagnostic(`${passed} tests`);
});

async function runNode(...args: string[]): Promise<string> {
  const env: NodeJS.ProcessEnv = { ...process.env, NODE_OPTIONS: "" };
  // With it the tests would report to the process that runs this one.
  delete env["NODE_TEST_CONTEXT"];
  const running = promisify(execFile)(process.execPath, [...OPTIONS, ...args], { cwd: ROOT, env });
  const { stdout } = await running.catch((failed) => assert.fail(`${failed.stdout}${failed.stderr}`));
  return stdout;
}
