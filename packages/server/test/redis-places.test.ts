/** Where links connect: rights and passwords for each topology, servers that do not answer, and what a start that fails says. */

import assert from "node:assert/strict";
import dns, { type LookupOptions } from "node:dns";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, type TestContext, test } from "node:test";
import { type Channel, Channels } from "../src/bus/bus.ts";
import { RedisPubSub } from "../src/redis/pubsub.ts";
import { ShardedPubSub } from "../src/redis/sharded.ts";
import { clusterOf, type RedisTarget, topologyOf } from "../src/redis/target.ts";
import { bytes, hasCode, Recorder } from "./bus-contract.ts";
import { eventually, FaultProxy, freePort, Instance, RedisCluster, RedisProcess, Sentinels, Stopwatch, Team } from "./harness/index.ts";

const LEAST = "resetkeys resetchannels &presence:* -@all +subscribe +unsubscribe +publish +ping +hello";
/** As a user is written on the command line of redis-server. */
const user = (rights: string) => ["--user", ...`presence on >s3cret ${LEAST} ${rights}`.split(" ")];

const redis = await RedisProcess.start({ after });
const sentinels = await Sentinels.start(
  { after },
  {
    args: user("+role"),
    config: ["user asker on >asks3cret -@all +hello +sentinel|get-master-addr-by-name +sentinel|master"],
  },
);
const cluster = await RedisCluster.start({ after }, { args: user("+cluster|slots +cluster|info") });

const withUser = (url: string) => url.replace("://", "://presence:s3cret@");
const asker = { username: "asker", password: "asks3cret" };

async function started(t: TestContext, target: Omit<RedisTarget, "name">): Promise<{ bus: RedisPubSub; heard: Recorder }> {
  const bus = new RedisPubSub(topologyOf({ ...target, name: "presence-test" }));
  t.after(() => bus.close());
  const heard = new Recorder();
  bus.subscribe("presence:global");
  await bus.start(heard);
  return { bus, heard };
}

for (const { mode, target, servers } of [
  {
    mode: "sentinel",
    target: { url: withUser(sentinels.url), sentinel: asker },
    servers: [...sentinels.servers, ...sentinels.sentinels],
  },
  { mode: "cluster", target: { url: withUser(cluster.url) }, servers: cluster.nodes },
]) {
  test(`${mode}: the documented rights are enough, and no command outside of them is tried`, async (t) => {
    for (const server of servers) await server.cli("ACL", "LOG", "RESET");
    const { bus, heard } = await started(t, target);
    assert.equal(bus.mode, mode);
    await bus.publish("presence:global", bytes("x"));
    await eventually(() => heard.texts("presence:global").length === 1, { what: "the own message" });
    for (const link of ["publisher", "subscriber"] as const) {
      bus.recycle(link);
      await heard.until(`up ${link} 2`);
    }
    for (const server of servers) assert.deepEqual(await server.cli("ACL", "LOG"), []);
  });
}

test("[R9.26] spread over a Cluster: the documented rights are enough; without those beyond, the start says which are missing", async (t) => {
  for (const node of cluster.nodes) {
    await node.cli("ACL", "LOG", "RESET");
    const rights = `reset on >s3cret ${LEAST} +cluster|slots +cluster|info +ssubscribe +sunsubscribe +spublish`;
    await node.cli("ACL", "SETUSER", "spread", ...rights.split(" "));
  }
  const channels = new Channels("presence");
  const spread = { isSpread: (channel: Channel) => channels.isSpread(channel), echoPrefix: channels.echoPrefix("me") };
  const busOf = (url: string) => {
    const bus = new ShardedPubSub(clusterOf({ url, name: "presence-test" }), spread);
    t.after(() => bus.close());
    return bus;
  };
  const bus = busOf(cluster.url.replace("://", "://spread:s3cret@"));
  const heard = new Recorder();
  const boards = [..."abcdefgh"].map((board) => `presence:board:${board}`);
  for (const channel of ["presence:global", ...boards]) bus.subscribe(channel);
  await bus.start(heard);
  for (const channel of ["presence:global", ...boards]) await bus.publish(channel, bytes("x"));
  await eventually(() => heard.messages.length === 9, { what: "the own messages" });
  bus.unsubscribe("presence:board:a");
  await eventually(async () => (await bus.publish("presence:board:a", bytes("x"))) === 0, { what: "nobody is subscribed" });
  for (const node of cluster.nodes) assert.deepEqual(await node.cli("ACL", "LOG"), []);
  await assert.rejects(busOf(withUser(cluster.url)).start(new Recorder()), hasCode("REDIS_UNREACHABLE", /not permitted.*\+ssubscribe/));
});

