/**
 * The faults of the suite, each with what is promised under it. A fault carries itself out and proves that it happened: it returns what
 * was seen of it from outside, and throws if that was not seen. It knows nothing of clients.
 */

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { eventually, type FaultProxy, type RedisProcess } from "../harness/index.ts";
import type { Bounds } from "./log.ts";
import { isAlive, processState, type Stage, TOPOLOGIES, type Topology } from "./stage.ts";

export type Fault = {
  readonly name: string;
  readonly topologies: readonly Topology[];
  readonly bounds: Bounds;
  /** The instance whose clients are cut off and cannot know it. */
  readonly excuses?: number;
  /** `mended` is called when the fault is over; else it is when this returns. Returns what was seen of the fault. */
  readonly strike: (stage: Stage, mended: () => void) => Promise<readonly string[]>;
  /** Makes the stage whole again, once nobody looks. */
  readonly after?: (stage: Stage) => Promise<unknown>;
};

/** The instance that suffers. */
const VICTIM = 0;
const ALL = TOPOLOGIES;
const SINGLE: readonly Topology[] = ["standalone", "signed", "tls"];
const CLUSTERS: readonly Topology[] = ["cluster", "sharded"];
/** The grace of a lost connection (C2). */
const GRACE_MS = 15_000;
/** Members whose instance said goodbye are kept for 5 s (R12.2). */
const KEPT_MS = 4500;
/** Whoever comes back sooner is not shown leaving (R7.9): 3.5 s at least after the last beat of the dead instance, which was up to 0.5 s before its end. */
const GIVEN_UP_MS = 3000;
/** A dead instance is given up within 5 s (R7.9); so are members whose instance said goodbye (R12.2). */
const GONE_MS = 5000;
/** Redis is back: connections are tried every second at least (R9.31), and rosters are right 2 s later. */
const RECONNECTED_MS = 3000;
/** A silent connection is noticed after four beats without an echo (R9.1). */
const NOTICED_MS = 2600;
/** For how long what has no end of its own lasts. */
const OUTAGE_MS = 6000;

/** Bounds of a fault during which nothing crosses the bus for so long. */
function outage(forMs: number, equalMsMax: number): Bounds {
  const worstMs = forMs + equalMsMax;
  return { falseLeavesMax: 0, ghostMsMax: worstMs, blindMsMax: worstMs, equalMsMax, graceMs: GRACE_MS };
}

