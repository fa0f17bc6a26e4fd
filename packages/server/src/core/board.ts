/**
 * One board at this instance: its own slice, its peers' replicas, and the one roster made of them. The board takes what local clients do
 * and what the bus brings to the part that it concerns, and decides which local clients still wait for the roster. sessions.ts decides
 * who is shown, announcer.ts what is published, replicas.ts what is asked.
 */

import {
  applyMergePatch,
  type BoardId,
  type InstanceId,
  isFitState,
  type JsonObject,
  type MemberId,
  type Millis,
  mergePatchBetween,
} from "@presence-service/protocol";
import { Announcer } from "./announcer.ts";
import type { Teller } from "./census.ts";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { ChosenStatus, ConnectionId, Entrant, Input, Link, Place } from "./effects.ts";
import type { BoardEvent, BoardMessage, Cursors, MovesTo, Whom } from "./messages.ts";
import type { Reasons, SliceHeld } from "./reasons.ts";
import type { Applied, Replica } from "./replica.ts";
import { type Question, Replicas } from "./replicas.ts";
import { Roster } from "./roster.ts";
import { Sessions } from "./sessions.ts";
import { Silence } from "./silence.ts";
import { type OwnEntry, Slice } from "./slice.ts";
import { awaySince, statusPatch, timesOf } from "./times.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** Of all members without a state, the same object. A patch never changes a state, but makes another one. */
const NO_STATE: JsonObject = {};

/** A client that observes, as a kick may name it. */
type Observer = { readonly memberId: MemberId; readonly userId: string };

/** Local members or observers wait for their first roster. */
type Opening = {
  readonly by: Millis;
  /** undefined: it observes. */
  readonly waiting: Map<ConnectionId, MemberId | undefined>;
  /** Peers that have told where their slices stand, and whose replicas here are in no doubt. */
  readonly answered: Set<InstanceId>;
};

/** A member says this to all others, or to some of them. */
type Said = Omit<BoardEvent, "kind" | "slot">;

export class Board {
  readonly #boardId: BoardId;
  readonly roster: Roster;
  readonly #context: Context;
  readonly #slice: Slice;
  readonly #replicas: Replicas;
  readonly #announcer: Announcer;
  readonly #silence: Silence;
  readonly #sessions: Sessions;
  #memberOf = new Map<ConnectionId, MemberId>();
  /** Own clients that see the board and are not shown (R19). */
  #observers = new Map<ConnectionId, Observer>();
  /** The clients of this board were told that it is observed. */
  #isToldObserved = false;
  #opening: Opening | undefined;

  constructor(context: Context, boardId: BoardId, now: Millis) {
    this.#boardId = boardId;
    this.#context = context;
    this.#slice = new Slice(context);
    this.#silence = new Silence(context, boardId);
    this.roster = new Roster(
      context,
      (change) => context.emit({ kind: "roster", boardId, change }),
      () => context.emit({ kind: "cursors", boardId }),
    );
    const subject = {
      slice: this.#slice,
      cursors: this.roster.cursors,
      silence: this.#silence,
      hasViewers: () => this.#replicas.mayHaveMembers || this.#replicas.isObserved,
      viewers: (listeners: number) => this.#replicas.viewers(listeners),
      isObserved: () => this.#observers.size > 0,
    };
    this.#announcer = new Announcer(context, boardId, subject, now);
    const ask = (question: Question, at: Millis) => this.#announcer.say({ ...question, ...this.#announcer.standing() }, at);
    this.#replicas = new Replicas(context, boardId, this.#silence, ask, now);
    const parts = { roster: this.roster, slice: this.#slice, replicas: this.#replicas, announcer: this.#announcer };
    this.#sessions = new Sessions(context, parts, (connection) => this.#supersede(connection));
    this.#opening = { by: now + context.constants.openMs, waiting: new Map(), answered: new Set() };
  }

  checkpoint(keep: Keep): void {
    this.roster.checkpoint(keep);
    this.#slice.checkpoint(keep);
    this.#replicas.checkpoint(keep);
    this.#announcer.checkpoint(keep);
    this.#silence.checkpoint(keep);
    this.#sessions.checkpoint(keep);
    this.#memberOf = keep(this.#memberOf);
    this.#observers = keep(this.#observers);
    this.#isToldObserved = keep(this.#isToldObserved);
    this.#opening = keep(this.#opening);
  }

  get own(): number {
    return this.#slice.size;
  }

  /** How many clients of this instance observe the board. */
  get observers(): number {
    return this.#observers.size;
  }

  /** No client of this instance is here, none within its grace either. */
  #isEmpty(): boolean {
    return this.#slice.size === 0 && this.#observers.size === 0;
  }

