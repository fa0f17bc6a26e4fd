/** The tests of docs/guides/testing.md, run as an app would run them: by Node, and by Vitest. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const VITEST = `export default { resolve: { conditions: ["presence-source"] }, ssr: { resolve: { conditions: ["presence-source", "node"], externalConditions: ["presence-source", "node"] } } };`;

test("the tests of the guide pass", { timeout: 120_000 }, async (t) => {
  const app = mkdtempSync(join(tmpdir(), "presence-guide-"));
  t.after(() => rmSync(app, { recursive: true, force: true }));
  symlinkSync(join(ROOT, "node_modules"), join(app, "node_modules"));
  writeFileSync(join(app, "package.json"), JSON.stringify({ private: true, type: "module" }));
  const guide = readFileSync(join(ROOT, "docs/guides/testing.md"), "utf8");
  for (const [, language, name, code = ""] of guide.matchAll(/^```(tsx?) file=([\w.-]+)\n([\s\S]*?)^```$/gm))
    writeFileSync(join(app, `${name}.${language}`), code);
  const env = { PATH: process.env["PATH"], CI: "true" };
  const node = await run(process.execPath, ["--conditions=presence-source", "--test", "presence.test.ts"], { cwd: app, env });
  assert.match(node.stdout, /pass 1\n/);
  writeFileSync(join(app, "vitest.config.js"), VITEST);
  const vitest = ["--conditions=presence-source", join(ROOT, "node_modules/vitest/vitest.mjs"), "run", "--no-color", "backend", "people"];
  const { stdout } = await run(process.execPath, vitest, { cwd: app, env }).catch((error) => assert.fail(`${error.stdout}${error.stderr}`));
  assert.match(stdout, /Tests +3 passed/);
});
