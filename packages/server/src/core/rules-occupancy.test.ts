/** R15: how many are on a board, for those who are not. */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { type Delivery, HEALTHY } from "../testing/network.ts";
import { B1, lose, loseNothing } from "../testing/settled.ts";
import { eachSeed, type Recorded, World } from "../testing/world.ts";
import { Census } from "./census.ts";
import { CONSTANTS } from "./constants.ts";
import type { Context } from "./context.ts";
import type { Effect } from "./effects.ts";
import { type BoardHash, hashOfBoard, shardOf } from "./occupancy.ts";

const KNOWN_MS: Millis = 300;
const OTHER = "90000000-0000-4000-8000-000000000000" as InstanceId;

function counts(world: World, via: number, board = "b1"): string {
  const { members, users } = world.instance(via).core.occupancy(board as BoardId) ?? {};
  return `${members} ${users}`;
}

/** Ana and ben on b1 at instances 0 and 1; instance 2 watches it. */
function watched(options: Partial<ConstructorParameters<typeof World>[0]> = {}) {
  const world = new World({ seed: 1, instances: 3, ...options });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const ben = world.join("ben", { board: "b1", via: 1, user: "ana" });
  world.advance(3_000);
  world.watch("b1", 2);
  return { world, ana, ben };
}

/** Another board of the same shard. */
function boardBeside(board: string): string {
  const shard = (id: string) => shardOf(hashOfBoard(id as BoardId));
  for (let nth = 0; ; nth++) if (shard(`c${nth}`) === shard(board)) return `c${nth}`;
}

function ofKind(said: readonly Recorded<"publish">[], kind: "heartbeat" | "want" | "occupancy") {
  return said.filter(({ message }) => message.kind === kind);
}

test("[R15.1] an instance that watches a board is told its members and users at once, without being on it", () => {
  const { world } = watched();
  const tookMs = world.until(() => counts(world, 2) === "2 2", KNOWN_MS);
  assert.ok(tookMs < 200, `${tookMs}`);
  assert.ok(!world.instance(2).boards.has(B1));
});

test("[R15.16] [R15.17] [R15.18] a want says how long it holds; counts are told on the channel of the board's shard, which only watchers hear", () => {
  const world = new World({ seed: 1, instances: 3 });
  const shards = world.record("shard");
  const said = world.record("publish");
  const ana = world.join("ana", { board: "b1", via: 0 });
  world.advance(1_000);
  world.watch("b1", 2);
  world.advance(1_000);
  const [want] = ofKind(said, "want").map(({ message }) => message);
  assert.ok(want?.kind === "want");
  assert.deepEqual([want.leaseMs, want.boards], [CONSTANTS.wantMs * CONSTANTS.wantLeasePeriods, [hashOfBoard(B1)]]);
  const shard = shardOf(hashOfBoard(B1));
  assert.deepEqual(
    shards.map((one) => [one.instance, one.act, one.shard]),
    [[2, "subscribe", shard]],
  );
  const told = () => ofKind(said, "occupancy").splice(0);
  assert.ok(told().length > 0 && told().every((one) => one.shard === shard));
  world.unwatch("b1", 2);
  world.advance(want.leaseMs - 8_000);
  said.length = 0;
  world.join("ben", { board: "b1", via: 0 });
  world.advance(2_000);
  assert.ok(told().length > 0, "the want holds");
  world.advance(8_000);
  said.length = 0;
  ana.leave();
  world.advance(2_000);
  assert.deepEqual(told(), []);
});

test("[R15.23] [R15.24] a want that asks is answered within 100 ms, and the words of one moment and one shard are one message", () => {
  const said: Effect[] = [];
  const census = new Census({ constants: CONSTANTS, emit: (effect: Effect) => said.push(effect) } as unknown as Context);
  const ids = ["b1", boardBeside("b1")] as BoardId[];
  const ask = (now: Millis) => {
    const want = { kind: "want", leaseMs: 40_000, answer: true, boards: ids.map(hashOfBoard) } as const;
    for (const id of census.heard(want, now)) census.look(id, "first", { members: 1, users: 1 }, now);
  };
  for (const id of ids) census.entered(id, 0);
  ask(0);
  for (let now = 0; now < 5_030; now += 10) census.tick(now);
  said.length = 0;
  ask(5_030);
  for (let now = 5_030; now <= 5_130; now += 10) census.tick(now);
  assert.deepEqual(
    said.map(
      (effect) => effect.kind === "publish" && effect.message.kind === "occupancy" && effect.message.boards.map(({ board }) => board),
    ),
    [ids],
  );
});

