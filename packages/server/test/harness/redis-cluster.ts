/** A Redis Cluster of real processes: three masters with a replica each, and short times, so that a failover takes about two seconds. */

import assert from "node:assert/strict";
import { connect } from "node:net";
import { eventually } from "./eventually.ts";
import { freePort } from "./ports.ts";
import { RedisProcess } from "./redis.ts";
import type { Scope } from "./scope.ts";

/** Nodes call a node down after so long without an answer. */
const NODE_TIMEOUT_MS = 1000;
const MASTERS = 3;
const SLOTS = 16_384;

export class RedisCluster {
  /** Masters first, then the replica of each in the same order, as they were at the start. */
  readonly nodes: readonly RedisProcess[];

  private constructor(nodes: readonly RedisProcess[]) {
    this.nodes = nodes;
  }

  /** `tls`: certificates, as `redis-server` takes them; then nodes speak TLS to one another, and to clients on a second port. */
  static async start(
    scope: Scope,
    { args = [], tls }: { readonly args?: readonly string[]; readonly tls?: readonly string[] } = {},
  ): Promise<RedisCluster> {
    const own = async () => [
      ...["--cluster-enabled", "yes", "--cluster-node-timeout", String(NODE_TIMEOUT_MS)],
      // Not 10 000 above the port, where the system takes ports for outgoing connections.
      ...["--cluster-port", String(await freePort()), "--repl-diskless-sync-delay", "0", ...args],
      ...(tls === undefined ? [] : ["--tls-cluster", "yes", "--tls-replication", "yes", "--tls-port", String(await freePort()), ...tls]),
    ];
    const nodes = await Promise.all(Array.from({ length: 2 * MASTERS }, async () => RedisProcess.start(scope, { args: await own() })));
    const cluster = new RedisCluster(nodes);
    await cluster.#form();
    return cluster;
  }

  get url(): string {
    const places = this.nodes.slice(0, MASTERS).map(({ port }) => `127.0.0.1:${port}`);
    return `redis-cluster://${places.join(",")}`;
  }

  /** The node at an address such as `127.0.0.1:7000`. */
  at(address: string | null): RedisProcess {
    return this.nodes.find(({ port }) => address === `127.0.0.1:${port}`) ?? assert.fail(`no node at ${address}`);
  }

  /** Moves a slot, which holds no keys, from one master to another, once the other knows the first one as a master. */
  async move(slot: number, source: RedisProcess, target: RedisProcess): Promise<void> {
    const [from = "", to = ""] = await Promise.all([source, target].map(async (node) => String(await node.cli("CLUSTER", "MYID"))));
    // Nodes tell each other of a failover within a second or so; until then the other node takes no slot from this one.
    const knowsTheMaster = async () => new RegExp(`^${from} .*master`, "m").test(String(await target.cli("CLUSTER", "NODES")));
    await eventually(knowsTheMaster, { what: "the node that gets the slot has heard of the failover", withinMs: 10_000 });
    await target.cli("CLUSTER", "SETSLOT", String(slot), "IMPORTING", from);
    await source.cli("CLUSTER", "SETSLOT", String(slot), "MIGRATING", to);
    await target.cli("CLUSTER", "SETSLOT", String(slot), "NODE", to);
    // A master that has given its last slot away is a replica already.
    await source.cli("CLUSTER", "SETSLOT", String(slot), "NODE", to).catch(() => {});
  }

  /** A master gives a slot away and has it back at once: it ends the subscriptions there, and no answer ever says that the slot was elsewhere. */
  async flicker(slot: number, source: RedisProcess, target: RedisProcess): Promise<void> {
    const ids = await Promise.all([target, source].map(async (node) => String(await node.cli("CLUSTER", "MYID"))));
    const socket = connect(source.port, "127.0.0.1");
    socket.write(ids.map((id) => `CLUSTER SETSLOT ${slot} NODE ${id}\r\n`).join(""));
    let answers = "";
    for await (const chunk of socket) {
      answers += String(chunk);
      if (answers.split("\r\n").length > ids.length) break;
    }
    assert.equal(answers, "+OK\r\n+OK\r\n");
  }

