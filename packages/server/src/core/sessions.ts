/**
 * The sessions on one board (R11). A member's entry may stand in several slices while its session moves: here it is decided which of
 * them is shown. An own entry that is outranked ends; an ended one stays ended; a member whose session moves does not leave meanwhile.
 * Members get their colours here, since colours depend on who is shown (R18). It does not know which client waits for what: board.ts does.
 */

import type { InstanceId, LeaveReason, Member, MemberId, Millis } from "@presence-service/protocol";
import { Absences } from "./absences.ts";
import type { Announcer } from "./announcer.ts";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { ConnectionId, Entrant, Measured } from "./effects.ts";
import { Ends } from "./ends.ts";
import type { DelReason, Seq } from "./messages.ts";
import { isPicked } from "./palette.ts";
import type { Claim, Reasons, SliceHeld } from "./reasons.ts";
import type { Applied, Replica } from "./replica.ts";
import type { Replicas } from "./replicas.ts";
import type { Roster, Visible } from "./roster.ts";
import type { OwnEntry, Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** An entry that was superseded by another one, of which this instance has not heard yet. */
type Orphan = Visible & { readonly until: Millis };

/** The parts of a board that its sessions read and change. */
type Parts = {
  readonly roster: Roster;
  readonly slice: Slice;
  readonly replicas: Replicas;
  readonly announcer: Announcer;
};

/** How long ago a member came or left at its owner (`left`), or its owner was last heard (`lost`): for the measures of R23. */
type Known = { readonly cause: "left" | "lost"; readonly ms: Millis };

export class Sessions {
  readonly #context: Context;
  readonly #roster: Roster;
  readonly #slice: Slice;
  readonly #replicas: Replicas;
  readonly #announcer: Announcer;
  readonly #supersede: (connection: ConnectionId) => void;
  readonly #ends: Ends;
  readonly #absences: Absences;
  /** Joins at other instances are measured if they were made at this time or later; NEVER: the board is not open yet. */
  #knowsSince: Millis = NEVER;
  #orphans = new Map<MemberId, Orphan>();
  /** When the next grace or orphan runs out. */
  #expiryAt: Millis = NEVER;

  /** `supersede` is called when the own entry of that connection is over because the session has another one. */
  constructor(context: Context, { roster, slice, replicas, announcer }: Parts, supersede: (connection: ConnectionId) => void) {
    this.#context = context;
    this.#roster = roster;
    this.#slice = slice;
    this.#replicas = replicas;
    this.#announcer = announcer;
    this.#supersede = supersede;
    this.#ends = new Ends(context, slice);
    this.#absences = new Absences(context.constants.falseLeaveMs);
  }

  /** The board is open here. Joins at other instances are measured from now on: of earlier ones this instance could only hear late. */
  opened(now: Millis): void {
    this.#knowsSince = now;
  }

  checkpoint(keep: Keep): void {
    this.#ends.checkpoint(keep);
    this.#absences.checkpoint(keep);
    this.#knowsSince = keep(this.#knowsSince);
    this.#orphans = keep(this.#orphans);
    this.#expiryAt = keep(this.#expiryAt);
  }

  /** When `tick` has something to do. */
  get expiryAt(): Millis {
    return Math.min(this.#expiryAt, this.#ends.expiryAt);
  }

  tick(now: Millis): void {
    if (now >= this.expiryAt) this.#expire(now);
    this.#absences.forgetDue(now);
  }

  /** The highest attempt of that member, ended or not: a join has to be above it. */
  highestAttempt(memberId: MemberId): number {
    let highest = Math.max(this.#ends.attemptOf(memberId), this.#slice.get(memberId)?.attempt ?? -1);
    for (const { attempt } of this.#replicas.entriesOf(memberId)) highest = Math.max(highest, attempt);
    return highest;
  }

  /** Why that member is shown, or is not. `held`: the slices of others. */
  why(memberId: MemberId, held: readonly SliceHeld[], now: Millis): Reasons {
    const member = this.#roster.memberOf(memberId);
    const by = this.#roster.shownBy(memberId);
    const own = this.#slice.get(memberId);
    const claims: Claim[] = [];
    if (own !== undefined) {
      const { attempt, seq, slot, connection, graceEndsAt } = own;
      const graceMs = graceEndsAt === NEVER ? null : graceEndsAt - now;
      const owner = this.#context.instanceId;
      const { status } = own.member;
      const standing = { standing: "live" as const, wordMs: 0, heartbeatMs: null, isInDoubt: false };
      claims.push({ owner, attempt, seq, slot, status, ...standing, graceMs, ...(connection !== undefined && { connection }) });
    }
    for (const { owner, attempt, seq, slot, member } of this.#replicas.entriesOf(memberId)) {
      const { standing = "gone", wordMs = 0, isInDoubt = true } = held.find((slice) => slice.owner === owner) ?? {};
      claims.push({ owner, attempt, seq, slot, status: member.status, standing, wordMs, heartbeatMs: null, isInDoubt, graceMs: null });
    }
    const actor = this.#roster.actorOf(memberId) ?? 0;
    const ended = this.#ends.attemptOf(memberId);
    const shown = member && by && { member, actor, owner: by.owner ?? null, attempt: by.attempt, forMs: now - by.since };
    return { shown: shown ?? null, claims, endedAttempt: ended === -1 ? null : ended };
  }

  /** The colour with which that member enters. */
  colorOf({ memberId, userId, color }: Entrant): string {
    const before = this.#roster.memberOf(memberId)?.color;
    return color ?? (before !== undefined && isPicked(before) ? before : this.#roster.people.colorFor(userId));
  }

  /** Ends this own entry for everybody, and remembers that it has ended. */
  end(entry: OwnEntry, reason: LeaveReason, now: Millis): void {
    const { memberId } = entry.member;
    this.#announcer.changed(this.#slice.remove(entry, reason, now), now);
    this.#ends.said(entry, now);
    this.#endOrphan(memberId, entry.attempt);
    this.refresh(memberId, reason, now);
  }

  /** An own grace ends then. */
  expireBy(at: Millis): void {
    this.#expiryAt = Math.min(this.#expiryAt, at);
  }

  /** Own changes up to that seq have come back. */
  echoed(seq: Seq, now: Millis): void {
    this.#ends.echoed(seq, now);
  }

  /** The peer's slice has changed. */
  apply(owner: InstanceId, replica: Replica, { touched, ended }: Applied, now: Millis): void {
    for (const memberId of touched.keys()) {
      const entry = replica.get(memberId);
      if (entry !== undefined) this.#ends.takeBack(memberId, entry.attempt, owner, now);
    }
    const endedAt = new Map<MemberId, Millis | undefined>();
    for (const { memberId, attempt, at } of ended) {
      this.#ends.heard(memberId, attempt, owner, now);
      this.#endOrphan(memberId, attempt);
      endedAt.set(memberId, at);
      if (!touched.has(memberId)) this.refresh(memberId, "left", now, this.#known(owner, at, now));
    }
    for (const [memberId, { del, at }] of touched) {
      if (del?.reason === "superseded") this.#orphan(memberId, del.attempt, now);
      this.refresh(memberId, leaveReason(del?.reason), now, this.#known(owner, at ?? endedAt.get(memberId), now));
    }
  }

  #known(owner: InstanceId, at: Millis | undefined, now: Millis): Known | undefined {
    const ms = at === undefined ? undefined : this.#context.peers.sinceAt(owner, at, now);
    return ms === undefined ? undefined : { cause: "left", ms };
  }

  /** These replicas are held no more. `silentMs`: their owner is dead, and was last heard so long ago. */
  hide(replicas: readonly Replica[], now: Millis, silentMs?: Millis): void {
    if (replicas.length > 0 && this.#knowsSince < now) this.#knowsSince = now;
    const known: Known | undefined = silentMs === undefined ? undefined : { cause: "lost", ms: silentMs };
    for (const replica of replicas) for (const memberId of replica.members()) this.refresh(memberId, "instance_lost", now, known);
  }

  /** Brings the roster in line with a member's entries, and ends the own entry if another one is shown. */
  refresh(memberId: MemberId, reason: LeaveReason, now: Millis, known?: Known): void {
    const visible = this.#visible(memberId);
    const own = this.#slice.get(memberId);
    if (own !== undefined && visible?.owner !== this.#context.instanceId) {
      if (own.connection !== undefined) this.#supersede(own.connection);
      this.#announcer.changed(this.#slice.remove(own, "superseded", now), now);
    }
    if (visible !== undefined) this.#orphans.delete(memberId);
    const shown = visible ?? this.#orphans.get(memberId);
    if (shown === undefined) return this.#hideMember(memberId, reason, now, known);
    if (this.#roster.shownBy(memberId) === undefined) this.#measureReturn(memberId, shown, now, known);
    if (this.#roster.show(memberId, shown, now)) this.#settleColors(shown.member, now);
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

  /** The member is about to be shown. */
  #measureReturn(memberId: MemberId, { owner, attempt }: Visible, now: Millis, known: Known | undefined): void {
    const falseLeave = this.#absences.cameBack(memberId, attempt, this.#ends.attemptOf(memberId), now);
    if (falseLeave !== undefined) this.#measure({ what: "false_leave", how: falseLeave.how }, falseLeave.ms);
    else if (owner !== this.#context.instanceId && known !== undefined && now - known.ms >= this.#knowsSince)
      this.#measure({ what: "join" }, known.ms);
  }

  /** The member is about to be hidden, if it is shown. */
  #measureLeave(memberId: MemberId, now: Millis, ghost: Known | undefined): void {
    const { owner, attempt, since } = this.#roster.shownBy(memberId) ?? {};
    if (attempt === undefined || since === undefined) return;
    if (attempt > this.#ends.attemptOf(memberId)) this.#absences.left(memberId, attempt, now);
    // Nobody is a ghost for longer than it was shown.
    if (ghost !== undefined && owner !== this.#context.instanceId)
      this.#measure({ what: "ghost", cause: ghost.cause }, Math.min(ghost.ms, now - since));
  }

  #measure(what: Measured, ms: Millis): void {
    this.#context.emit({ kind: "measured", ms, ...what });
  }

  #hideMember(memberId: MemberId, reason: LeaveReason, now: Millis, ghost: Known | undefined): void {
    this.#measureLeave(memberId, now, ghost);
    const gone = this.#roster.memberOf(memberId);
    this.#roster.hide(memberId, reason, now);
    // Another member stands for the person now. Its colour may be one that it was about to change.
    const first = gone && this.#roster.people.firstOf(gone.userId);
    if (first !== undefined) this.#settleColors(first, now);
  }

  /** A member is newly shown, or has another owner, colour or place in the order: own members give way to it, or it gives way (R18). */
  #settleColors(shown: Member, now: Millis): void {
    for (const memberId of this.#roster.people.concernedBy(shown)) {
      const own = this.#slice.get(memberId);
      const member = this.#roster.memberOf(memberId);
      if (own === undefined || own.isColorGiven || member === undefined) continue;
      const color = this.#roster.people.colorDue(member);
      if (color === undefined) continue;
      this.#announcer.changed(this.#slice.patch(own, { color }), now);
      this.refresh(memberId, "left", now);
    }
  }

  /** The member's entry was superseded, and the new one may not have arrived: the member stays shown for a moment and does not leave. */
  #orphan(memberId: MemberId, attempt: number, now: Millis): void {
    const member = this.#roster.memberOf(memberId);
    if (member === undefined || attempt <= this.#ends.attemptOf(memberId)) return;
    const until = now + this.#context.constants.successorMs;
    // No instance owns an orphan, so nothing moves its cursor.
    this.#orphans.set(memberId, { member: reconnecting(member), owner: undefined, slot: 0, attempt, until });
    this.expireBy(until);
  }

  /** The successor of an orphan is over: the orphan is, too. */
  #endOrphan(memberId: MemberId, attempt: number): void {
    if (attempt >= (this.#orphans.get(memberId)?.attempt ?? NEVER)) this.#orphans.delete(memberId);
  }

  #expire(now: Millis): void {
    this.#expiryAt = NEVER;
    // The loops below look at every entry. Entries that end shortly one after the other share one pass.
    const next = (at: Millis) => this.expireBy(Math.max(at, now + EXPIRY_MS_MIN));
    for (const entry of [...this.#slice.entries()]) {
      if (now >= entry.graceEndsAt) this.end(entry, "timeout", now);
      else next(entry.graceEndsAt);
    }
    for (const [memberId, { until }] of this.#orphans) {
      if (now < until) next(until);
      else if (this.#orphans.delete(memberId)) this.refresh(memberId, "left", now);
    }
    for (const memberId of this.#ends.takeExpired(now, EXPIRY_MS_MIN)) this.refresh(memberId, "left", now);
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
