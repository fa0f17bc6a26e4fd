/**
 * The simulator, `npm run sim -- --seed 7` or `npm run sim -- --runs 1000 --trouble redis,links`. CONTRIBUTING.md explains it.
 *
 *   --seed 7, --runs 100          the first seed, and how many of each kind of trouble
 *   --trouble redis,links         kinds of trouble; an unknown one is answered with all that there are
 *   --world large, --instances 4, --boards 4, --people 12
 *   --clients sdk                 SDK clients on whole instances
 *   --peer-core DIR               every second instance runs the core of another checkout
 *   --workers 2, --progress FILE  threads; a file that says how far it is
 *   --schedule FILE, --trace 0    runs the steps of a file; prints everything from that virtual millisecond on
 *   --replay FILE                 repeats a recording of an instance
 *   --ablate R6, --ablate all     switches rules off, and looks for a run or a test that misses them
 *   --json, --no-shrink           a line of JSON for each run; failing schedules stay as they are
 */

import { runTool } from "./tool.js";

await runTool(import.meta.filename, "packages/sim/src/cli.ts");
