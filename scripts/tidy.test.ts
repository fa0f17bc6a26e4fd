/**
 * Tests of the form of the code: which file may import which, which code is pure, how files look, how comments begin. A rule takes
 * files and returns its findings. Each rule is first tested with a bad sample, which it must find.
 */

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { paths, ROOT, readRepository, type SourceFile } from "./repository.ts";
import { codeOf, commentsOf, importsOf, lineOf } from "./source-text.ts";

const SCOPE = "@presence-service/";

/** The packages that each package may import. No package imports demo, inspector, bench, conformance or sim. */
const PACKAGE_IMPORTS: Record<string, readonly string[]> = {
  protocol: [],
  client: ["protocol"],
  react: ["client"],
  demo: ["react", "client", "protocol"],
  inspector: ["client", "protocol"],
  server: ["protocol"],
  bench: ["react", "client", "protocol"],
  conformance: ["protocol"],
  sim: ["client", "protocol", "server/world"],
};

/** The server's folders and top-level files, outermost first: cli → server → edge → connection → bus → core, and connection → speech → core. */
const SERVER_IMPORTS: Record<string, readonly string[]> = {
  cli: [
    "server",
    "edge",
    "connection",
    "speech",
    "redis",
    "bus",
    "core",
    "config",
    "identity",
    "telemetry",
    "errors",
    "address",
    "clock",
    "version",
    "within",
  ],
  "test-server": ["testing", "connection", "speech", "core", "bounds"],
  testing: ["server", "edge", "connection", "speech", "recorder", "bus", "core", "telemetry", "errors", "address", "clock", "version"],
  server: [
    "admin",
    "webhooks",
    "edge",
    "connection",
    "speech",
    "recorder",
    "redis",
    "bus",
    "core",
    "config",
    "telemetry",
    "errors",
    "address",
    "bounds",
    "origins",
    "clock",
    "version",
    "within",
  ],
  admin: ["edge", "connection", "bus", "core", "telemetry", "errors", "address", "origins", "clock", "version"],
  webhooks: ["core", "telemetry", "clock"],
  edge: ["connection", "speech", "bus", "core", "telemetry", "errors", "address", "origins", "clock", "version"],
  connection: ["speech", "recorder", "bus", "core", "telemetry", "bounds", "errors", "clock"],
  recorder: ["core", "telemetry", "version"],
  speech: ["core"],
  redis: ["bus", "core", "telemetry", "errors", "clock", "within"],
  bus: ["core", "telemetry", "errors", "clock"],
  identity: ["connection", "telemetry", "errors"],
  config: ["admin", "webhooks", "identity", "redis", "recorder", "bus", "telemetry", "errors", "address", "bounds", "origins"],
  core: [],
  address: ["errors"],
  bounds: ["errors"],
  origins: ["telemetry", "errors"],
  telemetry: [],
  errors: [],
  clock: [],
  version: [],
  within: [],
};

