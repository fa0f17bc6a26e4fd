/**
 * The members that one instance shows for a board, by person and by colour, and the colours that people ought to have there (R18).
 * It changes nobody's colour: sessions.ts does, for the members that this instance owns.
 */

import { inOrder, type Member, type MemberId } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import { freeColor, isPicked, PALETTE, sharedColor } from "./palette.ts";

/** A member with its actor. */
type Named = { readonly actor: number; readonly member: Member };

export class People {
  /** Nearly always one member each, for which a Map would take 200 bytes more. */
  #users = new Map<string, Named[]>();
  /** Members by their actors. */
  #colors = new Map<string, Map<number, Member>>();

  checkpoint(keep: Keep): void {
    this.#users = keep(this.#users);
    this.#colors = keep(this.#colors);
  }

  /** How many persons are shown. */
  get size(): number {
    return this.#users.size;
  }

  add(member: Member, actor: number): void {
    const users = this.#users.get(member.userId);
    if (users === undefined) this.#users.set(member.userId, [{ actor, member }]);
    else users.push({ actor, member });
    const colors = this.#colors.get(member.color);
    if (colors === undefined) this.#colors.set(member.color, new Map([[actor, member]]));
    else colors.set(actor, member);
  }

  remove(member: Member, actor: number): void {
    const users = this.#users.get(member.userId);
    if (users?.length === 1) this.#users.delete(member.userId);
    else
      users?.splice(
        users.findIndex((one) => one.actor === actor),
        1,
      );
    const colors = this.#colors.get(member.color);
    if (colors?.delete(actor) && colors.size === 0) this.#colors.delete(member.color);
  }

  actorsOf(userId: string): Iterable<number> {
    return (this.#users.get(userId) ?? []).map(({ actor }) => actor);
  }

  /** For a member of that person that enters: the person's colour, or one that nobody else has, as long as there is one. */
  colorFor(userId: string): string {
    return this.firstOf(userId)?.color ?? this.#freeFor(userId) ?? sharedColor(userId);
  }

  /** The members that may have to give way now that this one is shown as it is: those of its person, and those of its colour. */
  concernedBy({ userId, color }: Member): MemberId[] {
    const concerned = new Set<MemberId>();
    for (const { member } of this.#users.get(userId) ?? []) concerned.add(member.memberId);
    // On a large board all colours are taken, and nobody can give way.
    const isUseful = isPicked(color) && PALETTE.some((one) => !this.#colors.has(one));
    if (isUseful) for (const { memberId } of this.#colors.get(color)?.values() ?? []) concerned.add(memberId);
    return [...concerned];
  }

  /** The colour that the member has to take in place of its own; undefined: it keeps its own. */
  colorDue({ memberId, userId, color }: Member): string | undefined {
    const first = this.firstOf(userId);
    if (first === undefined) return undefined;
    if (first.memberId !== memberId) return first.color === color ? undefined : first.color;
    for (const other of this.#colors.get(color)?.values() ?? []) {
      // A member that is not its person's first will take that one's colour.
      const isFirst = this.firstOf(other.userId) === other;
      if (isFirst && inOrder(other, first) < 0) return this.#freeFor(userId);
    }
    return undefined;
  }

  /** The first member of a person, in the order of all viewers, stands for the person. */
  firstOf(userId: string): Member | undefined {
    let first: Member | undefined;
    for (const { member } of this.#users.get(userId) ?? []) {
      if (first === undefined || inOrder(member, first) < 0) first = member;
    }
    return first;
  }

  #freeFor(userId: string): string | undefined {
    return freeColor(userId, (color) => {
      for (const other of this.#colors.get(color)?.values() ?? []) if (other.userId !== userId) return true;
      return false;
    });
  }
}
