/**
 * A board with very many members, `npm run big-board -w packages/bench`: the work of the service, on two instances with Redis, and that of a page in
 * Chromium. Options:
 *
 *   --members N,N  boards of so many, one after the other         (1000,5000,10000)
 *   --only P,P     of comings, moves, areas, return and page      (all)
 *   --movers N     so many move; they and as many others watch    (500)
 *   --moves N      moves per second of each                       (20)
 *   --seconds N    measured time of each load                     (8)
 *   --within N     seconds in which a lost crowd comes back       (2)
 *   --parts P      the page has the React parts, or the SDK alone: react or sdk  (react)
 *   --profile      prints the functions in which the page spends its time
 */

import { parseArgs } from "node:util";
import { Cluster } from "../cluster.ts";
import { numberOf, wrong } from "../options.ts";
import { fixed, table } from "../report.ts";
import { Guest } from "./guest.ts";
import { pageOf } from "./page-phases.ts";
import { type Comings, comeBack, comings, fill, type Moving, moving, type Return } from "./service.ts";

const LOADS = ["comings", "moves", "areas", "return", "page"] as const;
type LoadName = (typeof LOADS)[number];
/** The areas of the board in the load of that name. */
const AREAS = 10;
/** A board of the usual size, on which everybody moves, for comparison. */
const USUAL = 100;
const INSTANCES = 2;
/** Members who are sent no cursors: a machine that sends ten thousand of them everything measures only itself. */
const ELSEWHERE = ["elsewhere"];

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "1000,5000,10000" },
    only: { type: "string", default: LOADS.join(",") },
    movers: { type: "string", default: "500" },
    moves: { type: "string", default: "20" },
    seconds: { type: "string", default: "8" },
    within: { type: "string", default: "2" },
    parts: { type: "string", default: "react" },
    profile: { type: "boolean", default: false },
  },
});
const sizes = values.members.split(",").map((size) => numberOf("members", size));
const loads = values.only.split(",").map((name) => LOADS.find((load) => load === name) ?? unknownLoad(name));
const movers = numberOf("movers", values.movers);
const moves = numberOf("moves", values.moves);
const seconds = numberOf("seconds", values.seconds);
const withinMs = 1000 * numberOf("within", values.within);
if (values.parts !== "react" && values.parts !== "sdk") throw wrong(`--parts is ${values.parts}; it must be react or sdk`);
const { parts, profile } = values;

process.env["TRUSTED_PROXIES"] = "127.0.0.1";
const rows = new Map<string, string[][]>();
if (loads.includes("moves")) await measured(USUAL, USUAL, `all ${USUAL} move`, [""]);
for (const size of sizes) {
  if (loads.includes("comings")) await onBoard(size, plain, (cluster, guests) => cameAndWent(guests, portsOf(cluster)));
  if (loads.includes("moves")) await measured(size, movers, `${movers} move`, [""]);
  if (loads.includes("areas")) await measured(size, movers, `${movers} move, in ${AREAS} areas`, slides());
  if (loads.includes("return")) await onBoard(size, plain, returned);
  if (loads.includes("page"))
    for (const [title, row] of await pageOf(size, { movers, moves, seconds, parts, profile })) add("page", title, row);
}
for (const [name, [titles = [], ...cells]] of rows) console.log(`\n${name}\n\n${table(titles, cells)}`);

function unknownLoad(name: string): LoadName {
  throw wrong(`--only has ${name}; there are ${LOADS.join(", ")}`);
}

function slides(): string[] {
  return Array.from({ length: AREAS }, (_, nth) => `slide ${nth}`);
}

function plain(nth: number): Guest {
  return new Guest(nth);
}

function portsOf(cluster: Cluster): number[] {
  return cluster.instances.map(({ port }) => port);
}

function add(load: string, titles: readonly string[], row: readonly string[]): void {
  const table = rows.get(load) ?? [[...titles]];
  rows.set(load, [...table, [...row]]);
  console.log(`${load}: ${row.join(" | ")}`);
}

