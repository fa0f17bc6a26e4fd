/** Faults that long outages brought to light. Each test repeats one run of the simulator, as it drew them when the fault was found, and names its kind of trouble and its seed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { watchLeaves } from "../testing/checkers/leaves.ts";
import { watchSlices } from "../testing/checkers/slices.ts";
import type { Delivery } from "../testing/network.ts";
import { asksBy, B1, isTo, lose, loseNothing, settled } from "../testing/settled.ts";
import { eachSeed, World } from "../testing/world.ts";
import { CONSTANTS } from "./constants.ts";

/** The bound is "ten instances with a hundred boards are equal 2 s after the last of them has reconnected"; these are far smaller. */
const EQUAL_MS = 1_500;

/** Ana at instance 0 and zoe at 2 are on b1; instance 1 is not. */
function apart(seed = 1) {
  const world = new World({ seed, instances: 3 });
  watchSlices(world);
  watchLeaves(world);
  const ana = world.join("ana", { board: "b1", via: 0 });
  const zoe = world.join("zoe", { board: "b1", via: 2 });
  world.advance(3_000);
  return { world, ana, zoe };
}

/** Rosters may happen to be equal before anything was heard: so they must be equal at that time, and stay so. */
function assertEqualInTime(world: World): void {
  world.until(() => world.instances.every(({ isConnected }) => isConnected), 2_000);
  world.advance(EQUAL_MS);
  world.untilEqual(0);
}

test("[R11.4] an end that nobody has heard is remembered for longer than one that all have heard", () => {
  // redis 333: p58 was shown reconnecting for 9 s at its first instance, which had not heard that it had moved and left.
  // outages 66: p54 was shown reconnecting for 14 s by an instance that had slept through its move and its leave, in an outage.
  const { world, ana } = apart();
  world.network.stopRedis("paused");
  ana.resume({ via: 1 });
  world.advance(1_000);
  ana.leave();
  world.pause(0);
  world.advance(CONSTANTS.endedMs + 30_000);
  world.resume(0);
  world.network.startRedis();
  assertEqualInTime(world);
});

test("[R3] what an abandoned connection brings back after a long pause of Redis goes at once, though its owner left the board meanwhile", () => {
  // redis 362: p39 came back out of a buffer as the whole slice of an owner that could not be asked any more, and was shown for 4.8 s.
  const { world, zoe } = apart();
  const ben = world.join("ben", { board: "b1", via: 1 });
  world.advance(1_000);
  ben.leave();
  world.advance(1_000);
  world.network.stopRedis("paused");
  // A heartbeat is first in the buffer, so the owner counts as up again when the slice comes.
  world.advance(1_000);
  ben.join();
  world.advance(10_000);
  ben.leave();
  world.advance(CONSTANTS.lingerMs + 15_000);
  zoe.log.length = 0;
  world.network.startRedis();
  world.advance(20);
  assert.ok(zoe.log.includes("+ben"), "nothing was in a buffer, so this proves nothing");
  assertEqualInTime(world);
});

test("[R11.5] a board whose last change does not come back is given up at last; one whose change came back, after its time", () => {
  const { world, ana } = apart();
  ana.leave();
  world.advance(CONSTANTS.lingerMs + 1_000);
  assert.equal(world.instance(0).boards.size, 0);
  world.network.stopRedis("killed");
  const ben = world.join("ben", { board: "b2", via: 0 });
  ben.leave();
  world.advance(CONSTANTS.lingerUnechoedMs - 1_000);
  assert.equal(world.instance(0).boards.size, 1);
  world.advance(2_000);
  assert.equal(world.instance(0).boards.size, 0);
});

/** Picks the messages of that instance to instance 0 that change a slice: these are lost. */
function deafTo(from: number) {
  return (delivery: Delivery) => delivery.from === from && isTo(0, "delta", "replay", "snapshot")(delivery);
}

