/**
 * Trouble of one client or instance must not disturb others: restarts, connections that die unnoticed, pages that mount anew.
 * Runs alone: it measures pauses.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { createDriver, createPresence, type Driver, type PageEvents } from "@presence-service/client";
import { createPresenceServer } from "../src/server.ts";
import { startBalancer } from "./harness/balancer.ts";
import { eventually, FaultProxy, RedisProcess, SessionClient, Stopwatch, startCluster, throughout } from "./harness/index.ts";

const PEOPLE = 45;
const MOVERS = 9;
const MOVE_EVERY_MS = 100;
/** The time between the end of a process and the moment its successor is ready, as measured with real processes. Here all share one. */
const RESTART_MS = 700;
/** The longest pauses of the others' cursors on a quiet machine (docs/BENCHMARKS.md). Other tests share this one: twice that is a fault. */
const PAUSE_MS = { p50: 1000, most: 2000 };
/** Members of an instance that said goodbye are given up after this (R12). */
const KEPT_MS = 5000;
/** Some come and go meanwhile, on purpose. */
const PASSER = "passer-by";
const STAY_MS = 400;
/** Longer than the grace of members that a settled instance has not found again. */
const SETTLED_MS = 17_000;

/** The order in which instances are restarted, `apartMs` after the one before; one that is not ready again is waited for. */
/** `isWatched`: until the grace of everybody would have run out. */
const DEPLOYS: readonly {
  readonly what: string;
  readonly order: readonly number[];
  readonly apartMs: number;
  readonly isWatched?: boolean;
}[] = [
  { what: "three instances 1.5 s apart", order: [0, 1, 2], apartMs: 1500 },
  { what: "three instances 0.5 s apart", order: [0, 1, 2], apartMs: 500 },
  { what: "two instances 0.5 s apart", order: [0, 1], apartMs: 500 },
  { what: "three instances 0.5 s apart, and all of them once more", order: [0, 1, 2, 0, 1, 2], apartMs: 500, isWatched: true },
  { what: "three instances 0.5 s apart, each twice in a row", order: [0, 0, 1, 1, 2, 2], apartMs: 500 },
];

