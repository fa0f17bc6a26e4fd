/**
 * How many people one Redis carries in a cluster of many instances: bare connections publish and subscribe as so many instances would, with messages of the same size,
 * and the CPU of a real Redis is measured. `npm run redis-capacity -w packages/bench`. The formula: docs/BENCHMARKS.md.
 *
 *   --instances N    (100)
 *   --board N        people of a board, each on an instance of chance (10)
 *   --boards N       (1000)
 *   --publishes N,N  moves published per second, of all instances together (5000,10000,15000,20000)
 *   --seconds N      measured time of each (8)
 *   --share N        of a core that Redis may take (0.5)
 *   --moves N        moves per second of each who moves (20)
 *   --pinned         Redis on the first core, the generator on the second (Linux)
 */

import { execFileSync } from "node:child_process";
import { connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { Cluster } from "./cluster.ts";
import { numberOf, wrong } from "./options.ts";
import { machineLine, thisMachine } from "./peers/machine.ts";
import { fixed, table } from "./report.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "100" },
    board: { type: "string", default: "10" },
    boards: { type: "string", default: "1000" },
    publishes: { type: "string", default: "5000,10000,15000,20000" },
    seconds: { type: "string", default: "8" },
    share: { type: "string", default: "0.5" },
    moves: { type: "string", default: "20" },
    pinned: { type: "boolean", default: false },
  },
});
const instances = numberOf("instances", values.instances);
const boardSize = numberOf("board", values.board);
const boards = numberOf("boards", values.boards);
const rates = values.publishes.split(",").map((text) => numberOf("publishes", text));
const seconds = numberOf("seconds", values.seconds);
const share = numberOf("share", values.share);
const movesPerSecond = numberOf("moves", values.moves);

/** As `rest.test.ts` and `costs.test.ts` of the server count them, in bytes: a heartbeat with three acknowledged peers, and a lone cursor. */
const HEARTBEAT = Buffer.alloc(47, "h");
const CURSOR = Buffer.alloc(27, "c");
const BEATS_PER_SECOND = 2;
/** Of an instance and a board that has members there; a third of that where they have members nowhere else. */
const BEACONS_PER_SECOND = 1 / 15;
const BEACONS_OF_WHOLE = BEACONS_PER_SECOND / 3;
const GLOBAL = "presence:global";
const SUBSCRIBES_AT_ONCE = 500;
const WARM_UP_MS = 2000;
const WAKE_MS = 0.25;

/** One instance as Redis sees it: a connection that publishes and one that is subscribed. */
class Ends {
  readonly publisher: Socket;
  readonly subscriber: Socket;
  bytes = 0;

  private constructor(publisher: Socket, subscriber: Socket) {
    this.publisher = publisher;
    this.subscriber = subscriber;
    publisher.on("data", () => {});
    subscriber.on("data", ({ length }) => {
      this.bytes += length;
    });
  }

  static async open(port: number): Promise<Ends> {
    return new Ends(await opened(port), await opened(port));
  }

  subscribe(channels: readonly string[]): void {
    for (let at = 0; at < channels.length; at += SUBSCRIBES_AT_ONCE)
      this.subscriber.write(`SUBSCRIBE ${channels.slice(at, at + SUBSCRIBES_AT_ONCE).join(" ")}\r\n`);
  }

  publish(channel: string, message: Buffer): void {
    const head = `*3\r\n$7\r\nPUBLISH\r\n$${channel.length}\r\n${channel}\r\n$${message.length}\r\n`;
    this.publisher.write(Buffer.concat([Buffer.from(head), message, Buffer.from("\r\n")]));
  }
}

async function opened(port: number): Promise<Socket> {
  for (;;) {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    const isOpen = await new Promise<boolean>((resolve) => socket.once("connect", () => resolve(true)).once("error", () => resolve(false)));
    if (isOpen) return socket;
    await wait(50);
  }
}

/** Of a core, and per second. */
type Cost = { readonly redis: number; readonly bytesOut: number; readonly deliveries: number; readonly lateMs: number };

/** `spread`: the people of a board are anywhere; else all of them on one instance. */
async function measure(spread: boolean, publishesPerSecond: number): Promise<Cost> {
  const cluster = await Cluster.start(0, values.pinned ? 0 : undefined);
  const ends: Ends[] = [];
  try {
    while (ends.length < instances) ends.push(await Ends.open(cluster.redisPort));
    const random = sequence();
    const pick = () => Math.floor(random() * instances);
    const seats = Array.from({ length: boards }, () => {
      const first = pick();
      return Array.from({ length: boardSize }, () => (spread ? pick() : first));
    });
    for (const [nth, each] of ends.entries())
      each.subscribe([GLOBAL, ...seats.flatMap((board, at) => (board.includes(nth) ? [`presence:board:b${at}`] : []))]);
    const deliveries = seats.reduce((sum, board) => sum + new Set(board).size, 0) / boards;
    const stop = publishing(ends, seats, publishesPerSecond, random);
    await wait(WARM_UP_MS);
    const count = () => ({
      at: performance.now(),
      redis: cluster.redis.cpuSeconds(),
      bytes: ends.reduce((sum, { bytes }) => sum + bytes, 0),
    });
    const before = count();
    await wait(1000 * seconds);
    const after = count();
    const measured = (after.at - before.at) / 1000;
    const lateMs = await stop();
    return {
      redis: (after.redis - before.redis) / measured,
      bytesOut: (after.bytes - before.bytes) / measured,
      deliveries,
      lateMs,
    };
  } finally {
    for (const { publisher, subscriber } of ends) {
      publisher.destroy();
      subscriber.destroy();
    }
    cluster.stop();
  }
}

