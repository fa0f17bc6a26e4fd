/** The code of the guides: each block names its file, and the compiler is content with all files of a guide. */

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { appFolder, Guide, ROOT } from "./guides/guide.ts";

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
  types: ["node"],
  customConditions: ["presence-source"],
  allowImportingTsExtensions: true,
};
/** The compiler is shown the script of a component; with `.ts` behind its name it is what others import. */
const COMPONENTS: Record<string, string> = {
  vue: 'export default {} as import("vue").DefineComponent;\n',
  svelte: 'export default {} as import("svelte").Component;\n',
};

test("each block of the guides is a file, and the compiler is content with it", { timeout: 120_000 }, async (t) => {
  const guides = Guide.pages().map((page) => [page, new Guide(page)] as const);
  assert.deepEqual(
    guides.flatMap(([, guide]) => guide.mistakes()),
    [],
  );
  const app = appFolder(t);
  for (const [page, guide] of guides) writeForCompiler(join(app, page), guide.files());
  assert.equal(await compiled(app), "");
});

test("no component takes the ref from an area in its JSX, which the linter of React takes for the reading of a ref", () => {
  for (const page of Guide.pages())
    for (const [name, code] of new Guide(page).files()) assert.doesNotMatch(code, /ref=\{\w+\.ref\}/, `${page}: ${name}`);
});

test("the index has every guide", () => {
  const index = readFileSync(join(ROOT, "docs/guides/README.md"), "utf8");
  for (const page of Guide.pages()) {
    const name = /^docs\/guides\/(?!README)(.*)$/.exec(page)?.[1];
    if (name !== undefined) assert(index.includes(`](${name})`), `docs/guides/README.md has no row for ${name}`);
  }
});

test("a block without a file, of an unknown language or with a mistake is found", { timeout: 120_000 }, async (t) => {
  const mistakesIn = (markdown: string) => new Guide("a.md", markdown).mistakes();
  assert.deepEqual(mistakesIn("```sh\nls\n```\n\n```ts file=a\n```\n"), []);
  assert.match(mistakesIn("a\n```ts\nlet a;\n```\n").join(), /^a\.md:2: say which file/);
  assert.match(mistakesIn("```typescript file=a\n```\n").join(), /^a\.md:1: "typescript" is none of/);
  const app = appFolder(t);
  const wrong = {
    ts: 'import { board } from "@presence-service/client";\n',
    js: "let a = 1;\na.b();\n",
    vue: '<script setup lang="ts">\nconst a: number = "1";\n</script>\n',
    svelte: '<script lang="ts">\nlet a: number = $state("1");\n</script>\n',
    html: '<script type="module">\nlet a = 1;\na.b();\n</script>\n',
  };
  for (const [language, code] of Object.entries(wrong))
    writeForCompiler(join(app, language), new Guide("a.md", `\`\`\`${language} file=a\n${code}\`\`\`\n`).files());
  const errors = await compiled(app);
  for (const language of Object.keys(wrong)) assert.match(errors, new RegExp(`^${language}/.*: error TS`, "m"));
});

function writeForCompiler(folder: string, files: ReadonlyMap<string, string>): void {
  mkdirSync(folder, { recursive: true });
  for (const [name, code] of files) {
    writeFileSync(join(folder, name), code);
    const [, stem, language = ""] = /^(.*)\.(vue|svelte|html)$/.exec(name) ?? [];
    if (stem === undefined) continue;
    const script = /<script(?![^>]*\ssrc=)[^>]*>\n([\s\S]*?)<\/script>/.exec(code)?.[1] ?? "";
    writeFileSync(join(folder, language === "html" ? `${name}.js` : `${name}.ts`), script + (COMPONENTS[language] ?? "export {};\n"));
  }
}

/** The errors of the compiler in all files below the folder; empty: it is content. */
async function compiled(app: string): Promise<string> {
  writeFileSync(join(app, "tsconfig.json"), JSON.stringify({ compilerOptions: OPTIONS }));
  copyFileSync(new URL("./guides/others.d.ts", import.meta.url), join(app, "others.d.ts"));
  const tsc = [join(ROOT, "node_modules/typescript/bin/tsc"), "--pretty", "false", "--project", "."];
  const run = promisify(execFile)(process.execPath, tsc, { cwd: app });
  return run.then(
    () => "",
    ({ stdout }) => String(stdout),
  );
}
