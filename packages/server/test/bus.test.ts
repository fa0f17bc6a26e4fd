/** Both buses keep the contract. For the Redis bus also: the commands and connections that Redis sees. */

import assert from "node:assert/strict";
import { after, type TestContext, test } from "node:test";
import type { Bus } from "../src/bus/bus.ts";
import { MemoryBus } from "../src/bus/memory.ts";
import { RedisPubSub } from "../src/redis/pubsub.ts";
import { ShardedPubSub } from "../src/redis/sharded.ts";
import { slotOf } from "../src/redis/slot.ts";
import { clusterOf, topologyOf } from "../src/redis/target.ts";
import { busContract, bytes, hasCode, Recorder } from "./bus-contract.ts";
import { eventually, HAS_VALKEY, RedisCluster, RedisProcess, Sentinels } from "./harness/index.ts";

const redis = await RedisProcess.start({ after });
const sentinels = await Sentinels.start({ after });
const valkey = HAS_VALKEY ? await RedisProcess.start({ after }, { program: "valkey-server" }) : undefined;
const cluster = await RedisCluster.start({ after });

busContract("MemoryBus", (scope) => closing(scope, new MemoryBus()));
busContract("RedisPubSub", (scope) => redisBus(scope));
busContract("RedisPubSub with Sentinels", (scope) => redisBus(scope, sentinels.url));
busContract("RedisPubSub in a Cluster", (scope) => redisBus(scope, cluster.url), { isCounted: false });
busContract("ShardedPubSub", (scope) => shardedBus(scope, cluster.url), { isSpread: true });
if (valkey === undefined) test("RedisPubSub on Valkey", { skip: "this machine has no valkey-server" });
else busContract("RedisPubSub on Valkey", (scope) => redisBus(scope, valkey.url));

test("the slot of a channel is that of Redis", async () => {
  const [node] = cluster.nodes;
  for (const channel of ["presence:board:42", "123456789", "a{tag}b", "{}{tag}", "{", "}{x}", "{a}{b}", "presence:echo:x:0"]) {
    assert.equal(slotOf(channel), await node?.cli("CLUSTER", "KEYSLOT", channel), channel);
  }
});

test("a message on a channel of all goes to every node of the Cluster, one on a spread channel to one node and its replica", async (t) => {
  /** How many messages nodes passed on to one another. */
  const passedOn = async (kind: "publish" | "publishshard") => {
    const infos = await Promise.all(cluster.nodes.map((node) => node.cli("CLUSTER", "INFO")));
    const sent = new RegExp(`cluster_stats_messages_${kind}_sent:(\\d+)`);
    return infos.reduce<number>((sum, info) => sum + Number(sent.exec(String(info))?.[1] ?? 0), 0);
  };
  const costs = async (bus: Bus, kind: "publish" | "publishshard") => {
    await bus.start(new Recorder());
    const before = await passedOn(kind);
    for (let n = 0; n < 300; n++) await bus.publish(`channel ${n}`, bytes("x"));
    return ((await passedOn(kind)) - before) / 300;
  };
  const [classic, spread] = [await costs(redisBus(t, cluster.url), "publish"), await costs(shardedBus(t, cluster.url), "publishshard")];
  t.diagnostic(`a message is passed on ${classic} times, spread ${spread.toFixed(2)} times`);
  assert.equal(classic, cluster.nodes.length - 1);
  // Beats are passed on, too.
  assert.ok(spread >= 1 && spread < 1.2, String(spread));
});

test("all subscriptions of one turn leave as one SUBSCRIBE, from whichever callback they come", async (t) => {
  const heard = new Recorder();
  const bus = redisBus(t);
  await bus.start(heard);
  await redis.cli("CONFIG", "RESETSTAT");
  for (let n = 0; n < 1000; n++) bus.subscribe(`board:${n}`);
  await Promise.resolve();
  process.nextTick(() => bus.subscribe("from a later callback"));
  await eventually(() => heard.facts.filter((fact) => fact.startsWith("subscribed")).length === 1001, { what: "1001 subscriptions" });
  assert.match(String(await redis.cli("INFO", "commandstats")), /cmdstat_subscribe:calls=1,/);
});

test("publishes of one turn leave in one write", async (t) => {
  const bus = redisBus(t);
  await bus.start(new Recorder());
  await bus.publish("a", bytes("warm"));
  const before = await reads();
  await Promise.all(Array.from({ length: 200 }, (_, n) => bus.publish("a", bytes(`message ${n}`))));
  const spent = (await reads()) - before;
  // One of the reads is our own question.
  assert.ok(spent <= 3, `Redis read ${spent} times`);
});

test("connections are named after instance and link, and know no more commands than least rights allow", async (t) => {
  await redis.cli(
    "ACL",
    "SETUSER",
    "least",
    "on",
    ">s3cret/@:",
    "resetkeys",
    "resetchannels",
    "&presence:*",
    "-@all",
    "+subscribe",
    "+unsubscribe",
    "+publish",
    "+ping",
    "+hello",
  );
  await redis.cli("ACL", "LOG", "RESET");
  const heard = new Recorder();
  const url = `redis://least:${encodeURIComponent("s3cret/@:")}@127.0.0.1:${redis.port}/5`;
  const bus = redisBus(t, url);
  bus.subscribe("presence:global");
  await bus.start(heard);
  assert.equal(await bus.publish("presence:global", bytes("x")), 1);
  await bus.healthCheck();
  bus.unsubscribe("presence:global");
  await eventually(async () => (await redis.channels("presence:*")).length === 0, { what: "it is unsubscribed" });
  assert.match(String(await redis.cli("CLIENT", "LIST")), /name=presence-test:publisher[\s\S]*name=presence-test:subscriber/);
  assert.deepEqual(await redis.cli("ACL", "LOG"), []);
});

test("an address is host and port without credentials; an invalid URL is refused, and the error does not show it", () => {
  const urls = ["redis://u:p@h", "rediss://:p@[::1]:7000/3", "redis://h:1/", "redis-sentinel://:p@a,b:1/m"];
  const addresses = urls.map((url) => topologyOf({ url, name: "x" }).address);
  assert.deepEqual(addresses, ["h:6379", "[::1]:7000", "h:1", "m of a:26379, b:1"]);
  for (const url of [
    "s3cret",
    "http://s3cret@h",
    "redis://s3cret@h/my/master",
    "redis://:s3cret%@h",
    "redis://s3cret%zz@h",
    "redis://:s3cret@",
    "redis://s3cret@h,i",
  ]) {
    assert.throws(
      () => topologyOf({ url, name: "x" }),
      (error) => hasCode("BAD_SETTINGS", /^(?!.*s3cret).*REDIS_URL/)(error),
    );
  }
});

function redisBus(scope: TestContext, url: string = redis.url): RedisPubSub {
  return closing(scope, new RedisPubSub(topologyOf({ url, name: "presence-test" })));
}

function shardedBus(scope: TestContext, url: string): ShardedPubSub {
  const spread = { isSpread: (channel: string) => channel !== "presence:global", echoPrefix: "presence:echo:" };
  return closing(scope, new ShardedPubSub(clusterOf({ url, name: "presence-test" }), spread));
}

function closing<B extends { close(): Promise<void> }>(scope: TestContext, bus: B): B {
  scope.after(() => bus.close());
  return bus;
}

async function reads(): Promise<number> {
  const found = /total_reads_processed:(\d+)/.exec(String(await redis.cli("INFO", "stats")));
  return Number(found?.[1]);
}
