/** TLS to a real Redis that asks for client certificates: each way to fail has its own message, and the right settings work. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Channel, Channels } from "../src/bus/bus.ts";
import { RedisPubSub } from "../src/redis/pubsub.ts";
import { ShardedPubSub } from "../src/redis/sharded.ts";
import { clusterOf, type RedisTarget, topologyOf } from "../src/redis/target.ts";
import { createPresenceServer } from "../src/server.ts";
import { bytes, hasCode, Recorder } from "./bus-contract.ts";
import { certificates, eventually, freePort, Instance, RedisCluster, RedisProcess, type Reply } from "./harness/index.ts";

test("rediss:// to a Redis that asks for client certificates", { timeout: 120_000 }, async (t) => {
  const folder = certificates(t);
  const file = (name: string) => join(folder, name);
  const tlsPort = await freePort();
  const redis = await RedisProcess.start(t, {
    args: [
      ...["--tls-port", String(tlsPort), "--tls-auth-clients", "yes"],
      ...["--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key"), "--tls-ca-cert-file", file("ca.pem")],
    ],
  });
  const url = `rediss://127.0.0.1:${tlsPort}`;
  const ca = { REDIS_TLS_CA: file("ca.pem") };
  const client = { REDIS_TLS_CERT: file("client.pem"), REDIS_TLS_KEY: file("client.key") };

  const failures: [why: string, redisUrl: string, env: Record<string, string>, said: RegExp][] = [
    [
      "an authority of our own that nobody made known",
      url,
      client,
      /is not accepted: no authority that this instance trusts has signed it.*REDIS_TLS_CA/,
    ],
    ["another authority", url, { REDIS_TLS_CA: file("other.pem"), ...client }, /is not accepted/],
    ["no client certificate", url, ca, /it wants a client certificate.*REDIS_TLS_CERT and REDIS_TLS_KEY/],
    [
      "a client certificate of another authority",
      url,
      { ...ca, REDIS_TLS_CERT: file("stranger.pem"), REDIS_TLS_KEY: file("stranger.key") },
      /does not know the authority of the client certificate.*tls-ca-cert-file/,
    ],
    ["a host that the certificate does not name", `rediss://localhost:${tlsPort}`, { ...ca, ...client }, /for another host name/],
    ["the port without TLS", `rediss://127.0.0.1:${redis.port}`, ca, /tls-port/],
    ["no TLS to the port of TLS", `redis://127.0.0.1:${tlsPort}`, {}, /rediss:\/\//],
  ];
  await Promise.all(
    failures.map(async ([why, redisUrl, env, said]) => {
      const instance = await Instance.launch(t, { redisUrl, env });
      assert.equal((await instance.exited).code, 69, why);
      assert.match(instance.lines.join("\n"), said, why);
      assert.doesNotMatch(instance.lines.join("\n"), /redis:\/\/ instead of rediss|deps\/openssl|PRIVATE KEY/, why);
      assert.ok(!instance.lines.some((line) => line.includes(folder)), `${why}: no path of a file is shown`);
    }),
  );

  const instance = await Instance.start(t, { redisUrl: url, env: { ...ca, ...client } });
  assert.equal((await instance.health()).redis.publisher, "up");
  const read = (name: string) => readFileSync(file(name), "utf8");
  const library = await createPresenceServer({
    port: 0,
    redisUrl: url,
    redisTls: { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key") },
  });
  t.after(() => library.close());
  await eventually(async () => (await instance.health()).peers.some(({ instanceId }) => instanceId === library.instanceId), {
    what: "the command and the library meet on that Redis",
  });

  for (const [redisUrl, redisTls, said] of [
    ["redis://127.0.0.1", { ca: read("ca.pem") }, /must begin with rediss/],
    [url, { cert: read("client.pem") }, /cert and key together/],
    [url, { cert: read("client.pem"), key: read("stranger.key") }, /cannot be used/],
    [url, { ca: "canary" }, /cannot be used/],
  ] as const) {
    await assert.rejects(createPresenceServer({ port: 0, redisUrl, redisTls }), (error: Error & { code?: string }) => {
      assert.equal(error.code, "BAD_SETTINGS");
      assert.match(error.message, said);
      assert.doesNotMatch(error.message, /canary|BEGIN/);
      return true;
    });
  }
});

test("rediss-sentinel:// and rediss-cluster:// speak TLS with every server, with the same certificates", {
  timeout: 120_000,
}, async (t) => {
  const folder = certificates(t);
  const file = (name: string) => join(folder, name);
  const tls = [
    ...["--tls-auth-clients", "yes", "--tls-replication", "yes"],
    ...["--tls-cert-file", file("server.pem"), "--tls-key-file", file("server.key"), "--tls-ca-cert-file", file("ca.pem")],
  ];
  const [masterPort, sentinelPort] = [await freePort(), await freePort()];
  const master = await RedisProcess.start(t, { args: ["--tls-port", String(masterPort), ...tls] });
  await RedisProcess.start(t, {
    args: ["--sentinel", "--tls-port", String(sentinelPort), ...tls],
    config: `sentinel monitor mymaster 127.0.0.1 ${masterPort} 1\n`,
  });
  const cluster = await RedisCluster.start(t, { tls });
  const tlsPorts = await Promise.all(
    cluster.nodes.map(async (node) => String(((await node.cli("CONFIG", "GET", "tls-port")) as Reply[])[1])),
  );
  const read = (name: string) => readFileSync(file(name), "utf8");
  const urls = [`rediss-sentinel://127.0.0.1:${sentinelPort}/mymaster`, `rediss-cluster://127.0.0.1:${tlsPorts[0]}`] as const;
  const channels = new Channels("presence");
  const spread = { isSpread: (channel: Channel) => channels.isSpread(channel), echoPrefix: channels.echoPrefix("me") };
  /** Over each of them, and with boards spread over the Cluster. */
  const buses = (named: { readonly name?: string }) => {
    const targets = urls.map((url) => ({
      url,
      name: "presence-test",
      tls: { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key"), ...named },
    }));
    const all = [
      ...targets.map((target) => new RedisPubSub(topologyOf(target))),
      new ShardedPubSub(clusterOf(targets[1] as RedisTarget), spread),
    ];
    for (const bus of all) t.after(() => bus.close());
    return all;
  };
  const work = async (named: { readonly name?: string }) => {
    for (const [nth, bus] of buses(named).entries()) {
      const what = `the own message over bus ${nth}, ${named.name}`;
      const heard = new Recorder();
      for (const channel of ["presence:global", "presence:board:a"]) bus.subscribe(channel);
      await bus.start(heard);
      for (const channel of ["presence:global", "presence:board:a"]) await bus.publish(channel, bytes("x"));
      await eventually(() => heard.messages.length === 2, { what });
      const ports = nth === 0 ? [String(masterPort)] : tlsPorts;
      for (const link of ["publisher", "subscriber"] as const) assert.ok(ports.includes(bus.at(link)?.split(":")[1] ?? ""), bus.at(link));
    }
  };
  const fail = async (named: { readonly name?: string }) => {
    for (const bus of buses(named)) {
      await assert.rejects(bus.start(new Recorder()), hasCode("REDIS_UNREACHABLE", /for another host name/));
    }
  };
  await work({});
  await work({ name: "redis.example" });
  await fail({ name: "other.example" });
  // From now on no server but the Sentinel has a certificate for its address.
  for (const node of [master, ...cluster.nodes]) {
    await node.cli("CONFIG", "SET", "tls-cert-file", file("named.pem"), "tls-key-file", file("named.key"));
  }
  await fail({});
  await work({ name: "redis.example" });
});

