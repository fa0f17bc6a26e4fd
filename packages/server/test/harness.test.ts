/** Tests of the harness itself, where a fault in it would let other tests pass: its faults take effect, and its checks find them. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { ClassicClient, Crowd, eventually, FaultProxy, Instance, RedisProcess, Stopwatch, throughout } from "./harness/index.ts";

test("a Redis is empty after a restart, silent while paused, and answers afterwards", async (t) => {
  const redis = await RedisProcess.start(t);
  await redis.cli("SET", "name", "äöü");
  assert.equal(await redis.cli("GET", "name"), "äöü");
  assert.deepEqual(await redis.channels(), []);
  await assert.rejects(redis.cli("NONSENSE"), /unknown command/);
  await redis.restart();
  assert.equal(await redis.cli("GET", "name"), null);
  redis.pause();
  await assert.rejects(redis.cli("PING"), /did not answer/);
  redis.resume();
  assert.equal(await redis.cli("PING"), "PONG");
  await redis.kill();
  await assert.rejects(redis.cli("PING"), /ECONNREFUSED/);
});

test("a proxy passes, delays, stalls and half-closes each direction on its own, and cuts both", async (t) => {
  const { client, server, proxy } = await linked(t);
  client.write("one ");
  await eventually(() => server.text === "one ", { what: "bytes pass" });

  proxy.toTarget.stall();
  client.write("two ");
  server.socket.write("hello");
  await eventually(() => client.text === "hello", { what: "the other direction still passes" });
  await throughout(() => server.text === "one ", { what: "nothing passes a stalled direction", forMs: 100 });
  proxy.toTarget.pass();
  await eventually(() => server.text === "one two ", { what: "what was held back comes" });

  proxy.toTarget.delay(200);
  const sentAt = performance.now();
  client.write("three");
  await eventually(() => server.text === "one two three", { what: "delayed bytes come" });
  assert.ok(performance.now() - sentAt >= 190);

  proxy.toClient.halfClose();
  await eventually(() => client.hasEnded, { what: "the client sees the end of its input" });
  client.write("!");
  await eventually(() => server.text === "one two three!", { what: "the other direction lives on" });

  proxy.cut();
  await eventually(() => server.socket.destroyed, { what: "the server is cut off" });
  // Having read the end of its input, the client learns of the reset by writing.
  await eventually(() => client.socket.destroyed || (client.write("?") && false), { what: "the client is cut off" });
  assert.equal(proxy.connections, 0);
});

test("a stalled direction holds the sender back instead of buffering without limit", async (t) => {
  const { client, server, proxy } = await linked(t);
  proxy.toTarget.stall();
  const size = 32 * 1024 * 1024;
  client.socket.write(Buffer.alloc(size, "x"));
  await throughout(() => client.socket.writableLength > 0, { what: "the sender waits", forMs: 300 });
  proxy.toTarget.pass();
  await eventually(() => server.text.length === size, { what: "everything arrives" });
});

test("a stranded connection stays dead, and a later one works", async (t) => {
  const { client, server, proxy, accepted } = await linked(t);
  proxy.toTarget.strand();
  client.write("lost");
  await eventually(() => proxy.toTarget.heldBytes === 4, { what: "bytes are held back" });
  proxy.toTarget.pass();
  const later = connect(proxy.port, "127.0.0.1");
  t.after(() => void later.destroy());
  later.write("later");
  const second = reading(await eventually(() => accepted[1], { what: "the target is reached again" }));
  await eventually(() => second.text === "later", { what: "the later connection works" });
  assert.equal(server.text, "");
});

test("only connections that lead elsewhere than new ones are recalled", async (t) => {
  const { client, server, proxy } = await linked(t);
  proxy.recall();
  client.write("here");
  await eventually(() => server.text === "here", { what: "the connection works" });
  proxy.lead(proxy.port);
  proxy.recall();
  await eventually(() => server.socket.destroyed && client.socket.destroyed, { what: "both ends are reset" });
});

test("an instance is ready when started, and its end is reported", async (t) => {
  const redis = await RedisProcess.start(t);
  const instance = await Instance.start(t, { redisUrl: redis.url });
  const ana = await ClassicClient.connect(t, instance.wsUrl);
  const ben = await ClassicClient.connect(t, instance.wsUrl);
  ana.join(1, "ana");
  await eventually(() => ana.board(1).count === 1, { what: "ana is counted" });
  ben.join(1, "ben");
  await eventually(() => ana.names(1).includes("ben"), { what: "ana sees ben" });
  ben.move(1, 7, 9);
  await eventually(() => ana.cursorOf(1, "ben")?.x === 7, { what: () => `ana sees ben move, not ${JSON.stringify(ana.received)}` });
  assert.ok((await instance.residentBytes()) > 10_000_000);
  assert.deepEqual(await instance.kill("SIGKILL"), { code: null, signal: "SIGKILL" });
  assert.equal(instance.isRunning, false);
  await eventually(() => ana.ended !== undefined, { what: "ana's connection ends" });
});

test("published messages are seen byte for byte", async (t) => {
  const redis = await RedisProcess.start(t);
  const published = await redis.watch(t, "a:*");
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
  await redis.cli("PUBLISH", "b:1", "not this");
  await redis.cli("PUBLISH", "a:1", bytes);
  await eventually(() => published.length > 0, { what: "the message is seen" });
  assert.deepEqual(published, [{ channel: "a:1", bytes }]);
});

test("a crowd notices missing members, surplus members, and members shown at a wrong place", async (t) => {
  const redis = await RedisProcess.start(t);
  const instance = await Instance.start(t, { redisUrl: redis.url });
  const crowd = new Crowd(t, 1);
  const [first] = await crowd.add(instance, 4);
  assert.ok(first !== undefined);
  crowd.rest();
  const isRight = () => String(crowd.differences()) === "";
  await eventually(isRight, { what: () => `all is right, not ${crowd.differences()}` });

  first.moves++;
  assert.match(String(crowd.differences()), /has walker 0 at 0,1 instead of 0,2/);
  first.moves--;

  const [stranger] = await new Crowd(t, 2).add(instance, 1);
  crowd.walkers.push(stranger ?? assert.fail());
  assert.match(String(crowd.differences()), /misses walker/);
  assert.match(String(crowd.strangers()), /shows 4 people instead of 5/);
  crowd.walkers.pop();

  crowd.walkers.splice(crowd.walkers.indexOf(first), 1);
  assert.match(String(crowd.differences()), /still shows walker 0/);
});

test("a wait that fails names the expectation and the last error", async () => {
  await assert.rejects(
    eventually(() => Promise.reject(new Error("nobody here")), { what: "ana appears", withinMs: 50 }),
    /not within 0.05 s: ana appears\nlast: nobody here/,
  );
});

/** A socket at each end of a proxied connection, with the text that it has read. */
async function linked(t: TestContext) {
  const accepted: Socket[] = [];
  const target = createServer({ allowHalfOpen: true }, (socket) => accepted.push(socket)).listen(0, "127.0.0.1");
  await once(target, "listening");
  t.after(() => target.close());
  const address = target.address();
  assert.ok(address !== null && typeof address === "object");
  const proxy = await FaultProxy.start(t, { target: address.port });
  const client = reading(connect({ port: proxy.port, host: "127.0.0.1", allowHalfOpen: true }));
  t.after(() => void client.socket.destroy());
  await eventually(() => accepted[0] !== undefined, { what: "the target is reached" });
  return { client, server: reading(accepted[0] ?? assert.fail()), proxy, accepted };
}

function reading(socket: Socket) {
  const end = { socket, text: "", hasEnded: false, write: (text: string) => socket.write(text) };
  socket.on("error", () => {});
  socket.on("data", (chunk) => {
    end.text += chunk;
  });
  socket.on("end", () => {
    end.hasEnded = true;
  });
  return end;
}

test("a stopwatch counts what passes, and not for how long this process stands still", async () => {
  const watch = new Stopwatch();
  await eventually(() => watch.ranMs > 300, { what: "time passes" });
  const before = watch.ranMs;
  const from = performance.now();
  while (performance.now() - from < 1000);
  assert.ok(watch.ranMs - before < 500, `${watch.ranMs - before} ms were counted`);
});
