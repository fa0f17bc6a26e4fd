/** Members without a socket: they come, change, move, speak and leave as others do, at two instances. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId } from "@presence-service/protocol";
import { told, words } from "../testing/answers.ts";
import { Desk } from "../testing/desk.ts";
import { type AgentWish, agentId } from "./agents.ts";

const B = "b" as BoardId;
const WISH: AgentWish = { username: "Summarizer", status: "active", state: { step: 1, note: "x" }, ttlMs: 60_000 };

/** Two instances, and somebody who looks on at the first one. */
async function two() {
  const here = await Desk.open();
  const there = await Desk.open({ beside: here });
  here.clock.advance(2000);
  const zoe = here.enter("json", "b", "zoe");
  told(here, zoe, 300);
  const shown = (desk: Desk) => desk.manager.inspection.why(B, agentId("sum"), desk.clock.now())?.shown ?? null;
  /** Answers the messages to her meanwhile. */
  const wait = (seconds: number) => Array.from({ length: seconds }, () => told(here, zoe)).flat();
  return { here, there, zoe, shown, wait };
}

test("an agent that is put on a board is shown as an agent at every instance, and leaves when its time is over", async () => {
  const { here, there, zoe, shown, wait } = await two();
  assert.equal(there.manager.agents.put(B, "sum", WISH), "created");
  here.clock.advance(500);
  const [joined] = told(here, zoe).filter(({ kind }) => kind === "user_joined");
  assert.ok(joined?.kind === "user_joined");
  const { kind, username, userId, memberId, state } = joined.member;
  assert.deepEqual([kind, username, userId, memberId, state], ["agent", "Summarizer", "agent:sum", agentId("sum"), { step: 1, note: "x" }]);
  wait(50);
  assert.equal(there.manager.agents.put(B, "sum", { ...WISH, state: { step: 2 } }), "renewed");
  const later = wait(50);
  assert.deepEqual([shown(here)?.member.state, shown(here)?.attempt], [{ step: 2 }, shown(there)?.attempt]);
  assert.equal(words(later).includes("user_left"), false);
  const left = wait(11).find(({ kind }) => kind === "user_left");
  assert.deepEqual([shown(here), shown(there), left?.kind === "user_left" && left.reason], [null, null, "left"]);
});

test("an agent moves and speaks, also where nobody else is connected to its instance", async () => {
  const { here, there, zoe } = await two();
  there.manager.agents.put(B, "sum", WISH);
  assert.equal(there.manager.agents.move(B, "sum", 7, 8), undefined, "before the board is open");
  here.clock.advance(1000);
  const cursors = () => told(here, zoe, 300).flatMap((message) => (message.kind === "cursors" ? message.moves.map(({ at }) => at) : []));
  assert.deepEqual(cursors().at(-1), { x: 7, y: 8 });
  there.manager.agents.move(B, "sum", 100, 200);
  assert.deepEqual(cursors().at(-1), { x: 100, y: 200 });
  assert.equal(there.manager.agents.say(B, "sum", { name: "note", data: { text: "hi" } }), undefined);
  const events = told(here, zoe, 300).filter(({ kind }) => kind === "event");
  assert.equal(events.length, 1);
  assert.equal(there.manager.agents.change(B, "sum", { state: { step: null }, status: "idle" }), undefined);
  const [updated] = told(here, zoe, 300).filter(({ kind }) => kind === "user_updated");
  assert.deepEqual(updated?.kind === "user_updated" && updated.patch["state"], { step: null });
  assert.equal(there.manager.agents.change(B, "sum", { state: { long: "x".repeat(5000) } }), "bad_state");
});

test("put at another instance it moves there, and nobody sees it leave; the former one does not have it any more", async () => {
  const { here, there, zoe, shown, wait } = await two();
  there.manager.agents.put(B, "sum", WISH);
  here.clock.advance(5000);
  told(here, zoe);
  assert.equal(here.manager.agents.put(B, "sum", WISH), "created");
  here.clock.advance(5000);
  assert.deepEqual([shown(here)?.owner, shown(there)?.owner], [here.manager.instanceId, here.manager.instanceId]);
  assert.deepEqual(
    words(told(here, zoe)).filter((word) => word === "user_left" || word === "user_joined"),
    [],
  );
  assert.deepEqual([there.manager.agents.has(B, "sum"), there.manager.agents.move(B, "sum", 1, 1)], [false, "absent"]);
  wait(60);
  assert.deepEqual([shown(here), shown(there)], [null, null]);
});

test("kicked, as a member or as a user, it is gone; put again it comes back; a new name is another entry of it", async () => {
  const { here, there, shown } = await two();
  there.manager.agents.put(B, "sum", WISH);
  here.clock.advance(1000);
  await here.manager.tellAll({ kind: "kick", whom: { memberId: agentId("sum") }, boardId: B, reason: "" });
  here.clock.advance(1000);
  assert.deepEqual([shown(here), there.manager.agents.has(B, "sum")], [null, false]);
  assert.equal(there.manager.agents.put(B, "sum", WISH), "created");
  assert.equal(there.manager.agents.put(B, "sum", { ...WISH, username: "Other" }), "renewed");
  here.clock.advance(1000);
  assert.equal(shown(here)?.member.username, "Other");
  await here.manager.tellAll({ kind: "kick", whom: { userId: "agent:sum" }, reason: "" });
  here.clock.advance(1000);
  assert.deepEqual([shown(here), there.manager.agents.has(B, "sum")], [null, false]);
});

test("an agent has a rate of its own, which no other one pays for", async () => {
  const { here } = await two();
  const { agents } = here.manager;
  agents.put(B, "sum", WISH);
  const answers = Array.from({ length: 100 }, () => agents.change(B, "sum", { status: "idle" }));
  assert.deepEqual([answers.includes(undefined), answers.at(-1)], [true, "too_fast"]);
  assert.equal(agents.put(B, "other", WISH), "created");
  here.clock.advance(1000);
  assert.equal(agents.change(B, "sum", { status: "active" }), undefined);
});
