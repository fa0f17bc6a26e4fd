import { test } from "node:test";
import type { BoardId, Millis } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { clashOfColors } from "../testing/checkers/colors.ts";
import { watchGhosts } from "../testing/checkers/ghosts.ts";
import { watchLeaves } from "../testing/checkers/leaves.ts";
import { differenceInOrder } from "../testing/checkers/order.ts";
import { watchSlices } from "../testing/checkers/slices.ts";
import { HEALTHY } from "../testing/network.ts";
import { eachSeed, World } from "../testing/world.ts";
import type { WorldMember } from "../testing/world-client.ts";
import { CONSTANTS } from "./constants.ts";
import type { Link } from "./effects.ts";

/** For how long things go wrong, in virtual time. */
const TROUBLE_MS: Millis = 30_000;
const BOARDS = ["b1", "b2"];
const PEOPLE = ["ana", "ben", "cleo", "dan", "eve", "finn", "gil", "hugo"];
const GRACES: readonly Millis[] = Object.values(GRACE_MS);

/** R15.14. */
const COUNTS_MS: Millis = 2_000;
const LOOK_MS: Millis = 5;

/** Kinds of trouble, each with the time it takes to heal; each is undone after a while. */
type Trouble = {
  readonly name: string;
  readonly seeds: number;
  readonly begin: ((world: World, victim: number) => void)[];
  /** L1: rosters are equal so long after everything is mended. */
  readonly equalMsMax: Millis;
  /** When rosters happen to be equal, an instance may still be deaf, and miss the next change for so long. */
  readonly differsAgainMsMax?: Millis;
  /** S1 holds all the time. */
  readonly hasHealthyBus?: boolean;
  readonly lossRate?: number;
};

const kill = (world: World, victim: number) => {
  world.kill(victim);
  world.start();
};
const pause = (world: World, victim: number) => world.pause(victim);
const goAway = (world: World, victim: number) => {
  world.stop(victim);
  world.start();
};
const killRedis = (world: World) => world.network.stopRedis("killed");
const pauseRedis = (world: World) => world.network.stopRedis("paused");
const cut = (world: World, victim: number) => world.network.cut(victim);
const cutSilently = (world: World, victim: number) => world.network.cut(victim, { silently: true });
const cutPublisher = (world: World, victim: number) => world.network.cut(victim, { links: ["publisher"] });
const hangPublisher = (world: World, victim: number) => world.network.hang(victim, "publisher");
const hangSubscriber = (world: World, victim: number) => world.network.hang(victim, "subscriber");
const reset = (world: World, victim: number) => world.network.reset(victim, "subscriber");
const mute = (world: World, victim: number) => world.network.mute(victim);
const muteForLong = (world: World, victim: number) => world.network.mute(victim, { stays: true });
const split = (world: World, victim: number) => world.network.split([victim]);
const deafen = (world: World, victim: number) => world.network.deafen(victim);
const deafenForLong = (world: World, victim: number) => world.network.deafen(victim, { stays: true });
const dropSubscription = (world: World, victim: number) => {
  for (const boardId of world.instance(victim).boards) world.network.dropSubscription(victim, boardId);
};

const refuse =
  (on: "board" | "boards" | "everything", links?: readonly Link[], quietly = false) =>
  (world: World, victim: number) =>
    world.network.refuse(victim, { on: on === "board" ? (one(world, BOARDS) as BoardId) : on, quietly, ...(links && { links }) });
/** Subscriptions are lost, and may not be taken anew. */
const loseRight = (world: World, victim: number) => {
  dropSubscription(world, victim);
  refuse("boards", ["subscriber"], true)(world, victim);
};

const INSTANCES = [kill, pause, goAway];
const LINKS = [killRedis, pauseRedis, cut, cutPublisher, reset];
const RIGHTS = [
  refuse("board"),
  refuse("board", ["subscriber"]),
  refuse("board", ["publisher"]),
  refuse("boards"),
  refuse("everything", ["subscriber"]),
  refuse("everything", ["publisher"]),
];
const SILENCE = [cutSilently, hangPublisher, hangSubscriber, mute, muteForLong, split, deafen, deafenForLong];
/** The longest that a beacon and its repair take to come. */
const BEACON_MS: Millis = 20_000;

