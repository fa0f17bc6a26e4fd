/**
 * Makes a fresh clone ready: dependencies, pages and, with `--tests`, the programs that tests start. It does only the steps that
 * are needed and prints each of them. It runs on Node 20 with nothing installed, so it imports only modules of Node.
 */

import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, statSync } from "node:fs";
import { delimiter, join } from "node:path";
import { ROOT } from "./node-24.js";

/** Programs that tests start, with the Debian packages of each. */
const TEST_PROGRAMS = {
  "redis-server": "redis-server",
  chromium: "chromium",
  openssl: "openssl",
  spin: "spin",
  cc: "gcc libc6-dev",
  promtool: "prometheus",
  haproxy: "haproxy",
  nginx: "nginx-light",
};

installDependencies();
buildPage("demo", "demo page");
buildPage("inspector", "Inspector");
if (process.argv.includes("--tests")) installTestPrograms();

function installDependencies() {
  const installed = join(ROOT, "node_modules/.package-lock.json");
  if (modified(installed) >= modified(join(ROOT, "package-lock.json"))) return;
  step("installing dependencies (npm ci)");
  // The pinned Node is an optional dependency and the tools are dev dependencies: install both, whatever npm is configured to omit.
  const args = ["ci", "--include=dev", "--include=optional", "--no-audit", "--no-fund", "--loglevel=error"];
  run("npm", args, "Check the network and the npm registry setting (`npm config get registry`), then run the command again.");
}

/**
 * @param {string} name of its package
 * @param {string} called
 */
function buildPage(name, called) {
  const page = join(ROOT, "packages", name);
  if (!existsSync(join(page, "index.html")) || !existsSync(join(page, "vite.config.ts"))) return;
  const built = modified(join(page, "dist/index.html"));
  const sources = [page, join(ROOT, "packages/client/src"), join(ROOT, "packages/protocol/src")].map(newest);
  if (built > Math.max(...sources)) return;
  step(`building the ${called}`);
  run(
    "npm",
    ["run", "build", "--silent", `--workspace=packages/${name}`, "--", "--logLevel=warn"],
    `The messages above say what is wrong in packages/${name}.`,
  );
}

function installTestPrograms() {
  const missing = Object.entries(TEST_PROGRAMS).filter(([program]) => !onPath(program));
  if (missing.length === 0) return;
  const names = missing.flatMap(([, packages]) => packages.split(" "));
  const advice = `Tests need ${missing.map(([program]) => program).join(" and ")}. Install it, on Debian: apt-get install ${names.join(" ")}`;
  const isRoot = process.getuid?.() === 0;
  const mayInstall =
    onPath("apt-get") && (isRoot || (onPath("sudo") && spawnSync("sudo", ["-n", "true"], { stdio: "ignore" }).status === 0));
  if (!mayInstall) fail(advice);
  step(`installing ${names.join(" and ")} (apt-get)`);
  // Without systemd, RUNLEVEL=1 keeps packages from starting a Redis or Prometheus of their own; with systemd those are stopped below.
  const prefix = isRoot ? ["env"] : ["sudo", "-n", "env"];
  const apt = [...prefix, "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1", "apt-get", "-qq"];
  root([...apt, "update"], advice);
  root([...apt, "install", "-y", "--no-install-recommends", ...names], advice);
  const services = ["redis-server", "prometheus", "haproxy", "nginx-light"].filter((name) => names.includes(name));
  if (services.length > 0 && existsSync("/run/systemd/system")) {
    spawnSync(prefix[0] ?? "env", [...prefix.slice(1), "systemctl", "disable", "--now", ...services], { stdio: "ignore" });
  }
}

/**
 * @param {readonly string[]} command
 * @param {string} advice
 */
function root([program = "", ...args], advice) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { stdio: ["ignore", "pipe", "pipe"], encoding: "utf8" });
  if (status !== 0) fail(`${stdout}${stderr}${error ?? ""}\n${advice}`);
}

/**
 * @param {string} program
 * @param {readonly string[]} args
 * @param {string} advice
 */
function run(program, args, advice) {
  const { status, error } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: ["ignore", "ignore", "inherit"],
    shell: process.platform === "win32",
  });
  if (status !== 0) fail(`\`${program} ${args[0]}\` failed${error ? `: ${error.message}` : ""}. ${advice}`);
}

/** @param {string} program */
function onPath(program) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

/** When a file last changed; 0 if there is none. @param {string} path */
function modified(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The latest change below a folder, build output and installed packages aside. @param {string} folder @returns {number} */
function newest(folder) {
  if (!existsSync(folder)) return 0;
  const times = readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== "dist" && name !== "node_modules" && !name.includes(".test."))
    .map((entry) => (entry.isDirectory() ? newest(join(folder, entry.name)) : modified(join(folder, entry.name))));
  return Math.max(0, ...times);
}

/** @param {string} what */
function step(what) {
  console.error(`setup: ${what}`);
}

/** @param {string} why @returns {never} */
function fail(why) {
  console.error(`setup: ${why.trim()}`);
  process.exit(1);
}
