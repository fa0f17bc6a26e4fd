/** Trouble of one client or instance must not disturb others: restarts, connections that die unnoticed, pages that mount anew. */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { createDriver, createPresence, type Driver, type PageEvents } from "@presence-service/client";
import { createPresenceServer } from "../src/server.ts";
import { startBalancer } from "./harness/balancer.ts";
import { eventually, FaultProxy, RedisProcess, SessionClient, startCluster, throughout } from "./harness/index.ts";

const PEOPLE = 60;
const MOVE_EVERY_MS = 100;
/** The time between the end of a process and the moment its successor is ready, as measured with real processes. Here all share one. */
const RESTART_MS = 700;
/** Members of an instance that said goodbye are given up after this (R12). */
const KEPT_MS = 5000;
/** Longer than the grace of members that a settled instance has not found again. */
const SETTLED_MS = 17_000;

for (const [instances, apartMs] of [
  [3, 1500],
  [3, 500],
  [2, 500],
] as const) {
  test(`[R12.5] ${instances} instances restarted ${apartMs} ms apart: nobody is shown leaving`, { timeout: 120_000 }, async (t) => {
    const redis = await RedisProcess.start(t);
    const start = (port: number) => createPresenceServer({ port, host: "127.0.0.1", redisUrl: redis.url });
    const running = await Promise.all(Array.from({ length: instances }, () => start(0)));
    t.after(() => Promise.all(running.map((instance) => instance.close())).then(() => {}));
    const port = await startBalancer(
      t,
      running.map((instance) => instance.port),
    );
    const people = Array.from({ length: PEOPLE }, (_, nth) => enter(t, `ws://127.0.0.1:${port}`, `person ${nth}`));
    await eventually(() => people.every(({ board }) => board.others.length === PEOPLE - 1), { what: "all see all", withinMs: 15_000 });
    const moving = setInterval(() => {
      for (const { board } of people) board.moveCursor(Math.random(), Math.random());
    }, MOVE_EVERY_MS);
    t.after(() => clearInterval(moving));

    for (const { events } of people) events.length = 0;
    const restarts = running.map(async (instance, nth) => {
      await wait(nth * apartMs);
      await instance.close();
      await wait(RESTART_MS);
      running[nth] = await start(instance.port);
    });
    await Promise.all(restarts);
    await eventually(() => people.every(({ board }) => board.status === "connected"), { what: "all are back", withinMs: 10_000 });
    const aways = people.flatMap((person) => person.aways).sort((a, b) => a - b);
    const [p50, most] = [aways[Math.floor(aways.length / 2)] ?? 0, aways.at(-1) ?? 0];
    t.diagnostic(`away ${aways.length} times, p50 ${Math.round(p50)} ms, at most ${Math.round(most)} ms`);
    assert.ok(most < KEPT_MS, `away for ${most} ms`);
    const seen = () => people.flatMap(({ events }) => events);
    assert.deepEqual(seen(), []);
    await throughout(() => seen().length === 0, {
      what: "nobody is shown leaving or joining",
      forMs: SETTLED_MS,
    });
    assert.ok(people.every(({ board }) => board.others.length === PEOPLE - 1 && board.others.every(({ status }) => status === "active")));
  });
}

/** One person on a board, with the length of each of their absences, and the members they saw come and go. */
function enter(t: TestContext, url: string, username: string) {
  const presence = createPresence({ url });
  t.after(() => presence.close());
  const board = presence.board("all", { username });
  const aways: number[] = [];
  const events: string[] = [];
  let since: number | undefined;
  board.subscribe(() => {
    if (board.status === "connected") {
      if (since !== undefined) aways.push(performance.now() - since);
      since = undefined;
    } else if (board.status === "reconnecting") since ??= performance.now();
  });
  board.on("user_left", ({ member, reason }) => events.push(`${username}: -${member.username} ${reason}`));
  board.on("user_joined", ({ member }) => events.push(`${username}: +${member.username}`));
  return { board, aways, events };
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
    const stalledAt = performance.now();
    page?.awake(true);
    await eventually(() => !board.broadcast("stroke", 1), { what: "broadcast returns false", withinMs: 1500 });
    await eventually(() => statuses.includes("reconnecting") && board.status === "connected", { what: "it is back", withinMs: 5000 });
    const backMs = performance.now() - stalledAt;
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
