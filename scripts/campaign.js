/**
 * Seeded runs of a simulated cluster with people and faults of known kinds, each compared with the bound of its kind:
 * `npm run campaign -- --seeds 100 --instances 8 --boards 20 --people 60 --from 1 --trouble redis,links`. Prints one line for each kind:
 * how long rosters took to be right after all faults had ended. For each run that breaks a bound it prints the reason and the command to
 * repeat it. `--trace` prints every step of the runs; with a number, only from that virtual millisecond on.
 * One process, one core; exits with 1 if a run broke a bound.
 */

import { parseArgs } from "node:util";
import { node24, runToEnd } from "./node-24.js";

const CONDITION = "--conditions=presence-source";
if (!process.execArgv.includes(CONDITION)) {
  await import("./setup.js");
  process.exit(await runToEnd(node24(), [CONDITION, ...process.argv.slice(1)]));
}

const { complaints, runSeed, TROUBLES } = await import("../packages/sim/src/campaign.ts");
const { trace } = await import("../packages/sim/src/trace.ts");

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100" },
    from: { type: "string", default: "1" },
    instances: { type: "string", default: "8" },
    boards: { type: "string", default: "20" },
    people: { type: "string", default: "60" },
    trouble: { type: "string", default: Object.keys(TROUBLES).join() },
    trace: { type: "string" },
  },
});
const size = { instances: whole("instances"), boards: whole("boards"), people: whole("people") };
const [from, seeds] = [whole("from"), whole("seeds")];
const troubles = values.trouble.split(",").map(troubleNamed);
let broken = 0;
console.log(`${seeds} seeds of each kind from ${from} on, ${size.instances} instances, ${size.boards} boards, ${size.people} people`);
console.log("kind            equal after ms: p50    p99    max   since connected: p50    p99    max   differed again   false leaves");
for (const name of troubles) run(name);
console.log(broken === 0 ? "every run within its bounds" : `${broken} runs broke a bound`);
process.exitCode = broken === 0 ? 0 : 1;

/** @param {import("../packages/sim/src/campaign.ts").TroubleName} name */
function run(name) {
  /** @type {number[]} */
  const equal = [];
  /** @type {number[]} */
  const connected = [];
  let again = 0;
  let falseLeaves = 0;
  for (let seed = from; seed < from + seeds; seed++) {
    const { trace: since } = values;
    const outcome = runSeed(name, seed, size, since === undefined ? undefined : (world) => trace(world, Number(since), console.log));
    equal.push(outcome.equalMs);
    connected.push(outcome.sinceConnectedMs);
    again += outcome.again.length;
    falseLeaves += outcome.falseLeaves.length;
    const wrong = complaints(outcome);
    if (wrong.length === 0) continue;
    broken++;
    const replay = `npm run campaign -- --trouble ${name} --from ${seed} --seeds 1 --trace 0`;
    const sized = `${replay} --instances ${size.instances} --boards ${size.boards} --people ${size.people}`;
    console.log([`${name} ${seed}:`, ...wrong, sized].join("\n  "));
  }
  const numbers = [...percentiles(equal), ...percentiles(connected)].map((ms) => String(Math.round(ms)).padStart(7));
  console.log(
    `${name.padEnd(24)}${numbers.slice(0, 3).join("")}${" ".repeat(18)}${numbers.slice(3).join("")}${String(again).padStart(17)}${String(falseLeaves).padStart(15)}`,
  );
}

/** @param {number[]} values */
function percentiles(values) {
  const sorted = values.toSorted((a, b) => a - b);
  return [0.5, 0.99, 1].map((share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0);
}

/** @param {"seeds" | "from" | "instances" | "boards" | "people"} option */
function whole(option) {
  const number = Number(values[option]);
  if (Number.isInteger(number) && number > 0) return number;
  console.error(`--${option} must be a whole number above 0, not ${values[option]}`);
  process.exit(1);
}

/**
 * @param {string} name
 * @returns {import("../packages/sim/src/campaign.ts").TroubleName}
 */
function troubleNamed(name) {
  const known = /** @type {import("../packages/sim/src/campaign.ts").TroubleName[]} */ (Object.keys(TROUBLES));
  const found = known.find((trouble) => trouble === name);
  if (found !== undefined) return found;
  console.error(`--trouble must be one or more of ${known.join(", ")}, not ${name}`);
  process.exit(1);
}
