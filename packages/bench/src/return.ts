/**
 * All members of one board lose an instance and come back: how many bytes and how much CPU that costs, with the members that they hold named
 * in their joins and without. `npm run return -w packages/bench -- [--members 1000] [--instances 1] [--without]`.
 * With one instance, a new one takes its place. With two, those of the first come back to the second.
 */

import { createHash, randomBytes } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import {
  type BoardId,
  decodeServerBinary,
  encodeBinary,
  heldNow,
  type Member,
  nameHeld,
  printed,
  type ResumeToken,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import { Cluster } from "./cluster.ts";
import { numberOf } from "./options.ts";
import { BenchSocket } from "./socket.ts";

const { values } = parseArgs({
  options: { members: { type: "string", default: "1000" }, instances: { type: "string", default: "1" }, without: { type: "boolean" } },
});
const count = numberOf("members", values.members);
const BOARD = "return" as BoardId;
const CONNECTS_AT_ONCE = 50;
const SETTLE_MS = 3000;
/** Clients come back within this time of the loss, evenly. */
const RETURN_MS = 4000;
const DONE_MS_MAX = 60_000;

// Each member has an address of its own, as people have: else they would share the budget of one.
process.env["TRUSTED_PROXIES"] = "127.0.0.1";

/** All clients hold the same members, so each is hashed once. */
const names = new Map<string, string>();
function nameOf(member: Member): string {
  const { memberId, color, joinedAt } = member;
  const key = `${memberId} ${color} ${joinedAt}`;
  let name = names.get(key);
  if (name === undefined) {
    name = nameHeld(createHash("sha256").update(printed(member)).digest(), joinedAt);
    names.set(key, name);
  }
  return name;
}

const USER_JOINED = 0x43;
const USER_UPDATED = 0x44;
const PRESENCE_UPDATE = 0x47;
/** Payload bytes from the service, by the type of the message. */
const bytesOf = new Map<number, number>();

/** Everybody is sent the same bytes, so each message is decoded once. Otherwise the generator would be what is measured. */
const decoded = new Map<string, ServerMessage | undefined>();
function known(bytes: Buffer): ServerMessage | undefined {
  const key = bytes.toString("latin1");
  if (!decoded.has(key)) decoded.set(key, decodeServerBinary(bytes));
  return decoded.get(key);
}

class Person {
  readonly nth: number;
  readonly #resumeToken = randomBytes(16).toString("hex") as ResumeToken;
  #attempt = 0;
  #socket: BenchSocket | undefined;
  readonly shown = new Map<number, Member>();
  #held: readonly Member[] = [];
  #self = -1;
  bytesIn = 0;
  bytesOut = 0;
  isJoined = false;
  #following = 0;

  constructor(nth: number) {
    this.nth = nth;
  }

  get ended(): string | undefined {
    return this.#socket?.ended;
  }

  /** To be called when the connection is lost. */
  leave(): void {
    this.bytesIn = this.received;
    this.#socket?.destroy();
    this.#socket = undefined;
    this.isJoined = false;
    this.#held = [...this.shown.values()].sort((a, b) => a.joinedAt - b.joinedAt || (a.memberId < b.memberId ? -1 : 1));
    this.shown.clear();
  }

  async enter(port: number): Promise<void> {
    const { nth } = this;
    const socket = await BenchSocket.open(port, "presence.v2", `10.${nth >> 16}.${(nth >> 8) & 255}.${nth & 255}`);
    this.#socket = socket;
    socket.onMessage = (bytes, start, end) => this.#hear(bytes.subarray(start, end));
    const held = values.without ? "" : this.#held.map(nameOf).join("");
    const said = { attempt: ++this.#attempt, username: `member ${nth}`, status: "active", state: { tool: "pen" } } as const;
    this.#send(encodeBinary({ kind: "hello", resumeToken: this.#resumeToken }));
    this.#send(encodeBinary({ kind: "join", boardId: BOARD, ...said, ...(held !== "" && { held }) }));
  }

  get received(): number {
    return this.bytesIn + (this.#socket?.bytesRead ?? 0);
  }

  #send(bytes: Uint8Array): void {
    this.bytesOut += bytes.length;
    this.#socket?.send(bytes);
  }

  #hear(bytes: Buffer): void {
    const [type = 0] = bytes;
    bytesOf.set(type, (bytesOf.get(type) ?? 0) + bytes.length);
    // Counts are not looked at, and neither are changes: this board has none but those of status.
    if (type === PRESENCE_UPDATE || type === USER_UPDATED) return;
    const message = type === USER_JOINED ? known(bytes) : decodeServerBinary(bytes);
    switch (message?.kind) {
      case "heartbeat":
        return this.#send(encodeBinary({ kind: "heartbeat" }));
      case "joined":
        this.shown.clear();
        this.#self = message.self;
        this.#following = message.following ?? 0;
        this.#list(heldNow(this.#held, message.held ?? []).filter(({ actor }) => actor !== this.#self));
        this.#list(message.roster);
        this.isJoined = this.#following === 0;
        return;
      case "roster":
        this.#following -= message.roster.length;
        this.#list(message.roster);
        // Once it is whole, others who come are told in this way too.
        this.isJoined = this.#following <= 0;
        return;
      case "user_joined":
        return this.#list([message]);
      case "user_left":
        this.shown.delete(message.actor);
        return;
    }
  }

  #list(entries: readonly RosterEntry[]): void {
    for (const { actor, member } of entries) this.shown.set(actor, member);
  }
}

