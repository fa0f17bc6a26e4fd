import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, Millis } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { watchLeaves } from "../testing/checkers/leaves.ts";
import { watchSlices } from "../testing/checkers/slices.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { eachSeed, World } from "../testing/world.ts";
import { memberOf } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import type { Snapshot } from "./messages.ts";

/** Until a change at one instance is shown at the others. */
const SHOWN_MS: Millis = 20;

/** Ana at instance 0; zoe watches from the last instance. */
function watched(options: Partial<ConstructorParameters<typeof World>[0]> = {}) {
  const world = new World({ seed: 1, instances: 3, ...options });
  watchSlices(world);
  watchLeaves(world);
  const ana = world.join("ana", { board: "b1", via: 0 });
  const zoe = world.join("zoe", { board: "b1", via: world.instances.length - 1 });
  world.advance(3_000);
  zoe.log.length = 0;
  return { world, ana, zoe };
}

function lose(world: World, loses: (delivery: Delivery) => boolean): void {
  world.network.faults = { ...HEALTHY, loses };
}

// Quiet connections.

for (const status of ["active", "idle"] as const) {
  test(`[R11.18] [R11.19] a connection from which nothing comes is shown as reconnecting, and then as ${status} again: no leave, no join`, () => {
    const { world, ana, zoe } = watched();
    if (status === "idle") ana.update({ status });
    world.untilEqual(SHOWN_MS);
    zoe.log.length = 0;
    ana.session.connection.quiet(true);
    world.untilEqual(SHOWN_MS);
    assert.equal(zoe.sees("ana")?.status, "reconnecting");
    ana.session.connection.quiet(true);
    world.advance(GRACE_MS.full + 5_000);
    ana.session.connection.quiet(false);
    world.untilEqual(SHOWN_MS);
    ana.session.connection.quiet(false);
    world.advance(1_000);
    assert.deepEqual(zoe.log, ["~ana reconnecting", `~ana ${status}`]);
    assert.equal(ana.session.isSuperseded, false);
  });
}

test("[R11.19] an update of a quiet connection is a sign of life too", () => {
  const { world, ana, zoe } = watched();
  ana.session.connection.quiet(true);
  ana.update({ state: { tool: "ink" } });
  world.untilEqual(SHOWN_MS);
  assert.deepEqual([zoe.sees("ana")?.status, zoe.sees("ana")?.state], ["active", { tool: "ink" }]);
});

test("[R11.20] a quiet connection that is lost is still reconnecting, for its whole grace from then on", () => {
  const { world, ana, zoe } = watched();
  ana.session.connection.quiet(true);
  world.advance(15_000);
  ana.disconnect(GRACE_MS.full);
  world.advance(GRACE_MS.full - 5);
  assert.deepEqual(zoe.log, ["~ana reconnecting"]);
  world.advance(SHOWN_MS + 30);
  assert.deepEqual(zoe.log, ["~ana reconnecting", "-ana timeout"]);
});

test("[R11.20] a session that comes back elsewhere ends its quiet entry: no leave, and the old connection changes nothing", () => {
  const { world, ana, zoe } = watched();
  const former = ana.session.connection;
  former.quiet(true);
  world.advance(5_000);
  ana.resume({ via: 1 });
  world.untilEqual(1_000);
  former.quiet(false);
  world.advance(60_000);
  assert.equal(zoe.sees("ana")?.status, "active");
  assert.ok(!zoe.log.some((line) => line.startsWith("-") || line.startsWith("+")), String(zoe.log));
});

// C2 Graces.

test("[C2] an explicit leave is shown at once, and is no timeout", () => {
  const { world, ana, zoe } = watched();
  ana.leave();
  world.untilEqual(SHOWN_MS);
  assert.deepEqual(zoe.log, ["-ana left"]);
});

for (const [how, graceMs] of [
  ["going away", GRACE_MS.short],
  ["lost", GRACE_MS.full],
] as const) {
  test(`[C2] ${how}: reconnecting for ${graceMs / 1000} s, then gone by timeout`, () => {
    const { world, ana, zoe } = watched();
    ana.disconnect(graceMs);
    world.untilEqual(SHOWN_MS);
    assert.equal(zoe.sees("ana")?.status, "reconnecting");
    world.advance(graceMs - SHOWN_MS - 5);
    assert.equal(zoe.sees("ana")?.status, "reconnecting");
    world.advance(SHOWN_MS + 30);
    assert.deepEqual(zoe.log, ["~ana reconnecting", "-ana timeout"]);
  });
}

