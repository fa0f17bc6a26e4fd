/**
 * Very many simulated instances without clients: `npm run multitude -- --instances 1000 --loss 0.01 --seed 1`. Prints how long killed ones
 * are held for alive, who is accused wrongly, and what each instance hears. A thousand take 7 minutes and 2 GB.
 */

import { parseArgs } from "node:util";
import { node24, runToEnd } from "./node-24.js";
import { numberOf } from "./usage.js";

const CONDITION = "--conditions=presence-source";
if (!process.execArgv.includes(CONDITION)) {
  await import("./setup.js");
  process.exit(await runToEnd(node24(), [CONDITION, "--max-old-space-size=8192", ...process.argv.slice(1)]));
}

const { accusationsOf, killToGone, multitude, quantile, traffic } = await import("../packages/server/src/testing/multitude.ts");

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "300" },
    loss: { type: "string", default: "0" },
    seed: { type: "string", default: "1" },
  },
});
const instances = numberOf("instances", values.instances);
const world = multitude({ instances, seed: numberOf("seed", values.seed), lossRate: numberOf("loss", values.loss) });
const accused = accusationsOf(world);
const third = Array.from({ length: Math.floor(instances / 3) }, (_, index) => 3 * index + 1);

const { mean, max } = traffic(world, 5_000);
console.log(`${instances} instances, ${values.loss} lost: each hears ${mean.toFixed(0)} messages a second, ${max.toFixed(0)} at most`);
told("in peace");
world.pause(0);
world.advance(2_000);
world.resume(0);
world.advance(5_000);
told("one stalls for 2 s");
killed("one is killed", killToGone(world, [2 % instances], 7_000));
if (instances > 3) killed("a third is killed", killToGone(world, third, 7_000));
const broken = world.instances.filter(({ state, isDegraded, counted }) => state === "running" && (isDegraded || (counted.mute ?? 0) > 0));
console.log(`${broken.length} believed that nobody hears them`);

/** @param {string} what */
function told(what) {
  console.log(`${what}: living instances were suspect ${accused.suspect} times and down ${accused.down} times`);
  accused.suspect = accused.down = 0;
}

/**
 * @param {string} what
 * @param {readonly number[]} gone
 */
function killed(what, gone) {
  const [p50, p99, longest] = [0.5, 0.99, 1].map((q) => quantile(gone, q).toFixed(0));
  console.log(`${what}: gone after p50 ${p50}, p99 ${p99}, at most ${longest} ms, for ${gone.length} pairs`);
  told(what);
}
