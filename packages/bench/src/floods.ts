/**
 * Measures how floods affect other clients: clients move on a board of their own while sockets of one kind flood the same instance
 * without pause, from the same address or another one. `npm run floods -w packages/bench -- [--sockets 20,80] [--kinds "heartbeats;pings"]
 * [--seconds 10] [--from 127.0.0.2]`.
 */

import { spawn } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { type BoardId, encodeBinary } from "@presence-service/protocol";
import { Cluster, type Instance } from "./cluster.ts";
import { FLOODS } from "./flood-kinds.ts";
import { Histogram } from "./histogram.ts";
import { gather, Moves, walk } from "./load.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const FLOODER = fileURLToPath(new URL("flooder.ts", import.meta.url));
const PEOPLE = { protocol: "binary", usersPerInstance: 10, boardSize: 20 } as const;
const MOVES_PER_SECOND = 20;
/** A thousand have joined one board by then. */
const FROZEN_AFTER_MS = 20_000;
/** Members with 4 KB of state each on a board that any client may join. */
const LARGE_BOARD = 400;

const { values } = parseArgs({
  options: {
    sockets: { type: "string", default: "20,80" },
    kinds: { type: "string" },
    seconds: { type: "string", default: "10" },
    from: { type: "string", default: "127.0.0.1" },
  },
});
const seconds = numberOf("seconds", values.seconds);
const sizes = values.sockets.split(",").map((text) => numberOf("sockets", text));
const kinds = values.kinds?.split(";") ?? Object.keys(FLOODS);

console.log(
  "| flood | sockets | local p50 / p99 ms before | during | cross p99 ms before | during | leaves shown | moves that arrived | cores | MB/s out | RSS MB | throttled |",
);
console.log("|---|---|---|---|---|---|---|---|---|---|---|---|");
for (const kind of kinds) for (const sockets of sizes) console.log(await measure(kind, sockets));

async function measure(kind: string, sockets: number): Promise<string> {
  const cluster = await Cluster.start(2);
  const [flooded] = cluster.instances as [Instance, Instance];
  try {
    let local = new Histogram();
    let cross = new Histogram();
    let leaves = 0;
    const moves = new Moves();
    const clients = await gather(cluster, PEOPLE, (viewer, move) => {
      (moves.sentBy(move) === viewer.instance ? local : cross).add(performance.now() - moves.sentAt(move));
    });
    for (const client of clients) client.left = () => leaves++;
    if (kind.includes("large") || kind.includes("same")) await fill(cluster.instances[0]?.port ?? 0);
    const stop = walk(clients, { movesPerSecond: MOVES_PER_SECOND }, moves);
    await wait(2000);
    [local, cross] = [new Histogram(), new Histogram()];
    await wait(seconds * 500);
    const before = { local, cross };
    const flooder = spawn(
      process.execPath,
      ["--conditions=presence-source", FLOODER, String(flooded.port), String(sockets), kind, values.from],
      {
        stdio: "inherit",
      },
    );
    // Readers are measured once they are there: their joins are a flood of another kind.
    await wait(kind.startsWith("frozen") ? FROZEN_AFTER_MS : 2000);
    [local, cross] = [new Histogram(), new Histogram()];
    const made = moves.made;
    const cpu = flooded.cpuSeconds();
    const bytes = await metric(flooded, "presence_client_bytes_total");
    const startedAt = performance.now();
    await wait(seconds * 1000);
    const elapsed = (performance.now() - startedAt) / 1000;
    const cores = (flooded.cpuSeconds() - cpu) / elapsed;
    const deliverable = (moves.made - made) * (clients.length - 1);
    const rss = flooded.residentBytes() / 1e6;
    const during = { local, cross };
    const arrived = local.count + cross.count;
    const megabytes = ((await metric(flooded, "presence_client_bytes_total")) - bytes) / elapsed / 1e6;
    const throttled = await throttledOf(flooded);
    flooder.kill("SIGKILL");
    stop();
    const ended = clients.filter(({ socket }) => socket.ended !== undefined).length;
    const cells = [
      kind,
      sockets,
      `${ms(before.local, 0.5)} / ${ms(before.local, 0.99)}`,
      `${ms(during.local, 0.5)} / ${ms(during.local, 0.99)}`,
      ms(before.cross, 0.99),
      ms(during.cross, 0.99),
      `${leaves}${ended > 0 ? `, ${ended} people were closed` : ""}`,
      `${Math.round((100 * arrived) / deliverable)} %`,
      cores.toFixed(2),
      megabytes.toFixed(1),
      Math.round(rss),
      throttled,
    ];
    for (const { socket } of clients) socket.destroy();
    return `| ${cells.join(" | ")} |`;
  } finally {
    cluster.stop();
  }
}

/** Fills a board with many members with large states, one connection each. */
async function fill(port: number): Promise<void> {
  for (let nth = 0; nth < LARGE_BOARD; nth++) {
    const socket = await BenchSocket.open(port, "presence.v2");
    socket.send(encodeBinary({ kind: "hello" }));
    const state = { filler: "x".repeat(4000) };
    socket.send(encodeBinary({ kind: "join", boardId: "large" as BoardId, attempt: 1, username: `m${nth}`, status: "active", state }));
  }
}

async function metric(instance: Instance, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${instance.port}/metrics`)).text();
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(text)?.[1]);
}

async function throttledOf(instance: Instance): Promise<string> {
  const text = await (await fetch(`http://127.0.0.1:${instance.port}/metrics`)).text();
  const causes = [...text.matchAll(/^presence_throttled_total\{cause="(\w+)"\} (\d+)$/gm)].filter(([, , count]) => count !== "0");
  const closed = /presence_client_closes_total\{code="4411"\} (\d+)/.exec(text)?.[1] ?? "0";
  return [...causes.map(([, cause, count]) => `${cause} ${count}`), ...(closed === "0" ? [] : [`4411 ${closed}`])].join(", ");
}

function ms(histogram: Histogram, fraction: number): string {
  const value = histogram.quantile(fraction);
  return Number.isNaN(value) ? "–" : value.toFixed(1);
}
