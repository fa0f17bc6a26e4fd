/**
 * Two instances and their own Redis on this machine, to try presence across instances: `npm run cluster`; Ctrl-C ends all.
 * The Redis saves nothing and takes a free port, so it does not disturb another Redis. Arguments go to both instances.
 */

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as wait } from "node:timers/promises";
import { node24, ROOT } from "./node-24.js";
import "./setup.js";

const PORTS = [3001, 3002];
/** An instance starts in about a second; five more are its attempts to reach Redis. */
const READY_MS_MAX = 15_000;
/** Long enough to see how the other instance reacts, short enough to wait for the restart. */
const RESTART_MS = 5000;
/** Longer than a drain of two people who are slow to leave. */
const STOP_MS_MAX = 10_000;
const COLOURS = { redis: 35, 3001: 36, 3002: 33 };
const isColoured = process.stdout.isTTY && !process.env.NO_COLOR;

/** @type {Set<import("node:child_process").ChildProcess>} */
const children = new Set();
let isStopping = false;
/** Everything was ready once. */
let isRunning = false;
const folder = mkdtempSync(join(tmpdir(), "presence-cluster-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => void stop(0));

for (const port of PORTS) {
  if (!(await isFree(port))) {
    console.error(`cluster: port ${port} is taken. Stop what listens there (\`lsof -i :${port}\` or \`ss -ltnp\` names it) and try again.`);
    process.exit(1);
  }
}
const redisPort = await freePort();
const redisArgs = ["--port", String(redisPort), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder];
startRedis();

const redisUrl = `redis://127.0.0.1:${redisPort}`;
const node = node24();
PORTS.forEach(startInstance);
const readiness = await Promise.all(PORTS.map(isReady));
if (!isStopping) {
  if (readiness.every(Boolean)) {
    isRunning = true;
    const pages = PORTS.map((port) => `http://localhost:${port}/`).join("  and  ");
    console.log(
      `\n  ${pages}\n  Redis: ${redisUrl}   (after \`npm run build\`, REDIS_URL=${redisUrl} npx presence-service tap  shows the traffic)\n  Ctrl-C stops everything.\n`,
    );
  } else {
    console.error(
      `cluster: no instance is ready after ${READY_MS_MAX / 1000} s on port ${PORTS.filter((_, index) => !readiness[index]).join(", ")}`,
    );
    await stop(1);
  }
}

function startRedis() {
  start("redis", "redis-server", [...redisArgs, "--loglevel", "warning"], process.env);
}

function startInstance(/** @type {number} */ port) {
  // A person reads this output, but the instances have no terminal of their own and would print JSON.
  const env = { LOG_FORMAT: "text", ...process.env, WS_PORT: String(port), REDIS_URL: redisUrl };
  start(String(port), node, ["--conditions=presence-source", join(ROOT, "packages/server/src/cli.ts"), ...process.argv.slice(2)], env);
}

/**
 * Each in a process group of its own: a Ctrl-C reaches only us, and Redis stops last.
 * @param {string} name
 * @param {string} program
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} env
 */
function start(name, program, args, env) {
  const child = spawn(program, args, { env, cwd: ROOT, detached: true, stdio: ["ignore", "pipe", "pipe"] });
  children.add(child);
  const label = name.padEnd(6);
  const prefix = isColoured ? `\u001b[${COLOURS[/** @type {keyof typeof COLOURS} */ (name)]}m${label}\u001b[0m` : label;
  /** Output of Redis, which is printed only when it fails. @type {string[]} */
  const unsaid = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => (name === "redis" ? unsaid.push(line) : console.log(prefix + line)));
  }
  child.once("error", (error) => {
    children.delete(child);
    const isMissing = "code" in error && error.code === "ENOENT";
    console.error(isMissing ? `cluster: ${program} is not installed. On Debian: apt-get install ${program}` : `cluster: ${error.message}`);
    void stop(1);
  });
  child.once("exit", (code, signal) => {
    children.delete(child);
    if (isStopping) return;
    for (const line of unsaid) console.log(prefix + line);
    const how = signal ?? `exit code ${code}`;
    // A user may kill an instance or Redis to see how the others react, so it is started again. One that never started would fail again.
    if (isRunning) {
      console.error(`cluster: ${name} ended (${how}); it starts again in ${RESTART_MS / 1000} s`);
      setTimeout(() => isStopping || (name === "redis" ? startRedis() : startInstance(Number(name))), RESTART_MS);
      return;
    }
    console.error(`cluster: ${name} ended (${how}), so everything stops`);
    void stop(1);
  });
}

/** Stops the instances first, so that they can say goodbye over Redis. A second call, from a second Ctrl-C, kills. */
async function stop(/** @type {number} */ code) {
  if (isStopping) for (const child of children) child.kill("SIGKILL");
  if (isStopping) return;
  isStopping = true;
  const [redis, ...instances] = [...children].sort((a, b) => Number(isRedis(b)) - Number(isRedis(a)));
  const inOrder = redis !== undefined && isRedis(redis) ? [instances, [redis]] : [[...children]];
  for (const group of inOrder) {
    const deadline = setTimeout(() => group.forEach((child) => void child.kill("SIGKILL")), STOP_MS_MAX);
    await Promise.all(group.map(terminated));
    clearTimeout(deadline);
  }
  process.exit(code);
}

/** @param {import("node:child_process").ChildProcess} child */
function isRedis(child) {
  return child.spawnfile === "redis-server";
}

/** @param {import("node:child_process").ChildProcess} child */
function terminated(child) {
  return new Promise((resolve) => {
    if (!children.has(child)) return resolve(undefined);
    child.once("exit", resolve);
    child.kill("SIGTERM");
  });
}

async function isReady(/** @type {number} */ port) {
  for (const startedAt = performance.now(); performance.now() - startedAt < READY_MS_MAX && !isStopping; await wait(100)) {
    const response = await fetch(`http://localhost:${port}/readyz`).catch(() => undefined);
    if (response?.ok) return true;
  }
  return false;
}

/** @returns {Promise<boolean>} */
function isFree(/** @type {number} */ port) {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen(port, () => probe.close(() => resolve(true)));
  });
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