const instances = numberOf("instances", values.instances);
const cluster = await Cluster.start(instances);
try {
  const people = Array.from({ length: count }, (_, nth) => new Person(nth));
  const portFor = (nth: number) => cluster.instances[nth % cluster.instances.length]?.port ?? 0;
  for (let from = 0; from < count; from += CONNECTS_AT_ONCE)
    await Promise.all(people.slice(from, from + CONNECTS_AT_ONCE).map((person) => person.enter(portFor(person.nth))));
  await until(people, "joined at first");
  await wait(SETTLE_MS);

  const lost = people.filter(({ nth }) => nth % instances === 0);
  const replacement = instances === 1 ? await cluster.add() : undefined;
  const port = replacement?.port ?? cluster.instances[1]?.port ?? 0;
  const survivor = replacement ?? cluster.instances[1];
  const cpu = () => survivor?.cpuSeconds() ?? 0;
  const sums = () => ({
    bytesIn: people.reduce((sum, person) => sum + person.received, 0),
    bytesOut: people.reduce((sum, person) => sum + person.bytesOut, 0),
  });
  cluster.instances[0]?.kill();
  const before = { ...sums(), cpu: cpu(), at: performance.now() };
  bytesOf.clear();
  for (const person of lost) person.leave();
  await Promise.all(
    lost.map(async (person, index) => {
      await wait((index * RETURN_MS) / lost.length);
      await person.enter(port);
    }),
  );
  await until(people, "back");
  const backMs = performance.now() - before.at;
  await wait(SETTLE_MS);
  const after = { ...sums(), cpu: cpu() };
  const mb = (bytes: number) => (bytes / 1e6).toFixed(2);
  console.log(`${count} members of one board, ${lost.length} come back, ${instances} instance(s), held: ${values.without ? "no" : "yes"}`);
  console.log(`service → clients ${mb(after.bytesIn - before.bytesIn)} MB, clients → service ${mb(after.bytesOut - before.bytesOut)} MB`);
  const kinds = [...bytesOf].sort(([, a], [, b]) => b - a).slice(0, 4);
  console.log(`by type: ${kinds.map(([type, bytes]) => `0x${type.toString(16)} ${mb(bytes)} MB`).join(", ")}`);
  console.log(`CPU of the instance ${(after.cpu - before.cpu).toFixed(2)} s; all rosters whole after ${backMs.toFixed(0)} ms`);
} finally {
  cluster.stop();
}

async function until(people: readonly Person[], what: string): Promise<void> {
  const deadline = performance.now() + DONE_MS_MAX;
  while (!people.every(({ isJoined, shown }) => isJoined && shown.size >= Math.min(count, 1000))) {
    const broken = people.find(({ ended }) => ended !== undefined);
    if (broken !== undefined) throw new Error(`a client was lost: ${broken.ended}`);
    if (performance.now() > deadline) throw new Error(`not all ${what}: ${people.filter(({ isJoined }) => !isJoined).length} did not join`);
    await wait(50);
  }
}