test("[R15.47] heartbeats that ask for wants have them said twice a second at most", () => {
  const { world } = watched();
  world.advance(2_000);
  const rewrites = ({ message }: Delivery) => (message.kind === "heartbeat" ? { ...message, wanting: true } : message);
  world.network.faults = { ...HEALTHY, rewrites };
  const said = world.record("publish");
  world.advance(10_000);
  const wants = ofKind(said, "want").filter(({ instance }) => instance === 2);
  assert.ok(wants.length >= 10 && wants.length <= 20, `${wants.length}`);
});

test("[R15.2] [R15.19] a board that nobody watches, and one that nobody watches any more, publishes nothing about its counts", () => {
  const world = new World({ seed: 2, instances: 3 });
  const said = world.record("publish");
  let visits = 0;
  const busy = () => {
    const member = world.join(`p${++visits}`, { board: "b1", via: 0 });
    world.advance(2_000);
    member.leave();
    world.advance(2_000);
  };
  for (let times = 0; times < 5; times++) busy();
  assert.deepEqual([...ofKind(said, "occupancy"), ...ofKind(said, "want")], []);
  world.watch("b1", 2);
  busy();
  assert.ok(ofKind(said, "occupancy").length > 0);
  world.unwatch("b1", 2);
  world.advance(CONSTANTS.wantMs * CONSTANTS.wantLeasePeriods);
  said.length = 0;
  for (let times = 0; times < 5; times++) busy();
  assert.deepEqual([...ofKind(said, "occupancy"), ...ofKind(said, "want")], []);
});

test("[R15.3] [R15.20] [R15.21] [R15.22] one of those that have members tells the counts: at most once a second, again 0.3 and 1.5 s later, and every 15 s", () => {
  const { world, ana } = watched();
  world.advance(60_000);
  const said = world.record("publish");
  for (let times = 0; times < 40; times++) {
    world.join(`p${times}`, { board: "b1", via: times % 2 });
    world.advance(100);
  }
  const told = ofKind(said, "occupancy");
  assert.equal(told.length, 4);
  assert.equal(new Set(told.map(({ instance }) => instance)).size, 1);
  world.until(() => counts(world, 2) === "42 42", 1_100);
  world.advance(3_000);
  said.length = 0;
  world.advance(60_000);
  assert.equal(ofKind(said, "occupancy").length, 4);
  said.length = 0;
  const from = world.now;
  ana.leave();
  world.advance(2_000);
  const at = ofKind(said, "occupancy").map((one) => Math.round((one.at - from) / 100) * 100);
  assert.equal(at.length, 3, at.join());
  assert.ok((at[0] ?? 0) <= 100 && (at[1] ?? 0) - (at[0] ?? 0) === 300 && (at[2] ?? 0) - (at[0] ?? 0) === 1500, at.join());
});

test("[R15.4] [R15.25] [R15.26] a board that nobody is on counts 0, 1.5 s after it is watched; at once where no other instance lives", () => {
  for (const [instances, knownMs] of [
    [3, 1_600],
    [1, 50],
  ] as const) {
    const world = new World({ seed: 4, instances });
    world.advance(CONSTANTS.settlingMs);
    const said = world.record("publish");
    world.watch("b1", 0);
    world.advance(knownMs);
    assert.equal(counts(world, 0), "0 0");
    assert.equal(ofKind(said, "want").length, instances === 1 ? 0 : 3);
  }
});

test("[R15.27] an instance that has just started and knows nobody asks all the same", () => {
  eachSeed(20, (seed) => {
    const world = new World({ seed, instances: 2 });
    const via = world.start();
    world.watch("b1", via);
    world.until(() => counts(world, via) === "0 0", 2_500);
    world.advance(2_000);
    world.join("ana", { board: "b1", via: 0 });
    world.until(() => counts(world, via) === "1 1", KNOWN_MS);
  });
});

