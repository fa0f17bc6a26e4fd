/**
 * Instances and boards at rest cost so much on the bus, in messages and bytes per second, counted on a fake clock: docs/REPLICATION.md has the table. Nothing is
 * said of sockets. A bound is the count of today and a little; lower it when the count falls, and raise it only for a reason that the commit tells.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, Desk } from "../testing/desk.ts";

/** Beacons after the joins are over, and boards have come to rest. */
const SETTLE_S = 120;
/** Twenty periods of beacons. */
const COUNTED_S = 300;
const ANSWER_EVERY_MS = 500;

/** Bytes are those of messages: Redis's own protocol and the channel's name come on top. */
type Rest = { readonly publishes: number; readonly bytes: number; readonly deliveredBytes: number };

/** Per second, of all instances together. Members of each board are on the first `spread` instances in turn. */
async function rest(instances: number, boards = 0, size = 0, spread = instances): Promise<Rest> {
  const first = await Desk.open();
  const desks = [first];
  while (desks.length < instances) desks.push(await Desk.open({ beside: first }));
  const { clock } = first;
  clock.advance(3000);
  const people: Client[] = [];
  for (let nth = 0; nth < boards * size; nth++) {
    const client = (desks[(nth % size) % spread] ?? first).connect("binary");
    client.hello();
    client.join(`b${Math.floor(nth / size)}`, `person ${nth}`);
    clock.advance(1);
    people.push(client);
  }
  const wait = (seconds: number) => {
    for (let left = seconds * 1000; left > 0; left -= ANSWER_EVERY_MS) {
      clock.advance(ANSWER_EVERY_MS);
      for (const client of people)
        if (client.socket.takeMessages().some(({ kind }) => kind === "heartbeat")) client.say({ kind: "heartbeat" });
    }
  };
  const count = async () => {
    // The bus counts a message once it was taken, which is a promise.
    await new Promise(setImmediate);
    return desks.reduce(
      ({ publishes, bytes, deliveredBytes }, { metrics: { published, busBytes } }) => ({
        publishes: publishes + Object.values(published).reduce((sum, each) => sum + each, 0),
        bytes: bytes + busBytes.out,
        deliveredBytes: deliveredBytes + busBytes.in,
      }),
      { publishes: 0, bytes: 0, deliveredBytes: 0 },
    );
  };
  wait(SETTLE_S);
  const before = await count();
  wait(COUNTED_S);
  const after = await count();
  assert.ok(
    people.every(({ socket }) => socket.closedWith === undefined),
    "nobody was lost",
  );
  return {
    publishes: (after.publishes - before.publishes) / COUNTED_S,
    bytes: (after.bytes - before.bytes) / COUNTED_S,
    deliveredBytes: (after.deliveredBytes - before.deliveredBytes) / COUNTED_S,
  };
}

const INSTANCES = [2, 4, 10];
const BOARDS = 20;

function assertAtMost(t: TestContext, what: string, rest: Rest, bounds: Rest): void {
  const rounded = Object.entries(rest).map(([name, count]) => [name, Number(count.toFixed(4))] as const);
  t.diagnostic(`${what}: ${JSON.stringify(Object.fromEntries(rounded))}`);
  const over = rounded.filter(([name, count]) => count > bounds[name as keyof Rest]);
  assert.deepEqual(over, [], `${what} costs more than ${JSON.stringify(bounds)}`);
}

/** The cost that boards add, for each of them and each instance that has members. */
async function boardsAdd(instances: number, size: number, spread: number): Promise<Rest> {
  const [none, some] = [await rest(instances), await rest(instances, BOARDS, size, spread)];
  const each = (count: keyof Rest) => (some[count] - none[count]) / (BOARDS * spread);
  return { publishes: each("publishes"), bytes: each("bytes"), deliveredBytes: each("deliveredBytes") };
}

for (const instances of INSTANCES)
  test(`${instances} instances without boards: each says two heartbeats a second, which all hear`, async (t) => {
    const all = await rest(instances);
    const each = { publishes: all.publishes / instances, bytes: all.bytes / instances, deliveredBytes: all.deliveredBytes / instances };
    // Of up to three others it acknowledges the beats, six bytes each.
    const bytes = instances === 2 ? 76 : 100;
    assertAtMost(t, `an instance of ${instances}, per second`, each, { publishes: 2, bytes, deliveredBytes: bytes * instances });
  });

for (const instances of INSTANCES)
  test(`boards over ${instances} instances: each instance says a beacon of 25 bytes every 15 s, whatever the number of members`, async (t) => {
    for (const size of [instances, instances * 5]) {
      const added = await boardsAdd(instances, size, instances);
      const what = `a board of ${size} over ${instances} instances, per instance and second`;
      assertAtMost(t, what, added, { publishes: 0.068, bytes: 1.7, deliveredBytes: 1.7 * instances });
    }
  });

test("boards whose members are all on one of four instances: a third of the beacons is said, and nobody else hears them", async (t) => {
  const added = await boardsAdd(4, 10, 1);
  assertAtMost(t, "a board of 10 on one instance, per second", added, { publishes: 0.024, bytes: 0.6, deliveredBytes: 0.6 });
});

/** Moments at which timers of an instance go off, per second. Its clients answer at once. */
async function wakeUps(boards: number): Promise<number> {
  const desk = await Desk.open();
  const { clock } = desk;
  clock.advance(3000);
  const people = Array.from({ length: boards }, (_, nth) => {
    const client = desk.connect("binary");
    client.hello();
    client.join(`b${nth}`, `person ${nth}`);
    clock.advance(7);
    return client;
  });
  const wait = (seconds: number) => {
    const before = clock.wakeUps;
    for (let left = seconds * 1000; left > 0; left -= ANSWER_EVERY_MS) {
      clock.advance(ANSWER_EVERY_MS);
      for (const client of people)
        if (client.socket.takeMessages().some(({ kind }) => kind === "heartbeat")) client.say({ kind: "heartbeat" });
    }
    return (clock.wakeUps - before) / seconds;
  };
  wait(SETTLE_S);
  return wait(COUNTED_S);
}

for (const boards of [0, 50])
  test(`timers wake up an instance with ${boards} boards twice a second: visits and beacons come with its heartbeats`, async (t) => {
    const count = await wakeUps(boards);
    t.diagnostic(`${count} a second`);
    assert.ok(count <= 2.02, `${count} a second`);
  });
