/**
 * Catching up: a client that comes back names the members that it holds, and is told which of them are still as they were (docs/PROTOCOL.md,
 * *Catching up*). Both ends make the names here, and agree on what may change without a name becoming another. The hash itself is the
 * caller's: where it comes from differs between them.
 */

import { type Bytes, type Reader, Writer } from "./bytes.ts";
import type { Member } from "./domain.ts";
import * as f from "./fields.ts";
import { type Field, IN_JSON_ONLY, optional, struct } from "./fields.ts";
import * as limits from "./limits.ts";
import type { HeldEntry, RosterEntry } from "./messages.ts";
import { BARE_HEAD_MAX, readPoint, writeMove } from "./moves.ts";

/** In the list of a `join`, for each member: the beginning of a hash, then the end of its `joinedAt`. */
export const HELD_BYTES = 12;
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
  f.writeMember(writer.reset(), { ...member, status: "active", joinedAt: 0 });
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

export const held: Field<string> = {
  write: (to, value) => to.hex(value, value.length / 2),
  read(from) {
    if (from.remaining % HELD_BYTES !== 0) from.fail();
    return from.hex(from.remaining);
  },
  check: (value) => (typeof value === "string" && NAMES.test(value) ? value : undefined),
};

const NAMES = new RegExp(`^([0-9a-f]{${2 * HELD_BYTES}})*$`);

const ENTRY = struct<HeldEntry>({
  actor: f.actor,
  status: optional(IN_JSON_ONLY, f.status),
  joinedAt: optional(IN_JSON_ONLY, f.time),
  activeAt: optional(IN_JSON_ONLY, f.time),
  at: optional(IN_JSON_ONLY, f.point),
});

const STATUS_BITS = 0x0f;
const JOINED_AT_FLAG = 0x10;
const ACTIVE_AT_FLAG = 0x20;
const AT_FLAG = 0x40;

/**
 * In bytes, for each member of the list: 0 if it is not told here. Otherwise 1, plus 1 if there is more to say, plus twice the distance of
 * its actor from the one that follows the last; and what there is more: a byte of status and flags, `joinedAt` as the distance from the
 * last one told, `activeAt`, a place. Runs to the end of the field.
 */
export const heldEntries: Field<readonly (HeldEntry | null)[]> = {
  write(to, entries) {
    let next = 0;
    let since = 0;
    for (const entry of entries) {
      if (entry === null) {
        to.varint(0);
        continue;
      }
      const { actor, status = "active", joinedAt, activeAt, at } = entry;
      const more =
        f.STATUSES.indexOf(status) |
        (joinedAt === undefined ? 0 : JOINED_AT_FLAG) |
        (activeAt === undefined ? 0 : ACTIVE_AT_FLAG) |
        (at === undefined ? 0 : AT_FLAG);
      to.varint(1 + (more > 0 ? 1 : 0) + 2 * folded(actor - next));
      next = actor + 1;
      if (more > 0) to.u8(more);
      if (joinedAt !== undefined) to.varint(folded(joinedAt - since));
      since = joinedAt ?? since;
      if (activeAt !== undefined) to.varint(activeAt);
      if (at !== undefined) writeMove(to, 0, at.x, at.y);
    }
  },
  read(from) {
    const entries: (HeldEntry | null)[] = [];
    let next = 0;
    let since = 0;
    while (from.remaining > 0) {
      const head = from.varint() - 1;
      if (head < 0) {
        entries.push(null);
        continue;
      }
      const actor = next + unfolded(Math.floor(head / 2));
      if (actor < 0 || actor > limits.ACTOR_MAX) from.fail();
      next = actor + 1;
      const more = head % 2 === 0 ? undefined : readMore(from, since);
      since = more?.joinedAt ?? since;
      entries.push({ actor, ...more });
    }
    return entries;
  },
  check(given) {
    if (!Array.isArray(given)) return undefined;
    const entries = given.map((item) => (item === null ? null : ENTRY.check(item)));
    return entries.includes(undefined) ? undefined : (entries as (HeldEntry | null)[]);
  },
};

function readMore(from: Reader, since: number): Omit<HeldEntry, "actor"> {
  const more = from.u8();
  const status = f.STATUSES[more & STATUS_BITS] ?? "active";
  const joinedAt = more & JOINED_AT_FLAG ? since + unfolded(from.varint()) : undefined;
  if (joinedAt !== undefined && !f.isTime(joinedAt)) from.fail();
  const activeAt = more & ACTIVE_AT_FLAG ? f.time.read(from) : undefined;
  const at = more & AT_FLAG ? readPoint(from, from.varint(BARE_HEAD_MAX)) : undefined;
  // A member that shows no cursor is told by absence, and so is one about which there is no more to say.
  if (at === null || more === 0) from.fail();
  return {
    ...(status !== "active" && { status }),
    ...(joinedAt !== undefined && { joinedAt }),
    ...(activeAt !== undefined && { activeAt }),
    ...(at && { at }),
  };
}

/** 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …; without bit operations, as times have more than 32 bits. */
function folded(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

function unfolded(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
