/**
 * Builds the image of the service with Docker. Where no Docker answers, it carries out the same Dockerfile in an empty folder: each COPY and
 * RUN line of each stage, with the Node that runs this, and then starts what came of it. `npm run image [-- --dry]`; `--dry`: never Docker.
 */

import { spawn, spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { continueOnNode24, ROOT } from "./node-24.js";
import "./usage.js";

const { values } = parseArgs({ options: { dry: { type: "boolean", default: false } } });
await continueOnNode24();

const FILE = "deploy/docker/Dockerfile";
const READY_MS_MAX = 15_000;

const hasDocker = !values.dry && spawnSync("docker", ["info"], { stdio: "ignore" }).status === 0;
if (hasDocker) {
  const { status } = spawnSync("docker", ["build", "--file", FILE, "--tag", "presence-service", "."], { cwd: ROOT, stdio: "inherit" });
  process.exit(status ?? 1);
}

const root = mkdtempSync(join(tmpdir(), "presence-image-"));
/** The folder of each stage, by name; the last stage has none. @type {Map<string, string>} */
const stages = new Map();
let stage = "";
let workdir = "/";
/** @type {Record<string, string>} */
let env = {};
let entrypoint = [""];

console.log(`image: no Docker answers, so the steps of ${FILE} are carried out in ${root}`);
try {
  for (const line of logicalLines()) await step(line);
  await tryOut();
} finally {
  rmSync(root, { recursive: true, force: true });
}

function logicalLines() {
  const text = readFileSync(join(ROOT, FILE), "utf8").replace(/^#.*\n/gm, "");
  return text
    .replace(/\\\n\s*/g, " ")
    .split("\n")
    .filter((line) => line.trim() !== "");
}

/** @param {string} line */
async function step(line) {
  const [word = "", ...rest] = line.split(/\s+/);
  switch (word) {
    case "FROM": {
      const name = rest[1] === "AS" ? (rest[2] ?? "") : "final";
      stage = join(root, name);
      mkdirSync(stage);
      stages.set(name, stage);
      env = {};
      return;
    }
    case "WORKDIR":
      workdir = rest[0] ?? "/";
      mkdirSync(join(stage, workdir), { recursive: true });
      return;
    case "ENV":
      for (const pair of rest) env[pair.split("=")[0] ?? ""] = pair.split("=")[1] ?? "";
      return;
    case "COPY":
      return copy(rest);
    case "RUN":
      return runLine(rest.join(" "));
    case "ENTRYPOINT":
      entrypoint = JSON.parse(rest.join(" "));
      return;
  }
}

/** @param {readonly string[]} words */
function copy(words) {
  const from = words[0]?.startsWith("--from=") ? stages.get(words[0].slice("--from=".length)) : undefined;
  const paths = from === undefined ? words : words.slice(1);
  const target = paths.at(-1) ?? "";
  for (const path of paths.slice(0, -1)) {
    const source = join(from ?? ROOT, path);
    const isIntoFolder = target.endsWith("/") && !statSync(source).isDirectory();
    const to = join(stage, workdir, target, isIntoFolder ? basename(path) : "");
    mkdirSync(dirname(to), { recursive: true });
    // As Dockerfile.dockerignore: nothing that was built or installed outside.
    cpSync(source, to, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (file) => from !== undefined || !/\/(node_modules|dist)$/.test(file),
    });
  }
}

/** @param {string} command */
function runLine(command) {
  console.log(`image: ${basename(stage)}: ${command}`);
  const path = `${dirname(process.execPath)}:${process.env.PATH}`;
  const home = join(root, "home");
  const { status } = spawnSync("sh", ["-c", command], {
    cwd: join(stage, workdir),
    stdio: "inherit",
    env: { ...process.env, ...env, PATH: path, HOME: home },
  });
  if (status !== 0) throw new Error(`\`${command}\` failed`);
}

async function tryOut() {
  const port = await freePort();
  const [, ...args] = entrypoint;
  const own = { PATH: process.env.PATH ?? "", ...env, REDIS_URL: "memory:", WS_PORT: String(port), LOG_LEVEL: "warn", DEMO: "on" };
  const service = spawn(process.execPath, args, { cwd: join(stage, workdir), stdio: "inherit", env: own });
  const deadline = performance.now() + READY_MS_MAX;
  try {
    while (performance.now() < deadline && service.exitCode === null) {
      const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => undefined);
      if (answer?.ok) {
        const page = await (await fetch(`http://127.0.0.1:${port}/`)).text();
        if (!page.includes("<html")) throw new Error("the image has no demo page");
        return console.log("image: the service started from it and is ready, with its demo page");
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error("the service did not start from it");
  } finally {
    service.kill("SIGTERM");
    await new Promise((resolve) => service.once("close", resolve));
  }
}

/** @returns {Promise<number>} */
function freePort() {
  return new Promise((resolve) => {
    const probe = createServer().listen(0, () => {
      const address = probe.address();
      probe.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
    });
  });
}
