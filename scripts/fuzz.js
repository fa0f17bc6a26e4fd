/**
 * Feeds all decoders inputs that nobody meant, `npm run fuzz -- --inputs 10000000`: packages/server/test/attacks/fuzz.ts.
 *
 *   --inputs 1000000    for each decoder
 *   --seed 1            else a new one, which is printed
 *   --only "the bus"    decoders with these words in their name
 */

import { runTool } from "./tool.js";

await runTool(import.meta.filename, "packages/server/test/attacks/fuzz-cli.ts");