  /** Clients of this instance look at the board now. Where none does, nobody sees that the roster is wrong. */
  get isSeen(): boolean {
    return this.#memberOf.size > 0 || this.#observers.size > 0;
  }

  /** Somebody observes the board, here or elsewhere. */
  get isObserved(): boolean {
    return this.#observers.size > 0 || this.#replicas.isObserved;
  }

  /** Nobody has to be told yet, as others' members are not known. */
  get isOpening(): boolean {
    return this.#opening !== undefined;
  }

  /** Which instance tells others how many are here (R15). */
  get teller(): Teller {
    if (this.isOpening || this.isDegraded) return "unknown";
    const self = this.#context.instanceId;
    let first: InstanceId | undefined;
    let isAmong = false;
    for (const owner of this.roster.owners) {
      if (owner === self) isAmong = true;
      else if (this.#replicas.livenessOf(owner) !== "live") continue;
      if (first === undefined || owner < first) first = owner;
    }
    return !isAmong ? "none" : first === self ? "first" : "beside";
  }

  /** To be called after every input. */
  tellObserved(): void {
    if (this.#isToldObserved === this.isObserved) return;
    this.#isToldObserved = this.isObserved;
    this.#context.emit({ kind: "observed", boardId: this.#boardId });
  }

  /** On this board other instances are not heard, or do not hear this one. */
  get isDegraded(): boolean {
    return this.#silence.isDegraded;
  }

  /** The bus does not take what this instance publishes on this board. */
  get isMute(): boolean {
    return this.#silence.isMute;
  }

  /** Members may be missing on this board, whatever holds on others (C6). */
  isSettling(now: Millis): boolean {
    return this.#silence.isSettling(now);
  }

  /** The board has been empty for so long that it may be forgotten. */
  isOver(now: Millis): boolean {
    return this.#isEmpty() && now >= this.#announcer.lingersUntil;
  }

  deadline(): Millis {
    return Math.min(
      this.#replicas.deadline(),
      this.#announcer.deadline(),
      this.#silence.blindAt,
      this.#sessions.expiryAt,
      this.#opening?.by ?? NEVER,
      this.#isEmpty() ? this.#announcer.lingersUntil : NEVER,
    );
  }

  tick(now: Millis): void {
    this.#sessions.hide(this.#replicas.tick(now), now);
    this.#announcer.tick(now);
    if (this.#silence.hasBecomeBlind(now)) this.#sessions.hide(this.#replicas.dropAll(), now);
    this.#sessions.tick(now);
    this.#openIfDue(now);
  }

  /** The board is given up: nothing is held of anybody any more. */
  close(): void {
    this.#replicas.dropAll();
  }

  // Of local clients.

  placeOf(connection: ConnectionId): Place {
    if (this.#memberOf.has(connection)) return "member";
    return this.#observers.has(connection) ? "observer" : "absent";
  }

  /** Shows the board to that connection, and the connection to nobody. */
  observe(connection: ConnectionId, observer: Observer, now: Millis): void {
    this.leave(connection, 0, now);
    this.#observers.set(connection, observer);
    if (this.#observers.size === 1) this.#announcer.observed(now);
    if (this.#opening === undefined) return this.#tellJoined(connection, undefined);
    this.#opening.waiting.set(connection, undefined);
    this.#openIfDue(now);
  }

  #endObserving(connection: ConnectionId, now: Millis): void {
    if (!this.#observers.delete(connection)) return;
    this.#opening?.waiting.delete(connection);
    if (this.#observers.size === 0) this.#announcer.observed(now);
  }

  join(connection: ConnectionId, attempt: number, entrant: Entrant, now: Millis): void {
    const { memberId } = entrant;
    if (attempt <= this.#sessions.highestAttempt(memberId)) {
      const as = this.placeOf(connection);
      this.#context.emit({ kind: "refused", connection, code: "superseded", boardId: this.#boardId, as });
      return;
    }
    this.#endObserving(connection, now);
    const before = this.#slice.get(memberId)?.connection;
    if (before !== undefined && before !== connection) this.#supersede(before);
    // If this connection was another member before, that member is gone.
    const former = this.#memberOf.get(connection);
    if (former !== undefined && former !== memberId) this.leave(connection, 0, now);
    this.#memberOf.set(connection, memberId);
    // In a merge patch null means "not there", so a state must mean the same by it.
    const state = applyMergePatch(NO_STATE, entrant.state) as JsonObject;
    const member = {
      ...entrant,
      ...timesOf(entrant, this.roster.memberOf(memberId), this.#context.wallNow),
      color: this.#sessions.colorOf(entrant),
      state,
    };
    const by = { connection, isColorGiven: entrant.color !== undefined };
    this.#announcer.changed(this.#slice.set(member, attempt, by, now), now);
    this.#sessions.refresh(memberId, "left", now);
    if (this.#opening === undefined) return this.#tellJoined(connection, memberId);
    this.#opening.waiting.set(connection, memberId);
    this.#openIfDue(now);
  }

  /** An observer is gone at once. `graceMs` 0: the member leaves for good. Otherwise its connection is lost, and its client may come back within that time. */
  leave(connection: ConnectionId, graceMs: Millis, now: Millis): void {
    this.#endObserving(connection, now);
    const entry = this.#entryOf(connection);
    if (entry === undefined) return;
    this.#memberOf.delete(connection);
    this.#opening?.waiting.delete(connection);
    if (graceMs === 0) return this.#sessions.end(entry, "left", now);
    const lost = { connection: undefined, graceEndsAt: now + graceMs };
    const away = statusPatch("reconnecting", entry.member, this.#context.wallNow);
    this.#announcer.changed(this.#slice.patch(entry, away, lost), now);
    this.#sessions.expireBy(lost.graceEndsAt);
    this.#sessions.refresh(entry.member.memberId, "timeout", now);
  }

  /** Nothing comes from this connection (true), or something has come again: its member is shown accordingly. Idempotent. */
  quiet(connection: ConnectionId, on: boolean, now: Millis): void {
    const entry = this.#entryOf(connection);
    if (entry === undefined || on === (entry.quietAs !== undefined)) return;
    const quietAs = on ? (entry.member.status as ChosenStatus) : undefined;
    const change = statusPatch(entry.quietAs ?? "reconnecting", entry.member, this.#context.wallNow);
    this.#announcer.changed(this.#slice.patch(entry, change, { quietAs }), now);
    this.#sessions.refresh(entry.member.memberId, "left", now);
  }

  /** Ends the own entries of that person or session, those within their grace too, and their observing (R16). */
  kick(whom: Whom, now: Millis): void {
    for (const [connection, { memberId, userId }] of [...this.#observers]) {
      if ("userId" in whom ? userId !== whom.userId : memberId !== whom.memberId) continue;
      this.#endObserving(connection, now);
      this.#context.emit({ kind: "put_out", connection, boardId: this.#boardId, self: undefined });
    }
    for (const entry of [...this.#slice.entries()]) {
      const { connection, member } = entry;
      if ("userId" in whom ? member.userId !== whom.userId : member.memberId !== whom.memberId) continue;
      if (connection !== undefined) {
        this.#memberOf.delete(connection);
        this.#context.emit({ kind: "put_out", connection, boardId: this.#boardId, self: this.roster.actorOf(member.memberId) });
      }
      this.#sessions.end(entry, "kicked", now);
    }
  }

  /** False: the state would be too large; nothing was changed. */
  update({ connection, status, state: patch, area }: Extract<Input, { kind: "update" }>, now: Millis): boolean {
    this.quiet(connection, false, now);
    const entry = this.#entryOf(connection);
    if (entry === undefined) return true;
    const { member } = entry;
    const state = patch === undefined ? member.state : (applyMergePatch(member.state, patch) as JsonObject);
    if (patch !== undefined && !isFitState(state)) return false;
    const { activeAt: _, area: formerArea = "", ...rest } = member;
    const wanted = { status: status ?? member.status, ...((area ?? formerArea) && { area: area ?? formerArea }), state };
    const changed = { ...rest, ...wanted, ...awaySince(wanted.status, member, this.#context.wallNow) };
    const change = mergePatchBetween(member as unknown as JsonObject, changed as unknown as JsonObject);
    if (change === undefined) return true;
    this.#announcer.changed(this.#slice.patch(entry, change), now);
    this.#sessions.refresh(entry.member.memberId, "left", now);
    return true;
  }

  broadcast(connection: ConnectionId, said: Said, now: Millis): void {
    const entry = this.#entryOf(connection);
    if (entry === undefined) return;
    this.#announcer.say({ kind: "event", slot: entry.slot, ...said }, now);
    this.#tellEvent(entry.member.memberId, said);
  }

  // Of the bus.

  /** The bus refuses the subscription to this board, or what this instance publishes on it. */
  refused(link: Link, now: Millis): void {
    this.#silence.refused(link, now);
    this.#openIfDue(now);
  }

  /** `restored`: a new connection has taken this subscription again, with all others. Recovery asks for it, once and in its time (R9). */
  subscribed(how: "anew" | "restored", now: Millis): void {
    const isFirst = this.#announcer.subscribed(now);
    if (isFirst) this.#replicas.askAllTwice(0, now);
    // Many boards may be subscribed anew at once, by many instances: where a slot of a Cluster has moved, or a node is back.
    else if (how === "anew") this.#replicas.askAllTwice(this.#context.random.between(0, this.#context.bus.spreadMs), now);
  }

  published(receivers: number | undefined, now: Millis): void {
    this.#announcer.published(receivers, now);
    this.#openIfDue(now);
  }

  /** An own message came back. */
  echoed(message: BoardMessage, now: Millis): void {
    if (!this.#announcer.echoed(message, now)) return;
    if (message.kind === "sync" && message.asks !== "all") this.#replicas.askEchoed(message.asks);
    this.#sessions.echoed(this.#announcer.echoedSeq, now);
    if (!this.#silence.ended(now)) return;
    // Meanwhile this instance missed messages of others, or they missed its own.
    this.#replicas.askAll(0, now);
    this.#announcer.owePositions(now);
  }

  /** Anything may have been missed, here and by others: ask all peers once, `delayMs` from now. */
  recover(delayMs: Millis, now: Millis): void {
    this.#replicas.askAll(delayMs, now);
  }

  /** Something of this peer may have been missed. */
  doubt(owner: InstanceId, now: Millis, spreadMs: Millis): void {
    this.#replicas.doubt(owner, now, spreadMs);
  }

  /** Nothing that is held of this peer is trusted: its whole slice is asked for. */
  distrust(owner: InstanceId, now: Millis): void {
    this.#replicas.distrust(owner, now);
  }

  /** Some peers were silent for so long that they may have slices here of which nothing is held. */
  missed(now: Millis, spreadMs: Millis): void {
    this.#replicas.missed(now, spreadMs);
  }

  /** The peer says that it cannot speak on this board: its people are shown as reconnecting, for `clearRemoteMs` at most (R9). */
  mute(owner: InstanceId, now: Millis): void {
    if (this.#replicas.mute(owner, now)) this.judge(owner, now);
  }

  /** The peer no longer says so. */
  unmute(owner: InstanceId, now: Millis): void {
    if (this.#replicas.unmute(owner)) this.judge(owner, now);
  }

  /** A message of another instance that counts as up. */
  heard(from: InstanceId, message: BoardMessage, now: Millis): void {
    if (this.#silence.isBlind) return;
    this.unmute(from, now);
    const replica = this.#replicas.of(from, now);
    switch (message.kind) {
      case "delta":
      case "replay":
      case "snapshot":
      case "beacon":
      case "sync": {
        const wasEmpty = replica.size === 0;
        const applied = replica.handle(message, now);
        this.#count(applied.counted);
        this.#sessions.apply(from, replica, applied, now);
        // While no other instance had members on this board, own moves were not published.
        if (wasEmpty && replica.size > 0) this.#announcer.owePositions(now);
        if (message.kind === "sync" || message.kind === "beacon") this.#noteObserved(from, message.observed === true, now);
        if (message.kind === "sync") this.#announcer.asked(message, now);
        if (message.kind !== "delta" && !replica.isInDoubt) this.#opening?.answered.add(from);
        break;
      }
      case "cursors":
        this.#count(replica.word(now, message.seq));
        this.#move(from, replica, message, now);
        break;
      case "event": {
        const memberId = replica.memberAt(message.slot);
        if (memberId !== undefined) this.#tellEvent(memberId, message);
        break;
      }
    }
    this.#replicas.checkDoubt(now);
    this.#openIfDue(now);
  }

  #noteObserved(from: InstanceId, isObserved: boolean, now: Millis): void {
    // While nobody there looked on, own moves were not published.
    if (isObserved && !this.#replicas.isObserved) this.#announcer.owePositions(now);
    this.#replicas.noteObserved(from, isObserved);
  }

  /** The peer is judged live, fading or gone from now on: its members are shown accordingly. */
  judge(owner: InstanceId, now: Millis): void {
    for (const memberId of [...(this.#replicas.get(owner)?.members() ?? [])]) this.#sessions.refresh(memberId, "instance_lost", now);
    this.#openIfDue(now);
  }

  /** The peer is gone. `silentMs`: it is dead, and was last heard so long ago; undefined: it is not heard, and may live. */
  drop(owner: InstanceId, now: Millis, silentMs: Millis | undefined): void {
    this.#sessions.hide(this.#replicas.drop(owner), now, silentMs);
    this.#openIfDue(now);
  }

  // Cursors.

  /** The cursors of this tick for the bus; undefined: none has moved, or no other instance has members here (F6). */
  takeOwnCursors(now: Millis): Cursors | undefined {
    return this.#announcer.takeCursors(now);
  }

  /** Where the cursors go that were taken last. */
  get movesTo(): MovesTo {
    return this.#announcer.movesTo;
  }

  #move(from: InstanceId, replica: Replica, { moves, paths }: Cursors, now: Millis): void {
    let isNews = false;
    const pathOf = paths && new Map(paths.map((path) => [path.actor, path]));
    for (let at = 0; at + 2 < moves.length; at += 3) {
      const memberId = replica.memberAt(moves[at] ?? 0);
      // When a session has moved to another instance, its former owner does not move its cursor any more.
      const actor = memberId === undefined ? undefined : this.roster.actorOf(memberId, from);
      if (actor === undefined) continue;
      this.roster.cursors.mark(actor, moves[at + 1] ?? 0, moves[at + 2] ?? 0, now, pathOf?.get(moves[at] ?? 0));
      isNews = true;
    }
    if (isNews) this.#context.emit({ kind: "cursors", boardId: this.#boardId });
  }

  // For those who run the service.

  slices(now: Millis): SliceHeld[] {
    const { seq, count } = this.#slice.standing();
    const own: SliceHeld = { owner: this.#context.instanceId, members: count, seq, standing: "live", wordMs: 0, isInDoubt: false };
    return [own, ...this.#replicas.held(now)];
  }

  why(memberId: MemberId, now: Millis): Reasons {
    return this.#sessions.why(memberId, this.#replicas.held(now), now);
  }

  #supersede(connection: ConnectionId): void {
    this.#memberOf.delete(connection);
    this.#opening?.waiting.delete(connection);
    this.#context.emit({ kind: "superseded", connection });
  }

  #count(what: Applied["counted"]): void {
    if (what !== undefined) this.#context.emit({ kind: "counted", what });
  }

  // Telling.

  #openIfDue(now: Millis): void {
    if (this.#opening === undefined) return;
    const { livePeers } = this.#context.peers;
    const { by, waiting, answered } = this.#opening;
    // As many answers are expected as there are live peers, or other subscribers if these are fewer. Never wait for everybody (R5).
    const expected = Math.min(livePeers, this.#announcer.listeners);
    const isWorthWaiting = livePeers > 0 && !this.#silence.isDegraded;
    if (now < by && isWorthWaiting && !(this.#announcer.isAnnounced && answered.size >= expected)) return;
    this.#opening = undefined;
    this.#sessions.opened(now);
    for (const [connection, memberId] of waiting) this.#tellJoined(connection, memberId);
  }

  /** `memberId` undefined: it observes. */
  #tellJoined(connection: ConnectionId, memberId: MemberId | undefined): void {
    const self = memberId === undefined ? undefined : this.roster.actorOf(memberId);
    if (self !== undefined || memberId === undefined) this.#context.emit({ kind: "joined", connection, boardId: this.#boardId, self });
  }

  #tellEvent(memberId: MemberId, { name, data, ...recipients }: Said): void {
    const actor = this.roster.actorOf(memberId);
    if (actor === undefined) return;
    this.#context.emit({ kind: "event", boardId: this.#boardId, actor, name, data, to: this.roster.actorsNamed(recipients) });
  }

  #entryOf(connection: ConnectionId): OwnEntry | undefined {
    const memberId = this.#memberOf.get(connection);
    return memberId === undefined ? undefined : this.#slice.get(memberId);
  }
}
