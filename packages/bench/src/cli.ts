/**
 * The load generator, `npm run bench -w packages/bench`: starts a Redis and instances, connects clients, prints tables. Without options it makes the runs of
 * docs/BENCHMARKS.md, in three and a half minutes. With any of these it makes one run.
 *
 *   --users N      people per instance                       (50)
 *   --board N      members of one board, instances together  (all)
 *   --areas N      areas into which a board is divided       (1: none)
 *   --moves N      moves per second of each                  (20)
 *   --moving N     the share of them that moves              (1)
 *   --seconds N    measured time                             (10)
 *   --warm-up N    seconds before that, not measured         (5)
 *   --instances N                                            (2)
 *   --protocol P   binary or classic                         (binary)
 *   --pinned       instances and Redis on one core, the generator on another (Linux)
 *   --idle N       instead: memory and CPU of N idle connections, on boards of --board (10)
 *   --status S     of idle connections: idle or active       (idle)
 */

import { execFileSync } from "node:child_process";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import type { Protocol, Status } from "./clients.ts";
import { Cluster } from "./cluster.ts";
import { idle } from "./idle.ts";
import { type Load, run } from "./load.ts";
import { numberOf, wrong } from "./options.ts";
import { idleTable, loadTable } from "./report.ts";

const STANDARD: readonly Omit<Load, "seconds" | "warmUpSeconds">[] = [
  { protocol: "binary", usersPerInstance: 1, boardSize: 2, movesPerSecond: 20, moving: 1 },
  { protocol: "binary", usersPerInstance: 5, boardSize: 10, movesPerSecond: 20, moving: 1 },
  { protocol: "binary", usersPerInstance: 50, boardSize: 10, movesPerSecond: 20, moving: 1 },
  { protocol: "binary", usersPerInstance: 50, boardSize: 100, movesPerSecond: 20, moving: 1 },
  { protocol: "classic", usersPerInstance: 50, boardSize: 100, movesPerSecond: 20, moving: 1 },
  { protocol: "binary", usersPerInstance: 500, boardSize: 10, movesPerSecond: 5, moving: 1 },
  { protocol: "binary", usersPerInstance: 250, boardSize: 500, movesPerSecond: 10, moving: 1 },
];
/** Two sizes on one instance: the difference gives the cost of a connection without the memory that a process needs anyway. */
const STANDARD_IDLE = [2000, 8000];

const { values } = parseArgs({
  options: {
    users: { type: "string", default: "50" },
    board: { type: "string" },
    areas: { type: "string", default: "1" },
    moves: { type: "string", default: "20" },
    moving: { type: "string", default: "1" },
    seconds: { type: "string", default: "10" },
    "warm-up": { type: "string", default: "5" },
    instances: { type: "string", default: "2" },
    protocol: { type: "string", default: "binary" },
    idle: { type: "string" },
    pinned: { type: "boolean" },
    status: { type: "string", default: "idle" },
  },
});

const { protocol, status } = values;
if (status !== "idle" && status !== "active") throw wrong(`--status is ${status}; it must be idle or active`);
if (protocol !== "binary" && protocol !== "classic") throw wrong(`--protocol is ${protocol}; it must be binary or classic`);
const instances = numberOf("instances", values.instances);
console.log(`${cpus()[0]?.model ?? "unknown processor"}, ${cpus().length} cores, Node ${process.version}, everything on this machine\n`);
if (process.argv.length === 2) await standard(instances);
else if (values.idle !== undefined)
  console.log(idleTable([await measureIdle(instances, protocol, numberOf("idle", values.idle), boardSize(10), status)]));
else {
  const usersPerInstance = numberOf("users", values.users);
  const load: Load = {
    protocol,
    usersPerInstance,
    boardSize: boardSize(usersPerInstance * instances),
    areas: numberOf("areas", values.areas),
    movesPerSecond: numberOf("moves", values.moves),
    moving: numberOf("moving", values.moving),
    seconds: numberOf("seconds", values.seconds),
    warmUpSeconds: numberOf("warm-up", values["warm-up"]),
  };
  console.log(loadTable([await measure(instances, load)]));
}

async function standard(instances: number): Promise<void> {
  const results = [];
  for (const load of STANDARD)
    results.push(
      await measure(instances, {
        ...load,
        seconds: numberOf("seconds", values.seconds),
        warmUpSeconds: numberOf("warm-up", values["warm-up"]),
      }),
    );
  console.log(`${loadTable(results)}\n`);
  const idleResults = [];
  for (const protocol of ["binary", "classic"] as const)
    for (const connections of STANDARD_IDLE) idleResults.push(await measureIdle(1, protocol, connections, 10, "idle"));
  console.log(idleTable(idleResults));
}

/** Each run has its own processes, so that none starts with the heap or the compiled code of another. */
async function measure(instances: number, load: Load) {
  return withCluster(instances, (cluster) => run(cluster, load));
}

async function measureIdle(instances: number, protocol: Protocol, connections: number, size: number, status: Status) {
  return withCluster(instances, (cluster) => idle(cluster, protocol, connections, size, status));
}

async function withCluster<T>(instances: number, use: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.start(instances, values.pinned ? 0 : undefined);
  if (values.pinned) execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", "1", String(process.pid)], { stdio: "ignore" });
  const stop = () => {
    cluster.stop();
    process.exit(1);
  };
  process.once("SIGINT", stop).once("SIGTERM", stop);
  try {
    return await use(cluster);
  } finally {
    process.off("SIGINT", stop).off("SIGTERM", stop);
    cluster.stop();
  }
}

function boardSize(fallback: number): number {
  return values.board === undefined ? fallback : numberOf("board", values.board);
}
