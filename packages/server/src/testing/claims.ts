/**
 * The truth of a World: the members of each board, derived only from the actions of clients at instances. Rosters are compared
 * with it. It does not use the messages between instances.
 */

import { applyMergePatch, type BoardId, type JsonObject, type Member, type MemberId, type Millis } from "@presence-service/protocol";
import type { ConnectionId, Input } from "../core/effects.ts";
import type { Kick } from "../core/messages.ts";

/** A member's entry at one instance, from its join until that instance drops it. */
type Claim = {
  readonly instance: number;
  readonly boardId: BoardId;
  readonly attempt: number;
  readonly connection: ConnectionId;
  readonly since: Millis;
  member: ClaimedMember;
  /** Nothing comes from its connection (R11). */
  isQuiet: boolean;
  /** Infinity while the connection is open; then the end of its grace, or when the claim was given up. */
  until: Millis;
  /** When `until` has passed, this attempt and all lower ones are ended (R11). */
  endsAttempt: boolean;
  /** The instance that ended it is gone: the others may know of that end or not. */
  isEndRumour: boolean;
};

/** A member as its client describes it: the truth knows no times and no colours. */
export type ClaimedMember = Omit<Member, "joinedAt" | "activeAt" | "color">;

export class Claims {
  /** The claims of each member, oldest first. */
  readonly #boards = new Map<BoardId, Map<MemberId, Claim[]>>();
  readonly #pausedSince = new Map<number, Millis>();
  /** Grows with every change that is not a mere passing of time. */
  #version = 0;

  get version(): number {
    return this.#version;
  }

