/**
 * `npm run model`: verifies the formal models of the rules within large bounds: docs/decisions/014-models.md. It finds a Node that runs
 * TypeScript, and leaves everything else to packages/sim.
 */

import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

const cli = join(ROOT, "packages/sim/src/model/cli.ts");
process.exitCode = await runToEnd(node24(), ["--conditions=presence-source", cli, ...process.argv.slice(2)]);
