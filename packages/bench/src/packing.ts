/**
 * The cost and the gain of packed rosters: members of one board, then newcomers who join one after another, each in a tick of its own (nobody shares what was
 * packed) or all in one, reading packed messages or not. `npm run packing -w packages/bench -- [--members 1000] [--joins 100] [--runs 5]`. The second instance
 * learns the board from the first one over the bus.
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type BoardId, encodeBinary } from "@presence-service/protocol";
import { Cluster, type Instance } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const { values } = parseArgs({
  options: {
    members: { type: "string", default: "1000" },
    joins: { type: "string", default: "100" },
    runs: { type: "string", default: "5" },
  },
});
const members = numberOf("members", values.members);
const joins = numberOf("joins", values.joins);
const runs = numberOf("runs", values.runs);
const BOARD = "packing" as BoardId;
const APART_MS = 50;
const CONNECTS_AT_ONCE = 50;
const STATE = { tool: "pen", selection: "shape-1", zoom: 1 };

// Each client has an address of its own, as people have: else they would share the budget of one.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";
let addresses = 0;

async function open(instance: Instance, packs: boolean): Promise<BenchSocket> {
  const nth = addresses++;
  const socket = await BenchSocket.open(instance.port, "presence.v2", `198.18.${nth >> 8}.${nth & 255}`);
  socket.send(encodeBinary({ kind: "hello", ...(packs && { packs }) }));
  return socket;
}

function join(socket: BenchSocket, username: string): void {
  socket.send(encodeBinary({ kind: "join", boardId: BOARD, attempt: 1, username, status: "active", state: STATE }));
}

/** Bytes for each newcomer until nothing more comes, and CPU of the instance for each. */
async function newcomers(instance: Instance, packs: boolean, apartMs: number): Promise<{ bytes: number; cpuMs: number }> {
  const sockets: BenchSocket[] = [];
  for (let nth = 0; nth < joins; nth++) sockets.push(await open(instance, packs));
  await wait(1000);
  const [before, cpu] = [sockets.map(({ bytesRead }) => bytesRead), instance.cpuSeconds()];
  for (const [nth, socket] of sockets.entries()) {
    join(socket, `newcomer ${nth}`);
    if (apartMs > 0) await wait(apartMs);
  }
  await wait(2000);
  const cpuMs = (1000 * (instance.cpuSeconds() - cpu)) / joins;
  // The first is told of all who come after it, too: the last one only of the board.
  const last = sockets.at(-1);
  const bytes = (last?.bytesRead ?? 0) - (before.at(-1) ?? 0);
  for (const socket of sockets) socket.destroy();
  await wait(1000);
  return { bytes, cpuMs };
}

console.log("| newcomers | packed | bytes of the roster | CPU of the instance, ms a newcomer |");
console.log("|---|---|---|---|");
const rows = new Map<string, { bytes: number[]; cpuMs: number[] }>();
for (let run = 0; run < runs; run++) {
  const cluster = await Cluster.start(1);
  const [instance] = cluster.instances;
  if (instance === undefined) throw new Error("no instance");
  try {
    const crowd: BenchSocket[] = [];
    while (crowd.length < members) {
      const wave = await Promise.all(
        Array.from({ length: Math.min(CONNECTS_AT_ONCE, members - crowd.length) }, () => open(instance, false)),
      );
      for (const socket of wave) join(socket, `Somebody ${crowd.push(socket)}`);
    }
    await wait(3000);
    for (const [name, apartMs] of [["one after another", APART_MS] as const, ["all at once", 0] as const])
      for (const packs of run % 2 === 0 ? [true, false] : [false, true]) {
        const measured = await newcomers(instance, packs, apartMs);
        const key = `${name} | ${packs ? "yes" : "no"}`;
        const row = rows.get(key) ?? { bytes: [], cpuMs: [] };
        row.bytes.push(measured.bytes);
        row.cpuMs.push(measured.cpuMs);
        rows.set(key, row);
      }
    for (const socket of crowd) socket.destroy();
  } finally {
    cluster.stop();
  }
}
for (const [key, { bytes, cpuMs }] of rows) console.log(`| ${key} | ${spread(bytes, 0)} | ${spread(cpuMs, 2)} |`);

/** The median, lowest and highest. */
function spread(numbers: readonly number[], digits: number): string {
  const sorted = [...numbers].sort((a, b) => a - b);
  const [low = 0, median = 0, high = 0] = [sorted[0], sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
  return `${median.toFixed(digits)} (${low.toFixed(digits)}–${high.toFixed(digits)})`;
}
