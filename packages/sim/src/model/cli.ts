/** `npm run model`: verifies the models within larger bounds than the tests do, one after another, and prints how many states each has. */

import { parseArgs } from "node:util";
import { WHOLE } from "./rules.ts";
import { verify } from "./verify.ts";

parseArgs({ options: {} });
for (const { model, larger } of WHOLE) {
  const startedAt = performance.now();
  const { states, wrong } = await verify(model, larger);
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0);
  console.log(`${[model, ...larger].join(" ")}: ${wrong ?? "nothing is wrong"} in ${states} states, ${seconds} s`);
  if (wrong !== undefined) process.exitCode = 1;
}