  /** Until then the truth stays as it is at `now`, if nothing is told: no grace ends. Infinity: for ever. */
  steadyUntil(now: Millis): Millis {
    let until = Number.POSITIVE_INFINITY;
    for (const claim of this.#all()) if (claim.until > now && claim.until < until) until = claim.until;
    return until;
  }

  joined(claim: Omit<Claim, "since" | "isQuiet" | "until" | "endsAttempt" | "isEndRumour">, now: Millis): void {
    this.#version++;
    const members = this.#boards.get(claim.boardId) ?? new Map<MemberId, Claim[]>();
    this.#boards.set(claim.boardId, members);
    const claims = members.get(claim.member.memberId) ?? [];
    members.set(claim.member.memberId, claims);
    for (const older of claims) if (older.instance === claim.instance) giveUp(older, now);
    claims.push({ ...claim, since: now, isQuiet: false, until: Number.POSITIVE_INFINITY, endsAttempt: false, isEndRumour: false });
  }

  left(boardId: BoardId, connection: ConnectionId, now: Millis): void {
    this.#version++;
    for (const claim of this.#connected(connection, boardId)) Object.assign(claim, { until: now, endsAttempt: true });
  }

  disconnected(connection: ConnectionId, graceMs: Millis, now: Millis): void {
    this.#version++;
    for (const claim of this.#connected(connection)) Object.assign(claim, { until: now + graceMs, endsAttempt: true });
  }

  quiet(connection: ConnectionId, on: boolean): void {
    this.#version++;
    for (const claim of this.#connected(connection)) claim.isQuiet = on;
  }

  /** That instance has kicked the members (R16), also those within their grace. */
  kicked(instance: number, { whom, boardId }: Kick, now: Millis): void {
    this.#version++;
    for (const claim of this.#all()) {
      const isMeant = "userId" in whom ? claim.member.userId === whom.userId : claim.member.memberId === whom.memberId;
      if (claim.instance !== instance || !isMeant || !this.#isHeld(claim, now)) continue;
      if (boardId === undefined || claim.boardId === boardId) Object.assign(claim, { until: now, endsAttempt: true });
    }
  }

  updated(boardId: BoardId, connection: ConnectionId, change: Pick<Extract<Input, { kind: "update" }>, "status" | "state" | "area">): void {
    this.#version++;
    for (const claim of this.#connected(connection, boardId)) {
      const { status = claim.member.status, state = {}, area = claim.member.area ?? "" } = change;
      const { area: _, ...member } = claim.member;
      claim.isQuiet = false;
      claim.member = { ...member, status, ...(area && { area }), state: applyMergePatch(member.state, state) as JsonObject };
    }
  }

  /** The instance gave up an entry as superseded. False if there never was a higher entry or an end that justified it. */
  superseded(instance: number, boardId: BoardId, memberId: MemberId, attempt: number, now: Millis): boolean {
    this.#version++;
    const claims = this.#of(boardId, memberId);
    for (const claim of claims) if (claim.instance === instance && claim.attempt <= attempt) giveUp(claim, now);
    return claims.some((claim) => claim.instance !== instance && claim.attempt >= attempt) || attempt <= this.#endedUpTo(claims, now);
  }

  died(instance: number, now: Millis): void {
    this.#version++;
    this.#pausedSince.delete(instance);
    for (const claim of this.#all()) {
      if (claim.instance !== instance) continue;
      giveUp(claim, now);
      claim.isEndRumour = true;
    }
  }

  paused(instance: number, now: Millis): void {
    this.#version++;
    this.#pausedSince.set(instance, now);
  }

  /** A grace that ran out during the pause ends now. */
  resumed(instance: number, now: Millis): void {
    this.#version++;
    for (const claim of this.#all()) if (claim.instance === instance && this.#isHeld(claim, now)) claim.until = Math.max(claim.until, now);
    this.#pausedSince.delete(instance);
  }

  /** The members that should be shown on a board: of each the highest entry that is held and not ended; sorted by username. */
  union(boardId: BoardId, now: Millis): ClaimedMember[] {
    const members: ClaimedMember[] = [];
    for (const claims of this.#boards.get(boardId)?.values() ?? []) {
      const ended = this.#endedUpTo(claims, now);
      let highest: Claim | undefined;
      for (const claim of claims)
        if (this.#isHeld(claim, now) && claim.attempt > ended && claim.attempt >= (highest?.attempt ?? 0)) highest = claim;
      if (highest === undefined) continue;
      const isAway = highest.isQuiet || highest.until < Number.POSITIVE_INFINITY;
      members.push(isAway ? { ...highest.member, status: "reconnecting" } : highest.member);
    }
    return members.sort((a, b) => (a.username < b.username ? -1 : 1));
  }

  /** Whether a lower entry of that member is held while all instances may have forgotten the end of a higher one: both views are right. */
  isUncertain(boardId: BoardId, memberId: MemberId, now: Millis): boolean {
    const claims = this.#of(boardId, memberId);
    const surely = this.#endedUpTo(
      claims.filter(({ isEndRumour }) => !isEndRumour),
      now,
    );
    return this.#endedUpTo(claims, now) > surely && claims.some((claim) => this.#isHeld(claim, now));
  }

  hasUncertain(boardId: BoardId, now: Millis): boolean {
    return [...(this.#boards.get(boardId)?.keys() ?? [])].some((memberId) => this.isUncertain(boardId, memberId, now));
  }

  /** The last time when a live instance held an entry of that member; -Infinity: never. */
  lastHeldAt(boardId: BoardId, memberId: MemberId, now: Millis): Millis {
    const times = this.#of(boardId, memberId).map((claim) => (this.#isHeld(claim, now) ? now : claim.until));
    return Math.max(Number.NEGATIVE_INFINITY, ...times);
  }

  /** The last time when that member joined, wherever; -Infinity: never. */
  lastJoinedAt(boardId: BoardId, memberId: MemberId): Millis {
    return this.#of(boardId, memberId).at(-1)?.since ?? Number.NEGATIVE_INFINITY;
  }

  /** The last time when an attempt of that member was ended (R11); -Infinity: never. */
  lastEndedAt(boardId: BoardId, memberId: MemberId, now: Millis): Millis {
    const ended = this.#of(boardId, memberId).filter((claim) => claim.endsAttempt && !this.#isHeld(claim, now));
    return Math.max(Number.NEGATIVE_INFINITY, ...ended.map(({ until }) => until));
  }

  /** Whether a client of that member is connected there and its entry is not ended. */
  isConnectedAt(instance: number, boardId: BoardId, memberId: MemberId, now: Millis): boolean {
    const claims = this.#of(boardId, memberId);
    const ended = this.#endedUpTo(claims, now);
    return claims.some((claim) => claim.instance === instance && claim.until === Number.POSITIVE_INFINITY && claim.attempt > ended);
  }

  /** Whether that member ever joined that board there. */
  hasJoinedAt(instance: number, boardId: BoardId, memberId: MemberId): boolean {
    return this.#of(boardId, memberId).some((claim) => claim.instance === instance);
  }

  #isHeld(claim: Claim, now: Millis): boolean {
    return claim.until > Math.min(now, this.#pausedSince.get(claim.instance) ?? now);
  }

  #endedUpTo(claims: readonly Claim[], now: Millis): number {
    return Math.max(0, ...claims.filter((claim) => claim.endsAttempt && !this.#isHeld(claim, now)).map(({ attempt }) => attempt));
  }

  #of(boardId: BoardId, memberId: MemberId): readonly Claim[] {
    return this.#boards.get(boardId)?.get(memberId) ?? [];
  }

  *#all(): Iterable<Claim> {
    for (const members of this.#boards.values()) for (const claims of members.values()) yield* claims;
  }

  *#connected(connection: ConnectionId, boardId?: BoardId): Iterable<Claim> {
    for (const claim of this.#all()) {
      const isIts = claim.connection === connection && (boardId === undefined || claim.boardId === boardId);
      if (isIts && claim.until === Number.POSITIVE_INFINITY) yield claim;
    }
  }
}

/** Drops the claim without ending the attempt anywhere else. */
function giveUp(claim: Claim, now: Millis): void {
  if (claim.until <= now) return;
  claim.until = now;
  claim.endsAttempt = false;
}
