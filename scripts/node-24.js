/**
 * Finds a Node that can run TypeScript sources, whichever Node runs this process. It never returns one that cannot.
 * Scripts call this instead of `node` on the PATH, since a shell remembers the path of the `node` from before the install.
 */

import { spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));
const PINNED = fileURLToPath(new URL("../node_modules/.bin/node", import.meta.url));

/** Path of the pinned Node, or else of this one if it is new enough. Otherwise says what to do and exits. */
export function node24() {
  if (existsSync(PINNED) && spawnSync(PINNED, ["--version"], { stdio: "ignore" }).status === 0) return PINNED;
  if (stripsTypes(process.versions.node)) return process.execPath;
  console.error(
    `There is no pinned Node 24 for ${process.platform} ${process.arch}, and this Node ${process.versions.node} cannot run TypeScript.\n` +
      "Install Node 24 (https://nodejs.org, at least 22.18) and run the command again.",
  );
  process.exit(1);
}

/** Runs this same script again under Node 24 and exits with its code; returns at once if it already runs there. */
export async function continueOnNode24() {
  const node = node24();
  if (stripsTypes(process.versions.node)) return;
  process.exit(await runToEnd(node, process.argv.slice(1)));
}

/** So often we look whether npm is still there. */
const PARENT_SEEN_MS = 200;

/**
 * Runs a program in the foreground with our terminal, passes SIGINT and SIGTERM on, and resolves to its exit code
 * (128 + the signal's number if a signal ended it). Where npm runs us, the end of npm is a SIGTERM as well.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 * @returns {Promise<number>}
 */
export function runToEnd(program, args, env = process.env) {
  const child = spawn(program, args, { stdio: "inherit", env, cwd: ROOT });
  // The terminal sends Ctrl-C to the whole process group, the child included. A second signal from us would cut its drain short.
  process.on("SIGINT", () => process.stdin.isTTY || child.kill("SIGINT"));
  process.on("SIGTERM", () => child.kill("SIGTERM"));
  // npm tells a signal to its shell only, and that ends without a word to us.
  const parent = process.ppid;
  const watching = setInterval(() => {
    if (process.env.npm_lifecycle_event === undefined || process.ppid === parent) return;
    clearInterval(watching);
    child.kill("SIGTERM");
  }, PARENT_SEEN_MS);
  watching.unref();
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? (signal === "SIGINT" ? 130 : 143)));
  });
}

/** @param {string} version */
function stripsTypes(version) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  return major > 22 || (major === 22 && minor >= 18);
}