export const FAULTS: readonly Fault[] = [
  {
    name: "peace",
    topologies: ALL,
    bounds: outage(0, 0),
    strike: async (stage) => {
      await wait(3000);
      return [`${stage.instances.filter(({ isRunning }) => isRunning).length} instances run`];
    },
  },
  {
    name: "instance kill -9",
    topologies: ALL,
    bounds: { falseLeavesMax: 0, ghostMsMax: GONE_MS, blindMsMax: 1000, equalMsMax: GONE_MS, graceMs: GIVEN_UP_MS },
    strike: async (stage) => {
      const victim = stage.instance(VICTIM);
      const { pid } = victim;
      stage.leadElsewhere(VICTIM);
      const exit = await victim.kill("SIGKILL");
      assert.equal(exit?.signal, "SIGKILL");
      assert.ok(!isAlive(pid), `process ${pid} is still there`);
      return [`process ${pid} is gone by SIGKILL`];
    },
    after: (stage) => stage.replace(VICTIM),
  },
  {
    name: "instance kill -9, and the next one in its place as well",
    topologies: ALL,
    bounds: { falseLeavesMax: 0, ghostMsMax: GONE_MS, blindMsMax: 1000, equalMsMax: GONE_MS, graceMs: GIVEN_UP_MS },
    strike: async (stage) => {
      const seen: string[] = [];
      for (const nth of ["the first", "the second"]) {
        const victim = stage.instance(VICTIM);
        const { pid } = victim;
        stage.leadElsewhere(VICTIM);
        await victim.kill("SIGKILL");
        assert.ok(!isAlive(pid), `process ${pid} is still there`);
        seen.push(`${nth}, process ${pid}, is gone by SIGKILL`);
        if (seen.length === 2) return seen;
        // The second one dies as soon as clients are back on it.
        await stage.replace(VICTIM);
        stage.gather();
        await eventually(() => stage.lane(VICTIM).connections >= 4, { what: "clients have come to the second one" });
      }
      return seen;
    },
    after: (stage) => stage.replace(VICTIM),
  },
  {
    name: "instance SIGSTOP 2 s",
    topologies: ALL,
    bounds: outage(2000, 2000),
    strike: (stage) => stopFor(stage.instance(VICTIM), 2000),
  },
  {
    name: "instance SIGSTOP 20 s",
    topologies: ALL,
    // Its own clients cannot know. To the others it is dead.
    excuses: VICTIM,
    bounds: { ...outage(0, RECONNECTED_MS), ghostMsMax: GONE_MS },
    strike: (stage) => stopFor(stage.instance(VICTIM), 20_000),
  },
  {
    name: "instance SIGTERM",
    topologies: ALL,
    bounds: { falseLeavesMax: 0, ghostMsMax: GONE_MS + 500, blindMsMax: 2000, equalMsMax: GONE_MS + 500, graceMs: KEPT_MS },
    strike: async (stage) => drain(stage, VICTIM),
    after: (stage) => stage.replace(VICTIM),
  },
  {
    name: "rolling restart",
    topologies: ALL,
    bounds: { falseLeavesMax: 0, ghostMsMax: GONE_MS + 500, blindMsMax: 2000, equalMsMax: GONE_MS + 500, graceMs: KEPT_MS },
    strike: async (stage) => {
      const seen: string[] = [];
      for (const [nth] of stage.instances.entries()) {
        const { instanceId } = await stage.instance(nth).health();
        seen.push(...(await drain(stage, nth)));
        await stage.replace(nth);
        assert.notEqual((await stage.instance(nth).health()).instanceId, instanceId);
      }
      return seen;
    },
  },
  {
    name: "restart of all, 0.5 s apart",
    topologies: ALL,
    bounds: { falseLeavesMax: 0, ghostMsMax: GONE_MS + 500, blindMsMax: 2000, equalMsMax: GONE_MS + 500, graceMs: KEPT_MS },
    strike: async (stage) => {
      const restarts = stage.instances.map(async (_, nth) => {
        await wait(500 * nth);
        const seen = await drain(stage, nth);
        await stage.replace(nth);
        return seen;
      });
      return (await Promise.all(restarts)).flat();
    },
  },
  {
    name: "Redis kill -9, back after 3 s",
    topologies: SINGLE,
    bounds: outage(3000, RECONNECTED_MS),
    strike: async ({ redis }, mended) => {
      const before = await runIdOf(redis);
      await redis.kill();
      await assert.rejects(redis.cli("PING"), /ECONNREFUSED/);
      await wait(3000);
      await redis.restart();
      mended();
      const after = await runIdOf(redis);
      assert.notEqual(after, before);
      return ["connections to Redis were refused", `run id ${before.slice(0, 6)} before, ${after.slice(0, 6)} after`];
    },
  },
  {
    name: "the name of Redis moves to another server, and the former one is gone",
    topologies: ["standalone"],
    bounds: outage(0, RECONNECTED_MS),
    strike: async (stage, mended) => {
      const before = await runIdOf(stage.redis);
      const successor = await stage.moveRedis();
      mended();
      const after = await runIdOf(successor);
      assert.notEqual(after, before);
      assert.ok(stage.redis === successor);
      return [`run id ${before.slice(0, 6)} before, ${after.slice(0, 6)} after, at port ${successor.port}`];
    },
  },
  {
    name: "Redis SIGSTOP 6 s",
    topologies: SINGLE,
    bounds: outage(OUTAGE_MS, RECONNECTED_MS),
    strike: async ({ redis }) => stopServerFor(redis, OUTAGE_MS),
  },
  ...(["pubsub", "normal"] as const).map(
    (type): Fault => ({
      name: `CLIENT KILL of ${type === "pubsub" ? "subscribers" : "publishers"}`,
      topologies: ALL,
      // A change that was under way on a publisher is lost, and heals with the second beacon after it (R6.2).
      bounds: outage(0, type === "pubsub" ? 1000 : 2000),
      strike: (stage, mended) => killClients(stage, [type], mended),
    }),
  ),
  {
    name: "CLIENT KILL of both",
    topologies: ALL,
    bounds: outage(0, 2000),
    strike: (stage, mended) => killClients(stage, ["pubsub", "normal"], mended),
  },
  {
    name: "CLIENT PAUSE 3 s",
    topologies: SINGLE,
    bounds: outage(3000, 2000),
    strike: async ({ redis }) => {
      await redis.cli("CLIENT", "PAUSE", "3000", "ALL");
      await assert.rejects(redis.cli("PING"), /did not answer/);
      await eventually(async () => (await redis.cli("PING")) === "PONG", { what: "Redis answers again" });
      return ["a PING was not answered for 2 s"];
    },
  },
  {
    name: "subscriber killed for its output buffer",
    topologies: SINGLE,
    bounds: outage(0, 2000),
    strike: async (stage, mended) => {
      const { redis } = stage;
      const before = await clientsOf(stage, ["pubsub"]);
      await redis.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 100000 0 0");
      await redis.cli("PUBLISH", "presence:global", new Uint8Array(300_000));
      mended();
      const isGone = async () => {
        const now = await clientsOf(stage, ["pubsub"]);
        return before.every(({ id }) => !now.some((client) => client.id === id));
      };
      await eventually(isGone, { what: "Redis has disconnected all subscribers" });
      await redis.cli("CONFIG", "SET", "client-output-buffer-limit", "pubsub 32mb 8mb 60");
      return [`Redis disconnected ${before.length} subscribers, for 300 000 bytes each`];
    },
  },
  {
    name: "rights taken away for 4 s",
    topologies: SINGLE,
    bounds: outage(4000, RECONNECTED_MS),
    strike: async ({ redis }, mended) => {
      await redis.cli("ACL", "SETUSER", "default", "resetchannels");
      await assert.rejects(redis.cli("PUBLISH", "presence:global", "x"), /NOPERM/);
      await wait(4000);
      await redis.cli("ACL", "SETUSER", "default", "allchannels");
      mended();
      return ["a PUBLISH was answered with NOPERM"];
    },
  },
  {
    name: "FLUSHALL",
    topologies: SINGLE,
    bounds: outage(0, 0),
    strike: async ({ redis }) => {
      await redis.cli("SET", "a", "1");
      await redis.cli("FLUSHALL");
      assert.equal(await redis.cli("DBSIZE"), 0);
      // By itself it is over before somebody has resumed.
      await wait(3000);
      return ["the data base is empty"];
    },
  },
  {
    name: "REPLICAOF of a server that is not there, 4 s",
    topologies: SINGLE,
    bounds: outage(0, 2000),
    strike: async ({ redis }, mended) => {
      await redis.cli("REPLICAOF", "127.0.0.1", "1");
      const role = String(await redis.cli("ROLE"));
      assert.match(role, /^slave/);
      await assert.rejects(redis.cli("SET", "a", "1"), /READONLY/);
      await wait(4000);
      await redis.cli("REPLICAOF", "NO", "ONE");
      mended();
      assert.match(String(await redis.cli("ROLE")), /^master/);
      return ["its role was replica, and a SET was answered with READONLY"];
    },
  },
  {
    name: "instance–Redis cut",
    topologies: SINGLE,
    bounds: outage(0, 2000),
    strike: async (stage) => {
      const link = stage.link(VICTIM);
      const before = link.connections;
      assert.ok(before >= 2);
      await cutAnew(link);
      return [`${before} connections reset, and replaced`];
    },
  },
  {
    name: "instance–Redis stalled for 6 s, both ways",
    topologies: SINGLE,
    bounds: outage(OUTAGE_MS, RECONNECTED_MS),
    excuses: VICTIM,
    strike: (stage) => stall(stage.link(VICTIM), ["toTarget", "toClient"], OUTAGE_MS),
  },
  ...(["toTarget", "toClient"] as const).map(
    (way): Fault => ({
      name: `instance–Redis stalled for 6 s, ${way === "toTarget" ? "to" : "from"} Redis`,
      topologies: SINGLE,
      bounds: outage(OUTAGE_MS, RECONNECTED_MS),
      excuses: VICTIM,
      strike: (stage) => stall(stage.link(VICTIM), [way], OUTAGE_MS),
    }),
  ),
  {
    name: "instance–Redis half open: what is open goes dead, what is new works",
    topologies: SINGLE,
    bounds: outage(0, NOTICED_MS + 2000),
    strike: async (stage, mended) => {
      const { toTarget, toClient } = stage.link(VICTIM);
      for (const way of [toTarget, toClient]) way.strand();
      mended();
      const held = await eventually(() => toTarget.heldBytes, { what: "bytes are held back" });
      return [`${held} bytes held back on the way there`];
    },
  },
  {
    name: "instance–Redis refused for 6 s",
    topologies: SINGLE,
    bounds: outage(OUTAGE_MS, RECONNECTED_MS),
    excuses: VICTIM,
    strike: async (stage, mended) => {
      const link = stage.link(VICTIM);
      link.refuse();
      link.cut();
      await eventually(async () => (await stage.instance(VICTIM).health()).status === "degraded", { what: "it is degraded" });
      await wait(OUTAGE_MS);
      assert.equal(link.connections, 0);
      link.accept();
      mended();
      return ["no connection, and its health said degraded"];
    },
  },
  {
    name: "slow Redis: 100 ms each way, 6 s",
    topologies: SINGLE,
    bounds: outage(500, 1000),
    strike: async (stage) => {
      const link = stage.link(VICTIM);
      const before = (await stage.instance(VICTIM).health()).redis.echoMs;
      for (const way of [link.toTarget, link.toClient]) way.delay(100);
      const slow = await eventually(
        async () => {
          const { echoMs } = (await stage.instance(VICTIM).health()).redis;
          return echoMs !== null && echoMs >= 190 ? echoMs : undefined;
        },
        { what: "an echo takes 190 ms" },
      );
      await wait(OUTAGE_MS);
      for (const way of [link.toTarget, link.toClient]) way.pass();
      return [`its echo took ${before} ms, and ${Math.round(slow)} ms then`];
    },
  },
  {
    name: "client–instance cut",
    topologies: ["standalone"],
    bounds: outage(0, RECONNECTED_MS),
    strike: async (stage) => {
      const lane = stage.lane(VICTIM);
      const before = lane.connections;
      assert.ok(before >= 4);
      await cutAnew(lane);
      return [`${before} connections reset, and replaced`];
    },
  },
  {
    name: "all clients cut at once",
    topologies: ["standalone"],
    bounds: outage(0, RECONNECTED_MS),
    strike: async (stage) => {
      await Promise.all(stage.lanes.map(cutAnew));
      return [`the connections of ${stage.lanes.length} instances were reset, and came back`];
    },
  },
  ...([["toTarget", "toClient"], ["toTarget"], ["toClient"]] as const).map(
    (ways): Fault => ({
      name: `client–instance stalled for 6 s, ${ways.length === 2 ? "both ways" : ways[0] === "toTarget" ? "to the instance" : "from the instance"}`,
      topologies: ["standalone"],
      excuses: VICTIM,
      bounds: outage(0, 2000),
      strike: (stage) => stall(stage.lane(VICTIM), ways, OUTAGE_MS),
    }),
  ),
  ...(["kill -9", "SIGSTOP", "SENTINEL FAILOVER"] as const).map(
    (how): Fault => ({
      name: `failover by ${how}`,
      topologies: ["sentinel"],
      bounds: outage(6000, 3000),
      strike: (stage, mended) => failOver(stage, how, mended),
      after: (stage) => stage.sentinels.whole(),
    }),
  ),
  {
    name: "Cluster node kill -9",
    topologies: CLUSTERS,
    bounds: outage(0, 3000),
    strike: async (stage, mended) => {
      const node = await nodeOf(stage, "publisherAt");
      await node.kill();
      await assert.rejects(node.cli("PING"), /ECONNREFUSED/);
      mended();
      return [`node ${node.port} refuses connections`];
    },
    after: restartNodes,
  },
  {
    name: "Cluster master kill -9, its replica takes over",
    topologies: CLUSTERS,
    bounds: outage(4000, 3000),
    strike: async (stage, mended) => {
      const { master, replica } = await masterAndReplica(stage);
      await master.kill();
      await eventually(async () => String(await replica.cli("ROLE")).startsWith("master"), {
        what: "its replica is a master",
        withinMs: 15_000,
      });
      mended();
      return [`node ${master.port} is gone, and ${replica.port} is the master`];
    },
    after: restartNodes,
  },
  {
    name: "Cluster node SIGSTOP 6 s",
    topologies: CLUSTERS,
    bounds: outage(NOTICED_MS, 3000),
    strike: async (stage) => stopServerFor(await nodeOf(stage, "subscriberAt"), OUTAGE_MS),
    after: restartNodes,
  },
  {
    name: "CLUSTER FAILOVER",
    topologies: CLUSTERS,
    bounds: outage(0, 1000),
    strike: async (stage, mended) => {
      const { master, replica } = await masterAndReplica(stage);
      await replica.cli("CLUSTER", "FAILOVER");
      await eventually(async () => String(await replica.cli("ROLE")).startsWith("master"), { what: "its replica is a master" });
      await eventually(async () => String(await master.cli("ROLE")).startsWith("slave"), { what: "the former master follows" });
      mended();
      return [`${replica.port} is the master, and ${master.port} its replica`];
    },
    after: restartNodes,
  },
  {
    name: "a slot moves",
    topologies: CLUSTERS,
    bounds: outage(0, 1000),
    strike: async (stage, mended) => {
      const masters = await mastersOf(stage);
      const slot = "16383";
      const owner = async () => (await linesOfNodes(masters[0])).find((line) => /(?:-| )16383(?: |$)/.test(line))?.split(" ")[0];
      const from = (await owner()) ?? assert.fail("no master has the slot");
      const ids = await Promise.all(masters.map(async (node) => String(await node.cli("CLUSTER", "MYID"))));
      const source = masters[ids.indexOf(from)] ?? assert.fail();
      const target = masters.find((node) => node !== source) ?? assert.fail();
      const to = ids[masters.indexOf(target)] ?? "";
      await target.cli("CLUSTER", "SETSLOT", slot, "IMPORTING", from);
      await source.cli("CLUSTER", "SETSLOT", slot, "MIGRATING", to);
      for (const node of [target, source]) await node.cli("CLUSTER", "SETSLOT", slot, "NODE", to);
      mended();
      await eventually(async () => (await owner()) === to, { what: "all know the new owner of the slot" });
      return [`slot ${slot} moved from ${source.port} to ${target.port}`];
    },
  },
];

