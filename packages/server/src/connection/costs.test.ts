/**
 * Moves, joins and rest cost so much, in counts and not in seconds, so that the same work costs the same everywhere: writes to sockets, frames that were made, bytes,
 * and messages on the bus. Two instances on a fake clock. A bound is the count of today and a little; lower it when the count falls, and raise it only
 * for a reason that the commit tells.
 */

import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type Client, Desk } from "../testing/desk.ts";

type Count = "updates" | "writes" | "frames" | "bytes" | "publishes" | "busBytes" | "busHeard";
type Counts = Record<Count, number>;

const NOTHING: Counts = { updates: 0, writes: 0, frames: 0, bytes: 0, publishes: 0, busBytes: 0, busHeard: 0 };

const MOVE_EVERY_MS = 50;
const MOVED_MS = 4000;

class Room {
  readonly desks: readonly Desk[];
  /** By board. */
  readonly people: Client[][] = [];
  readonly #self = new Map<Client, number>();
  #counts: Counts = { ...NOTHING };
  moves = 0;

  private constructor(desks: readonly Desk[]) {
    this.desks = desks;
  }

  static async open(instances: number): Promise<Room> {
    const first = await Desk.open();
    const others = [];
    while (others.length < instances - 1) others.push(await Desk.open({ beside: first }));
    first.clock.advance(3000);
    return new Room([first, ...others]);
  }

