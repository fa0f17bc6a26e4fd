/**
 * A World in peace, but for lost messages: people come and go, and its instances measure their own truth (R23). It says what they measured,
 * and what rest costs on the bus; scripts/peace.js prints it.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import { encodeRedisMessage } from "../bus/envelope.ts";
import { HEALTHY } from "./network.ts";
import { World } from "./world.ts";
import type { WorldMember } from "./world-client.ts";

export type Peace = {
  readonly instances: number;
  /** Of each instance, on each board. */
  readonly members: number;
  readonly boards: number;
  readonly lossRate: number;
  readonly seed: number;
  readonly ms: Millis;
  /** Between two changes: a member leaves, and another one comes in its place. */
  readonly changeMs: Millis;
};

export type PeaceMeasured = {
  /** A member of another instance that an instance shows for an hour: its own cannot leave falsely. */
  readonly memberHours: number;
  readonly falseLeaves: number;
  readonly ghosts: readonly Millis[];
  readonly joins: readonly Millis[];
};

export function peace({ instances, members, boards, lossRate, seed, ms, changeMs }: Peace): PeaceMeasured {
  const world = new World({ seed, instances });
  const people: WorldMember[] = [];
  let number = 0;
  const join = (via: number, board: number) => people.push(world.join(`p${number++}`, { board: `b${board}`, via }));
  for (let via = 0; via < instances; via++)
    for (let board = 0; board < boards; board++) for (let member = 0; member < members; member++) join(via, board);
  world.advance(5_000);
  world.network.faults = { ...HEALTHY, lossRate };
  const times = { ghost: [] as Millis[], join: [] as Millis[], false_leave: [] as Millis[], blind: [] as Millis[] };
  world.observe((_, effect) => {
    if (effect.kind === "measured") times[effect.what].push(effect.ms);
  });
  for (const end = world.now + ms; world.now < end; world.advance(changeMs)) {
    const place = Math.floor(world.random.between(0, people.length));
    people.splice(place, 1)[0]?.leave();
    join(Math.floor(world.random.between(0, instances)), Math.floor(world.random.between(0, boards)));
  }
  const byTime = (a: number, b: number) => a - b;
  return {
    memberHours: (instances * (instances - 1) * boards * members * ms) / 3_600_000,
    falseLeaves: times.false_leave.length,
    ghosts: times.ghost.sort(byTime),
    joins: times.join.sort(byTime),
  };
}

/** Bytes a second that two instances at rest publish in all, with a member each on so many boards. */
export function restingBytes(boards: number, ms: Millis = 600_000): number {
  const world = new World({ seed: 1, instances: 2 });
  for (let via = 0; via < 2; via++) for (let board = 0; board < boards; board++) world.join(`p${via}`, { board: `b${board}`, via });
  world.advance(5_000);
  let bytes = 0;
  world.observe(({ instanceId }, effect) => {
    if (effect.kind === "publish") bytes += encodeRedisMessage({ from: instanceId as InstanceId, link: 1, message: effect.message }).length;
  });
  world.advance(ms);
  return bytes / (ms / 1000);
}
