/**
 * The operator's checklist, line by line: two processes on one real Redis, and classic clients, which call `new
 * WebSocket("ws://localhost:3001")` or 3002 without a subprotocol.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  askRedis,
  ClassicClient,
  type Cluster,
  eventually,
  Instance,
  isFree,
  RawSocket,
  RedisProcess,
  throughout,
  usualPort,
} from "./harness/index.ts";

const BUS_KINDS = ["delta", "snapshot", "sync", "beacon", "cursors", "event"];
/** Longer than any answer, echo or repetition on a local Redis takes. */
const SETTLED_MS = 600;

test("two instances on one Redis", { timeout: 120_000 }, async (t) => {
  const redis = await RedisProcess.start(t);
  const ports = [await usualPort(3001), await usualPort(3002)] as const;
  t.diagnostic(`ports ${ports.join(" and ")}`);
  const launched = ports.map((port) => Instance.start(t, { redisUrl: redis.url, port }));
  const [one, two] = (await Promise.all(launched)) as [Instance, Instance];
  const cluster: Cluster = { redis, one, two };

  await t.test("both instances connect", async () => {
    await eventually(
      async () => {
        const [first, second] = [await one.health(), await two.health()];
        assert.deepEqual([first.status, second.status], ["ok", "ok"]);
        for (const [own, other] of [
          [first, second],
          [second, first],
        ] as const) {
          assert.deepEqual([own.redis.mode, own.redis.publisher, own.redis.subscriber], ["standalone", "up", "up"]);
          assert.deepEqual(
            own.peers.map(({ instanceId, state }) => [instanceId, state]),
            [[other.instanceId, "up"]],
          );
        }
        return true;
      },
      { what: "each instance is connected to Redis, and hears the other" },
    );
    for (const instance of [one, two]) {
      const metrics = await instance.metrics();
      assert.equal(metrics('presence_redis_connected{link="publisher"}'), 1);
      assert.equal(metrics('presence_redis_connected{link="subscriber"}'), 1);
      assert.equal(metrics('presence_peers{state="up"}'), 1);
    }
    assert.deepEqual(await redis.cli("PUBSUB", "NUMSUB", "presence:global"), ["presence:global", 2]);
  });

  await t.test("messages are published to the Redis channels", async (t) => {
    const published = await redis.watch(t, "presence:*");
    const onBoard = () => published.filter(({ channel }) => channel === "presence:board:11").length;
    const ana = await ClassicClient.connect(t, one.wsUrl);
    const ben = await ClassicClient.connect(t, two.wsUrl);
    ben.join(11, "ben");
    await eventually(() => ben.board(11).count === 1, { what: "ben is on the board" });
    const acts: [string, () => void, () => boolean][] = [
      ["join", () => ana.join(11, "ana"), () => ben.names(11).includes("ana")],
      ["move", () => ana.move(11, 1, 2), () => ben.cursorOf(11, "ana")?.y === 2],
      ["leave", () => ana.leave(11), () => ben.names(11).length === 0],
    ];
    for (const [what, act, isSeen] of acts) {
      const before = onBoard();
      act();
      await eventually(() => onBoard() > before, { what: `a ${what} is published on presence:board:11` });
      await eventually(isSeen, { what: `ben sees the ${what}` });
    }
    await eventually(() => published.some(({ channel }) => channel === "presence:global"), { what: "a heartbeat on presence:global" });
    const others = published.filter(({ channel }) => channel !== "presence:global" && !channel.startsWith("presence:board:"));
    assert.deepEqual(others, []);
  });

  await t.test("subscriptions receive messages of the other instance", async (t) => {
    const before = await busReceived(two);
    const ben = await ClassicClient.connect(t, two.wsUrl);
    ben.join(12, "ben");
    await eventually(async () => String(await redis.cli("PUBSUB", "NUMSUB", "presence:board:12")) === "presence:board:12,1", {
      what: "the instance of the first member subscribes to the board",
    });
    const ana = await ClassicClient.connect(t, one.wsUrl);
    ana.join(12, "ana");
    await eventually(async () => String(await redis.cli("PUBSUB", "NUMSUB", "presence:board:12")) === "presence:board:12,2", {
      what: "so does that of the second",
    });
    await eventually(() => ben.names(12).includes("ana"), { what: "ben sees ana" });
    assert.ok((await busReceived(two)) > before, "nothing was counted as received");
  });

  await t.test("deduplication works: no echo", async (t) => {
    const echoesBefore = await one.metric("presence_bus_echoes_total");
    const ana = await ClassicClient.connect(t, one.wsUrl);
    const ben = await ClassicClient.connect(t, one.wsUrl);
    const cleo = await ClassicClient.connect(t, two.wsUrl);
    const all = [ana, ben, cleo];
    for (const [client, name] of [[ana, "ana"] as const, [ben, "ben"] as const, [cleo, "cleo"] as const]) client.join(13, name);
    await eventually(() => all.every((client) => client.names(13).length === 2 && client.board(13).count === 3), { what: "all are there" });
    ana.move(13, 500, 600);
    await eventually(() => ben.cursorOf(13, "ana") && cleo.cursorOf(13, "ana"), { what: "ben and cleo see ana move" });

    const once = () =>
      all.every((client) => {
        const joins = client.received.filter(({ kind }) => kind === "user_joined").length;
        return joins === 2 && client.violations.length === 0 && !client.has("user_left");
      });
    await throughout(once, { what: "each was told of each other exactly once", forMs: SETTLED_MS });
    assert.equal(ana.has("cursor_broadcast"), false, "ana was told her own cursor");
    await eventually(async () => (await one.metric("presence_bus_echoes_total")) > echoesBefore, {
      what: "own messages are recognised as such",
    });
  });

  await t.test("local clients receive updates of the remote instance", async (t) => {
    const { ana, ben } = await pair(t, cluster, 14);
    assert.equal(ana.board(14).count, 2);
    assert.match([...ana.board(14).people.values()][0]?.color ?? "", /^#[0-9a-f]{6}$/);
    ben.move(14, 65_535, 0);
    await eventually(() => ana.cursorOf(14, "ben")?.x === 65_535, { what: "ana sees ben's cursor" });
    ben.leave(14);
    await eventually(() => ana.names(14).length === 0 && ana.board(14).count === 1, { what: "ana sees ben leave, and the count" });
    assert.deepEqual([...ana.violations, ...ben.violations], []);
  });

  await t.test("cursor movements are synchronized", async (t) => {
    const { ana, ben } = await pair(t, cluster, 15);
    for (let step = 1; step <= 50; step++) {
      ana.move(15, step, 2 * step);
      ben.move(15, 1000 + step, 5);
      await eventually(() => ben.cursorOf(15, "ana")?.x === step && ana.cursorOf(15, "ben")?.x === 1000 + step, {
        what: `both see step ${step}`,
        withinMs: 2000,
      });
    }
    // Positions of a burst may be left out, but never the last one.
    for (let step = 51; step <= 500; step++) ana.move(15, step, 2 * step);
    await eventually(() => ben.cursorOf(15, "ana")?.y === 1000, { what: "ben sees where ana stopped", withinMs: 2000 });
    const xs = ben.received.flatMap((message) => (message.kind === "cursor_broadcast" ? [message.x] : []));
    assert.deepEqual(
      xs,
      xs.toSorted((a, b) => a - b),
      "never backwards",
    );
  });

  await t.test("join and leave are synchronized", async (t) => {
    const { ana, ben } = await pair(t, cluster, 16);
    const cleo = await ClassicClient.connect(t, two.wsUrl);
    cleo.join(16, "cleo");
    await eventually(() => String(ana.names(16)) === "ben,cleo" && String(cleo.names(16)) === "ana,ben", { what: "all see all" });
    await cleo.close();
    await eventually(() => String(ana.names(16)) === "ben" && ana.board(16).count === 2, { what: "a closed connection is a leave" });
    ben.leave(16);
    await eventually(() => ana.names(16).length === 0, { what: "a Leave is a leave" });
    ben.join(16, "ben again");
    await eventually(() => String(ana.names(16)) === "ben again" && String(ben.names(16)) === "ana", { what: "and coming back is a join" });
    assert.deepEqual([...ana.violations, ...ben.violations, ...cleo.violations], []);
  });

  await t.test("automatic reconnection after a Redis failure", async (t) => {
    const { ana, ben } = await pair(t, cluster, 17);
    await redis.kill();
    await eventually(async () => (await one.health()).redis.subscriber === "down", { what: "the loss is noticed" });
    assert.equal((await one.get("/readyz")).status, 200, "an instance without Redis goes on serving");
    const cleo = await ClassicClient.connect(t, one.wsUrl);
    cleo.join(17, "cleo");
    await eventually(() => ana.names(17).includes("cleo"), { what: "local people see each other meanwhile" });
    await redis.restart();
    await eventually(() => String(ben.names(17)) === "ana,cleo", { what: "a client that joined meanwhile is seen at the other instance" });
    ana.move(17, 7, 8);
    await eventually(() => ben.cursorOf(17, "ana")?.y === 8, { what: "cursors flow again" });
    await eventually(async () => (await one.health()).status === "ok" && (await two.health()).status === "ok", { what: "both are well" });
    assert.ok((await one.metric('presence_redis_connects_total{link="subscriber"}')) > 1);
    assert.ok(one.isRunning && two.isRunning);
  });

  await t.test("pages of any origin may connect, without a subprotocol", async (t) => {
    for (const origin of ["https://app.example.com", "http://localhost:5173", "null", undefined]) {
      const socket = await RawSocket.request(t, { port: one.port, ...(origin === undefined ? {} : { headers: { Origin: origin } }) });
      assert.equal(socket.status, 101, `Origin: ${origin}`);
      assert.equal(socket.headers.get("sec-websocket-protocol"), undefined);
    }
  });
});

test("nothing set but WS_PORT: Redis on localhost:6379", async (t) => {
  if (await isFree(6379)) await RedisProcess.start(t, { port: 6379 });
  else if ((await askRedis(6379, "PING").catch(() => "")) !== "PONG") return t.skip("port 6379 is held by something that is no Redis");
  const [one, two] = await Promise.all([Instance.start(t), Instance.start(t)]);
  await pair(t, { one, two }, 60_001);
});

/** A person at each instance; they see each other. */
async function pair(t: Parameters<typeof ClassicClient.connect>[0], { one, two }: Pick<Cluster, "one" | "two">, board: number) {
  const ana = await ClassicClient.connect(t, one.wsUrl);
  const ben = await ClassicClient.connect(t, two.wsUrl);
  ana.join(board, "ana");
  ben.join(board, "ben");
  await eventually(() => String(ana.names(board)) === "ben" && String(ben.names(board)) === "ana", { what: "ana and ben see each other" });
  await eventually(() => ana.board(board).count === 2 && ben.board(board).count === 2, { what: "both are counted" });
  return { ana, ben };
}

async function busReceived(instance: Instance): Promise<number> {
  const metrics = await instance.metrics();
  return BUS_KINDS.reduce((sum, kind) => sum + metrics(`presence_bus_received_total{kind="${kind}"}`), 0);
}