test("a Sentinel that refuses, hangs or answers nonsense holds up nobody; only when none answers the last known master is used", async (t) => {
  const hung = createServer(() => {});
  await new Promise<void>((resolve) => hung.listen(0, "127.0.0.1", resolve));
  t.after(() => void hung.close());
  const { port = 0 } = hung.address() as { port: number };
  const [good] = sentinels.sentinels;
  const proxy = await FaultProxy.start(t, { target: good?.port ?? 0 });
  const hosts = [port, await freePort(), redis.port, proxy.port].map((port) => `127.0.0.1:${port}`);
  const starting = new Stopwatch();
  const { bus, heard } = await started(t, { url: `redis-sentinel://${hosts.join()}/mymaster` });
  assert.ok(starting.ranMs < 1000, `${starting.ranMs} ms`);
  proxy.refuse();
  proxy.cut();
  bus.recycle("publisher");
  await eventually(() => heard.count("up publisher 2") === 1, { what: "the publisher is up, though no Sentinel answers", withinMs: 2500 });
  assert.equal(bus.at("publisher"), `127.0.0.1:${(await sentinels.master()).port}`);
});

/** A Sentinel that knows one thing; answers its port. */
async function fakeSentinel(t: TestContext, { master, epoch }: { master: RedisProcess; epoch: number }): Promise<string> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const [command] of data.toString().matchAll(/HELLO|GET-MASTER-ADDR|\r\nMASTER\r\n/g)) {
        if (command === "HELLO") socket.write("%1\r\n+proto\r\n:3\r\n");
        else if (command === "GET-MASTER-ADDR") socket.write(`*2\r\n+127.0.0.1\r\n+${master.port}\r\n`);
        else socket.write(`%1\r\n+config-epoch\r\n+${epoch}\r\n`);
      }
    });
  });
  server.listen(await freePort(), "127.0.0.1");
  await once(server, "listening");
  t.after(() => void server.close());
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("of two Sentinels that do not agree the one that knows of the later failover is believed", async (t) => {
  const other = await RedisProcess.start(t);
  for (const epochs of [
    [1, 2],
    [2, 1],
  ]) {
    const hosts = await Promise.all([other, redis].map((master, nth) => fakeSentinel(t, { master, epoch: epochs[nth] ?? 0 })));
    const { bus } = await started(t, { url: `redis-sentinel://${hosts.join()}/m` });
    const latest = epochs[0] === 2 ? other : redis;
    for (const link of ["publisher", "subscriber"] as const) assert.equal(bus.at(link), `127.0.0.1:${latest.port}`);
  }
});

