/** Slow processes, all at once: subscriptions that linger, connections that died without a close, readers that do not read. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setInterval as every, setTimeout as wait } from "node:timers/promises";
import { OUTBOX } from "../src/connection/outbox.ts";
import { VISIT_MS } from "../src/connection/timing.ts";
import { ClassicClient, eventually, FaultProxy, Instance, type RedisProcess, SessionClient, startCluster } from "./harness/index.ts";

const LINGER_MS = 45_000;
/** Extra time for a busy machine. */
const SLACK_MS = 8000;
const RECONNECTING_MS_MAX = 8_000;
const BACK_MS_MAX = 2_000;
/** Longer than it takes to be shown as reconnecting, shorter than it takes to be lost. */
const BLINK_MS = 15_000;
const GONE_MS_MAX = 40_000;

const FLOOD_MS = 12_000;
const FLOOD_EVERY_MS = 200;
const TALKERS = 20;
const SLOW_READERS = 20;
/** Makes an event or a state nearly as large as allowed. */
const FILLER = "x".repeat(3900);
/** The flood is 10 MB for each reader. The system's buffers hold up to 4 MB of it, which is not the server's memory. */
const GROWTH_BYTES_MAX = 100_000_000;

test("with patience", { concurrency: true, timeout: 150_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t);

  const lingering = t.test("subscriptions follow boards: given up 45 s after the last local member left", async (t) => {
    const ana = await ClassicClient.connect(t, one.wsUrl);
    const ben = await ClassicClient.connect(t, two.wsUrl);
    const cleo = await ClassicClient.connect(t, two.wsUrl);
    for (const board of [77, 78]) {
      ana.join(board, "ana");
      ben.join(board, "ben");
    }
    cleo.join(77, "cleo");
    for (const board of [77, 78]) {
      await eventually(async () => (await subscribers(redis, board)) === 2, { what: "each instance with members is subscribed" });
    }
    ana.leave(77);
    ana.leave(78);
    await ben.close();
    const leftAt = performance.now();
    await eventually(async () => (await redis.channels("presence:board:78")).length === 0, {
      what: "PUBSUB CHANNELS no longer lists the board without members",
      withinMs: LINGER_MS + SLACK_MS,
    });
    assert.ok(performance.now() - leftAt > LINGER_MS - 1000, `it lingered only ${seconds(leftAt)} s`);
    await eventually(async () => (await subscribers(redis, 77)) === 1, { what: "on the other board only the instance with cleo is left" });
    ana.join(77, "ana");
    await eventually(() => ana.names(77).includes("cleo") && cleo.names(77).includes("ana"), { what: "a newcomer finds those who stayed" });
    assert.deepEqual([...ana.violations, ...cleo.violations], []);
  });

  const halfOpen = t.test("a half-open client is reconnecting within 8 s and gone within 40 s; idle ones stay", async (t) => {
    const watcher = await SessionClient.connect(t, two.wsUrl);
    await watcher.join("88", "watcher");
    const idle = await SessionClient.connect(t, one.wsUrl, { encoding: "binary" });
    await idle.join("88", "idle");
    const idleClassic = await ClassicClient.connect(t, one.wsUrl);
    idleClassic.join(88, "idle classic");
    const proxy = await FaultProxy.start(t, { target: one.port });
    const url = `ws://127.0.0.1:${proxy.port}`;
    const json = await SessionClient.connect(t, url);
    await json.join("88", "dead json");
    const binary = await SessionClient.connect(t, url, { encoding: "binary" });
    await binary.join("88", "dead binary");
    const classic = await ClassicClient.connect(t, url);
    classic.join(88, "dead classic");
    await eventually(() => watcher.names("88").length === 5, { what: "all are seen" });

    proxy.toTarget.stall();
    proxy.toClient.stall();
    const stalledAt = performance.now();
    const left = (untilMs: number) => untilMs - (performance.now() - stalledAt);
    for (const name of ["dead json", "dead binary"]) {
      const what = `${name} is shown as reconnecting`;
      await eventually(() => watcher.memberOf("88", name)?.status === "reconnecting", { what, withinMs: left(RECONNECTING_MS_MAX) });
    }
    t.diagnostic(`half-open clients are reconnecting after ${seconds(stalledAt)} s`);
    await eventually(() => String(watcher.names("88")) === "idle,idle classic", {
      what: () => `only the idle ones are left, not ${watcher.names("88")}`,
      withinMs: left(GONE_MS_MAX),
    });
    t.diagnostic(`and gone after ${seconds(stalledAt)} s`);
    assert.equal(watcher.memberOf("88", "idle")?.status, "active");
    assert.deepEqual([idle.ended, idleClassic.ended, watcher.ended], [undefined, undefined, undefined]);
    assert.deepEqual([...watcher.violations, ...idle.violations, ...idleClassic.violations], []);
  });

  const blinking = t.test(
    "a link that stalls for 15 s: reconnecting within 8 s, active again within 2 s, and no client notices",
    async (t) => {
      const proxy = await FaultProxy.start(t, { target: one.port });
      const url = `ws://127.0.0.1:${proxy.port}`;
      const near = await SessionClient.connect(t, one.wsUrl);
      await near.join("89", "near");
      const far = await SessionClient.connect(t, two.wsUrl, { encoding: "binary" });
      await far.join("89", "far");
      const away = await SessionClient.connect(t, url, { encoding: "binary" });
      await away.join("89", "away");
      const classic = await ClassicClient.connect(t, url);
      classic.join(89, "classic");
      const watchers = [near, far];
      const isShown = (status: string) => () =>
        watchers.every((watcher) => ["away", "classic"].every((name) => watcher.memberOf("89", name)?.status === status));
      await eventually(isShown("active"), { what: "all are seen" });
      // Answers have been given: those who are idle stay active.
      await wait(10_000);
      assert.ok(isShown("active")());

      proxy.toTarget.stall();
      proxy.toClient.stall();
      const stalledAt = performance.now();
      await eventually(isShown("reconnecting"), {
        what: "both are shown as reconnecting, by both instances",
        withinMs: RECONNECTING_MS_MAX,
      });
      t.diagnostic(`reconnecting after ${seconds(stalledAt)} s`);
      await wait(BLINK_MS - (performance.now() - stalledAt));
      proxy.toTarget.pass();
      proxy.toClient.pass();
      const passedAt = performance.now();
      await eventually(isShown("active"), { what: "both are active again", withinMs: BACK_MS_MAX });
      t.diagnostic(`active again after ${seconds(passedAt)} s`);
      assert.deepEqual([away.ended, classic.ended], [undefined, undefined]);
      for (const watcher of watchers) {
        const leaves = watcher.received.filter(({ kind }) => kind === "user_left");
        assert.deepEqual(leaves, [], "nobody has left");
      }
      assert.equal(away.memberOf("89", "away")?.status, "active", "the client has noticed nothing");
      assert.deepEqual([...near.violations, ...far.violations, ...away.violations], []);
    },
  );

  const slow = t.test("readers that stop reading cost bounded memory, and nobody else notices", async (t) => {
    const busy = await Instance.start(t, { redisUrl: redis.url });
    const proxy = await FaultProxy.start(t, { target: busy.port });
    const talkers = await people(t, busy.wsUrl, "talker", TALKERS);
    const watchers = [...(await people(t, busy.wsUrl, "watcher", 1)), ...(await people(t, two.wsUrl, "far watcher", 1))];
    const slowReaders = await people(t, `ws://127.0.0.1:${proxy.port}`, "slow", SLOW_READERS);
    const restBytes = await busy.residentBytes();

    proxy.toClient.stall();
    const startedAt = performance.now();
    let peakBytes = 0;
    let round = 0;
    let worstLagMs = 0;
    for await (const _ of every(FLOOD_EVERY_MS)) {
      round++;
      for (const talker of talkers) {
        talker.move("busy", round, round);
        talker.update("busy", { state: { round, filler: FILLER + round } });
        talker.broadcast("busy", "talk", { round, filler: FILLER });
      }
      const saidAt = performance.now();
      const isCurrent = () => watchers.every((watcher) => talkers.every((_, nth) => roundOf(watcher, `talker ${nth}`) === round));
      await eventually(isCurrent, { what: `those who read see round ${round}` });
      worstLagMs = Math.max(worstLagMs, performance.now() - saidAt);
      peakBytes = Math.max(peakBytes, await busy.residentBytes());
      if (performance.now() - startedAt > FLOOD_MS) break;
    }
    t.diagnostic(
      `${SLOW_READERS} slow readers, ${round} rounds: ${Math.round((peakBytes - restBytes) / 1e6)} MB more, rounds seen within ${Math.round(worstLagMs)} ms`,
    );
    assert.ok(peakBytes - restBytes < GROWTH_BYTES_MAX, `it grew by ${peakBytes - restBytes} bytes`);
    for (const watcher of watchers) {
      const heard = watcher.received.filter(({ kind }) => kind === "event").length;
      assert.equal(heard, round * TALKERS, "other readers miss no event");
    }
    const metrics = await busy.metrics();
    const noticed = metrics("presence_clients_stale_total") + metrics("presence_clients_terminated_total");
    assert.ok(noticed > 0, "nobody was slow enough: the flood is too small");

    proxy.toClient.pass();
    for (const reader of slowReaders) {
      const isFresh = () =>
        talkers.every((_, nth) => roundOf(reader, `talker ${nth}`) === round && reader.cursorOf("busy", `talker ${nth}`)?.x === round);
      const sees = (watcher: string) => reader.names("busy").includes(watcher);
      await eventually(() => reader.ended !== undefined || (isFresh() && sees("watcher 0") && sees("far watcher 0")), {
        what: () => `a slow reader is up to date, or ended: ${talkers.map((_, nth) => roundOf(reader, `talker ${nth}`))} of ${round}`,
        withinMs: 10_000,
      });
      assert.deepEqual(reader.violations, []);
    }
    const ended = slowReaders.filter((reader) => reader.ended !== undefined).length;
    t.diagnostic(`${ended} slow readers were ended, ${SLOW_READERS - ended} caught up`);
    assert.ok(talkers.every((talker) => talker.errors.length === 0));
  });

  const stopped = t.test("a reader that is behind is not given up for the time for which the process was stopped", async (t) => {
    const alone = await Instance.start(t, { env: { REDIS_URL: "memory:" } });
    const proxy = await FaultProxy.start(t, { target: alone.port });
    const talkers = await people(t, alone.wsUrl, "talker", TALKERS);
    const [reader] = (await people(t, `ws://127.0.0.1:${proxy.port}`, "slow", 1)) as [SessionClient];
    proxy.toClient.stall();
    let round = 0;
    const isBehind = async () => (await alone.metric("presence_clients_stale_total")) > 0;
    for await (const _ of every(FLOOD_EVERY_MS)) {
      round++;
      for (const talker of talkers) {
        talker.update("busy", { state: { round, filler: FILLER + round } });
        talker.broadcast("busy", "talk", { round, filler: FILLER });
      }
      if (round % 5 === 0 && (await isBehind())) break;
    }
    await alone.kill("SIGSTOP");
    await wait(OUTBOX.stalledMsMax + 2000);
    await alone.kill("SIGCONT");
    // It reads slowly: this is more than one visit, and too little for the buffers of the system to take what waits here.
    const goesOnAt = performance.now();
    for await (const _ of every(1000)) {
      proxy.toClient.pass();
      proxy.toClient.stall();
      if (performance.now() - goesOnAt > 2 * VISIT_MS) break;
    }
    assert.equal(await alone.metric("presence_clients_terminated_total"), 0);
    proxy.toClient.pass();
    await eventually(() => reader.ended !== undefined || talkers.every((_, nth) => roundOf(reader, `talker ${nth}`) === round), {
      what: "the reader is up to date",
      withinMs: 10_000,
    });
    assert.equal(reader.ended, undefined);
    assert.deepEqual(reader.violations, []);
  });

  await Promise.all([lingering, halfOpen, blinking, slow, stopped]);
});

/** So many clients on the board "busy", named `prefix 0` and so on. */
async function people(t: TestContext, url: string, prefix: string, count: number): Promise<SessionClient[]> {
  const clients: SessionClient[] = [];
  for (let nth = 0; nth < count; nth++) {
    const client = await SessionClient.connect(t, url, { encoding: nth % 4 === 3 ? "json" : "binary" });
    await client.join("busy", `${prefix} ${nth}`);
    clients.push(client);
  }
  return clients;
}

function roundOf(viewer: SessionClient, name: string): unknown {
  return viewer.memberOf("busy", name)?.state["round"];
}

async function subscribers(redis: RedisProcess, board: number): Promise<number> {
  const reply = await redis.cli("PUBSUB", "NUMSUB", `presence:board:${board}`);
  return Number(Array.isArray(reply) ? reply[1] : Number.NaN);
}

function seconds(since: number): string {
  return ((performance.now() - since) / 1000).toFixed(1);
}
