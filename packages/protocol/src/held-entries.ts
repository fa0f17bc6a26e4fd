/**
 * How the answer to a list of held members goes in bytes (docs/PROTOCOL.md, *Catching up*): a byte or two for each member that is still as it
 * was. Nothing here knows a hash.
 */

import type { Reader, Writer } from "./bytes.ts";
import { STATUS_BITS, STATUSES } from "./fields.ts";
import * as limits from "./limits.ts";
import type { HeldEntry } from "./messages.ts";
import { BARE_HEAD_MAX, readPoint, writeMove } from "./moves.ts";
import { isTime } from "./rules.ts";

/** In the list of a `join`, for each member: the beginning of a hash, then the end of its `joinedAt`. */
export const HELD_BYTES = 12;

const JOINED_AT_FLAG = 0x10;
const ACTIVE_AT_FLAG = 0x20;
const AT_FLAG = 0x40;

/**
 * In bytes, for each member of the list: 0 if it is not told here. Otherwise 1, plus 1 if there is more to say, plus twice the distance of
 * its actor from the one that follows the last; and what there is more: a byte of status and flags, `joinedAt` as the distance from the
 * last one told, `activeAt`, a place. Runs to the end of the field.
 */
export function writeHeldEntries(to: Writer, entries: readonly (HeldEntry | null)[]): void {
  let next = 0;
  let since = 0;
  for (const entry of entries) {
    if (entry === null) {
      to.varint(0);
      continue;
    }
    const { actor, status = "active", joinedAt, activeAt, at } = entry;
    const more =
      STATUSES.indexOf(status) |
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
}

export function readHeldEntries(from: Reader): readonly (HeldEntry | null)[] {
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
}

function readMore(from: Reader, since: number): Omit<HeldEntry, "actor"> {
  const more = from.u8();
  const status = STATUSES[more & STATUS_BITS] ?? "active";
  const joinedAt = more & JOINED_AT_FLAG ? since + unfolded(from.varint()) : undefined;
  if (joinedAt !== undefined && !isTime(joinedAt)) from.fail();
  const activeAt = more & ACTIVE_AT_FLAG ? from.varint(limits.TIME_MAX) : undefined;
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
export function folded(value: number): number {
  return value < 0 ? -2 * value - 1 : 2 * value;
}

export function unfolded(value: number): number {
  return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
}
