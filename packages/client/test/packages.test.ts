/**
 * The packages as an app gets them: packed, unpacked in a folder without our sources, and used by the tools that apps use. Vite's
 * dev server and Vitest set the condition `development`; a name of our own must not be found there.
 * Runs alone: bundlers use all cores.
 */

import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, delimiter, join } from "node:path";
import { after, before, test } from "node:test";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { build } from "esbuild";
import { publint } from "publint";
import webpack from "webpack";
import { reportOf, pathOf as reportPathOf } from "../../../scripts/api.js";
import { PACKAGES, type PackedApp, packApp, ROOT, run } from "./packed.ts";

let packed: PackedApp;
let app: string;

/** Of the repository; the packages themselves are the packed ones. */
const TOOLS = [
  "@prometheus-io",
  "@redis",
  "@types",
  "react",
  "react-dom",
  "pino",
  "ws",
  "zod",
  "vite",
  "vitest",
  "typescript",
  "typescript-5.4",
];

const APP = `import { createPresence } from "@presence-service/client";
export const presence = createPresence({ url: "ws://localhost:3001" });
`;
const REACT_APP = `import { Cursors } from "@presence-service/react";
import { presence } from "./app.js";
console.log(presence.status, typeof Cursors);
`;
const VITE_APP = `import { build, createServer } from "vite";
const options = { root: import.meta.dirname, logLevel: "error", configFile: false };
await build(options);
const server = await createServer({ ...options, server: { host: "127.0.0.1", port: 0, ws: false } });
await server.listen();
const fetched = async (path) => (await fetch(new URL(path, server.resolvedUrls.local[0]))).text();
const imported = /from "([^"]*presence[^"]*)"/.exec(await fetched("/app.js"))[1];
if (!(await fetched(imported)).includes("presence.v2")) throw new Error("the page gets no client from " + imported);
const { presence } = await server.ssrLoadModule("/app.js");
await server.close();
console.log(presence.status);
`;
const TYPED_APP = `import { createDriver, createPresence, type Member } from "@presence-service/client";
import { decodeServerBinary, encodeBinary } from "@presence-service/protocol";
type State = { tool: string };
const presence = createPresence<State, { reaction: { emoji: string } }>({ url: "ws://localhost:3001", driver: createDriver() });
const board = presence.board("doc-42", { username: "Ana", state: { tool: "pen" } });
export const names = board.others.map((member: Member<State>) => member.state.tool + member.username);
export const back = decodeServerBinary(encodeBinary({ kind: "heartbeat" }));
`;

const MEETING = `import { createPresence } from "@presence-service/client";
import { createTestServer } from "@presence-service/server/testing";
const server = await createTestServer();
const [ana, ben] = ["Ana", "Ben"].map((username) =>
  createPresence({ url: "ws://test", driver: server.driver() }).board("doc-42", { username }));
await server.advance(1_000);
console.log(...[...ana.others, ...ben.others].map((member) => member.username));
`;
const TYPED_TEST = `import { createPresence, type Driver } from "@presence-service/client";
import { createTestServer, type TestDriver, type TestServer } from "@presence-service/server/testing";
const server: TestServer = await createTestServer({ authenticate: (token) => (token ? { userId: token } : undefined), instances: 2 });
const page: TestDriver = server.driver({ instance: 1 });
const driver: Driver = page;
createPresence({ url: "ws://test", driver, token: async () => "ana" });
await server.advance(1_000);
page.disconnect({ silently: true });
export const names: string[] = server.members("doc-42").map((member) => member.username);
`;

before(async () => {
  packed = await packApp(TOOLS);
  app = packed.folder;
  writeFileSync(join(app, "app.js"), APP);
  writeFileSync(join(app, "printing.js"), `${APP}console.log(presence.status);\n`);
  writeFileSync(join(app, "react-app.js"), REACT_APP);
  writeFileSync(join(app, "vite-app.js"), VITE_APP);
  writeFileSync(join(app, "typed.ts"), TYPED_APP);
  writeFileSync(join(app, "typed-test.ts"), TYPED_TEST);
  writeFileSync(join(app, "meeting.js"), MEETING);
  // Only the types of the packages: they must be valid without any other types that an app has installed.
  mkdirSync(join(app, "no-types"));
  writeFileSync(join(app, "index.html"), '<!doctype html><script type="module" src="/app.js"></script>');
  writeFileSync(
    join(app, "app.test.js"),
    'import { expect, test } from "vitest";\nimport { presence } from "./app.js";\ntest("it is there", () => expect(presence.status).toBe("connecting"));\n',
  );
});

