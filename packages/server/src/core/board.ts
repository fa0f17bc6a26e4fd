/**
 * One board at this instance: its own slice, its peers' replicas, and the one roster made of them (R11). A member's entry may stand
 * in several slices while its session moves. The board decides which entry is shown, which own entry is over, and which local members
 * still wait for the roster. It publishes nothing itself: announcer.ts does, and replicas.ts decides what to ask.
 */

import {
  applyMergePatch,
  type BoardId,
  type InstanceId,
  isFitState,
  type JsonObject,
  type LeaveReason,
  type Member,
  type MemberId,
  type Millis,
  mergePatchBetween,
} from "@presence-service/protocol";
import { Announcer } from "./announcer.ts";
import type { Context } from "./context.ts";
import type { ChosenStatus, ConnectionId, Entrant, Input, Link, Place } from "./effects.ts";
import { Ends } from "./ends.ts";
import type { BoardEvent, BoardMessage, Cursors, DelReason, Moves, Whom } from "./messages.ts";
import { isPicked } from "./palette.ts";
import type { Applied, Replica } from "./replica.ts";
import { type Question, Replicas } from "./replicas.ts";
import { Roster, type Visible } from "./roster.ts";
import { Silence } from "./silence.ts";
import { type OwnEntry, Slice } from "./slice.ts";
import { awaySince, statusPatch, timesOf } from "./times.ts";

const NEVER = Number.POSITIVE_INFINITY;

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

/** An entry that was superseded by another one, of which this instance has not heard yet. */
type Orphan = Visible & { readonly until: Millis };

export class Board {
  readonly #boardId: BoardId;
  readonly roster: Roster;
  readonly #context: Context;
  readonly #slice: Slice;
  readonly #replicas: Replicas;
  readonly #announcer: Announcer;
  readonly #silence: Silence;
  readonly #memberOf = new Map<ConnectionId, MemberId>();
  /** Own clients that see the board and are not shown (R19). */
  readonly #observers = new Map<ConnectionId, Observer>();
  /** The clients of this board were told that it is observed. */
  #isToldObserved = false;
  readonly #ends: Ends;
  readonly #orphans = new Map<MemberId, Orphan>();
  #opening: Opening | undefined;
  /** When the next grace or orphan runs out. */
  #expiryAt: Millis = NEVER;

