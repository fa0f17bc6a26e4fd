/**
 * The members that one instance shows for a board: for each the highest entry that is not ended, among its own slice and those of its
 * live peers (R11). The roster numbers the members for clients, tells each change once, and knows where every member points.
 * It does not judge which entry is shown: board.ts does.
 */

import {
  type InstanceId,
  type JsonObject,
  type LeaveReason,
  type Member,
  type MemberId,
  type Millis,
  mergePatchBetween,
  type RosterEntry,
} from "@presence-service/protocol";
import type { Context } from "./context.ts";
import { Cursors } from "./cursors.ts";
import type { RosterChange } from "./effects.ts";
import { Numbers } from "./numbers.ts";

/** The entry by which a member is shown. `owner` undefined: no instance has an entry of it at the moment. */
export type Visible = {
  readonly member: Member;
  readonly owner: InstanceId | undefined;
  readonly slot: number;
  readonly attempt: number;
};

type Shown = { readonly actor: number; member: Member; owner: InstanceId | undefined; attempt: number };

export class Roster {
  readonly #context: Context;
  readonly #changed: (change: RosterChange) => void;
  readonly #moved: () => void;
  readonly #actors: Numbers;
  readonly #shown = new Map<MemberId, Shown>();
  /** Members per user. */
  readonly #users = new Map<string, number>();
  readonly cursors = new Cursors();

  /** `moved` is called when the roster itself has marked a cursor as hidden. */
  constructor(context: Context, changed: (change: RosterChange) => void, moved: () => void) {
    this.#context = context;
    this.#changed = changed;
    this.#moved = moved;
    this.#actors = new Numbers(context.constants.numberRestMs);
  }

  get members(): number {
    return this.#shown.size;
  }

  get users(): number {
    return this.#users.size;
  }

  /** undefined: the member is not shown, or not by an entry of that owner. */
  actorOf(memberId: MemberId, owner?: InstanceId): number | undefined {
    const shown = this.#shown.get(memberId);
    return owner === undefined || shown?.owner === owner ? shown?.actor : undefined;
  }

  /** The member as it was last shown. */
  memberOf(memberId: MemberId): Member | undefined {
    return this.#shown.get(memberId)?.member;
  }

  entries(): RosterEntry[] {
    return Array.from(this.#shown.values(), ({ actor, member }) => {
      const at = this.cursors.at(actor);
      return { actor, member, ...(at && { at }) };
    });
  }

  /** The member is to be shown like this from now on. */
  show(memberId: MemberId, { member, owner, slot, attempt }: Visible, now: Millis): void {
    const shown = this.#shown.get(memberId);
    const actor = shown?.actor ?? this.#actors.take(now);
    this.cursors.assign(actor, owner === this.#context.instanceId ? slot : undefined);
    if (shown === undefined) {
      this.#shown.set(memberId, { actor, member, owner, attempt });
      this.#count(member, 1);
      this.#changed({ change: "joined", actor, member });
      return;
    }
    shown.owner = owner;
    // A new attempt tells its own place. Until then no viewer shows a place, neither those here nor those that come now.
    if (shown.attempt !== attempt && this.cursors.clear(actor, now)) this.#moved();
    shown.attempt = attempt;
    if (shown.member === member) return;
    const patch = mergePatchBetween(shown.member as unknown as JsonObject, member as unknown as JsonObject);
    if (patch === undefined) return;
    this.#count(shown.member, -1);
    this.#count(member, 1);
    shown.member = member;
    this.#changed({ change: "updated", actor, patch, member });
  }

  /** The member is not to be shown any more; nothing happens if it is not. */
  hide(memberId: MemberId, reason: LeaveReason, now: Millis): void {
    const shown = this.#shown.get(memberId);
    if (shown === undefined) return;
    this.#shown.delete(memberId);
    this.#count(shown.member, -1);
    this.cursors.forget(shown.actor);
    this.#actors.free(shown.actor, now);
    this.#changed({ change: "left", actor: shown.actor, reason });
  }

  #count({ userId }: Member, by: 1 | -1): void {
    const count = (this.#users.get(userId) ?? 0) + by;
    if (count === 0) this.#users.delete(userId);
    else this.#users.set(userId, count);
  }
}
