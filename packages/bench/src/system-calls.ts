/**
 * Counts the calls of the system and the wake-ups of a move, of this service and of others: `npm run system-calls -w packages/bench -- --peers naive`. Counts
 * come from the kernel's trace points (`perf stat`, as root), which cost little. Instances and Redis share the first core, the generator has the second one.
 *
 *   --peers A,B      of naive, y-websocket, socket-io, hocuspocus, centrifugo (naive)
 *   --boards 1       boards
 *   --board 10       members of one board
 *   --moving 1       the share of them that moves
 *   --moves 20       moves per second of each of those
 *   --seconds 10     measured time
 *   --warm-up 8      seconds before that
 *   --repeats 3      runs of each, in turn
 */

import { execFile, execFileSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs, promisify } from "node:util";
import { Cluster, type Process } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { bare, type Contender, install, ours, oursAlone, peersNamed } from "./peers/contenders.ts";
import { gather, leave, placesOf } from "./peers/crowd.ts";
import { Walk } from "./peers/walk.ts";
import { fixed, sum, table } from "./report.ts";

const { values } = parseArgs({
  options: {
    peers: { type: "string", default: "naive" },
    boards: { type: "string", default: "1" },
    board: { type: "string", default: "10" },
    moving: { type: "string", default: "1" },
    moves: { type: "string", default: "20" },
    seconds: { type: "string", default: "10" },
    "warm-up": { type: "string", default: "8" },
    repeats: { type: "string", default: "3" },
  },
});
const [boards, boardSize, moves, repeats] = [
  numberOf("boards", values.boards),
  numberOf("board", values.board),
  numberOf("moves", values.moves),
  numberOf("repeats", values.repeats),
];
const [moving, seconds, warmUp] = [
  numberOf("moving", values.moving),
  numberOf("seconds", values.seconds),
  numberOf("warm-up", values["warm-up"], 0),
];

/** Each kind by the names that programs call it by. */
const CALLS = {
  polls: ["epoll_pwait", "epoll_wait", "epoll_pwait2"],
  reads: ["read", "readv", "recvfrom", "recvmsg"],
  writes: ["write", "writev", "sendto", "sendmsg"],
  futexes: ["futex"],
} as const;
const ALL = "raw_syscalls:sys_enter";

/** Since the beginning, or as a difference in a time; of all threads. `cpu` in µs; `sleeps`: times that a thread had nothing to do and slept. */
type Counts = { readonly cpu: number; readonly sleeps: number };

function countsOf({ pid }: Process): Counts {
  const files = (name: string) =>
    readdirSync(`/proc/${pid}/task`).map((thread) => readFileSync(`/proc/${pid}/task/${thread}/${name}`, "latin1"));
  return {
    // The first number is the time on a core in nanoseconds: `stat` counts hundredths of a second.
    cpu: sum(files("schedstat").map((times) => Number(times.split(" ")[0]))) / 1000,
    sleeps: sum(files("status").map((status) => Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]))),
  };
}

/** Calls of that process, while it is watched. */
async function callsOf({ pid }: Process): Promise<Map<string, number>> {
  const events = [
    ALL,
    ...Object.values(CALLS)
      .flat()
      .map((name) => `syscalls:sys_enter_${name}`),
  ];
  const args = ["stat", "-x,", "-p", String(pid), "-e", events.join(","), "--", "sleep", String(seconds)];
  const { stderr } = await promisify(execFile)("perf", args).catch((error: Error) => {
    throw new Error(`perf cannot count here; it needs root: ${error.message}`);
  });
  return new Map(
    stderr.split("\n").flatMap((line) => {
      const [count, , event] = line.split(",");
      return event === undefined ? [] : [[event, Number(count) || 0] as const];
    }),
  );
}

/** Of one process or of several, per move. */
type Cost = {
  readonly all: number;
  readonly polls: number;
  readonly reads: number;
  readonly writes: number;
  readonly futexes: number;
} & Counts;

async function measure({ program, isAlone, enter }: Contender): Promise<{ readonly instances: Cost; readonly redis: Cost }> {
  const cluster = await Cluster.start(isAlone ? 1 : 2, 0, program);
  let walk: Walk | undefined;
  const people = await gather(placesOf(cluster, { boards, boardSize }), enter, () => {});
  try {
    const movers = people.filter((_, nth) => Math.floor((nth + 1) * moving) > Math.floor(nth * moving));
    walk = new Walk(movers, moves);
    await wait(warmUp * 1000);
    const processes = [...cluster.instances, cluster.redis];
    const before = processes.map(countsOf);
    const from = walk.moves.made;
    const calls = await Promise.all(processes.map(callsOf));
    const made = walk.moves.made - from;
    const costs = processes.map((process, nth): Cost => {
      const of = (names: readonly string[]) => sum(names.map((name) => calls[nth]?.get(`syscalls:sys_enter_${name}`) ?? 0)) / made;
      const after = countsOf(process);
      const [cpu, sleeps] = [after.cpu - (before[nth]?.cpu ?? 0), after.sleeps - (before[nth]?.sleeps ?? 0)];
      const kinds = { polls: of(CALLS.polls), reads: of(CALLS.reads), writes: of(CALLS.writes), futexes: of(CALLS.futexes) };
      return { all: (calls[nth]?.get(ALL) ?? 0) / made, ...kinds, cpu: cpu / made, sleeps: sleeps / made };
    });
    const redis = costs.pop() as Cost;
    return { instances: total(costs), redis };
  } finally {
    await walk?.stop();
    leave(people);
    cluster.stop();
  }
}

function total(costs: readonly Cost[]): Cost {
  const add = (key: keyof Cost) => sum(costs.map((cost) => cost[key]));
  return {
    all: add("all"),
    polls: add("polls"),
    reads: add("reads"),
    writes: add("writes"),
    futexes: add("futexes"),
    cpu: add("cpu"),
    sleeps: add("sleeps"),
  };
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
}

execFileSync("taskset", ["--all-tasks", "--cpu-list", "--pid", "1", String(process.pid)], { stdio: "ignore" });
process.env["TRUSTED_PROXIES"] = "127.0.0.1";
process.env["NODE_ENV"] = "production";
const chosen = values.peers.split(",").filter(Boolean);
const contenders = [ours, oursAlone, ...peersNamed(chosen), ...bare];
for (const contender of contenders) install(contender);

const runs = contenders.map(() => [] as Awaited<ReturnType<typeof measure>>[]);
for (let repeat = 0; repeat < repeats; repeat++)
  for (const [nth, contender] of contenders.entries()) runs[nth]?.push(await measure(contender));

const rows = contenders.flatMap(({ name, isAlone }, nth) =>
  (isAlone ? (["instances"] as const) : (["instances", "redis"] as const)).map((part) => {
    const of = (key: keyof Cost) => median((runs[nth] ?? []).map((run) => run[part][key]));
    const kinds = (["all", "polls", "reads", "writes", "futexes", "sleeps"] as const).map((key) => fixed(of(key), 1));
    return [part === "redis" ? `${name}: Redis` : `${name}: instances`, ...kinds, fixed(of("cpu"), 0)];
  }),
);
console.log(table(["per move", "calls of the system", "epoll", "reads", "writes", "futex", "threads that slept", "CPU, µs"], rows));
