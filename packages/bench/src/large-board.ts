/**
 * One board with very many members on two instances: how soon somebody who joins has the board, and how many bytes a join or a leave
 * costs each viewer. `npm run large-board -w packages/bench -- [--members 10000]`.
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type BoardId, decodeServerBinary, encodeBinary } from "@presence-service/protocol";
import { Cluster } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const { values } = parseArgs({ options: { members: { type: "string", default: "10000" } } });
const members = numberOf("members", values.members);
const BOARD = "large" as BoardId;
const CONNECTS_AT_ONCE = 50;
const VISITS = 50;
const SETTLE_MS = 3000;

// Each member has an address of its own, as people have: else they would share the budget of one.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";
const cluster = await Cluster.start(2);
let opened = 0;

type Guest = { readonly socket: BenchSocket; readonly joinedMs: number; readonly count: number; readonly board: number };

async function enter(instance: number): Promise<Guest> {
  const nth = opened++;
  const address = `10.${nth >> 16}.${(nth >> 8) & 255}.${nth & 255}`;
  const socket = await BenchSocket.open(cluster.instances[instance]?.port ?? 0, "presence.v2", address);
  return new Promise((resolve) => {
    let askedAt = performance.now();
    socket.onMessage = (bytes, start, end) => {
      if (bytes[start] === 0x08) return socket.send(encodeBinary({ kind: "heartbeat" }));
      if (bytes[start] === 0x41) {
        askedAt = performance.now();
        const said = { attempt: 1, username: `member ${nth}`, status: "active", state: {} } as const;
        socket.send(encodeBinary({ kind: "join", boardId: BOARD, ...said }));
      }
      if (bytes[start] !== 0x42) return;
      const joinedMs = performance.now() - askedAt;
      const joined = decodeServerBinary(bytes.subarray(start, end));
      if (joined?.kind === "joined") resolve({ socket, joinedMs, count: joined.members, board: Number(joined.board) });
    };
    socket.send(encodeBinary({ kind: "hello" }));
  });
}

try {
  const viewers = await Promise.all([0, 1].map(enter));
  for (let left = members - viewers.length; left > 0; left -= CONNECTS_AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(left, CONNECTS_AT_ONCE) }, (_, nth) => enter(nth % 2)));
  }
  await wait(SETTLE_MS);
  const times: number[] = [];
  const costs: number[] = [];
  let wrong = 0;
  const read = () => viewers.reduce((sum, { socket }) => sum + socket.bytesRead, 0) / viewers.length;
  for (let nth = 0; nth < VISITS; nth++) {
    const before = read();
    const { socket, joinedMs, count, board } = await enter(nth % 2);
    times.push(joinedMs);
    if (count !== members + 1) wrong++;
    await wait(150);
    const between = read();
    socket.send(encodeBinary({ kind: "leave", board }));
    await wait(150);
    costs.push(between - before, read() - between);
    socket.destroy();
  }
  times.sort((a, b) => a - b);
  costs.sort((a, b) => a - b);
  const at = (list: readonly number[], part: number) => (list[Math.floor(part * (list.length - 1))] ?? 0).toFixed(1);
  console.log(`${members} members on 2 instances, ${VISITS} who come and go`);
  console.log(`join to joined: p50 ${at(times, 0.5)} ms, max ${at(times, 1)} ms; wrong counts in joined: ${wrong}`);
  console.log(`bytes that each viewer is sent for a join or a leave: p50 ${at(costs, 0.5)}, max ${at(costs, 1)}`);
} finally {
  cluster.stop();
}