type Stoppable = { readonly pid: number; kill(signal: NodeJS.Signals): unknown };

async function stopFor(instance: Stoppable, forMs: number): Promise<readonly string[]> {
  const { pid } = instance;
  await instance.kill("SIGSTOP");
  await eventually(() => processState(pid) === "T", { what: "the process is stopped" });
  await wait(forMs);
  assert.equal(processState(pid), "T");
  await instance.kill("SIGCONT");
  await eventually(() => processState(pid) !== "T", { what: "the process goes on" });
  return [`process ${pid} was stopped (T), and goes on`];
}

async function stopServerFor(server: RedisProcess, forMs: number): Promise<readonly string[]> {
  const { pid } = server;
  return stopFor({ pid, kill: (signal) => (signal === "SIGSTOP" ? server.pause() : server.resume()) }, forMs);
}

async function drain(stage: Stage, nth: number): Promise<readonly string[]> {
  const instance = stage.instance(nth);
  const { pid } = instance;
  stage.leadElsewhere(nth);
  const exit = await instance.kill("SIGTERM");
  assert.deepEqual(exit, { code: 0, signal: null });
  return [`process ${pid} ended by itself with 0`];
}

/** The links of instances at all servers, by their ids at these. */
async function clientsOf(
  stage: Stage,
  types: readonly string[],
): Promise<{ readonly server: RedisProcess; readonly id: string; readonly type: string }[]> {
  const found = [];
  for (const server of stage.servers)
    for (const type of types) {
      const text = String(await server.cli("CLIENT", "LIST", "TYPE", type));
      for (const [, id = "", name = ""] of text.matchAll(/^id=(\d+).* name=(\S*)/gm))
        if (/:(?:publisher|subscriber)$/.test(name)) found.push({ server, id, type });
    }
  return found;
}

