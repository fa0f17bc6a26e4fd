/** Faults of a Redis Cluster under three instances, with real processes: rosters are equal soon after, and nobody was shown leaving. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { eventually, Instance, RedisCluster, type RedisProcess, Team, throughout } from "./harness/index.ts";

const EQUAL_MS = 3000;
/** Four beats without an echo, and another one over a new subscriber (R9.1, R9.25). */
const NOTICED_MS = 2600;
/** Less than is left of `recycleMsMin`, 4 s, when a fault follows a replacement. */
const SOON_MS = 1000;

type Scene = { readonly cluster: RedisCluster; readonly instances: readonly Instance[]; readonly team: Team };

async function scene(t: TestContext): Promise<Scene> {
  const cluster = await RedisCluster.start(t);
  const instances = await Promise.all([1, 2, 3].map(() => Instance.start(t, { redisUrl: cluster.url })));
  return { cluster, instances, team: await Team.start(t, instances) };
}

/** The node of a link of the first instance. */
async function nodeOf({ cluster, instances }: Scene, link: "publisherAt" | "subscriberAt"): Promise<RedisProcess> {
  const health = await instances[0]?.health();
  return cluster.at(health?.redis[link] ?? null);
}

/** Everybody changes, and all see it. */
async function measure(t: TestContext, { team, instances }: Scene, what: string, withinMs: number): Promise<void> {
  const from = performance.now();
  // Changes go on, as some of those that are published while a node dies are lost.
  team.change();
  await team.equal(what, withinMs);
  t.diagnostic(`${what}: rosters equal after ${Math.round(performance.now() - from)} ms`);
  team.calm();
  for (const instance of instances) {
    // An instance may be right by luck while it still waits for its echo.
    await eventually(async () => (await instance.health()).status === "ok", { what: "it is well", withinMs: EQUAL_MS });
    const { redis } = await instance.health();
    assert.notEqual(redis.publisherAt, redis.subscriberAt, "an echo proves the bus between two nodes");
  }
}

test("faults of a Cluster", { timeout: 110_000 }, async (t) => {
  const at = await scene(t);
  const { cluster, instances, team } = at;
  const settled = async () => {
    await cluster.whole();
    await measure(t, at, "all nodes are there", EQUAL_MS);
  };

  await t.test("[R9] a planned failover, and a slot that moves, are not noticed", async (t) => {
    const [, target = assert.fail(), source = assert.fail(), , , replica = assert.fail()] = cluster.nodes;
    await replica.cli("CLUSTER", "FAILOVER");
    await cluster.failedOver(source);
    await measure(t, at, "CLUSTER FAILOVER", 1000);
    await cluster.move(16_383, replica, target);
    await measure(t, at, "a slot has moved", 1000);
    for (const instance of instances) {
      const metric = await instance.metrics();
      for (const link of ["publisher", "subscriber"]) assert.equal(metric(`presence_redis_connects_total{link="${link}"}`), 1);
    }
  });

  await t.test("[R9] kill -9 of a master, and its failover; it comes back as a replica", async (t) => {
    const [master = assert.fail()] = cluster.nodes;
    await master.kill();
    await measure(t, at, "kill -9 of a master", EQUAL_MS);
    await cluster.failedOver(master);
    await measure(t, at, "its replica serves", EQUAL_MS);
    await master.restart();
    await settled();
  });

  for (const link of ["publisherAt", "subscriberAt"] as const) {
    await t.test(`[R9] kill -9 and SIGSTOP of the node that a link is at: ${link}`, async (t) => {
      const killed = await nodeOf(at, link);
      await killed.kill();
      await measure(t, at, `${link} of one instance killed`, EQUAL_MS);
      await killed.restart();
      await settled();
      const stopped = await nodeOf(at, link);
      stopped.pause();
      await measure(t, at, `${link} of one instance stopped`, NOTICED_MS + EQUAL_MS);
      stopped.resume();
      await settled();
    });
  }

  await t.test("[R9.5] nodes hang one right after the other: the pause between replacements holds up none of them", async (t) => {
    for (const nth of ["first", "second", "third"]) {
      const stopped = await nodeOf(at, "subscriberAt");
      stopped.pause();
      await measure(t, at, `the ${nth} node in a row stopped`, NOTICED_MS + SOON_MS);
      stopped.resume();
    }
    await settled();
  });

  await t.test("[R9.25] a node that is cut off from the Cluster, and answers", async (t) => {
    const node = await nodeOf(at, "publisherAt");
    // It is alone, as if all its cluster links were cut: what is published there reaches nobody else.
    for (const other of cluster.nodes) if (other !== node) await node.cli("CLUSTER", "FORGET", String(await other.cli("CLUSTER", "MYID")));
    await measure(t, at, "publisherAt of one instance cut off", NOTICED_MS + EQUAL_MS);
  });
  await throughout(() => true, { what: "peace", forMs: 1000 });
  team.calm();
});
