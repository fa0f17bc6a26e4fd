/**
 * Members that are programs and have no socket: a caller of the admin API puts them on a board for a time, and again before that is over.
 * They belong to this instance's slice like all others, so that they leave with it, and are never shown longer than their time. It
 * knows nothing of HTTP.
 */

import { createHash } from "node:crypto";
import {
  type BoardId,
  type Json,
  type JsonObject,
  type MemberId,
  type Millis,
  mergePatchBetween,
  type Recipients,
  TokenBucket,
} from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import type { ChosenStatus, ConnectionId, Input } from "../core/effects.ts";
import type { Inspection } from "../core/inspection.ts";
import type { Speech } from "../speech/speech.ts";
import { Alarm } from "./alarm.ts";
import type { Seat, SeatHolder } from "./board-fanout.ts";
import type { LocalBoards } from "./local-boards.ts";

export type AgentWish = {
  readonly username: string;
  readonly color?: string | undefined;
  readonly avatar?: string | undefined;
  readonly status: ChosenStatus;
  readonly area?: string | undefined;
  readonly state: JsonObject;
  readonly ttlMs: Millis;
};

export type AgentChange = {
  readonly status?: ChosenStatus | undefined;
  readonly area?: string | undefined;
  readonly state?: JsonObject | undefined;
  readonly ttlMs?: Millis | undefined;
};

/** `absent`: no such agent is here. `superseded`: it came in elsewhere at this moment. `stopping`: this instance takes nobody any more. */
export type AgentRefusal = "absent" | "too_fast" | "too_many" | "superseded" | "bad_state" | "stopping";

type Agent = {
  readonly name: string;
  readonly boardId: BoardId;
  readonly memberId: MemberId;
  readonly connection: ConnectionId;
  readonly seat: Seat;
  attempt: number;
  wish: AgentWish;
  expiresAt: Millis;
  refused: AgentRefusal | undefined;
};

export type AgentsOptions = {
  readonly clock: Clock;
  readonly boards: LocalBoards;
  readonly inspection: Inspection;
  readonly nextId: () => ConnectionId;
  readonly isStopping: () => boolean;
  readonly input: (input: Input) => void;
};

/** More programs than an instance should have to remember for others; people have no such limit. */
export const AGENTS_MAX = 1000;
/** Of one agent, on all boards together: as fast as a person moves, and far below what a loop without a pause would do. */
const RATES = { change: { perSecond: 10, burst: 30 }, cursor: { perSecond: 60, burst: 60 }, event: { perSecond: 10, burst: 20 } } as const;

/** An agent is the same member on every board and at every instance. */
export function agentId(name: string): MemberId {
  return createHash("sha256").update(`agent\0${name}`).digest("hex").slice(0, 32) as MemberId;
}

export class Agents {
  readonly #options: AgentsOptions;
  readonly #agents = new Map<string, Agent>();
  readonly #byConnection = new Map<ConnectionId, Agent>();
  readonly #rates = new Map<string, { readonly [of in keyof typeof RATES]: TokenBucket }>();
  readonly #alarm: Alarm;

  constructor(options: AgentsOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.clock, () => this.#expire());
  }

  has(boardId: BoardId, name: string): boolean {
    return this.#agents.has(keyOf(boardId, name));
  }

