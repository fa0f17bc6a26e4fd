/**
 * The members of a board by the names that clients give to those they hold (docs/PROTOCOL.md, *Catching up*): finds, for the list of a client,
 * the members that are as they were. It remembers no client, and decides nothing about what is sent.
 */

import { createHash } from "node:crypto";
import { HELD_BYTES, type HeldEntry, hashIn, type Member, nameHeld, printed, type RosterEntry } from "@presence-service/protocol";

/** Hex digits of a member in a list. */
export const NAME_DIGITS = 2 * HELD_BYTES;

/** A member's object is made anew with each change, so each is hashed once, when somebody asks for it. */
const names = new WeakMap<Member, string>();

function nameOf(member: Member): string {
  let name = names.get(member);
  if (name === undefined) {
    name = nameHeld(createHash("sha256").update(printed(member)).digest(), member.joinedAt);
    names.set(member, name);
  }
  return name;
}

export class Holdings {
  /** null: more than one member has that hash. */
  readonly #byHash = new Map<string, { readonly entry: RosterEntry; readonly name: string } | null>();

  constructor(entries: readonly RosterEntry[]) {
    for (const entry of entries) {
      const name = nameOf(entry.member);
      const hash = hashIn(name);
      this.#byHash.set(hash, this.#byHash.has(hash) ? null : { entry, name });
    }
  }

  /** Those of the list that are here, in its order, up to the last. A member that it names twice is not found. */
  find(list: string): (HeldEntry | null)[] {
    const now: (HeldEntry | null)[] = [];
    const indexes = new Map<RosterEntry, number>();
    for (let at = 0; at < list.length; at += NAME_DIGITS) {
      const name = list.slice(at, at + NAME_DIGITS);
      const known = this.#byHash.get(hashIn(name)) ?? undefined;
      const twin = known && indexes.get(known.entry);
      if (twin !== undefined) now[twin] = null;
      if (known !== undefined) indexes.set(known.entry, now.length);
      now.push(known === undefined || twin !== undefined ? null : changed(known.entry, known.name !== name));
    }
    while (now.at(-1) === null) now.pop();
    return now;
  }
}

function changed({ actor, member: { status, joinedAt, activeAt }, at }: RosterEntry, isSinceOther: boolean): HeldEntry {
  return {
    actor,
    ...(status !== "active" && { status }),
    ...(isSinceOther && { joinedAt }),
    ...(activeAt !== undefined && { activeAt }),
    ...(at && { at }),
  };
}
