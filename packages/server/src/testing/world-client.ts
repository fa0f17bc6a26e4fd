/**
 * The clients of a World. A session is the state that a browser tab keeps (R11). Its name stands for its memberId, so two sessions with
 * one name are copies of one session. A member is a session's place on one board; tests act through members.
 */

import {
  type BoardId,
  type CursorPath,
  type ErrorCode,
  HIDDEN,
  inOrder,
  type Json,
  type JsonObject,
  type Member,
  type MemberId,
  type Millis,
  type Point,
  type Recipients,
  type RosterEntry,
} from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import type { ChosenStatus, ConnectionId, Effect, Entrant, Input, RosterChange, RosterView } from "../core/effects.ts";
import type { Whom } from "../core/messages.ts";
import { Random } from "../core/random.ts";
import { answerTo, namesOf, rosterAfter } from "./catching-up.ts";
import { View } from "./view.ts";
import type { WorldInstance } from "./world-instance.ts";

/** The part of a World that its clients use. */
export type Gateway = {
  readonly now: Millis;
  instance(index: number): WorldInstance;
  nextConnection(): ConnectionId;
  after(ms: Millis, run: () => void): void;
};

/** One socket of an instance, as its client sees it. */
export class WorldConnection {
  readonly id: ConnectionId;
  readonly session: WorldSession;
  readonly instance: WorldInstance;
  /** Boards whose roster has come. */
  readonly views = new Map<BoardId, View>();
  readonly actors = new Map<BoardId, number>();
  /** Members of boards as its client knew them in its last connection, until it is told these boards. */
  readonly held = new Map<BoardId, readonly Member[]>();
  /** Boards its client has joined and not left. */
  readonly boards = new Set<BoardId>();
  /** Boards whose host has put its client out. */
  readonly #putOutOf = new Set<BoardId>();
  #isOpen = true;

  constructor(id: ConnectionId, session: WorldSession, instance: WorldInstance) {
    this.id = id;
    this.session = session;
    this.instance = instance;
    if (instance.state === "gone") this.#isOpen = false;
    else instance.connections.set(id, this);
    instance.viewChanged();
  }

  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** The socket is closed, by whichever side. */
  end(): void {
    this.#isOpen = false;
    this.instance.viewChanged();
  }

  send(input: Input): void {
    if (this.isOpen) this.instance.receive(() => input);
  }

  /** Nothing comes from it any more (true), or something again. */
  quiet(on: boolean): void {
    this.send({ kind: "quiet", connection: this.id, on });
  }

  forget(boardId: BoardId): void {
    this.boards.delete(boardId);
    this.views.delete(boardId);
    this.actors.delete(boardId);
    this.instance.viewChanged();
  }

  // Messages of the instance.

  /** `self` undefined: it observes. */
  joined(boardId: BoardId, self: number | undefined, roster: RosterView): void {
    // The client has left again before the answer came; or it was put out, and its next join was under way already: it gives that up.
    if (!this.boards.has(boardId)) {
      if (this.#putOutOf.delete(boardId))
        this.session.soon(() => this.boards.has(boardId) || this.send({ kind: "leave", connection: this.id, boardId }));
      return;
    }
    const view = new View(this.#caughtUp(boardId, self, roster));
    if (self !== undefined && view.members.get(self)?.memberId !== this.session.memberId)
      throw new Error(`C6: ${this.session.name} is told to be actor ${self}, which it is not`);
    this.views.set(boardId, view);
    this.instance.viewChanged();
    if (self === undefined) this.actors.delete(boardId);
    else this.actors.set(boardId, self);
    this.#member(boardId)?.wasJoined(view);
  }

  /** C5. Two of three clients that come back name the members that they hold, in one encoding or the other. */
  #caughtUp(boardId: BoardId, self: number | undefined, roster: RosterView): readonly RosterEntry[] {
    const held = this.held.get(boardId);
    this.held.delete(boardId);
    const encoding = ([undefined, "binary", "json"] as const)[this.id % 3];
    if (held === undefined || encoding === undefined) return roster.entries;
    return rosterAfter(answerTo(namesOf(held), roster, self, encoding).takeMessages(), held);
  }

  changed(boardId: BoardId, change: RosterChange): void {
    const line = this.views.get(boardId)?.apply(change);
    this.instance.viewChanged();
    if (line !== undefined) this.#member(boardId)?.log.push(line);
  }

  happened({ boardId, actor, name, data, to }: Extract<Effect, { kind: "event" }>): void {
    const view = this.views.get(boardId);
    const self = this.actors.get(boardId);
    if (view === undefined || actor === self || to?.includes(self ?? -1) === false) return;
    const sender = view.members.get(actor);
    if (sender === undefined) throw new Error(`C6: an event of actor ${actor}, who was never introduced`);
    this.#member(boardId)?.events.push(`${sender.username} ${name} ${JSON.stringify(data)}`);
  }

  refused(boardId: BoardId, code: ErrorCode): void {
    // An earlier join there stays valid, if there was one. A word of a client about a board that it has left is no join.
    if (!this.views.has(boardId) && code !== "not_joined" && code !== "observing") this.forget(boardId);
    this.#member(boardId)?.refusals.push(code);
  }

  putOut(boardId: BoardId, self: number | undefined): void {
    const known = this.actors.get(boardId);
    if (known !== undefined && known !== self) throw new Error(`R16: ${this.session.name} is put out as somebody else`);
    this.#member(boardId)?.log.push("put out");
    this.#putOutOf.add(boardId);
    this.forget(boardId);
  }

  superseded(): void {
    this.end();
    if (this.session.connection === this) this.session.isSuperseded = true;
  }

  /** Undefined once the client has moved on to another connection. */
  #member(boardId: BoardId): WorldMember | undefined {
    return this.session.connection === this ? this.session.members.get(boardId) : undefined;
  }
}