  constructor(context: Context, boardId: BoardId, now: Millis) {
    this.#boardId = boardId;
    this.#context = context;
    this.#slice = new Slice(context);
    this.#ends = new Ends(context, this.#slice);
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
      isObserved: () => this.#observers.size > 0,
    };
    this.#announcer = new Announcer(context, boardId, subject, now);
    const ask = (question: Question, at: Millis) => this.#announcer.say({ ...question, ...this.#announcer.standing() }, at);
    this.#replicas = new Replicas(context, boardId, this.#silence, ask, now);
    this.#opening = { by: now + context.constants.openMs, waiting: new Map(), answered: new Set() };
  }

  get own(): number {
    return this.#slice.size;
  }

  /** How many clients of this instance observe the board. */
  get observers(): number {
    return this.#observers.size;
  }

  /** Somebody observes the board, here or elsewhere. */
  get isObserved(): boolean {
    return this.#observers.size > 0 || this.#replicas.isObserved;
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
    return this.#isEmpty && now >= this.#announcer.lingersUntil;
  }

  deadline(): Millis {
    return Math.min(
      this.#replicas.deadline(),
      this.#announcer.deadline(),
      this.#silence.blindAt,
      this.#expiryAt,
      this.#ends.expiryAt,
      this.#opening?.by ?? NEVER,
      this.#isEmpty ? this.#announcer.lingersUntil : NEVER,
    );
  }

  tick(now: Millis): void {
    this.#hide(this.#replicas.tick(now), now);
    this.#announcer.tick(now);
    if (this.#silence.hasBecomeBlind(now)) this.#hide(this.#replicas.dropAll(), now);
    if (now >= Math.min(this.#expiryAt, this.#ends.expiryAt)) this.#expire(now);
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

  /** No client of this instance is here, none within its grace either. */
  get #isEmpty(): boolean {
    return this.#slice.size === 0 && this.#observers.size === 0;
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
    if (attempt <= this.#highestAttempt(memberId)) {
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
    const state = applyMergePatch({}, entrant.state) as JsonObject;
    const member = {
      ...entrant,
      ...timesOf(entrant, this.roster.memberOf(memberId), this.#context.wallNow),
      color: this.#colorOf(entrant),
      state,
    };
    const by = { connection, isColorGiven: entrant.color !== undefined };
    this.#announcer.changed(this.#slice.set(member, attempt, by, now), now);
    this.#refresh(memberId, "left", now);
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
    if (graceMs === 0) return this.#end(entry, "left", now);
    const lost = { connection: undefined, graceEndsAt: now + graceMs };
    const away = statusPatch("reconnecting", entry.member, this.#context.wallNow);
    this.#announcer.changed(this.#slice.patch(entry, away, lost), now);
    this.#expireBy(lost.graceEndsAt);
    this.#refresh(entry.member.memberId, "timeout", now);
  }

  /** Nothing comes from this connection (true), or something has come again: its member is shown accordingly. Idempotent. */
  quiet(connection: ConnectionId, on: boolean, now: Millis): void {
    const entry = this.#entryOf(connection);
    if (entry === undefined || on === (entry.quietAs !== undefined)) return;
    const quietAs = on ? (entry.member.status as ChosenStatus) : undefined;
    const change = statusPatch(entry.quietAs ?? "reconnecting", entry.member, this.#context.wallNow);
    this.#announcer.changed(this.#slice.patch(entry, change, { quietAs }), now);
    this.#refresh(entry.member.memberId, "left", now);
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
      this.#end(entry, "kicked", now);
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
    this.#refresh(entry.member.memberId, "left", now);
    return true;
  }

  #colorOf({ memberId, userId, color }: Entrant): string {
    const before = this.roster.memberOf(memberId)?.color;
    return color ?? (before !== undefined && isPicked(before) ? before : this.roster.people.colorFor(userId));
  }

  #hideMember(memberId: MemberId, reason: LeaveReason, now: Millis): void {
    const gone = this.roster.memberOf(memberId);
    this.roster.hide(memberId, reason, now);
    // Another member stands for the person now. Its colour may be one that it was about to change.
    const first = gone && this.roster.people.firstOf(gone.userId);
    if (first !== undefined) this.#settleColors(first, now);
  }

  /** A member is newly shown, or has another owner, colour or place in the order: own members give way to it, or it gives way (R18). */
  #settleColors(shown: Member, now: Millis): void {
    for (const memberId of this.roster.people.concernedBy(shown)) {
      const own = this.#slice.get(memberId);
      const member = this.roster.memberOf(memberId);
      if (own === undefined || own.isColorGiven || member === undefined) continue;
      const color = this.roster.people.colorDue(member);
      if (color === undefined) continue;
      this.#announcer.changed(this.#slice.patch(own, { color }), now);
      this.#refresh(memberId, "left", now);
    }
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
    if (isFirst || how === "anew") this.#replicas.askAllTwice(now);
  }

  published(receivers: number | undefined, now: Millis): void {
    this.#announcer.published(receivers);
    this.#openIfDue(now);
  }

  /** An own message came back. */
  echoed(message: BoardMessage, now: Millis): void {
    if (!this.#announcer.echoed(message, now)) return;
    if (message.kind === "sync" && message.asks !== "all") this.#replicas.askEchoed(message.asks);
    this.#ends.echoed(this.#announcer.echoedSeq, now);
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
      case "snapshot":
      case "beacon":
      case "sync": {
        const wasEmpty = replica.size === 0;
        this.#apply(from, replica, replica.handle(message, now), now);
        // While no other instance had members on this board, own moves were not published.
        if (wasEmpty && replica.size > 0) this.#announcer.owePositions(now);
        if (message.kind === "sync" || message.kind === "beacon") this.#noteObserved(from, message.observed === true, now);
        if (message.kind === "sync") this.#announcer.asked(message, now);
        if (message.kind !== "delta" && !replica.isInDoubt) this.#opening?.answered.add(from);
        break;
      }
      case "cursors":
        this.#count(replica.word(now, message.seq));
        this.#move(from, replica, message.moves, now);
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
    for (const memberId of [...(this.#replicas.get(owner)?.members() ?? [])]) this.#refresh(memberId, "instance_lost", now);
    this.#openIfDue(now);
  }

  /** The peer is gone. */
  drop(owner: InstanceId, now: Millis): void {
    this.#hide(this.#replicas.drop(owner), now);
    this.#openIfDue(now);
  }

  // Cursors.

  /** The cursors of this tick for the bus; undefined: none has moved, or no other instance has members here (F6). */
  takeOwnCursors(now: Millis): Cursors | undefined {
    return this.#announcer.takeCursors(now);
  }

  #move(from: InstanceId, replica: Replica, moves: Moves, now: Millis): void {
    let isNews = false;
    for (let at = 0; at + 2 < moves.length; at += 3) {
      const memberId = replica.memberAt(moves[at] ?? 0);
      // When a session has moved to another instance, its former owner does not move its cursor any more.
      const actor = memberId === undefined ? undefined : this.roster.actorOf(memberId, from);
      if (actor === undefined) continue;
      this.roster.cursors.mark(actor, moves[at + 1] ?? 0, moves[at + 2] ?? 0, now);
      isNews = true;
    }
    if (isNews) this.#context.emit({ kind: "cursors", boardId: this.#boardId });
  }

  // The members that are shown.

  #apply(owner: InstanceId, replica: Replica, { touched, ended, counted }: Applied, now: Millis): void {
    this.#count(counted);
    for (const memberId of touched.keys()) {
      const entry = replica.get(memberId);
      if (entry !== undefined) this.#ends.takeBack(memberId, entry.attempt, owner, now);
    }
    for (const { memberId, attempt } of ended) {
      this.#ends.heard(memberId, attempt, owner, now);
      this.#endOrphan(memberId, attempt);
      if (!touched.has(memberId)) this.#refresh(memberId, "left", now);
    }
    for (const [memberId, del] of touched) {
      if (del?.reason === "superseded") this.#orphan(memberId, del.attempt, now);
      this.#refresh(memberId, leaveReason(del?.reason), now);
    }
  }

  /** These replicas are held no more. */
  #hide(replicas: readonly Replica[], now: Millis): void {
    for (const replica of replicas) for (const memberId of replica.members()) this.#refresh(memberId, "instance_lost", now);
  }

  /** Brings the roster in line with a member's entries, and ends the own entry if another one is shown. */
  #refresh(memberId: MemberId, reason: LeaveReason, now: Millis): void {
    const visible = this.#visible(memberId);
    const own = this.#slice.get(memberId);
    if (own !== undefined && visible?.owner !== this.#context.instanceId) {
      if (own.connection !== undefined) this.#supersede(own.connection);
      this.#announcer.changed(this.#slice.remove(own, "superseded", now), now);
    }
    if (visible !== undefined) this.#orphans.delete(memberId);
    const shown = visible ?? this.#orphans.get(memberId);
    if (shown === undefined) this.#hideMember(memberId, reason, now);
    else if (this.roster.show(memberId, shown, now)) this.#settleColors(shown.member, now);
  }

  /** The entry with the highest attempt that is not ended; of two entries with the same attempt, that of the higher instanceId. */
  #visible(memberId: MemberId): Visible | undefined {
    const { instanceId } = this.#context;
    let highest = this.#ends.attemptOf(memberId);
    let best: Visible | undefined;
    const own = this.#slice.get(memberId);
    if (own !== undefined && own.attempt > highest) {
      highest = own.attempt;
      best = { member: own.member, owner: instanceId, slot: own.slot, attempt: own.attempt };
    }
    for (const { owner, member, slot, attempt } of this.#replicas.entriesOf(memberId)) {
      if (attempt < highest) continue;
      if (attempt === highest && (best?.owner === undefined || owner < best.owner)) continue;
      const liveness = this.#replicas.livenessOf(owner);
      if (liveness === "gone") continue;
      highest = attempt;
      best = { member: liveness === "live" ? member : reconnecting(member), owner, slot, attempt };
    }
    return best;
  }

  #highestAttempt(memberId: MemberId): number {
    let highest = Math.max(this.#ends.attemptOf(memberId), this.#slice.get(memberId)?.attempt ?? -1);
    for (const { attempt } of this.#replicas.entriesOf(memberId)) highest = Math.max(highest, attempt);
    return highest;
  }

  #supersede(connection: ConnectionId): void {
    this.#memberOf.delete(connection);
    this.#opening?.waiting.delete(connection);
    this.#context.emit({ kind: "superseded", connection });
  }

  /** Ends this own entry for everybody, and remembers that it has ended. */
  #end(entry: OwnEntry, reason: LeaveReason, now: Millis): void {
    const { memberId } = entry.member;
    this.#announcer.changed(this.#slice.remove(entry, reason, now), now);
    this.#ends.said(entry, now);
    this.#endOrphan(memberId, entry.attempt);
    this.#refresh(memberId, reason, now);
  }

  #count(what: Applied["counted"]): void {
    if (what !== undefined) this.#context.emit({ kind: "counted", what });
  }

  /** The member's entry was superseded, and the new one may not have arrived: the member stays shown for a moment and does not leave. */
  #orphan(memberId: MemberId, attempt: number, now: Millis): void {
    const member = this.roster.memberOf(memberId);
    if (member === undefined || attempt <= this.#ends.attemptOf(memberId)) return;
    const until = now + this.#context.constants.successorMs;
    // No instance owns an orphan, so nothing moves its cursor.
    this.#orphans.set(memberId, { member: reconnecting(member), owner: undefined, slot: 0, attempt, until });
    this.#expireBy(until);
  }

  /** The successor of an orphan is over: the orphan is, too. */
  #endOrphan(memberId: MemberId, attempt: number): void {
    if (attempt >= (this.#orphans.get(memberId)?.attempt ?? NEVER)) this.#orphans.delete(memberId);
  }

  #expireBy(at: Millis): void {
    this.#expiryAt = Math.min(this.#expiryAt, at);
  }

  #expire(now: Millis): void {
    this.#expiryAt = NEVER;
    // The loops below look at every entry. Entries that end shortly one after the other share one pass.
    const next = (at: Millis) => this.#expireBy(Math.max(at, now + EXPIRY_MS_MIN));
    for (const entry of [...this.#slice.entries()]) {
      if (now >= entry.graceEndsAt) this.#end(entry, "timeout", now);
      else next(entry.graceEndsAt);
    }
    for (const [memberId, { until }] of this.#orphans) {
      if (now < until) next(until);
      else if (this.#orphans.delete(memberId)) this.#refresh(memberId, "left", now);
    }
    for (const memberId of this.#ends.takeExpired(now, EXPIRY_MS_MIN)) this.#refresh(memberId, "left", now);
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

/** Graces and other memories end with this precision: entries of a crowd that left together are looked through once, not once each. */
const EXPIRY_MS_MIN = 20;

function reconnecting(member: Member): Member {
  return { ...member, status: "reconnecting" };
}

function leaveReason(reason: DelReason | undefined): LeaveReason {
  return reason === undefined || reason === "superseded" ? "left" : reason;
}
