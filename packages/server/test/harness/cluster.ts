/** Two instances that share a Redis: the smallest cluster. Most tests use it. */

import { Instance, type InstanceOptions } from "./instance.ts";
import { RedisProcess } from "./redis.ts";
import type { Scope } from "./scope.ts";

export type Cluster = { readonly redis: RedisProcess; readonly one: Instance; readonly two: Instance };

export async function startCluster(scope: Scope, options: Omit<InstanceOptions, "port" | "redisUrl"> = {}): Promise<Cluster> {
  const redis = await RedisProcess.start(scope);
  const [one, two] = await Promise.all([1, 2].map(() => Instance.start(scope, { ...options, redisUrl: redis.url })));
  if (one === undefined || two === undefined) throw new Error("unreachable");
  return { redis, one, two };
}
