/**
 * Redis is killed and comes back, while people come and go on very many boards: how long rosters differ.
 * `npm run outage -w packages/bench -- [--boards 1000] [--runs 5] [--seconds 4]`. Three instances, a member of each on each board. While Redis is away those of
 * the second instance leave and a newcomer joins each board at the first, so that every roster is wrong somewhere when it is back.
 */

import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { BOARDS_PER_CONNECTION_MAX, type BoardId, type BoardRef, decodeServerBinary, encodeBinary } from "@presence-service/protocol";
import { Cluster, type Instance } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const { values } = parseArgs({
  options: {
    boards: { type: "string", default: "1000" },
    runs: { type: "string", default: "5" },
    seconds: { type: "string", default: "4" },
  },
});
const [boards, runs, seconds] = [numberOf("boards", values.boards), numberOf("runs", values.runs), numberOf("seconds", values.seconds, 0)];
const boardIds = Array.from({ length: boards }, (_, nth) => `board-${nth}` as BoardId);
const LOOK_MS = 10;
const DONE_MS_MAX = 30_000;
const SETTLE_MS = 5_000;

/** One connection, with a member of the same name on each of its boards. */
class Crowd {
  readonly boardIds: readonly BoardId[];
  /** By board: who is shown, by actor. */
  readonly shown = new Map<BoardRef, Map<number, string>>();
  readonly #socket: BenchSocket;

  private constructor(socket: BenchSocket, own: readonly BoardId[]) {
    this.#socket = socket;
    this.boardIds = own;
    socket.onMessage = (bytes, start, end) => this.#heard(bytes.subarray(start, end));
  }

  static async join(instance: Instance, username: string, own: readonly BoardId[]): Promise<Crowd> {
    const crowd = new Crowd(await BenchSocket.open(instance.port, "presence.v2"), own);
    crowd.#socket.send(encodeBinary({ kind: "hello" }));
    for (const [nth, boardId] of own.entries())
      crowd.#socket.send(encodeBinary({ kind: "join", boardId, attempt: nth + 1, username, status: "active", state: {} }));
    return crowd;
  }

  leave(): void {
    for (const board of this.shown.keys()) this.#socket.send(encodeBinary({ kind: "leave", board }));
    this.shown.clear();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Each of its boards shows exactly these. */
  shows(usernames: string): boolean {
    if (this.shown.size < this.boardIds.length) return false;
    for (const roster of this.shown.values()) if ([...roster.values()].sort().join() !== usernames) return false;
    return true;
  }

  #heard(bytes: Buffer): void {
    const message = decodeServerBinary(Uint8Array.from(bytes));
    switch (message?.kind) {
      case "joined":
        return void this.shown.set(message.board, new Map(message.roster.map(({ actor, member }) => [actor, member.username])));
      case "roster":
        for (const { actor, member } of message.roster) this.shown.get(message.board)?.set(actor, member.username);
        return;
      case "user_joined":
        return void this.shown.get(message.board)?.set(message.actor, message.member.username);
      case "user_left":
        return void this.shown.get(message.board)?.delete(message.actor);
    }
  }
}

/** Members of that name on all boards, over as many connections as it takes. */
async function everywhere(instance: Instance | undefined, username: string): Promise<Crowd[]> {
  if (instance === undefined) throw new Error("no instance");
  const crowds: Crowd[] = [];
  for (let from = 0; from < boardIds.length; from += BOARDS_PER_CONNECTION_MAX)
    crowds.push(await Crowd.join(instance, username, boardIds.slice(from, from + BOARDS_PER_CONNECTION_MAX)));
  return crowds;
}

async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DONE_MS_MAX;
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error(`not within ${DONE_MS_MAX / 1000} s: ${what}`);
    await wait(LOOK_MS);
  }
}

async function isConnected(instance: Instance): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${instance.port}/health`).catch(() => undefined);
  const health = (await answer?.json()) as { redis?: { publisher: string; subscriber: string } } | undefined;
  return health?.redis?.publisher === "up" && health.redis.subscriber === "up";
}

async function run(): Promise<string> {
  const cluster = await Cluster.start(3);
  const [first, second, third] = cluster.instances;
  try {
    const stay = [...(await everywhere(first, "ana")), ...(await everywhere(third, "cleo"))];
    const leave = await everywhere(second, "ben");
    await until("all see all", () => [...stay, ...leave].every((crowd) => crowd.shows("ana,ben,cleo")));
    await wait(SETTLE_MS);
    cluster.redis.kill();
    await wait(500);
    for (const crowd of leave) crowd.leave();
    const come = await everywhere(first, "dora");
    await until("the newcomers are on their boards", () => come.every((crowd) => crowd.shown.size === crowd.boardIds.length));
    await wait(seconds * 1000);
    if (stay.some((crowd) => crowd.shows("ana,cleo,dora"))) throw new Error("rosters were right without Redis");
    cluster.replaceRedis();
    const startedAt = performance.now();
    let connectedAt = 0;
    const connected = until("all instances are connected", async () =>
      (await Promise.all(cluster.instances.map(isConnected))).every(Boolean),
    ).then(() => {
      connectedAt = performance.now();
    });
    await until("all rosters are right", () => [...stay, ...come].every((crowd) => crowd.shows("ana,cleo,dora")));
    const rightAt = performance.now();
    await connected;
    for (const crowd of [...stay, ...leave, ...come]) crowd.destroy();
    const ms = (value: number) => Math.round(value);
    return `| ${boardIds.length} | ${ms(connectedAt - startedAt)} | ${ms(rightAt - startedAt)} | ${ms(Math.max(0, rightAt - connectedAt))} |`;
  } finally {
    cluster.stop();
  }
}

console.log("| boards | all connected, ms after Redis is started | rosters right | since connected |");
console.log("|---|---|---|---|");
for (let nth = 0; nth < runs; nth++) console.log(await run());