for (const via of [0, 1]) {
  test(`[C2] a session resumed within its grace ${via === 0 ? "in place" : "elsewhere"} is no leave and no join, and does not time out later`, () => {
    eachSeed(20, (seed) => {
      const { world, ana, zoe } = watched({ seed });
      ana.disconnect(GRACE_MS.full);
      world.advance(world.random.between(0, GRACE_MS.full - 100));
      ana.resume({ via });
      world.untilEqual(SHOWN_MS + CONSTANTS.openMs);
      world.advance(2 * GRACE_MS.full);
      assert.deepEqual(zoe.log, ["~ana reconnecting", "~ana active"]);
    });
  });
}

test("[C2] an update is never leave and join", () => {
  const { world, ana, zoe } = watched();
  ana.update({ status: "idle", state: { tool: "pen", layer: { name: "a" } } });
  world.advance(SHOWN_MS);
  ana.update({ state: { layer: { name: null, depth: 1 } } });
  world.advance(SHOWN_MS);
  assert.deepEqual(zoe.sees("ana")?.state, { tool: "pen", layer: { depth: 1 } });
  assert.ok(zoe.log.every((line) => line.startsWith("~ana")));
  assert.equal(world.difference(), undefined);
});

// R11 Sessions move.

test("[R11.9] a resume elsewhere supersedes the older connection; others see no leave and no join", () => {
  eachSeed(20, (seed) => {
    const { world, ana, zoe } = watched({ seed });
    const superseded = world.record("superseded");
    const old = ana.session.connection;
    ana.resume({ via: 1 });
    world.untilEqual(CONSTANTS.openMs + SHOWN_MS);
    assert.deepEqual([superseded.map(({ instance, connection }) => [instance, connection]), old.isOpen], [[[0, old.id]], false]);
    world.advance(2 * GRACE_MS.full);
    assert.deepEqual([zoe.log, world.difference()], [[], undefined]);
  });
});

test("[R11.10] the late disconnect of the old connection changes nothing", () => {
  for (const via of [0, 1]) {
    const { world, ana, zoe } = watched();
    // The old instance is deaf: it knows nothing of the resume when it learns that its connection is gone.
    if (via !== 0) world.network.deafen(0);
    ana.resume({ via });
    world.advance(500);
    ana.session.loseAbandoned(0);
    world.advance(20_000);
    assert.deepEqual(
      [zoe.log.filter((line) => line !== "~ana active"), zoe.roster(), world.difference()],
      [[], ["ana", "zoe"], undefined],
      `via ${via}`,
    );
  }
});

for (const [how, reason] of [
  ["a leave", "left"],
  ["a timeout", "timeout"],
] as const) {
  test(`[R11.2] ${how} elsewhere ends the half-open older entry, although its owner heard neither resume nor end`, () => {
    eachSeed(20, (seed) => {
      const { world, ana, zoe } = watched({ seed });
      const old = ana.session.connection;
      world.network.cut(0);
      ana.resume({ via: 1 });
      world.advance(500);
      if (reason === "left") ana.leave();
      else ana.disconnect(100);
      world.advance(world.random.between(150, 8_000));
      assert.deepEqual(zoe.roster(), ["zoe"]);
      world.network.mend(0);
      world.until(() => !old.isOpen, 10_000);
      world.advance(40_000);
      // Ended attempts travel in snapshots, even of an empty slice: ana never comes back, not even for a moment.
      const moves = zoe.log.filter((line) => line.includes("ana") && !line.startsWith("~"));
      assert.deepEqual([moves, world.difference()], [[`-ana ${reason}`], undefined]);
    });
  });
}

test("[R11.5] whoever ended an attempt can tell so for 45 s, although nobody of its own is left on the board", () => {
  eachSeed(5, (seed) => {
    const { world, ana } = watched({ seed });
    const yan = world.join("yan", { board: "b1", via: 0 });
    world.advance(1_000);
    world.network.cut(0);
    ana.resume({ via: 1 });
    world.advance(500);
    ana.leave();
    // Ana's former instance has not heard of it, and her connection there is half-open, or within its grace.
    world.advance(36_000);
    assert.deepEqual(yan.roster(), ["ana", "yan"]);
    world.network.mend(0);
    world.until(() => world.instance(0).isConnected, 1_500);
    world.advance(1_000);
    assert.deepEqual([yan.roster(), world.difference()], [["yan", "zoe"], undefined]);
  });
});