// There is none where a name has chosen no test of this file.
after(() => packed?.remove());

test("a tarball holds the built files, the documents and the licence, and no sources", async () => {
  for (const name of PACKAGES) {
    const { stdout } = await run("tar", ["-tzf", packed.tarballs.get(name) ?? ""]);
    const files = stdout.trim().split("\n");
    for (const wanted of ["package/LICENSE", "package/README.md", "package/package.json"])
      assert.ok(files.includes(wanted), `${name}: ${wanted}`);
    assert.deepEqual(
      files.filter((file) => /\/src\/|\.test\./.test(file)),
      [],
      name,
    );
  }
});

test("all packages have one version, and name each other in it", () => {
  const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  for (const name of readdirSync(join(ROOT, "packages"))) {
    const manifest = JSON.parse(readFileSync(join(ROOT, "packages", name, "package.json"), "utf8"));
    assert.equal(manifest.version, version, name);
    for (const [other, wanted] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies }))
      if (other.startsWith("@presence-service/")) assert.equal(wanted, version, `${other} in packages/${name}/package.json`);
  }
});

test("a package for apps has a main file too, the one that it exports: React Native's bundler looks at nothing else before 0.79", () => {
  for (const name of ["protocol", "client", "react"]) {
    const { main, exports } = JSON.parse(readFileSync(join(app, "node_modules/@presence-service", name, "package.json"), "utf8"));
    assert.equal(main, exports["."].default, name);
  }
});

test("Node finds the client whatever conditions it is given", async () => {
  for (const conditions of [[], ["--conditions=development"], ["--conditions=production"]]) {
    const { stdout } = await run(process.execPath, [...conditions, "--input-type=module", "--eval", `${APP}console.log(presence.status)`], {
      cwd: app,
    });
    assert.equal(stdout, "connecting\n", conditions.join());
  }
});

test("Vite builds an app with the client, and its dev server finds it", async () => {
  // In a process of its own: this one is run with the condition that leads to our sources.
  const { stdout } = await run(process.execPath, ["vite-app.js"], { cwd: app });
  assert.equal(stdout, "connecting\n");
});

for (const [name, bundle] of [
  ["esbuild", bundleWithEsbuild],
  ["webpack", bundleWithWebpack],
] as const) {
  test(`${name} bundles client and React parts, and leaves out what is not used`, { timeout: 60_000 }, async () => {
    const bundled = join(app, `${name}.mjs`);
    await bundle(bundled);
    const { stdout } = await run(process.execPath, [bundled], { cwd: app });
    assert.equal(stdout, "connecting function\n");
    const code = readFileSync(bundled, "utf8");
    assert.match(code, /presence\.v2/);
    assert.doesNotMatch(code, /presence-avatar/, "the avatar stack, which the app does not import");
    assert.doesNotMatch(code, /no sign of life|must be the number that joined gave|cursor_broadcast/, "what only the service needs");
  });
}

for (const [name, args] of [
  ["bun", ["run"]],
  ["deno", ["run", "--allow-all"]],
] as const) {
  test(`${name} finds the client`, { skip: without(name) }, async () => {
    const { stdout } = await run(name, [...args, "printing.js"], { cwd: app });
    assert.equal(stdout, "connecting\n");
  });
}

test("the test server is in the package of the server, and the simulator is not", { timeout: 60_000 }, async () => {
  const { stdout: files } = await run("tar", ["-tzf", packed.tarballs.get("server") ?? ""]);
  const unwanted = /\/(?:world|network|desk|claims)[\w-]*\.|\/checkers\//;
  assert.deepEqual(
    files.split("\n").filter((file) => unwanted.test(file)),
    [],
  );
  for (const conditions of [[], ["--conditions=development"]]) {
    const { stdout } = await run(process.execPath, [...conditions, "meeting.js"], { cwd: app });
    assert.equal(stdout, "Ben Ana\n", conditions.join());
  }
});

