/** Feeds all decoders inputs that nobody meant, `npm run fuzz -- --inputs 10000000`: packages/server/test/attacks/fuzz.ts. */

import { join } from "node:path";
import { node24, ROOT, runToEnd } from "./node-24.js";
import "./setup.js";

const cli = join(ROOT, "packages/server/test/attacks/fuzz-cli.ts");
process.exitCode = await runToEnd(node24(), ["--conditions=presence-source", cli, ...process.argv.slice(2)]);
