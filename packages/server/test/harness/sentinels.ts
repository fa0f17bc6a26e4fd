/** A master with replicas, and Sentinels that watch it: real processes, with short times, so that a failover takes about a second. */

import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { RedisProcess } from "./redis.ts";
import type { Scope } from "./scope.ts";

/** Sentinels call a master down after so long without an answer. */
const DOWN_AFTER_MS = 500;

export type SentinelsOptions = {
  /** Further settings of master and replicas. */
  readonly args?: readonly string[];
  /** Further lines of settings of the Sentinels. */
  readonly config?: readonly string[];
};

export class Sentinels {
  readonly name = "mymaster";
  /** The first is the master at the start. */
  readonly servers: readonly RedisProcess[];
  readonly sentinels: readonly RedisProcess[];

  private constructor(servers: readonly RedisProcess[], sentinels: readonly RedisProcess[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  /** Two servers, one a replica of the other, and three Sentinels that know them and one another. */
  static async start(scope: Scope, { args = [], config = [] }: SentinelsOptions = {}): Promise<Sentinels> {
    // By default Redis waits 5 s for more replicas.
    const quick = ["--repl-diskless-sync-delay", "0", ...args];
    const master = await RedisProcess.start(scope, { args: quick });
    const replica = await RedisProcess.start(scope, { args: [...quick, "--replicaof", `127.0.0.1 ${master.port}`] });
    const ports = [await freePort(), await freePort(), await freePort()];
    const settings = [
      `sentinel monitor mymaster 127.0.0.1 ${master.port} 2`,
      `sentinel down-after-milliseconds mymaster ${DOWN_AFTER_MS}`,
      "sentinel failover-timeout mymaster 5000",
      ...config,
    ].join("\n");
    const watching = await Promise.all(
      ports.map((port) => RedisProcess.start(scope, { port, args: ["--sentinel"], config: `${settings}\n` })),
    );
    const group = new Sentinels([master, replica], watching);
    await group.whole();
    return group;
  }

  /** All Sentinels, as operators write them. */
  get url(): string {
    return `redis-sentinel://${this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",")}/${this.name}`;
  }

  /** The server that a Sentinel calls the master. */
  async master(sentinel = this.sentinels[0]): Promise<RedisProcess> {
    const reply = await sentinel?.cli("SENTINEL", "GET-MASTER-ADDR-BY-NAME", this.name);
    const port = Number(Array.isArray(reply) ? reply[1] : 0);
    return this.servers.find((server) => server.port === port) ?? assert.fail(`no server on port ${port}`);
  }

  /** Each Sentinel knows the others and the replica, and the replica follows: a failover will succeed. */
  async whole(): Promise<void> {
    await eventually(
      async () => {
        for (const sentinel of this.sentinels) {
          const reply = await sentinel.cli("SENTINEL", "MASTER", this.name);
          const about = Array.isArray(reply) ? reply.map(String) : [];
          const value = (name: string) => about[about.indexOf(name) + 1];
          if (value("num-other-sentinels") !== "2" || value("num-slaves") !== "1" || value("flags") !== "master") return false;
        }
        const master = await this.master();
        return String(await master.cli("INFO", "replication")).includes("state=online");
      },
      { what: "master, replica and Sentinels know one another", withinMs: 20_000 },
    );
  }

  /** Waits until `former` is the master no more, and answers the one that took over, once it serves. */
  async failedOver(former: RedisProcess): Promise<RedisProcess> {
    const [successor = assert.fail()] = this.servers.filter((server) => server !== former);
    await eventually(async () => String(await successor.cli("ROLE")).startsWith("master"), {
      what: "the replica is the master",
      withinMs: 20_000,
    });
    return successor;
  }
}