async function onBoard(
  size: number,
  make: (nth: number) => Guest,
  use: (cluster: Cluster, guests: readonly Guest[]) => Promise<void>,
): Promise<void> {
  const cluster = await Cluster.start(INSTANCES);
  let guests: readonly Guest[] = [];
  try {
    guests = await fill(size, portsOf(cluster), make);
    await use(cluster, guests);
  } finally {
    for (const guest of guests) guest.drop();
    cluster.stop();
  }
}

async function cameAndWent(guests: readonly Guest[], ports: readonly number[]): Promise<void> {
  const { joinP50, joinMax, bytesP50, bytesMax, wrongCounts }: Comings = await comings(guests, ports);
  add(
    "comings",
    ["members", "join to roster: p50, max", "bytes that each viewer is sent for a join or a leave: p50, max", "wrong counts in `joined`"],
    [
      String(guests.length),
      `${fixed(joinP50, 0)} ms, ${fixed(joinMax, 0)} ms`,
      `${fixed(bytesP50, 0)}, ${fixed(bytesMax, 0)}`,
      String(wrongCounts),
    ],
  );
}

/** The first ones move, they and as many others watch, and nobody else is sent cursors. */
async function measured(size: number, moving_: number, what: string, areas: readonly string[]): Promise<void> {
  const watching = Math.min(size, 2 * moving_);
  const make = (nth: number) => {
    const area = areas[Math.floor(nth / INSTANCES) % areas.length] ?? "";
    const isLast = nth === watching - 1;
    return new Guest(nth, { area, ...(nth >= watching && { look: ELSEWHERE }) }, isLast);
  };
  await onBoard(size, make, async (cluster, guests) => {
    const seen: Moving = await moving(cluster, guests.slice(0, moving_), guests.slice(0, watching), moves, seconds);
    add(
      "moves",
      [
        "members",
        "load",
        "moves/s",
        "updates/s delivered",
        "a viewer is sent: updates/s, KB/s",
        "of a mover, a second: least, most",
        "CPU s of the instances per million",
        "cores: instances, generator",
      ],
      [
        String(size),
        what,
        fixed(seen.movesPerSecond, 0),
        fixed(seen.updatesPerSecond, 0),
        `${fixed(seen.seenPerSecond, 0)}, ${fixed(seen.bytesPerSecond / 1000, 1)}`,
        `${fixed(seen.leastPerSecond, 1)}, ${fixed(seen.mostPerSecond, 1)}`,
        fixed(seen.cpuPerMillion, 3),
        `${fixed(seen.instanceCores, 2)}, ${fixed(seen.generatorCores, 2)}`,
      ],
    );
  });
}

/** Three losses, one after the other: of all connections, of one instance, and of the only instance there is then. */
async function returned(cluster: Cluster, guests: readonly Guest[]): Promise<void> {
  const [first, second] = cluster.instances;
  if (first === undefined || second === undefined) throw new Error("there are not two instances");
  tell("all connections", await comeBack(guests, guests, second.port, withinMs, async () => [first, second]));
  const ofFirst = guests.filter((_, nth) => nth % INSTANCES === 0);
  const one = await comeBack(ofFirst, guests, second.port, withinMs, async () => {
    first.kill();
    return [second];
  });
  tell("one of two instances", one);
  const added = await cluster.add();
  const all = await comeBack(guests, guests, second.port, withinMs, async () => {
    second.kill();
    return [added];
  });
  tell("the only instance; a new one is there", all);

  function tell(what: string, { coming, seconds, mbToClients, mbToService, cpuSeconds, retries, failures, most }: Return): void {
    add(
      "return",
      [
        "members",
        "lost",
        "come back",
        "s until the last knows the board",
        "MB to all clients",
        "most of them",
        "MB to the service",
        "CPU s of the instances",
        "connects tried again",
      ],
      [
        String(guests.length),
        what,
        String(coming),
        fixed(seconds, 1),
        fixed(mbToClients, 1),
        most.map(([type, mb]) => `0x${type.toString(16)} ${fixed(mb, 1)}`).join(", "),
        fixed(mbToService, 1),
        fixed(cpuSeconds, 1),
        [String(retries), ...failures.map(([why, count]) => `${count} × ${why.split("\r\n")[0]}`)].join("; "),
      ],
    );
  }
}