test("a start that fails names each server that was asked, why, and what to do, and no password", { timeout: 60_000 }, async (t) => {
  const nobody = `127.0.0.1:${await freePort()}`;
  const [sentinel] = sentinels.sentinels;
  const [, replica = assert.fail()] = sentinels.servers;
  const liar = await fakeSentinel(t, { master: replica, epoch: 1 });
  const failures: [target: Omit<RedisTarget, "name">, said: RegExp][] = [
    [
      { url: `redis-sentinel://${nobody},127.0.0.1:${redis.port}/m` },
      new RegExp(`${nobody}: connection refused.*127.0.0.1:${redis.port}: it is no Sentinel`),
    ],
    [{ url: `redis://127.0.0.1:${sentinel?.port}/nobody` }, /watches no master of this name.*sentinel monitor/],
    [
      { url: `redis://127.0.0.1:${sentinel?.port}/mymaster`, sentinel: { username: "asker", password: "wr0ng" } },
      /wrong user or password.*REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD/,
    ],
    [
      { url: `redis://presence:wr0ng@127.0.0.1:${sentinel?.port}/mymaster` },
      /mymaster of .*it is at 127\.0\.0\.1:\d+.*wrong user or password.*REDIS_URL/,
    ],
    [{ url: `redis-sentinel://${liar}/m` }, /it is a replica, though Sentinels call it the master.*SENTINEL MASTERS/],
    [{ url: `redis-cluster://127.0.0.1:${redis.port}` }, /it is no Cluster.*redis:\/\//],
    [{ url: `redis-cluster://${nobody}` }, new RegExp(`Cluster ${nobody} .*${nobody}: connection refused`)],
    [{ url: withUser(cluster.url).replace("s3cret", "wr0ng") }, /wrong user or password/],
  ];
  await Promise.all(
    failures.map(([target, said]) =>
      assert.rejects(started(t, target), (error: Error) => {
        assert.doesNotMatch(error.message, /wr0ng|s3cret/);
        return hasCode("REDIS_UNREACHABLE", said)(error);
      }),
    ),
  );
});

test("a DNS name that moves, of a server and of a Sentinel: each connection looks it up anew, and goes where it leads by then", async (t) => {
  const addresses = new Map<string, string>();
  const real = dns.lookup;
  t.mock.method(dns, "lookup", (host: string, options: LookupOptions, tell: (...answer: unknown[]) => void) => {
    const address = addresses.get(host);
    if (address === undefined) return real(host, options, tell);
    process.nextTick(() => (options.all ? tell(null, [{ address, family: 4 }]) : tell(null, address, 4)));
  });
  const other = await RedisProcess.start(t);
  const sentinel = (nth: number) => sentinels.sentinels[nth]?.port ?? 0;
  for (const { name, url, targets, ends } of [
    { name: "redis.test", url: "redis://redis.test:", targets: [redis.port, other.port], ends: [redis.port, other.port] },
    { name: "sentinel.test", url: "redis-sentinel://sentinel.test:", targets: [sentinel(0), sentinel(1)], ends: undefined },
  ] as const) {
    const port = await freePort();
    // Two servers on one port, at two addresses of this machine.
    const [before, after] = await Promise.all(
      targets.map((target, nth) => FaultProxy.start(t, { target, port, host: `127.0.0.${2 + nth}` })),
    );
    addresses.set(name, "127.0.0.2");
    const { bus, heard } = await started(t, { url: `${url}${port}${ends === undefined ? "/mymaster" : ""}` });
    assert.ok((before?.connections ?? 0) > 0, "it was found by its name");
    const isAt = async (nth: number) => {
      await bus.publish("presence:global", bytes(`${nth}`)).catch(() => {});
      if (ends === undefined) return heard.texts("presence:global").includes(`${nth}`);
      const server = nth === 0 ? redis : other;
      return (
        String(await server.cli("PUBSUB", "NUMSUB", "presence:global")).endsWith("1") && heard.texts("presence:global").includes(`${nth}`)
      );
    };
    await eventually(() => isAt(0), { what: `${name}: an own message` });
    addresses.set(name, "127.0.0.3");
    before?.refuse();
    before?.cut();
    for (const link of ["publisher", "subscriber"] as const) bus.recycle(link);
    await heard.until("up subscriber 2");
    await heard.until("up publisher 2");
    await eventually(() => isAt(1), { what: `${name}: an own message after the name has moved` });
    assert.ok((after?.connections ?? 0) > 0 || ends === undefined, "the new address was used");
  }
});

test("a Cluster by the address of a replica alone, as reader endpoints are: boards that are spread and those that are not work", async (t) => {
  const replica = cluster.nodes[4] ?? assert.fail();
  assert.match(String(await replica.cli("ROLE")), /^slave/);
  const url = `redis-cluster://127.0.0.1:${replica.port}`;
  const channels = new Channels("presence");
  const spread = { isSpread: (channel: Channel) => channels.isSpread(channel), echoPrefix: channels.echoPrefix("me") };
  const buses = [
    new RedisPubSub(topologyOf({ url, name: "presence-test" })),
    new ShardedPubSub(clusterOf({ url, name: "presence-test" }), spread),
  ];
  for (const bus of buses) {
    t.after(() => bus.close());
    const heard = new Recorder();
    const named = ["presence:global", "presence:board:a", "presence:board:b", "presence:board:c"];
    for (const channel of named) bus.subscribe(channel);
    await bus.start(heard);
    for (const channel of named) await bus.publish(channel, bytes("x"));
    await eventually(() => heard.messages.length === named.length, { what: "the own messages" });
  }
});

test("[R9.25] a name that moves while the former server lives, and only subscribers are opened anew: nobody leaves", {
  timeout: 60_000,
}, async (t) => {
  const [former, successor] = [redis, await RedisProcess.start(t)];
  const name = await FaultProxy.start(t, { target: former.port });
  const url = `redis://127.0.0.1:${name.port}`;
  const instances = await Promise.all([1, 2, 3].map(() => Instance.start(t, { redisUrl: url })));
  const team = await Team.start(t, instances);
  name.lead(successor.port);
  await former.cli("CLIENT", "KILL", "TYPE", "pubsub");
  const from = performance.now();
  team.change();
  await team.equal("rosters are equal", 4000);
  t.diagnostic(`rosters equal ${Math.round(performance.now() - from)} ms after the subscribers were lost`);
  team.calm();
  for (const instance of instances) assert.equal((await instance.metrics())('presence_redis_connects_total{link="publisher"}'), 2);
});

test("[R10] REPLICAOF under instances whose name leads to the new master: nobody leaves, and rosters are equal soon after they are connected anew", {
  timeout: 60_000,
}, async (t) => {
  const former = await RedisProcess.start(t);
  const successor = await RedisProcess.start(t, { args: ["--replicaof", `127.0.0.1 ${former.port}`, "--repl-diskless-sync-delay", "0"] });
  const name = await FaultProxy.start(t, { target: former.port });
  const url = `redis://127.0.0.1:${name.port}`;
  const instances = await Promise.all([1, 2, 3].map(() => Instance.start(t, { redisUrl: url })));
  const team = await Team.start(t, instances);
  await successor.cli("REPLICAOF", "NO", "ONE");
  await former.cli("REPLICAOF", "127.0.0.1", String(successor.port));
  name.lead(successor.port);
  team.change();
  await team.equal("left on the former master together, they hear one another", 1000);
  // One of them finds the new master, where it does not hear the others; they hear it, as the former master follows.
  for (const id of await linksOfOne(former)) await former.cli("CLIENT", "KILL", "ID", id);
  const from = performance.now();
  const changing = setInterval(() => team.change(), 500);
  t.after(() => clearInterval(changing));
  await eventually(async () => (await Promise.all(instances.map((one) => one.metrics()))).every((metric) => metric(CONNECTS) > 1), {
    what: "all have connected anew",
    withinMs: 15_000,
  });
  clearInterval(changing);
  await team.equal("rosters are equal", 3000);
  t.diagnostic(`rosters equal ${Math.round(performance.now() - from)} ms after one of three instances found the new master`);
  team.calm();
});

const CONNECTS = 'presence_redis_connects_total{link="publisher"}';

/** The ids of both connections of one instance. */
async function linksOfOne(server: RedisProcess): Promise<string[]> {
  const lines = String(await server.cli("CLIENT", "LIST")).split("\n");
  const [, name = assert.fail()] = /name=(presence-[^ ]*):publisher/.exec(lines.join("\n")) ?? [];
  return lines.flatMap((line) => (line.includes(`name=${name}:`) ? [/^id=(\d+)/.exec(line)?.[1] ?? assert.fail()] : []));
}
