/**
 * The built packages, as others install them: they run in a plain Node, without our sources and the `presence-source` condition.
 * Runs alone: it makes `dist` anew, which others run.
 */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { eventually, freePort } from "./harness/index.ts";

const run = promisify(execFile);
const ROOT = fileURLToPath(new URL("../../..", import.meta.url));

/** An app of two lines, in plain JavaScript. */
const APP = `
  import { createPresence } from "@presence-service/client";
  const [ana, ben] = ["Ana", "Ben"].map((username) => createPresence({ url: process.argv[1] }).board("doc-42", { username }));
  ana.subscribe(() => ana.others.length === 1 && (console.log(ana.others[0].username), process.exit(0)));
`;

test("npm links the command when it installs, although nothing is built then", { timeout: 60_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "presence-link-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { name, version, type, bin } = manifest("server");
  mkdirSync(join(folder, "packages/server"), { recursive: true });
  writeFileSync(join(folder, "package.json"), JSON.stringify({ private: true, workspaces: ["packages/*"] }));
  writeFileSync(join(folder, "packages/server/package.json"), JSON.stringify({ name, version, type, bin }));
  cpSync(join(ROOT, "packages/server/bin"), join(folder, "packages/server/bin"), { recursive: true });
  await run("npm", ["install", "--offline", "--no-audit", "--no-fund"], { cwd: folder });
  const command = run(join(folder, "node_modules/.bin/presence-service"), ["--help"], { cwd: folder });
  await assert.rejects(command, { code: 69, stderr: /not been built yet\. Run `npm run build`/ });
});

