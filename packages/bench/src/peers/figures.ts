/** The result of a run: named figures, of which less is better unless it is said, and how late the generator was. */

import type { BusCounts } from "../bus-counts.ts";
import type { Histogram } from "../histogram.ts";

export type Measure = {
  readonly title: string;
  readonly digits: number;
  /** A ratio of it between two services says nothing. */
  readonly noRatio?: boolean;
};

export const MEASURES = {
  cpu: { title: "CPU s per million updates, with Redis", digits: 2 },
  localP50: { title: "local p50 ms", digits: 2 },
  localP99: { title: "local p99 ms", digits: 2 },
  crossP50: { title: "cross p50 ms", digits: 2 },
  crossP99: { title: "cross p99 ms", digits: 2 },
  arrived: { title: "% of moves × viewers that arrived", digits: 1, noRatio: true },
  bytes: { title: "bytes per update", digits: 1 },
  cores: { title: "cores: instances and Redis", digits: 2 },
  redisCores: { title: "cores: Redis", digits: 3 },
  publishes: { title: "publishes/s", digits: 0 },
  deliveries: { title: "messages/s that Redis delivers", digits: 0 },
  busKb: { title: "KB/s of Redis, in and out", digits: 1 },
  rss: { title: "RSS MB of the instances", digits: 0 },
  joinP50: { title: "join p50 ms", digits: 1 },
  joinP99: { title: "join p99 ms", digits: 1 },
  allMs: { title: "all joined after ms", digits: 0 },
  stormCpu: { title: "CPU s, with Redis", digits: 2 },
  stormKb: { title: "KB for each", digits: 1 },
  rssEach: { title: "RSS KB per connection", digits: 1 },
  idlePercent: { title: "% of a core, with Redis", digits: 2 },
} as const satisfies Record<string, Measure>;

export type MeasureName = keyof typeof MEASURES;
export type Figures = Partial<Record<MeasureName, number>>;

export type Run = {
  readonly figures: Figures;
  /** Of the generator, in ms: so late it did what was due, and so much is in the latencies. Absent: nothing was due. */
  readonly lateP50?: number;
  readonly lateP99?: number;
  /** Of one core. */
  readonly generator: number;
  /** All that was sent to the clients, for the physical limit. */
  readonly sent?: Sent;
};

export type Sent = {
  readonly sockets: number;
  readonly boardSize: number;
  readonly seconds: number;
  readonly writes: number;
  readonly bytes: number;
  /** Of others' places, that arrived. */
  readonly updates: number;
};

/** A service that is overrun is measured all the same: what it has piled up then comes in one go, and the generator is late, but for a part of the latency only. */
const LATE_SHARE_MAX = 0.2;

/** Undefined: the generator was on time, to a part of the latencies or to `lateMsMax`. */
export function tooLate({ figures, lateP99 = 0 }: Run, lateMsMax: number): string | undefined {
  const longest = Math.max(figures.localP99 ?? 0, figures.crossP99 ?? 0, figures.joinP99 ?? 0);
  return lateP99 <= Math.max(lateMsMax, LATE_SHARE_MAX * longest) ? undefined : `the generator was ${lateP99.toFixed(1)} ms late`;
}

/** Per second, between two counts. */
export function busFigures(before: BusCounts, after: BusCounts): Figures {
  const seconds = (after.at - before.at) / 1000;
  return {
    publishes: (after.publishes - before.publishes) / seconds,
    ...(after.deliveries !== undefined && { deliveries: (after.deliveries - (before.deliveries ?? 0)) / seconds }),
    busKb: (after.bytesIn - before.bytesIn + after.bytesOut - before.bytesOut) / seconds / 1000,
  };
}

/** Without those of which there is none. */
export function latencies(local: Histogram, cross: Histogram): Figures {
  return {
    ...(local.count > 0 && { localP50: local.quantile(0.5), localP99: local.quantile(0.99) }),
    ...(cross.count > 0 && { crossP50: cross.quantile(0.5), crossP99: cross.quantile(0.99) }),
  };
}
