/**
 * Runs a short selection of tests under the other Node releases that are supported, and the SDK in the engine of React Native: `npm run runtimes`,
 * or `npm run runtimes -- 22.18.0 react-native` for certain ones. They are npm packages without scripts, installed beside this repository and not
 * into it.
 */

import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
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
/** Versions that go together; the engine is the newest of which npm has a program. */
const REACT_NATIVE = [
  "react-native@0.88.1",
  "@react-native/metro-config@0.88.1",
  "metro@0.87.1",
  "react@19.3.1",
  "react-test-renderer@19.3.1",
  "react-native-get-random-values@2.0.0",
  "@bacons/text-decoder@0.0.0",
  "hermes-engine-cli@0.12.0",
];

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

const runtimes = positionals.length > 0 ? positionals : [...VERSIONS, "react-native"];
/** @type {string[]} */
const failed = [];
for (const runtime of runtimes) {
  const isNode = runtime !== "react-native";
  const folder = join(tmpdir(), "presence-runtimes", runtime);
  const node = isNode ? join(folder, "node_modules", packageName, "bin/node") : process.execPath;
  const sign = isNode ? node : join(folder, "node_modules/hermes-engine-cli");
  if (!existsSync(sign) && !installed(folder, isNode ? [`${packageName}@${runtime}`] : REACT_NATIVE)) {
    failed.push(`${runtime} (cannot be installed)`);
    continue;
  }
  console.log(`\nruntimes: ${isNode ? `Node ${runtime}` : runtime}`);
  const selection = isNode ? SELECTION : ["client/test/react-native"];
  const { status } = spawnSync(node, [join(ROOT, "scripts/test.js"), ...selection], { cwd: ROOT, stdio: "inherit" });
  if (status !== 0) failed.push(runtime);
}
console.log(failed.length === 0 ? `\nruntimes: all passed under ${runtimes.join(", ")}` : `\nruntimes: failed under ${failed.join(", ")}`);
process.exitCode = failed.length === 0 ? 0 : 1;

/** @param {string} folder @param {readonly string[]} packages */
function installed(folder, packages) {
  mkdirSync(folder, { recursive: true });
  const args = ["install", "--prefix", folder, "--no-save", "--ignore-scripts", "--no-audit", "--no-fund", ...packages];
  return spawnSync("npm", args, { stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}
