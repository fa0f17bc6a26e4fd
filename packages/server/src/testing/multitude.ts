/**
 * Very many instances without clients, in a World: how long a killed one is held for alive, who is accused wrongly, and what each
 * instance hears. It measures; rules-groups.test.ts and scripts/multitude.js say what is good enough.
 */

import type { Millis } from "@presence-service/protocol";
import { CONSTANTS, type Constants } from "../core/constants.ts";
import { HEALTHY } from "./network.ts";
import { World } from "./world.ts";

export type Multitude = {
  readonly instances: number;
  readonly seed: number;
  readonly lossRate?: number;
  readonly constants?: Partial<Constants>;
};

/** Instances that started within `startMs`, and know each other. */
export function multitude({ instances, seed, lossRate = 0, constants = {} }: Multitude, startMs: Millis = 2_000): World {
  const world = new World({ seed, instances: 0, constants, warmUpMs: 0 });
  for (let started = 0; started < instances; started++) {
    world.start();
    world.advance(startMs / instances);
  }
  // The stride doubles with each beat that is said to all.
  const stride =
    instances <= CONSTANTS.heartbeatInstancesMax ? 1 : Math.ceil((instances * CONSTANTS.farMsPerInstance) / CONSTANTS.heartbeatMs);
  world.advance(5_000 + 2 * stride * CONSTANTS.heartbeatMs);
  world.network.faults = { ...HEALTHY, lossRate };
  return world;
}

/** Of each pair of a living instance and a killed one, how long after the kill the one judged the other down; NEVER: not within `withinMs`. */
export function killToGone(world: World, killed: readonly number[], withinMs: Millis = 15_000): Millis[] {
  const at = world.now;
  const ids = new Set(killed.map((index) => world.instance(index).instanceId));
  const gone: Millis[] = [];
  let isOver = false;
  world.observe((_, effect) => {
    if (!isOver && effect.kind === "peer" && effect.state === "down" && ids.has(effect.instanceId)) gone.push(world.now - at);
  });
  for (const index of killed) world.kill(index);
  world.advance(withinMs);
  isOver = true;
  const pairs = world.instances.filter(({ state }) => state === "running").length * killed.length;
  while (gone.length < pairs) gone.push(Number.POSITIVE_INFINITY);
  return gone.sort((a, b) => a - b);
}

/** Counts of messages in that time: heard by an instance, on average and by the busiest; and verdicts said in all. */
export function traffic(world: World, ms: Millis): { readonly mean: number; readonly max: number; readonly verdicts: number } {
  let verdicts = 0;
  let isOver = false;
  world.observe((_, effect) => {
    if (!isOver && effect.kind === "publish" && effect.message.kind === "verdict") verdicts++;
  });
  const heard = new Map<number, number>();
  world.network.onDelivery = ({ to }) => void heard.set(to, (heard.get(to) ?? 0) + 1);
  world.advance(ms);
  world.network.onDelivery = undefined;
  isOver = true;
  const counts = [...heard.values()].map((count) => count / (ms / 1000));
  return { mean: counts.reduce((sum, count) => sum + count, 0) / Math.max(1, counts.length), max: Math.max(0, ...counts), verdicts };
}

/** Judgements of living instances by living instances, from now on: how many of each kind. */
export function accusationsOf(world: World): Record<"suspect" | "down", number> {
  const count = { suspect: 0, down: 0 };
  const running = new Map(world.instances.map((instance) => [instance.instanceId, instance]));
  world.observe((_, effect) => {
    if (effect.kind !== "peer" || (effect.state !== "suspect" && effect.state !== "down")) return;
    if (running.get(effect.instanceId)?.state !== "gone") count[effect.state]++;
  });
  return count;
}

export function quantile(sorted: readonly number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))] ?? Number.NaN;
}
