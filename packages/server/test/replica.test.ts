/** REDIS_URL leads to a replica, as a reader endpoint does: the instance receives all messages, but no other instance receives its own. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, FaultProxy, Instance, RedisProcess, SessionClient } from "./harness/index.ts";

/** Twenty heartbeats, and the time to connect and to learn of each other. */
const DEGRADED_MS = 14_000;

for (const [what, isWritable] of [
  ["a replica that takes no writes", false],
  ["a writable replica", true],
] as const) {
  test(`[R10.15] an instance on ${what} reports that no other instance hears it, and recovers once its address leads to the master`, async (t) => {
    const master = await RedisProcess.start(t);
    const replica = await RedisProcess.start(t);
    // By default Redis waits 5 s for more replicas.
    await master.cli("CONFIG", "SET", "repl-diskless-sync-delay", "0");
    await replica.cli("REPLICAOF", "127.0.0.1", String(master.port));
    if (isWritable) await replica.cli("CONFIG", "SET", "replica-read-only", "no");
    await eventually(async () => String(await replica.cli("INFO", "replication")).includes("master_link_status:up"), {
      what: "the replica follows",
    });
    const healthy = await Promise.all([1, 2].map(() => Instance.start(t, { redisUrl: master.url })));
    const proxy = await FaultProxy.start(t, { target: replica.port });
    const mute = await Instance.start(t, { redisUrl: `redis://127.0.0.1:${proxy.port}` });
    const [ana, zoe] = await Promise.all([healthy[0], mute].map((instance) => SessionClient.connect(t, instance?.wsUrl ?? "")));
    await ana?.join("b", "Ana");
    await zoe?.join("b", "Zoe");
    await eventually(async () => (await mute.health()).status === "degraded", { what: "it is degraded", withinMs: DEGRADED_MS });
    const health = await mute.health();
    assert.match(health.degraded?.reason ?? "", /none hears it. Is REDIS_URL the address of a replica/);
    assert.deepEqual([health.degraded?.all, health.peers.map(({ state }) => state)], [true, ["deaf", "deaf"]]);
    const metrics = await mute.metrics();
    assert.deepEqual([metrics("presence_degraded"), metrics("presence_unheard"), metrics('presence_peers{state="deaf"}')], [1, 1, 2]);
    await eventually(() => zoe?.received.some((message) => message.kind === "degraded" && message.on), { what: "its client is told" });
    const warnings = mute.lines.filter((line) => line.includes("this instance hears others, but none hears it"));
    assert.equal(warnings.length, 1);
    assert.ok(warnings[0]?.includes(`127.0.0.1:${proxy.port}`), warnings[0]);
    for (const instance of healthy) {
      const { status, peers } = await instance.health();
      assert.deepEqual([status, peers.map(({ state }) => state)], ["ok", ["up"]]);
    }

    proxy.lead(master.port);
    proxy.cut();
    await eventually(async () => (await mute.health()).status === "ok", { what: "it is heard", withinMs: 5_000 });
    await eventually(() => zoe?.names("b").join() === "Ana" && ana?.names("b").join() === "Zoe", { what: "they see each other" });
  });
}