for (const { what, order, apartMs, isWatched } of DEPLOYS) {
  test(`[R12.5] a restart of ${what}: nobody is shown leaving, and cursors rest for a moment only`, { timeout: 120_000 }, async (t) => {
    const redis = await RedisProcess.start(t);
    const start = (port: number) => createPresenceServer({ port, host: "127.0.0.1", redisUrl: redis.url });
    const running = await Promise.all(Array.from(new Set(order), () => start(0)));
    t.after(() => Promise.all(running.map((instance) => instance.close())).then(() => {}));
    const port = await startBalancer(
      t,
      running.map((instance) => instance.port),
    );
    const url = `ws://127.0.0.1:${port}`;
    const people = Array.from({ length: PEOPLE }, (_, nth) => enter(t, url, `person ${nth}`));
    await eventually(() => people.every(({ board }) => board.others.length === PEOPLE - 1), { what: "all see all", withinMs: 15_000 });
    const moving = setInterval(() => {
      for (const { board } of people.slice(0, MOVERS)) board.moveCursor(Math.random(), Math.random());
    }, MOVE_EVERY_MS);
    t.after(() => clearInterval(moving));
    const passers = passBy(t, url);
    await eventually(() => people.every(({ pauses }) => pauses.size >= MOVERS - 1), { what: "all cursors move" });

    for (const { events, pauses } of people) {
      events.length = 0;
      for (const pause of pauses.values()) pause.longestMs = 0;
    }
    /** The last restart of each instance: it has to be ready before it is restarted again. */
    const ready = running.map(() => Promise.resolve());
    const restarts: Promise<void>[] = [];
    let slowestMs = RESTART_MS;
    for (const nth of order) {
      await ready[nth];
      const restart = async () => {
        const instance = running[nth];
        if (instance === undefined) return;
        const began = performance.now();
        await instance.close();
        await wait(RESTART_MS);
        running[nth] = await start(instance.port);
        slowestMs = Math.max(slowestMs, performance.now() - began);
      };
      const restarted = restart();
      ready[nth] = restarted;
      restarts.push(restarted);
      await wait(apartMs);
    }
    await Promise.all(restarts);
    await eventually(() => people.every(({ board }) => board.status === "connected"), { what: "all are back", withinMs: 10_000 });
    await wait(2000);
    const aways = people.flatMap((person) => person.aways);
    const pauses = people.flatMap((person) => [...person.pauses.values()].map(({ longestMs }) => longestMs));
    const [away, pause] = [spread(aways), spread(pauses)];
    t.diagnostic(`away ${aways.length} times, p50 ${away.p50} ms, at most ${away.most} ms; ${passers.passed} came and went meanwhile`);
    t.diagnostic(`longest pause of a cursor: p50 ${pause.p50} ms, at most ${pause.most} ms, of ${pauses.length}`);
    const seen = () => people.flatMap(({ events }) => events);
    assert.deepEqual(seen(), []);
    assert.ok(away.most < KEPT_MS, `away for ${away.most} ms`);
    // Where a process takes longer to stop and start, people wait for it: that is no pause of ours.
    const lateMs = slowestMs - RESTART_MS;
    assert.ok(
      pause.p50 <= 2 * PAUSE_MS.p50 + lateMs && pause.most <= 2 * PAUSE_MS.most + lateMs,
      `cursors rested for ${pause.p50} ms, at most ${pause.most}; the slowest restart took ${Math.round(lateMs)} ms longer than it should`,
    );
    await passers.stop();
    await throughout(() => seen().length === 0, {
      what: "nobody is shown leaving or joining",
      forMs: isWatched ? SETTLED_MS : 0,
    });
    await eventually(
      () =>
        people.every(({ board }) => {
          // A passer-by who was away while its instance stopped is shown until its grace is over.
          const others = board.others.filter(({ username }) => isWatched || username !== PASSER);
          return others.length === PEOPLE - 1 && others.every(({ status }) => status === "active");
        }),
      { what: "all see all, and nobody else" },
    );
  });
}

function spread(values: number[]): { readonly p50: number; readonly most: number } {
  const sorted = values.toSorted((a, b) => a - b).map(Math.round);
  return { p50: sorted[sorted.length >> 1] ?? 0, most: sorted.at(-1) ?? 0 };
}

/** Somebody joins and leaves the board, again and again. */
function passBy(t: TestContext, url: string) {
  const passing = new AbortController();
  const passers = { passed: 0, stop: async () => {} };
  const pass = async () => {
    while (!passing.signal.aborted) {
      const presence = createPresence({ url });
      const board = presence.board("all", { username: PASSER });
      await wait(STAY_MS);
      board.leave();
      presence.close();
      passers.passed++;
    }
  };
  const passed = Promise.all([pass(), pass()]);
  passers.stop = async () => {
    passing.abort();
    await passed;
  };
  t.after(passers.stop);
  return passers;
}

/** One person on a board, with the length of each of their absences, and the members they saw come and go. */
function enter(t: TestContext, url: string, username: string) {
  const presence = createPresence({ url });
  t.after(() => presence.close());
  const board = presence.board("all", { username });
  const aways: number[] = [];
  const events: string[] = [];
  /** Of the others' cursors. */
  const pauses = new Map<string, { movedAt: number; longestMs: number }>();
  let since: number | undefined;
  board.subscribe(() => {
    if (board.status === "connected") {
      if (since !== undefined) aways.push(performance.now() - since);
      since = undefined;
    } else if (board.status === "reconnecting") since ??= performance.now();
  });
  board.cursors.subscribe(
    (moved) => {
      const now = performance.now();
      for (const { member, hidden } of moved) {
        if (hidden || member.username === PASSER) continue;
        const pause = pauses.get(member.username) ?? { movedAt: now, longestMs: 0 };
        pauses.set(member.username, pause);
        pause.longestMs = Math.max(pause.longestMs, now - pause.movedAt);
        pause.movedAt = now;
      }
    },
    { smooth: false },
  );
  const isPasser = (member: { username: string }) => member.username === PASSER;
  board.on("user_left", ({ member, reason }) => isPasser(member) || events.push(`${username}: -${member.username} ${reason}`));
  board.on("user_joined", ({ member }) => isPasser(member) || events.push(`${username}: +${member.username}`));
  return { board, aways, events, pauses };
}

