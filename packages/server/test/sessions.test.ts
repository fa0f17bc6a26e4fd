/**
 * Sessions that move: reloads, lost connections and other instances, as other members see them. [C1] [C2] [R11]
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { createPresence } from "@presence-service/client";
import { GRACE_MS } from "../src/connection/timing.ts";
import { ClassicClient, type Cluster, eventually, FaultProxy, SessionClient, startCluster, throughout } from "./harness/index.ts";

/** Longer than the short grace: a leave would be shown within this time. */
const WATCHED_MS = GRACE_MS.short + 1500;

// All tests run at once, each on a board of its own, since they wait most of the time.
test("two instances, one Redis", { concurrency: true, timeout: 120_000 }, async (t) => {
  const cluster = await startCluster(t);
  const { one, two } = cluster;

  const reload = t.test("a reload that comes back on another instance shows no leave and no join", async (t) => {
    const watchers = await watch(t, cluster, "reload");
    const ana = await SessionClient.connect(t, one.wsUrl);
    await ana.join("reload", "ana", { tool: "pen" });
    await seenBy(watchers, "reload", "ana");
    await ana.close();
    const back = await SessionClient.connect(t, two.wsUrl, { resume: ana, encoding: "binary" });
    assert.equal(back.memberId, ana.memberId);
    await back.join("reload", "ana", { tool: "brush" });
    for (const watcher of watchers) {
      await eventually(() => watcher.memberOf("reload", "ana")?.state["tool"] === "brush", { what: "the new state is seen" });
    }
    await calm(watchers, "reload", "ana");
    back.move("reload", 1, 2);
    for (const watcher of watchers) await eventually(() => watcher.cursorOf("reload", "ana")?.y === 2, { what: "the cursor is ana's" });
  });

  const sameInstance = t.test("a reload on the same instance keeps even the actor", async (t) => {
    const watchers = await watch(t, cluster, "same");
    const ana = await SessionClient.connect(t, one.wsUrl);
    await ana.join("same", "ana");
    await seenBy(watchers, "same", "ana");
    const actors = () => watchers.map((watcher) => watcher.board("same").byName("ana")?.actor);
    const before = actors();
    await ana.close();
    const back = await SessionClient.connect(t, one.wsUrl, { resume: ana });
    await back.join("same", "ana");
    await calm(watchers, "same", "ana");
    assert.deepEqual(actors(), before);
  });

  const cut = t.test("the SDK, cut off and led to another instance, is reconnecting and then back", async (t) => {
    const watchers = await watch(t, cluster, "sdk");
    const balancer = await FaultProxy.start(t, { target: one.port });
    const presence = createPresence({ url: `ws://127.0.0.1:${balancer.port}` });
    t.after(() => presence.close());
    const board = presence.board("sdk", { username: "ana" });
    await eventually(() => board.status === "connected" && board.others.length === 2, { what: "the SDK is there" });
    await seenBy(watchers, "sdk", "ana");
    const first = presence.instanceId;
    const memberId = board.self?.memberId;
    const left: string[] = [];
    board.on("user_left", ({ member }) => left.push(member.username));
    // Record each status: the SDK may be back before a check sees it.
    const statuses: string[] = [];
    board.subscribe(() => statuses.push(board.status));
    balancer.lead(two.port);
    balancer.cut();
    await eventually(() => statuses.includes("reconnecting"), { what: "the SDK notices" });
    await eventually(() => board.status === "connected", { what: "the SDK is back" });
    assert.notEqual(presence.instanceId, first);
    assert.equal(board.self?.memberId, memberId);
    await calm(watchers, "sdk", "ana");
    assert.deepEqual(board.others.map(({ username }) => username).sort(), ["watcher 0", "watcher 1"]);
    assert.deepEqual(left, [], "nor does the SDK see others leave");
  });

  const lost = t.test("a lost connection is shown reconnecting, and is gone after the full grace", async (t) => {
    const watchers = await watch(t, cluster, "lost");
    const proxy = await FaultProxy.start(t, { target: one.port });
    const ana = await SessionClient.connect(t, `ws://127.0.0.1:${proxy.port}`);
    await ana.join("lost", "ana");
    await seenBy(watchers, "lost", "ana");
    proxy.cut();
    const lostAt = performance.now();
    for (const watcher of watchers) {
      await eventually(() => watcher.memberOf("lost", "ana")?.status === "reconnecting", { what: "ana is reconnecting", withinMs: 2000 });
    }
    for (const watcher of watchers) {
      await eventually(() => watcher.names("lost").length === 1, { what: "ana is gone", withinMs: 20_000 });
      assert.ok(watcher.has("user_left", { reason: "timeout" }));
    }
    const goneMs = performance.now() - lostAt;
    assert.ok(goneMs > 12_000, `after ${goneMs} ms`);
  });

  const away = t.test("a member whose tab was closed is gone after the short grace; a member who leaves is gone at once", async (t) => {
    const watchers = await watch(t, cluster, "away");
    const ana = await SessionClient.connect(t, one.wsUrl);
    const ben = await SessionClient.connect(t, two.wsUrl);
    await ana.join("away", "ana");
    await ben.join("away", "ben");
    await seenBy(watchers, "away", "ana");
    await seenBy(watchers, "away", "ben");
    const isGone = (name: string) => watchers.every((watcher) => !watcher.names("away").includes(name));
    await ana.close();
    await ben.close(1000);
    await eventually(() => isGone("ben"), { what: "ben, who left, is gone", withinMs: 1000 });
    assert.equal(isGone("ana"), false);
    await eventually(() => isGone("ana"), { what: "ana, whose tab closed, is gone", withinMs: GRACE_MS.short + 2000 });
  });

  const superseded = t.test("the older of two connections of one session is closed as superseded, without effect on others", async (t) => {
    const watchers = await watch(t, cluster, "twice");
    const ana = await SessionClient.connect(t, one.wsUrl);
    await ana.join("twice", "ana");
    await seenBy(watchers, "twice", "ana");
    const other = await SessionClient.connect(t, two.wsUrl, { resume: ana });
    await other.join("twice", "ana");
    await eventually(() => ana.ended?.code === 4409, { what: () => `the older one is closed with 4409, not ${ana.ended?.code}` });
    await calm(watchers, "twice", "ana");
    const stale = await SessionClient.connect(t, one.wsUrl, { resume: ana });
    stale.joinAs("twice", 1, "ana of yesterday");
    await eventually(() => stale.errors.includes("superseded"), { what: "an attempt that is not the highest is refused" });
    await calm(watchers, "twice", "ana");
    // After its leave the session has ended, whatever an older connection of it sends.
    other.leave("twice");
    for (const watcher of watchers) await eventually(() => watcher.names("twice").length === 1, { what: "ana has left" });
    stale.joinAs("twice", 1, "ana of yesterday");
    await eventually(() => stale.errors.length === 2, { what: "nor does it come back after the leave" });
  });

  const classic = t.test("classic clients see sessions come and go only when they do", async (t) => {
    const watcher = await ClassicClient.connect(t, two.wsUrl);
    watcher.join(9, "watcher");
    await eventually(() => watcher.board(9).count === 1, { what: "the watcher is there" });
    const ana = await SessionClient.connect(t, one.wsUrl);
    await ana.join("9", "ana");
    await eventually(() => watcher.names(9).includes("ana"), { what: "ana is seen" });
    await ana.close();
    const back = await SessionClient.connect(t, two.wsUrl, { resume: ana });
    await back.join("9", "ana");
    await throughout(() => !watcher.has("user_left") && watcher.received.filter(({ kind }) => kind === "user_joined").length === 1, {
      what: "no leave, no second join",
      forMs: WATCHED_MS,
    });
    back.leave("9");
    await eventually(() => watcher.has("user_left"), { what: "a real leave is shown" });
    assert.deepEqual(watcher.violations, []);
  });

  await Promise.all([reload, sameInstance, cut, lost, away, superseded, classic]);
});