test("[R15.29] a board that nobody is on is told as such, although doubts about it follow each other", () => {
  const world = new World({ seed: 4, instances: 3 });
  world.advance(CONSTANTS.settlingMs);
  world.watch("b1", 0);
  for (let times = 0; times < 4; times++) {
    world.advance(600);
    world.network.reset(0, "subscriber");
  }
  assert.equal(counts(world, 0), "0 0");
});

test("[R15.5] [R15.31] the last one to leave is told, and whoever comes next", () => {
  const { world, ana, ben } = watched();
  world.advance(1_000);
  ana.leave();
  world.until(() => counts(world, 2) === "1 1", 1_100);
  ben.leave();
  world.until(() => counts(world, 2) === "0 0", 1_100);
  world.advance(120_000);
  world.join("cleo", { board: "b1", via: 0 });
  world.until(() => counts(world, 2) === "1 1", 300);
});

test("[R15.5] [R15.30] an instance that missed who came says that nobody is left when its last member leaves, and the others are asked", () => {
  eachSeed(5, (seed) => {
    const { world, ana, ben } = watched({ seed });
    ben.leave();
    world.until(() => counts(world, 2) === "1 1", 2_000);
    world.network.dropSubscription(0, B1);
    world.join("cleo", { board: "b1", via: 1 });
    world.advance(1_500);
    const said = world.record("publish");
    ana.leave();
    world.until(
      () => ofKind(said, "occupancy").some(({ message }) => message.kind === "occupancy" && message.boards[0]?.members === 0),
      1_100,
    );
    world.until(() => counts(world, 2) === "1 1", KNOWN_MS);
    // It says nothing else of a board on which it has nobody, although its roster stays wrong until its next beacon.
    for (let times = 0; times < 100; times++) {
      world.advance(100);
      assert.equal(counts(world, 2), "1 1");
    }
  });
});

test("[R15.6] [R15.32] another instance tells when the one that told is killed or stops; if none has members the board counts 0", () => {
  for (const end of ["kill", "stop"] as const)
    eachSeed(5, (seed) => {
      const { world } = watched({ seed });
      world.advance(2_000);
      world[end](0);
      world.until(() => counts(world, 2) === "1 1", end === "kill" ? 5_500 : CONSTANTS.goodbyeMs + 1_000);
      world.join("cleo", { board: "b1", via: 1 });
      world.until(() => counts(world, 2) === "2 2", 1_100);
      world[end](1);
      world.until(() => counts(world, 2) === "0 0", end === "kill" ? 7_000 : CONSTANTS.goodbyeMs + 2_000);
    });
});

test("[R15.33] an instance that recovers says its counts again: those that it said last may have been lost with its connection", () => {
  eachSeed(5, (seed) => {
    const { world, ana, ben } = watched({ seed });
    world.advance(2_000);
    const teller = world.instance(0).instanceId < world.instance(1).instanceId ? 0 : 1;
    lose(world, ({ from, message }) => from === teller && message.kind === "occupancy");
    (teller === 0 ? ben : ana).leave();
    world.advance(2_000);
    loseNothing(world);
    assert.equal(counts(world, 2), "2 2");
    world.network.reset(teller, "publisher");
    world.until(() => counts(world, 2) === "1 1", HEALTHY.reconnectMsMax + 200);
  });
});

for (const leaves of ["while it hears nothing", "as it hears again"] as const)
  test(`[R15.54] an instance that could not hear for longer than wants hold still says that nobody is left: ${leaves}`, () => {
    eachSeed(5, (seed) => {
      const { world, ana, ben } = watched({ seed });
      ben.leave();
      world.until(() => counts(world, 2) === "1 1", 2_000);
      world.network.deafen(0, { stays: true });
      world.advance(CONSTANTS.wantLeasePeriods * CONSTANTS.wantMs + 5_000);
      if (leaves === "while it hears nothing") ana.leave();
      world.network.mend(0);
      world.until(() => world.instance(0).isConnected && !world.instance(0).isDegraded, 5_000);
      ana.leave();
      world.until(() => counts(world, 2) === "0 0", 2_000);
    });
  });

test("[R15.32] an instance that was given up, came back and told its counts again is noticed when it is gone again", () => {
  eachSeed(5, (seed) => {
    const { world, ben } = watched({ seed });
    ben.leave();
    world.until(() => counts(world, 2) === "1 1", 2_000);
    world.pause(0);
    world.until(() => world.judges(2, 0) === "down", 5_500);
    world.advance(200);
    world.resume(0);
    world.advance(3_000);
    assert.equal(counts(world, 2), "1 1");
    world.kill(0);
    world.until(() => counts(world, 2) === "0 0", 6_500);
  });
});

