/**
 * Prints everything that happens in a World, line by line: faults, and the inputs and effects of each core. To examine one seed.
 * Instances are named by their places in `World.instances`, members by their usernames. It changes nothing.
 */

import type { Millis } from "@presence-service/protocol";
import type { World, WorldInstance } from "@presence-service/server/world";

const FAULTS = ["stopRedis", "startRedis", "cut", "hang", "reset", "mute", "split", "deafen", "dropSubscription", "mend"] as const;
const VERBS = ["kill", "pause", "resume", "stop"] as const;

/** Traces from that virtual time on. */
export function trace(world: World, sinceMs: Millis, print: (line: string) => void): void {
  const tell = (line: string) => {
    if (world.now >= sinceMs) print(`${world.now.toFixed(1).padStart(10)} ${line}`);
  };
  for (const fault of FAULTS) tellCalls(world.network, fault, tell);
  for (const verb of VERBS) tellCalls(world, verb, tell);
  world.observe((instance, effect) => tell(`${instance.index} → ${inShort(world, effect)}`));
  const traced = new Set<WorldInstance>();
  const traceNew = () => {
    for (const instance of world.instances) {
      if (traced.has(instance)) continue;
      traced.add(instance);
      const handle = instance.core.handle.bind(instance.core);
      instance.core.handle = (input, now, wallNow) => {
        traceNew();
        if (input.kind !== "tick") tell(`${instance.index} ← ${inShort(world, input)}`);
        return handle(input, now, wallNow);
      };
    }
  };
  traceNew();
}

function tellCalls<K extends string>(owner: Record<K, (...args: never[]) => unknown>, name: K, tell: (line: string) => void): void {
  const call = owner[name].bind(owner) as (...args: unknown[]) => unknown;
  owner[name] = ((...args: unknown[]) => {
    tell(`${name} ${args.map((arg) => JSON.stringify(arg)).join(" ")}`);
    return call(...args);
  }) as (typeof owner)[K];
}

function inShort(world: World, said: { readonly kind: string }): string {
  const { kind, ...rest } = said;
  const fields = JSON.stringify(rest, (key, value) => {
    if (key === "member") return `${value.username} ${value.status}`;
    if (key === "from" || key === "owner" || key === "instanceId")
      return world.instances.findIndex(({ instanceId }) => instanceId === value);
    return key === "memberId" ? String(value).slice(0, 6) : value;
  });
  return `${kind} ${fields.slice(1, -1).replaceAll('"', "")}`;
}
