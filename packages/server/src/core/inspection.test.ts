/** The inspection of a core: what it tells those who run the service, and what the core does when they trust nothing of a peer. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, MemberId } from "@presence-service/protocol";
import { World } from "../testing/world.ts";

const B1 = "b1" as BoardId;

function two() {
  const world = new World({ seed: 11, instances: 2 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  world.join("ben", { board: "b1", via: 1 });
  world.advance(3000);
  const { core, instanceId } = world.instance(0);
  const ben = core.roster(B1).entries.find(({ member }) => member.username === "ben")?.member.memberId ?? assert.fail();
  return {
    world,
    ana,
    core,
    self: instanceId,
    peer: world.instance(1).instanceId,
    ben,
    why: (memberId: MemberId) => core.inspection.why(B1, memberId, world.now),
  };
}

test("why a member is shown: whose entry it is, and since when its owner has said nothing", () => {
  const { world, core, peer, ben, why } = two();
  const reasons = why(ben);
  const [claim] = reasons?.claims ?? [];
  assert.deepEqual(
    [reasons?.shown?.owner, claim?.owner, claim?.standing, claim?.isInDoubt, claim?.graceMs],
    [peer, peer, "live", false, null],
  );
  assert.ok((claim?.heartbeatMs ?? 9999) <= 1000);
  world.kill(1);
  world.advance(2500);
  assert.deepEqual([why(ben)?.claims[0]?.standing, why(ben)?.shown?.member.status], ["fading", "reconnecting"]);
  world.advance(5000);
  assert.deepEqual([why(ben)?.shown, why(ben)?.claims], [null, []]);
  assert.deepEqual(
    core.inspection.boards(undefined, 10).map(({ boardId, own, members }) => [boardId, own, members]),
    [["b1", 1, 1]],
  );
  assert.equal(core.inspection.board("b2" as BoardId), undefined);
});

test("boards are found by a part of their ids, and the largest ones first", () => {
  const world = new World({ seed: 1, instances: 1 });
  const join = (name: string, board: string) => world.join(name, { board, via: 0 });
  join("ana", "doc/1");
  join("ben", "doc/2");
  join("cleo", "doc/2");
  join("dan", "map/1");
  world.advance(100);
  const { inspection } = world.instance(0).core;
  const ids = (boards: readonly { readonly boardId: string }[]) => boards.map(({ boardId }) => boardId);
  assert.deepEqual(ids(inspection.boards(undefined, 9, "doc")), ["doc/1", "doc/2"]);
  assert.deepEqual(ids(inspection.boards("doc/1", 9, "/1")), ["map/1"]);
  assert.deepEqual(ids(inspection.largest(1)), ["doc/2"]);
  assert.deepEqual(ids(inspection.largest(9, "doc")), ["doc/2", "doc/1"]);
});

test("a peer of whom nothing is trusted is asked for all of its slice, and its members stay shown until it has come", () => {
  const { world, ana, core, peer, ben } = two();
  const resyncs = () => world.instance(0).counted.resync ?? 0;
  const before = resyncs();
  const [slice] = core.inspection.slices(B1, world.now).filter(({ owner }) => owner === peer);
  world.instance(0).receive(() => ({ kind: "resync", owner: peer }));
  const [doubted] = core.inspection.slices(B1, world.now).filter(({ owner }) => owner === peer);
  assert.deepEqual([slice?.isInDoubt, doubted?.isInDoubt, doubted?.seq], [false, true, 0]);
  assert.deepEqual(ana.roster().toSorted(), ["ana", "ben"]);
  world.advance(2000);
  assert.deepEqual([resyncs(), core.inspection.why(B1, ben, world.now)?.claims[0]?.isInDoubt], [before + 1, false]);
  assert.deepEqual(ana.roster().toSorted(), ["ana", "ben"]);
});