  /** Puts the agent on the board, or makes it as is wished, for that time from now on. Idempotent, at whatever instance it is called. */
  put(boardId: BoardId, name: string, wish: AgentWish): "created" | "renewed" | AgentRefusal {
    if (this.#options.isStopping()) return "stopping";
    if (!this.#affords(name, "change")) return "too_fast";
    const known = this.#agents.get(keyOf(boardId, name));
    if (known !== undefined && isSamePerson(known.wish, wish)) {
      const { status, area = "", state } = wish;
      const patch = mergePatchBetween(known.wish.state, state);
      return this.#update(known, { status, area, ...(patch !== undefined && { state: patch }) }, wish) ?? "renewed";
    }
    if (known === undefined && this.#agents.size >= AGENTS_MAX) return "too_many";
    const agent = known ?? this.#seat(boardId, name, wish);
    agent.attempt = this.#nextAttempt(agent);
    const { username, color, avatar, status, area, state } = wish;
    const { memberId, connection, attempt } = agent;
    const optional = { ...(color !== undefined && { color }), ...(avatar !== undefined && { avatar }), ...(area && { area }) };
    const member = { memberId, userId: `agent:${name}`, username, ...optional, status, kind: "agent" as const, state };
    agent.refused = undefined;
    this.#options.input({ kind: "join", connection, boardId, attempt, member });
    // Set by `refused` meanwhile.
    const refused = (agent as Agent).refused;
    if (refused !== undefined) {
      this.#forget(agent);
      return refused;
    }
    this.#renew(agent, wish);
    return known === undefined ? "created" : "renewed";
  }

  /** `state` is a merge patch. The agent's time begins anew. */
  change(boardId: BoardId, name: string, change: AgentChange): AgentRefusal | undefined {
    const agent = this.#agents.get(keyOf(boardId, name));
    if (agent === undefined) return "absent";
    if (!this.#affords(name, "change")) return "too_fast";
    const { ttlMs = agent.wish.ttlMs, status = agent.wish.status, area = agent.wish.area, state } = change;
    const said = {
      ...(change.status !== undefined && { status }),
      ...(change.area !== undefined && { area: change.area }),
      ...(state && { state }),
    };
    return this.#update(agent, said, { ...agent.wish, ttlMs, status, area });
  }

  /** `x` HIDDEN: nowhere. */
  move(boardId: BoardId, name: string, x: number, y: number): AgentRefusal | undefined {
    const agent = this.#agents.get(keyOf(boardId, name));
    if (agent === undefined) return "absent";
    if (!this.#affords(name, "cursor")) return "too_fast";
    if (agent.seat.actor === undefined) agent.seat.early = { x, y };
    else this.#options.boards.moved(agent.seat, x, y);
    return undefined;
  }

  say(boardId: BoardId, name: string, said: { readonly name: string; readonly data: Json } & Recipients): AgentRefusal | undefined {
    const agent = this.#agents.get(keyOf(boardId, name));
    if (agent === undefined) return "absent";
    const { boards, input } = this.#options;
    const bytes = JSON.stringify(said).length;
    if (!this.#affords(name, "event") || !boards.affords(agent.seat, bytes, boards.audienceOf(boardId, said))) return "too_fast";
    input({ kind: "broadcast", connection: agent.connection, boardId, ...said });
    return undefined;
  }

  /** The agent leaves. False: it is not here. */
  remove(boardId: BoardId, name: string): boolean {
    const agent = this.#agents.get(keyOf(boardId, name));
    if (agent !== undefined) this.#forget(agent);
    return agent !== undefined;
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  // Called with effects of the core. Connections that are no agent's are ignored.

  admitted(connection: ConnectionId, actor: number | undefined): void {
    const agent = this.#byConnection.get(connection);
    if (agent === undefined) return;
    const { seat } = agent;
    seat.actor = actor;
    const { early } = seat;
    seat.early = undefined;
    if (early !== undefined) this.#options.boards.moved(seat, early.x, early.y);
  }

  refused(connection: ConnectionId, why: "superseded" | "bad_state"): void {
    const agent = this.#byConnection.get(connection);
    if (agent !== undefined) agent.refused = why;
  }

  /** The agent is somewhere else now, or was put out. */
  ended(connection: ConnectionId): void {
    const agent = this.#byConnection.get(connection);
    if (agent !== undefined) this.#forget(agent);
  }

  #seat(boardId: BoardId, name: string, wish: AgentWish): Agent {
    const { boards, nextId, clock } = this.#options;
    const connection = nextId();
    const agent: Agent = {
      name,
      boardId,
      memberId: agentId(name),
      connection,
      // It is never admitted, so nothing is written to it.
      seat: boards.sit(NOBODY, boardId),
      attempt: 0,
      wish,
      expiresAt: clock.now() + wish.ttlMs,
      refused: undefined,
    };
    this.#agents.set(keyOf(boardId, name), agent);
    this.#byConnection.set(connection, agent);
    return agent;
  }

  /** Above all attempts that are known. The seconds since 1970, so that it is so at an instance that knows of none, too. */
  #nextAttempt({ boardId, memberId, attempt }: Agent): number {
    const { clock, inspection } = this.#options;
    const { claims = [], endedAttempt = null } = inspection.why(boardId, memberId, clock.now()) ?? {};
    const highest = Math.max(attempt, endedAttempt ?? -1, ...claims.map((claim) => claim.attempt));
    return Math.max(highest + 1, Math.floor(clock.wallNow() / 1000));
  }

  #update(agent: Agent, said: Pick<AgentChange, "status" | "area" | "state">, wish: AgentWish): AgentRefusal | undefined {
    const { connection, boardId } = agent;
    agent.refused = undefined;
    const { status, area, state } = said;
    const changed = { ...(status !== undefined && { status }), ...(area !== undefined && { area }), ...(state !== undefined && { state }) };
    this.#options.input({ kind: "update", connection, boardId, ...changed });
    const refused = (agent as Agent).refused;
    if (refused !== undefined) return refused;
    // A change tells a patch only; what came of it stands in the roster.
    const member = this.#options.inspection.why(boardId, agent.memberId, this.#options.clock.now())?.shown?.member;
    this.#renew(agent, { ...wish, state: member?.state ?? wish.state });
    return undefined;
  }

  #renew(agent: Agent, wish: AgentWish): void {
    const { clock } = this.#options;
    agent.wish = wish;
    agent.expiresAt = clock.now() + wish.ttlMs;
    this.#arm();
  }

  #forget(agent: Agent): void {
    const { boards, input } = this.#options;
    if (!this.#byConnection.delete(agent.connection)) return;
    this.#agents.delete(keyOf(agent.boardId, agent.name));
    boards.leave(agent.seat);
    // It leaves for good, wherever its entry stands by now.
    input({ kind: "disconnected", connection: agent.connection, graceMs: 0 });
  }

  #expire(): void {
    const now = this.#options.clock.now();
    for (const agent of [...this.#agents.values()]) if (agent.expiresAt <= now) this.#forget(agent);
    for (const [name, rates] of this.#rates) if (Object.values(rates).every((bucket) => bucket.isFull(now))) this.#rates.delete(name);
    this.#arm();
  }

  #arm(): void {
    let at = Number.POSITIVE_INFINITY;
    for (const { expiresAt } of this.#agents.values()) at = Math.min(at, expiresAt);
    // Rates that nobody uses any more are looked through once a minute.
    if (this.#rates.size > 0) at = Math.min(at, this.#options.clock.now() + 60_000);
    this.#alarm.set(at);
  }

  #affords(name: string, of: keyof typeof RATES): boolean {
    const now = this.#options.clock.now();
    let rates = this.#rates.get(name);
    if (rates === undefined) {
      const bucket = (rate: { perSecond: number; burst: number }) => new TokenBucket(rate, now);
      rates = { change: bucket(RATES.change), cursor: bucket(RATES.cursor), event: bucket(RATES.event) };
      this.#rates.set(name, rates);
      this.#arm();
    }
    return rates[of].take(now);
  }
}

function keyOf(boardId: BoardId, name: string): string {
  return `${boardId}\0${name}`;
}

function isSamePerson(a: AgentWish, b: AgentWish): boolean {
  return a.username === b.username && a.color === b.color && a.avatar === b.avatar;
}

/** An agent hears nothing: its seat is never admitted, so of its way of speaking only this is asked. */
const NOBODY: SeatHolder = {
  packs: false,
  speech: { refOf: ({ boardId }) => boardId } as Pick<Speech, "refOf"> as Speech,
  socket: {
    queuedBytes: 0,
    write() {},
    cork() {},
    uncork() {},
    ping() {},
    pong() {},
    pause() {},
    resume() {},
    onceDrained() {},
    close() {},
    terminate() {},
  },
  cursorMs: 0,
  awaitDrain() {},
  visitSoon() {},
  owe() {},
};
