/** `npm run fuzz -- --inputs 10000000 --seed 1 --only "the bus"`: a table of decoders, inputs and time; ends with 1 at a finding. */

import { setImmediate as nextTurn } from "node:timers/promises";
import { parseArgs } from "node:util";
import { DECODERS, fuzz } from "./fuzz.ts";

/** Then the event loop turns, as it does in a service: without it the memory of what was unpacked is not given back. */
const AT_ONCE = 20_000;

const { values } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 2 ** 31)) },
    only: { type: "string", default: "" },
  },
});
const [inputs, seed] = [Number(values.inputs), Number(values.seed)];
const names = Object.keys(DECODERS).filter((name) => name.includes(values.only));
if (!(inputs > 0)) end("--inputs must be a number above 0");
if (!Number.isInteger(seed)) end("--seed must be a whole number");
if (names.length === 0) end(`--only must be part of one of ${Object.keys(DECODERS).join("; ")}`);
console.log(`seed ${seed}\n\n| decoder | inputs | inputs/s | found |\n|---|---|---|---|`);
for (const name of names) {
  const startedAt = performance.now();
  let found: ReturnType<typeof fuzz>;
  for (let from = 0; from < inputs && found === undefined; from += AT_ONCE) {
    found = fuzz(name, Math.min(AT_ONCE, inputs - from), seed + from);
    await nextTurn();
  }
  const perSecond = Math.round((1000 * inputs) / (performance.now() - startedAt));
  console.log(`| ${name} | ${inputs} | ${perSecond} | ${found === undefined ? "nothing" : found.why.split("\n")[0]} |`);
  if (found === undefined) continue;
  console.log(found);
  process.exitCode = 1;
}

function end(problem: string): never {
  console.error(`fuzz: ${problem}`);
  process.exit(64);
}
