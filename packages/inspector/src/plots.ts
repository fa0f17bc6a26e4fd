/** The plots that this page shows: which metrics of docs/OPERATIONS.md, as rates or latencies. */

import type { Samples } from "./exposition.ts";
import { gaugeOf, type History, meanOf, type Point, rateOf, type Taken } from "./history.ts";
import { Plot } from "./plot.ts";

type Drawn = {
  readonly title: string;
  readonly unit: string;
  readonly help: string;
  readonly points: (taken: readonly Taken[]) => Point[];
};

const rate = (read: (samples: Samples) => number) => (taken: readonly Taken[]) => rateOf(taken, read);
const gauge = (read: (samples: Samples) => number) => (taken: readonly Taken[]) => gaugeOf(taken, read);
const meanMs = (name: string) => (taken: readonly Taken[]) => meanOf(taken, name).map(({ at, value }) => ({ at, value: value * 1000 }));

const DRAWN: readonly Drawn[] = [
  {
    title: "Frames sent",
    unit: "/s",
    help: "presence_client_frames_total",
    points: rate((samples) => samples.value("presence_client_frames_total") ?? 0),
  },
  {
    title: "Cursors sent",
    unit: "/s",
    help: "presence_cursors_delivered_total",
    points: rate((samples) => samples.value("presence_cursors_delivered_total") ?? 0),
  },
  {
    title: "Messages in",
    unit: "/s",
    help: "presence_client_messages_total, all kinds",
    points: rate((samples) => samples.sum("presence_client_messages_total")),
  },
  {
    title: "Bytes sent",
    unit: "B/s",
    help: "presence_client_bytes_total",
    points: rate((samples) => samples.value("presence_client_bytes_total") ?? 0),
  },
  {
    title: "Bus: published",
    unit: "/s",
    help: "presence_bus_published_total, all kinds",
    points: rate((samples) => samples.sum("presence_bus_published_total")),
  },
  {
    title: "Bus: received",
    unit: "/s",
    help: "presence_bus_received_total, all kinds",
    points: rate((samples) => samples.sum("presence_bus_received_total")),
  },
  {
    title: "Redis echo",
    unit: "ms",
    help: "presence_bus_echo_seconds, the mean of each second",
    points: meanMs("presence_bus_echo_seconds"),
  },
  {
    title: "Join to visible",
    unit: "ms",
    help: "presence_join_visible_seconds, the mean of each second in which somebody joined elsewhere",
    points: meanMs("presence_join_visible_seconds"),
  },
  {
    title: "Event loop p99",
    unit: "ms",
    help: "presence_event_loop_delay_seconds, quantile 0.99",
    points: gauge((samples) => (samples.value("presence_event_loop_delay_seconds", { quantile: "0.99" }) ?? 0) * 1000),
  },
  {
    title: "CPU",
    unit: "%",
    help: "process_cpu_seconds_total; 100 is one core",
    points: rate((samples) => (samples.value("process_cpu_seconds_total") ?? 0) * 100),
  },
  {
    title: "Connections",
    unit: "",
    help: "presence_connections",
    points: gauge((samples) => samples.sum("presence_connections")),
  },
  {
    title: "Members shown",
    unit: "",
    help: "presence_members, scope shown",
    points: gauge((samples) => samples.value("presence_members", { scope: "shown" }) ?? 0),
  },
];

export class Plots {
  readonly #plots = DRAWN.map((drawn) => ({ drawn, plot: new Plot(drawn.title, drawn.unit, drawn.help) }));

  constructor(parent: HTMLElement) {
    parent.append(...this.#plots.map(({ plot }) => plot.element));
  }

  /** The numbers are those of `first`. */
  show(history: History, first: string, now: number): void {
    const instances = [first, ...history.instances.filter((instance) => instance !== first)];
    for (const { drawn, plot } of this.#plots)
      plot.show(
        instances.map((instance) => ({ instance, points: drawn.points(history.of(instance)) })),
        now,
      );
  }
}
