/** The code of the guides: each block names its file, and the compiler is content with all files of a guide. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { Guide, ROOT } from "./guides/guide.ts";

const OPTIONS = {
  target: "ES2022",
  lib: ["ES2023", "DOM", "DOM.Iterable"],
  module: "ESNext",
  moduleResolution: "Bundler",
  jsx: "react-jsx",
  moduleDetection: "force",
  strict: true,
  noUncheckedIndexedAccess: true,
  allowJs: true,
  checkJs: true,
  noEmit: true,
  skipLibCheck: true,
  customConditions: ["presence-source"],
  allowImportingTsExtensions: true,
};
/** The compiler is shown the script of a component; with `.ts` behind its name it is what others import. */
const COMPONENTS: Record<string, string> = {
  vue: 'export default {} as import("vue").DefineComponent;\n',
  svelte: 'export default {} as import("svelte").Component;\n',
};

for (const page of Guide.pages())
  test(`each block of ${page} is a file that compiles`, { timeout: 60_000 }, async (t) => {
    const guide = new Guide(page);
    assert.deepEqual(guide.mistakes(), []);
    const files = guide.files();
    if (files.size === 0) return;
    await compile(guide.unpack(t), files);
  });

test("a block without a file, of an unknown language or with a mistake is found", async (t) => {
  const mistakesIn = (markdown: string) => new Guide("a.md", markdown).mistakes();
  assert.deepEqual(mistakesIn("```sh\nls\n```\n\n```ts file=a\n```\n"), []);
  assert.match(mistakesIn("a\n```ts\nlet a;\n```\n").join(), /^a\.md:2: say which file/);
  assert.match(mistakesIn("```typescript file=a\n```\n").join(), /^a\.md:1: "typescript" is none of/);
  for (const [language, code] of [
    ["ts", 'import { board } from "@presence-service/client";\n'],
    ["js", "let a = 1;\na.b();\n"],
    ["vue", '<script setup lang="ts">\nconst a: number = "1";\n</script>\n'],
    ["svelte", '<script lang="ts">\nlet a: number = $state("1");\n</script>\n'],
    ["html", '<script type="module">\nlet a = 1;\na.b();\n</script>\n'],
  ] as const) {
    const guide = new Guide("a.md", `\`\`\`${language} file=a\n${code}\`\`\`\n`);
    await assert.rejects(compile(guide.unpack(t), guide.files()), /error TS\d+/, language);
  }
});

async function compile(folder: string, files: ReadonlyMap<string, string>): Promise<void> {
  const types = [...files.values()].some((code) => /\bnode:|\bprocess\./.test(code)) ? ["node"] : [];
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: { ...OPTIONS, types } }));
  copyFileSync(new URL("./guides/others.d.ts", import.meta.url), join(folder, "others.d.ts"));
  for (const [name, code] of files) {
    const [, stem, language = ""] = /^(.*)\.(vue|svelte|html)$/.exec(name) ?? [];
    if (stem === undefined) continue;
    const script = /<script(?![^>]*\ssrc=)[^>]*>\n([\s\S]*?)<\/script>/.exec(code)?.[1] ?? "";
    writeFileSync(join(folder, language === "html" ? `${name}.js` : `${name}.ts`), script + (COMPONENTS[language] ?? "export {};\n"));
  }
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  await promisify(execFile)(process.execPath, [tsc, "--project", folder]).catch(({ stdout }) => assert.fail(String(stdout)));
}
