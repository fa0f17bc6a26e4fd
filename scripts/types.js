/**
 * Type-checks everything: each tsconfig of the repository in a compiler of its own, two at a time. Emits nothing.
 * A file that several of them check has its errors told once.
 * This also checks purity: protocol and the server's `core/` are checked without the types of Node and of the DOM.
 */

import { spawn } from "node:child_process";
import { existsSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { ROOT } from "./node-24.js";

const packages = readdirSync(join(ROOT, "packages")).map((name) => `packages/${name}`);
const configs = [".", ...packages].flatMap((folder) =>
  readdirSync(join(ROOT, folder))
    .filter((name) => /^tsconfig(\.(?!base|build)[a-z]+)?\.json$/.test(name))
    .map((name) => join(folder, name)),
);
const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
if (!existsSync(tsc)) {
  console.error("types: the compiler is not installed; run `npm ci`");
  process.exit(1);
}

const waiting = [...configs];
/** @type {Set<string>} */
const told = new Set();
await Promise.all(Array.from({ length: availableParallelism() }, checkNext));

/** @returns {Promise<void>} */
async function checkNext() {
  const config = waiting.shift();
  if (config === undefined) return;
  const child = spawn(process.execPath, [tsc, "--noEmit", "--pretty", "false", "--project", config], {
    cwd: ROOT,
    stdio: ["ignore", "pipe", "inherit"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text) => {
    output += text;
  });
  const code = await new Promise((resolve) => child.once("close", resolve));
  if (code !== 0) {
    process.exitCode = 1;
    // An error is a line, and the indented lines that explain it.
    const errors = output.split(/\n(?=\S)/).map((error) => error.trimEnd());
    for (const error of errors.filter((each) => !told.has(each))) console.error(error);
    for (const error of errors) told.add(error);
    console.error(`types: errors in ${config}`);
  }
  return checkNext();
}
