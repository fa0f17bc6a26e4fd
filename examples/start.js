/**
 * `npm start` in the folder of an example: makes the packages and installs them there as they would come from the registry, starts the
 * service on port 3001 (`WS_PORT`) unless one is there, and then the example itself (`npm run dev`). It does only the steps that are needed.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { node24, ROOT } from "../scripts/node-24.js";
import "../scripts/setup.js";

const HOST = `localhost:${process.env.WS_PORT ?? 3001}`;
const READY_MS_MAX = 30_000;
/** What listens there may not be the service, and may never answer. */
const ANSWER_MS_MAX = 2_000;
const example = process.cwd();
const shell = process.platform === "win32";
const url = `ws://${HOST}`;
/** Whichever Node runs this, the example runs on one that has all it needs. Each kind of example reads one of these addresses. */
const env = {
  ...process.env,
  PATH: `${dirname(node24())}${delimiter}${process.env.PATH}`,
  ...(process.env.WS_PORT && { PRESENCE_URL: url, VITE_PRESENCE_URL: url, NEXT_PUBLIC_PRESENCE_URL: url }),
};
/** @type {import("node:child_process").ChildProcess[]} */
const children = [];
let isEnding = false;

if (!existsSync(join(example, "package.json")) || basename(join(example, "..")) !== "examples") {
  fail("run `npm start` in the folder of an example: cd examples/vanilla && npm start");
}
const names = readdirSync(join(ROOT, "packages")).filter((name) => existsSync(join(ROOT, "packages", name, "tsconfig.build.json")));
const built = (/** @type {string} */ name) => join(ROOT, "packages", name, "dist");
if (names.some((name) => modified(built(name)) < newest(join(ROOT, "packages", name, "src")))) {
  console.error("example: building the packages");
  step(node24(), ["scripts/build.js"], ROOT);
}
const installed = modified(join(example, "node_modules/.package-lock.json"));
if (installed < Math.max(modified(join(example, "package.json")), ...names.map((name) => modified(built(name))))) {
  console.error("example: installing the packages and what the example needs (npm install)");
  // npm takes packages of a version that it has for the same, though they were built anew.
  for (const old of ["@presence-service", ".package-lock.json"])
    rmSync(join(example, "node_modules", old), { recursive: true, force: true });
  step("npm", ["install", "--loglevel=error"], example);
}
for (const signal of /** @type {const} */ (["SIGINT", "SIGTERM"])) process.on(signal, () => end(0));
if (!(await isServing())) {
  console.error(`example: starting the service on ${HOST}`);
  start(node24(), ["scripts/start.js"], ROOT);
  const startedAt = Date.now();
  while (!(await isServing())) {
    if (isEnding) process.exit();
    if (Date.now() - startedAt > READY_MS_MAX) fail(`no service answers on ${HOST}; the lines above say why`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
start("npm", ["run", "dev", "--silent"], example);

/** Something else may listen there: the start of a service then says so. */
async function isServing() {
  try {
    const health = /** @type {{ status?: string }} */ (
      await (await fetch(`http://${HOST}/health`, { signal: AbortSignal.timeout(ANSWER_MS_MAX) })).json()
    );
    return typeof health.status === "string";
  } catch {
    return false;
  }
}

/** The end of one is the end of all. It has said why. */
function start(/** @type {string} */ program, /** @type {string[]} */ args, /** @type {string} */ cwd) {
  const child = spawn(program, args, { cwd, env, stdio: "inherit", shell: shell && program === "npm" });
  child.once("exit", (code) => end(code ?? 0));
  child.once("error", ({ message }) => fail(message));
  children.push(child);
}

function end(/** @type {number} */ code) {
  if (isEnding) return;
  isEnding = true;
  process.exitCode = code;
  for (const child of children) if (child.exitCode === null) child.kill("SIGTERM");
}

function step(/** @type {string} */ program, /** @type {string[]} */ args, /** @type {string} */ cwd) {
  const { status, error } = spawnSync(program, args, { cwd, stdio: ["ignore", "ignore", "inherit"], shell: shell && program === "npm" });
  if (status !== 0) fail(`\`${program} ${args[0]}\` failed${error ? `: ${error.message}` : ""}; the lines above say why`);
}

function fail(/** @type {string} */ why) {
  console.error(`example: ${why}`);
  for (const child of children) child.kill("SIGTERM");
  process.exit(1);
}

/** When a file or folder last changed; 0 if there is none. */
function modified(/** @type {string} */ path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The latest change of a source. @param {string} folder @returns {number} */
function newest(folder) {
  const times = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "testing" && !name.includes(".test."))
    .map((entry) => (entry.isDirectory() ? newest(join(folder, entry.name)) : modified(join(folder, entry.name))));
  return Math.max(0, ...times);
}
