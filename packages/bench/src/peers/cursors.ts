/**
 * One run of people who move, in an open loop. A latency is from the time at which the move was due until its arrival at another person. Moves that were due
 * within the measured time count, also if they arrive up to two seconds later.
 */

import { setTimeout as wait } from "node:timers/promises";
import { BusMeter } from "../bus-counts.ts";
import type { Seen } from "../clients.ts";
import type { Cluster } from "../cluster.ts";
import { Histogram } from "../histogram.ts";
import { type Crowd, costsOf, gather, leave, noneLost, placesOf, residentMb } from "./crowd.ts";
import { busFigures, latencies, type Run } from "./figures.ts";
import type { Enter } from "./person.ts";
import { Walk } from "./walk.ts";

export type CursorLoad = Crowd & {
  readonly movesPerSecond: number;
  /** The share of all people that moves. */
  readonly moving: number;
  /** So many more are on the first board and read nothing once they are joined. */
  readonly frozen?: number;
};

export type Times = { readonly seconds: number; readonly warmUpSeconds: number };

const DRAIN_MS = 2000;

export async function cursors(cluster: Cluster, enter: Enter, load: CursorLoad, { seconds, warmUpSeconds }: Times): Promise<Run> {
  const { boards, boardSize, movesPerSecond, moving, frozen = 0 } = load;
  const [local, cross] = [new Histogram(), new Histogram()];
  let [arrived, delivered] = [0, 0];
  let [from, to] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  let walk: Walk | undefined;
  const seen: Seen = (viewer, move) => {
    if (walk === undefined) return;
    const now = performance.now();
    if (now >= from && now < to) delivered++;
    const dueAt = walk.moves.sentAt(move);
    if (dueAt < from || dueAt >= to) return;
    arrived++;
    (walk.moves.sentBy(move) === viewer.instance ? local : cross).add(now - dueAt);
  };
  const people = await gather(placesOf(cluster, load), enter, seen);
  const still = await gather(placesOf(cluster, { boards: 1, boardSize: frozen }, people.length), enter, () => {});
  for (const { socket } of still) socket.pause();
  const movers = people.filter((_, nth) => Math.floor((nth + 1) * moving) > Math.floor(nth * moving));
  const meter = await BusMeter.open(cluster);
  try {
    walk = new Walk(movers, movesPerSecond);
    await wait(warmUpSeconds * 1000);
    walk.lateness = new Histogram();
    const busBefore = await meter.take();
    const before = costsOf(cluster, people);
    from = before.at;
    await wait(seconds * 1000);
    const after = costsOf(cluster, people);
    to = after.at;
    const bus = busFigures(busBefore, await meter.take());
    const { lateness } = walk;
    walk.lateness = new Histogram();
    const rss = residentMb(cluster);
    // The load goes on, so that what is late is not helped.
    await wait(DRAIN_MS);
    noneLost(people);
    const measured = (to - from) / 1000;
    const cpu = after.instances - before.instances + after.redis - before.redis;
    const bytes = after.bytes - before.bytes;
    return {
      figures: {
        cpu: (cpu * 1e6) / delivered,
        ...latencies(local, cross),
        arrived: (100 * arrived) / (walk.dueWithin(from, to) * (boardSize - 1)),
        bytes: bytes / delivered,
        cores: cpu / measured,
        ...bus,
        redisCores: (after.redis - before.redis) / measured,
        rss,
      },
      lateP50: lateness.quantile(0.5),
      lateP99: lateness.quantile(0.99),
      generator: (after.generator - before.generator) / measured,
      sent: { sockets: boards * boardSize, boardSize, seconds: measured, writes: after.reads - before.reads, bytes, updates: delivered },
    };
  } finally {
    meter.close();
    await walk?.stop();
    leave([...people, ...still]);
  }
}
