/** R9 on single boards: Redis refuses or loses messages there, and people are shown and told something meanwhile. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, Millis } from "@presence-service/protocol";
import { asksBy, B1, lose, loseNothing, saidBy, settled } from "../testing/settled.ts";
import { eachSeed, type World } from "../testing/world.ts";
import type { WorldMember } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";

const B2 = "b2" as BoardId;
/** Until a subscriber that Redis threw out is back, and knows which channels it may not subscribe to. */
const RECONNECTED_MS: Millis = 1_100;
/** From the moment the right comes back: the longest wait for the next attempt, an ask and its answer. */
const HEALED_MS: Millis = CONSTANTS.boardUnechoedMs + 600;

type Refusal = Parameters<World["network"]["refuse"]>[1];

/** Cases in which Redis refuses messages of an instance on a board, so that other instances cannot hear it there. */
const MUTE: Record<string, Refusal> = {
  "one board": { on: B1 },
  "every board": { on: "boards" },
  "to publish on one board": { on: B1, links: ["publisher"] },
  "to publish on every board": { on: "boards", links: ["publisher"] },
};
const DEAF: Record<string, Refusal> = {
  "to subscribe to one board": { on: B1, links: ["subscriber"] },
  "to subscribe to every board": { on: "boards", links: ["subscriber"] },
};
const ALTOGETHER: Record<string, Refusal> = {
  "to subscribe to anything": { on: "everything", links: ["subscriber"] },
  "to publish anything": { on: "everything", links: ["publisher"] },
};

function leaves(...members: readonly WorldMember[]): string[] {
  return members.flatMap(({ log }) => log.filter((line) => line.startsWith("-")));
}

for (const [what, refusal] of Object.entries({ ...MUTE, ...DEAF })) {
  test(`[R9.17] [R9.20] Redis refuses ${what}: people there are told, nobody leaves for 30 s, then the unheard do; mended by itself`, () => {
    eachSeed(10, (seed) => {
      const { world, ana, ben, others } = settled({ seed, instances: 3 });
      const dora = world.join("dora", { board: "b2", via: 1 });
      world.join("emil", { board: "b2", via: 0 });
      world.advance(3_000);
      const told = world.record("degraded");
      world.network.refuse(1, refusal);
      world.advance(CONSTANTS.boardUnechoedMs + RECONNECTED_MS + CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter));
      const boards = refusal.on === B1 ? [B1] : [B1, B2];
      assert.deepEqual([...world.instance(1).degradedBoards].sort(), boards);
      assert.ok(world.instances.every(({ isDegraded }) => !isDegraded));
      const isMute = what in MUTE;
      for (const member of [ana, ...others]) assert.equal(member.sees("ben")?.status, isMute ? "reconnecting" : "active");

      // A member that leaves is gone where its instance is heard. Elsewhere it is shown no longer than the other members of its instance.
      world.advance(
        CONSTANTS.clearRemoteMs - CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) - CONSTANTS.boardUnechoedMs - RECONNECTED_MS - 100,
      );
      assert.deepEqual(leaves(ana, ben, dora, ...others), []);
      world.advance(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter) + CONSTANTS.boardUnechoedMs + RECONNECTED_MS + 200);
      assert.deepEqual(ben.roster(), ["ben"]);
      assert.deepEqual(ana.roster(), isMute ? ["ana", "cleo"] : ["ana", "ben", "cleo"]);
      assert.deepEqual(dora.roster(), boards.includes(B2) ? ["dora"] : ["dora", "emil"]);
      assert.ok(leaves(ana, ben, dora).every((line) => line.endsWith("instance_lost")));

      // The refusal lasts, and no member comes or goes.
      const shown = world.record("roster");
      world.advance(60_000);
      assert.deepEqual(shown, []);
      world.network.mend(1);
      world.untilEqual(HEALED_MS);
      assert.deepEqual([...world.instance(1).degradedBoards], []);
      assert.deepEqual(
        told.map(({ instance, on, boardId }) => [instance, on, boardId]).sort(),
        boards
          .flatMap((boardId) => [
            [1, false, boardId],
            [1, true, boardId],
          ])
          .sort(),
      );
      assert.deepEqual(world.instance(1).recycles, []);
      world.advance(10_000);
      world.untilEqual(0);
    });
  });
}

for (const [what, refusal] of Object.entries(ALTOGETHER)) {
  test(`[R9.6] Redis refuses ${what}: no connection is replaced for it, and it mends itself within a second`, () => {
    eachSeed(10, (seed) => {
      const { world, ana, ben } = settled({ seed, instances: 3 });
      world.network.refuse(1, refusal);
      world.until(() => world.instance(1).isDegraded, RECONNECTED_MS + 3_000);
      world.advance(20_000);
      assert.deepEqual([leaves(ben), ben.roster()], [[], ["ana", "ben", "cleo"]]);
      // If its beats are not heard either, the instance is gone for the others (R7).
      assert.equal(ana.roster().includes("ben"), refusal.links?.[0] === "subscriber");
      world.advance(CONSTANTS.clearRemoteMs);
      assert.deepEqual(ben.roster(), ["ben"]);
      assert.deepEqual(world.instance(1).recycles, []);
      world.network.mend(1);
      world.untilEqual(1_000 + CONSTANTS.heartbeatMs + 500);
      world.until(() => !world.instance(1).isDegraded && world.instance(1).degradedBoards.size === 0, 500);
    });
  });
}

