/**
 * Crowds at two instances are lost, come back to either one, go away from their pages and leave, many at once or one after the other. A viewer of each encoding at
 * each instance, who hears of every change, knows exactly what somebody is told who comes fresh. C2, C5, C6.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  applyMergePatch,
  type BoardId,
  type JsonObject,
  type Member,
  type ResumeToken,
  type ServerMessage,
} from "@presence-service/protocol";
import { Random } from "../core/random.ts";
import { type Client, Desk } from "../testing/desk.ts";

const BOARD = "b" as BoardId;
const SEEDS = 2;
const ROUNDS = 22;
const PEOPLE = 40;
/** With so many others newcomers and statuses wait for some ticks. */
const AUDIENCE = 220;

const tokenOf = (nth: number) => (1000 + nth).toString(16).padStart(32, "0") as ResumeToken;

/** The members by their ids, as a client shows them after its messages. */
class View {
  crowds = 0;
  rosters = 0;
  readonly #client: Client;
  readonly #byActor = new Map<number, Member>();

  constructor(client: Client) {
    this.#client = client;
  }

  get members(): Map<string, Member> {
    for (const message of this.#client.socket.takeMessages()) this.#hear(message);
    return new Map([...this.#byActor.values()].map((member) => [member.memberId, member]));
  }

  #hear(message: ServerMessage): void {
    if (message.kind === "joined") this.#byActor.clear();
    if (message.kind === "roster") this.rosters++;
    if (message.kind === "joined" || message.kind === "roster")
      for (const { actor, member } of message.roster) this.#byActor.set(actor, member);
    else if (message.kind === "user_joined") this.#byActor.set(message.actor, message.member);
    else if (message.kind === "user_left") this.#byActor.delete(message.actor);
    else if (message.kind === "user_updated") this.#patch(message.actor, message.patch);
    else if (message.kind === "statuses") {
      this.crowds++;
      const { status, activeAt, afterMs = [] } = message;
      for (const [nth, actor] of message.actors.entries())
        this.#patch(actor, { status, activeAt: activeAt === undefined ? null : activeAt + (afterMs[nth] ?? 0) });
    }
  }

  #patch(actor: number, patch: JsonObject): void {
    const member = this.#byActor.get(actor) ?? assert.fail(`actor ${actor} is not there`);
    this.#byActor.set(actor, applyMergePatch(member as never, patch) as unknown as Member);
  }
}

/** How many crowds viewers were told of in one message: whose status changed, and who came. */
async function run(seed: number, audience: number): Promise<{ readonly statuses: number; readonly rosters: number }> {
  const random = new Random(seed);
  const below = (count: number) => Math.floor(random.next() * count);
  const one = await Desk.open();
  const desks = [one, await Desk.open({ beside: one })];
  one.clock.advance(3000);
  let attempt = 0;
  let watchers = 0;
  const people: { client: Client | undefined }[] = Array.from({ length: PEOPLE }, () => ({ client: undefined }));
  const connect = (nth: number) => {
    const client = desks[below(2)]?.connect(random.next() < 0.5 ? "binary" : "json", { address: `198.51.100.${nth}` }) ?? assert.fail();
    client.hello({ resumeToken: tokenOf(nth) });
    client.join(BOARD, `p${nth}`, ++attempt);
    return client;
  };
  const observe = (desk: Desk, way: "binary" | "json" | "packed") => {
    const client = desk.connect(way === "json" ? "json" : "binary", { address: `203.0.113.${watchers}` });
    client.hello({ resumeToken: tokenOf(5000 + watchers++), packs: way === "packed" });
    client.say({ kind: "join", boardId: BOARD, attempt: 1, username: "", status: "active", state: {}, observe: true });
    return client;
  };
  const viewers = desks.flatMap((desk) =>
    (["packed", "binary", "json"] as const).map((encoding) => ({ desk, client: observe(desk, encoding), encoding })),
  );
  for (let nth = 0; nth < audience; nth++) observe(desks[nth % 2] ?? assert.fail(), "binary");
  one.clock.advance(500);
  const views = viewers.map(({ client }) => new View(client));
  for (let round = 0; round < ROUNDS; round++) {
    const [from, count, what, pauseMs] = [below(PEOPLE), 1 + below(PEOPLE), random.next(), below(2) * below(8)];
    for (let nth = from; nth < from + count; nth++) {
      const person = people[nth % PEOPLE] ?? assert.fail();
      const { client } = person;
      if (client === undefined) {
        if (what < 0.6) person.client = connect(nth % PEOPLE);
      } else if (what < 0.2) client.say({ kind: "update", board: client.ref(BOARD), status: below(2) ? "idle" : "active" });
      else if (what < 0.3) client.say({ kind: "update", board: client.ref(BOARD), status: "idle", state: { round } });
      else if (what > 0.6) {
        client.close(what > 0.9 ? 1000 : 1006);
        person.client = undefined;
      }
      if (pauseMs > 0) one.clock.advance(pauseMs);
    }
    one.clock.advance(200);
    await null;
    for (const { client } of [...people, ...viewers]) client?.connection.ponged();
    if (round % 3 > 0) continue;
    one.clock.advance(200);
    for (const [nth, { desk, encoding }] of viewers.entries()) {
      const fresh = observe(desk, encoding);
      one.clock.advance(100);
      assert.deepEqual(views[nth]?.members, new View(fresh).members, `seed ${seed}, round ${round}, viewer ${nth}`);
      fresh.close(1000);
    }
  }
  const sum = (of: "crowds" | "rosters") => views.reduce((all, view) => all + view[of], 0);
  return { statuses: sum("crowds"), rosters: sum("rosters") };
}

test("[C2] [C6] whatever crowds do, a viewer who heard it knows what a fresh one is told", async () => {
  for (const audience of [0, AUDIENCE])
    for (let seed = 1; seed <= SEEDS; seed++) {
      const { statuses, rosters } = await run(seed, audience);
      assert.ok(statuses > 15 && rosters > 2, `only ${statuses} and ${rosters} crowds were told`);
    }
});
