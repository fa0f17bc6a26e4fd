/**
 * Runs a short selection of tests under the other Node releases that are supported: `npm run runtimes`, or `npm run runtimes -- 22.18.0` for
 * certain versions. They are npm packages without scripts, installed beside the pinned one and not into it.
 */

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { continueOnNode24, ROOT } from "./node-24.js";
import { misused } from "./usage.js";

const { positionals } = parseArgs({ allowPositionals: true });
for (const version of positionals)
  if (!/^\d+\.\d+\.\d+$/.test(version)) throw misused(`${version} is no version of Node; name it in full, as in 22.18.0`);
await continueOnNode24();

/** The newest of each line that npm offers as a package; 22.18.0 is the oldest that the service allows. */
const VERSIONS = ["22.18.0", "22.23.3", "26.12.1"];

/** Parts of paths: the codecs and the SDK, connections on a fake clock, settings, and real processes on a real Redis. */
const SELECTION = [
  "protocol/src",
  "client/src",
  "server/src/connection/connection",
  "server/src/connection/manager",
  "server/src/connection/floods",
  "server/src/bus",
  "server/src/config",
  "server/src/edge",
  "server/src/identity",
  "server/src/telemetry/log",
  "server/test/test-server",
  "server/test/cli",
  "server/test/two-instances",
  "server/test/upgrades",
  "server/test/build",
];

const packageName =
  process.platform === "linux" ? `node-linux-${process.arch}` : process.platform === "darwin" ? `node-bin-darwin-${process.arch}` : "";
if (packageName === "") {
  console.error(
    `runtimes: there is no npm package of Node for ${process.platform}; install each version and run \`node scripts/test.js\` with it.`,
  );
  process.exit(1);
}

const versions = positionals.length > 0 ? positionals : VERSIONS;
/** @type {string[]} */
const failed = [];
for (const version of versions) {
  const folder = join(tmpdir(), "presence-runtimes", version);
  const node = join(folder, "node_modules", packageName, "bin/node");
  if (!existsSync(node)) {
    const args = ["install", "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", `${packageName}@${version}`];
    if (spawnSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] }).status !== 0) {
      failed.push(`${version} (cannot be installed)`);
      continue;
    }
  }
  console.log(`\nruntimes: Node ${version}`);
  const { status } = spawnSync(node, [join(ROOT, "scripts/test.js"), ...SELECTION], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) failed.push(version);
}
console.log(failed.length === 0 ? `\nruntimes: all passed under ${versions.join(", ")}` : `\nruntimes: failed under ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;