/** Heartbeats of all instances and moves of people anywhere, evenly spread over time. Returns what ends it and tells how late it was at most. */
function publishing(ends: readonly Ends[], seats: readonly number[][], publishesPerSecond: number, random: () => number) {
  const startedAt = performance.now();
  const made = { beats: 0, moves: 0 };
  let lateMs = 0;
  const publish = () => {
    Atomics.store(heard, 0, 1);
    const elapsed = (performance.now() - startedAt) / 1000;
    lateMs = Math.max(lateMs, 1000 * (elapsed - made.moves / publishesPerSecond));
    for (; made.beats < elapsed * BEATS_PER_SECOND * instances; made.beats++) ends[made.beats % instances]?.publish(GLOBAL, HEARTBEAT);
    for (; made.moves < elapsed * publishesPerSecond; made.moves++) {
      const board = Math.floor(random() * boards);
      const instance = seats[board]?.[Math.floor(random() * boardSize)] ?? 0;
      ends[instance]?.publish(`presence:board:b${board}`, CURSOR);
    }
  };
  const heard = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const workerData = { everyMs: WAKE_MS, startsAt: Number(process.hrtime.bigint()) / 1e6, heard };
  const metronome = new Worker(new URL("./peers/metronome.ts", import.meta.url), { workerData, execArgv: [] });
  metronome.on("message", publish);
  return async () => {
    await metronome.terminate();
    return lateMs;
  };
}

/** The same in each run. */
function sequence(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The straight line that is nearest to the points: what Redis takes without moves, and for each. */
function line(points: readonly (readonly [x: number, y: number])[]): { readonly base: number; readonly each: number } {
  const mean = (of: (point: readonly [number, number]) => number) => points.reduce((sum, point) => sum + of(point), 0) / points.length;
  const [x, y] = [mean(([x]) => x), mean(([, y]) => y)];
  const each = mean((point) => (point[0] - x) * (point[1] - y)) / mean((point) => (point[0] - x) ** 2);
  return { base: y - each * x, each };
}

/** At all rates; the costs are those of the line through them. */
async function costsOf(spread: boolean): Promise<{ readonly base: number; readonly each: number }> {
  const points: (readonly [number, number])[] = [];
  for (const rate of rates) {
    const { redis, bytesOut, deliveries, lateMs } = await measure(spread, rate);
    points.push([rate, redis]);
    const people = spread ? "anywhere" : "on one instance";
    rows.push([people, fixed(deliveries, 1), String(rate), fixed(100 * redis, 1), fixed(bytesOut / 1e6, 2), fixed(lateMs, 0)]);
  }
  return line(points);
}

if (values.pinned) execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", "1", String(process.pid)], { stdio: "ignore" });
if (rates.length < 2) throw wrong(`--publishes is ${values.publishes}; it must be two rates or more, with commas`);
const machine = machineLine(thisMachine());
const rows: string[][] = [];
const [spread, whole] = [await costsOf(true), await costsOf(false)];
console.log(`${machine}; ${instances} instances, ${boards} boards of ${boardSize}\n`);
console.log(
  table(
    [
      "people of a board are",
      "deliveries a publish",
      "publishes/s",
      "% of a core: Redis",
      "MB/s to the instances",
      "generator late, most, ms",
    ],
    rows,
  ),
);
console.log(`
So Redis takes ${fixed(100 * spread.base, 1)} % of a core for the heartbeats, ${fixed(spread.each * 1e6, 1)} µs for a publish to a board that is anywhere, and ${fixed(whole.each * 1e6, 1)} µs for one to a board that is on one instance.
People that it carries with ${100 * share} % of a core, who move ${movesPerSecond} times a second when they do:
`);

/** Pairs of an instance and a board, for each person who is anywhere. */
const pairs = (instances * (1 - (1 - 1 / instances) ** boardSize)) / boardSize;
const WHOLE = [0, 0.9, 0.99];
console.log(
  table(
    ["of the people move", ...WHOLE.map((part) => (part === 0 ? "without affinity" : `${100 * part} % of boards on one instance`))],
    [0.02, 0.2, 1].map((moving) => [
      `${100 * moving} %`,
      ...WHOLE.map((part) => {
        const anywhere = (1 - part) * (moving * movesPerSecond + pairs * BEACONS_PER_SECOND) * spread.each;
        const kept = part * (BEACONS_OF_WHOLE / boardSize) * whole.each;
        return String(Number(((share - spread.base) / (anywhere + kept)).toPrecision(2)));
      }),
    ]),
  ),
);
