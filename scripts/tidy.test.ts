/**
 * Tests of the form of the code: which file may import which, which code is pure, how files look, how comments begin. A rule takes
 * files and returns its findings. Each rule is first tested with a bad sample, which it must find. The rules of imports and of what is
 * written for people are in files of their own.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { readRepository, type SourceFile } from "./repository.ts";
import { lineOf } from "./source-text.ts";
import { DOCUMENT_RULES, RULE_IDS } from "./tidy-documents.ts";
import { IMPORT_RULES } from "./tidy-imports.ts";
import { eachFile, eachMatch, inServer, isCode, isPure, production, type Rule, sample } from "./tidy-rule.ts";

const LINES_MAX = 600;
/** Names through which a result would depend on more than the input, time and seed passed in. */
const IMPURE =
  /(?<![.\w$#])(?:Date|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame|Promise|async|await|performance|crypto|process|fetch|globalThis)(?![\w$]|\s*[?]?:)/g;

const FORM_RULES: readonly Rule[] = [
  {
    name: "core/ and protocol know no clock, chance, timer or promise",
    check: eachMatch(isPure, IMPURE, (word) => `pure code may not use ${word}; take it as an input`),
    bad: sample("packages/protocol/src/a.ts", "export const now = () => Date.now();"),
    good: sample(
      "packages/protocol/src/a.ts",
      'export const text = "a Date"; // no Promise\nexport type T = { Date: number };\nexport const d = (t: T) => t.Date;',
    ),
  },
  {
    name: "only config.ts reads process.env in the server",
    check: eachMatch(
      (path) => inServer(path) && path !== "packages/server/src/config.ts",
      /(?<![\w$])process\s*\.\s*env\b/g,
      () => "settings come from config.ts",
    ),
    bad: sample("packages/server/src/server.ts", "const port = process.env.WS_PORT;"),
    good: sample("packages/server/src/config.ts", "const port = process.env.WS_PORT;"),
  },
  {
    name: "only a cli.ts ends the process",
    check: eachMatch(
      (path) => production(path) && !path.endsWith("/cli.ts"),
      /(?<![\w$])process\s*\.\s*(?:exit|abort|exitCode)\b/g,
      () => "only cli.ts ends the process; throw instead",
    ),
    bad: sample("packages/server/src/server.ts", "process.exit(1);"),
    good: sample("packages/server/src/cli.ts", "process.exit(1);"),
  },
  {
    name: `no file of production code is longer than ${LINES_MAX} lines`,
    check: eachFile(production, ({ text }) => {
      const lines = text.trimEnd().split("\n").length;
      return lines > LINES_MAX ? `${lines} lines; split it where a reader would look for the parts` : undefined;
    }),
    bad: sample("packages/server/src/a.ts", "let a;\n".repeat(LINES_MAX)),
    good: sample("packages/server/src/a.test.ts", "let a;\n".repeat(LINES_MAX)),
  },
  {
    name: "files are called kebab-case",
    check: eachFile(isCode, ({ path }) => {
      const name = path.split("/").at(-1) ?? "";
      return /^[a-z0-9]+(?:-[a-z0-9]+)*(?:\.(?:test|config|d))?\.[a-z]+$/.test(name) ? undefined : "call it kebab-case, in lower case";
    }),
    bad: sample("packages/server/src/tokenBucket.ts", ""),
    good: sample("packages/server/src/token-bucket.test.ts", ""),
  },
  {
    name: "every file of production code opens with what it is for",
    check: eachFile(
      (path) => (production(path) || /^scripts\/[^/]+\.[jt]s$/.test(path)) && !path.endsWith("/index.ts"),
      ({ text }) =>
        text.replace(/^#!.*\n/, "").startsWith("/**") ? undefined : "open it with a docstring: what it is for and what it refuses to do",
    ),
    bad: { path: "packages/server/src/a.ts", text: "export const a = 1;\n" },
    good: { path: "packages/client/src/index.ts", text: 'export * from "./client.ts";\n' },
  },
  {
    name: "nothing is left to do",
    check: (files) =>
      files
        .filter(({ path }) => isCode(path) || path.endsWith(".md"))
        .flatMap(({ path, text }) => {
          const found = /\b(?:TO[D]O|FIX[M]E|X[X]X)\b/.exec(text);
          return found === null ? [] : [`${path}:${lineOf(text, found.index)}: ${found[0]}; do it, or open an issue`];
        }),
    bad: sample("packages/server/src/a.test.ts", `// ${"TO"}${"DO"}: later`),
    good: sample("packages/server/src/a.test.ts", "const todo = 1;"),
  },
  {
    name: "the lockfile names no registry host",
    check: eachFile(
      (path) => path.endsWith("package-lock.json"),
      ({ text }) =>
        /"resolved": *"https?:/.test(text) ? "set omit-lockfile-registry-resolved=true in .npmrc and make it anew" : undefined,
    ),
    bad: { path: "package-lock.json", text: '{ "resolved": "https://registry.example.com/a.tgz" }' },
    good: { path: "package-lock.json", text: '{ "resolved": "packages/server", "link": true }' },
  },
  {
    name: "the lockfile has the optional packages of all platforms: `npm ci` refuses a lockfile without them",
    check: eachFile((path) => path.endsWith("package-lock.json"), lacksPlatforms),
    bad: {
      path: "package-lock.json",
      text: '{ "packages": { "node_modules/a": { "optionalDependencies": { "a-linux-arm64": "1.0.0" } } } }',
    },
    good: {
      path: "package-lock.json",
      text: '{ "packages": { "node_modules/a": { "optionalDependencies": { "b": "1.0.0" } }, "node_modules/b": { "version": "1.0.0" } } }',
    },
  },
  {
    name: "no file holds a path of one developer's machine",
    check: (files) =>
      files.flatMap(({ path, text }) => {
        const found = /(?<![\w.~:@$})/-])\/(?:(?:home|Users)\/(?!node\/)[\w.-]+|root|work)\//.exec(text);
        return found === null ? [] : [`${path}:${lineOf(text, found.index)}: ${found[0]} is a path of one machine`];
      }),
    bad: sample("docs/a.md", `run ${["", "home", "ana", "presence"].join("/")}/run.sh`),
    good: sample("docs/a.md", `GET https://example.com/home/ana/ and ${["packages", "work", "root"].join("/")}/`),
  },
];

const files = readRepository();

test("there are files to look at", () => {
  assert.ok(files.some(({ path }) => path === "packages/server/src/cli.ts"));
  assert.ok(files.some(({ path }) => path === "packages/protocol/src/index.ts"));
});

for (const rule of [...IMPORT_RULES, ...FORM_RULES, ...DOCUMENT_RULES]) {
  test(`tidy: ${rule.name}`, () => {
    assert.equal(rule.check([rule.bad]).length, 1, "the rule does not find its bad sample");
    assert.deepEqual(rule.check([rule.good]), [], "the rule finds fault with its good sample");
    assert.deepEqual(rule.check(files), []);
  });
}

test("no rule and no clause has the id of another one", () => {
  const twice = RULE_IDS.filter((id, at) => RULE_IDS.indexOf(id) !== at);
  assert.deepEqual(twice, []);
});

test("each clause of REPLICATION is quoted by the title of a test", () => {
  const titles = files.filter(({ path }) => path.endsWith(".test.ts")).map(({ text }) => text);
  const unproved = RULE_IDS.filter((id) => id.includes(".") && !titles.some((text) => text.includes(`[${id}]`)));
  assert.deepEqual(unproved, []);
});

function lacksPlatforms({ text }: SourceFile): string | undefined {
  const { packages = {} } = JSON.parse(text) as { packages?: Record<string, { optionalDependencies?: Record<string, string> }> };
  const missing = Object.entries(packages).flatMap(([owner, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages || `${owner}/node_modules/${name}` in packages),
    ),
  );
  return missing.length === 0 ? undefined : `lacks ${missing.slice(0, 3).join(", ")}…; run \`node scripts/lockfile.js\``;
}