async function killClients(stage: Stage, types: readonly string[], mended: () => void): Promise<readonly string[]> {
  const before = await clientsOf(stage, types);
  assert.ok(before.length >= stage.instances.length * types.length, `only ${before.length} connections to kill`);
  await Promise.all(before.map(({ server, id }) => server.cli("CLIENT", "KILL", "ID", id)));
  mended();
  const nameOf = ({ server, id }: (typeof before)[number]) => `${server.port}/${id}`;
  const after = await eventually(
    async () => {
      const now = await clientsOf(stage, types);
      return now.length >= before.length ? now : undefined;
    },
    { what: "there are as many connections again" },
  );
  const old = new Set(before.map(nameOf));
  assert.ok(after.every((client) => !old.has(nameOf(client))));
  return [`${before.length} connections killed; those of now have other ids`];
}

async function stall(proxy: FaultProxy, ways: readonly ("toTarget" | "toClient")[], forMs: number): Promise<readonly string[]> {
  for (const way of ways) proxy[way].stall();
  const held = new Map<string, number>();
  const look = () => {
    for (const way of ways) held.set(way, Math.max(held.get(way) ?? 0, proxy[way].heldBytes));
  };
  const looking = setInterval(look, 50);
  await wait(forMs);
  clearInterval(looking);
  for (const way of ways) {
    assert.ok((held.get(way) ?? 0) > 0, `nothing was held back ${way}`);
    proxy[way].pass();
  }
  return [...held].map(([way, bytes]) => `up to ${bytes} bytes held back ${way === "toTarget" ? "on the way there" : "on the way back"}`);
}

