/** Members whose status changes in one tick: what a viewer makes of it is what the board is, and a crowd costs a viewer a few bytes each. C2, C6. */

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACTOR_MAX,
  applyMergePatch,
  type BoardId,
  decodeServerBinary,
  decodeServerJson,
  type JsonObject,
  type Member,
  type MemberId,
  ROSTER_MAX,
  type RosterEntry,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
} from "@presence-service/protocol";
import fc from "fast-check";
import type { RosterChange } from "../core/effects.ts";
import { FakeSocket } from "../testing/fake-socket.ts";
import { Draft } from "./draft.ts";
import type { Teller } from "./speech.ts";
import { BINARY, JSON_TEXT } from "./v2.ts";

const SPEECHES = { binary: BINARY, json: JSON_TEXT };
const SINCE = 1_760_000_000_000;

function memberOf(actor: number): Member {
  const memberId = actor.toString(16).padStart(32, "0") as MemberId;
  return {
    memberId,
    userId: memberId,
    username: `u${actor}`,
    color: "#336699",
    status: "active",
    kind: "person",
    joinedAt: SINCE,
    state: {},
  };
}

/** A board, and what a viewer who is told every tick believes of it. */
class Scene {
  readonly members = new Map<number, Member>();
  readonly believed = new Map<number, Member>();
  readonly #draft = new Draft();
  readonly #teller: Teller;
  bytes = 0;

  constructor(encoding: keyof typeof SPEECHES, count: number, first = 0) {
    for (let actor = first; actor < first + count; actor++) this.members.set(actor, memberOf(actor));
    for (const [actor, member] of this.members) this.believed.set(actor, member);
    const entries = (): RosterEntry[] => Array.from(this.members, ([actor, member]) => ({ actor, member }));
    const roster = () => ({ settling: false, degraded: false, members: 0, users: 0, observed: false, entries: entries() });
    this.#teller = SPEECHES[encoding].teller({ boardId: "b" as BoardId, number: 7 }, { roster, cursorOf: () => undefined });
  }

  #change(change: RosterChange): void {
    this.#teller.change(change, this.#draft);
  }

  patch(actor: number, patch: JsonObject): void {
    const before = this.members.get(actor);
    if (before === undefined) return;
    const member = applyMergePatch(before as never, patch) as unknown as Member;
    this.members.set(actor, member);
    this.#change({ change: "updated", actor, member, patch });
  }

  fade(actor: number, activeAt?: number): void {
    this.patch(actor, { status: "reconnecting", ...(activeAt !== undefined && { activeAt }) });
  }

  isBack(actor: number): void {
    this.patch(actor, { status: "active", activeAt: null });
  }

  leave(actor: number): void {
    if (this.members.delete(actor)) this.#change({ change: "left", actor, reason: "timeout" });
  }

  join(actor: number): void {
    if (this.members.has(actor)) return;
    this.members.set(actor, memberOf(actor));
    this.#change({ change: "joined", actor, member: memberOf(actor) });
  }

  event(actor: number): void {
    if (this.members.has(actor)) this.#teller.event(actor, "hi", 1, this.#draft);
  }

  /** Ends the tick: the messages to the client of that actor. */
  tick(actor = -1): ServerMessage[] {
    return this.tickOf(actor).messages;
  }

  /** The same, and how many bytes each takes. */
  tickOf(actor = -1): { readonly messages: ServerMessage[]; readonly sizes: number[] } {
    this.#teller.news(this.#draft);
    this.#draft.endRoster();
    const socket = new FakeSocket();
    this.bytes = this.#draft.rosterBytes;
    this.#draft.writeTo(socket, actor, "all", { framesOut: 0, bytesOut: 0, cursorsDelivered: 0 });
    this.#draft.clear();
    const frames = socket.takeFrames();
    return {
      messages: frames.map(
        ({ isText, payload }) => (isText ? decodeServerJson(payload.toString()) : decodeServerBinary(payload)) ?? assert.fail(),
      ),
      sizes: frames.map(({ payload }) => payload.length),
    };
  }

  hear(messages: readonly ServerMessage[]): void {
    for (const message of messages) {
      if (message.kind === "user_joined") this.believed.set(message.actor, message.member);
      else if (message.kind === "user_left") assert.ok(this.believed.delete(message.actor));
      else if (message.kind === "user_updated") this.#patched(message.actor, message.patch);
      else if (message.kind === "statuses") {
        const { status, activeAt, afterMs = [] } = message;
        for (const [nth, actor] of message.actors.entries())
          this.#patched(actor, { status, activeAt: activeAt === undefined ? null : activeAt + (afterMs[nth] ?? assert.fail()) });
      }
    }
  }

  #patched(actor: number, patch: JsonObject): void {
    const member = this.believed.get(actor) ?? assert.fail(`${actor} is not there`);
    this.believed.set(actor, applyMergePatch(member as never, patch) as unknown as Member);
  }
}

