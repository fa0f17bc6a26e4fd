/** `npm run model`, without options: verifies the formal models of the rules within large bounds. docs/decisions/014-models.md explains them. */

import { runTool } from "./tool.js";

await runTool(import.meta.filename, "packages/sim/src/model/cli.ts");
