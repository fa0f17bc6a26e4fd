/**
 * The service under test: three instances as processes of their own, on a Redis, on one behind Sentinels, or on a Cluster. Clients
 * reach each instance through a proxy, which, like a load balancer with health checks, leads to another one while that instance is
 * down. On a single Redis each instance reaches it through a proxy of its own.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  certificates,
  eventually,
  FaultProxy,
  freePort,
  Instance,
  RedisCluster,
  RedisProcess,
  type Scope,
  Sentinels,
} from "../harness/index.ts";

export const TOPOLOGIES = ["standalone", "signed", "tls", "sentinel", "cluster", "sharded"] as const;
export type Topology = (typeof TOPOLOGIES)[number];

const INSTANCES = 3;
const SECRET = "the-secret-of-the-fault-suite-32-characters";

type Servers = {
  readonly redisUrl: (nth: number) => string;
  /** Settings of the instances. */
  readonly env?: Readonly<Record<string, string>>;
  /** Between each instance and Redis. */
  readonly links?: readonly FaultProxy[];
  readonly redis?: RedisProcess;
  readonly sentinels?: Sentinels;
  readonly cluster?: RedisCluster;
};

export class Stage {
  readonly topology: Topology;
  readonly instances: Instance[] = [];
  /** Between clients and each instance. */
  readonly lanes: FaultProxy[] = [];
  /** Those whose health checks fail, as they end or start. */
  readonly #down = new Set<number>();
  #servers: Servers;
  readonly #scope: Scope;

  private constructor(topology: Topology, servers: Servers, scope: Scope) {
    this.topology = topology;
    this.#servers = servers;
    this.#scope = scope;
  }

  static async start(scope: Scope, topology: Topology): Promise<Stage> {
    const stage = new Stage(topology, await startServers(scope, topology), scope);
    stage.instances.push(...(await Promise.all(Array.from({ length: INSTANCES }, (_, nth) => stage.#launch(nth)))));
    for (const { port } of stage.instances) stage.lanes.push(await FaultProxy.start(scope, { target: port }));
    return stage;
  }

  /** Where the clients of each instance connect. */
  get urls(): string[] {
    return this.lanes.map(({ port }) => `ws://127.0.0.1:${port}`);
  }

  instance(nth: number): Instance {
    return this.instances[nth] ?? assert.fail(`no instance ${nth}`);
  }

  lane(nth: number): FaultProxy {
    return this.lanes[nth] ?? assert.fail(`no lane ${nth}`);
  }

  link(nth: number): FaultProxy {
    return this.#servers.links?.[nth] ?? assert.fail("no proxy leads to Redis in this topology");
  }

  get redis(): RedisProcess {
    return this.#servers.redis ?? assert.fail("this topology has no single Redis");
  }

  get sentinels(): Sentinels {
    return this.#servers.sentinels ?? assert.fail("there are no Sentinels in this topology");
  }

  get cluster(): RedisCluster {
    return this.#servers.cluster ?? assert.fail("there is no Cluster in this topology");
  }

  /** All servers that carry messages. */
  get servers(): readonly RedisProcess[] {
    const { redis, sentinels, cluster } = this.#servers;
    return (redis && [redis]) ?? sentinels?.servers ?? cluster?.nodes ?? [];
  }

  /** New clients of this instance find another one, until it is replaced. */
  leadElsewhere(nth: number): void {
    this.#down.add(nth);
    this.#lead();
  }

  /** A new process on the port of one that has ended; clients find it again. */
  async replace(nth: number): Promise<void> {
    const { port } = this.instance(nth);
    this.instances[nth] = await this.#launch(nth, port);
    this.#down.delete(nth);
    this.#lead();
  }

  /** Clients whose own instance was replaced go back to it. */
  gather(): void {
    for (const lane of this.lanes) lane.recall();
  }

  /** All instances are well and have met. */
  async whole(): Promise<void> {
    await eventually(
      async () => {
        const healths = await Promise.all(this.instances.map((instance) => instance.health()));
        return healths.every(
          ({ status, peers }) => status === "ok" && peers.filter(({ state }) => state === "up").length === INSTANCES - 1,
        );
      },
      { what: "all instances are well and have met", withinMs: 30_000 },
    );
  }

  /** All instances find another server under the address that they have, and the former one dies. As a name that moves. */
  async moveRedis(): Promise<RedisProcess> {
    const former = this.redis;
    const redis = await RedisProcess.start(this.#scope);
    for (const link of this.#servers.links ?? []) link.lead(redis.port);
    await former.kill();
    this.#servers = { ...this.#servers, redis };
    return redis;
  }

  /** Has each instance write down what it was told lately. Answers the files of those that have. */
  async record(): Promise<readonly string[]> {
    const files = this.instances.map(async (instance) => {
      const from = instance.lines.length;
      await instance.kill("SIGUSR2");
      const written = () => instance.lines.slice(from).map((line) => /\S*presence-recording-\S*?\.gz/.exec(line)?.[0]);
      const found = () => written().find((file) => file !== undefined);
      return eventually(found, { what: "it has written a recording" }).catch(() => undefined);
    });
    return (await Promise.all(files)).filter((file) => file !== undefined);
  }

  #lead(): void {
    for (const [lane, proxy] of this.lanes.entries()) {
      const inTurn = this.instances.map((_, nth) => (lane + nth) % INSTANCES);
      proxy.lead(this.instance(inTurn.find((nth) => !this.#down.has(nth)) ?? lane).port);
    }
  }

  #launch(nth: number, port?: number): Promise<Instance> {
    const { redisUrl, env = {} } = this.#servers;
    return Instance.start(this.#scope, { redisUrl: redisUrl(nth), ...(port !== undefined && { port }), env });
  }
}

async function startServers(scope: Scope, topology: Topology): Promise<Servers> {
  if (topology === "sentinel") {
    const sentinels = await Sentinels.start(scope);
    return { sentinels, redisUrl: () => sentinels.url };
  }
  if (topology === "cluster" || topology === "sharded") {
    const cluster = await RedisCluster.start(scope);
    return { cluster, redisUrl: () => cluster.url, ...(topology === "sharded" && { env: { REDIS_SHARDED: "on" } }) };
  }
  if (topology === "tls") return startWithTls(scope);
  const redis = await RedisProcess.start(scope);
  const links = await linksTo(scope, redis.port);
  const env = topology === "signed" ? { BUS_SECRET: SECRET } : {};
  return { redis, links, env, redisUrl: (nth) => `redis://127.0.0.1:${links[nth]?.port}` };
}

/** A Redis that asks for client certificates. */
async function startWithTls(scope: Scope): Promise<Servers> {
  const folder = certificates(scope);
  const file = (name: string) => join(folder, name);
  const port = await freePort();
  const redis = await RedisProcess.start(scope, {
    args: [
      ...["--tls-port", String(port), "--tls-auth-clients", "yes"],
      ...["--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key"), "--tls-ca-cert-file", file("ca.pem")],
    ],
  });
  const links = await linksTo(scope, port);
  const env = { REDIS_TLS_CA: file("ca.pem"), REDIS_TLS_CERT: file("client.pem"), REDIS_TLS_KEY: file("client.key") };
  return { redis, links, env, redisUrl: (nth) => `rediss://127.0.0.1:${links[nth]?.port}` };
}

function linksTo(scope: Scope, target: number): Promise<FaultProxy[]> {
  return Promise.all(Array.from({ length: INSTANCES }, () => FaultProxy.start(scope, { target })));
}

/** The letter that the system shows for a process: T while it is stopped. Linux only. */
export function processState(pid: number): string {
  return readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.[0] ?? "";
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