test("two instances, one Redis", { concurrency: true, timeout: 120_000 }, async (t) => {
  const { one, two } = await startCluster(t);

  const dead = t.test("[C3] a connection that dies without a word is replaced within 3 s of a hint, and nobody sees a leave", async (t) => {
    const watcher = await SessionClient.connect(t, two.wsUrl);
    await watcher.join("dead", "watcher");
    const proxy = await FaultProxy.start(t, { target: one.port });
    let url = `ws://127.0.0.1:${proxy.port}`;
    let page: PageEvents | undefined;
    const real = createDriver();
    const driver: Driver = {
      ...real,
      connect: (_url, protocol, events) => real.connect(url, protocol, events),
      watchPage(events) {
        page = events;
        return () => {};
      },
    };
    const presence = createPresence({ url, driver });
    t.after(() => presence.close());
    const board = presence.board("dead", { username: "ana" });
    await eventually(() => board.others.length === 1 && watcher.names("dead").includes("ana"), { what: "they see each other" });
    const statuses: string[] = [];
    board.subscribe(() => statuses.push(board.status));
    // A connection that answers stays, whatever hints the page gives.
    for (let hint = 0; hint < 5; hint++) {
      page?.awake(hint % 2 === 0);
      await wait(300);
    }
    await throughout(() => board.status === "connected" && !statuses.includes("reconnecting"), { what: "it stays", forMs: 3000 });

    proxy.toClient.stall();
    proxy.toTarget.stall();
    url = two.wsUrl;
    const stalled = new Stopwatch();
    page?.awake(true);
    await eventually(() => !board.broadcast("stroke", 1), { what: "broadcast returns false", withinMs: 1500 });
    await eventually(() => statuses.includes("reconnecting") && board.status === "connected", { what: "it is back", withinMs: 5000 });
    const backMs = stalled.ranMs;
    t.diagnostic(`back after ${Math.round(backMs)} ms`);
    assert.ok(backMs < 3500, `back after ${backMs} ms`);
    assert.equal(board.broadcast("stroke", 2), true);
    await throughout(() => watcher.names("dead").includes("ana") && !watcher.has("user_left"), { what: "no leave", forMs: 4000 });
  });

  const mounted = t.test("when a board is given back and taken again in one task, nobody sees a leave", async (t) => {
    const watcher = await SessionClient.connect(t, two.wsUrl);
    await watcher.join("mount", "watcher");
    const presence = createPresence({ url: one.wsUrl });
    t.after(() => presence.close());
    let board = presence.board("mount", { username: "ana", state: { tool: "pen" } });
    await eventually(() => board.others.length === 1 && watcher.names("mount").includes("ana"), { what: "they see each other" });
    board.moveCursor(100, 200, { units: "integer" });
    await eventually(() => watcher.cursorOf("mount", "ana")?.y === 200, { what: "the cursor is seen" });
    const before = watcher.received.length;
    for (let mount = 0; mount < 5; mount++) {
      board.leave();
      board = presence.board("mount", { username: "ana", state: { tool: "pen" } });
    }
    await throughout(() => watcher.names("mount").includes("ana") && watcher.cursorOf("mount", "ana")?.y === 200, {
      what: "ana and her cursor stay",
      forMs: 2500,
    });
    assert.deepEqual(
      watcher.received.slice(before).filter(({ kind }) => kind !== "cursors" && kind !== "presence_update"),
      [],
    );
    board.leave();
    await eventually(() => watcher.has("user_left", { reason: "left" }), { what: "a real leave is shown", withinMs: 2500 });
    assert.deepEqual(watcher.violations, []);
  });

  await Promise.all([dead, mounted]);
});
