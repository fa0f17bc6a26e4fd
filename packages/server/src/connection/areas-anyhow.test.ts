/**
 * Clients of all encodings at two instances turn pages, look elsewhere, move, come, go and read slowly, in any order. No `cursors` ever tells a
 * client of somebody at whose area it does not look; and in peace it shows the latest places of all at whose areas it looks. R20.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMergePatch,
  type BoardId,
  type ClassicMessage,
  type Member,
  type Point,
  type ServerMessage,
} from "@presence-service/protocol";
import { Random } from "../core/random.ts";
import { type Client, Desk } from "../testing/desk.ts";
import { OUTBOX } from "./outbox.ts";

const BOARD = "7";
const AREAS = ["", "a", "b", "c"];
const SEEDS = 25;
const STEPS = 120;

/** A client that keeps to docs/PROTOCOL.md, "Areas". */
class Viewer {
  readonly name: string;
  readonly client: Client;
  readonly isObserver: boolean;
  area = "";
  look: "all" | readonly string[] | undefined;
  /** Its own pointer, as others are to see it. */
  point: Point | undefined;
  isThere = true;
  readonly #members = new Map<number, Member>();
  readonly #places = new Map<number, Point>();
  readonly #classicNames = new Map<number, string>();
  #self = -1;

  constructor(name: string, client: Client, isObserver: boolean) {
    this.name = name;
    this.client = client;
    this.isObserver = isObserver;
  }

  looksAt(area: string): boolean {
    if (this.look === "all" || (this.look === undefined && this.isObserver)) return true;
    return (this.look ?? [this.area]).includes(area);
  }

  /** By name, without its own. */
  get shown(): Record<string, Point> {
    const places: Record<string, Point> = {};
    for (const [actor, { x, y }] of this.#places) {
      const name = this.client.encoding === "classic" ? this.#classicNames.get(actor) : this.#members.get(actor)?.username;
      if (name !== undefined && name !== this.name) places[name] = { x, y };
    }
    return places;
  }