/** C3: a connection that is silent for so long is lost; and where somebody else looks, it is shown as reconnecting after the other. */
export const HALF_OPEN_MS_MAX: Millis = 25_000;
export const QUIET_HALF_OPEN_MS_MAX: Millis = 7_500;

export class WorldSession {
  readonly name: string;
  readonly memberId: MemberId;
  /** The memberId, as without authentication, unless several sessions are one person. */
  readonly userId: string;
  /** The attempt of the last join. */
  attempt: number;
  connection: WorldConnection;
  readonly members = new Map<BoardId, WorldMember>();
  /** Closed by its instance, since the session lives elsewhere. */
  isSuperseded = false;
  /** All announcements received, in order. */
  readonly announcements: string[] = [];
  readonly #gateway: Gateway;
  /** Half-open connections: the client has given them up, and their instances do not know it. */
  readonly #abandoned: WorldConnection[] = [];

  constructor(name: string, options: { readonly via: number; readonly attempt: number; readonly user?: string }, gateway: Gateway) {
    this.name = name;
    this.memberId = memberIdOf(name);
    this.userId = options.user ?? this.memberId;
    this.attempt = options.attempt - 1;
    this.#gateway = gateway;
    this.connection = this.#connect(options.via);
  }

  get now(): Millis {
    return this.#gateway.now;
  }

  soon(run: () => void): void {
    this.#gateway.after(0, run);
  }

  isMeant(whom: Whom): boolean {
    return "userId" in whom ? whom.userId === this.userId : whom.memberId === this.memberId;
  }

  join(boardId: BoardId, options: { readonly status?: ChosenStatus; readonly state?: JsonObject }): WorldMember {
    const member = this.members.get(boardId) ?? new WorldMember(this, boardId);
    member.join(options);
    return member;
  }

  /** The connection is gone and its instance knows it. 0: its members leave at once. */
  disconnect(graceMs: Millis): void {
    const { id } = this.connection;
    this.connection.send({ kind: "disconnected", connection: id, graceMs });
    this.connection.end();
  }

  /** On a new connection, all boards again. The old one stays half-open until its instance misses its heartbeats, unless it was disconnected before. */
  resume(via: number): void {
    const former = this.connection;
    if (former.isOpen) {
      this.#abandoned.push(former);
      this.#gateway.after(QUIET_HALF_OPEN_MS_MAX, () => this.#abandoned.includes(former) && former.quiet(true));
      this.#gateway.after(HALF_OPEN_MS_MAX, () => this.#lose(former, GRACE_MS.full));
    }
    this.connection = this.#connect(via);
    for (const [boardId, held] of former.held) this.connection.held.set(boardId, held);
    for (const [boardId, { members }] of former.views) this.connection.held.set(boardId, [...members.values()].sort(inOrder));
    this.isSuperseded = false;
    for (const member of this.members.values()) member.again();
  }

  observe(boardId: BoardId): WorldMember {
    const member = this.members.get(boardId) ?? new WorldMember(this, boardId);
    member.observe();
    return member;
  }