test("REDIS_TLS_NAME: a Redis whose certificate does not name its address is taken by the name, and by no other", {
  timeout: 60_000,
}, async (t) => {
  const folder = certificates(t);
  const file = (name: string) => join(folder, name);
  const tlsPort = await freePort();
  const own = ["--tls-cert-file", file("named.pem"), "--tls-key-file", file("named.key"), "--tls-ca-cert-file", file("ca.pem")];
  await RedisProcess.start(t, { args: ["--tls-port", String(tlsPort), "--tls-auth-clients", "no", ...own] });
  const redisUrl = `rediss://127.0.0.1:${tlsPort}`;
  const ca = { REDIS_TLS_CA: file("ca.pem") };
  for (const named of [{}, { REDIS_TLS_NAME: "other.example" }]) {
    const refusing = await Instance.launch(t, { redisUrl, env: { ...ca, ...named } });
    assert.equal((await refusing.exited).code, 69);
    assert.match(refusing.lines.join("\n"), /for another host name.*REDIS_TLS_NAME/);
  }
  const instance = await Instance.start(t, { redisUrl, env: { ...ca, REDIS_TLS_NAME: "redis.example" } });
  const library = await createPresenceServer({
    port: 0,
    redisUrl,
    redisTls: { ca: readFileSync(file("ca.pem"), "utf8"), name: "redis.example" },
  });
  t.after(() => library.close());
  await eventually(async () => (await instance.health()).peers.some(({ instanceId }) => instanceId === library.instanceId), {
    what: "the command and the library meet on that Redis",
  });
});
