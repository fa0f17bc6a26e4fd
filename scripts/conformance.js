/**
 * Certifies a server, `npm run conformance -- --url ws://localhost:3001/`, or a client, `npm run conformance -- --client "<command>"`:
 * docs/CLIENTS.md. It finds a Node that runs TypeScript, and leaves everything else to packages/conformance.
 */

import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

const cli = join(ROOT, "packages/conformance/src/cli.ts");
process.exitCode = await runToEnd(node24(), ["--conditions=presence-source", cli, ...process.argv.slice(2)]);
