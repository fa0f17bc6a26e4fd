/**
 * The metrics of an instance, in one table. Each is a plain number, or a record of plain numbers by its label, so that
 * counting costs an addition: `metrics.framesOut++`, `metrics.published.cursors++`, `metrics.boards = 3`. They become
 * Prometheus text on each scrape. No metric has a label per board, user or address: clients could fill our memory with those.
 */

import { createHistogram } from "node:perf_hooks";
import { CLOSE, ERROR_CODES, type Millis } from "@presence-service/protocol";
import { Counter, Gauge, Histogram, Registry } from "@prometheus-io/client";

type Entry = {
  readonly name: string;
  readonly type: "counter" | "gauge";
  readonly help: string;
  readonly label?: string;
  readonly values?: readonly string[];
};

const BUS_KINDS = [
  "heartbeat",
  "verdict",
  "goodbye",
  "kick",
  "announcement",
  "revocations",
  "delta",
  "replay",
  "snapshot",
  "sync",
  "beacon",
  "cursors",
  "moves",
  "event",
  "want",
  "occupancy",
  "hook",
] as const;
const CLIENT_KINDS = ["hello", "join", "leave", "cursor", "update", "broadcast", "heartbeat", "auth", "page", "watch", "look"] as const;
/** Those with which an instance ends connections: the other two come from clients only. */
const CLOSE_CODES = Object.values(CLOSE)
  .filter((reason) => reason !== CLOSE.normal && reason !== CLOSE.noStatus)
  .map(({ code }) => `${code}` as const);
const LINKS = ["publisher", "subscriber"] as const;
const MODES = ["memory", "standalone", "sentinel", "cluster"] as const;