const TROUBLES: readonly Trouble[] = [
  { name: "clients alone", seeds: 60, begin: [], equalMsMax: 500, hasHealthyBus: true },
  // People of an instance that said goodbye are shown for 5 s.
  {
    name: "instances die, stall and go away",
    seeds: 150,
    begin: INSTANCES,
    equalMsMax: CONSTANTS.goodbyeMs + 500,
    hasHealthyBus: true,
  },
  { name: "connections and Redis are lost", seeds: 200, begin: LINKS, equalMsMax: 2_400 },
  { name: "connections fail and nobody is told", seeds: 150, begin: SILENCE, equalMsMax: 5_000 },
  { name: "Redis refuses boards, or everything", seeds: 150, begin: RIGHTS, equalMsMax: 3_000 },
  { name: "messages are lost and doubled", seeds: 150, begin: [], equalMsMax: 5_000, lossRate: 0.05 },
  {
    name: "everything at once",
    seeds: 250,
    begin: [...INSTANCES, ...LINKS, ...SILENCE, ...RIGHTS],
    equalMsMax: BEACON_MS,
    lossRate: 0.01,
  },
  // An instance that is alone on a board sends beacons three times as rarely, so it notices late.
  {
    name: "subscriptions and messages are lost",
    seeds: 150,
    begin: [dropSubscription, loseRight],
    equalMsMax: 3 * BEACON_MS,
    differsAgainMsMax: 3 * BEACON_MS,
    lossRate: 0.02,
  },
];

for (const trouble of TROUBLES) {
  test(`[L1] [R15.14] [R18.3] [R18.12] ${trouble.name}: afterwards all rosters equal the union of slices within ${trouble.equalMsMax / 1000} s, in one order, and no two persons share a colour`, (t) => {
    let worstMs = 0;
    let countedMsMax = 0;
    eachSeed(trouble.seeds, (seed) => {
      const { tookMs, countedMs } = run(trouble, seed);
      worstMs = Math.max(worstMs, tookMs);
      countedMsMax = Math.max(countedMsMax, countedMs);
    });
    t.diagnostic(
      `${trouble.seeds} seeds, equal after ${Math.round(worstMs)} ms at the latest, and counts ${Math.round(countedMsMax)} ms later`,
    );
  });
}

test("[bounds] ten instances with a hundred boards are equal 2 s after the last of them has reconnected", () => {
  // A tenth of the boards at a tenth of the pace: these pairs take as long as 10 × 1 000 pairs.
  const constants = { recoveryPairsPerSecond: CONSTANTS.recoveryPairsPerSecond / 10 };
  eachSeed(3, (seed) => {
    const world = new World({ seed, instances: 10, constants });
    const boards = Array.from({ length: 100 }, (_, index) => `b${index}`);
    const members = boards.flatMap((board, index) =>
      [0, 3, 7].map((via) => world.join(`${board}-${via}`, { board, via: (index + via) % 10 })),
    );
    world.untilEqual(2_000);
    world.network.stopRedis("killed");
    world.advance(2_000);
    for (const member of members) if (world.random.next() < 0.3) member.update({ status: "idle" });
    for (const member of members) if (world.random.next() < 0.3) member.leave();
    world.advance(8_000);
    world.network.startRedis();
    world.until(() => world.instances.every(({ isConnected }) => isConnected), 2_000);
    world.untilEqual(2_000);
  });
});

test("[bounds] who joins is visible elsewhere within 50 ms", () => {
  eachSeed(50, (seed) => {
    const world = new World({ seed, instances: 3 });
    world.join("ana", { board: "b1", via: 0 });
    world.advance(world.random.between(100, 20_000));
    // Ben is the first member at this instance, which has to subscribe before it speaks.
    world.join("ben", { board: "b1", via: 1 });
    world.untilEqual(50);
    world.advance(world.random.between(100, 20_000));
    world.join("cleo", { board: "b1", via: 1 });
    world.untilEqual(10);
  });
});

