/**
 * The fault suite, `npm run faults` or `npm run faults -- --topology standalone --only SIGSTOP`: docs/RELIABILITY.md. It finds a Node that
 * runs TypeScript, and leaves everything else to packages/server/test/faults.
 */

import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

const cli = join(ROOT, "packages/server/test/faults/cli.ts");
process.exitCode = await runToEnd(node24(), ["--conditions=presence-source", cli, ...process.argv.slice(2)]);