for (const link of ["publisher", "subscriber"] as const) {
  test(`[R9.15] [R9.16] the ${link} is refused on a board: one state, which words of others and a granted right do not end, but an own echo does`, () => {
    const { world, ana } = settled({ instances: 3 });
    const told = world.record("degraded");
    world.network.refuse(1, { on: B1, links: [link] });
    world.until(() => world.instance(1).degradedBoards.has(B1), CONSTANTS.beaconMsMin * 1.2 + CONSTANTS.beaconUnechoedMsMax);
    lose(world, ({ from, to, boardId }) => from === 1 && to === 1 && boardId === B1);
    world.network.mend(1);
    for (let n = 0; n < 20; n++) {
      ana.update({ state: { n } });
      world.advance(500);
    }
    assert.deepEqual([[...world.instance(1).degradedBoards], told.length], [[B1], 1]);
    loseNothing(world);
    world.until(() => !world.instance(1).degradedBoards.has(B1), HEALED_MS);
    assert.equal(told.length, 2);
  });
}

test("[R9.22] the first own echo ends a board's silence: clients are told, all are asked, and its members' places are said", () => {
  const { world, ben } = settled();
  ben.move(3, 4);
  world.advance(2_000);
  world.network.refuse(1, { on: B1, links: ["publisher"] });
  world.until(() => world.instance(1).degradedBoards.has(B1), CONSTANTS.beaconMsMin * 1.2);
  const said = world.record("publish");
  world.advance(5_000);
  world.network.mend(1);
  world.until(() => !world.instance(1).degradedBoards.has(B1), HEALED_MS);
  const endedAt = world.now;
  world.advance(CONSTANTS.answerMs + 10);
  const after = saidBy(said, 1).filter(({ at }) => at >= endedAt - 5);
  assert.ok(after.some(({ message }) => message.kind === "sync" && message.asks === "all"));
  assert.ok(after.some(({ message }) => message.kind === "cursors" && message.moves.includes(3)));
});

test("[R9.17] a subscription that is lost in silence and refused when it is taken anew: told within 3 s of the next word", () => {
  const { world, ana, ben } = settled({ instances: 3 });
  world.network.dropSubscription(1, B1);
  world.network.refuse(1, { on: B1, links: ["subscriber"], quietly: true });
  ben.update({ status: "idle" });
  world.until(() => world.instance(1).degradedBoards.has(B1), CONSTANTS.boardUnechoedMs + CONSTANTS.heartbeatMs + 100);
  ana.leave();
  world.advance(CONSTANTS.clearRemoteMs - CONSTANTS.boardUnechoedMs - 1_000);
  assert.deepEqual(ben.roster(), ["ana", "ben", "cleo"]);
  world.advance(1_500);
  assert.deepEqual(ben.roster(), ["ben"]);
  world.network.mend(1);
  world.untilEqual(HEALED_MS);
});

test("[R9.17] a subscription that is confirmed and delivers nothing, again and again: told after the second failure; one failure is not told", () => {
  const { world, ana, ben } = settled();
  const told = world.record("degraded");
  world.network.dropSubscription(1, B1);
  ben.update({ status: "idle" });
  world.advance(5_000);
  world.untilEqual(0);
  assert.deepEqual(told, []);
  lose(world, ({ to, boardId }) => to === 1 && boardId === B1);
  ben.update({ status: "active" });
  world.until(() => world.instance(1).degradedBoards.has(B1), 2 * (CONSTANTS.boardUnechoedMs + CONSTANTS.heartbeatMs) + 100);
  world.advance(CONSTANTS.clearRemoteMs);
  assert.deepEqual([ana.roster(), ben.roster()], [["ana", "ben"], ["ben"]]);
  loseNothing(world);
  world.untilEqual(HEALED_MS);
  assert.deepEqual(
    told.map(({ on }) => on),
    [true, false],
  );
});

test("[R5.12] [R9.18] who enters a board that Redis refuses gets the roster at once, is told that members may be missing, and of the refusal", () => {
  const { world } = settled({ instances: 3 });
  world.advance(CONSTANTS.settlingMs);
  world.network.refuse(1, { on: B2 });
  world.advance(RECONNECTED_MS);
  const told = world.record("degraded");
  const dora = world.join("dora", { board: "b2", via: 1 });
  const gus = world.join("gus", { board: "b2", via: 2 });
  world.until(() => dora.isOpen, 30);
  const { settling, degraded } = world.instance(1).core.roster(B2);
  assert.deepEqual([settling, degraded, world.instance(1).core.roster(B1).settling], [true, true, false]);
  assert.deepEqual(
    told.map(({ instance, on, boardId }) => [instance, on, boardId]),
    [[1, true, B2]],
  );
  const emil = world.join("emil", { board: "b2", via: 1 });
  assert.equal(emil.openedAfterMs, 0);
  world.advance(40_000);
  assert.deepEqual([dora.roster(), gus.roster()], [["dora", "emil"], ["gus"]]);
  world.network.mend(1);
  world.untilEqual(HEALED_MS);
  // C6: answers are here, but nothing says that they are all.
  assert.equal(world.instance(1).core.roster(B2).settling, true);
  world.advance(CONSTANTS.settlingMs + 1_000);
  assert.equal(world.instance(1).core.roster(B2).settling, false);
});

