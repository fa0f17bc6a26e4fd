/**
 * Faults of a Redis Cluster under three instances that spread their boards over its masters, with real processes. A master that is lost takes
 * its own boards along and no others; rosters are equal soon after, and nobody is shown leaving.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { SLOTS, slotOf } from "../src/redis/slot.ts";
import { eventually, Instance, RedisCluster, type RedisProcess, Team, throughout } from "./harness/index.ts";

const EQUAL_MS = 3000;
/** Four beats of a master without an echo, and the half second until somebody looks at a page (R9.26). */
const NOTICED_MS = 3000;
const MASTERS = 3;

const slotOfBoard = (board: string) => slotOf(`presence:board:${board}`);

/** A board whose channel is at that master, as slots are spread at the start. */
function boardAt(master: number): string {
  for (let n = 0; ; n++) if (Math.floor((slotOfBoard(`b${n}`) * MASTERS) / SLOTS) === master) return `b${n}`;
}

/** The channels of the clocks at that node. */
async function echoesAt(node: RedisProcess): Promise<string[]> {
  return (await node.cli("PUBSUB", "SHARDCHANNELS", "presence:echo:*")) as string[];
}

/** A team on a board of each master. */
async function scene(t: TestContext) {
  const cluster = await RedisCluster.start(t);
  const start = () => Instance.start(t, { redisUrl: cluster.url, env: { REDIS_SHARDED: "on" } });
  const instances = await Promise.all([1, 2, 3].map(start));
  const teams = await Promise.all([0, 1, 2].map((master) => Team.start(t, instances, boardAt(master))));
  return { cluster, instances, teams };
}

type Scene = Awaited<ReturnType<typeof scene>>;

/** Everybody on these boards changes, and all see it. */
async function measure(t: TestContext, teams: readonly Team[], what: string, withinMs: number): Promise<void> {
  for (const team of teams) team.change();
  const times = await Promise.all(teams.map((team) => team.equal(what, withinMs)));
  t.diagnostic(`${what}: rosters equal after ${Math.round(Math.max(...times))} ms`);
  for (const team of teams) team.calm();
}

async function well({ instances, teams }: Scene): Promise<void> {
  for (const instance of instances) {
    await eventually(async () => (await instance.health()).status === "ok", { what: "it is well", withinMs: 2 * EQUAL_MS });
  }
  for (const { people, board } of teams) for (const person of people) assert.equal(person.board(board).degraded, false);
}

test("boards that are spread over the masters of a Cluster", { timeout: 110_000 }, async (t) => {
  const at = await scene(t);
  const { cluster, instances, teams } = at;
  const [first = assert.fail(), second = assert.fail(), third = assert.fail()] = teams;
  const [one = assert.fail(), two = assert.fail(), three = assert.fail()] = cluster.nodes;

  await t.test("[R9.26] each board is at the master of its slot only, and each instance has a clock there", async () => {
    for (const [nth, node] of [one, two, three].entries()) {
      const channels = ((await node.cli("PUBSUB", "SHARDCHANNELS")) as string[]).filter((channel) => !channel.startsWith("presence:echo:"));
      assert.deepEqual(channels, [`presence:board:${teams[nth]?.board}`]);
      const echoes = await echoesAt(node);
      assert.equal(echoes.length, instances.length);
      for (const channel of echoes) assert.equal(Math.floor((slotOf(channel) * MASTERS) / SLOTS), nth);
    }
  });

  await t.test("[R9.28] a slot that moves, back and forth, and to a node that is new", async (t) => {
    const slot = slotOfBoard(first.board);
    await cluster.move(slot, one, two);
    await measure(t, teams, "a slot has moved", 1000);
    await cluster.move(slot, two, one);
    await measure(t, teams, "it has moved back", 1000);
    const node = await cluster.grow(t);
    await cluster.move(slotOfBoard(third.board), three, node);
    await measure(t, teams, "a slot has moved to a new node", 1000);
    // It has that one slot, and each instance a clock there.
    await eventually(async () => (await echoesAt(node)).length === instances.length, { what: "clocks at the new node", withinMs: 1500 });
    await cluster.move(slotOfBoard(third.board), node, three);
    await measure(t, teams, "it has moved back, and the new node has no slot any more", 1000);
    await well(at);
  });

  await t.test("[R9.26] a clock whose slot moves and is back before anybody has asked goes on at once", async (t) => {
    const [echo = assert.fail()] = await echoesAt(one);
    await cluster.flicker(slotOf(echo), one, two);
    const from = performance.now();
    // Not only when its connections are replaced, four beats later.
    await eventually(async () => (await echoesAt(one)).length === instances.length, { what: "each has its clock there", withinMs: 1000 });
    t.diagnostic(`after ${Math.round(performance.now() - from)} ms`);
  });

  await t.test("[R9.28] a planned failover", async (t) => {
    const successor = cluster.nodes[5] ?? assert.fail();
    await cluster.failover(successor);
    await measure(t, teams, "CLUSTER FAILOVER", EQUAL_MS);
    await well(at);
    await cluster.failover(three);
    await measure(t, teams, "CLUSTER FAILOVER back", EQUAL_MS);
    assert.ok(successor.isRunning);
    await well(at);
  });

  await t.test("[R9.26] [R9.27] a master hangs and nobody takes over: its boards are degraded, and no others", async (t) => {
    await cluster.nodes[4]?.cli("CONFIG", "SET", "cluster-replica-no-failover", "yes");
    two.pause();
    const from = performance.now();
    const isTold = () => second.people.every((person) => person.board(second.board).degraded);
    await eventually(isTold, { what: "those on its boards are told", withinMs: NOTICED_MS });
    t.diagnostic(`told after ${Math.round(performance.now() - from)} ms`);
    await measure(t, [first, third], "the other boards", EQUAL_MS);
    for (const { people, board } of [first, third]) for (const person of people) assert.equal(person.board(board).degraded, false);
    for (const instance of instances) {
      const { degraded } = await instance.health();
      assert.equal(degraded?.boards, 1);
      if (!degraded.all) assert.match(degraded.reason, /through a node of the Cluster/);
    }
    two.resume();
    await measure(t, teams, "it goes on", EQUAL_MS);
    await well(at);
    await cluster.nodes[4]?.cli("CONFIG", "SET", "cluster-replica-no-failover", "no");
    await cluster.whole();
  });

  for (const [fault, nth] of [
    ["kill -9", 0],
    ["SIGSTOP", 2],
  ] as const) {
    await t.test(
      `[R9.28] ${fault} of a master: its boards are equal 3 s after another one serves, and the others all the time`,
      async (t) => {
        const master = cluster.nodes[nth] as RedisProcess;
        const team = teams[nth] as Team;
        const others = teams.filter((other) => other !== team);
        if (fault === "kill -9") await master.kill();
        else master.pause();
        team.change();
        await measure(t, others, "the other boards", 1000);
        await cluster.failedOver(master);
        t.diagnostic(`its board: rosters equal ${Math.round(await team.equal("its boards", EQUAL_MS))} ms after a replica is the master`);
        team.calm();
        await measure(t, teams, "all boards", 1000);
        await well(at);
        if (fault === "kill -9") await master.restart();
        else master.resume();
        await cluster.whole();
        await measure(t, teams, "the former master is back", 1000);
      },
    );
  }
  await throughout(() => true, { what: "peace", forMs: 1000 });
  for (const team of teams) team.calm();
});
