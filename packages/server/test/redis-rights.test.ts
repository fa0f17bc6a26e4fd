/**
 * Rights at Redis that change while instances run. The tests check which boards become degraded, which clients learn it, what is shown
 * meanwhile, and that all recovers when the right is back. Each test has two instances and a prefix of its own, so that it hears nothing of the
 * others: one of them keeps all its rights, the other one has its own Redis user.
 */

import assert from "node:assert/strict";
import { createServer } from "node:net";
import { after, type TestContext, test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { BusRefused } from "../src/bus/bus.ts";
import { RedisPubSub } from "../src/redis/pubsub.ts";
import { topologyOf } from "../src/redis/target.ts";
import { bytes, Recorder } from "./bus-contract.ts";
import { eventually, freePort, Instance, RedisProcess, SessionClient, throughout } from "./harness/index.ts";

const LEAST = ["resetkeys", "resetchannels", "-@all", "+subscribe", "+unsubscribe", "+publish", "+ping", "+hello"];
/** So long may a process of this test stand still, on a slow machine with other work. The times of the rules are proved on a clock that jumps. */
const STILL_MS = 3_000;
/** Time for the subscriber to reconnect and try its boards, and for clients to be told. */
const TOLD_MS = 2_500 + STILL_MS;
/** From the return of the right: the longest wait for the next attempt, and the repair after it. */
const HEALED_MS = 3_000 + STILL_MS;

/** A machine that stands still for some seconds may cost one connection. Without the rule there are more. */
const RECYCLES_MAX = 1;

const redis = await RedisProcess.start({ after });

type Pair = {
  /** The instance whose rights never change. */
  readonly well: Instance;
  /** The instance whose user gets its rights from `rights`. */
  readonly ill: Instance;
  readonly rights: (...rules: string[]) => Promise<unknown>;
  /** At the well instance. */
  readonly ana: SessionClient;
  readonly ben: SessionClient;
};

/** Ana and ben are on both boards, and see each other. The user's name is the prefix, too. */
async function pair(t: TestContext, user: string, boards: readonly string[]): Promise<Pair> {
  const rights = (...rules: string[]) => redis.cli("ACL", "SETUSER", user, ...rules);
  await rights("reset", "on", ">pw", ...LEAST, `&${user}:*`);
  const env = { REDIS_PREFIX: user };
  const [well, ill] = await Promise.all([
    Instance.start(t, { redisUrl: redis.url, env }),
    Instance.start(t, { redisUrl: `redis://${user}:pw@127.0.0.1:${redis.port}`, env }),
  ]);
  const [ana, ben] = [await SessionClient.connect(t, well.wsUrl), await SessionClient.connect(t, ill.wsUrl, { encoding: "binary" })];
  for (const board of boards) {
    await ana.join(board, "ana");
    await ben.join(board, "ben");
  }
  await equal(ana, ben, boards);
  return { well, ill, rights, ana, ben };
}

function equal(ana: SessionClient, ben: SessionClient, boards: readonly string[], withinMs = HEALED_MS): Promise<unknown> {
  const see = (client: SessionClient, name: string) => boards.every((board) => client.memberOf(board, name)?.status === "active");
  return eventually(() => see(ana, "ben") && see(ben, "ana"), { what: `ana and ben see each other on ${boards}`, withinMs });
}

function leaves({ received }: SessionClient): number {
  return received.filter(({ kind }) => kind === "user_left").length;
}

async function recycles(instance: Instance): Promise<number> {
  const metric = await instance.metrics();
  return metric('presence_redis_recycles_total{link="publisher"}') + metric('presence_redis_recycles_total{link="subscriber"}');
}

test("rights that change at run time", { concurrency: true, timeout: 240_000 }, async (t) => {
  t.test(
    "[R9.17] [R9.20] one board's channel: its people are told and nobody else, the unheard are shown for 30 s, and it mends itself",
    async (t) => {
      const { well, ill, rights, ana, ben } = await pair(t, "one-board", ["one-1", "one-2"]);
      const cleo = await SessionClient.connect(t, well.wsUrl);
      await cleo.join("one-1", "cleo");
      await eventually(() => ben.names("one-1").includes("cleo"), { what: "ben sees cleo" });
      await rights("resetchannels", "&one-board:global", "&one-board:board:one-2");
      const refusedAt = performance.now();
      await eventually(() => ben.board("one-1").degraded, { what: "ben is told", withinMs: TOLD_MS });
      assert.deepEqual(
        [ben.board("one-2").degraded, ben.has("degraded", { board: undefined }), ana.has("degraded")],
        [false, false, false],
      );
      await eventually(() => ana.memberOf("one-1", "ben")?.status === "reconnecting", { what: "ben fades for ana", withinMs: TOLD_MS });
      assert.equal(ana.memberOf("one-2", "ben")?.status, "active");

      const { status, degraded } = await ill.health();
      assert.equal(status, "degraded");
      assert.deepEqual([degraded?.all, degraded?.boards], [false, 1]);
      assert.match(degraded?.reason ?? "", /^Redis refuses to \w+: not permitted\. .*ACL SETUSER/);
      assert.doesNotMatch(JSON.stringify(degraded), /one-1|one-board/);
      const metric = await ill.metrics();
      assert.deepEqual([metric("presence_degraded_boards"), metric("presence_degraded")], [1, 0]);
      assert.ok(metric('presence_redis_refusals_total{command="subscribe"}') > 0);
      const lines = ill.lines.filter((line) => line.includes("Redis refuses a subscription"));
      assert.match(lines.join("\n"), /one-board:board:one-1.*NOPERM.*\+subscribe &one-board:board:one-1.*ACL SETUSER/);

      const dora = await SessionClient.connect(t, ill.wsUrl);
      const askedAt = performance.now();
      await dora.join("one-1", "dora");
      assert.ok(performance.now() - askedAt < 1000 + STILL_MS && dora.board("one-1").settling);
      await eventually(() => dora.board("one-1").degraded, { what: "dora is told with her roster" });
      assert.equal(
        dora.received.findIndex(({ kind }) => kind === "degraded"),
        dora.received.findIndex(({ kind }) => kind === "joined") + 1,
      );

      cleo.leave("one-1");
      const before = leaves(ben);
      const left = 27_000 - (performance.now() - refusedAt);
      await throughout(() => leaves(ben) === before && ana.memberOf("one-1", "ben"), { what: "nobody is shown leaving", forMs: left });
      await eventually(() => ben.names("one-1").join() === "dora", { what: "ben sees nobody remote", withinMs: 6000 + STILL_MS });
      await eventually(() => ana.names("one-1").length === 0, { what: "ana does not see ben", withinMs: 2000 + STILL_MS });
      assert.deepEqual([ben.names("one-2"), ana.names("one-2")], [["ana"], ["ben"]]);
      assert.ok(ill.lines.filter((line) => line.includes("Redis refuses")).length <= 10, "a line per command and 10 s");

      await rights("&one-board:*");
      await equal(ana, ben, ["one-1", "one-2"]);
      await eventually(() => !ben.board("one-1").degraded && !dora.board("one-1").degraded, { what: "they are told that it is over" });
      await eventually(async () => (await ill.health()).status === "ok", { what: "the health page is well" });
      assert.deepEqual([(await ill.health()).degraded, await ill.metric("presence_degraded_boards")], [null, 0]);
      assert.ok((await recycles(ill)) <= RECYCLES_MAX);
      assert.deepEqual([...ana.violations, ...ben.violations, ...dora.violations], []);
    },
  );

  void t.test("[R9.17] to subscribe to any board, new ones too: each board is degraded, and the global channel goes on", async (t) => {
    const { ill, rights, ana, ben } = await pair(t, "all-boards", ["all-1", "all-2"]);
    await rights("resetchannels", "&all-boards:global");
    await eventually(() => ben.board("all-1").degraded && ben.board("all-2").degraded, { what: "ben is told", withinMs: TOLD_MS });
    await ben.join("all-3", "ben");
    await ana.join("all-3", "ana");
    await eventually(() => ben.board("all-3").degraded, { what: "of a board refused at first, too" });
    await eventually(async () => (await ill.health()).degraded?.boards === 3, { what: "three boards" });
    await throughout(() => ana.names("all-1").length === 1, { what: "ana goes on seeing ben", forMs: 6000 });
    assert.equal((await ill.health()).degraded?.all, false);
    await rights("&all-boards:*");
    await equal(ana, ben, ["all-1", "all-2", "all-3"]);
    await eventually(() => ["all-1", "all-2", "all-3"].every((board) => !ben.board(board).degraded), { what: "ben is told" });
    assert.ok((await recycles(ill)) <= RECYCLES_MAX);
    assert.deepEqual([...ana.violations, ...ben.violations], []);
  });

  t.test(
    "[R9.6] to subscribe to anything: degraded, no connection is replaced, its people are still seen, and it mends itself",
    async (t) => {
      const { ill, rights, ana, ben } = await pair(t, "no-subscribe", ["sub-1"]);
      await rights("-subscribe");
      await redis.cli("CLIENT", "KILL", "USER", "no-subscribe");
      await eventually(async () => (await ill.health()).degraded?.all, { what: "all is degraded", withinMs: 6000 + STILL_MS });
      assert.match((await ill.health()).degraded?.reason ?? "", /^Redis refuses to subscribe: not permitted/);
      await eventually(() => ben.has("degraded", { on: true, board: undefined }), { what: "ben is told" });
      const connects = await ill.metric('presence_redis_connects_total{link="subscriber"}');
      await throughout(() => ana.names("sub-1").length === 1 && ben.names("sub-1").length === 1, { what: "nobody leaves", forMs: 12_000 });
      assert.ok((await recycles(ill)) <= RECYCLES_MAX);
      assert.ok((await ill.metric('presence_redis_connects_total{link="subscriber"}')) <= connects + RECYCLES_MAX);
      await rights("+subscribe");
      await eventually(async () => (await ill.health()).status === "ok", { what: "it is well", withinMs: HEALED_MS });
      await equal(ana, ben, ["sub-1"]);
      await eventually(() => ben.has("degraded", { on: false, board: undefined }), { what: "ben is told that it is over" });
      assert.deepEqual([...ana.violations, ...ben.violations], []);
    },
  );

  void t.test("[R9.19] to publish on one board: that board is degraded, its subscription is left alone, and it mends itself", async (t) => {
    const { ill, rights, ana, ben } = await pair(t, "mute-board", ["mute-1", "mute-2"]);
    const subscribes = await subscribeCalls();
    await rights("-publish", "(+publish &mute-board:global &mute-board:board:mute-2)");
    ben.update("mute-1", { status: "idle" });
    await eventually(() => ben.board("mute-1").degraded, { what: "ben is told" });
    await eventually(() => ana.memberOf("mute-1", "ben")?.status === "reconnecting", { what: "ben fades for ana" });
    assert.deepEqual([ben.board("mute-2").degraded, ana.memberOf("mute-2", "ben")?.status], [false, "active"]);
    ana.update("mute-1", { state: { still: "heard" } });
    await eventually(() => ben.memberOf("mute-1", "ana")?.state["still"] === "heard", { what: "ben hears ana" });
    await throughout(() => ana.names("mute-1").length === 1, { what: "nobody leaves", forMs: 8000 });
    assert.match((await ill.health()).degraded?.reason ?? "", /^Redis refuses to publish: not permitted/);
    assert.match(ill.lines.join("\n"), /\+publish &mute-board:board:mute-1.*Redis refuses what this instance publishes/);
    assert.ok((await recycles(ill)) <= RECYCLES_MAX);
    assert.deepEqual(
      ill.lines.filter((line) => line.includes("publishing failed")),
      [],
    );
    assert.ok((await subscribeCalls()) - subscribes < 40, "of all tests here together; every 2 s for this board alone would not be calm");
    await rights("clearselectors", "+publish");
    await eventually(() => ana.memberOf("mute-1", "ben")?.status === "idle", { what: "ana sees what ben said", withinMs: HEALED_MS });
    await eventually(() => !ben.board("mute-1").degraded, { what: "ben is told that it is over" });
    assert.deepEqual([...ana.violations, ...ben.violations], []);
  });

  void t.test("[R9.6] to publish anything: degraded, no connection is replaced, and it mends itself", async (t) => {
    const { ill, rights, ana, ben } = await pair(t, "no-publish", ["pub-1"]);
    await rights("-publish");
    await eventually(async () => (await ill.health()).degraded?.all, { what: "all is degraded", withinMs: 4000 + STILL_MS });
    assert.match((await ill.health()).degraded?.reason ?? "", /^Redis refuses to publish: not permitted/);
    await throughout(() => ben.names("pub-1").length === 1, { what: "ana does not leave for ben", forMs: 12_000 });
    const metric = await ill.metrics();
    for (const link of ["publisher", "subscriber"])
      assert.ok(metric(`presence_redis_connects_total{link="${link}"}`) <= 1 + RECYCLES_MAX, link);
    assert.match(ill.lines.join("\n"), /Redis refuses to publish.*degraded: own messages do not come back/);
    await rights("+publish");
    await eventually(async () => (await ill.health()).status === "ok", { what: "it is well", withinMs: HEALED_MS });
    await equal(ana, ben, ["pub-1"]);
  });

  void t.test(
    "[R25.14] the channels of single instances, from the start on: moves arrive, nobody is told, and a line says what is missing",
    async (t) => {
      const user = "former";
      const rights = (...rules: string[]) => redis.cli("ACL", "SETUSER", user, ...rules);
      const former = ["global", "board:*", "occupancy:*", "beats:*"].map((channel) => `&former:${channel}`);
      await rights("reset", "on", ">pw", ...LEAST, ...former);
      const env = { REDIS_PREFIX: user };
      const [well, ill] = await Promise.all([
        Instance.start(t, { redisUrl: redis.url, env }),
        Instance.start(t, { redisUrl: `redis://${user}:pw@127.0.0.1:${redis.port}`, env }),
      ]);
      const [ana, ben] = [await SessionClient.connect(t, well.wsUrl), await SessionClient.connect(t, ill.wsUrl, { encoding: "binary" })];
      await ana.join("former-1", "ana");
      await ben.join("former-1", "ben");
      await equal(ana, ben, ["former-1"]);
      const arrive = async (rounds: number) => {
        for (let round = 1; round <= rounds; round++) {
          for (const client of [ana, ben]) client.move("former-1", round, rounds);
          for (const [viewer, name] of [
            [ana, "ben"],
            [ben, "ana"],
          ] as const)
            await eventually(() => viewer.cursorOf("former-1", name)?.x === round, { what: `${name} is seen at ${round}` });
        }
      };
      await arrive(40);
      assert.deepEqual([ana.has("degraded"), ben.has("degraded"), (await ill.health()).degraded], [false, false, null]);
      const lines = ill.lines.filter((line) => line.includes("Redis refuses"));
      assert.equal(lines.length, 1);
      assert.match(lines.join(), /\+subscribe &former:moves:.*ACL SETUSER.*told of moves/);
      for (const instance of [well, ill]) assert.equal(await instance.metric('presence_bus_received_total{kind="moves"}'), 0);
      await rights("&former:*");
      await eventually(async () => (await ill.metric('presence_bus_received_total{kind="moves"}')) > 0 || arrive(5), {
        what: "moves to this instance alone",
        withinMs: HEALED_MS,
      });
      await arrive(20);
      assert.deepEqual([...ana.violations, ...ben.violations], []);
    },
  );

  void t.test(
    "[R15.53] the channels of counts: counts stay as they were, nobody is told and nothing is degraded, and it mends itself",
    async (t) => {
      const { well, ill, rights, ana, ben } = await pair(t, "counts", ["counts-1"]);
      const zoe = await SessionClient.connect(t, ill.wsUrl);
      // Nobody of that instance is on this board, so its count comes over the bus.
      const counted = "counted-1" as BoardId;
      const counts = () => zoe.received.flatMap((message) => (message.kind === "occupancy" ? message.boards : []));
      const told = () => counts().findLast(({ board }) => board === counted)?.members;
      await ana.join("counted-1", "ana");
      zoe.send({ kind: "watch", boards: [counted] });
      await eventually(() => told() === 1, { what: "zoe is told of one" });
      const board = ["&counts:global", "&counts:board:*"];
      await rights("resetchannels", ...board);
      const cleo = await SessionClient.connect(t, well.wsUrl);
      await cleo.join("counted-1", "cleo");
      // Redis ends a connection that has a subscription without the right; the next one restores the others.
      await eventually(() => ill.lines.some((line) => /counts:occupancy:\d+.*Redis refuses a subscription/.test(line)), {
        what: "the log names the channel",
        withinMs: TOLD_MS,
      });
      await throughout(() => told() === 1, { what: "the count stays as it was", forMs: 3000 });
      assert.deepEqual(
        [ana, ben, zoe].map((client) => client.has("degraded")),
        [false, false, false],
      );
      const { status, degraded } = await ill.health();
      assert.deepEqual([status, degraded], ["ok", null]);
      assert.ok((await ill.metrics())('presence_redis_refusals_total{command="subscribe"}') > 0);
      assert.equal(ana.memberOf("counts-1", "ben")?.status, "active");
      assert.ok((await recycles(ill)) <= RECYCLES_MAX);
      await rights("&counts:*");
      await eventually(() => told() === 2, { what: "zoe is told of both", withinMs: HEALED_MS });
      assert.deepEqual([...zoe.violations, ...ben.violations], []);
    },
  );

  void t.test("a right that is missing at the start is a wrong setting: the process ends and names the refused command", async (t) => {
    for (const [user, rule, words] of [
      ["start-publish", "-publish", /own messages do not come back\. Redis refuses to publish: not permitted.*\+publish/],
      ["start-subscribe", "-subscribe", /not permitted \(NOPERM.*\+subscribe/],
    ] as const) {
      await redis.cli("ACL", "SETUSER", user, "reset", "on", ">pw", ...LEAST, "&presence:*", rule);
      const instance = await Instance.launch(t, { redisUrl: `redis://${user}:pw@127.0.0.1:${redis.port}` });
      assert.deepEqual(await instance.exited, { code: 69, signal: null });
      assert.match(instance.lines.join("\n"), words);
    }
  });
});

test("2 000 refused channels are tried a thousand times a second at most, and all at once when one is granted", async (t) => {
  await redis.cli("ACL", "SETUSER", "many", "reset", "on", ">pw", ...LEAST, "resetchannels", "&ours");
  const heard = new Recorder();
  const bus = new RedisPubSub(topologyOf({ url: `redis://many:pw@127.0.0.1:${redis.port}`, name: "presence-test" }));
  t.after(() => bus.close());
  bus.subscribe("ours");
  await bus.start(heard);
  const channels = Array.from({ length: 2000 }, (_, n) => `theirs:${n}`);
  for (const channel of channels) bus.subscribe(channel);
  await eventually(() => new Set(heard.refusals.map(({ channel }) => channel)).size === channels.length, { what: "all are refused" });
  // The first waits are short, as for a single channel.
  const calmAt = performance.now() + 2000;
  await eventually(() => performance.now() > calmAt, { what: "the second round" });
  const before = heard.refusals.length;
  const from = performance.now();
  await eventually(() => performance.now() > from + 3000, { what: "3 s" });
  const perSecond = ((heard.refusals.length - before) * 1000) / (performance.now() - from);
  assert.ok(perSecond > 50 && perSecond < 1500, `${perSecond} refusals a second`);
  await redis.cli("ACL", "SETUSER", "many", "&theirs:*");
  const granted = () => new Set(heard.facts.filter((fact) => fact.startsWith("subscribed theirs:"))).size;
  await eventually(() => granted() === channels.length, { what: () => `all are granted, not ${granted()}`, withinMs: HEALED_MS });
});

test("an error of Redis in answer to a publish is told apart from a lost connection, and its text names no board or user", async (t) => {
  const answers = {
    "READONLY You can't write against a read only replica.": /^it is a replica and takes no messages$/,
    "OOM command not allowed when used memory > 'maxmemory'.": /^it takes no commands at present$/,
    "MISCONF Redis is configured to save RDB snapshots": /^it takes no commands at present$/,
    "NOPERM User ana has no permissions to access the 'presence:board:secret' channel": /^not permitted$/,
    "ERR unknown command 'PUBLISH'": /^an error$/,
  };
  for (const [answer, gist] of Object.entries(answers)) {
    const { heard, bus } = await refusing(t, answer);
    await assert.rejects(bus.publish("presence:board:secret", bytes("x")), (error) => {
      assert.ok(error instanceof BusRefused && error.code === "BUS_REFUSED");
      assert.match(error.why.gist, gist);
      assert.ok(error.why.reason.includes(answer.slice(0, 6)) && error.why.advice.length > 20);
      return true;
    });
    assert.deepEqual([bus.oldestUnansweredMs(), heard.count("down publisher")], [0, 0]);
  }
});

/** Starts a server that answers every PUBLISH with that error. */
async function refusing(t: TestContext, answer: string): Promise<{ heard: Recorder; bus: RedisPubSub }> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => {
      for (const [, command] of data.toString().matchAll(/\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n/g)) {
        if (command === "HELLO") socket.write("%1\r\n+proto\r\n:3\r\n");
        else if (command === "PUBLISH") socket.write(`-${answer}\r\n`);
        else socket.write("+OK\r\n");
      }
    });
  });
  const port = await freePort();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  t.after(() => void server.close());
  const heard = new Recorder();
  const bus = new RedisPubSub(topologyOf({ url: `redis://127.0.0.1:${port}`, name: "presence-test" }));
  t.after(() => bus.close());
  await bus.start(heard);
  return { heard, bus };
}

async function subscribeCalls(): Promise<number> {
  const [, calls = "0"] = /cmdstat_subscribe:calls=(\d+)/.exec(String(await redis.cli("INFO", "commandstats"))) ?? [];
  return Number(calls);
}