/** A watching client at each instance. */
async function watch(t: TestContext, { one, two }: Cluster, board: string): Promise<SessionClient[]> {
  const watchers = [await SessionClient.connect(t, one.wsUrl), await SessionClient.connect(t, two.wsUrl, { encoding: "binary" })];
  for (const [index, watcher] of watchers.entries()) await watcher.join(board, `watcher ${index}`);
  for (const watcher of watchers) await eventually(() => watcher.names(board).length === 1, { what: "the watchers see each other" });
  return watchers;
}

async function seenBy(watchers: readonly SessionClient[], board: string, name: string): Promise<void> {
  for (const watcher of watchers) await eventually(() => watcher.names(board).includes(name), { what: `${name} is seen` });
}

/** Checks, for longer than any grace: the member is shown all the time, joined only once, and is active in the end. */
async function calm(watchers: readonly SessionClient[], board: string, name: string): Promise<void> {
  const joins = (watcher: SessionClient) =>
    watcher.received.filter((message) => message.kind === "user_joined" && message.member.username === name).length;
  await throughout(
    () => watchers.every((watcher) => watcher.names(board).includes(name) && joins(watcher) <= 1 && !watcher.has("user_left")),
    { what: `${name} is shown without a break`, forMs: WATCHED_MS },
  );
  for (const watcher of watchers) {
    assert.equal(watcher.memberOf(board, name)?.status, "active");
    assert.deepEqual(watcher.violations, []);
  }
}