test("[R15.7] a lost word is said again, and a board of which nothing is heard is asked about", () => {
  const { world } = watched();
  world.advance(2_000);
  world.join("cleo", { board: "b1", via: 0 });
  lose(world, ({ message }) => message.kind === "occupancy");
  world.advance(1_200);
  assert.equal(counts(world, 2), "2 2");
  world.network.faults = HEALTHY;
  world.until(() => counts(world, 2) === "3 3", 1_000);
  world.join("dan", { board: "b1", via: 0 });
  lose(world, ({ message }) => message.kind === "occupancy");
  world.advance(25_000);
  world.network.faults = HEALTHY;
  world.until(() => counts(world, 2) === "4 4", CONSTANTS.wantMs);
  // Nobody is left to say the last word again.
  const { world: other, ana, ben } = watched();
  other.advance(2_000);
  lose(other, ({ message }) => message.kind === "occupancy" && message.boards.length > 0);
  ana.leave();
  ben.leave();
  other.advance(10_000);
  assert.equal(counts(other, 2), "2 2");
  other.advance(2 * CONSTANTS.lingerMs);
  other.network.faults = HEALTHY;
  other.until(() => counts(other, 2) === "0 0", CONSTANTS.wantMs + 2_000);
});

test("[R15.28] [R15.34] asks begin anew within 250 ms when words may have been missed again, and go on as often as one is asked that was not in doubt", () => {
  eachSeed(10, (seed) => {
    const world = new World({ seed, instances: 3 });
    world.advance(CONSTANTS.settlingMs);
    world.watch("b1", 0);
    // The last ask is said at 0.75 s, and nobody else would ask until 1.5 s.
    world.advance(800);
    const said = world.record("publish");
    world.network.reset(0, "subscriber");
    world.until(() => !world.instance(0).isConnected, 20);
    world.until(() => world.instance(0).isConnected, HEALTHY.reconnectMsMax);
    said.length = 0;
    const isAsk = ({ message }: Recorded<"publish">) => message.kind === "want" && message.answer;
    world.until(() => said.some(isAsk), 265);
    world.advance(1_450);
    assert.equal(said.filter(isAsk).length, 3);
  });
});

test("[R15.35] asks about a board come to an end, however often peers ask what is wanted", () => {
  const { world, ana, ben } = watched();
  world.advance(2_000);
  lose(world, ({ message }) => message.kind === "occupancy" && message.boards.length > 0);
  ana.leave();
  ben.leave();
  world.advance(10_000);
  assert.equal(counts(world, 2), "2 2");
  world.network.faults = {
    ...HEALTHY,
    rewrites: ({ message }) => (message.kind === "heartbeat" ? { ...message, wanting: true } : message),
  };
  world.until(() => counts(world, 2) === "0 0", CONSTANTS.occupancySilentMs + 2_000);
});

test("[R15.38] [R15.39] an instance that starts learns what is wanted within 2 s; a want that is lost is said again", () => {
  const world = new World({ seed: 5, instances: 2 });
  world.watch("b1", 0);
  world.advance(20_000);
  const via = world.start();
  world.join("ana", { board: "b1", via });
  world.until(() => counts(world, 0) === "1 1", 2_000);
  const two = new World({ seed: 6, instances: 2 });
  two.join("ana", { board: "b1", via: 1 });
  lose(two, ({ message }) => message.kind === "want");
  two.watch("b1", 0);
  two.advance(300);
  two.network.faults = HEALTHY;
  two.until(() => counts(two, 0) === "1 1", 600);
});

test("[R15.38] [R15.40] a peer that could not hear an instance for a while hears again what it wants, and what it asked", () => {
  const world = new World({ seed: 7, instances: 2 });
  world.join("ana", { board: "b1", via: 1 });
  world.advance(2_000);
  world.network.faults = { ...HEALTHY, loses: ({ from, to }) => from === 0 && to === 1 };
  world.advance(1_000);
  world.watch("b1", 0);
  world.until(() => counts(world, 0) === "0 0", 2_000);
  world.network.faults = HEALTHY;
  world.until(() => counts(world, 0) === "1 1", 1_500);
});

