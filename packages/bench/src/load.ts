/**
 * One run: clients on instances move at a steady rate, all of them watch, and every position that arrives is counted and timed. All
 * clients are in this process, on one clock. Its own use of the CPU is reported, since a busy generator would measure itself.
 */

import { setTimeout as wait } from "node:timers/promises";
import { BinaryClient, ClassicClient, type Client, type Protocol, type Seen, type Status } from "./clients.ts";
import { type Cluster, cpuSecondsOf } from "./cluster.ts";
import { Histogram } from "./histogram.ts";
import { BenchSocket } from "./socket.ts";

export type Load = {
  readonly protocol: Protocol;
  readonly usersPerInstance: number;
  /** Members of one board, at all instances together. */
  readonly boardSize: number;
  /** Of all clients but the classic ones, who have none. */
  readonly status?: Status;
  /** Into so many areas the members of each board are divided; 1, the default: all are in none. */
  readonly areas?: number;
  readonly movesPerSecond: number;
  /** The share of each board's members that move, 0…1; the others watch. */
  readonly moving: number;
  readonly seconds: number;
  readonly warmUpSeconds: number;
};

export type Result = {
  readonly load: Load;
  readonly boards: number;
  readonly seconds: number;
  readonly movesMade: number;
  /** Positions that arrived at other clients. */
  readonly delivered: number;
  /** The number of positions if each move had reached each other member, none replaced by a later one. */
  readonly deliverable: number;
  readonly bytes: number;
  readonly local: Histogram;
  readonly remote: Histogram;
  readonly cpuSeconds: { readonly instances: readonly number[]; readonly redis: number; readonly generator: number };
  readonly residentBytes: readonly number[];
};

const CONNECTS_AT_ONCE = 50;
const JOINED_MS_MAX = 30_000;
const STEP_EVERY_MS = 2;
/** So many moves may be under way before two share a place: at 100 000/s those of 10 s. */
const REMEMBERED = 2 ** 20;

/** The time and the instance of each move. */
export class Moves {
  made = 0;
  readonly #sentAt = new Float64Array(REMEMBERED);
  readonly #sentBy = new Uint8Array(REMEMBERED);

  next(instance: number, now: number): number {
    const move = this.made++;
    this.#sentAt[move % REMEMBERED] = now;
    this.#sentBy[move % REMEMBERED] = instance;
    return move;
  }

  sentAt(move: number): number {
    return this.#sentAt[move % REMEMBERED] ?? 0;
  }

  sentBy(move: number): number {
    return this.#sentBy[move % REMEMBERED] ?? 0;
  }
}

export async function run(cluster: Cluster, load: Load): Promise<Result> {
  const moves = new Moves();
  let delivered = 0;
  let local = new Histogram();
  let remote = new Histogram();
  const seen: Seen = (viewer, move) => {
    delivered++;
    (moves.sentBy(move) === viewer.instance ? local : remote).add(performance.now() - moves.sentAt(move));
  };
  const clients = await gather(cluster, load, seen);
  const movers = clients.filter((_, nth) => nth % load.boardSize < load.boardSize * load.moving);
  const stop = walk(movers, load, moves);
  try {
    await wait(load.warmUpSeconds * 1000);
    const before = costs(cluster, clients);
    const movesBefore = moves.made;
    delivered = 0;
    local = new Histogram();
    remote = new Histogram();
    const startedAt = performance.now();
    await wait(load.seconds * 1000);
    const seconds = (performance.now() - startedAt) / 1000;
    const after = costs(cluster, clients);
    const broken = clients.find(({ socket }) => socket.ended !== undefined);
    if (broken) throw new Error(`a client was lost: ${broken.socket.ended}`);
    const movesMade = moves.made - movesBefore;
    return {
      load,
      boards: Math.ceil(clients.length / load.boardSize),
      seconds,
      movesMade,
      delivered,
      deliverable: movesMade * (Math.min(load.boardSize, clients.length) / (load.areas ?? 1) - 1),
      bytes: after.bytes - before.bytes,
      local,
      remote,
      cpuSeconds: {
        instances: after.instances.map((cpu, nth) => cpu - (before.instances[nth] ?? 0)),
        redis: after.redis - before.redis,
        generator: after.generator - before.generator,
      },
      residentBytes: cluster.instances.map((instance) => instance.residentBytes()),
    };
  } finally {
    stop();
    for (const { socket } of clients) socket.destroy();
  }
}

type Crowd = Pick<Load, "protocol" | "usersPerInstance" | "boardSize" | "status" | "areas">;

/** Connects all clients and joins them; neighbours in the list are on different instances. */
export async function gather(
  cluster: Cluster,
  { protocol, usersPerInstance, boardSize, status = "active", areas = 1 }: Crowd,
  seen: Seen,
): Promise<Client[]> {
  const clients: Client[] = [];
  const instances = cluster.instances.length;
  const total = usersPerInstance * instances;
  const connect = async (nth: number) => {
    const instance = nth % instances;
    const socket = await BenchSocket.open(cluster.instances[instance]?.port ?? 0, protocol === "binary" ? "presence.v2" : undefined);
    const client = new (protocol === "binary" ? BinaryClient : ClassicClient)(socket, instance, 1 + Math.floor(nth / boardSize), seen);
    clients[nth] = client;
    // Neighbours in one area are on different instances.
    client.join(`user ${nth}`, status, areas === 1 ? "" : `slide ${Math.floor(nth / instances) % areas}`);
  };
  for (let from = 0; from < total; from += CONNECTS_AT_ONCE) {
    const batch = Math.min(CONNECTS_AT_ONCE, total - from);
    await Promise.all(Array.from({ length: batch }, (_, nth) => connect(from + nth)));
  }
  const deadline = performance.now() + JOINED_MS_MAX;
  while (!clients.every(({ isJoined }) => isJoined)) {
    if (performance.now() > deadline) throw new Error(`${clients.filter(({ isJoined }) => !isJoined).length} clients did not join`);
    await wait(STEP_EVERY_MS);
  }
  return clients;
}

/** Moves all clients, evenly spread over time; returns a function that ends it. */
export function walk(clients: readonly Client[], { movesPerSecond }: Pick<Load, "movesPerSecond">, moves: Moves): () => void {
  let due = 0;
  let next = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    due += ((now - lastAt) / 1000) * movesPerSecond * clients.length;
    lastAt = now;
    for (; due >= 1; due--) {
      const client = clients[next++ % clients.length];
      client?.move(moves.next(client.instance, performance.now()));
    }
  }, STEP_EVERY_MS);
  return () => clearInterval(timer);
}

function costs(cluster: Cluster, clients: readonly Client[]) {
  return {
    instances: cluster.instances.map((instance) => instance.cpuSeconds()),
    redis: cluster.redis.cpuSeconds(),
    generator: cpuSecondsOf("self"),
    bytes: clients.reduce((sum, { socket }) => sum + socket.bytesRead, 0),
  };
}
