/** Real instances measure their own truth (R23), and it is what a client of theirs has seen. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { eventually, type Instance, SessionClient, startCluster } from "./harness/index.ts";

const BOARD = "truth";

/** Observations of a histogram: how many, and up to which bound each bucket counts them. */
async function observed(instance: Instance, name: string, label: string) {
  const read = await instance.metrics();
  const series = (suffix: string, le?: number) => {
    const labels = [label, ...(le === undefined ? [] : [`le="${le}"`])].filter((text) => text !== "");
    return read(`${name}_${suffix}${labels.length === 0 ? "" : `{${(le === undefined ? labels : labels.toReversed()).join(",")}}`}`);
  };
  return { count: series("count"), sum: series("sum"), upTo: (le: number) => series("bucket", le) };
}

test("two instances: kill -9, a lost subscriber and joins are measured as they were seen", { timeout: 60_000 }, async (t) => {
  const { redis, one, two } = await startCluster(t);
  const ana = await SessionClient.connect(t, one.wsUrl);
  const ben = await SessionClient.connect(t, two.wsUrl);
  await ana.join(BOARD, "ana");
  await ben.join(BOARD, "ben");
  await eventually(() => ana.names(BOARD).includes("ben"), { what: "ana sees ben" });

  // Nobody is measured before a beat has told the time of the other instance here. One does every 4 s; the first may come before they meet.
  const passBy = async () => {
    const cleo = await SessionClient.connect(t, two.wsUrl);
    await cleo.join(BOARD, "cleo");
    await eventually(() => ana.names(BOARD).includes("cleo"), { what: "ana sees cleo" });
    cleo.leave(BOARD);
    await eventually(() => !ana.names(BOARD).includes("cleo"), { what: "cleo is gone" });
    return (await observed(one, "presence_join_visible_seconds", "")).count > 0;
  };
  await eventually(passBy, { what: "a join is measured", withinMs: 10_000 });
  const joins = await observed(one, "presence_join_visible_seconds", "");
  assert.ok(joins.sum / joins.count < 1, `${joins.sum} s for ${joins.count}`);
  const left = await observed(one, "presence_ghost_seconds", 'cause="left"');
  assert.ok(left.count > 0 && left.sum / left.count < 1, `${left.sum} s for ${left.count}`);

  await redis.cli("CLIENT", "KILL", "TYPE", "pubsub");
  await eventually(async () => (await observed(one, "presence_blind_seconds", 'scope="all"')).count === 1, {
    what: "blind time is measured",
  });
  const blind = await observed(one, "presence_blind_seconds", 'scope="all"');
  t.diagnostic(`subscriber killed: blind for ${Math.round(blind.sum * 1000)} ms`);
  assert.equal(blind.upTo(2), 1);

  await eventually(async () => (await one.health()).status === "ok", { what: "all is well again" });
  const killedAt = performance.now();
  await two.kill("SIGKILL");
  await eventually(() => !ana.names(BOARD).includes("ben"), { what: "ben is gone", withinMs: 8_000 });
  const goneS = (performance.now() - killedAt) / 1000;
  const lost = await observed(one, "presence_ghost_seconds", 'cause="lost"');
  t.diagnostic(`kill -9: seen for ${goneS.toFixed(2)} s, measured ${lost.sum.toFixed(2)} s`);
  assert.deepEqual([lost.count, lost.upTo(5)], [1, 1]);
  // From the last sign of life, up to a beat before the end; and a client is told a moment after the roster has changed.
  assert.ok(lost.sum > goneS - 0.3 && lost.sum < goneS + 0.6, `${lost.sum} s, seen for ${goneS} s`);
  assert.equal((await observed(one, "presence_false_leave_seconds", 'how="kept"')).count, 0);
});