test("[R15.9] [R15.41] a board counts by what others say as soon as no client looks at its roster here", () => {
  for (const [end, seed] of [
    ["leave", 1],
    ["disconnect", 2],
    ["disconnect", 3],
    ["disconnect", 4],
  ] as const) {
    const { world } = watched({ seed });
    const [first] = world.instances
      .map(({ instanceId, index }) => ({ instanceId, index }))
      .sort((a, b) => (a.instanceId < b.instanceId ? -1 : 1));
    const olga = world.join("olga", { board: "b1", via: 2 });
    world.advance(3_000);
    if (end === "leave") olga.leave();
    else olga.disconnect(GRACE_MS.full);
    if (end === "leave" || first?.index !== 2) world.network.dropSubscription(2, B1);
    world.advance(100);
    world.join("cleo", { board: "b1", via: 0 });
    world.until(() => counts(world, 2) === (end === "leave" ? "3 3" : "4 4"), 1_200);
    assert.ok(world.instance(2).boards.has(B1));
  }
});

test("[R15.9] [R15.42] where the board is open its roster counts: nothing is said for it, and nobody is missing while it opens", () => {
  const { world } = watched();
  world.advance(1_000);
  const changes = world.record("occupancy");
  const olga = world.joinToObserve("olga", { board: "b1", via: 2 });
  world.advance(60_000);
  assert.deepEqual([counts(world, 2), changes.length], ["2 2", 0]);
  const said = world.record("publish");
  world.join("cleo", { board: "b1", via: 0 });
  world.advance(30_000);
  assert.equal(counts(world, 2), "3 3");
  assert.deepEqual([...ofKind(said, "want"), ...ofKind(said, "occupancy")], []);
  // After it is given up, it is wanted again.
  olga.leave();
  world.advance(CONSTANTS.lingerMs + 1_000);
  assert.ok(!world.instance(2).boards.has(B1));
  world.join("dan", { board: "b1", via: 0 });
  world.until(() => counts(world, 2) === "4 4", 1_100);
  assert.deepEqual(changes.filter(({ instance }) => instance === 2).length, 2);
});

test("[R15.10] [R15.43] an instance that hears nothing shows counts as last known, for 30 s, and the true ones after its recovery", () => {
  const { world } = watched();
  world.advance(1_000);
  world.network.cut(2);
  world.join("cleo", { board: "b1", via: 0 });
  world.advance(CONSTANTS.clearRemoteMs - 3_000);
  assert.equal(counts(world, 2), "2 2");
  world.advance(6_000);
  assert.equal(counts(world, 2), "0 0");
  world.network.mend(2);
  world.until(() => counts(world, 2) === "3 3", 3_000);
  // Asks that nobody can hear are no answer.
  const beside = boardBeside("b1");
  world.join("dan", { board: beside, via: 0 });
  world.advance(20_000);
  world.network.cut(2, { links: ["publisher"], silently: true });
  world.advance(600);
  world.watch(beside, 2);
  world.advance(1_900);
  assert.equal(counts(world, 2, beside), "undefined undefined");
  world.network.mend(2);
  world.until(() => counts(world, 2, beside) === "1 1", 5_000);
});

test("[R15.11] [R15.44] [R15.46] [R15.48] forged counts are shown until the next word; forged wants cost a word each, and no memory without bound", () => {
  const { world } = watched();
  world.advance(1_000);
  const shard = shardOf(hashOfBoard(B1));
  const forged = { kind: "occupancy", shard, boards: [{ board: B1, members: 4_294_967_295, users: 7 }] } as const;
  const via = world.instance(2);
  via.receive(() => ({ kind: "heard", boardId: undefined, from: world.instance(1).instanceId, link: 1, message: forged }));
  assert.equal(counts(world, 2), "4294967295 7");
  world.until(() => counts(world, 2) === "2 2", CONSTANTS.occupancyPeriodMs + 100);
  const small = watched({ constants: { wantedBoardsMax: 100 } }).world;
  const said = small.record("publish");
  for (let at = 0; at < 200; at++) {
    const boards = Array.from({ length: 50 }, (_, nth) => (at * 50 + nth).toString(16).padStart(16, "0") as BoardHash);
    const want = { kind: "want", leaseMs: 40_000, answer: true, boards: [...boards, hashOfBoard(B1)] } as const;
    small.instance(0).receive(() => ({ kind: "heard", boardId: undefined, from: small.instance(1).instanceId, link: 1, message: want }));
    small.advance(5);
  }
  // A second of floods, at one answer in 100 ms.
  assert.ok(ofKind(said, "occupancy").length <= 12, `${ofKind(said, "occupancy").length}`);
  small.join("cleo", { board: "b1", via: 0 });
  small.until(() => counts(small, 2) === "3 3", 1_100);
});