test("[R11.11] a superseded member without a visible successor is shown as reconnecting for a second at most", () => {
  const { world, ana, zoe } = watched();
  // Zoe's instance hears that the old entry is superseded, and nothing of the new one.
  lose(world, ({ from, to }) => from === 1 && to === 2);
  ana.resume({ via: 1 });
  const from = world.now;
  world.until(() => zoe.sees("ana")?.status === "reconnecting", CONSTANTS.openMs);
  world.until(() => zoe.sees("ana") === undefined, CONSTANTS.successorMs + 30);
  assert.ok(world.now - from >= CONSTANTS.successorMs);
  assert.deepEqual(zoe.log, ["~ana reconnecting", "-ana left"]);
});

test("[R11.11] an end of its successor that is heard of ends a superseded member at once", () => {
  const { world, ana, zoe } = watched();
  // Of the new entry only its end is heard.
  let isOver = false;
  lose(world, ({ from, to }) => from === 1 && to === 2 && !isOver);
  ana.resume({ via: 1 });
  world.until(() => zoe.sees("ana")?.status === "reconnecting", CONSTANTS.openMs);
  isOver = true;
  ana.leave();
  const tookMs = world.until(() => zoe.sees("ana") === undefined, CONSTANTS.successorMs);
  assert.ok(tookMs < CONSTANTS.successorMs - 400, `${tookMs}`);
});

test("[R11.11] a successor that is heard of in time makes it no leave", () => {
  const { world, ana, zoe } = watched();
  lose(world, ({ from, to, message }) => from === 1 && to === 2 && message.kind !== "beacon");
  ana.resume({ via: 1 });
  world.advance(100);
  world.network.faults = HEALTHY;
  world.advance(2_000);
  assert.deepEqual(zoe.log, ["~ana reconnecting", "~ana active"]);
});

test("[R11.13] a resume in place keeps the actor, brings its full state, and the old connection is closed", () => {
  const { world, ana, zoe } = watched();
  const bob = world.join("bob", { board: "b1", via: 0 });
  ana.update({ state: { tool: "pen" } });
  world.advance(100);
  const old = ana.session.connection;
  const actor = old.actors.get(ana.boardId);
  ana.resume({ via: 0 });
  world.untilEqual(SHOWN_MS);
  assert.equal(ana.session.connection.actors.get(ana.boardId), actor);
  assert.deepEqual([old.isOpen, zoe.sees("ana")?.state], [false, {}]);
  for (const viewer of [zoe, bob]) assert.ok(viewer.log.every((line) => !line.startsWith("-") && line !== "+ana"));
});

test("[R11.13] a resume in place keeps the slot, so that cursors under way stay those of the member", () => {
  const { world, ana } = watched();
  world.join("bob", { board: "b1", via: 0 });
  world.advance(100);
  const said = world.record("publish");
  const slots = () => {
    ana.move(world.now, 1);
    world.advance(20);
    return said.flatMap(({ instance, message }) => (instance === 0 && message.kind === "cursors" ? [message.moves[0]] : []));
  };
  slots();
  ana.resume({ via: 0 });
  assert.deepEqual(slots(), [0, 0]);
});

test("[R2.6] an actor is not given to somebody else within 60 s", () => {
  const { world, ana, zoe } = watched();
  const actorOf = (name: string) => {
    const changes = world.record("roster");
    world.join(name, { board: "b1", via: 0 });
    world.advance(200);
    const joined = changes.find(({ instance, change }) => instance === 2 && change.change === "joined")?.change;
    return joined?.actor;
  };
  const [anas, zoes] = [ana, zoe].map(
    ({ session: { memberId } }) =>
      world
        .instance(2)
        .core.roster(zoe.boardId)
        .entries.find((one) => one.member.memberId === memberId)?.actor,
  );
  ana.leave();
  const bobs = actorOf("bob");
  assert.equal(new Set([anas, zoes, bobs]).size, 3);
  world.advance(CONSTANTS.numberRestMs - 1_000);
  const cleos = actorOf("cleo");
  assert.equal(new Set([anas, zoes, bobs, cleos]).size, 4);
  world.advance(1_000);
  assert.equal(actorOf("dan"), anas);
});

test("[R11.13] a join once more on the same connection replaces the entry in place", () => {
  const { world, ana, zoe } = watched();
  ana.join({ status: "idle", state: { tool: "ink" } });
  world.untilEqual(SHOWN_MS);
  assert.deepEqual([ana.session.connection.isOpen, ana.log.length, ana.log.at(-1)], [true, 3, "joined ana zoe"]);
  assert.deepEqual(zoe.log, ['~ana {"state":{"tool":"ink"},"status":"idle"}']);
});

