import assert from "node:assert/strict";
import { test } from "node:test";
import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Input, RosterChange } from "../core/effects.ts";
import type { BusMessage } from "../core/messages.ts";
import { Random } from "../core/random.ts";
import { watchEvents } from "./checkers/events.ts";
import { type Delivery, type Faults, HEALTHY, Network } from "./network.ts";
import { View } from "./view.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { eachSeed, World } from "./world.ts";
import { memberIdOf, memberOf } from "./world-client.ts";

const B1 = "b1" as BoardId;

/** A network with instances that only record the inputs of their sockets. */
function wired(count: number, faults: Partial<Faults> = {}) {
  const clock = new VirtualClock();
  const network = new Network({ clock, random: new Random(1), faults: { ...HEALTHY, ...faults } });
  const inputs: Input[][] = [];
  for (let index = 0; index < count; index++) {
    const read: Input[] = [];
    inputs.push(read);
    network.attach(`instance-${index}` as InstanceId, (input) => {
      const said = input();
      if (said !== undefined) read.push(said);
    });
    network.subscribe(index, B1);
  }
  const advance = (ms: Millis) => {
    const end = clock.now + ms;
    while (clock.next() <= end) clock.runNext();
    clock.jumpTo(end);
  };
  advance(200);
  /** Each named instance publishes a number; returns the messages that each instance hears, as sender and number. */
  let number = 0;
  const say = (...instances: number[]) => {
    for (const instance of instances) network.publish(instance, B1, event(number++));
  };
  const heard = (instance: number) =>
    (inputs[instance] ?? []).flatMap((input) =>
      input.kind === "heard" && input.message.kind === "event" ? [`${input.from.at(-1)}:${input.message.slot}`] : [],
    );
  const links = (instance: number) =>
    (inputs[instance] ?? []).flatMap((input) =>
      input.kind === "link_up" || input.kind === "link_down" ? [`${input.kind} ${input.link}`] : [],
    );
  const forget = () => {
    for (const read of inputs) read.length = 0;
  };
  return { clock, network, inputs, advance, say, heard, links, forget };
}

function event(slot: number): BusMessage {
  return { kind: "event", slot, name: "n", data: null };
}

test("events run in the order of their times, then in the order they were asked for; the clock never goes back", () => {
  const clock = new VirtualClock();
  const ran: string[] = [];
  const random = new Random(1);
  const times = Array.from({ length: 200 }, () => Math.floor(random.between(0, 20)));
  for (const [order, at] of times.entries()) clock.at(at, () => ran.push(`${clock.now}:${order}`));
  while (clock.next() < Number.POSITIVE_INFINITY) clock.runNext();
  const expected = [...times.entries()].sort(([a, at], [b, bt]) => at - bt || a - b).map(([order, at]) => `${at}:${order}`);
  assert.deepEqual(ran, expected);
  clock.at(5, () => ran.push("late"));
  clock.jumpTo(100);
  assert.equal(clock.now, 19);
  clock.runNext();
  assert.deepEqual([clock.now, ran.at(-1)], [19, "late"]);
});

// The network.

test("both links come up, the subscriber after its subscriptions; nothing of a board comes before its confirmation", () => {
  const { inputs, links, network, say, advance, heard } = wired(2);
  assert.deepEqual(links(0).toSorted(), ["link_up publisher", "link_up subscriber"]);
  const kinds = inputs[0]?.map(({ kind }) => kind) ?? [];
  assert.ok(kinds.indexOf("subscribed") < kinds.lastIndexOf("link_up") || kinds.at(-1) === "link_up");
  for (let round = 0; round < 50; round++) {
    network.unsubscribe(0, B1);
    advance(20);
    inputs[0]?.splice(0);
    network.subscribe(0, B1);
    for (let index = 0; index < 5; index++) {
      say(1);
      advance(2);
    }
    advance(20);
    assert.equal(inputs[0]?.[0]?.kind, "subscribed");
  }
  assert.ok(heard(0).length > 0);
});

test("each instance hears all messages, its own too, in the order of each sender", () => {
  const { say, heard, advance } = wired(3, { latencyMsMin: 0, latencyMsMax: 200 });
  for (let round = 0; round < 50; round++) {
    say(0, 1, 2);
    advance(10);
  }
  advance(1_000);
  let isInterleaved = false;
  for (const instance of [0, 1, 2]) {
    const all = heard(instance);
    for (const sender of ["0", "1", "2"]) {
      const its = all.filter((line) => line.startsWith(sender)).map((line) => Number(line.slice(2)));
      assert.deepEqual([its.length, its], [50, its.toSorted((a, b) => a - b)]);
    }
    isInterleaved ||= all.join() !== heard(0).join();
  }
  assert.ok(isInterleaved, "there is no order across senders");
});

