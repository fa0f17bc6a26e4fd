/** Faults of a real Redis: it dies, hangs, drops a link or refuses. The times after "within" are bounds that users notice. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { type TestContext, test } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { UNANSWERED_BYTES_MAX, UNANSWERED_MAX } from "../src/redis/outgoing.ts";
import { RedisPubSub } from "../src/redis/pubsub.ts";
import { topologyOf } from "../src/redis/target.ts";
import { bytes, hasCode, Recorder } from "./bus-contract.ts";
import { eventually, FaultProxy, freePort, RedisProcess, Stopwatch } from "./harness/index.ts";

test("[R4] a subscriber that Redis disconnects is back with all its channels within 1 s; the publisher stays", async (t) => {
  const redis = await RedisProcess.start(t);
  const channels = Array.from({ length: 100 }, (_, n) => `board:${n}`);
  const { bus, heard } = await started(t, redis.url, channels);
  assert.equal(await redis.cli("CLIENT", "KILL", "TYPE", "pubsub"), 1);
  await within(1000, () => heard.count("up subscriber 2") === 1, "the subscriber is up");
  for (const channel of channels) assert.equal(heard.count(`subscribed ${channel}`), 2);
  assert.equal(heard.count("down subscriber"), 1);
  assert.equal(heard.count("down publisher"), 0);
  assert.match(heard.downs[0] ?? "", /closed/);
  await bus.publish("board:99", bytes("x"));
  await eventually(() => heard.texts("board:99").length === 1, { what: "the message" });
});

test("[R9] a Redis that is killed and comes back finds both links, the next link number and all subscriptions", async (t) => {
  const redis = await RedisProcess.start(t);
  const { bus, heard } = await started(t, redis.url, ["a", "b"]);
  await redis.kill();
  await heard.until("down publisher");
  await heard.until("down subscriber");
  const asked = new Stopwatch();
  await assert.rejects(bus.publish("a", bytes("x")), hasCode("BUS_DOWN", /no connection to Redis at 127\.0\.0\.1:\d+: /));
  await assert.rejects(bus.healthCheck(), hasCode("BUS_DOWN"));
  assert.ok(asked.ranMs < 100, "both fail at once");
  bus.subscribe("asked for while down");
  bus.unsubscribe("b");
  await eventually(() => heard.failed.length >= 6, { what: "some attempts" });
  const ofPublisher = heard.failed.filter(({ link }) => link === "publisher");
  assert.deepEqual(
    ofPublisher.map(({ attempt }) => attempt),
    ofPublisher.map((_, index) => index + 1),
  );
  for (const { address, reason, retryMs } of heard.failed) {
    assert.equal(address, `127.0.0.1:${redis.port}`);
    assert.match(reason, /^connection refused/);
    assert.ok(retryMs >= 0 && retryMs <= 1000);
  }
  await redis.restart();
  await within(1300, () => heard.count("up publisher 2") + heard.count("up subscriber 2") === 2, "both links are up");
  assert.equal(bus.publisherLink, 2);
  assert.deepEqual(await redis.channels(), ["a", "asked for while down"]);
  await bus.publish("a", bytes("again"));
  await eventually(() => heard.texts("a").includes("again"), { what: "a message after it" });
  assert.deepEqual([heard.count("down publisher"), heard.count("down subscriber")], [1, 1]);
});

test("[R9.31] a Redis stopped for 8 s is noticed, costs bounded memory, and is used again within 1 s", async (t) => {
  const redis = await RedisProcess.start(t);
  // One bus is recycled, as the core would order; the other two keep their unanswered publishes.
  const recycled = await started(t, redis.url, ["a"]);
  const many = await started(t, redis.url, ["b"]);
  const large = await started(t, redis.url);
  redis.pause();
  const stoppedAt = performance.now();

  const underWay = Array.from({ length: UNANSWERED_MAX }, () => many.bus.publish("b", bytes("x")));
  await assert.rejects(many.bus.publish("b", bytes("x")), hasCode("BUS_DOWN", new RegExp(`not answered ${UNANSWERED_MAX} publishes`)));
  const megabyte = new Uint8Array(1024 * 1024);
  const answers = Array.from({ length: UNANSWERED_BYTES_MAX / megabyte.length }, () => large.bus.publish("c", megabyte));
  await assert.rejects(large.bus.publish("c", bytes("x")), hasCode("BUS_DOWN", /8388608 bytes/));
  many.bus.subscribe("asked for meanwhile");

  const publishedAt = performance.now();
  const lost = recycled.bus.publish("a", bytes("lost"));
  const takenAt = performance.now();
  const checking = new Stopwatch();
  const checks = await Promise.allSettled(Array.from({ length: 50 }, () => recycled.bus.healthCheck()));
  assert.ok(checks.every(({ status }) => status === "rejected") && checking.ranMs < 1500, "health says no in 1 s");
  await eventually(() => recycled.bus.oldestUnansweredMs() > 2000, { what: "the oldest publish grows old" });
  const least = performance.now() - takenAt;
  const age = recycled.bus.oldestUnansweredMs();
  const most = performance.now() - publishedAt;
  assert.ok(age >= least - 1 && age <= most + 1, `it is ${age} ms old, and was published ${least} to ${most} ms ago`);

  recycled.bus.recycle("publisher");
  recycled.bus.recycle("subscriber");
  await assert.rejects(lost, hasCode("BUS_DOWN", /other instances may or may not have heard/));
  await assert.rejects(recycled.bus.publish("a", bytes("x")), hasCode("BUS_DOWN", /recycled/));
  assert.equal(recycled.bus.oldestUnansweredMs(), 0);
  await eventually(() => recycled.heard.failed.some(({ reason }) => reason === "no answer to HELLO in 2 s"), { what: "an attempt hung" });
  for (const { reason, retryMs } of recycled.heard.failed) {
    if (reason.startsWith("no answer")) assert.equal(retryMs, 0, "an attempt that hung is followed by the next at once");
  }
  // While attempts to connect hang.
  recycled.bus.recycle("publisher");
  recycled.bus.recycle("subscriber");
  await eventually(() => performance.now() - stoppedAt > 8000, { what: "8 s are over", withinMs: 9000 });
  redis.resume();
  const resumed = new Stopwatch();
  await within(1000, () => recycled.heard.count("up publisher 2") + recycled.heard.count("up subscriber 2") === 2, "both links are up");
  assert.equal(await recycled.bus.publish("a", bytes("echo")), 1);
  await eventually(() => recycled.heard.texts("a").includes("echo"), { what: "the own echo" });
  assert.ok(resumed.ranMs < 1000);
  assert.deepEqual([recycled.heard.count("down publisher"), recycled.heard.count("down subscriber")], [1, 1]);

  const receivers = await Promise.all(underWay);
  assert.ok(receivers.every((count) => count === 0 || count === 1));
  assert.deepEqual(new Set(await Promise.all(answers)), new Set([0]));
  await many.heard.until("subscribed asked for meanwhile");
  assert.equal(many.bus.oldestUnansweredMs(), 0);
  assert.equal(await many.bus.publish("b", bytes("x")), 1);
  assert.equal(many.heard.count("down publisher"), 0);
});

test("a link that is stalled, cut or half closed is replaced within 1 s of being able to", async (t) => {
  const redis = await RedisProcess.start(t);
  const proxy = await FaultProxy.start(t, { target: redis.port });
  const { bus, heard } = await started(t, `redis://127.0.0.1:${proxy.port}`, ["a"]);
  let number = 1;
  const isWhole = async () => {
    number++;
    await within(
      1000,
      () => heard.count(`up publisher ${number}`) + heard.count(`up subscriber ${number}`) === 2,
      `links ${number} are up`,
    );
    await bus.publish("a", bytes(`echo ${number}`));
    await eventually(() => heard.texts("a").includes(`echo ${number}`), { what: "the own echo" });
  };

  proxy.cut();
  await isWhole();
  proxy.toClient.halfClose();
  await isWhole();
  proxy.toTarget.halfClose();
  await isWhole();
  for (const direction of [proxy.toClient, proxy.toTarget]) {
    direction.stall();
    bus.publish("a", bytes("x")).catch(() => {});
    await eventually(() => bus.oldestUnansweredMs() > 100, { what: "the stall shows" });
    bus.recycle("publisher");
    bus.recycle("subscriber");
    await eventually(() => heard.failed.length > 0, { what: "an attempt hung" });
    heard.failed.length = 0;
    direction.pass();
    await isWhole();
  }
  assert.deepEqual([heard.count("down publisher"), heard.count("down subscriber")], [number - 1, number - 1]);
  assert.equal(bus.publisherLink, number);
});

test("a SUBSCRIBE that stays unanswered ends the link after 3 s", async (t) => {
  const redis = await RedisProcess.start(t);
  const { bus, heard } = await started(t, redis.url, ["a"]);
  redis.pause();
  bus.subscribe("b");
  await eventually(() => heard.downs.includes("no answer to SUBSCRIBE in 3 s"), { what: "the subscriber is given up" });
  redis.resume();
  await within(1000, () => heard.count("up subscriber 2") === 1, "the subscriber is up");
  assert.equal(heard.count("subscribed b"), 1);
  assert.equal(heard.count("down publisher"), 0);
});

test("[R9.2] a stall of our own process is not taken for a stall of Redis", async (t) => {
  const redis = await RedisProcess.start(t);
  const { bus, heard } = await started(t, redis.url, ["a"]);
  bus.subscribe("b");
  const publish = bus.publish("a", bytes("x"));
  // Wait until both commands were sent; their answers arrive while the process does not read.
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3500);
  assert.equal(await publish, 1);
  await heard.until("subscribed b");
  assert.deepEqual(heard.downs, []);
});

test("a channel wanted again between the answers to its SUBSCRIBE and its UNSUBSCRIBE stays subscribed", async (t) => {
  const redis = await RedisProcess.start(t);
  const proxy = await FaultProxy.start(t, { target: redis.port });
  const { bus, heard } = await started(t, `redis://127.0.0.1:${proxy.port}`);
  proxy.toClient.delay(200);
  bus.subscribe("a");
  bus.subscribe("confirmed together with a");
  await eventually(async () => (await redis.channels()).includes("a"), { what: "Redis has taken the subscription" });
  bus.unsubscribe("a");
  heard.onSubscribed = () => {
    assert.equal(heard.count("subscribed a"), 0);
    heard.onSubscribed = () => {};
    bus.subscribe("a");
  };
  await heard.until("subscribed a");
  proxy.toClient.pass();
  assert.equal(await bus.publish("a", bytes("x")), 1);
  await eventually(() => heard.texts("a").length === 1, { what: "the message" });
});

test("recycled in the middle of connecting, a link starts over at once and leaves nothing behind", async (t) => {
  for (const scheme of ["redis", "rediss"]) {
    let accepted = 0;
    let open = 0;
    const silent = createServer((socket) => {
      accepted++;
      open++;
      socket.on("error", () => {});
      socket.on("close", () => open--);
      socket.resume();
    });
    const url = `${scheme}://127.0.0.1:${await listening(t, silent)}`;
    const bus = new RedisPubSub(topologyOf({ url, name: "presence-test" }));
    const start = assert.rejects(bus.start(new Recorder()), hasCode("BUS_DOWN", /closed/));
    const recycling = new Stopwatch();
    for (let n = 1; n <= 10; n++) {
      await eventually(() => accepted === n, { what: `connection ${n}` });
      bus.recycle("publisher");
    }
    assert.ok(recycling.ranMs < 1000, "it does not wait in between");
    await bus.close();
    await start;
    await eventually(() => open === 0, { what: () => `all connections are closed, not ${open} open`, withinMs: 500 });
  }
});

test("links that Redis drops as soon as they are up do not come back in a hot loop", async (t) => {
  const redis = await RedisProcess.start(t);
  const { bus, heard } = await started(t, redis.url);
  const startedAt = performance.now();
  while (performance.now() - startedAt < 2000) {
    await redis.cli("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.ok(bus.publisherLink < 20, `${bus.publisherLink} connections in 2 s`);
  const { publisherLink } = bus;
  await eventually(() => heard.facts.some((fact) => Number(fact.split("up publisher ")[1]) >= publisherLink), { what: "it is up again" });
});

test("a Redis that hangs does not hold up close", async (t) => {
  const redis = await RedisProcess.start(t);
  const { bus } = await started(t, redis.url, ["a"]);
  redis.pause();
  const publish = bus.publish("a", bytes("x"));
  const closing = new Stopwatch();
  const lost = assert.rejects(publish, hasCode("BUS_DOWN"));
  await bus.close();
  await lost;
  assert.ok(closing.ranMs < 1500);
  redis.resume();
});

test("a channel that Redis forbids is tried again and holds up no other; a forbidden publish is an error of its own", async (t) => {
  const redis = await RedisProcess.start(t);
  await redis.cli("ACL", "SETUSER", "ana", "on", ">pw", "resetchannels", "&allowed:*", "+@all", "-publish");
  const allowed = Array.from({ length: 50 }, (_, n) => `allowed:${n}`);
  const { bus, heard } = await started(t, `redis://ana:pw@127.0.0.1:${redis.port}`, ["allowed:first"]);
  for (const channel of [...allowed.slice(0, 20), "forbidden:1", ...allowed.slice(20), "forbidden:2"]) bus.subscribe(channel);
  await within(1000, () => allowed.every((channel) => heard.count(`subscribed ${channel}`) === 1), "the others are subscribed");
  await eventually(() => heard.refusals.filter(({ channel }) => channel === "forbidden:1").length >= 3, { what: "it is tried again" });
  for (const { channel, reason, attempt, retryMs } of heard.refusals) {
    assert.match(channel, /^forbidden:/);
    assert.match(reason, /^not permitted \(NOPERM/);
    assert.ok(attempt >= 1 && retryMs >= 0 && retryMs <= 1000);
  }
  await assert.rejects(bus.publish("allowed:1", bytes("x")), hasCode("BUS_REFUSED", /NOPERM/));
  assert.equal(bus.oldestUnansweredMs(), 0);

  bus.recycle("subscriber");
  await heard.until("up subscriber 2");
  assert.equal(heard.count("subscribed allowed:49"), 2);
  bus.unsubscribe("forbidden:2");
  await redis.cli("ACL", "SETUSER", "ana", "&forbidden:*", "+publish");
  await within(1300, () => heard.count("subscribed forbidden:1") === 1, "it is subscribed once it may be");
  assert.equal(await bus.publish("forbidden:1", bytes("x")), 1);
  assert.equal(await bus.publish("forbidden:2", bytes("x")), 0);

  // Redis disconnects subscribers of channels that they may no longer read.
  await redis.cli("ACL", "SETUSER", "ana", "resetchannels", "&allowed:*");
  await heard.until("up subscriber 3");
  assert.equal(heard.count("subscribed allowed:49"), 3);
  assert.equal(heard.count("subscribed forbidden:1"), 1);
});

test("a start that cannot succeed says after 5 s where, why and what to do, and never a password", async (t) => {
  const redis = await RedisProcess.start(t);
  await redis.cli("ACL", "SETUSER", "ana", "on", ">pw", "resetchannels", "&other:*", "+@all");
  await redis.cli("ACL", "SETUSER", "default", "resetpass", ">s3cret");
  const at = `127.0.0.1:${redis.port}`;
  const http = `127.0.0.1:${await listening(t, createHttpServer())}`;
  const tls = `127.0.0.1:${await listening(t, createTlsServer({}))}`;
  const silent = `127.0.0.1:${await listening(t, createServer())}`;
  const closing = `127.0.0.1:${await listening(
    t,
    createServer((socket) => socket.destroy()),
  )}`;
  const nobody = `127.0.0.1:${await freePort()}`;
  const cases: readonly (readonly [url: string, words: RegExp])[] = [
    [`redis://${nobody}`, /connection refused .*Is Redis running there.*redis-server.*REDIS_URL=memory:/],
    [`redis://someone:s3cret@nobody.invalid`, /nobody\.invalid:6379 .*unknown host.*Check the host name/],
    [`redis://:wr0ng@${at}`, /wrong user or password \(WRONGPASS/],
    [`redis://${at}`, /it wants a password \(NOAUTH/],
    [`redis://ana:pw@${at}`, /not permitted \(NOPERM.*ACL SETUSER/],
    [`redis://${http}`, /the server there is not Redis/],
    [`redis://${tls}`, /(?:or wants TLS|closed by the other end).*rediss:\/\//],
    [`rediss://${at}`, /no answer to a TLS handshake.*Does Redis speak TLS on that port/],
    [`redis://:s3cret@${silent}`, /no answer to HELLO in 2 s.*hang/],
    [`rediss://${http}`, /no TLS is spoken there.*the port on which Redis speaks TLS/],
    [`redis://${closing}`, /closed by the other end/],
  ];
  await Promise.all(
    cases.map(async ([url, words]) => {
      const heard = new Recorder();
      const bus = new RedisPubSub(topologyOf({ url, name: "presence-test" }));
      bus.subscribe("presence:global");
      const startedAt = performance.now();
      const starting = new Stopwatch();
      await assert.rejects(bus.start(heard), (error) => {
        assert.ok(error instanceof Error);
        assert.ok(error.message.includes(new URL(url).host), `${error.message} names the address`);
        assert.doesNotMatch(error.message, /s3cret|wr0ng|someone/);
        return hasCode("REDIS_UNREACHABLE", words)(error);
      });
      const ms = performance.now() - startedAt;
      assert.ok(ms > 4800 && starting.ranMs < 5800, `${url}: after ${ms} ms`);
      assert.ok(heard.failed.length >= 2, `${url}: each attempt is reported`);
      await assert.rejects(bus.publish("a", bytes("x")), hasCode("BUS_DOWN"));
    }),
  );
});

test("a start waits for a Redis that comes up a little later", async (t) => {
  const port = await freePort();
  const heard = new Recorder();
  const bus = new RedisPubSub(topologyOf({ url: `redis://127.0.0.1:${port}`, name: "presence-test" }));
  t.after(() => bus.close());
  bus.subscribe("a");
  const start = bus.start(heard);
  await eventually(() => heard.failed.length >= 3, { what: "failed attempts" });
  await RedisProcess.start(t, { port });
  await start;
  assert.equal(await bus.publish("a", bytes("x")), 1);
});

async function started(t: TestContext, url: string, channels: readonly string[] = []): Promise<{ bus: RedisPubSub; heard: Recorder }> {
  const heard = new Recorder();
  const bus = new RedisPubSub(topologyOf({ url, name: "presence-test" }));
  t.after(() => bus.close());
  for (const channel of channels) bus.subscribe(channel);
  await bus.start(heard);
  return { bus, heard };
}

function within(ms: number, look: () => boolean, what: string): Promise<unknown> {
  return eventually(look, { what, withinMs: ms });
}

async function listening(t: TestContext, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const sockets = new Set<{ destroy(): void }>();
  server.on("connection", (socket) => sockets.add(socket));
  server.on("tlsClientError", () => {});
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as AddressInfo).port;
}