test("[R11.14] a join at or below a visible attempt is refused, here and elsewhere, and changes nothing", () => {
  const { world, ana, zoe } = watched();
  ana.resume({ via: 1 });
  ana.resume({ via: 0 });
  world.untilEqual(CONSTANTS.openMs + SHOWN_MS);
  zoe.log.length = 0;
  for (const via of [0, 1, 2])
    for (const attempt of [1, 3]) {
      const copy = world.join("ana", { board: "b1", via, attempt });
      world.advance(200);
      assert.deepEqual([copy.refusals, copy.isOpen, copy.session.connection.isOpen], [["superseded"], false, true]);
    }
  assert.deepEqual([zoe.log, world.difference()], [[], undefined]);
  const next = world.join("ana", { board: "b1", via: 2, attempt: 4 });
  world.advance(SHOWN_MS);
  assert.deepEqual([next.refusals, ana.session.isSuperseded], [[], true]);
});

test("[R11.14] a join at or below an ended attempt is refused, for 45 s", () => {
  const { world, ana } = watched();
  ana.resume({ via: 0 });
  ana.leave();
  world.advance(SHOWN_MS);
  const tries = (attempt: number, via: number) => {
    const copy = world.join("ana", { board: "b1", via, attempt });
    world.advance(200);
    return copy;
  };
  assert.deepEqual([tries(1, 2).refusals, tries(2, 2).refusals, tries(2, 0).refusals], [["superseded"], ["superseded"], ["superseded"]]);
  world.advance(CONSTANTS.endedMs - 5_000);
  assert.deepEqual(tries(2, 2).refusals, ["superseded"]);
  world.advance(5_000);
  assert.deepEqual(tries(1, 2).refusals, []);
});

test("[R11.1] of two entries with one attempt that of the higher instanceId stays, everywhere", () => {
  eachSeed(10, (seed) => {
    const { world, zoe } = watched({ seed });
    const copies = [0, 1].map((via) => world.join("bob", { board: "b1", via, state: { via } }));
    world.advance(1_000);
    const ids = [0, 1].map((index) => world.instance(index).instanceId);
    const winner = (ids[0] ?? "") > (ids[1] ?? "") ? 0 : 1;
    assert.deepEqual(
      copies.map(({ session }) => session.isSuperseded),
      [winner !== 0, winner !== 1],
    );
    for (const viewer of [zoe, copies[winner]]) assert.deepEqual(viewer?.sees("bob")?.state, { via: winner });
  });
});

test("[R11.10] the other boards of a superseded socket stay reconnecting for the grace", () => {
  const { world, ana } = watched();
  ana.session.join("b2" as BoardId, {});
  const yan = world.join("yan", { board: "b2", via: 2 });
  world.advance(500);
  world.join("ana", { board: "b1", via: 1, attempt: 9 });
  world.advance(500);
  assert.equal(yan.sees("ana")?.status, "reconnecting");
  world.advance(GRACE_MS.full - 1_000);
  assert.equal(yan.sees("ana")?.status, "reconnecting");
  world.advance(1_000);
  assert.deepEqual(yan.log.slice(-2), ["~ana reconnecting", "-ana timeout"]);
  assert.deepEqual(world.union("b2"), ["yan"]);
});

test("[R11.10] input of an outranked socket is dropped", () => {
  const { world, ana, zoe } = watched();
  const old = ana.session.connection;
  ana.resume({ via: 1 });
  world.untilEqual(CONSTANTS.openMs + SHOWN_MS);
  zoe.log.length = 0;
  const said = world.record("publish");
  const { boardId } = ana;
  world.instance(0).receive(() => ({ kind: "update", connection: old.id, boardId, state: { stale: true } }));
  world.instance(0).receive(() => ({ kind: "broadcast", connection: old.id, boardId, name: "stale", data: null }));
  world.instance(0).receive(() => ({ kind: "leave", connection: old.id, boardId }));
  world.advance(100);
  assert.deepEqual([zoe.log, zoe.events, said.filter(({ message }) => message.kind === "delta" || message.kind === "event")], [[], [], []]);
});

test("[R11.15] cursors of a member that moved on come from its new owner alone", () => {
  const { world, ana, zoe } = watched();
  const actor = ana.session.connection.actors.get(ana.boardId) ?? 0;
  // The old owner is deaf, and goes on speaking for her.
  world.network.deafen(0, { stays: true });
  ana.resume({ via: 1 });
  world.advance(500);
  ana.move(2, 2);
  world.advance(100);
  world.instance(0).mark(ana.boardId, actor, 9, 9);
  world.advance(1_000);
  assert.deepEqual(zoe.cursorOf("ana"), { x: 2, y: 2 });
});