test("Vitest finds the client", { timeout: 60_000 }, async () => {
  const vitest = join(ROOT, "node_modules/vitest/vitest.mjs");
  const { stdout } = await run(process.execPath, [vitest, "run", "--root", app, "--no-color"], {
    cwd: app,
    env: { ...process.env, CI: "true" },
  });
  assert.match(stdout, /Tests +1 passed/);
});

test("the types are understood by TypeScript 5.4 and by ours, in both ways of resolving, libraries checked", {
  timeout: 120_000,
}, async () => {
  for (const compiler of ["typescript-5.4/bin/tsc", "typescript/bin/tsc"]) {
    for (const module of [
      ["--module", "NodeNext", "--moduleResolution", "NodeNext"],
      ["--module", "ESNext", "--moduleResolution", "Bundler"],
    ]) {
      const options = [
        "--noEmit",
        "--strict",
        "--target",
        "ES2022",
        "--lib",
        "ES2022,DOM",
        "--typeRoots",
        "no-types",
        "--skipLibCheck",
        "false",
        ...module,
      ];
      const checked = run(process.execPath, [join(ROOT, "node_modules", compiler), ...options, "typed.ts"], { cwd: app });
      await checked.catch(({ stdout }) => assert.fail(`${compiler} ${module.join(" ")}\n${stdout}`));
      // The types of the server need those of Node, whose own are not ours to check.
      const ofNode = options.map((option) => (option === "no-types" ? "node_modules/@types" : option === "false" ? "true" : option));
      const typed = run(process.execPath, [join(ROOT, "node_modules", compiler), ...ofNode, "--types", "node", "typed-test.ts"], {
        cwd: app,
      });
      await typed.catch(({ stdout }) => assert.fail(`${compiler} ${module.join(" ")}\n${stdout}`));
    }
  }
});

test("each package exports what its api.md says", () => {
  for (const name of PACKAGES) {
    const report = reportOf(join(app, "node_modules/@presence-service", name));
    const kept = readFileSync(reportPathOf(name), "utf8");
    assert.equal(report, kept, `packages/${name}/api.md is not that of the code: run \`npm run api\`, and look at the diff`);
  }
});

test("publint and Are The Types Wrong find nothing", async () => {
  for (const name of PACKAGES) {
    const { messages } = await publint({ pkgDir: join(app, "node_modules/@presence-service", name), pack: false, strict: true });
    assert.deepEqual(messages, [], name);
    // Only the sources of this repository have it, under a condition of our own: packages/sim takes the World from there.
    // A style sheet has no types.
    const excludeEntrypoints = ["./world", "./styles.css"];
    const checked = await checkPackage(createPackageFromTarballData(readFileSync(packed.tarballs.get(name) ?? "")), { excludeEntrypoints });
    assert.ok(checked.types, `${name} has types`);
    // These packages are ES modules only: older resolution, and `require` in older Nodes, are not served.
    const problems = checked.problems.filter(({ kind }) => kind !== "CJSResolvesToESM");
    assert.deepEqual(
      problems.filter((problem) => !("resolutionKind" in problem) || problem.resolutionKind !== "node10"),
      [],
      name,
    );
  }
});

async function bundleWithEsbuild(outfile: string): Promise<void> {
  await build({
    absWorkingDir: app,
    entryPoints: ["react-app.js"],
    bundle: true,
    minify: true,
    format: "esm",
    outfile,
    logLevel: "silent",
  });
}

async function bundleWithWebpack(outfile: string): Promise<void> {
  const compiler = webpack({
    context: app,
    entry: "./react-app.js",
    mode: "production",
    target: ["web", "es2022"],
    output: { path: app, filename: basename(outfile) },
  });
  const problems = await new Promise<string>((resolve, reject) => {
    compiler?.run((error, stats) => (error ? reject(error) : resolve(stats?.toString({ all: false, errors: true, warnings: true }) ?? "")));
  });
  assert.equal(problems, "");
}

function without(program: string): string | false {
  const isThere = (process.env["PATH"] ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
  return isThere ? false : `${program} is not installed`;
}