test("[R4.9] a doubt that begins while other owners are asked again and again is asked about at once, and does not hasten them", () => {
  // redis 4: p18 was shown leaving, since the slice it had moved to was not asked for within the second in which a move may take place.
  eachSeed(20, (seed) => {
    const { world, ana, ben, others } = settled({ seed, instances: 3 });
    const said = world.record("publish");
    lose(world, deafTo(2));
    others[0]?.update({ status: "idle" });
    world.advance(world.random.between(4_000, 6_000));
    lose(world, (delivery) => deafTo(2)(delivery) || deafTo(1)(delivery));
    ben.update({ status: "idle" });
    world.advance(20);
    lose(world, deafTo(2));
    ben.update({ state: { tool: "pen" } });
    world.until(() => ana.sees("ben")?.status === "idle", CONSTANTS.askMsMax + 20);
    world.advance(2_000);
    const { instanceId } = world.instance(2);
    const asks = asksBy(said, 0).filter(
      ({ message }) => "asks" in message && message.asks !== "all" && message.asks.some(({ owner }) => owner === instanceId),
    );
    const last = asks.slice(-3).map(({ at }) => at);
    for (const [index, at] of last.slice(1).entries())
      assert.ok(at - (last[index] ?? 0) >= CONSTANTS.askBackoffMsMax, `asked again after ${at - (last[index] ?? 0)} ms`);
  });
});

test("[R4.10] an owner that did not answer and asks itself is asked again at once: it can hear now", () => {
  // redis 19: two instances that had judged each other down asked too early, and then waited for 1.25 s.
  eachSeed(20, (seed) => {
    const { world, ana, ben } = settled({ seed });
    lose(world, deafTo(1));
    ben.update({ status: "idle" });
    world.advance(world.random.between(4_000, 6_000));
    assert.equal(ana.sees("ben")?.status, "active");
    const said = world.record("publish");
    loseNothing(world);
    world.network.reset(1, "subscriber");
    const askedAll = () => said.some(({ instance, message }) => instance === 1 && message.kind === "sync" && message.asks === "all");
    world.until(() => askedAll() || ana.sees("ben")?.status === "idle", 1_000);
    world.until(() => ana.sees("ben")?.status === "idle", CONSTANTS.askMsMax + 20);
  });
});

test("[R11.12] a member that a snapshot neither holds nor ends was superseded: shown reconnecting until its new entry comes", () => {
  // redis 6: p36 had moved during an outage; the snapshot of its former owner came 50 ms before that of its new one, and it was shown leaving.
  const { world, ana, others } = settled({ instances: 3 });
  const cleo = others[0];
  assert.ok(cleo);
  cleo.log.length = 0;
  const isOfNew = (delivery: Delivery) => delivery.from === 1 && isTo(2, "delta", "replay", "snapshot")(delivery);
  lose(world, (delivery) => isOfNew(delivery) || (delivery.from === 0 && isTo(2, "delta")(delivery)));
  ana.resume({ via: 1 });
  world.until(() => cleo.sees("ana")?.status !== "active", 600);
  loseNothing(world);
  world.untilEqual(600);
  assert.deepEqual(cleo.log, ["~ana reconnecting", "~ana active"]);
});

test("[R9.14] an instance that has lost a subscription looks right until somebody changes, and is right again after its next beacon", () => {
  // subscriptions 15: p21's grace ended 0.8 s after all rosters had been equal, and instance 1, which had been deaf to that board before, showed it for 4 s.
  const { world, ben } = settled();
  world.network.dropSubscription(0, B1);
  world.untilEqual(0);
  ben.update({ status: "idle" });
  world.advance(1_000);
  assert.notEqual(world.difference(), undefined);
  const { beaconMsMin, beaconJitter, boardUnechoedMs, askMsMax } = CONSTANTS;
  world.untilEqual(beaconMsMin * (1 + beaconJitter) + boardUnechoedMs + askMsMax);
  world.advance(60_000);
  world.untilEqual(0);
});
