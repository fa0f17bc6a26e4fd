/**
 * The attempts on one board that are over for everybody (R11): which instance said so, and until when that is remembered. It decides
 * nothing about the members that are shown: sessions.ts does.
 */

import type { InstanceId, MemberId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { Seq } from "./messages.ts";
import type { OwnEntry, Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** All entries of a member up to this attempt are over. */
type End = { readonly attempt: number; readonly by: InstanceId; readonly until: Millis };

export class Ends {
  readonly #context: Pick<Context, "instanceId" | "constants">;
  /** Its `ended` are the ends that snapshots carry. */
  readonly #slice: Slice;
  #ends = new Map<MemberId, End>();
  /** Ends that this instance published and that did not come back yet, oldest first: other instances may not have heard of them. */
  #unechoed: { readonly memberId: MemberId; readonly attempt: number; readonly seq: Seq }[] = [];
  #expiryAt: Millis = NEVER;

  constructor(context: Pick<Context, "instanceId" | "constants">, slice: Slice) {
    this.#context = context;
    this.#slice = slice;
  }

  checkpoint(keep: Keep): void {
    this.#ends = keep(this.#ends);
    this.#unechoed = keep(this.#unechoed);
    this.#expiryAt = keep(this.#expiryAt);
  }

  /** When `takeExpired` is to be called. */
  get expiryAt(): Millis {
    return this.#expiryAt;
  }

  /** The highest attempt of that member that is over; -1: none is. */
  attemptOf(memberId: MemberId): number {
    return this.#ends.get(memberId)?.attempt ?? -1;
  }

  /** This instance has ended an own entry; its slice is at the seq of that change. */
  said({ member: { memberId }, attempt }: OwnEntry, now: Millis): void {
    const { constants, instanceId } = this.#context;
    this.#unechoed.push({ memberId, attempt, seq: this.#slice.seq });
    this.#remember(memberId, { attempt, by: instanceId, until: now + constants.lingerUnechoedMs });
  }

  /** Another instance has ended an entry. */
  heard(memberId: MemberId, attempt: number, by: InstanceId, now: Millis): void {
    this.#remember(memberId, { attempt, by, until: now + this.#context.constants.endedMs });
  }

  /** Own changes up to that seq have come back. The time of their ends begins: only now other instances can know of them. */
  echoed(seq: Seq, now: Millis): void {
    const until = now + this.#context.constants.endedMs;
    for (let end = this.#unechoed[0]; end !== undefined && end.seq <= seq; end = this.#unechoed[0]) {
      this.#unechoed.shift();
      const { memberId, attempt } = end;
      const known = this.#ends.get(memberId);
      if (known?.attempt !== attempt) continue;
      this.#ends.set(memberId, { ...known, until });
      this.#expireBy(until);
    }
  }

  /** An instance that shows an attempt again has never ended it: the end was published by somebody else in its name. */
  takeBack(memberId: MemberId, attempt: number, by: InstanceId, now: Millis): void {
    const end = this.#ends.get(memberId);
    if (end?.by !== by || attempt > end.attempt) return;
    this.#ends.delete(memberId);
    const own = this.#slice.ended.get(memberId);
    if (own !== undefined) this.heard(memberId, own, this.#context.instanceId, now);
  }

  /** Forgets ends whose time is over. Returns their members. The next time is `now + pauseMs` at the earliest, since it looks at all of them. */
  takeExpired(now: Millis, pauseMs: Millis): MemberId[] {
    this.#expiryAt = NEVER;
    const expired: MemberId[] = [];
    for (const [memberId, { attempt, until }] of this.#ends) {
      if (now < until) {
        this.#expireBy(Math.max(until, now + pauseMs));
        continue;
      }
      this.#ends.delete(memberId);
      // Another instance may have ended a higher attempt since: then the end of the lower own one is forgotten as well.
      if ((this.#slice.ended.get(memberId) ?? NEVER) <= attempt) this.#slice.ended.delete(memberId);
      expired.push(memberId);
    }
    return expired;
  }

  #remember(memberId: MemberId, end: End): void {
    if (end.attempt <= this.attemptOf(memberId)) return;
    this.#ends.set(memberId, end);
    this.#expireBy(end.until);
  }

  #expireBy(at: Millis): void {
    this.#expiryAt = Math.min(this.#expiryAt, at);
  }
}
