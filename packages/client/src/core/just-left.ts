/** The members who have left a board a moment ago, for apps that show them greyed. Whoever was kicked is not shown. Pure. */

import type { LeaveReason, MemberId, Millis } from "@presence-service/protocol";
import type { AnyMember } from "./board-view.ts";

const NOBODY: readonly AnyMember[] = [];

export class JustLeft {
  /** In the order in which they left. A new reference with every change. */
  members = NOBODY;
  /** Raised with every change. */
  version = 0;
  readonly #forMs: Millis;
  readonly #until = new Map<MemberId, Millis>();

  /** 0: nobody is kept. */
  constructor(forMs: Millis) {
    this.#forMs = forMs;
  }

  left(member: AnyMember, reason: LeaveReason, now: Millis): void {
    if (this.#forMs === 0 || reason === "kicked") return;
    this.#until.set(member.memberId, now + this.#forMs);
    this.#set([...this.members, member]);
  }

  /** The member is back. */
  joined(memberId: MemberId): void {
    if (this.#until.delete(memberId)) this.#set(this.members.filter((member) => member.memberId !== memberId));
  }

  expire(now: Millis): void {
    if (now < this.deadline) return;
    for (const [memberId, until] of this.#until) if (now >= until) this.#until.delete(memberId);
    this.#set(this.members.filter(({ memberId }) => this.#until.has(memberId)));
  }

  get deadline(): Millis {
    const [first = Number.POSITIVE_INFINITY] = this.#until.values();
    return first;
  }

  #set(members: readonly AnyMember[]): void {
    this.members = members;
    this.version++;
  }
}