async function failOver(stage: Stage, how: "kill -9" | "SIGSTOP" | "SENTINEL FAILOVER", mended: () => void): Promise<readonly string[]> {
  const group = stage.sentinels;
  const former = await group.master();
  if (how === "kill -9") await former.kill();
  else if (how === "SIGSTOP") former.pause();
  else await group.sentinels[0]?.cli("SENTINEL", "FAILOVER", group.name);
  const successor = await group.failedOver(former);
  mended();
  await wait(3000);
  if (how === "kill -9") await former.restart();
  else if (how === "SIGSTOP") former.resume();
  await eventually(async () => String(await former.cli("ROLE")).startsWith("slave"), {
    what: "the former master is a replica",
    withinMs: 15_000,
  });
  return [`${successor.port} is the master, and ${former.port}, which was, its replica`];
}

async function runIdOf(redis: RedisProcess): Promise<string> {
  return /run_id:(\w+)/.exec(String(await redis.cli("INFO", "server")))?.[1] ?? assert.fail("no run id");
}

async function nodeOf(stage: Stage, link: "publisherAt" | "subscriberAt"): Promise<RedisProcess> {
  return stage.cluster.at((await stage.instance(VICTIM).health()).redis[link]);
}

async function linesOfNodes(node: RedisProcess | undefined): Promise<string[]> {
  return String(await node?.cli("CLUSTER", "NODES"))
    .trim()
    .split("\n");
}