/** The fields of `Metrics`; docs/OPERATIONS.md shows the same table. Units: seconds and bytes. */
export const METRICS = {
  // Redis and the bus.
  linkUp: {
    name: "presence_redis_connected",
    type: "gauge",
    help: "1 while this connection to Redis is up. An instance on memory: has both up.",
    label: "link",
    values: LINKS,
  },
  connects: {
    name: "presence_redis_connects_total",
    type: "counter",
    help: "Connections made to Redis; more than one per link are reconnects.",
    label: "link",
    values: LINKS,
  },
  moves: {
    name: "presence_redis_moves_total",
    type: "counter",
    help: "Connections made to another server than the one before: after a failover, or in a Cluster. /health says which.",
    label: "link",
    values: LINKS,
  },
  mode: {
    name: "presence_redis_mode",
    type: "gauge",
    help: "1 for how the servers behind REDIS_URL stand together, 0 for the others.",
    label: "mode",
    values: MODES,
  },
  recycles: {
    name: "presence_redis_recycles_total",
    type: "counter",
    help: "Connections given up because nothing came back through them (rule R9, R10).",
    label: "link",
    values: LINKS,
  },
  oldestUnansweredSeconds: {
    name: "presence_redis_oldest_unanswered_seconds",
    type: "gauge",
    help: "Age of the oldest publish without an answer from Redis; above 3 the connection is given up.",
  },
  published: {
    name: "presence_bus_published_total",
    type: "counter",
    help: "Messages that Redis took, by kind.",
    label: "kind",
    values: BUS_KINDS,
  },
  publishFailures: {
    name: "presence_bus_publish_failures_total",
    type: "counter",
    help: "Messages that Redis did not take: no connection, too much unanswered, or refused. Local people were told all the same.",
  },
  received: {
    name: "presence_bus_received_total",
    type: "counter",
    help: "Messages of other instances, by kind.",
    label: "kind",
    values: BUS_KINDS,
  },
  echoes: {
    name: "presence_bus_echoes_total",
    type: "counter",
    help: "Own messages that came back through Redis; recognised, measured and not applied.",
  },
  refusals: {
    name: "presence_redis_refusals_total",
    type: "counter",
    help: "Commands that Redis answered with an error at run time: rights are missing, or it takes none. The log names channel, cause and what to do.",
    label: "command",
    values: ["subscribe", "publish"],
  },
  busBytes: {
    name: "presence_bus_bytes_total",
    type: "counter",
    help: "Bytes of messages published (out) and received (in), echoes included.",
    label: "direction",
    values: ["out", "in"],
  },
  busDropped: {
    name: "presence_bus_dropped_total",
    type: "counter",
    help: "Messages not used: cannot be read (invalid), of something else on our channels (foreign), sent over a connection since replaced (old_link), of another protocol version (version); with BUS_SECRET also: not signed (unsigned), not with our secret (signature), too old or a repeat (stale).",
    label: "reason",
    values: ["invalid", "foreign", "old_link", "version", "unsigned", "signature", "stale"],
  },

  // Other instances.
  apart: {
    name: "presence_instances_apart",
    type: "gauge",
    help: "Other instances heard in the last minute that have REDIS_SHARDED otherwise than this one: on boards neither hears the other.",
  },
  degraded: {
    name: "presence_degraded",
    type: "gauge",
    help: "1 while other instances are out of reach; local people still see each other.",
  },
  unheard: {
    name: "presence_unheard",
    type: "gauge",
    help: "1 while other instances are heard and none hears this one (rule R10), as on a replica.",
  },
  degradedBoards: {
    name: "presence_degraded_boards",
    type: "gauge",
    help: "Boards on which other instances are not heard, or do not hear this one, while elsewhere they may.",
  },
  peers: {
    name: "presence_peers",
    type: "gauge",
    help: "Other instances, as this one sees them; deaf: heard, and does not hear this one.",
    label: "state",
    values: ["up", "deaf", "suspect", "down"],
  },
  suspects: {
    name: "presence_peer_suspects_total",
    type: "counter",
    help: "Times a peer fell silent for so long that its people are shown as reconnecting.",
  },
  downs: { name: "presence_peer_downs_total", type: "counter", help: "Times a peer was given up and its people removed." },
  asks: { name: "presence_slice_asks_total", type: "counter", help: "Times this instance asked others for their slice of a board." },
  replays: {
    name: "presence_slice_replays_total",
    type: "counter",
    help: "Changes of peers' slices that were missed and told again, without the whole slice.",
  },
  resyncs: { name: "presence_slice_resyncs_total", type: "counter", help: "Slices of peers replaced by a snapshot." },
  divergences: {
    name: "presence_slice_divergences_total",
    type: "counter",
    help: "Slices that contradicted a word of their owner; healed by a snapshot. Anything but 0 is worth a bug report.",
  },

  // People.
  boardsWhole: {
    name: "presence_boards_whole",
    type: "gauge",
    help: "Boards of presence_boards whose members are all connected here: their messages reach nobody over Redis. Affinity makes them many.",
  },
  boards: { name: "presence_boards", type: "gauge", help: "Boards with people of this instance, or lingering after the last one." },
  members: {
    name: "presence_members",
    type: "gauge",
    help: "Members connected here (own), and members shown here wherever they are connected (shown).",
    label: "scope",
    values: ["own", "shown"],
  },
  observers: { name: "presence_observers", type: "gauge", help: "Clients connected here that observe a board, and are shown to nobody." },
  watched: { name: "presence_watched_boards", type: "gauge", help: "Boards that clients connected here watch without being on them." },
  connections: {
    name: "presence_connections",
    type: "gauge",
    help: "WebSocket connections by protocol.",
    label: "protocol",
    values: ["binary", "json", "classic"],
  },

  upgradesRefused: {
    name: "presence_upgrades_refused_total",
    type: "counter",
    help: "WebSockets refused before they were open: at no path of ours (path), from a page of another origin (origin), asking for unknown subprotocols or encodings only (encoding), without a right handshake (handshake), while starting or draining (unready), without a file descriptor left (full), with too many open that said nothing yet (greeting), with as many from its address as one may have (address), with too many waiting for their turn (waiting).",
    label: "reason",
    values: ["path", "origin", "encoding", "handshake", "unready", "full", "greeting", "address", "waiting"],
  },
  socketsDropped: {
    name: "presence_sockets_dropped_total",
    type: "counter",
    help: "Sockets ended before they asked for anything, as others needed their file descriptors.",
  },

  // From clients.
  clientMessages: {
    name: "presence_client_messages_total",
    type: "counter",
    help: "Messages of clients, by kind.",
    label: "kind",
    values: CLIENT_KINDS,
  },
  clientRejected: {
    name: "presence_client_rejected_total",
    type: "counter",
    help: "Messages of clients that were refused or ignored, by the code of the error.",
    label: "reason",
    values: ERROR_CODES,
  },
  throttled: {
    name: "presence_throttled_total",
    type: "counter",
    help: "Times somebody had to wait or got less, by cause: a connection read in turns with others (turn) or not before it has paid (debt), an upgrade that waited (handshake) or was refused (handshake_refused), an update or broadcast refused as its board is told too much (board), members shown as gone at once as their address leaves too many (grace). docs/OPERATIONS.md lists the limits.",
    label: "cause",
    values: ["turn", "debt", "handshake", "handshake_refused", "board", "grace"],
  },

  // To clients.
  framesOut: {
    name: "presence_client_frames_total",
    type: "counter",
    help: "Frames written to clients; a frame shared by many counts once for each.",
  },
  bytesOut: { name: "presence_client_bytes_total", type: "counter", help: "Bytes written to clients." },
  cursorsDelivered: {
    name: "presence_cursors_delivered_total",
    type: "counter",
    help: "Cursor positions written to clients: positions in a frame times its receivers.",
  },
  cursorsConflated: {
    name: "presence_cursors_conflated_total",
    type: "counter",
    help: "Moves overwritten by a later one before they were sent: the work that was saved.",
  },
  cursorFramesSkipped: {
    name: "presence_cursor_frames_skipped_total",
    type: "counter",
    help: "Cursor frames not written to a client whose connection was full; it gets the latest positions later.",
  },
  staleClients: {
    name: "presence_clients_stale_total",
    type: "counter",
    help: "Clients too slow for the roster's changes; each gets a fresh roster once it has caught up.",
  },
  terminatedClients: {
    name: "presence_clients_terminated_total",
    type: "counter",
    help: "Clients ended because they did not read at all.",
  },
  webhookEvents: {
    name: "presence_webhook_events_total",
    type: "counter",
    help: "Events of webhooks that the receiver has taken from this instance (delivered), or that were given up, as too many waited (dropped).",
    label: "result",
    values: ["delivered", "dropped"],
  },
  webhookFailures: {
    name: "presence_webhook_failures_total",
    type: "counter",
    help: "Batches of events that the receiver did not take; each is sent again.",
  },
  webhookPending: {
    name: "presence_webhook_pending",
    type: "gauge",
    help: "Events that this instance knows of and that the receiver has not taken yet, from whichever instance.",
  },
  closes: {
    name: "presence_client_closes_total",
    type: "counter",
    help: "Connections that this instance closed, by close code; docs/PROTOCOL.md says what they mean.",
    label: "code",
    values: CLOSE_CODES,
  },

  // The process.
  loopDelay: {
    name: "presence_event_loop_delay_seconds",
    type: "gauge",
    help: "How late timers went off, and so the event loop was, in the last 10 s or since the last scrape, whichever is longer.",
    label: "quantile",
    values: ["0.5", "0.99"],
  },
  cpuSeconds: { name: "process_cpu_seconds_total", type: "counter", help: "CPU time of the process, user and system." },
  residentBytes: { name: "process_resident_memory_bytes", type: "gauge", help: "Memory of the process." },
  heapBytes: { name: "nodejs_heap_size_used_bytes", type: "gauge", help: "Memory of JavaScript objects." },
  startTime: { name: "process_start_time_seconds", type: "gauge", help: "When the process started, seconds since 1970." },
} as const satisfies Record<string, Entry>;