const LINES_MAX = 600;
/** The folders whose comments name the subject of each sentence. */
const PLAIN_COMMENTS = ["packages/", "scripts/"];
/** Names through which a result would depend on more than the input, time and seed passed in. */
const IMPURE =
  /(?<![.\w$#])(?:Date|Math\.random|setTimeout|setInterval|setImmediate|queueMicrotask|requestAnimationFrame|Promise|async|await|performance|crypto|process|fetch|globalThis)(?![\w$]|\s*[?]?:)/g;

/** `R4` of its heading, `R4.1` of its clause, C1 of its paragraph, F1 of its line, S1 of the comment that explains it. */
const RULE_IDS = idsIn("docs/REPLICATION.md", /^(?:### |- \*\*)(R[\d.]+)/gm);
const IDS = new Set([
  ...RULE_IDS,
  ...idsIn("docs/PROTOCOL.md", /^\*\*[\w ]+ \((C\d)(?:, (C\d))?\)\.\*\* /gm),
  ...idsIn("ARCHITECTURE.md", /^- \*\*(F\d)\*\* /gm),
  ...["ghosts", "leaves", "slices"].flatMap((name) =>
    idsIn(`packages/server/src/testing/checkers/${name}.ts`, /^(?:\/\*\*| \*) (S\d)[ .]/gm),
  ),
  ...idsIn("packages/server/src/testing/view.ts", /\((S\d)\)/g),
]);

type Rule = {
  readonly name: string;
  /** `path:line: the problem and how to fix it`, one per finding. */
  readonly check: (files: readonly SourceFile[]) => string[];
  /** A file with exactly one finding. */
  readonly bad: SourceFile;
  /** A similar file without a finding. */
  readonly good: SourceFile;
};

const RULES: Rule[] = [
  {
    name: "imports between packages go one way: demo → react → client → protocol ← server",
    check: eachImport(production, (file, specifier) => {
      const from = packageOf(file.path);
      if (specifier.startsWith("."))
        return leavesPackage(file.path, specifier) ? "reaches into another package by path; import the package" : undefined;
      if (!specifier.startsWith(SCOPE)) return undefined;
      const to = specifier.slice(SCOPE.length);
      const allowed = PACKAGE_IMPORTS[from];
      if (allowed === undefined) return `package ${from} is not in PACKAGE_IMPORTS of scripts/tidy.test.ts`;
      return allowed.includes(to) ? undefined : `${from} may import ${allowed.join(", ") || "nothing"}, not ${to}`;
    }),
    bad: sample("packages/client/src/a.ts", 'import { createPresenceServer } from "@presence-service/server";'),
    good: sample("packages/demo/src/a.ts", 'import { createPresence } from "@presence-service/client";'),
  },
  {
    name: "imports inside the server go one way: cli → server → edge → connection → bus → core, and connection → speech → core",
    check: eachImport(inServer, (file, specifier) => {
      if (!specifier.startsWith(".")) return undefined;
      const target = normalize(join(dirname(file.path), specifier));
      const [from, to] = [serverPart(file.path), serverPart(target)];
      if (from === to || !target.startsWith("packages/server/src/")) return undefined;
      const allowed = SERVER_IMPORTS[from];
      if (allowed === undefined) return `${from} is not in SERVER_IMPORTS of scripts/tidy.test.ts: give it its place`;
      return allowed.includes(to) ? undefined : `${from} may import ${allowed.join(", ") || "nothing of the server"}, not ${to}`;
    }),
    bad: sample("packages/server/src/core/a.ts", 'import type { Log } from "../telemetry/log.ts";'),
    good: sample("packages/server/src/connection/a.ts", 'import { Core } from "../core/core.ts";'),
  },
  {
    name: "no file imports, by whichever way, itself",
    check: circles,
    bad: sample("packages/client/src/a.ts", 'import type { A } from "./a.ts";'),
    good: sample("packages/client/src/a.ts", 'import type { B } from "./b.ts";'),
  },
  {
    name: "the checker of the fault suite imports nothing but the form of its log: it must not share a mistake with the service",
    check: eachImport(
      (path) => /^packages\/server\/test\/faults\/(?:checker|log)\.ts$/.test(path),
      (_file, specifier) => (specifier === "./log.ts" ? undefined : "judge by the log alone"),
    ),
    bad: sample("packages/server/test/faults/checker.ts", 'import { CONSTANTS } from "../../src/core/constants.ts";'),
    good: sample("packages/server/test/faults/checker.ts", 'import type { Entry } from "./log.ts";'),
  },
  {
    name: "core/ and protocol import no module of Node and no package",
    check: eachImport(isPure, (file, specifier) =>
      specifier.startsWith(".") || (specifier === `${SCOPE}protocol` && packageOf(file.path) === "server")
        ? undefined
        : `pure code may not import ${specifier}`,
    ),
    bad: sample("packages/server/src/core/a.ts", 'import { createHash } from "node:crypto";'),
    good: sample("packages/server/src/core/a.ts", 'import { LIMITS } from "@presence-service/protocol";'),
  },
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
    name: "the client imports nothing but the protocol: it runs in browsers",
    check: eachImport(
      (path) => production(path) && packageOf(path) === "client",
      (_file, specifier) =>
        specifier.startsWith(".") || specifier.startsWith(SCOPE) ? undefined : `the client has no dependencies, so not ${specifier}`,
    ),
    bad: sample("packages/client/src/a.ts", 'import { randomBytes } from "node:crypto";'),
    good: sample("packages/client/src/a.ts", 'export type { Member } from "@presence-service/protocol";'),
  },
  {
    name: "only redis/client.ts names the Redis driver",
    check: onlyIn("packages/server/src/redis/client.ts", /^(?:@redis\/|redis$|ioredis$)/),
    bad: sample("packages/server/src/redis/pubsub.ts", 'import type { RedisClientType } from "@redis/client";'),
    good: sample("packages/server/src/redis/client.ts", 'import { createClient } from "@redis/client";'),
  },
  {
    name: "only edge/websocket.ts names ws",
    check: onlyIn("packages/server/src/edge/websocket.ts", /^ws$/),
    bad: sample("packages/server/src/server.ts", 'const ws = await import("ws");'),
    good: sample("packages/server/src/edge/websocket.ts", 'import { WebSocketServer } from "ws";'),
  },
  {
    name: "connection/ knows no way of speaking: of speech/ it imports speech, draft and socket",
    check: eachImport(
      (path) => inServer(path) && path.startsWith("packages/server/src/connection/"),
      (_file, specifier) =>
        /^\.\.\/speech\/(?!(?:speech|draft|socket)\.ts$)/.test(specifier)
          ? "a connection is given its way of speaking: see speech.ts"
          : undefined,
    ),
    bad: sample("packages/server/src/connection/a.ts", 'import { CLASSIC } from "../speech/classic.ts";'),
    good: sample("packages/server/src/connection/a.ts", 'import type { Speech } from "../speech/speech.ts";'),
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
    name: "no sentence of a comment or a document begins with Who, Whose, Whom or What, unless it is a question",
    check: (files) =>
      files
        .filter(({ path }) => path.endsWith(".md") || PLAIN_COMMENTS.some((folder) => path.startsWith(folder)))
        .flatMap(headlessSentences),
    bad: sample("scripts/a.ts", "const a = 1;\n// A client joins\n// once. Who joins twice\n// is refused."),
    good: sample(
      "scripts/a.ts",
      'const a = "x. What it does."; // What is it? A sample: the one who reads it knows "Who joins." from it.\n/* See What. Whatever. */',
    ),
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
    name: "relative links in documents lead to files and headings that exist",
    check: deadLinks,
    bad: { path: "docs/a.md", text: "See [b](b-that-is-not-there.md).\n" },
    good: { path: "docs/a.md", text: "# The a\n\nSee [a](#the-a), [x](https://example.com/y.md) and `[no](link.md)`.\n" },
  },
  {
    name: "documents and comments name files that exist",
    check: unknownFiles,
    bad: { path: "ARCHITECTURE.md", text: "See the table (*core/tables*, *core/board*).\n" },
    good: sample("packages/server/src/core/a.ts", '// board.ts and core/board.ts say it.\nconst a = "b-that-is-not-there.ts";'),
  },
  {
    name: 'tests and comments quote ids that exist: ARCHITECTURE.md, "Ids", says where each kind is explained',
    check: (files) =>
      files
        .filter(({ path }) => path.startsWith("packages/") && path.endsWith(".ts"))
        .flatMap(({ path, text }) => {
          const titles = path.endsWith(".test.ts") ? [...text.matchAll(/\[[RCFS]\d+(?:\.\d+)?\]/g)] : [];
          const comments = commentsOf(text).map((comment) => ({ 0: comment.text, index: comment.index }));
          return [...titles, ...comments].flatMap(({ 0: quote, index }) =>
            [...quote.matchAll(/\b[RCFS][1-9]\d*(?:\.\d+)?\b(?! controls)/g)]
              .filter(([id]) => !IDS.has(id))
              .map((found) => `${path}:${lineOf(text, index + found.index)}: there is no ${found[0]}; quote what is meant`),
          );
        }),
    bad: sample("packages/server/src/core/a.test.ts", 'test("[R4.99] an owner is asked", () => {});'),
    good: sample("packages/server/src/core/a.test.ts", 'test("[R4] [R4.1] [C2] an owner is asked (F1)", () => {}); // S1, C6'),
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

for (const rule of RULES) {
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

test("code is told from comments, strings, templates and regular expressions", () => {
  const source = ["a(`x ${b({ c: `d` })} // y`); // Date", "const r = /[/\"]'`/g; /* Date\n Date */ e / f / g;", "'it\\'s Date' + h;"].join(
    "\n",
  );
  const code = codeOf(source);
  assert.equal(code.length, source.length);
  assert.deepEqual(code.match(/\w+/g), ["a", "b", "c", "const", "r", "e", "f", "g", "h"]);
  const imports =
    'import a, {\n  type B,\n} from "./a.ts";\nexport * from \'./c.ts\';\nimport "./d.ts";\n// import "./no.ts"\nconst s = "import x from \'./no.ts\'";\nvoid import("./e.ts");';
  assert.deepEqual(
    importsOf(imports)
      .map(({ specifier }) => specifier)
      .sort(),
    ["./a.ts", "./c.ts", "./d.ts", "./e.ts"],
  );
  assert.equal(importsOf(imports).find(({ specifier }) => specifier === "./d.ts")?.line, 5);
});

function idsIn(path: string, pattern: RegExp): string[] {
  return Array.from(readFileSync(join(ROOT, path), "utf8").matchAll(pattern), ([, ...ids]) => ids.filter((id) => id !== undefined)).flat();
}

function isCode(path: string): boolean {
  return /\.(?:ts|tsx|js|mjs|css)$/.test(path) && /^(?:packages|scripts)\//.test(path);
}

/** Code that ships or runs, in any package, without the tests. */
function production(path: string): boolean {
  return /^packages\/[^/]+\/src\/.*\.tsx?$/.test(path) && !/\.test\.tsx?$/.test(path);
}

function inServer(path: string): boolean {
  return production(path) && path.startsWith("packages/server/src/");
}

function isPure(path: string): boolean {
  return production(path) && (path.startsWith("packages/protocol/src/") || path.startsWith("packages/server/src/core/"));
}

function packageOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** `core` for core/board.ts, `errors` for errors.ts. */
function serverPart(path: string): string {
  return (path.slice("packages/server/src/".length).split("/")[0] ?? "").replace(/\.ts$/, "");
}

function leavesPackage(path: string, specifier: string): boolean {
  return packageOf(normalize(join(dirname(path), specifier))) !== packageOf(path);
}

function eachFile(concerns: (path: string) => boolean, judge: (file: SourceFile) => string | undefined): Rule["check"] {
  const problemsOf = (file: SourceFile) => {
    const problem = judge(file);
    return problem === undefined ? [] : [`${file.path}: ${problem}`];
  };
  return (checked) => checked.filter(({ path }) => concerns(path)).flatMap(problemsOf);
}

function eachImport(
  concerns: (path: string) => boolean,
  judge: (file: SourceFile, specifier: string) => string | undefined,
): Rule["check"] {
  return (checked) =>
    checked
      .filter(({ path }) => concerns(path))
      .flatMap((file) =>
        importsOf(file.text).flatMap(({ specifier, line }) => {
          const problem = judge(file, specifier);
          return problem === undefined ? [] : [`${file.path}:${line}: ${problem}`];
        }),
      );
}

function eachMatch(concerns: (path: string) => boolean, pattern: RegExp, problem: (found: string) => string): Rule["check"] {
  return (checked) =>
    checked
      .filter(({ path }) => concerns(path))
      .flatMap(({ path, text }) => {
        const code = codeOf(text);
        return [...code.matchAll(pattern)].map((match) => `${path}:${lineOf(code, match.index)}: ${problem(match[0])}`);
      });
}

function onlyIn(owner: string, named: RegExp): Rule["check"] {
  return eachImport(
    (path) => production(path) && path !== owner,
    (_file, specifier) => (named.test(specifier) ? `only ${owner} may import ${specifier}` : undefined),
  );
}

/** Imports of types count: a reader has to follow them as well. The simulated World and its parts know each other. */
function circles(checked: readonly SourceFile[]): string[] {
  const concerned = checked.filter(({ path }) => production(path) && !path.startsWith("packages/server/src/testing/"));
  const importsIn = ({ path, text }: SourceFile) =>
    importsOf(text).flatMap(({ specifier }) => (specifier.startsWith(".") ? [normalize(join(dirname(path), specifier))] : []));
  const imports = new Map(concerned.map((file) => [file.path, importsIn(file)]));
  const reached = (from: string) => {
    const found = new Set(imports.get(from)); // grows while it is read
    for (const path of found) for (const next of imports.get(path) ?? []) found.add(next);
    return found;
  };
  const bad = [...imports.keys()].filter((path) => reached(path).has(path));
  return bad.map((path) => `${path}: imports itself through others; move what both need to a file of its own`);
}

function headlessSentences({ path, text }: SourceFile): string[] {
  if (!/\.(?:[jt]s|md)$/.test(path)) return [];
  const prose = path.endsWith(".md") ? [{ text: withoutCode(text), index: 0 }] : commentsOf(text);
  return prose.flatMap((comment) =>
    [...comment.text.matchAll(/(?:^|[.:;!?|][)"'`]*\s|\n *\n|[-–—] )\s*((?:Who|Whose|Whom|What)\b.*?(?:[.!?](?!\S)|$))/gs)].flatMap(
      (match) => {
        const sentence = match[1] ?? "";
        if (sentence.endsWith("?")) return [];
        const line = lineOf(text, comment.index + match.index + match[0].indexOf(sentence));
        return [`${path}:${line}: "${sentence.slice(0, 40)}…": name the subject (a client, a peer, a member), or write a question`];
      },
    ),
  );
}

function lacksPlatforms({ text }: SourceFile): string | undefined {
  const { packages = {} } = JSON.parse(text) as { packages?: Record<string, { optionalDependencies?: Record<string, string> }> };
  const missing = Object.entries(packages).flatMap(([owner, { optionalDependencies = {} }]) =>
    Object.keys(optionalDependencies).filter(
      (name) => !(`node_modules/${name}` in packages || `${owner}/node_modules/${name}` in packages),
    ),
  );
  return missing.length === 0 ? undefined : `lacks ${missing.slice(0, 3).join(", ")}…; run \`node scripts/lockfile.js\``;
}

function deadLinks(checked: readonly SourceFile[]): string[] {
  return checked
    .filter(({ path }) => path.endsWith(".md"))
    .flatMap(({ path, text }) => {
      const prose = withoutCode(text);
      return [...prose.matchAll(/\]\(([^)\s]+)(?:\s+"[^"]*")?\)/g)].flatMap((match) => {
        const target = match[1] ?? "";
        if (/^[a-z][a-z+.-]*:/.test(target)) return [];
        const [file = "", anchor] = decodeURI(target).split("#");
        const at = `${path}:${lineOf(prose, match.index)}`;
        const linked = file === "" ? path : normalize(join(dirname(path), file));
        if (file !== "" && !existsSync(join(ROOT, linked))) return [`${at}: ${target} does not exist`];
        if (anchor === undefined || !linked.endsWith(".md")) return [];
        const page = file === "" ? text : readFileSync(join(ROOT, linked), "utf8");
        return anchorsOf(page).has(anchor) ? [] : [`${at}: ${linked} has no heading for #${anchor}`];
      });
    });
}

/** `name.ts` or `folder/name.ts` in comments and documents; in ARCHITECTURE.md also `*folder/name*`, and the names in its table of folders. */
function unknownFiles(checked: readonly SourceFile[]): string[] {
  const known = new Set(
    paths().flatMap((path) =>
      path.split("/").map((_, at, parts) =>
        parts
          .slice(at)
          .join("/")
          .replace(/\.tsx?$/, ""),
      ),
    ),
  );
  return checked.flatMap(({ path, text }) => {
    const isPage = path.endsWith(".md");
    if (!isPage && !(path.startsWith("packages/") && path.endsWith(".ts"))) return [];
    const missing = (names: readonly string[], index: number) =>
      names
        .filter((name) => !known.has(name) && name !== "kebab-case")
        .map((name) => `${path}:${lineOf(text, index)}: there is no file ${name}.ts`);
    const found = (isPage ? [{ text, index: 0 }] : commentsOf(text)).flatMap((said) =>
      [...said.text.matchAll(/(?<![\w./-])(?:\.{1,2}\/)*(\w[\w./-]*)\.tsx?\b/g)].flatMap((match) =>
        missing([match[1] ?? ""], said.index + match.index),
      ),
    );
    if (path !== "ARCHITECTURE.md") return found;
    const steps = [...text.matchAll(/(?<!\*)\*([\w-]+\/[\w-]+|[a-z]+(?:-[a-z]+)*)\*(?!\*)/g)].flatMap((match) =>
      missing([match[1] ?? ""], match.index),
    );
    // All names of the first column, but folders: of `…/core/{a,b}` these are core/a and core/b.
    const rows = [...text.matchAll(/^\| (`(?:…|packages)\/[^|]*) \|/gm)].flatMap(({ 1: cell = "", index }) =>
      [...cell.matchAll(/`(?:…\/)?([\w./-]*)(?:\{([\w,-]+)\})?(?:\.ts)?`/g)].flatMap(({ 1: before = "", 2: names }) =>
        missing(
          (names?.split(",") ?? [""]).map((name) => (before + name).replace(/\.ts$/, "")).filter((name) => !isFolder(name)),
          index,
        ),
      ),
    );
    return [...found, ...steps, ...rows];
  });
}

function isFolder(name: string): boolean {
  return paths().some((path) => `/${path}`.includes(`/${name.replace(/\/$/, "")}/`));
}

/** The anchors that GitHub makes of headings. */
function anchorsOf(markdown: string): Set<string> {
  const anchors = new Set([...markdown.matchAll(/<a (?:id|name)="([^"]+)"/g)].map((match) => match[1] ?? ""));
  const prose = markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, blanked);
  for (const [, heading = ""] of prose.matchAll(/^#{1,6}\s+(.+?)\s*#*$/gm)) {
    const plain = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
    const anchor = plain
      .toLowerCase()
      .replace(/[^\p{L}\p{N}\s_-]/gu, "")
      .replace(/\s/g, "-");
    let unique = anchor;
    for (let n = 1; anchors.has(unique); n++) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

function withoutCode(markdown: string): string {
  return markdown.replace(/^(```|~~~)[\s\S]*?^\1/gm, blanked).replace(/`[^`\n]*`/g, blanked);
}

function blanked(text: string): string {
  return text.replace(/[^\n]/g, " ");
}

/** A file with the docstring that every file needs, so that a sample breaks one rule only. */
function sample(path: string, text: string): SourceFile {
  return { path, text: `/** A sample. */\n${text}\n` };
}