const kindsOf = (messages: readonly ServerMessage[]) => messages.map(({ kind }) => kind);
const all = (count: number) => Array.from({ length: count }, (_, nth) => nth);

for (const encoding of ["binary", "json"] as const) {
  test(`[C6] ${encoding}: whatever happens in whatever order, a viewer who heard every tick knows the board`, () => {
    const actor = fc.nat(14);
    const time = fc.option(fc.constantFrom(SINCE, SINCE + 1, SINCE + 2 ** 33), { nil: undefined });
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.tuple(fc.constant("fade"), actor, time) },
      { weight: 4, arbitrary: fc.tuple(fc.constant("back"), actor, time) },
      { weight: 1, arbitrary: fc.tuple(fc.constantFrom("leave", "join", "event", "state", "idle", "tick"), actor, time) },
    );
    const crowds = { told: 0 };
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80, size: "max" }), (steps) => {
        const scene = new Scene(encoding, 15);
        const tick = () => {
          const messages = scene.tick();
          crowds.told += kindsOf(messages).filter((kind) => kind === "statuses").length;
          scene.hear(messages);
          assert.deepEqual(scene.believed, scene.members);
        };
        for (const [what, actor, activeAt] of steps) {
          // All up to that one, so that there are crowds.
          if (what === "fade") for (const one of all(actor)) scene.fade(one, activeAt);
          else if (what === "back") for (const one of all(actor)) scene.isBack(one);
          else if (what === "leave") scene.leave(actor);
          else if (what === "join") scene.join(actor);
          else if (what === "event") scene.event(actor);
          else if (what === "state") scene.patch(actor, { status: "active", activeAt: null, state: { n: actor } });
          else if (what === "idle") scene.patch(actor, { status: "idle", activeAt: activeAt ?? SINCE });
          else tick();
        }
        tick();
      }),
    );
    assert.ok(crowds.told > 20, `only ${crowds.told} crowds were told`);
  });
}

test("[C2] a few whose status changes are told one by one, and none of them of itself", () => {
  const scene = new Scene("binary", 10);
  for (const actor of all(7)) scene.fade(actor, SINCE + 5);
  const messages = scene.tick(3);
  assert.deepEqual(
    messages.map((message) => message.kind === "user_updated" && message.actor),
    [0, 1, 2, 4, 5, 6],
  );
});

test("[C2] a crowd that is lost, and is back, takes 2 to 4 bytes for each member", () => {
  const scene = new Scene("binary", 1000);
  for (const actor of all(1000)) scene.fade(actor, SINCE + actor);
  assert.deepEqual(kindsOf(scene.tick()), ["statuses"]);
  assert.ok(scene.bytes < 4000, `lost: ${scene.bytes} bytes`);
  for (const actor of all(1000)) scene.isBack(actor);
  assert.deepEqual(kindsOf(scene.tick()), ["statuses"]);
  assert.ok(scene.bytes < 2000, `back: ${scene.bytes} bytes`);
});

for (const encoding of ["binary", "json"] as const) {
  test(`[C5] ${encoding}: all members that a viewer is told of, with the longest numbers, fit into one message`, () => {
    const scene = new Scene(encoding, ROSTER_MAX, ACTOR_MAX - ROSTER_MAX + 1);
    for (const [nth, actor] of [...scene.members.keys()].entries()) scene.fade(actor, SINCE + (nth % 2) * (2 ** 32 - 1));
    const { sizes, messages } = scene.tickOf();
    assert.deepEqual(kindsOf(messages), ["statuses"]);
    assert.ok((sizes[0] ?? 0) <= SERVER_MESSAGE_BYTES_MAX, `${sizes}`);
    scene.hear(messages);
    assert.deepEqual(scene.believed, scene.members);
  });
}

test("[C6] what a member says comes after its status, and who leaves is in no crowd", () => {
  const scene = new Scene("json", 20);
  for (const actor of all(20)) scene.fade(actor);
  scene.leave(4);
  scene.event(5);
  for (const actor of all(9)) scene.isBack(actor);
  const messages = scene.tick();
  assert.deepEqual(kindsOf(messages), ["user_left", "statuses", "event", "statuses"]);
  const crowds = messages.flatMap((message) => (message.kind === "statuses" ? [message.actors] : []));
  assert.deepEqual(crowds, [all(20).filter((actor) => actor !== 4), all(9).filter((actor) => actor !== 4)]);
});

test("[C2] times that are too far from each other for one message are told one by one", () => {
  const scene = new Scene("binary", 10);
  for (const actor of all(10)) scene.fade(actor, SINCE + actor * 2 ** 31);
  assert.deepEqual(new Set(kindsOf(scene.tick())), new Set(["user_updated"]));
});