test("[R15.44] [R15.45] a forged count of a board that nobody is on ends by itself, whether its sender lives or was never there", () => {
  const { world } = watched();
  world.watch("empty", 2);
  const via = world.instance(2);
  for (const from of [world.instance(1).instanceId, OTHER]) {
    world.until(() => counts(world, 2, "empty") === "0 0", 3_000);
    const message = {
      kind: "occupancy",
      shard: shardOf(hashOfBoard("empty" as BoardId)),
      boards: [{ board: "empty" as BoardId, members: 99, users: 9 }],
    } as const;
    via.receive(() => ({ kind: "heard", boardId: undefined, from, link: 1, message }));
    assert.equal(counts(world, 2, "empty"), "99 9");
    world.until(() => counts(world, 2, "empty") === "0 0", CONSTANTS.occupancySilentMs + CONSTANTS.wantMs + 2_000);
  }
});

test("[R15.12] [R15.49] [R15.50] a lost subscription to a shard is noticed by an own word that does not come back, and taken anew", () => {
  const { world, ben } = watched();
  world.advance(1_000);
  const shards = world.record("shard");
  world.network.dropSubscription(2, shardOf(hashOfBoard(B1)));
  ben.leave();
  world.until(() => counts(world, 2) === "1 1", CONSTANTS.wantMs + 3 * CONSTANTS.boardUnechoedMs);
  assert.deepEqual(
    shards.map(({ act, instance }) => `${instance} ${act}`),
    ["2 resubscribe"],
  );
  // A shard on which others speak needs no own word.
  const said = world.record("publish");
  world.advance(60_000);
  assert.deepEqual(
    ofKind(said, "occupancy").filter(({ instance }) => instance === 2),
    [],
  );
});

test("[R15.53] Redis refuses a shard: counts stay as they were, nobody is degraded, and they are right again once it is granted", () => {
  eachSeed(10, (seed) => {
    const { world, ben } = watched({ seed });
    world.advance(1_000);
    world.network.refuse(2, { on: shardOf(hashOfBoard(B1)), links: ["subscriber"] });
    // That ended its connection; the next one recovers, and asks about all boards.
    world.advance(4_000);
    ben.leave();
    for (let second = 0; second < 60; second++) {
      world.advance(1_000);
      assert.equal(counts(world, 2), "2 2", `${second} s`);
    }
    assert.equal(world.instance(2).core.isDegraded, false);
    world.network.mend(2);
    world.until(() => counts(world, 2) === "1 1", 3_000);
    assert.equal(world.differenceInCounts(), undefined);
  });
});

test("[R15.13] [R15.52] an instance tells on for 2 s when another one takes over, and not while it does not know who is there", () => {
  eachSeed(10, (seed) => {
    const world = new World({ seed, instances: 3 });
    const first = world.instance(0).instanceId < world.instance(1).instanceId ? 0 : 1;
    world.watch("b1", 2);
    world.join("ana", { board: "b1", via: 1 - first });
    world.advance(10_000);
    const said = world.record("publish");
    world.join("ben", { board: "b1", via: first });
    world.advance(1_900);
    const told = ofKind(said, "occupancy");
    assert.ok(told.every(({ message }) => message.kind === "occupancy" && message.boards[0]?.members === 2));
    assert.deepEqual(new Set(told.map(({ instance }) => instance)), new Set([0, 1]));
    world.advance(3_000);
    said.length = 0;
    world.join("cleo", { board: "b1", via: 1 - first });
    world.advance(30_000);
    assert.deepEqual(new Set(ofKind(said, "occupancy").map(({ instance }) => instance)), new Set([first]));
    assert.equal(world.differenceInCounts(), undefined);
  });
});