type HistogramEntry = {
  readonly name: string;
  readonly type: "histogram";
  readonly help: string;
  readonly label?: string;
  readonly values?: readonly string[];
  /** In seconds. A promise is a bound, so that it can be counted how often it was kept. */
  readonly buckets: readonly number[];
};

/** Times that are observed one by one. */
export const HISTOGRAMS = {
  echoSeconds: {
    name: "presence_bus_echo_seconds",
    type: "histogram",
    help: "Time from publishing a message to its own echo: the latency of Redis pub/sub.",
    // From the time that a local Redis needs in a batch to more than the echo watchdog waits for (R9, 2 s).
    buckets: [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5],
  },
  joinSeconds: {
    name: "presence_join_visible_seconds",
    type: "histogram",
    help: "Time from a join at another instance until the member was shown here (rule R23). Promised: 99 of 100 within 0.05 while all is well.",
    buckets: [0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 18],
  },
  ghostSeconds: {
    name: "presence_ghost_seconds",
    type: "histogram",
    help: "How long a member of another instance was shown here after it was gone, once for each leave (rule R23): after its owner had said so (left), or after the last sign of life of its owner, which died (lost). Promised: within 5.",
    label: "cause",
    values: ["left", "lost"],
    buckets: [0.005, 0.01, 0.05, 0.1, 0.3, 0.5, 1, 2, 3, 4, 4.5, 5, 6, 8, 10, 18, 45],
  },
  falseLeaveSeconds: {
    name: "presence_false_leave_seconds",
    type: "histogram",
    help: "Leaves shown here of members who had not left, and for how long each was missing (rule R23): the session was there all the time (kept), or had lost its instance and came back by itself within 15 s (resumed).",
    label: "how",
    values: ["kept", "resumed"],
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 15],
  },
  blindSeconds: {
    name: "presence_blind_seconds",
    type: "histogram",
    help: "How long this instance did not hear the bus (all), or one board of it did not (board), observed when it hears again (rule R23). presence_degraded shows it while it lasts.",
    label: "scope",
    values: ["all", "board"],
    buckets: [0.1, 0.25, 0.5, 1, 2, 3, 5, 10, 30, 60, 300],
  },
} as const satisfies Record<string, HistogramEntry>;

