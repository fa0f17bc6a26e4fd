/**
 * How long an instance with thousands of clients takes from SIGTERM to its end: `npm run stopping -w packages/bench -- [--clients 5000]`.
 * A second instance is there, so that nobody is waited for.
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { type BoardId, encodeBinary } from "@presence-service/protocol";
import { Cluster } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const BOARD_SIZE = 10;
const WAVE = 200;
const STOP_MS_MAX = 60_000;

const { values } = parseArgs({ options: { clients: { type: "string", default: "5000" } } });
const count = numberOf("clients", values.clients);
const cluster = await Cluster.start(2);
try {
  const [stopping] = cluster.instances;
  if (stopping === undefined) throw new Error("no instance");
  const sockets: BenchSocket[] = [];
  while (sockets.length < count) {
    const wave = Array.from({ length: Math.min(WAVE, count - sockets.length) }, () => BenchSocket.open(stopping.port, "presence.v2"));
    for (const socket of await Promise.all(wave)) {
      socket.send(encodeBinary({ kind: "hello" }));
      const boardId = `board-${Math.floor(sockets.length / BOARD_SIZE)}` as BoardId;
      socket.send(encodeBinary({ kind: "join", boardId, attempt: 1, username: "somebody", status: "active", state: {} }));
      sockets.push(socket);
    }
  }
  await wait(3000);
  const startedAt = performance.now();
  stopping.stop();
  while (!stopping.hasEnded && performance.now() - startedAt < STOP_MS_MAX) await wait(5);
  const ms = Math.round(performance.now() - startedAt);
  const codes = new Map<string, number>();
  for (const { ended = "open" } of sockets) codes.set(ended, (codes.get(ended) ?? 0) + 1);
  console.log(
    `${count} clients: ${stopping.hasEnded ? `ended ${ms} ms after SIGTERM` : "not ended in time"}; ${JSON.stringify([...codes])}`,
  );
} finally {
  cluster.stop();
}
