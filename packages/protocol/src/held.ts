/**
 * Catching up: a client that comes back names the members that it holds, and is told which of them are still as they were (docs/PROTOCOL.md,
 * *Catching up*). Both ends make the names here, and agree on what may change without a name becoming another. The hash itself is the
 * caller's: where it comes from differs between them.
 */

import { type Bytes, Writer } from "./bytes.ts";
import type { Member } from "./domain.ts";
import type { HeldEntry, RosterEntry } from "./messages.ts";
import { writeMember } from "./writing.ts";

/**
 * Of the hash. Somebody who is hashed like another could be taken for the other, so it must not be cheap to find such a member: a short
 * or a fast hash would not do.
 */
const HASH_BYTES = 8;
/** Of `joinedAt`: 49 days. A restart of all instances changes it for everybody, and nothing else; so it is no part of what is hashed. */
const SINCE_MODULUS = 2 ** 32;

const writer = new Writer(512);

/** The bytes of a member whose SHA-256 names it: all but status and times, which change by themselves. */
export function printed({ activeAt: _, ...member }: Member): Bytes {
  writeMember(writer.reset(), { ...member, status: "active", joinedAt: 0 });
  return writer.finish();
}

/** The name of a member in `held`. `hash`: SHA-256 of what is `printed`. */
export function nameHeld(hash: Uint8Array, joinedAt: number): string {
  return writer
    .reset()
    .bytes(hash.subarray(0, HASH_BYTES))
    .u32(joinedAt % SINCE_MODULUS)
    .finish()
    .reduce((digits, byte) => digits + byte.toString(16).padStart(2, "0"), "");
}

/** The name without its time, which may have changed. */
export function hashIn(name: string): string {
  return name.slice(0, 2 * HASH_BYTES);
}

/** The entries of those members that a client held, as they are now. `members`: in the order of its list. */
export function heldNow(members: readonly Member[], now: readonly (HeldEntry | null)[]): RosterEntry[] {
  return now.flatMap((entry, index) => {
    const held = members[index];
    if (entry === null || held === undefined) return [];
    const { actor, at, status = "active", joinedAt = held.joinedAt, activeAt } = entry;
    const isSame = status === held.status && joinedAt === held.joinedAt && activeAt === held.activeAt;
    const { activeAt: _, ...rest } = held;
    const member = isSame ? held : { ...rest, status, joinedAt, ...(activeAt !== undefined && { activeAt }) };
    return [{ actor, member, ...(at && { at }) }];
  });
}
