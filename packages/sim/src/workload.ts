/**
 * The workload: who lives in the worlds of a campaign, what they do and how often, and what each act means to a World. It draws nothing by
 * itself: schedule.ts passes the dice, and run.ts the World.
 */

import type { BoardId, Json, Millis, Recipients } from "@presence-service/protocol";
import { GRACE_MS, memberIdOf, type Random, type Traced, type World, type WorldMember } from "@presence-service/server/world";
import { nth } from "./faults.ts";

/** A person does this, or a host does it to them. If their connection is gone they come back instead, by the instance that `via` names. */
export type Act = { readonly who: string; readonly board: string; readonly via: number } & (
  | { readonly act: "join" | "observe" | "leave" | "resume" | "lose_abandoned" }
  | { readonly act: "update"; readonly status: "active" | "idle"; readonly area: string; readonly tool: string }
  | { readonly act: "move"; readonly x: number }
  | { readonly act: "disconnect"; readonly graceMs: Millis }
  /** An event for everybody, or for one person: for all of that person's sessions (`user`), or for one. */
  | { readonly act: "broadcast"; readonly to?: string; readonly as?: "member" | "user" }
  /** The host at the instance `via` puts that member out, of the board or of the service. */
  | { readonly act: "kick"; readonly of: "board" | "service" }
  /** Clients of the instance `via` want the counts of the board, or none does any more. */
  | { readonly act: "watch" | "unwatch" }
);

/** How often each act is drawn, against the sum of all. */
const WEIGHTS: Readonly<Record<Act["act"], number>> = {
  update: 26,
  move: 14,
  broadcast: 10,
  resume: 10,
  join: 9,
  leave: 8,
  disconnect: 9,
  lose_abandoned: 10,
  observe: 4,
  kick: 2,
  watch: 3,
  unwatch: 2,
};
const ACTS = Object.entries(WEIGHTS).flatMap(([act, weight]) => Array.from({ length: weight }, () => act as Act["act"]));

/** A classic client (`c4`) has no session: it cannot resume, and is gone when its connection is. */
const CLASSIC_EVERY = 5;
/** One in three is on a second board too: the end of a connection ends both memberships. */
const SECOND_BOARD_EVERY = 3;
/** One in four is the same person as the one before, in another tab. */
const SECOND_TAB_EVERY = 4;
const GRACES: readonly Millis[] = Object.values(GRACE_MS);

export type Place = { readonly who: string; readonly board: string };

export function drawPlaces(people: number, board: (index?: number) => string): Place[] {
  const name = (index: number) => `${index % CLASSIC_EVERY === CLASSIC_EVERY - 1 ? "c" : "p"}${index}`;
  const all = Array.from({ length: people }, (_, index) => ({ who: name(index), board: board(index) }));
  return [...all, ...all.filter((_, index) => index % SECOND_BOARD_EVERY === 0).map(({ who }) => ({ who, board: board() }))];
}

export function drawAct(random: Random, by: Place & { readonly via: number }, all: readonly Place[]): Act {
  const one = <T>(choices: readonly T[]) => choices[Math.floor(random.next() * choices.length)] as T;
  const act = one(ACTS);
  switch (act) {
    case "update":
      return { ...by, act, status: one(["active", "idle"]), area: one(["", "slide-1"]), tool: one(["pen", "ink"]) };
    case "move":
      return { ...by, act, x: Math.floor(random.between(0, 10)) };
    case "disconnect":
      return { ...by, act, graceMs: one(GRACES) };
    case "broadcast":
      return random.next() < 0.4 ? { ...by, act } : { ...by, act, to: one(all).who, as: one(["member", "user"]) };
    case "kick":
      return { ...by, act, of: one(["board", "service"]) };
    default:
      return { ...by, act };
  }
}

/** The people of one World. */
export class People {
  readonly #world: World;
  readonly #members = new Map<string, WorldMember>();
  #events = 0;
  #classic = 0;

  constructor(world: World) {
    this.#world = world;
  }

  act(step: Act): void {
    const via = nth(this.#world, step.via);
    if (step.act === "watch" || step.act === "unwatch") return this.#world[step.act](step.board, via);
    const member = this.#members.get(`${step.who} ${step.board}`);
    if (isClassic(step.who)) this.#actClassic(step, member, via);
    else if (member === undefined) {
      if (step.act === "join") this.#join(step, via);
    } else this.#act(step, member, via);
  }

  #act(step: Act, member: WorldMember, via: number): void {
    const { session } = member;
    // The host puts out those who are within their grace, too.
    if (step.act === "kick") return this.#kick(step, session.name, via);
    if (!session.connection.isOpen || session.isSuperseded) return member.resume({ via });
    switch (step.act) {
      case "join":
        return member.join();
      case "observe":
        return member.observe();
      case "update":
        return member.update({ status: step.status, area: step.area, state: { tool: step.tool } });
      case "move":
        return member.move(step.x, 1);
      case "broadcast":
        return this.#broadcast(step, member);
      case "resume":
        return member.resume({ via });
      case "leave":
        return member.leave();
      case "disconnect":
        return member.disconnect(step.graceMs);
      case "lose_abandoned":
        return session.loseAbandoned(GRACE_MS.full);
    }
  }

  /** Each of its connections is a session of its own, with one board. */
  #actClassic(step: Act, member: WorldMember | undefined, via: number): void {
    if (member === undefined || !member.session.connection.isOpen) {
      const name = `${step.who}.${this.#classic++}`;
      this.#members.set(`${step.who} ${step.board}`, this.#world.join(name, { board: step.board, via }));
      return;
    }
    if (step.act === "kick") return this.#kick(step, member.session.name, via);
    if (step.act === "move") return member.move(step.x, 1);
    if (step.act === "leave") return member.leave();
    if (step.act === "join") return member.join();
    if (step.act === "disconnect" || step.act === "resume") return member.disconnect(0);
  }

  #join({ who, board }: Place, via: number): void {
    const known = [...this.#members.values()].find(({ session: { name } }) => name === who)?.session;
    const user = userOf(who);
    const member = known?.join(board as BoardId, {}) ?? this.#world.join(who, { board, via, ...(user && { user }) });
    this.#members.set(`${who} ${board}`, member);
  }

  #kick({ board, of }: Extract<Act, { act: "kick" }>, name: string, via: number): void {
    this.#world.kick(name, { via, ...(of === "board" && { board }) });
  }

  #broadcast({ to, as }: Extract<Act, { act: "broadcast" }>, member: WorldMember): void {
    const { session } = member;
    const recipients: Recipients =
      to === undefined ? {} : as === "user" ? { userIds: [userOf(to) ?? memberIdOf(to)] } : { memberIds: [memberIdOf(to)] };
    const traced: Traced = { number: this.#events++, by: session.memberId, over: session.connection.id, for: recipients };
    // A client parses what it says anew: no object is in both.
    member.broadcast("wave", structuredClone(traced) as unknown as Json, recipients);
  }
}

function isClassic(who: string): boolean {
  return who.startsWith("c");
}

/** Two tabs of one person; undefined: the session is a person by itself. */
function userOf(who: string): string | undefined {
  const index = Number(who.slice(1));
  if (isClassic(who) || index % SECOND_TAB_EVERY > 1) return undefined;
  return `u${index - (index % SECOND_TAB_EVERY)}`;
}