async function mastersOf({ cluster }: Stage): Promise<RedisProcess[]> {
  const roles = await Promise.all(cluster.nodes.map(async (node) => String(await node.cli("ROLE"))));
  return cluster.nodes.filter((_, nth) => roles[nth]?.startsWith("master"));
}

/** A master that has slots, and a replica of it. */
async function masterAndReplica(stage: Stage): Promise<{ readonly master: RedisProcess; readonly replica: RedisProcess }> {
  for (const node of stage.cluster.nodes) {
    const [role, , masterPort] = (await node.cli("ROLE")) as string[];
    if (role === "slave") return { master: stage.cluster.at(`127.0.0.1:${masterPort}`), replica: node };
  }
  return assert.fail("there is no replica");
}

async function restartNodes({ cluster }: Stage): Promise<void> {
  for (const node of cluster.nodes) if (!node.isRunning) await node.restart();
  await cluster.whole();
  // Each replica follows, so that the next failover succeeds.
  await eventually(
    async () => {
      const roles = await Promise.all(cluster.nodes.map(async (node) => (await node.cli("ROLE")) as string[]));
      return roles.every((role) => role[0] === "master" || role[3] === "connected");
    },
    { what: "each replica follows its master", withinMs: 20_000 },
  );
}

/** Resets all connections, and waits until one has come back. */
async function cutAnew(proxy: FaultProxy): Promise<void> {
  const { taken } = proxy;
  proxy.cut();
  await eventually(() => proxy.taken > taken, { what: "somebody connects anew" });
}