/** Metrics beside the tables; the documentation lists them too. */
export const OTHER_METRICS = {
  buildInfo: {
    name: "presence_build_info",
    type: "gauge",
    help: "Always 1; the labels say which version runs on which Node.",
    label: "version, node",
  },
} as const;

type Fields = {
  -readonly [K in keyof typeof METRICS]: (typeof METRICS)[K] extends { values: readonly (infer V extends string)[] }
    ? Record<V, number>
    : number;
};

type Histograms = {
  readonly [K in keyof typeof HISTOGRAMS]: (typeof HISTOGRAMS)[K] extends {
    label: infer L extends string;
    values: readonly (infer V extends string)[];
  }
    ? { observe(labels: Record<L, V>, seconds: number): void }
    : { observe(seconds: number): void };
};

export type Metrics = Fields &
  Histograms & {
    /** Called before each exposition, to set gauges that are cheaper to read than to keep. */
    beforeScrape: () => void;
    readonly contentType: string;
    /** Prometheus text. */
    expose(): Promise<string>;
    /** The event loop's delay in seconds, as in `presence_event_loop_delay_seconds`. */
    eventLoopDelay(): LoopDelay;
    /** A timer went off so late. */
    timerWasLate(ms: Millis): void;
  };

export function createMetrics(options: { readonly version: string }): Metrics {
  const registry = new Registry(Registry.PROMETHEUS_CONTENT_TYPE);
  const registers = [registry];
  const loop = new LoopMonitor();
  new Gauge({ ...named(OTHER_METRICS.buildInfo), labelNames: ["version", "node"], registers }).set(
    { version: options.version, node: process.versions.node },
    1,
  );

  const metrics: Metrics = {
    ...zeroes(),
    ...histograms(registers),
    beforeScrape: () => {},
    contentType: registry.contentType,
    expose: () => {
      metrics.beforeScrape();
      readProcess(metrics, loop);
      return registry.metrics();
    },
    eventLoopDelay: () => loop.read(),
    timerWasLate: (ms) => loop.wasLate(ms),
  };
  for (const [field, entry] of Object.entries(METRICS)) register(registers, entry, () => metrics[field as keyof Fields]);
  return metrics;
}