test("a publish is answered with the number of subscribers it reached", () => {
  const { network, say, inputs, advance, forget } = wired(3);
  network.unsubscribe(2, B1);
  advance(10);
  forget();
  say(2);
  advance(10);
  assert.deepEqual(inputs[2], [{ kind: "published", boardId: B1, receivers: 2 }]);
  assert.equal(network.oldestUnansweredMs(2), 0);
});

test("messages are lost, doubled and rewritten per subscriber", () => {
  const { network, say, heard, advance, forget } = wired(2);
  network.faults = { ...HEALTHY, loses: ({ to }) => to === 1 };
  say(0);
  advance(10);
  assert.deepEqual([heard(0), heard(1)], [["0:0"], []]);
  network.faults = { ...HEALTHY, duplicateRate: 1, rewrites: ({ to, message }) => (to === 1 ? event(99) : message) };
  forget();
  say(0);
  advance(10);
  assert.deepEqual(
    [heard(0), heard(1)],
    [
      ["0:1", "0:1"],
      ["0:99", "0:99"],
    ],
  );
  network.faults = { ...HEALTHY, lossRate: 0.5 };
  forget();
  for (let round = 0; round < 200; round++) say(0);
  advance(100);
  assert.ok(heard(1).length > 60 && heard(1).length < 140);
});

test("cut: both links go down, and up again after it is mended", () => {
  const { network, say, heard, links, advance, forget } = wired(2);
  forget();
  network.cut(1);
  say(0, 1);
  advance(3_000);
  assert.deepEqual([heard(0), heard(1), links(1)], [["0:0"], [], ["link_down publisher", "link_down subscriber"]]);
  network.mend(1);
  advance(1_100);
  say(0, 1);
  advance(10);
  assert.deepEqual([heard(0).slice(1).toSorted(), heard(1).toSorted(), links(1).length], [["0:2", "1:3"], ["0:2", "1:3"], 4]);
});

test("cut silently: no event is reported, publishes stay unanswered, a recycled link stays down; waiting messages come late", () => {
  const { network, say, heard, links, advance, forget } = wired(2);
  forget();
  network.cut(1, { silently: true });
  say(0, 1);
  advance(3_000);
  assert.deepEqual([heard(0), heard(1), links(1), network.oldestUnansweredMs(1)], [["0:0"], [], [], 3_000]);
  network.recycle(1, "subscriber");
  advance(3_000);
  assert.deepEqual(links(1), ["link_down subscriber"]);
  network.mend(1);
  advance(1_100);
  assert.deepEqual(
    [heard(0), heard(1), links(1), network.oldestUnansweredMs(1)],
    [["0:0", "1:1"], [], ["link_down subscriber", "link_up subscriber"], 0],
  );
});

test("a recycled publisher has a higher link number; commands that waited in the old one are executed when it is mended", () => {
  const { network, say, inputs, advance, forget } = wired(2);
  network.hang(0, "publisher");
  say(0);
  network.recycle(0, "publisher");
  advance(100);
  forget();
  say(0);
  advance(10);
  network.mend(0);
  advance(10);
  const heard = inputs[1]?.flatMap((input) =>
    input.kind === "heard" && input.message.kind === "event" ? [[input.link, input.message.slot]] : [],
  );
  assert.deepEqual(heard, [
    [2, 1],
    [1, 0],
  ]);
});

test("mute: the instance hears all and only itself hears it, until its publisher is recycled", () => {
  const { network, say, heard, advance, forget } = wired(3);
  forget();
  network.mute(1);
  say(0, 1);
  advance(10);
  assert.deepEqual([heard(0), heard(1).toSorted(), heard(2)], [["0:0"], ["0:0", "1:1"], ["0:0"]]);
  network.recycle(1, "publisher");
  advance(100);
  forget();
  say(1);
  advance(10);
  assert.deepEqual([heard(0), heard(1), heard(2)], [["1:2"], ["1:2"], ["1:2"]]);
  // It stays mute: a recycled link leads to the same server again.
  network.mute(1, { stays: true });
  network.recycle(1, "publisher");
  advance(100);
  forget();
  say(1);
  advance(10);
  assert.deepEqual([heard(0), heard(1)], [[], ["1:3"]]);
});

