/**
 * With BUS_SECRET set, a stranger who may publish and listen on our Redis changes nothing: not by forged messages, not by repeating what
 * instances said, and not by a thousand senders at once. Instances with and without the secret say what is wrong.
 */

import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import type { InstanceId, MemberId } from "@presence-service/protocol";
import { encodeRedisMessage } from "../src/bus/envelope.ts";
import { SIGNED_BYTES, Signing } from "../src/bus/signing.ts";
import type { BusMessage, Heartbeat } from "../src/core/messages.ts";
import { ana as MEMBER } from "../src/testing/ana.ts";
import { eventually, Instance, type Published, RedisProcess, SessionClient, startCluster, throughout } from "./harness/index.ts";

const SECRET = "the-secret-of-these-tests-is-long-enough";
const OTHER = "another-secret-that-nobody-here-believes";
const BOARD = "doc-1";
const CHANNEL = `presence:board:${BOARD}`;
const GLOBAL = "presence:global";
const BEAT: Heartbeat = {
  kind: "heartbeat",
  beat: 1,
  intervalMs: 500,
  beaconMs: 15_000,
  boards: 1,
  status: "ready",
  acks: [],
  versions: { min: 1, max: 1 },
};

test("[R14.2] [R14.3] forged messages, repeated ones and a thousand strangers have no effect at all", { timeout: 120_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t, { env: { BUS_SECRET: SECRET } });
  const published = await redis.watch(t, "presence:*");
  const ana = await SessionClient.connect(t, one.wsUrl);
  const ben = await SessionClient.connect(t, two.wsUrl);
  await ana.join(BOARD, "ana");
  await ben.join(BOARD, "ben");
  await eventually(() => ana.names(BOARD).join() === "ben" && ben.names(BOARD).join() === "ana", { what: "they see each other" });
  const from = (await two.health()).instanceId as InstanceId;
  const link = linkOf(published, from);
  ben.move(BOARD, 5, 5);
  ben.update(BOARD, { state: { tool: "pen" } });
  await eventually(() => ana.memberOf(BOARD, "ben")?.state["tool"] === "pen", { what: "ana sees what ben does" });

  /** This may not change: what clients are told about people, and what instances ask each other. */
  const told = () =>
    [ana, ben].map(({ received }) => received.filter(({ kind }) => kind.startsWith("user_") || kind === "joined").length).join();
  const counts = async () => {
    const all = await Promise.all([one, two].map((instance) => instance.metrics()));
    return all.map((metric) =>
      ["slice_asks", "slice_resyncs", "slice_divergences", "peer_suspects", "peer_downs"]
        .map((name) => metric(`presence_${name}_total`))
        .join(),
    );
  };
  const dropped = (why: string) => one.metric(`presence_bus_dropped_total{reason="${why}"}`);
  const calm = async (what: string, act: () => Promise<void>) => {
    // The asks of the first moments are over.
    await throughout(() => true, { what: "", forMs: 500 });
    const [before, asked] = [told(), await counts()];
    await act();
    await throughout(async () => told() === before && ana.names(BOARD).join() === "ben" && ben.names(BOARD).join() === "ana", {
      what,
      forMs: 2500,
    });
    assert.deepEqual(await counts(), asked, what);
  };
  const member = { ...MEMBER, memberId: "f".repeat(32) as MemberId };
  const entries = [{ slot: 40, attempt: 1, seq: 1_000_000, member }];
  const forgeries: readonly (readonly [string, BusMessage, number?])[] = [
    [CHANNEL, { kind: "snapshot", seq: 1_000_000, part: 0, parts: 1, entries: [], ended: [] }],
    [CHANNEL, { kind: "snapshot", seq: 1_000_001, part: 0, parts: 1, entries, ended: [] }],
    [CHANNEL, { kind: "delta", prev: 1, seq: 2, ops: [{ op: "set", slot: 40, attempt: 1, member }] }],
    [CHANNEL, { kind: "beacon", seq: 2 ** 40, hash: 1, count: 1 }],
    [CHANNEL, { kind: "sync", seq: 1, hash: 1, count: 1, asks: "all", held: [] }],
    [GLOBAL, { ...BEAT, beat: 2 ** 30, intervalMs: 60_000 }],
    [GLOBAL, { ...BEAT, beat: 1 }, 2 ** 31],
    [GLOBAL, { kind: "goodbye" }],
    [GLOBAL, { kind: "kick", whom: { memberId: ben.memberId as MemberId }, reason: "forged" }],
  ];
  const wrong = new Signing(OTHER);

  await t.test("[R14.2] each kind of forged message, unsigned and signed with another secret", () =>
    calm("forged messages", async () => {
      for (const [channel, message, number = link] of forgeries)
        for (const sender of [from, (await one.health()).instanceId as InstanceId]) {
          const bytes = encodeRedisMessage({ from: sender, link: number, message });
          await redis.cli("PUBLISH", channel, bytes);
          await redis.cli("PUBLISH", channel, wrong.sign(channel, bytes));
        }
    }),
  );

  await t.test("[R14.6] [R14.7] all that was said so far, again and again, on its own channel and on others", () =>
    calm("repeated messages", async () => {
      const before = await dropped("stale");
      const said = [...published].filter(({ bytes }) => bytes[0] === 0xa1).slice(-200);
      assert.ok(said.length > 15, `${said.length} messages to repeat`);
      const genuine = said.filter(({ channel, bytes }) => new Signing(SECRET).check(channel, bytes).ok).length;
      assert.ok(genuine > 15, `${genuine} messages with a right signature`);
      for (const { channel, bytes } of [...said, ...said]) await redis.cli("PUBLISH", channel, bytes);
      for (const { channel, bytes } of said) await redis.cli("PUBLISH", channel === GLOBAL ? CHANNEL : GLOBAL, bytes);
      assert.ok((await dropped("stale")) - before >= genuine);
    }),
  );

  await t.test("[R14.3] a thousand senders that do not exist", () =>
    calm("a flood of senders", async () => {
      const before = await dropped("unsigned");
      const cpu = await one.metric("process_cpu_seconds_total");
      for (let nth = 0; nth < 1000; nth++) {
        const sender = randomUUID() as InstanceId;
        const beat = encodeRedisMessage({ from: sender, link: 1, message: { ...BEAT, beat: nth + 1 } });
        await redis.cli("PUBLISH", GLOBAL, nth % 2 === 0 ? beat : wrong.sign(GLOBAL, beat));
        if (nth % 10 === 0)
          await redis.cli("PUBLISH", CHANNEL, encodeRedisMessage({ from: sender, link: 1, message: forgeries[1]?.[1] as BusMessage }));
      }
      assert.ok((await dropped("unsigned")) - before >= 600);
      t.diagnostic(`CPU of an instance: ${((await one.metric("process_cpu_seconds_total")) - cpu).toFixed(2)} s, its own work included`);
      const { status, peers } = await one.health();
      assert.deepEqual([status, peers.map(({ state }) => state)], ["ok", ["up"]]);
    }),
  );

  const warned = one.lines.filter((line) => /ignored a message/.test(line));
  assert.ok(
    warned.some((line) => line.includes("another secret") && line.includes(from)),
    "[R14.9] a line names the instance",
  );
  assert.ok(warned.length < 20, `${warned.length} lines`);

  await t.test("[R14.6] a killed instance is gone as ever, though its words are repeated", async () => {
    const words = [...published].filter(({ bytes }) => bytes.includes(Buffer.from(from.replaceAll("-", ""), "hex"))).slice(-40);
    await two.kill("SIGKILL");
    let isOver = false;
    const repeating = (async () => {
      while (!isOver) for (const { channel, bytes } of words) await redis.cli("PUBLISH", channel, bytes);
    })();
    await eventually(() => ana.names(BOARD).length === 0, { what: "ben is gone with his instance", withinMs: 6000 });
    await throughout(() => ana.names(BOARD).length === 0, { what: "and does not come back", forMs: 2000 });
    isOver = true;
    await repeating;
  });
});