  /**
   * A planned failover: the replica takes the slots of its master over. A node that was elected is not to be asked again within four times
   * the node time-out: Redis 7 would count its former votes, so that it would be a master for a moment only, and the real one hold back
   * what is published for ten seconds.
   */
  async failover(replica: RedisProcess): Promise<void> {
    const id = String(await replica.cli("CLUSTER", "MYID"));
    const isAgreed = async (role: "master" | "slave") => {
      const views = new Set(await Promise.all(this.nodes.map(viewOf)));
      return views.size === 1 && [...views].join().includes(`${id} ${role}`);
    };
    const follows = async () => (await isAgreed("slave")) && /master_link_status:up/.test(String(await replica.cli("INFO", "replication")));
    // A master ignores, unsaid, the wish of a node that it does not yet know as its replica. A replica that does not yet know of a slot
    // leaves it to its master, which then remains one, and holds back what is published for ten seconds.
    await eventually(follows, { what: "the replica follows its master, and all nodes agree who has which slots", withinMs: 10_000 });
    await replica.cli("CLUSTER", "FAILOVER");
    await eventually(() => isAgreed("master"), { what: "all nodes agree that the replica is the master", withinMs: 10_000 });
  }

  /** A replica has taken the slots of a master over; answers it. */
  async failedOver(former: RedisProcess): Promise<RedisProcess> {
    const replica = this.nodes[this.nodes.indexOf(former) + MASTERS] ?? assert.fail("that node is no master");
    await eventually(async () => String(await replica.cli("ROLE")).startsWith("master"), {
      what: "its replica is a master",
      withinMs: 15_000,
    });
    return replica;
  }

  /** A further master, without slots. It ends with the scope, and is forgotten. */
  async grow(scope: Scope): Promise<RedisProcess> {
    const busPort = String(await freePort());
    const args = ["--cluster-enabled", "yes", "--cluster-node-timeout", String(NODE_TIMEOUT_MS), "--cluster-port", busPort];
    const node = await RedisProcess.start(scope, { args });
    await this.nodes[0]?.cli("CLUSTER", "MEET", "127.0.0.1", String(node.port), busPort);
    await this.whole([...this.nodes, node]);
    const id = String(await node.cli("CLUSTER", "MYID"));
    // It is dead by then, and would stay known as a node that has failed.
    scope.after(async () => {
      await Promise.all(this.nodes.map((other) => other.cli("CLUSTER", "FORGET", id).catch(() => {})));
    });
    return node;
  }

  /** Every running node knows every other and calls the Cluster sound. */
  async whole(nodes = this.nodes): Promise<void> {
    await eventually(
      async () => {
        const infos = await Promise.all(nodes.map((node) => node.cli("CLUSTER", "INFO")));
        return infos.every((info) => String(info).includes("cluster_state:ok"));
      },
      { what: "all nodes call the Cluster sound", withinMs: 20_000 },
    );
  }

  async #form(): Promise<void> {
    const [first, ...others] = this.nodes;
    await Promise.all(this.nodes.map((node, nth) => node.cli("CLUSTER", "SET-CONFIG-EPOCH", String(nth + 1))));
    for (const [nth, node] of this.nodes.slice(0, MASTERS).entries()) {
      const slot = (of: number) => Math.floor((SLOTS * of) / MASTERS);
      await node.cli("CLUSTER", "ADDSLOTSRANGE", String(slot(nth)), String(slot(nth + 1) - 1));
    }
    for (const node of others) {
      const [, busPort] = (await node.cli("CONFIG", "GET", "cluster-port")) as string[];
      await first?.cli("CLUSTER", "MEET", "127.0.0.1", String(node.port), String(busPort));
    }
    await eventually(
      async () => {
        const known = await Promise.all(
          this.nodes.map(async (node) =>
            String(await node.cli("CLUSTER", "NODES"))
              .trim()
              .split("\n"),
          ),
        );
        return known.every((lines) => lines.length === this.nodes.length && !lines.some((line) => line.includes("handshake")));
      },
      { what: "all nodes know one another", withinMs: 20_000 },
    );
    for (const [nth, replica] of this.nodes.slice(MASTERS).entries()) {
      await replica.cli("CLUSTER", "REPLICATE", String(await this.nodes[nth]?.cli("CLUSTER", "MYID")));
    }
    await this.whole();
    await eventually(
      async () => {
        const infos = await Promise.all(this.nodes.slice(0, MASTERS).map((node) => node.cli("INFO", "replication")));
        return infos.every((info) => String(info).includes("state=online"));
      },
      { what: "each master has a replica that follows", withinMs: 20_000 },
    );
  }
}

/** Which nodes are masters, with which slots, and which are their replicas, as that node knows it. */
async function viewOf(node: RedisProcess): Promise<string> {
  const nodes = String(await node.cli("CLUSTER", "NODES"))
    .trim()
    .split("\n");
  const lines = nodes.map((line) => {
    const [id, , flags = "", master, , , , , ...slots] = line.split(" ");
    // A slot that is on its way is in brackets.
    return [id, /master|slave/.exec(flags)?.[0], master, ...slots.filter((slot) => !slot.startsWith("["))].join(" ");
  });
  return lines.sort().join("\n");
}