  /** Whoever it ceases to look at is forgotten. */
  forget(): void {
    for (const [actor, { area = "" }] of this.#members) if (!this.looksAt(area)) this.#places.delete(actor);
  }

  hear(): void {
    if (this.client.encoding === "classic") for (const message of this.client.socket.takeClassic()) this.#hearClassic(message);
    else for (const message of this.client.socket.takeMessages()) this.#hear(message);
  }

  #hear(message: ServerMessage): void {
    switch (message.kind) {
      case "joined":
        this.#members.clear();
        this.#places.clear();
        this.#self = message.self;
        for (const { actor, member, at } of message.roster) {
          this.#members.set(actor, member);
          if (at !== undefined && this.looksAt(member.area ?? "")) this.#places.set(actor, at);
        }
        return;
      case "user_joined":
        this.#members.set(message.actor, message.member);
        return;
      case "user_updated": {
        const member = applyMergePatch(this.#members.get(message.actor) as never, message.patch) as unknown as Member;
        this.#members.set(message.actor, member);
        if ("area" in message.patch) this.#places.delete(message.actor);
        return;
      }
      case "user_left":
        this.#members.delete(message.actor);
        this.#places.delete(message.actor);
        return;
      case "cursors":
        for (const { actor, at } of message.moves) {
          const { username, area = "" } = this.#members.get(actor) ?? assert.fail(`${actor} was not introduced`);
          // Its own area changes for the others only: no message tells it that.
          if (actor === this.#self) continue;
          assert.ok(this.looksAt(area), `${this.name} is told a place of ${username} in "${area}" and looks at ${this.look ?? this.area}`);
          if (at === null) this.#places.delete(actor);
          else this.#places.set(actor, at);
        }
    }
  }

  #hearClassic(message: ClassicMessage): void {
    if (message.kind === "user_joined") this.#classicNames.set(message.user, message.username);
    else if (message.kind === "user_left") this.#places.delete(message.user);
    else if (message.kind === "cursor_broadcast") this.#places.set(message.user, { x: message.x, y: message.y });
  }
}

async function run(seed: number): Promise<void> {
  const random = new Random(seed);
  const pick = <T>(choices: readonly T[]) => choices[Math.floor(random.next() * choices.length)] as T;
  const one = await Desk.open();
  const two = await Desk.open({ beside: one });
  one.clock.advance(2_000);
  const viewers: Viewer[] = [];
  for (const desk of [one, two])
    for (const encoding of ["binary", "json", "binary", "json", "classic"] as const)
      viewers.push(new Viewer(`p${viewers.length}`, desk.enter(encoding), encoding === "json" && random.next() < 0.3));
  let attempt = 0;
  const join = (viewer: Viewer) => {
    const { client, name, area, isObserver } = viewer;
    viewer.point = undefined;
    if (!viewer.isThere) viewer.look = undefined;
    viewer.isThere = true;
    if (client.encoding === "classic") return client.join(BOARD, name);
    const said = { boardId: BOARD as BoardId, attempt: ++attempt, username: name, status: "active" as const, state: {} };
    client.say({ kind: "join", ...said, ...(area && { area }), ...(isObserver && { observe: true }) });
  };
  const act = (viewer: Viewer) => {
    const { client } = viewer;
    const board = client.ref(BOARD);
    const what = random.next();
    if (!viewer.isThere || (what < 0.05 && client.encoding !== "classic")) return join(viewer);
    if (what < 0.1 && client.connection.seats.length > 0) {
      client.leave(BOARD);
      viewer.isThere = false;
      return;
    }
    if (what < 0.2) client.socket.queuedBytes = pick([OUTBOX.lowBytes + 1, OUTBOX.rosterBytesMax * 4]);
    else if (what < 0.3) client.socket.drain();
    else if (what < 0.4 && client.encoding !== "classic") {
      viewer.look = pick([undefined, "all", [pick(AREAS)], [pick(AREAS), pick(AREAS)], []]);
      const { look } = viewer;
      client.say({ kind: "look", board, ...(look === "all" ? { all: true } : look && { areas: look }) });
      viewer.forget();
    } else if (viewer.isObserver) return;
    else if (what < 0.55 && client.encoding !== "classic") {
      const area = pick(AREAS);
      if (area !== viewer.area) viewer.point = undefined;
      viewer.area = area;
      client.say({ kind: "update", board, area });
      viewer.forget();
    } else if (what < 0.6 && client.encoding !== "classic") {
      client.say({ kind: "cursor", board, at: null });
      viewer.point = undefined;
    } else {
      viewer.point = { x: Math.floor(random.next() * 60_000), y: 1 };
      client.move(BOARD, viewer.point.x, viewer.point.y);
    }
  };
  for (const viewer of viewers) join(viewer);
  one.clock.advance(300);
  for (let step = 0; step < STEPS; step++) {
    // Each client hears first all that was written before it says something.
    for (const viewer of viewers) viewer.hear();
    act(pick(viewers));
    if (random.next() < 0.6) one.clock.advance(Math.ceil(random.next() * 40));
  }
  for (const viewer of viewers) if (!viewer.isThere) join(viewer);
  for (const { client } of viewers) client.socket.drain();
  one.clock.advance(2_000);
  for (const viewer of viewers) {
    viewer.hear();
    // A classic client is not told of hiding, nor of those who were there before it moved.
    if (viewer.client.encoding === "classic") continue;
    const due = viewers.filter((other) => other !== viewer && other.point !== undefined && viewer.looksAt(other.area));
    assert.deepEqual(viewer.shown, Object.fromEntries(due.map(({ name, point }) => [name, point])), `${viewer.name}, seed ${seed}`);
  }
}

test("[R20.1] [R20.2] [R20.3] nobody is sent cursors of areas at which it does not look, and all show the latest of theirs", async () => {
  for (let seed = 1; seed <= SEEDS; seed++) await run(seed);
});
