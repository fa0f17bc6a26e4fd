/** A side of ours says the right thing at the right time: joins, updates, and its answer to each refusal. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { STATE_BYTES_MAX } from "@presence-service/protocol";
import { type Own, OwnSide } from "./own-side.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** A side whose first join was accepted. */
function joined(): OwnSide {
  const side = new OwnSide("ana", { tool: "pen" });
  side.ask();
  side.joined();
  return side;
}

function wants(side: OwnSide, own: Partial<Own>): void {
  side.want({ own: { ...side.own, ...own } });
}

test("a join says all, an update only what has changed since; updates are 50 ms apart", () => {
  const side = new OwnSide("ana", { tool: "pen" });
  wants(side, { state: { tool: "ink", size: 1 } });
  assert.deepEqual(side.ask(), { username: "ana", own: { status: "active", state: { tool: "ink", size: 1 } } });
  assert.equal(side.updateAt, NEVER);
  wants(side, { status: "idle" });
  assert.deepEqual([side.updateAt < 1_000, side.takeUpdate(1_000)], [true, { status: "idle" }]);
  wants(side, { state: { size: 2 } });
  assert.deepEqual([side.updateAt, side.takeUpdate(1_050)], [1_050, { state: { tool: null, size: 2 } }]);
  assert.equal(side.want({ username: "ana", own: side.own }), false);
  wants(side, { state: { size: 2 } });
  assert.deepEqual([side.takeUpdate(1_100), side.updateAt], [undefined, NEVER], "a state that is equal is not said again");
  wants(side, { area: "slide-3" });
  assert.deepEqual(side.takeUpdate(1_150), { area: "slide-3" });
  side.want({ own: { status: "idle", state: { size: 2 } } });
  assert.deepEqual(side.takeUpdate(1_200), { area: "" }, "nowhere in particular is said by an empty area");
});

test("a patch over the limit becomes a join, as soon as none waits for its answer", () => {
  const side = joined();
  const keys = (letter: string) => Object.fromEntries(Array.from({ length: 300 }, (_, at) => [`${letter}${at}`, 1]));
  assert.ok(JSON.stringify(keys("a")).length < STATE_BYTES_MAX);
  wants(side, { state: keys("a") });
  side.takeUpdate(1_000);
  wants(side, { state: keys("b") });
  assert.equal(side.takeUpdate(1_050), "join");
  side.ask();
  wants(side, { state: keys("c") });
  assert.deepEqual([side.takeUpdate(1_100), side.updateAt], [undefined, 1_150]);
  side.joined();
  assert.equal(side.takeUpdate(1_150), "join");
});

test("a name given while a join waits for its answer goes with the next", () => {
  const side = joined();
  side.want({ username: "anna" });
  assert.deepEqual([side.newName, side.isSettled, side.ask().username], ["anna", true, "anna"]);
  side.want({ username: "hannah" });
  assert.deepEqual([side.isSettled, side.joined(), side.newName], [false, true, "hannah"]);
  side.ask();
  assert.deepEqual([side.joined(), side.newName], [false, undefined]);
});

test("after a pause all is said again, in longer and longer pauses until it was calm for a while; no update goes before", () => {
  const side = joined();
  let now = 100_000;
  const pause = () => {
    assert.equal(side.refused("too_fast", now), "as before");
    const ms = side.rejoinAt - now;
    assert.equal(side.takeRejoin(side.rejoinAt - 1), false);
    now = side.rejoinAt;
    assert.equal(side.takeRejoin(now), true);
    side.ask();
    return ms;
  };
  assert.deepEqual(Array.from({ length: 7 }, pause), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  side.joined();
  now += 10_000;
  assert.equal(pause(), 1_000);
  side.refused("unavailable", now);
  wants(side, { status: "idle" });
  const at = side.rejoinAt;
  assert.deepEqual([side.updateAt, side.takeUpdate(now)], [NEVER, undefined]);
  side.refused("too_fast", now + 500);
  assert.equal(side.rejoinAt, at, "a second refusal does not put it off");
});

test("a refused name or state gives way to the accepted one; without one we are unwanted", () => {
  for (const [code, name, tool] of [
    ["bad_username", "ana", "ink"],
    ["bad_state", "anna", "pen"],
    ["bad_message", "ana", "pen"],
  ] as const) {
    const side = joined();
    side.want({ username: "anna" });
    wants(side, { state: { tool: "ink" } });
    side.ask();
    assert.equal(side.refused(code, 0), "as before");
    assert.deepEqual([side.username, side.own.state, side.rejoinAt], [name, { tool }, 1_000], code);
    side.ask();
    if (code === "bad_message") assert.equal(side.refused(code, 1_000), "unwanted", "what was accepted is refused now");
  }
  const fresh = new OwnSide("ana", {});
  fresh.ask();
  assert.equal(fresh.refused("bad_username", 0), "unwanted");
});

test("refusals of a join end it; without a join that waits they concern something else", () => {
  for (const [code, asked, settled] of [
    ["unauthorized", "unwanted", "as before"],
    ["too_many_boards", "crowded out", "as before"],
    ["bad_board", "removed", "removed"],
    ["not_joined", "as before", "as before"],
  ] as const) {
    const side = new OwnSide("ana", {});
    side.ask();
    assert.equal(side.refused(code, 0), asked, code);
    assert.equal(side.isCrowdedOut, code === "too_many_boards");
    assert.equal(joined().refused(code, 0), settled, code);
  }
});
