/** From a REDIS_URL and its credentials to the topology that it names: a standalone server, Sentinels or a Cluster. It connects to nothing. */

import { PresenceError } from "../errors.ts";
import { Dialer, type RedisTls } from "./client.ts";
import { ClusterTopology } from "./cluster.ts";
import { SentinelTopology } from "./sentinel.ts";
import { Standalone, type Topology } from "./topology.ts";
import { REDIS_URL_FORMS, redisUrlOf } from "./url.ts";

export type RedisTarget = {
  /** Any form of REDIS_URL but `memory:`, credentials included: never log it, log `address`. */
  readonly url: string;
  /** Shown by `CLIENT LIST`. */
  readonly name: string;
  /** With TLS only. */
  readonly tls?: RedisTls;
  /** By whom Sentinels are asked, if they want to know. */
  readonly sentinel?: RedisSentinel;
};

/** Sentinels have users and passwords of their own. Never logged. */
export type RedisSentinel = { readonly username?: string; readonly password?: string };

export function topologyOf({ url: text, name, tls, sentinel }: RedisTarget): Topology {
  const url = redisUrlOf(text);
  if (url === undefined) throw new PresenceError("BAD_SETTINGS", `REDIS_URL must be ${REDIS_URL_FORMS}`);
  if (tls !== undefined && Object.keys(tls).length > 0 && !url.isTls) {
    throw new PresenceError("BAD_SETTINGS", "redisTls is of no use without TLS: redisUrl must begin with rediss");
  }
  const common = { name, tls: url.isTls ? (tls ?? {}) : undefined };
  const dialer = new Dialer({ username: url.username, password: url.password, ...common });
  switch (url.mode) {
    case "standalone":
      return new Standalone(url, dialer);
    case "sentinel":
      return new SentinelTopology(url, {
        dialer,
        sentinels: new Dialer({ username: sentinel?.username, password: sentinel?.password, ...common }),
      });
    case "cluster":
      return new ClusterTopology(url, dialer);
  }
}

/** The same, where only a Cluster will do. */
export function clusterOf(target: RedisTarget): ClusterTopology {
  const topology = topologyOf(target);
  if (topology instanceof ClusterTopology) return topology;
  throw new PresenceError("BAD_SETTINGS", "redisSharded needs a Cluster: redisUrl must begin with redis-cluster or rediss-cluster");
}
