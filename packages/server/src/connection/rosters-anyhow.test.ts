/**
 * People on clients of all encodings at three instances come, go, are cut off and read slowly, while their instances lose what is published and
 * replace their subscribers. Whatever a client is told makes sense, and in peace each shows exactly those who are there.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClassicMessage, ServerMessage } from "@presence-service/protocol";
import { Random } from "../core/random.ts";
import { type Client, Desk } from "../testing/desk.ts";
import { OUTBOX } from "./outbox.ts";

const BOARD = "7";
const SEEDS = 8;
const STEPS = 150;
const ENCODINGS = ["binary", "json", "classic"] as const;
/** A change whose beacons were lost as well is told with the next beacon of an owner that does not hear itself (R6.3). */
const EQUAL_MS = 6000;

class Viewer {
  readonly name: string;
  readonly client: Client;
  isThere = true;
  readonly #names = new Map<number, string>();

  constructor(name: string, client: Client) {
    this.name = name;
    this.client = client;
  }

  /** Without itself. */
  get shown(): string[] {
    return [...this.#names.values()].filter((name) => name !== this.name).sort();
  }

  hear(): void {
    const { client } = this;
    if (client.encoding === "classic") for (const message of client.socket.takeClassic()) this.#hearClassic(message);
    else for (const message of client.socket.takeMessages()) this.#hear(message);
  }

  #hear(message: ServerMessage): void {
    if (message.kind === "joined") {
      this.#names.clear();
      for (const { actor, member } of message.roster) this.#names.set(actor, member.username);
    } else if (message.kind === "user_joined") this.#enter(message.actor, message.member.username);
    else if (message.kind === "user_left") this.#leave(message.actor);
  }

  #hearClassic(message: ClassicMessage): void {
    if (message.kind === "user_joined") this.#enter(message.user, message.username);
    else if (message.kind === "user_left") this.#leave(message.user);
  }

  #enter(number: number, name: string): void {
    assert.ok(!this.#names.has(number), `${this.name}: ${name} is ${number}, who is there already`);
    this.#names.set(number, name);
  }

  #leave(number: number): void {
    assert.ok(this.#names.delete(number), `${this.name}: ${number} leaves, who is not there`);
  }
}

async function run(seed: number): Promise<void> {
  const random = new Random(seed);
  const pick = <T>(choices: readonly T[]) => choices[Math.floor(random.next() * choices.length)] as T;
  const one = await Desk.open();
  const desks = [one, await Desk.open({ beside: one }), await Desk.open({ beside: one })];
  one.clock.advance(3_000);
  let number = 0;
  const enter = (): Viewer => {
    const name = `p${number++}`;
    const viewer = new Viewer(name, pick(desks).connect(pick(ENCODINGS), { address: `192.0.2.${number}` }));
    if (viewer.client.encoding !== "classic") viewer.client.hello();
    viewer.client.join(BOARD, name);
    return viewer;
  };
  const viewers = Array.from({ length: 9 }, enter);
  one.clock.advance(300);
  for (let step = 0; step < STEPS; step++) {
    const what = random.next();
    const viewer = pick(viewers);
    const { socket } = viewer.client;
    if (what < 0.3) viewers.push(enter());
    else if (what < 0.5 && viewers.length > 3) {
      // For good, each in its way.
      viewers.splice(viewers.indexOf(viewer), 1);
      if (random.next() < 0.5) viewer.client.leave(BOARD);
      viewer.client.close(random.next() < 0.5 ? 1000 : 1006);
    } else if (what < 0.6) socket.queuedBytes = pick([OUTBOX.lowBytes + 1, OUTBOX.rosterBytesMax * 4]);
    else if (what < 0.7) socket.drain();
    else if (what < 0.8) pick(desks).end.replaceSubscriber();
    else if (what < 0.85) pick(desks).end.isDeaf = true;
    else if (what < 0.95) for (const { end } of desks) end.isDeaf = false;
    else viewer.client.move(BOARD, step, 1);
    if (random.next() < 0.6) one.clock.advance(Math.ceil(random.next() * 60));
    // The core hears what became of its publishes.
    await null;
    for (const viewer of viewers) viewer.hear();
  }
  for (const { end } of desks) end.isDeaf = false;
  for (const { client } of viewers) client.socket.drain();
  for (let ms = 0; ms < EQUAL_MS + 15_000; ms += 500) {
    one.clock.advance(500);
    await null;
    for (const { client } of viewers) client.connection.ponged();
  }
  const there = viewers.map(({ name }) => name).sort();
  for (const viewer of viewers) {
    viewer.hear();
    assert.deepEqual(
      viewer.shown,
      there.filter((name) => name !== viewer.name),
      `${viewer.name}, ${viewer.client.encoding}, seed ${seed}`,
    );
  }
}

test("[R3] [R4] [F4] whatever is lost and whoever is slow, rosters of all encodings become right", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
});
