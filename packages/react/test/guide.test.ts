/** The guide's code and the README's, as an app would hold them: each block is a file, and the compiler is content with all of them. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const OPTIONS = {
  target: "ES2022",
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  module: "ESNext",
  moduleResolution: "Bundler",
  jsx: "react-jsx",
  strict: true,
  noEmit: true,
  skipLibCheck: true,
  types: [],
  customConditions: ["presence-source"],
  allowImportingTsExtensions: true,
};

test("each block of the guide and of the README is valid TypeScript", { timeout: 60_000 }, async (t) => {
  const app = mkdtempSync(join(tmpdir(), "presence-guide-"));
  t.after(() => rmSync(app, { recursive: true, force: true }));
  symlinkSync(join(ROOT, "node_modules"), join(app, "node_modules"));
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS }));
  writeFileSync(join(app, "styles.d.ts"), 'declare module "*.css";\n');
  const names = ["docs/guides/react.md", "packages/react/README.md"].flatMap((page) =>
    blocksOf(readFileSync(join(ROOT, page), "utf8")).map(({ file, code }) => {
      writeFileSync(join(app, file), code);
      return file;
    }),
  );
  assert.deepEqual(names, ["presence.tsx", "App.tsx", "Canvas.tsx", "readme.tsx"]);
  const checked = promisify(execFile)(process.execPath, [join(ROOT, "node_modules/typescript/bin/tsc"), "--project", app]);
  await checked.catch(({ stdout }) => assert.fail(stdout));
});

function blocksOf(markdown: string): { readonly file: string; readonly code: string }[] {
  return [...markdown.matchAll(/^```tsx(?: file=(\w+))?\n([\s\S]*?)^```/gm)].map(([, name = "readme", code = ""]) => ({
    file: `${name}.tsx`,
    code,
  }));
}
