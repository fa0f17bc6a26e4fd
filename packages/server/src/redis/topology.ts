/**
 * Where the servers of a REDIS_URL are, and to which of them a link connects: the one part that knows standalone servers, Sentinels and Clusters.
 * A link asks before each attempt, so that a new connection never goes where the last one was without asking.
 */

import type { Mode } from "../bus/bus.ts";
import type { Link } from "../core/effects.ts";
import { PresenceError } from "../errors.ts";
import { Dialer, type RedisConnection, type RedisTls } from "./client.ts";
import { ClusterTopology } from "./cluster.ts";
import type { Failure } from "./failure.ts";
import { SentinelTopology } from "./sentinel.ts";
import { inWords, type Place, REDIS_URL_FORMS, redisUrlOf } from "./url.ts";

export interface Topology {
  readonly mode: Mode;
  /** As configured, for logs and the health page: names and ports, without credentials. */
  readonly address: string;
  /** For connections that become links. */
  readonly dialer: Dialer;

  /** Where this link is to connect now. Answers within about a second, also if nobody can be asked. */
  locate(link: Link): Promise<Place | Failure>;

  /** Looks at a new connection, and ends it if its server is not the right one. */
  admit(connection: RedisConnection, link: Link): Promise<void>;

  /** From now on `moved` is called now and then with the one place where both links belong, if there is one, until `close`. */
  watch(moved: (place: Place) => void): void;

  close(): void;
}

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

/** One server. Its name is looked up anew with each connection. */
export class Standalone implements Topology {
  readonly mode = "standalone";
  readonly address: string;
  readonly dialer: Dialer;
  readonly #place: Place;

  constructor({ place }: { readonly place: Place }, dialer: Dialer) {
    this.#place = place;
    this.address = inWords(place);
    this.dialer = dialer;
  }

  locate(): Promise<Place> {
    return Promise.resolve(this.#place);
  }

  admit(): Promise<void> {
    return Promise.resolve();
  }

  watch(): void {}

  close(): void {}
}
