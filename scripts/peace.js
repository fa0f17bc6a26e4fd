/**
 * Instances that measure their own truth in a simulated cluster, while messages are lost and people come and go:
 * `npm run peace -- --instances 10 --hours 1 --loss 0.01 --seed 1`. And the bytes that rest costs on the bus.
 */

import { parseArgs } from "node:util";
import { node24, runToEnd } from "./node-24.js";
import { numberOf } from "./usage.js";

const CONDITION = "--conditions=presence-source";
if (!process.execArgv.includes(CONDITION)) {
  await import("./setup.js");
  process.exit(await runToEnd(node24(), [CONDITION, ...process.argv.slice(1)]));
}

const { peace, restingBytes } = await import("../packages/server/src/testing/peace.ts");
const { quantile } = await import("../packages/server/src/testing/multitude.ts");

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "10" },
    members: { type: "string", default: "100" },
    boards: { type: "string", default: "2" },
    hours: { type: "string", default: "1" },
    loss: { type: "string", default: "0.01" },
    seed: { type: "string", default: "1" },
    changes: { type: "string", default: "1" },
  },
});
const instances = numberOf("instances", values.instances);
const measured = peace({
  instances,
  members: numberOf("members", values.members),
  boards: numberOf("boards", values.boards),
  lossRate: numberOf("loss", values.loss),
  seed: numberOf("seed", values.seed),
  ms: numberOf("hours", values.hours) * 3_600_000,
  changeMs: 1000 / numberOf("changes", values.changes),
});
console.log(
  `${instances} instances, ${values.loss} lost, ${Math.round(measured.memberHours)} member-hours: ${measured.falseLeaves} false leaves`,
);
told("gone until hidden elsewhere", measured.ghosts);
told("joined until shown elsewhere", measured.joins);
const none = restingBytes(0);
console.log(
  `at rest: an instance publishes ${(none / 2).toFixed(1)} bytes a second, and ${((restingBytes(20) - none) / 40).toFixed(2)} for each board`,
);

/**
 * @param {string} what
 * @param {readonly number[]} times
 */
function told(what, times) {
  const [p50, p99, p999, longest] = [0.5, 0.99, 0.999, 1].map((q) => quantile(times, q).toFixed(1));
  console.log(`${what}: p50 ${p50}, p99 ${p99}, p99.9 ${p999}, at most ${longest} ms, of ${times.length}`);
}