  /** The instances learn that the older connections are gone. */
  loseAbandoned(graceMs: Millis): void {
    for (const connection of [...this.#abandoned]) this.#lose(connection, graceMs);
  }

  #lose(connection: WorldConnection, graceMs: Millis): void {
    const index = this.#abandoned.indexOf(connection);
    if (index === -1) return;
    this.#abandoned.splice(index, 1);
    connection.send({ kind: "disconnected", connection: connection.id, graceMs });
  }

  #connect(via: number): WorldConnection {
    return new WorldConnection(this.#gateway.nextConnection(), this, this.#gateway.instance(via));
  }
}

export class WorldMember {
  readonly session: WorldSession;
  readonly boardId: BoardId;
  /** All messages received, in order: `joined ana ben`, then the texts of `View.apply`. */
  readonly log: string[] = [];
  /** Events received, as in `ben wave {"hand":"left"}`. */
  readonly events: string[] = [];
  readonly refusals: ErrorCode[] = [];
  /** The time from the last join to its roster; undefined: the roster has not come yet. */
  openedAfterMs: Millis | undefined;
  /** It sees the board, and is no member. */
  isObserver = false;
  #member: Entrant;
  #joinedAt: Millis = 0;
  #view: View | undefined;

  constructor(session: WorldSession, boardId: BoardId) {
    this.session = session;
    this.boardId = boardId;
    const { color: _, ...entrant } = memberOf(session.name);
    this.#member = { ...entrant, userId: session.userId };
  }

  // Actions of the member. On a connection that is gone they have no effect.

  /** Also once more on the same connection: the full state is sent again, with the next attempt. */
  join({
    status = this.#member.status,
    state = this.#member.state,
  }: {
    readonly status?: ChosenStatus;
    readonly state?: JsonObject;
  } = {}): void {
    this.#member = { ...this.#member, status, state };
    this.isObserver = false;
    this.#enter();
    this.#send({ kind: "join", attempt: ++this.session.attempt, member: this.#member });
  }

  observe(): void {
    const { memberId, userId } = this.#member;
    this.isObserver = true;
    this.#enter();
    this.#send({ kind: "observe", memberId, userId });
  }

  /** On a new connection. */
  again(): void {
    if (this.isObserver) this.observe();
    else this.join();
  }

  #enter(): void {
    this.session.members.set(this.boardId, this);
    this.#joinedAt = this.session.now;
    this.openedAfterMs = undefined;
    this.session.connection.boards.add(this.boardId);
    this.session.connection.instance.viewChanged();
  }

  leave(): void {
    this.#send({ kind: "leave" });
    this.session.members.delete(this.boardId);
    this.session.connection.forget(this.boardId);
  }

  update(change: { readonly status?: ChosenStatus; readonly state?: JsonObject; readonly area?: string }): void {
    this.#send({ kind: "update", ...change });
  }

  broadcast(name: string, data: Json, recipients: Recipients = {}): void {
    this.#send({ kind: "broadcast", name, data, ...recipients });
  }

  move(x: number, y: number, path?: CursorPath): void {
    const { isOpen, instance, actors } = this.session.connection;
    const actor = actors.get(this.boardId);
    if (isOpen && actor !== undefined) instance.mark(this.boardId, actor, x, y, path);
  }

  hide(): void {
    this.move(HIDDEN, 0);
  }

  /** Loses the connection, and with it all its boards. */
  disconnect(graceMs: Millis): void {
    this.session.disconnect(graceMs);
  }

  /** Comes back on all its boards. */
  resume({ via }: { readonly via: number }): void {
    this.session.resume(via);
  }

  // The member's view.

  get isOpen(): boolean {
    return this.openedAfterMs !== undefined;
  }

  /** Usernames, sorted. */
  roster(): string[] {
    return [...(this.#view?.members.values() ?? [])].map(({ username }) => username).sort();
  }

  /** The member with that name, as shown; undefined: not shown. */
  sees(username: string): Member | undefined {
    return this.#view?.of(username);
  }

  cursorOf(username: string): Point | undefined {
    return this.#view?.placeOf(username);
  }

  wasJoined(view: View): void {
    this.#view = view;
    this.openedAfterMs = this.session.now - this.#joinedAt;
    this.log.push(`joined ${this.roster().join(" ")}`);
  }

  #send(said: Unaddressed<Extract<Input, { kind: "join" | "observe" | "leave" | "update" | "broadcast" }>>): void {
    const { connection } = this.session;
    connection.send({ ...said, connection: connection.id, boardId: this.boardId } as Input);
  }
}

type Unaddressed<T> = T extends Input ? Omit<T, "connection" | "boardId"> : never;

export function memberIdOf(name: string): MemberId {
  let hash = 0x811c9dc5;
  for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  return hexDigits(new Random(hash), 32) as MemberId;
}

/** A member whose userId is its memberId, as without authentication (C1), since an unknown time. */
export function memberOf(name: string): Member & Entrant {
  const memberId = memberIdOf(name);
  return { memberId, userId: memberId, username: name, color: "#336699", status: "active", kind: "person", joinedAt: 0, state: {} };
}

export function hexDigits(random: Random, count: number): string {
  return Array.from({ length: count }, () => Math.floor(random.next() * 16).toString(16)).join("");
}
