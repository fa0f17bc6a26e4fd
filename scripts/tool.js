/** Runs a tool that is written in TypeScript, in a Node that can run it, with the manners of usage.js. It knows no tool. */

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { node24, ROOT, runToEnd } from "./node-24.js";
import { toolEnv } from "./usage.js";

/** Ends with the exit code of the tool. @param {string} script the script that the user has run, whose first comment is the usage @param {string} cli its code, as seen from the root */
export async function runTool(script, cli) {
  await import("./setup.js");
  const manners = ["--import", pathToFileURL(join(ROOT, "scripts/usage.js")).href];
  const args = ["--conditions=presence-source", ...manners, join(ROOT, cli), ...process.argv.slice(2)];
  process.exitCode = await runToEnd(node24(), args, toolEnv(script));
}