test("[R14.8] [R14.9] an instance without the secret: it and the others say what is wrong; none at the end lets it in", {
  timeout: 60_000,
}, async (t) => {
  const redis = await RedisProcess.start(t);
  const start = (secret?: string) => Instance.start(t, { redisUrl: redis.url, env: secret === undefined ? {} : { BUS_SECRET: secret } });
  const [one, two, bare] = await Promise.all([start(SECRET), start(`${OTHER},${SECRET}`), start()]);
  const ana = await SessionClient.connect(t, one.wsUrl);
  const zoe = await SessionClient.connect(t, bare.wsUrl);
  await zoe.join(BOARD, "zoe");
  await ana.join(BOARD, "ana");
  await eventually(() => zoe.names(BOARD).join() === "ana", { what: "the instance without a secret believes all" });
  const [bareId, twoId] = [(await bare.health()).instanceId, (await two.health()).instanceId];
  await eventually(() => one.lines.some((line) => line.includes("without a signature") && line.includes(bareId)), {
    what: "one names bare",
  });
  await eventually(() => one.lines.some((line) => line.includes("another secret") && line.includes(twoId)), { what: "one names two" });
  await eventually(() => bare.lines.some((line) => line.includes("has no BUS_SECRET")), { what: "bare says that others sign" });
  await eventually(async () => (await bare.health()).status === "degraded", { what: "bare is unheard", withinMs: 16_000 });
  assert.match((await bare.health()).degraded?.reason ?? "", /demand signed messages, and this one has no BUS_SECRET/);
  assert.match(bare.lines.join("\n"), /degraded: .*They sign what they say and this one does not/);
  assert.deepEqual([ana.names(BOARD), await one.metric("presence_degraded")], [[], 0]);

  const lenient = await start(`${SECRET},none`);
  const cleo = await SessionClient.connect(t, lenient.wsUrl);
  await cleo.join(BOARD, "cleo");
  await eventually(() => cleo.names(BOARD).sort().join() === "ana,zoe", { what: "[R14.4] it hears both kinds" });
  await eventually(() => ana.names(BOARD).join() === "cleo" && zoe.names(BOARD).sort().join() === "ana,cleo", { what: "and both hear it" });
  for (const instance of [one, two, bare, lenient]) assert.doesNotMatch(instance.lines.join("\n"), /secret-of-these|secret-that-nobody/);
});

/** The link number of that instance, from what it said: the varint after the sender. */
function linkOf(published: readonly Published[], from: string): number {
  const id = Buffer.from(from.replaceAll("-", ""), "hex");
  const said = published.find(({ bytes }) => bytes.subarray(SIGNED_BYTES + 1).indexOf(id) === 0);
  return said?.bytes[SIGNED_BYTES + 17] ?? assert.fail("nothing was said");
}
