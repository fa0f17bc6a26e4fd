/**
 * One board at this instance: its own slice, its peers' replicas, and the one roster made of them (R11). A member's entry may stand
 * in several slices while its session moves. The board decides which entry is shown, which own entry is over, and which local members
 * still wait for the roster.
 */

import {
  type BoardId,
  type InstanceId,
  isFitState,
  type Json,
  type JsonObject,
  type LeaveReason,
  type Member,
  type MemberId,
  type Millis,
} from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { ChosenStatus, ConnectionId, Link } from "./effects.ts";
import { applyMergePatch, mergePatchBetween } from "./merge-patch.ts";
import type { BoardMessage, Cursors, DelReason, Moves, Seq, Whom } from "./messages.ts";
import { Repair } from "./repair.ts";
import type { Applied, Replica } from "./replica.ts";
import { Roster, type Visible } from "./roster.ts";
import { Silence } from "./silence.ts";
import { type OwnEntry, Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** Local members wait for their first roster. */
type Opening = {
  readonly by: Millis;
  readonly waiting: Map<ConnectionId, MemberId>;
  /** Peers that have told where their slices stand, and whose replicas here are in no doubt. */
  readonly answered: Set<InstanceId>;
};

/** An entry that was superseded by another one, of which this instance has not heard yet. */
type Orphan = Visible & { readonly until: Millis };

export class Board {
  readonly boardId: BoardId;
  readonly roster: Roster;
  readonly repair: Repair;
  readonly #context: Context;
  readonly #slice: Slice;
  readonly #silence: Silence;
  /** When own messages last began to come back. */
  #heardAgainAt: Millis = Number.NEGATIVE_INFINITY;
  /** Peers that cannot speak on this board, as their heartbeats say, and until when their people are shown. */
  readonly #mutePeers = new Map<InstanceId, Millis>();
  readonly #memberOf = new Map<ConnectionId, MemberId>();
  /** Attempts that are over for everybody, the instance that said so, and until when that is remembered. */
  readonly #ended = new Map<MemberId, { readonly attempt: number; readonly by: InstanceId; readonly until: Millis }>();
  /** Ends that this instance published and that did not come back yet, oldest first: other instances may not have heard of them. */
  readonly #unechoedEnds: { readonly memberId: MemberId; readonly attempt: number; readonly seq: Seq }[] = [];
  readonly #orphans = new Map<MemberId, Orphan>();
  #opening: Opening | undefined;
  /** When the next grace, ended attempt or orphan runs out. */
  #expiryAt: Millis = NEVER;
  #repeatAt: Millis = NEVER;
  /** When the board is given up, if it has no local member then. */
  #lingersUntil: Millis;
  /** Whether this instance may publish here: only once subscribed, so that every reply to a PUBLISH counts it and every message echoes. */
  #isAnnounced = false;

  constructor(context: Context, boardId: BoardId, now: Millis) {
    this.boardId = boardId;
    this.#context = context;
    this.#slice = new Slice(context);
    this.#silence = new Silence(context);
    this.roster = new Roster(
      context,
      (change) => context.emit({ kind: "roster", boardId, change }),
      () => context.emit({ kind: "cursors", boardId }),
    );
    this.repair = new Repair(
      context,
      this.#slice,
      {
        publish: (message, at) => this.#publish(message, at),
        holds: (owner, isHeld) => context.holds(owner, boardId, isHeld),
        publishPositions: (at) => this.#publishPositions(this.roster.cursors.own(), at),
        drop: (owner, at) => this.drop(owner, at),
        late: (since, at) => this.#late(since, at),
        isSilent: () => this.#silence.isDegraded,
        isMute: (owner) => this.#mutePeers.has(owner),
      },
      now,
    );
    this.#opening = { by: now + context.constants.openMs, waiting: new Map(), answered: new Set() };
    this.#lingersUntil = now + context.constants.lingerMs;
  }

  get own(): number {
    return this.#slice.size;
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
    return this.isDegraded || now - this.#heardAgainAt < this.#context.constants.settlingMs;
  }

  /** The board has been empty for so long that it may be forgotten. */
  isOver(now: Millis): boolean {
    return this.#slice.size === 0 && now >= this.#lingersUntil;
  }

  deadline(): Millis {
    return Math.min(
      this.repair.deadline(),
      this.#silence.deadline(),
      this.#mutePeers.size === 0 ? NEVER : Math.min(...this.#mutePeers.values()),
      this.#expiryAt,
      this.#repeatAt,
      this.#opening?.by ?? NEVER,
      this.#slice.size === 0 ? this.#lingersUntil : NEVER,
    );
  }

  tick(now: Millis): void {
    this.repair.tick(now);
    if (this.#silence.hasBecomeBlind(now)) for (const owner of [...this.repair.replicas.keys()]) this.drop(owner, now);
    if (this.#silence.takeProbe(now)) this.#publish({ kind: "beacon", ...this.#slice.standing() }, now);
    for (const [owner, until] of this.#mutePeers) if (now >= until) this.drop(owner, now);
    if (now >= this.#expiryAt) this.#expire(now);
    if (now >= this.#repeatAt) this.#repeatPositions(now);
    this.#openIfDue(now);
  }

  // Of local clients.

  isMember(connection: ConnectionId): boolean {
    return this.#memberOf.has(connection);
  }

  join(connection: ConnectionId, attempt: number, member: Member, now: Millis): void {
    const { memberId } = member;
    if (attempt <= this.#highestAttempt(memberId)) {
      const isMember = this.isMember(connection);
      this.#context.emit({ kind: "refused", connection, code: "superseded", boardId: this.boardId, isMember });
      return;
    }
    const before = this.#slice.get(memberId)?.connection;
    if (before !== undefined && before !== connection) this.#supersede(before);
    // If this connection was another member before, that member is gone.
    const former = this.#memberOf.get(connection);
    if (former !== undefined && former !== memberId) this.leave(connection, 0, now);
    this.#memberOf.set(connection, memberId);
    // In a merge patch null means "not there", so a state must mean the same by it.
    const state = applyMergePatch({}, member.state) as JsonObject;
    this.#changed(this.#slice.set({ ...member, state }, attempt, connection, now), now);
    this.#refresh(memberId, "left", now);
    if (this.#opening === undefined) return this.#tellJoined(connection, memberId);
    this.#opening.waiting.set(connection, memberId);
    this.#openIfDue(now);
  }

  /** `graceMs` 0: the member leaves for good. Otherwise its connection is lost, and its client may come back within that time. */
  leave(connection: ConnectionId, graceMs: Millis, now: Millis): void {
    const entry = this.#entryOf(connection);
    if (entry === undefined) return;
    this.#memberOf.delete(connection);
    this.#opening?.waiting.delete(connection);
    if (graceMs === 0) return this.#end(entry, "left", now);
    const lost = { connection: undefined, graceEndsAt: now + graceMs };
    this.#changed(this.#slice.patch(entry, { status: "reconnecting" }, lost), now);
    this.#expireBy(lost.graceEndsAt);
    this.#refresh(entry.member.memberId, "timeout", now);
  }

  /** Ends the own entries of that person or session, those within their grace too (R16). */
  kick(whom: Whom, now: Millis): void {
    for (const entry of [...this.#slice.entries()]) {
      const { connection, member } = entry;
      if ("userId" in whom ? member.userId !== whom.userId : member.memberId !== whom.memberId) continue;
      if (connection !== undefined) {
        this.#memberOf.delete(connection);
        this.#context.emit({ kind: "put_out", connection, boardId: this.boardId, self: this.roster.actorOf(member.memberId) });
      }
      this.#end(entry, "kicked", now);
    }
  }

  /** False: the state would be too large; nothing was changed. */
  update(connection: ConnectionId, status: ChosenStatus | undefined, patch: JsonObject | undefined, now: Millis): boolean {
    const entry = this.#entryOf(connection);
    if (entry === undefined) return true;
    const old = { status: entry.member.status, state: entry.member.state };
    const state = patch === undefined ? old.state : (applyMergePatch(old.state, patch) as JsonObject);
    if (patch !== undefined && !isFitState(state)) return false;
    const change = mergePatchBetween(old, { status: status ?? old.status, state });
    if (change === undefined) return true;
    this.#changed(this.#slice.patch(entry, change), now);
    this.#refresh(entry.member.memberId, "left", now);
    return true;
  }

  broadcast(connection: ConnectionId, name: string, data: Json, now: Millis): void {
    const entry = this.#entryOf(connection);
    if (entry === undefined) return;
    this.#publish({ kind: "event", slot: entry.slot, name, data }, now);
    this.#tellEvent(entry.member.memberId, name, data);
  }

  // Of the bus.

  /** The bus refuses the subscription to this board, or what this instance publishes on it. */
  refused(link: Link, now: Millis): void {
    this.#tellSilence(() => this.#silence.refused(link, now));
    this.#openIfDue(now);
  }

  /** An own message came back. */
  echoed(message: BoardMessage, now: Millis): void {
    const before = this.repair.echoedSeq;
    if (!this.repair.echoed(message, now)) return;
    if (this.repair.echoedSeq > before) this.#changesEchoed(now);
    if (!this.#silence.isDegraded) return void this.#silence.ended();
    this.#tellSilence(() => this.#silence.ended());
    this.#heardAgainAt = now;
    // Meanwhile this instance missed messages of others, or they missed its own.
    this.repair.recover(0, now);
    this.repair.owePositions(now);
  }

  /** Own changes have come back: only from now on other instances can know of them and ask about them. */
  #changesEchoed(now: Millis): void {
    const { lingerMs, endedMs } = this.#context.constants;
    const { echoedSeq } = this.repair;
    if (echoedSeq >= this.#slice.seq) this.#lingersUntil = now + lingerMs;
    for (let end = this.#unechoedEnds[0]; end !== undefined && end.seq <= echoedSeq; end = this.#unechoedEnds[0]) {
      this.#unechoedEnds.shift();
      const { memberId, attempt } = end;
      const known = this.#ended.get(memberId);
      if (known?.attempt !== attempt) continue;
      this.#ended.set(memberId, { ...known, until: now + endedMs });
      this.#expireBy(now + endedMs);
    }
  }

  /** The peer says that it cannot speak on this board: its people are shown as reconnecting, for `clearRemoteMs` at most (R9). */
  mute(owner: InstanceId, now: Millis): void {
    const replica = this.repair.replicas.get(owner);
    if (replica === undefined || replica.size === 0 || this.#mutePeers.has(owner)) return;
    this.#mutePeers.set(owner, now + this.#context.constants.clearRemoteMs);
    this.judge(owner, now);
  }

  /** The peer no longer says so. */
  unmute(owner: InstanceId, now: Millis): void {
    if (this.#mutePeers.delete(owner)) this.judge(owner, now);
  }

  /** `isRestored`: a new connection has taken this subscription again, with all others. Recovery asks for it, once and in its time (R9). */
  subscribed(isRestored: boolean, now: Millis): void {
    this.#silence.taken("subscriber");
    const isFirst = !this.#isAnnounced;
    this.#isAnnounced = true;
    if (isFirst && this.#slice.size > 0) this.#changed(this.#slice.snapshot(), now);
    this.repair.subscribed(isFirst || !isRestored, now);
  }

  published(receivers: number | undefined, now: Millis): void {
    this.#silence.taken("publisher");
    this.repair.published(receivers);
    this.#openIfDue(now);
  }

  /** A message of another instance that counts as up. */
  heard(from: InstanceId, message: BoardMessage, now: Millis): void {
    if (this.#silence.isBlind) return;
    this.unmute(from, now);
    const replica = this.repair.replica(from, now);
    switch (message.kind) {
      case "delta":
      case "snapshot":
      case "beacon":
      case "sync": {
        const wasEmpty = replica.size === 0;
        this.#apply(from, replica, replica.handle(message, now), now);
        // While no other instance had members on this board, own moves were not published.
        if (wasEmpty && replica.size > 0) this.repair.owePositions(now);
        if (message.kind === "sync") this.repair.asked(message, now);
        if (message.kind !== "delta" && !replica.isInDoubt) this.#opening?.answered.add(from);
        break;
      }
      case "cursors":
        this.#count(replica.word(now, message.seq));
        this.#move(from, replica, message.moves, now);
        break;
      case "event": {
        const memberId = replica.memberAt(message.slot);
        if (memberId !== undefined) this.#tellEvent(memberId, message.name, message.data);
        break;
      }
    }
    this.repair.checkDoubt(now);
    this.#openIfDue(now);
  }

  /** The peer is judged live, fading or gone from now on: its members are shown accordingly. */
  judge(owner: InstanceId, now: Millis): void {
    const replica = this.repair.replicas.get(owner);
    for (const memberId of [...(replica?.members() ?? [])]) this.#refresh(memberId, "instance_lost", now);
    this.#openIfDue(now);
  }

  /** The peer has no slice here, or is gone. */
  drop(owner: InstanceId, now: Millis): void {
    const replica = this.repair.release(owner);
    this.#mutePeers.delete(owner);
    for (const memberId of replica?.members() ?? []) this.#refresh(memberId, "instance_lost", now);
    this.#openIfDue(now);
  }

  // Cursors.

  /** The cursors of this tick for the bus; undefined: none has moved, or no other instance has members here (F6). */
  takeOwnCursors(now: Millis): Cursors | undefined {
    const { cursors } = this.roster;
    const moves = cursors.takeOwn();
    if (cursors.awaitsRepeat && this.#repeatAt === NEVER) this.#repeatAt = now + this.#context.constants.repeatCursorMs;
    if (moves.length === 0 || !this.#isHeardElsewhere()) return undefined;
    this.repair.sent(now);
    return { kind: "cursors", seq: this.#slice.seq, moves };
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
    if (isNews) this.#context.emit({ kind: "cursors", boardId: this.boardId });
  }

  /** If a cursor's last position is lost, it would stay wrong for ever; so it is published once more when the cursor has stopped (R6). */
  #repeatPositions(now: Millis): void {
    const { cursors } = this.roster;
    const restMs = this.#context.constants.repeatCursorMs;
    this.#publishPositions(cursors.takeRested(now, restMs), now);
    this.#repeatAt = cursors.awaitsRepeat ? now + restMs / 2 : NEVER;
  }

  #publishPositions(moves: Moves, now: Millis): void {
    if (moves.length > 0 && this.#isHeardElsewhere()) this.#publish({ kind: "cursors", seq: this.#slice.seq, moves }, now);
  }

  #isHeardElsewhere(): boolean {
    if (!this.#isAnnounced || this.#silence.isMute) return false;
    for (const { size, isInDoubt } of this.repair.replicas.values()) if (size > 0 || isInDoubt) return true;
    return false;
  }

  // The members that are shown.

  #apply(owner: InstanceId, replica: Replica, { touched, ended, counted }: Applied, now: Millis): void {
    this.#count(counted);
    for (const memberId of touched.keys()) this.#takeBack(memberId, owner, replica, now);
    for (const { memberId, attempt } of ended) {
      this.#remember(memberId, attempt, owner, now + this.#context.constants.endedMs);
      if (!touched.has(memberId)) this.#refresh(memberId, "left", now);
    }
    for (const [memberId, del] of touched) {
      if (del?.reason === "superseded") this.#orphan(memberId, del.attempt, now);
      this.#refresh(memberId, leaveReason(del?.reason), now);
    }
  }

  /** Brings the roster in line with a member's entries, and ends the own entry if another one is shown. */
  #refresh(memberId: MemberId, reason: LeaveReason, now: Millis): void {
    const visible = this.#visible(memberId);
    const own = this.#slice.get(memberId);
    if (own !== undefined && visible?.owner !== this.#context.instanceId) {
      if (own.connection !== undefined) this.#supersede(own.connection);
      this.#changed(this.#slice.remove(own, "superseded", now), now);
    }
    if (visible !== undefined) this.#orphans.delete(memberId);
    const shown = visible ?? this.#orphans.get(memberId);
    if (shown !== undefined) this.roster.show(memberId, shown, now);
    else this.roster.hide(memberId, reason, now);
  }

  /** The entry with the highest attempt that is not ended; of two entries with the same attempt, that of the higher instanceId. */
  #visible(memberId: MemberId): Visible | undefined {
    const { instanceId, bus } = this.#context;
    let highest = this.#ended.get(memberId)?.attempt ?? -1;
    let best: Visible | undefined;
    const own = this.#slice.get(memberId);
    if (own !== undefined && own.attempt > highest) {
      highest = own.attempt;
      best = { member: own.member, owner: instanceId, slot: own.slot, attempt: own.attempt };
    }
    for (const [owner, replica] of this.repair.replicas) {
      const entry = replica.get(memberId);
      if (entry === undefined || entry.attempt < highest) continue;
      if (entry.attempt === highest && (best?.owner === undefined || owner < best.owner)) continue;
      const judged = bus.livenessOf(owner);
      const liveness = judged === "live" && this.#mutePeers.has(owner) ? "fading" : judged;
      if (liveness === "gone") continue;
      highest = entry.attempt;
      const member = liveness === "live" ? entry.member : reconnecting(entry.member);
      best = { member, owner, slot: entry.slot, attempt: entry.attempt };
    }
    return best;
  }

  #highestAttempt(memberId: MemberId): number {
    let highest = Math.max(this.#ended.get(memberId)?.attempt ?? -1, this.#slice.get(memberId)?.attempt ?? -1);
    for (const replica of this.repair.replicas.values()) highest = Math.max(highest, replica.get(memberId)?.attempt ?? -1);
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
    this.#changed(this.#slice.remove(entry, reason, now), now);
    this.#unechoedEnds.push({ memberId, attempt: entry.attempt, seq: this.#slice.seq });
    this.#remember(memberId, entry.attempt, this.#context.instanceId, now + this.#context.constants.lingerUnechoedMs);
    this.#refresh(memberId, reason, now);
  }

  /** Remembers that all entries of this member up to this attempt are over (R11). */
  #remember(memberId: MemberId, attempt: number, by: InstanceId, until: Millis): void {
    if (attempt <= (this.#ended.get(memberId)?.attempt ?? -1)) return;
    this.#ended.set(memberId, { attempt, by, until });
    if (attempt >= (this.#orphans.get(memberId)?.attempt ?? Number.POSITIVE_INFINITY)) this.#orphans.delete(memberId);
    this.#expireBy(until);
  }

  /** An instance that shows an attempt again has never ended it: the end was published by somebody else in its name. */
  #takeBack(memberId: MemberId, owner: InstanceId, replica: Replica, now: Millis): void {
    const end = this.#ended.get(memberId);
    const entry = replica.get(memberId);
    if (end?.by !== owner || entry === undefined || entry.attempt > end.attempt) return;
    this.#ended.delete(memberId);
    const own = this.#slice.ended.get(memberId);
    if (own !== undefined) this.#remember(memberId, own, this.#context.instanceId, now + this.#context.constants.endedMs);
  }

  #count(what: Applied["counted"]): void {
    if (what !== undefined) this.#context.emit({ kind: "counted", what });
  }

  /** The member's entry was superseded, and the new one may not have arrived: the member stays shown for a moment and does not leave. */
  #orphan(memberId: MemberId, attempt: number, now: Millis): void {
    const member = this.roster.memberOf(memberId);
    if (member === undefined || attempt <= (this.#ended.get(memberId)?.attempt ?? -1)) return;
    const until = now + this.#context.constants.successorMs;
    // No instance owns an orphan, so nothing moves its cursor.
    this.#orphans.set(memberId, { member: reconnecting(member), owner: undefined, slot: 0, attempt, until });
    this.#expireBy(until);
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
    for (const [memberId, { attempt, until }] of this.#ended) {
      if (now < until) {
        next(until);
        continue;
      }
      this.#ended.delete(memberId);
      // Another instance may have ended a higher attempt since: then the end of the lower own one is forgotten as well.
      if ((this.#slice.ended.get(memberId) ?? Number.POSITIVE_INFINITY) <= attempt) this.#slice.ended.delete(memberId);
      this.#refresh(memberId, "left", now);
    }
  }

  // Telling.

  #late(since: Millis, now: Millis): boolean {
    const isOrdered = this.#tellSilence(() => this.#silence.late(since, now));
    if (isOrdered) this.#context.emit({ kind: "resubscribe", boardId: this.boardId });
    return isOrdered;
  }

  /** Makes a change that may begin or end this board's silence, and tells the local clients if it does. */
  #tellSilence<T>(change: () => T): T {
    const was = this.isDegraded;
    const result = change();
    if (this.isDegraded !== was) this.#context.emit({ kind: "degraded", on: !was, boardId: this.boardId });
    return result;
  }

  #openIfDue(now: Millis): void {
    if (this.#opening === undefined) return;
    const { livePeers } = this.#context.bus;
    const { by, waiting, answered } = this.#opening;
    // As many answers are expected as there are live peers, or other subscribers if these are fewer. Never wait for everybody (R5).
    const expected = Math.min(livePeers, (this.repair.receivers ?? Number.POSITIVE_INFINITY) - 1);
    const isWorthWaiting = livePeers > 0 && !this.#silence.isDegraded;
    if (now < by && isWorthWaiting && !(this.#isAnnounced && answered.size >= expected)) return;
    this.#opening = undefined;
    for (const [connection, memberId] of waiting) this.#tellJoined(connection, memberId);
  }

  #tellJoined(connection: ConnectionId, memberId: MemberId): void {
    const self = this.roster.actorOf(memberId);
    if (self !== undefined) this.#context.emit({ kind: "joined", connection, boardId: this.boardId, self });
  }

  #tellEvent(memberId: MemberId, name: string, data: Json): void {
    const actor = this.roster.actorOf(memberId);
    if (actor !== undefined) this.#context.emit({ kind: "event", boardId: this.boardId, actor, name, data });
  }

  #entryOf(connection: ConnectionId): OwnEntry | undefined {
    const memberId = this.#memberOf.get(connection);
    return memberId === undefined ? undefined : this.#slice.get(memberId);
  }

  /** The own slice has changed; `messages` tell the other instances. */
  #changed(messages: readonly BoardMessage[], now: Millis): void {
    this.#lingersUntil = now + this.#context.constants.lingerUnechoedMs;
    this.repair.changed(now);
    for (const message of messages) this.#publish(message, now);
  }

  #publish(message: BoardMessage, now: Millis): void {
    if (!this.#isAnnounced) return;
    this.repair.sent(now);
    this.#context.emit({ kind: "publish", boardId: this.boardId, message });
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