test("[R11.1] an instance that was down with an older entry brings nobody back and loses its claim", () => {
  eachSeed(10, (seed) => {
    const { world, ana, zoe } = watched({ seed });
    world.pause(0);
    world.advance(8_000);
    assert.deepEqual(zoe.roster(), ["zoe"]);
    ana.resume({ via: 1 });
    world.advance(1_000);
    world.resume(0);
    world.untilEqual(2_000);
    world.advance(20_000);
    assert.deepEqual(zoe.log, ["~ana reconnecting", "-ana instance_lost", "+ana"]);
  });
});

test("[R11.9] a higher entry whose instance is killed is gone; an entry it superseded does not return", () => {
  const { world, ana, zoe } = watched();
  ana.resume({ via: 1 });
  world.untilEqual(CONSTANTS.openMs + SHOWN_MS);
  world.kill(1);
  world.advance(5_000);
  assert.deepEqual([zoe.roster(), world.difference()], [["zoe"], undefined]);
});

// R12 Goodbye.

test("[R12.1] an instance that stops says goodbye and nothing after it, in particular no leaves", () => {
  const { world, ana, zoe } = watched();
  const said = world.record("publish");
  world.stop(2, 10_000);
  ana.update({ state: { n: 1 } });
  zoe.update({ state: { unheard: true } });
  world.advance(5_000);
  assert.deepEqual(
    said.filter(({ instance }) => instance === 2).map(({ message }) => message.kind),
    ["goodbye"],
  );
});

test("[R12.2] people of an instance that said goodbye are shown as reconnecting, and those who come back never left", () => {
  const { world, ana, zoe } = watched();
  const bob = world.join("bob", { board: "b1", via: 0 });
  world.advance(500);
  world.stop(0);
  world.advance(200);
  assert.deepEqual([zoe.sees("ana")?.status, zoe.sees("bob")?.status, world.judges(2, 0)], ["reconnecting", "reconnecting", "left"]);
  ana.resume({ via: 1 });
  world.advance(CONSTANTS.goodbyeMs);
  assert.deepEqual(zoe.log, ["+bob", "~ana reconnecting", "~bob reconnecting", "~ana active", "-bob instance_lost"]);
  assert.equal(bob.session.connection.isOpen, false);
});

// With sharded pub/sub a goodbye and the leaves before it come from two servers. Seen by `npm run faults -- --topology sharded --only rolling`.
test("[R12.9] a leave that a goodbye has overtaken is heeded", () => {
  const { world, ana, zoe } = watched();
  const { instanceId } = world.instance(0);
  const said = world.record("publish");
  lose(world, ({ from, to, message }) => from === 0 && to === 2 && message.kind === "delta");
  ana.leave();
  world.stop(0);
  world.advance(100);
  assert.deepEqual(zoe.roster(), ["ana", "zoe"]);
  const leave = said.find(({ instance, message }) => instance === 0 && message.kind === "delta")?.message;
  assert.ok(leave?.kind === "delta");
  world.instance(2).receive(() => ({ kind: "heard", boardId: zoe.boardId, from: instanceId, link: 1, message: leave }));
  world.advance(10);
  assert.deepEqual(zoe.roster(), ["zoe"]);
});

test("[R12.3] late words of an instance that said goodbye bring nobody back", () => {
  const { world, ana, zoe } = watched();
  const { instanceId } = world.instance(0);
  const said = world.record("publish");
  ana.update({ status: "idle" });
  world.stop(0);
  world.advance(CONSTANTS.goodbyeMs + 100);
  assert.deepEqual(zoe.roster(), ["zoe"]);
  const late = said.find(({ instance, message }) => instance === 0 && message.kind === "delta")?.message;
  assert.ok(late?.kind === "delta");
  const entries = [{ slot: 0, attempt: 1, seq: late.seq, member: memberOf("ana") }];
  const snapshot: Snapshot = { kind: "snapshot", seq: late.seq, part: 0, parts: 1, entries, ended: [] };
  for (const message of [late, snapshot])
    world.instance(2).receive(() => ({ kind: "heard", boardId: zoe.boardId, from: instanceId, link: 1, message }));
  world.advance(100);
  assert.deepEqual(zoe.roster(), ["zoe"]);
});