test("split: two sides do not hear each other; deaf: an instance does not even hear itself", () => {
  const { network, say, heard, advance, forget } = wired(4);
  forget();
  network.split([2, 3]);
  network.deafen(1);
  say(0, 2);
  advance(10);
  assert.deepEqual([heard(0), heard(1), heard(2), heard(3)], [["0:0"], [], ["2:1"], ["2:1"]]);
  network.recycle(1, "subscriber");
  network.mendAll();
  advance(100);
  forget();
  say(1);
  advance(10);
  assert.deepEqual([0, 1, 2, 3].map(heard), Array(4).fill(["1:2"]));
});

test("a subscription that Redis has forgotten is silent until it is taken anew", () => {
  const { network, say, heard, inputs, advance, forget } = wired(2);
  network.dropSubscription(1, B1);
  forget();
  say(0);
  network.publish(0, undefined, { kind: "goodbye" });
  advance(10);
  assert.deepEqual([heard(1), inputs[1]?.map(({ kind }) => kind)], [[], ["heard"]]);
  network.resubscribe(1, B1);
  advance(20);
  say(0);
  advance(10);
  assert.deepEqual(heard(1), ["0:1"]);
});

test("Redis paused: all waits and is executed later; killed: all is lost, links go down and come back", () => {
  const { network, say, heard, links, advance, forget } = wired(2);
  forget();
  network.stopRedis("paused");
  say(0);
  advance(2_000);
  assert.deepEqual([heard(1), network.oldestUnansweredMs(0)], [[], 2_000]);
  network.startRedis();
  advance(10);
  assert.deepEqual([heard(1), network.oldestUnansweredMs(0), links(0)], [["0:0"], 0, []]);
  network.stopRedis("killed");
  say(0);
  advance(2_000);
  network.startRedis();
  advance(1_100);
  say(0);
  advance(10);
  assert.deepEqual(heard(1), ["0:0", "0:2"]);
  assert.deepEqual(links(1).toSorted(), ["link_down publisher", "link_down subscriber", "link_up publisher", "link_up subscriber"]);
});

// The World.

test("a run of one seed is the same every time, and differs from a run of another seed", () => {
  const play = (seed: number) => {
    const world = new World({ seed, instances: 3, faults: { lossRate: 0.1, duplicateRate: 0.1 } });
    const said = world.record("publish");
    const ana = world.join("ana", { board: "b1", via: 0 });
    world.join("ben", { board: "b1", via: 1 });
    world.advance(2_000);
    world.network.stopRedis("killed");
    world.advance(3_000);
    world.network.startRedis();
    ana.resume({ via: 2 });
    world.advance(10_000);
    return JSON.stringify(said);
  };
  assert.equal(play(1), play(1));
  assert.notEqual(play(1), play(2));
});