test("every command in the documents exists", () => {
  const commands = ["README.md", "CONTRIBUTING.md", "docs/OPERATIONS.md", "docs/BENCHMARKS.md", "packages/client/README.md"].flatMap(
    (document) => {
      const text = readFileSync(join(ROOT, document), "utf8");
      const lines = [...text.matchAll(/^```(?:sh|bash|console)\n(.*?)^```/gms)].flatMap(([, block = ""]) => block.split("\n"));
      const inline = [...text.matchAll(/`((?:npm (?:run |start|test)|npx )[^`]*)`/g)].map(([, command = ""]) => command);
      return [...lines, ...inline].map((line) => ({ document, words: wordsOf(line) })).filter(({ words }) => words.length > 0);
    },
  );
  assert.ok(commands.length > 10);
  const scriptsOf = (folder: string): object => JSON.parse(readFileSync(join(ROOT, folder, "package.json"), "utf8")).scripts;
  const ours = Object.keys(manifest("server").bin);
  for (const { document, words } of commands) {
    const [program = "", first = "", second = ""] = words;
    const line = `${document}: ${words.join(" ")}`;
    const workspace = /(?:-w|--workspace)[ =](\S+)/.exec(line)?.[1] ?? ".";
    if (program === "npm" && first === "run") assert.ok(second in scriptsOf(workspace), line);
    else if (program === "npm" && (first === "start" || first === "test")) assert.ok(first in scriptsOf("."), line);
    else if (program === "npm" && first === "install") for (const name of words.slice(2)) assert.ok(PUBLISHED.has(name), line);
    else if (program === "npx") assert.ok(ours.includes(first) || existsSync(join(ROOT, "node_modules/.bin", first)), line);
    else assert.ok(ours.includes(program) || OTHER_PROGRAMS.has(program), line);
  }
  assert.ok(commands.some(({ words }) => words.join(" ").startsWith("npx presence-service")));
});

test("`npm run build` makes packages that a plain Node runs", { timeout: 60_000 }, async (t) => {
  await run(process.execPath, ["scripts/build.js"], { cwd: ROOT });
  const port = await freePort();
  const env = { PATH: process.env["PATH"], REDIS_URL: "memory:", WS_PORT: String(port), DEMO: "off" };
  const service = spawn(process.execPath, ["packages/server/dist/cli.js"], { cwd: ROOT, env, stdio: ["ignore", "pipe", "inherit"] });
  t.after(() => service.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface({ input: service.stdout }).on("line", (line) => lines.push(line));
  await eventually(() => lines.some((line) => line.includes("is ready")), {
    what: () => `it is ready\n${lines.join("\n")}`,
    withinMs: 15_000,
  });
  // It has no demo page, so nothing to open is promised.
  const { open, clients } = JSON.parse(lines.find((line) => line.includes("is ready")) ?? "");
  assert.deepEqual([open, clients[0]], [undefined, `ws://localhost:${port}/`]);
  const { stdout } = await run(process.execPath, ["--input-type=module", "--eval", APP, `ws://localhost:${port}`], {
    cwd: `${ROOT}/packages/server`,
    timeout: 15_000,
  });
  assert.equal(stdout, "Ben\n");

  // The command that README names.
  const help = await run("npx", ["--no-install", "presence-service", "--help"], { cwd: ROOT, env: { ...process.env, NODE_OPTIONS: "" } });
  assert.match(help.stdout, /^presence-service: .*--redis-url/s);

  // As others install it: the packed files and their dependencies.
  const folder = mkdtempSync(join(tmpdir(), "presence-packed-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@presence-service"), { recursive: true });
  for (const name of readdirSync(join(ROOT, "node_modules"))) {
    if (name !== "@presence-service" && !name.startsWith(".")) symlinkSync(join(ROOT, "node_modules", name), join(modules, name));
  }
  for (const name of ["protocol", "server"]) {
    const packed = await run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder], {
      cwd: join(ROOT, "packages", name),
    });
    const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
    mkdirSync(join(modules, "@presence-service", name));
    await run("tar", ["--extract", "--file", join(folder, filename), "--strip-components", "1"], {
      cwd: join(modules, "@presence-service", name),
    });
  }
  const packedServer = join(modules, "@presence-service/server");
  const command = join(packedServer, manifest("server").bin["presence-service"] ?? "");
  const { stdout: version } = await run(process.execPath, [command, "--version"], { cwd: folder });
  assert.equal(version, `${manifest("server").version}\n`);

  // The Inspector comes with the server, although its sources are a package of their own.
  const packedPort = await freePort();
  const packedService = spawn(process.execPath, [command], {
    cwd: folder,
    env: { ...env, WS_PORT: String(packedPort) },
    stdio: "ignore",
  });
  t.after(() => packedService.kill("SIGKILL"));
  const page = `http://localhost:${packedPort}/inspector/`;
  const html = await eventually(async () => (await fetch(page).catch(() => undefined))?.text(), {
    what: "the packed server answers",
    withinMs: 15_000,
  });
  const [, script] = /src="(\.\/assets\/[^"]+\.js)"/.exec(html ?? "") ?? assert.fail(html);
  assert.equal((await fetch(new URL(script ?? "", page))).status, 200);
});

type Manifest = { readonly name: string; readonly version: string; readonly type: string; readonly bin: Record<string, string> };

function manifest(name: string): Manifest {
  return JSON.parse(readFileSync(join(ROOT, "packages", name, "package.json"), "utf8")) as Manifest;
}

/** Packages that a document may tell to install. */
const PUBLISHED = new Set(["protocol", "client", "react", "server"].map((name) => `@presence-service/${name}`));

/** Programs in documents that are neither npm's nor ours. */
const OTHER_PROGRAMS = new Set(["redis-cli", "redis-server", "docker", "git", "node", "curl", "flock", "cd"]);

/** The words of a command line in a document, without comment, prompt and variables. */
function wordsOf(line: string): string[] {
  const words = line
    .replace(/^\$ /, "")
    .replace(/(?:^|\s)#.*$/, "")
    .split(/\s+/)
    .filter(Boolean);
  const from = words.findIndex((word) => !/^[A-Z_]+=/.test(word));
  return from < 0 ? [] : words.slice(from);
}