/** Every series is there from the start: a rate over one that begins with its first event would not see that event. */
function histograms(registers: Registry[]): Histograms {
  const made = Object.entries<HistogramEntry>(HISTOGRAMS).map(([field, { label, values = [], buckets, ...entry }]) => {
    const labelNames = label === undefined ? [] : [label];
    const histogram: Histogram<string> = new Histogram({ ...named(entry), labelNames, buckets: [...buckets], registers });
    for (const value of values) histogram.zero({ [label ?? ""]: value });
    return [field, histogram];
  });
  return Object.fromEntries(made);
}

function zeroes(): Fields {
  const fields = Object.entries<Entry>(METRICS).map(([field, { values }]) => [
    field,
    values === undefined ? 0 : Object.fromEntries(values.map((value) => [value, 0])),
  ]);
  return Object.fromEntries(fields);
}

function named({ name, help }: { readonly name: string; readonly help: string }): { name: string; help: string } {
  return { name, help };
}

function register(registers: Registry[], entry: Entry, read: () => number | Record<string, number>): void {
  const { label } = entry;
  const numbers = (): [Record<string, string>, number][] => {
    const value = read();
    if (typeof value === "number") return [[{}, value]];
    return Object.entries(value).map(([key, number]) => [{ [label ?? ""]: key }, number]);
  };
  const configuration = { ...named(entry), labelNames: label === undefined ? [] : [label], registers };
  if (entry.type === "gauge") {
    const gauge: Gauge<string> = new Gauge({
      ...configuration,
      collect: () => {
        for (const [labels, value] of numbers()) gauge.set(labels, value);
      },
    });
    return;
  }
  const counter: Counter<string> = new Counter({
    ...configuration,
    collect: () => {
      counter.reset();
      for (const [labels, value] of numbers()) counter.inc(labels, value);
    },
  });
}

/** Replaces the library's default metrics, which would watch garbage collection and handles of the whole process once per server in it. */
function readProcess(metrics: Fields, loop: LoopMonitor): void {
  const { p50, p99 } = loop.read();
  metrics.loopDelay["0.5"] = p50;
  metrics.loopDelay["0.99"] = p99;
  const { user, system } = process.cpuUsage();
  metrics.cpuSeconds = (user + system) / 1e6;
  const { rss, heapUsed } = process.memoryUsage();
  metrics.residentBytes = rss;
  metrics.heapBytes = heapUsed;
  metrics.startTime = Math.round(performance.timeOrigin / 1000);
}

export type LoopDelay = { readonly p50: number; readonly p99: number };

const LOOP_WINDOW_MS = 10_000;

/**
 * How late timers went off in the last full window, or in the current one while there is none. They are timers that the instance has anyway,
 * two a second at least: timers for this purpose alone were most of the wake-ups of an instance at rest. No timer ends a window: a read does.
 */
export class LoopMonitor {
  /** In µs. */
  readonly #histogram = createHistogram();
  #since = performance.now();
  #last: LoopDelay | undefined;

  wasLate(ms: Millis): void {
    this.#histogram.record(Math.max(1, Math.round(1000 * ms)));
  }

  read(): LoopDelay {
    const seconds = (percentile: number) => (this.#histogram.count === 0 ? 0 : this.#histogram.percentile(percentile) / 1e6);
    const current = { p50: seconds(50), p99: seconds(99) };
    if (performance.now() - this.#since >= LOOP_WINDOW_MS) {
      this.#last = current;
      this.#since = performance.now();
      this.#histogram.reset();
    }
    return this.#last ?? current;
  }
}