test("an instance that was paused reads its sockets before its timers fire; a killed instance is silent", () => {
  const world = new World({ seed: 1, instances: 2 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  const ben = world.join("ben", { board: "b1", via: 1 });
  world.advance(3_000);
  world.pause(0);
  ben.update({ status: "idle" });
  ana.update({ state: { asleep: true } });
  world.advance(1_000);
  assert.deepEqual([ana.sees("ben")?.status, ana.sees("ana")?.state], ["active", {}]);
  const said = world.record("publish");
  world.resume(0);
  assert.deepEqual([ana.sees("ben")?.status, ana.sees("ana")?.state], ["idle", { asleep: true }]);
  assert.deepEqual(
    said.map(({ message }) => message.kind),
    ["delta"],
  );
  world.kill(0);
  said.length = 0;
  world.advance(5_000);
  assert.ok(said.every(({ instance }) => instance === 1));
  ana.update({ status: "idle" });
  assert.equal(ana.session.connection.isOpen, false);
});

test("the truth holds members that are connected or within their grace at a live instance, by the highest attempt that is not ended", () => {
  const world = new World({ seed: 1, instances: 3 });
  const [ana, ben, cleo] = ["ana", "ben", "cleo"].map((name, via) => world.join(name, { board: "b1", via, state: { via } }));
  assert.deepEqual(world.union("b1"), ["ana", "ben", "cleo"]);
  ben?.disconnect(3_000);
  assert.deepEqual(
    world.members("b1").map(({ status }) => status),
    ["active", "reconnecting", "active"],
  );
  world.advance(3_000);
  assert.deepEqual(world.union("b1"), ["ana", "cleo"]);
  // Half-open at instance 0 and connected at 1: this is one member, and a leave at 1 ends both entries.
  ana?.resume({ via: 1 });
  world.advance(100);
  ana?.update({ state: { moved: true } });
  assert.deepEqual(world.members("b1")[0]?.state, { moved: true, via: 0 });
  ana?.leave();
  assert.deepEqual(world.union("b1"), ["cleo"]);
  world.kill(2);
  assert.deepEqual([world.union("b1"), cleo?.session.connection.isOpen], [[], false]);
});

test("a grace that runs out while its instance sleeps ends when it wakes", () => {
  const world = new World({ seed: 1, instances: 2 });
  const ana = world.join("ana", { board: "b1", via: 0 });
  world.advance(100);
  ana.disconnect(3_000);
  world.pause(0);
  world.advance(10_000);
  assert.deepEqual(world.union("b1"), ["ana"]);
  world.resume(0);
  assert.deepEqual(world.union("b1"), []);
  world.untilEqual(100);
});

test("until returns the time it took, and fails with its seed", () => {
  const world = new World({ seed: 77, instances: 1 });
  let isDue = false;
  world.after(40, () => {
    isDue = true;
  });
  assert.equal(
    world.until(() => isDue, 100),
    40,
  );
  assert.throws(
    () =>
      world.until(
        () => false,
        100,
        () => "the moon",
      ),
    /seed 77, \d+ ms: not within 100 ms: the moon/,
  );
  assert.throws(() => eachSeed(5, (seed) => assert.ok(seed < 3, "too high")), /seed 3 fails: too high/);
});

test("differences are described in words", () => {
  const world = new World({ seed: 1, instances: 2 });
  world.join("ana", { board: "b1", via: 0 });
  world.advance(100);
  world.network.stopRedis("killed");
  world.join("ben", { board: "b1", via: 1 });
  world.advance(200);
  assert.match(world.difference() ?? "", /ana at instance 0 sees ana active \{\} on b1, there are ana active \{\},ben active \{\}/);
});

// S6: every client of a World checks it.

test("[S6] a client fails on a change that does not fit its view", () => {
  const [ana, ben] = [memberOf("ana"), memberOf("ben")];
  const joined = (actor: number, member = ben): RosterChange => ({ change: "joined", actor, member });
  const cases: [RosterChange[], RegExp | undefined][] = [
    [[joined(2), { change: "left", actor: 2, reason: "left" }, joined(2)], undefined],
    [[{ change: "updated", actor: 1, patch: { status: "idle" }, member: { ...ana, status: "idle" } }], undefined],
    [[joined(1)], /enters as actor 1, which somebody is already/],
    [[joined(2, ana)], /ana enters and never left/],
    [[joined(2), joined(3)], /ben enters and never left/],
    [[{ change: "left", actor: 2, reason: "left" }], /actor 2 leaves and was never introduced/],
    [[{ change: "updated", actor: 1, patch: { status: "idle" }, member: ana }], /does not lead to/],
    [
      [{ change: "updated", actor: 1, patch: { memberId: ben.memberId }, member: { ...ana, memberId: ben.memberId } }],
      /becomes another member/,
    ],
  ];
  for (const [changes, complaint] of cases) {
    const view = new View([{ actor: 1, member: ana }]);
    const tell = () => {
      for (const change of changes) view.apply(change);
    };
    if (complaint === undefined) tell();
    else assert.throws(tell, complaint);
  }
  const view = new View([{ actor: 1, member: ana, at: { x: 1, y: 1 } }]);
  assert.throws(() => view.move([2, 0, 0]), /actor 2 moves and was never introduced/);
  assert.match(view.differsFrom([{ actor: 1, member: { ...ana, status: "idle" } }]) ?? "", /actor 1 is/);
  assert.match(view.differsFrom([]) ?? "", /knows 1 members, not 0/);
});

test("[R21.5] an event that comes twice is reported, as is one that is not told to whom it names", () => {
  for (const [spoil, what] of [
    [{ duplicateRate: 1 }, /R21\.5: event 0 on b1 comes after event 0 of its sender to ben/],
    [
      { rewrites: ({ message }: Delivery) => (message.kind === "event" ? { ...message, memberIds: [memberIdOf("cleo")] } : message) },
      /R21\.1: event 0 on b1 is for, and not told to, ben/,
    ],
  ] as const) {
    const world = new World({ seed: 1, instances: 2 });
    watchEvents(world);
    const [ana] = ["ana", "ben", "cleo"].map((name, index) => world.join(name, { board: "b1", via: Math.min(index, 1) }));
    world.advance(3_000);
    world.network.faults = { ...HEALTHY, ...spoil };
    const recipients = { memberIds: [memberIdOf("ben")] };
    const traced = { number: 0, by: memberIdOf("ana"), over: ana?.session.connection.id ?? 0, for: recipients };
    ana?.broadcast("wave", traced, recipients);
    assert.throws(() => world.advance(100), what);
  }
});