/** Answers how long it took until rosters were equal. To look into one seed, call this with it. */
function run(trouble: Trouble, seed: number): { readonly tookMs: Millis; readonly countedMs: Millis } {
  const faults = { lossRate: trouble.lossRate ?? 0, duplicateRate: trouble.lossRate ?? 0 };
  const world = new World({ seed, instances: 3, faults });
  watchSlices(world);
  watchLeaves(world);
  if (trouble.hasHealthyBus === true) watchGhosts(world);
  const end = world.now + TROUBLE_MS;
  const members = PEOPLE.map((name, index) =>
    world.join(name, { board: one(world, BOARDS), via: index % 3, ...(index % 4 === 3 && { user: "one of two" }) }),
  );
  while (world.now < end) {
    world.advance(world.random.between(0, 600));
    act(world, one(world, members));
    if (world.random.next() < 0.1) world[one(world, ["watch", "watch", "unwatch"] as const)](one(world, BOARDS), one(world, living(world)));
    if (world.random.next() < 0.15 && trouble.begin.length > 0) befall(world, trouble);
  }
  world.network.faults = HEALTHY;
  world.network.startRedis();
  world.network.mendAll();
  for (const instance of world.instances) instance.resume();
  const tookMs = world.untilEqual(trouble.equalMsMax);
  const countedMs = untilCountsEqual(world);
  // Nothing that is still under way, and no grace that runs out, makes them differ again.
  world.advance(GRACE_MS.full + 5_000);
  world.untilEqual(trouble.differsAgainMsMax ?? 0);
  untilCountsEqual(world);
  const disorder = differenceInOrder(world);
  if (disorder !== undefined) world.fail(`R18.3: ${disorder}`);
  const clash = clashOfColors(world);
  if (clash !== undefined) world.fail(`R18.12: ${clash}`);
  // Every instance told the truth: although messages were lost, doubled or late, none contradicted what was held (R3, R4).
  for (const { index, counted } of world.instances)
    if (counted.divergence !== undefined || counted.forged !== undefined)
      world.fail(`instance ${index} was contradicted: ${JSON.stringify(counted)}`);
  return { tookMs, countedMs };
}

/**
 * R15.14. Where nobody is on a board any more its rosters are equal at once, whoever has still to recover, and a viewer that joined would
 * still be shown the members of an instance that died.
 */
function untilCountsEqual(world: World): Millis {
  world.until(
    () => world.areEndsKnown && world.saidMissingAt <= world.now,
    CONSTANTS.goodbyeMs + 500,
    () => "every instance knows which others have ended, and has said whether it may have missed words",
  );
  const from = world.now;
  for (let difference = world.differenceInCounts(); difference !== undefined; difference = world.differenceInCounts()) {
    const mayDifferUntil = Math.max(from, world.saidMissingAt) + COUNTS_MS;
    if (world.now >= mayDifferUntil) world.fail(`R15.14: ${difference}`);
    world.advance(LOOK_MS);
  }
  return world.now - from;
}

/** One act of a person: they come, change, go, or come back elsewhere, whether or not their old instance has noticed. */
function act(world: World, member: WorldMember): void {
  const { session } = member;
  const via = one(world, living(world));
  if (!session.connection.isOpen || session.isSuperseded) return member.resume({ via });
  const what = world.random.next();
  if (what < 0.3)
    member.update({
      status: one(world, ["active", "idle"]),
      area: one(world, ["", "slide-1"]),
      state: { tool: one(world, ["pen", "ink"]) },
    });
  else if (what < 0.45) member.move(world.random.between(0, 9), 1);
  else if (what < 0.55) member.resume({ via });
  else if (what < 0.65) member.leave();
  else if (what < 0.75) member.join();
  else if (what < 0.85) member.disconnect(one(world, GRACES));
  else session.loseAbandoned(GRACE_MS.full);
}

function befall(world: World, { begin }: Trouble): void {
  const victim = one(world, living(world));
  one(world, begin)(world, victim);
  world.after(world.random.between(100, 8_000), () => {
    world.network.startRedis();
    world.network.mend(victim);
    world.resume(victim);
  });
}

function living(world: World): number[] {
  return world.instances.filter(({ state }) => state !== "gone").map(({ index }) => index);
}

function one<T>(world: World, choices: readonly T[]): T {
  return choices[Math.floor(world.random.next() * choices.length)] as T;
}
