/**
 * One client's view of one board: the roster that it received, with every change since, replayed. Throws when a
 * change does not fit the view (S6): a change of an actor that was not introduced, say (C6).
 */

import { applyMergePatch, HIDDEN, type Json, type Member, type Point, type RosterEntry } from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";

export class View {
  readonly members = new Map<number, Member>();
  readonly #places = new Map<number, Point>();

  constructor(entries: readonly RosterEntry[]) {
    for (const { actor, member, at } of entries) {
      this.#enter(actor, member);
      if (at !== undefined) this.#places.set(actor, at);
    }
  }

  /** Returns the change as text, or nothing if only times changed: `+ben`, `~ben reconnecting`, `~ben {"state":{"tool":"pen"}}`, `-ben timeout`. */
  apply(change: RosterChange): string | undefined {
    switch (change.change) {
      case "joined":
        this.#enter(change.actor, change.member);
        return `+${change.member.username}`;
      case "updated": {
        const before = this.#known(change.actor, "is updated");
        const after = applyMergePatch(before as Json, change.patch);
        if (!isSame(after, change.member)) throw new Error(`S6: the patch for ${before.username} does not lead to ${text(change.member)}`);
        if (before.memberId !== change.member.memberId) throw new Error(`S6: actor ${change.actor} becomes another member by an update`);
        this.members.set(change.actor, change.member);
        // R20.4: it pointed into the area that it has left.
        if ("area" in change.patch) this.#places.delete(change.actor);
        const { status, activeAt: _, joinedAt: __, ...rest } = change.patch;
        if (Object.keys(rest).length === 0) return status === undefined ? undefined : `~${before.username} ${status}`;
        return `~${before.username} ${text({ ...(status !== undefined && { status }), ...rest })}`;
      }
      case "left": {
        const { username } = this.#known(change.actor, "leaves");
        this.members.delete(change.actor);
        this.#places.delete(change.actor);
        return `-${username} ${change.reason}`;
      }
    }
  }

  move(moves: Moves): void {
    for (let index = 0; index < moves.length; index += 3) {
      const [actor = -1, x = 0, y = 0] = moves.slice(index, index + 3);
      this.#known(actor, "moves");
      if (x === HIDDEN) this.#places.delete(actor);
      else this.#places.set(actor, { x, y });
    }
  }

  of(username: string): Member | undefined {
    return [...this.members.values()].find((member) => member.username === username);
  }

  placeOf(username: string): Point | undefined {
    for (const [actor, member] of this.members) if (member.username === username) return this.#places.get(actor);
    return undefined;
  }

  /** The difference from that roster, as text; undefined: there is none. Cursors come later than the roster, and are not compared. */
  differsFrom(entries: readonly RosterEntry[]): string | undefined {
    for (const { actor, member } of entries) {
      const known = this.members.get(actor);
      if (known === undefined || !isSame(known, member)) return `actor ${actor} is ${text(known ?? null)} to it, not ${text(member)}`;
    }
    return this.members.size === entries.length ? undefined : `it knows ${this.members.size} members, not ${entries.length}`;
  }

  #enter(actor: number, member: Member): void {
    if (this.members.has(actor)) throw new Error(`S6: ${member.username} enters as actor ${actor}, which somebody is already`);
    for (const known of this.members.values())
      if (known.memberId === member.memberId) throw new Error(`S6: ${member.username} enters and never left`);
    this.members.set(actor, member);
  }

  #known(actor: number, verb: string): Member {
    const member = this.members.get(actor);
    if (member === undefined) throw new Error(`S6: actor ${actor} ${verb} and was never introduced`);
    return member;
  }
}

/** Equality without regard to the order of keys. */
function isSame(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null || Array.isArray(a) !== Array.isArray(b)) return false;
  const [ofA, ofB] = [a as Record<string, unknown>, b as Record<string, unknown>];
  const names = Object.keys(ofA).filter((name) => ofA[name] !== undefined);
  return (
    names.length === Object.keys(ofB).filter((name) => ofB[name] !== undefined).length &&
    names.every((name) => isSame(ofA[name], ofB[name]))
  );
}

function text(value: Json | Member): string {
  return JSON.stringify(value, (_key, inner) =>
    typeof inner === "object" && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
