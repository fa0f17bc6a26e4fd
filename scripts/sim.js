/**
 * The simulator, `npm run sim -- --seed 7` or `npm run sim -- --runs 1000 --trouble redis,links`: CONTRIBUTING.md. It finds a Node that
 * runs TypeScript, and leaves everything else to packages/sim.
 */

import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

const cli = join(ROOT, "packages/sim/src/cli.ts");
process.exitCode = await runToEnd(node24(), ["--conditions=presence-source", cli, ...process.argv.slice(2)]);
