/**
 * The members that one instance shows for a board: for each the highest entry that is not ended, among its own slice and those of its
 * live peers (R11). The roster numbers the members for clients, tells each change once, and knows where every member points.
 * It does not judge which entry is shown: sessions.ts does.
 */

import {
  type InstanceId,
  inOrder,
  type JsonObject,
  type LeaveReason,
  type Member,
  type MemberId,
  type Millis,
  mergePatchBetween,
  type Recipients,
  type RosterEntry,
} from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import { Cursors } from "./cursors.ts";
import type { RosterChange } from "./effects.ts";
import { NumberPool } from "./number-pool.ts";
import { People } from "./people.ts";

/** The entry by which a member is shown. `owner` undefined: no instance has an entry of it at the moment. */
export type Visible = {
  readonly member: Member;
  readonly owner: InstanceId | undefined;
  readonly slot: number;
  readonly attempt: number;
};

type Shown = { readonly actor: number; readonly since: Millis; member: Member; owner: InstanceId | undefined; attempt: number };

export class Roster {
  readonly #context: Context;
  readonly #changed: (change: RosterChange) => void;
  readonly #moved: () => void;
  readonly #actors: NumberPool;
  #shown = new Map<MemberId, Shown>();
  readonly people = new People();
  /** By how many of its entries each instance has members shown. */
  #owners = new Map<InstanceId, number>();
  #active = 0;
  /** In their order; undefined: not sorted since the last of them came or left. */
  #sorted: MemberId[] | undefined;
  readonly cursors = new Cursors();

  /** `moved` is called when the roster itself has marked a cursor as hidden. */
  constructor(context: Context, changed: (change: RosterChange) => void, moved: () => void) {
    this.#context = context;
    this.#changed = changed;
    this.#moved = moved;
    this.#actors = new NumberPool(context.constants.numberRestMs);
  }

  checkpoint(keep: Keep): void {
    this.#actors.checkpoint(keep);
    this.#shown = keep(this.#shown);
    this.people.checkpoint(keep);
    this.#owners = keep(this.#owners);
    this.#active = keep(this.#active);
    this.#sorted = keep(this.#sorted);
    this.cursors.checkpoint(keep);
  }

  get members(): number {
    return this.#shown.size;
  }

  get users(): number {
    return this.people.size;
  }

  /** The instances by whose entries members are shown. */
  get owners(): Iterable<InstanceId> {
    return this.#owners.keys();
  }

  isAnybodyActiveBut(self: MemberId | undefined): boolean {
    return this.#active > 1 || (this.#active === 1 && (self === undefined || !isActive(this.memberOf(self))));
  }

  /** undefined: the member is not shown, or not by an entry of that owner. */
  actorOf(memberId: MemberId, owner?: InstanceId): number | undefined {
    const shown = this.#shown.get(memberId);
    return owner === undefined || shown?.owner === owner ? shown?.actor : undefined;
  }

  /** The entry by which the member is shown, and since when it is; undefined: it is not. */
  shownBy(memberId: MemberId): { readonly owner: InstanceId | undefined; readonly attempt: number; readonly since: Millis } | undefined {
    return this.#shown.get(memberId);
  }

  /** The member as it was last shown. */
  memberOf(memberId: MemberId): Member | undefined {
    return this.#shown.get(memberId)?.member;
  }

  /** The actors of the members that are shown and named, each once. undefined: nobody is named, so everybody is meant. */
  actorsNamed({ memberIds, userIds }: Recipients): number[] | undefined {
    if (memberIds === undefined && userIds === undefined) return undefined;
    const actors = new Set<number>();
    for (const memberId of memberIds ?? []) {
      const actor = this.actorOf(memberId);
      if (actor !== undefined) actors.add(actor);
    }
    for (const userId of userIds ?? []) for (const actor of this.people.actorsOf(userId)) actors.add(actor);
    return [...actors];
  }

  /** In the one order of all viewers. Members are kept as they came, which is nearly that order, so sorting costs about one comparison each. */
  entries(): RosterEntry[] {
    const entries = Array.from(this.#shown.values(), ({ actor, member }): RosterEntry => {
      const at = this.cursors.at(actor);
      return { actor, member, ...(at && { at }) };
    });
    return entries.sort((a, b) => inOrder(a.member, b.member));
  }

  /** Up to `count` members in the order of their ids, which no change of the roster moves: those after that id, or the first ones. */
  page(after: MemberId | undefined, count: number): Member[] {
    this.#sorted ??= [...this.#shown.keys()].sort();
    const start = after === undefined ? 0 : this.#sorted.findIndex((memberId) => memberId > after);
    if (start === -1) return [];
    return this.#sorted.slice(start, start + count).flatMap((memberId) => this.memberOf(memberId) ?? []);
  }

  /** The member is to be shown like this from now on. True: it is new, or has another owner, colour or place in the order. */
  show(memberId: MemberId, { member, owner, slot, attempt }: Visible, now: Millis): boolean {
    const shown = this.#shown.get(memberId);
    const actor = shown?.actor ?? this.#actors.take(now);
    this.cursors.assign(actor, owner === this.#context.instanceId ? slot : undefined);
    if (shown === undefined) {
      this.#shown.set(memberId, { actor, since: now, member, owner, attempt });
      this.#own(owner, 1);
      this.people.add(member, actor);
      if (isActive(member)) this.#active++;
      this.#sorted = undefined;
      this.#changed({ change: "joined", actor, member });
      return true;
    }
    const isOthers = shown.owner !== owner;
    this.#own(shown.owner, -1);
    this.#own(owner, 1);
    shown.owner = owner;
    // A new attempt tells its own place. Until then no viewer shows a place, neither those here nor those that come now.
    if (shown.attempt !== attempt && this.cursors.clear(actor, now)) this.#moved();
    shown.attempt = attempt;
    const before = shown.member;
    if (before === member) return isOthers;
    const patch = mergePatchBetween(before as unknown as JsonObject, member as unknown as JsonObject);
    if (patch === undefined) return isOthers;
    this.people.remove(before, actor);
    this.people.add(member, actor);
    shown.member = member;
    // It pointed into the area that it has left.
    if (before.area !== member.area && this.cursors.clear(actor, now)) this.#moved();
    this.#active += Number(isActive(member)) - Number(isActive(before));
    this.#changed({ change: "updated", actor, patch, member });
    return isOthers || before.color !== member.color || before.joinedAt !== member.joinedAt;
  }

  /** The member is not to be shown any more; nothing happens if it is not. */
  hide(memberId: MemberId, reason: LeaveReason, now: Millis): void {
    const shown = this.#shown.get(memberId);
    if (shown === undefined) return;
    this.#shown.delete(memberId);
    this.#own(shown.owner, -1);
    this.people.remove(shown.member, shown.actor);
    if (isActive(shown.member)) this.#active--;
    this.#sorted = undefined;
    this.cursors.forget(shown.actor);
    this.#actors.free(shown.actor, now);
    this.#changed({ change: "left", actor: shown.actor, reason });
  }

  #own(owner: InstanceId | undefined, more: number): void {
    if (owner === undefined) return;
    const count = (this.#owners.get(owner) ?? 0) + more;
    if (count > 0) this.#owners.set(owner, count);
    else this.#owners.delete(owner);
  }
}

function isActive(member: Member | undefined): boolean {
  return member?.status === "active";
}