test("[R4.11] nobody is asked where no answer would be heard", () => {
  const { world } = settled({ instances: 3 });
  const said = world.record("publish");
  world.network.refuse(1, { on: B1, links: ["subscriber"] });
  world.advance(RECONNECTED_MS);
  // Missed beats raise doubts on all boards.
  world.network.cut(0);
  world.advance(3_000);
  world.network.mend(0);
  world.advance(10_000);
  assert.deepEqual(asksBy(said, 1), []);
});

test("[R4.14] a peer that says it cannot answer is not taken for absent as soon as one that could", () => {
  for (const refusal of [MUTE["one board"], ALTOGETHER["to subscribe to anything"]] as const) {
    const { world, ana } = settled({ instances: 3 });
    world.network.refuse(1, refusal as Refusal);
    world.advance(5_000);
    // A skipped beat raises a doubt that no answer can end.
    lose(world, ({ from, to, message }) => from === 1 && to === 0 && message.kind === "heartbeat");
    world.advance(1_000);
    loseNothing(world);
    world.advance(20_000);
    assert.deepEqual(leaves(ana), []);
    assert.ok(ana.sees("ben"));
  }
});

test("[R9.19] [R9.21] the publisher's refusal is not mended by a new subscription, and is tried again calmly", () => {
  const { world } = settled();
  const resubscribed = world.record("resubscribe");
  const said = world.record("publish");
  world.network.refuse(1, { on: B1, links: ["publisher"] });
  world.advance(CONSTANTS.beaconMsMin * (1 + CONSTANTS.beaconJitter));
  said.length = 0;
  world.advance(20_000);
  assert.deepEqual(resubscribed, []);
  const { length } = saidBy(said, 1);
  assert.ok(length >= 8 && length <= 20_000 / (CONSTANTS.boardUnechoedMs / 2) + 3, `${length} messages in 20 s`);
});

test("[F6] cursors are not published where Redis refuses them, nor before the board was ever subscribed to", () => {
  const { world, ana, ben } = settled();
  world.network.refuse(1, { on: B1, links: ["publisher"] });
  world.network.refuse(1, { on: B2 });
  const dora = world.join("dora", { board: "b2", via: 1 });
  world.join("emil", { board: "b2", via: 0 });
  ben.broadcast("wave", 1);
  world.advance(1_000);
  const said = world.record("publish");
  // Missed beats raise doubts on all boards, as a member may be there.
  world.network.cut(0);
  world.advance(2_500);
  world.network.mend(0);
  for (let x = 0; x < 50; x++) {
    ben.move(x, 1);
    dora.move(x, 1);
    world.advance(100);
  }
  assert.deepEqual(saidBy(said, 1, "cursors"), []);
  world.network.mend(1);
  world.until(() => ana.cursorOf("ben")?.x === 49, HEALED_MS);
  world.untilEqual(HEALED_MS);
});

test("[R9.20] 30 s into a silence nobody remote is shown, also not who is heard of later and may be gone again", () => {
  const { world, ben, others } = settled({ instances: 3 });
  const [cleo] = others;
  world.network.refuse(1, { on: B1, links: ["publisher"] });
  ben.update({ status: "idle" });
  world.advance(CONSTANTS.clearRemoteMs + 1_000);
  assert.deepEqual(ben.roster(), ["ben"]);
  // The first change of an empty slice travels as a whole.
  cleo?.leave();
  world.advance(1_000);
  cleo?.join();
  world.advance(20_000);
  assert.deepEqual(ben.roster(), ["ben"]);
  world.network.mend(1);
  world.untilEqual(HEALED_MS);
});

test("[R9.23] [R9.24] boards that are named in turn all fade", () => {
  const { world, ana } = settled();
  const boards = Array.from({ length: 200 }, (_, index) => `${index}-${"x".repeat(100)}`);
  const elsewhere = boards.map((board) => world.join(`p${board}`, { board, via: 1 }));
  const here = boards.map((board) => world.join(`q${board}`, { board, via: 0 }));
  world.advance(5_000);
  assert.ok(ana.isOpen && elsewhere.every(({ isOpen }) => isOpen));
  world.network.refuse(1, { on: "boards" });
  world.until(() => here.every((member, index) => member.sees(`p${boards[index]}`)?.status === "reconnecting"), 60_000);
});
