/**
 * The fault suite, `npm run faults` or `npm run faults -- --topology standalone --only SIGSTOP`. docs/RELIABILITY.md explains it.
 *
 *   --topology tls,cluster   of standalone, signed, tls, sentinel, cluster and sharded; else all
 *   --only "kill,SIGSTOP"    faults whose names contain one of these; --list prints all
 *   --seconds 1.5            for so long people work in peace before each fault, and after it
 *   --json                   a verdict a line, with bounds, evidence and every false leave
 *   --judge FILE             judges the log of an earlier run again
 */

import { runTool } from "./tool.js";

await runTool(import.meta.filename, "packages/server/test/faults/cli.ts");
