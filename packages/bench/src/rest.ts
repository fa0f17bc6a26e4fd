/**
 * The cost of instances and boards at rest on the bus, counted by Redis: bytes that it reads and writes, its own protocol included, and messages.
 * `npm run rest -w packages/bench`. On a fake clock `packages/server/src/connection/rest.test.ts` counts the same without that protocol.
 *
 *   --instances N,N   (2,4,10)
 *   --sizes N,N       members of a board, spread over all instances (2,10)
 *   --boards N        boards of each size (100)
 *   --settle N        seconds after the joins, not measured (20)
 *   --seconds N       measured time (60)
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BusMeter } from "./bus-counts.ts";
import { Cluster } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { gather, noneLost, placesOf } from "./peers/crowd.ts";
import { enterOurs } from "./peers/ours.ts";
import { fixed, table } from "./report.ts";

const { values } = parseArgs({
  options: {
    instances: { type: "string", default: "2,4,10" },
    sizes: { type: "string", default: "2,10" },
    boards: { type: "string", default: "100" },
    settle: { type: "string", default: "20" },
    seconds: { type: "string", default: "60" },
  },
});
const numbersOf = (option: "instances" | "sizes") => values[option].split(",").map((text) => numberOf(option, text));
const [counts, sizes] = [numbersOf("instances"), numbersOf("sizes")];
const boards = numberOf("boards", values.boards);
const settleMs = 1000 * numberOf("settle", values.settle, 0);
const seconds = numberOf("seconds", values.seconds);

// People have addresses of their own.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";

/** Per second, of all instances together. */
type Rest = { readonly publishes: number; readonly deliveries: number; readonly bytesIn: number; readonly bytesOut: number };

async function rest(meter: BusMeter): Promise<Rest> {
  await wait(settleMs);
  const before = await meter.take();
  await wait(1000 * seconds);
  const after = await meter.take();
  const rate = (count: "publishes" | "bytesIn" | "bytesOut" | "deliveries") =>
    (1000 * ((after[count] ?? Number.NaN) - (before[count] ?? Number.NaN))) / (after.at - before.at);
  return { publishes: rate("publishes"), deliveries: rate("deliveries"), bytesIn: rate("bytesIn"), bytesOut: rate("bytesOut") };
}

function row(what: string, { publishes, deliveries, bytesIn, bytesOut }: Rest, divisor: number): string[] {
  return [what, ...[publishes, deliveries, bytesIn, bytesOut].map((rate) => fixed(rate / divisor, 3))];
}

const rows: string[][] = [];
for (const instances of counts) {
  const cluster = await Cluster.start(instances);
  try {
    const meter = await BusMeter.open(cluster);
    const none = await rest(meter);
    let before = none;
    rows.push(row(`an instance of ${instances}, without boards`, none, instances));
    for (const [nth, boardSize] of sizes.entries()) {
      const places = placesOf(cluster, { boards, boardSize }, nth * 100_000).map((place) => ({ ...place, board: `${place.board}-${nth}` }));
      const people = await gather(places, enterOurs, () => {});
      const some = await rest(meter);
      noneLost(people);
      const added = (count: keyof Rest) => some[count] - before[count];
      rows.push(
        row(
          `a board of ${boardSize} over ${Math.min(instances, boardSize)} of ${instances} instances`,
          { publishes: added("publishes"), deliveries: added("deliveries"), bytesIn: added("bytesIn"), bytesOut: added("bytesOut") },
          boards,
        ),
      );
      // They stay, as boards live on for a while without them.
      before = some;
    }
    meter.close();
  } finally {
    cluster.stop();
  }
}
console.log(table(["per second", "publishes", "messages that Redis delivers", "bytes that Redis reads", "bytes that Redis writes"], rows));