  get #clock() {
    return this.#first.clock;
  }

  get #first(): Desk {
    return this.desks[0] ?? assert.fail("no instance");
  }

  /** Neighbours are on different instances, of the first `spread`. */
  enter(board: string, count: number, spread = this.desks.length): void {
    const people = Array.from({ length: count }, (_, nth) => {
      const client = (this.desks[nth % spread] ?? this.#first).connect("binary");
      client.hello();
      client.join(board, `person ${nth}`);
      this.#clock.advance(1);
      return client;
    });
    this.people.push(people);
  }

  /** So many have been told the board. */
  get joined(): number {
    return this.people.flat().filter((client) => this.#self.has(client)).length;
  }

  /** All lose their connections, and come back one after another to the instance at which they were. */
  comeBack(): void {
    this.#collect();
    this.people.forEach((people, at) => {
      for (const client of people) client.close(1006);
      this.#clock.advance(100);
      this.people[at] = people.map((client, nth) => {
        const again = (this.desks[nth % this.desks.length] ?? this.#first).connect("binary");
        again.hello({ resumeToken: client.resumeToken });
        again.join(`b${at}`, `person ${nth}`, 2);
        this.#clock.advance(1);
        return again;
      });
    });
  }

  /** All of the movers move every 50 ms, evenly spread over time. */
  walk(movers: readonly (readonly [Client, string])[], forMs: number): void {
    const stepMs = MOVE_EVERY_MS / movers.length;
    for (let atMs = 0; atMs < forMs; atMs += MOVE_EVERY_MS)
      for (const [client, board] of movers) {
        client.move(board, this.moves % 60_000, 1);
        this.moves++;
        this.#clock.advance(stepMs);
      }
  }

  /** All of the movers move every 50 ms, in one turn. */
  walkTogether(movers: readonly (readonly [Client, string])[], forMs: number): void {
    for (let atMs = 0; atMs < forMs; atMs += MOVE_EVERY_MS) {
      for (const [client, board] of movers) client.move(board, this.moves++ % 60_000, 1);
      this.#clock.advance(MOVE_EVERY_MS);
    }
  }

  /** Heartbeats are answered, a tenth of a second later. */
  rest(ms: number): void {
    for (let left = ms; left > 0; left -= 100) {
      this.#clock.advance(100);
      for (const client of this.#collect()) client.say({ kind: "heartbeat" });
    }
  }

  /** Since the last time. */
  async take(): Promise<Counts> {
    this.#clock.advance(MOVE_EVERY_MS);
    // The bus counts a message once it was taken, which is a promise.
    await new Promise(setImmediate);
    this.#collect();
    const counts = { ...this.#counts, ...this.#takeMetrics() };
    this.#counts = { ...NOTHING };
    return counts;
  }

  /** Counts what was written, and returns those who were asked for a sign of life. */
  #collect(): Client[] {
    const clients = this.people.flat();
    const written = clients.flatMap(({ socket }) => socket.written);
    this.#counts.writes += written.length;
    this.#counts.frames += new Set(written).size;
    this.#counts.bytes += written.reduce((sum, { length }) => sum + length, 0);
    return clients.filter((client) => this.#hear(client));
  }

  #takeMetrics() {
    let [publishes, busBytes, busHeard] = [0, 0, 0];
    for (const { metrics } of this.desks) {
      for (const kind of Object.keys(metrics.published) as (keyof typeof metrics.published)[]) {
        publishes += metrics.published[kind];
        metrics.published[kind] = 0;
      }
      busBytes += metrics.busBytes.out;
      busHeard += metrics.busBytes.in;
      metrics.busBytes.out = metrics.busBytes.in = 0;
    }
    return { publishes, busBytes, busHeard };
  }

  #hear(client: Client): boolean {
    const messages = client.socket.takeMessages();
    for (const message of messages) {
      if (message.kind === "joined") this.#self.set(client, message.self);
      if (message.kind !== "cursors") continue;
      this.#counts.updates += message.moves.filter(({ actor, at }) => at !== null && actor !== this.#self.get(client)).length;
    }
    return messages.some(({ kind }) => kind === "heartbeat");
  }
}

/** Each count divided, and not more than its bound. */
function assertAtMost(t: TestContext, what: string, counts: Counts, divisor: number, bounds: Partial<Counts>): void {
  const each = Object.fromEntries(Object.entries(counts).map(([name, count]) => [name, Number((count / divisor).toFixed(4))]));
  t.diagnostic(`${what}: ${JSON.stringify(each)}`);
  const over = Object.entries(bounds).filter(([name, bound]) => (each[name] ?? 0) > bound);
  assert.deepEqual(
    over.map(([name, bound]) => `${each[name]} ${name} ${what}, at most ${bound}`),
    [],
  );
}

/** On two instances, of which each board has people on the first `spread`. */
async function walked(boards: number, size: number, moving: number, spread = 2): Promise<{ counts: Counts; moves: number }> {
  const room = await Room.open(2);
  for (let board = 0; board < boards; board++) room.enter(`b${board}`, size, spread);
  const movers = room.people.flatMap((people, board) => people.slice(0, size * moving).map((client) => [client, `b${board}`] as const));
  // Joins, and ticks that a board at rest has saved up, are over.
  room.walk(movers, 1000);
  await room.take();
  room.moves = 0;
  room.walk(movers, MOVED_MS);
  const counts = await room.take();
  assert.equal(counts.updates, room.moves * (size - 1), "each move has arrived at each other member");
  return { counts, moves: room.moves };
}

// Where viewers are at one other instance nothing comes back: what is heard is a little more than what is said, for heartbeats and for a flush of each board a second.

test("ten on one board of two instances: the cost of a move", async (t) => {
  const { counts, moves } = await walked(1, 10, 1);
  assertAtMost(t, "per move", counts, moves, { writes: 9.05, frames: 2.02, bytes: 110, publishes: 1.05, busBytes: 32.5, busHeard: 34.5 });
});

test("a hundred on one board of two instances: the cost of a move", async (t) => {
  const { counts, moves } = await walked(1, 100, 1);
  assertAtMost(t, "per move", counts, moves, { writes: 6.5, frames: 0.13, bytes: 630, publishes: 0.07, busBytes: 7.2, busHeard: 7.5 });
});

test("thirty boards of ten on two instances, a fifth moves: the cost of a move", async (t) => {
  const { counts, moves } = await walked(30, 10, 0.2);
  assertAtMost(t, "per move", counts, moves, { writes: 9.2, frames: 2.05, bytes: 113, publishes: 1.05, busBytes: 33, busHeard: 36 });
});

test("[R25.6] ten boards of two on two instances that move in the same turns: ten moves are one message, heard once", async (t) => {
  const room = await Room.open(2);
  for (let board = 0; board < 10; board++) room.enter(`b${board}`, 2);
  const movers = room.people.flatMap(([first], board) => (first === undefined ? [] : [[first, `b${board}`] as const]));
  room.walkTogether(movers, 1000);
  await room.take();
  room.moves = 0;
  room.walkTogether(movers, MOVED_MS);
  const counts = await room.take();
  assert.equal(counts.updates, room.moves, "each move has arrived at the other member");
  // Of twenty turns a second one goes over the boards' channels: 0.95 × 1/10 + 0.05.
  assertAtMost(t, "per move", counts, room.moves, { publishes: 0.2, busBytes: 15.3, busHeard: 18 });
});

test("ten on one board, all on one of two instances: nobody hears their moves on the bus", async (t) => {
  const { counts, moves } = await walked(1, 10, 1, 1);
  assertAtMost(t, "per move", counts, moves, { writes: 9.05, frames: 1.01, bytes: 110, publishes: 0.03, busBytes: 0.9 });
});

test("ten boards of ten at rest: the cost of a second", async (t) => {
  const room = await Room.open(2);
  for (let board = 0; board < 10; board++) room.enter(`b${board}`, 10);
  room.rest(60_000);
  await room.take();
  room.rest(60_000);
  assertAtMost(t, "per second", await room.take(), 60, { writes: 21, frames: 2.2, bytes: 63, publishes: 5.6, busBytes: 190 });
});

test("a hundred join one board of two instances: the cost of a join", async (t) => {
  const room = await Room.open(2);
  await room.take();
  room.enter("b0", 100);
  const counts = await room.take();
  assert.equal(room.joined, 100);
  assertAtMost(t, "per join", counts, 100, { writes: 7.8, frames: 2.6, bytes: 4800, publishes: 1.15, busBytes: 80 });
});

test("a hundred on one board of two instances lose their connections and come back: the cost of a return", async (t) => {
  const room = await Room.open(2);
  room.enter("b0", 100);
  room.rest(5000);
  await room.take();
  room.comeBack();
  const counts = await room.take();
  assert.equal(room.joined, 100);
  assertAtMost(t, "per return", counts, 100, { writes: 7.1, frames: 2.6, bytes: 6800, publishes: 2.1, busBytes: 150 });
});
