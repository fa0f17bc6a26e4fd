/**
 * Reads fields from bytes. A value that breaks a rule marks its Reader as failed, and nothing throws: what was read is valid only if the
 * reader has not failed afterwards.
 */

import type { Reader } from "./bytes.ts";
import { isBoardId, type Member } from "./domain.ts";
import {
  AVATAR_FLAG,
  type Field,
  MEMBER_EXTRA,
  memberId,
  type Said,
  STATUS_BITS,
  STATUSES,
  type Struct,
  state,
  USER_ID_FLAG,
  username,
} from "./fields.ts";
import { HELD_BYTES, readHeldEntries, unfolded } from "./held-entries.ts";
import * as limits from "./limits.ts";
import type { RosterEntry } from "./messages.ts";
import { BARE_HEAD_MAX, readMove, readPoint } from "./moves.ts";
import { isObject } from "./rules.ts";

type Read = <T>(from: Reader, field: Field<T>) => T;
type ReadAs = (from: Reader, field: Field) => unknown;

/** Reads the fields that the service and its instances write. */
export const read = reading((from) => from.fail());

/** The same, and the fields that only clients write. */
export const readAny = reading((from, field) => {
  switch (field.as) {
    case "chosen status": {
      const status = STATUSES[from.u8()] ?? "active";
      if (status === "reconnecting") from.fail();
      return status;
    }
    case "held":
      if (from.remaining % HELD_BYTES > 0) from.fail();
      return longHex(from.bytes(from.remaining));
  }
});

/** `readSaid`: for the fields that only clients write, so that a client need not have them. */
/* @__NO_SIDE_EFFECTS__ */
function reading(readSaid: (from: Reader, field: Said) => unknown): Read {
  return read as Read;

  function read(from: Reader, field: Field): unknown {
    switch (field.as) {
      case "varint":
        return from.varint(field.max);
      case "board":
        return from.varint(limits.U32_MAX);
      case "struct":
      case "row": {
        const value: Record<string, unknown> = {};
        for (const [name, each] of field.required) value[name] = read(from, each);
        if (field.as === "struct") readExtraFields(from, field, value, read);
        return value;
      }
      case "list": {
        const values: unknown[] = [];
        // The count may be false: after the first missing byte the reader has failed and the loop ends.
        for (let left = from.varint(field.max); left > 0 && !from.failed; left--) values.push(read(from, field.of));
        return values;
      }
      case "text": {
        const text = from.string(field.max);
        if (text === "" && field.min > 0) from.fail();
        return text;
      }
      case "board id": {
        const id = from.string(limits.BOARD_ID_BYTES_MAX);
        if (!isBoardId(id)) from.fail();
        return id;
      }
      case "json": {
        const value = from.json(field.max, field.depth);
        if (field.isObject && !isObject(value)) from.fail();
        return value;
      }
      case "one":
        return field.values[from.u8()] ?? field.unknown;
      case "bool": {
        const byte = from.u8();
        if (byte > 1) from.fail();
        return byte === 1;
      }
      case "ms": {
        const ms = from.u8();
        if (ms === 0) from.fail();
        return ms;
      }
      case "u16":
        return from.u16();
      case "xy":
        return from.i32();
      case "distance":
        return unfolded(from.varint(2 * limits.COORDINATE_MAX));
      case "id":
        return from.hex(16);
      case "uuid":
        return readUuid(from);
      case "place":
        return readPoint(from, from.varint(BARE_HEAD_MAX));
      case "move":
        return readMove(from);
      case "member":
        return readMember(from);
      case "entry":
        return readEntry(from);
      case "held entries":
        return readHeldEntries(from);
      default:
        return readSaid(from, field);
    }
  }
}

/** `hex` for many bytes: of 12 KB, a text that is put together digit by digit takes ten times as long as one that is decoded. */
function longHex(bytes: Uint8Array): string {
  const known = new TextEncoder().encode("0123456789abcdef");
  const digits = new Uint8Array(2 * bytes.length);
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0;
    digits[2 * at] = known[byte >> 4] ?? 0;
    digits[2 * at + 1] = known[byte & 15] ?? 0;
  }
  return new TextDecoder().decode(digits);
}

/**
 * The form in which messages and records grow: each extra field is its key, its length in bytes and its bytes. Keys begin at 1 and ascend.
 * A key that this release does not know is skipped. Reads all that remains. If that fails, the result names the field that is wrong, if it
 * is a known one.
 */
export function readExtraFields(
  from: Reader,
  { extra }: Pick<Struct, "extra">,
  into: Record<string, unknown>,
  read: ReadAs,
): string | undefined {
  for (let key = 0; from.remaining > 0; ) {
    key = nextKey(from, key);
    const length = from.varint(limits.U32_MAX);
    const [name, field] = from.failed ? [] : (extra.find(([, known]) => known.key === key) ?? []);
    if (name === undefined || field === undefined) from.skip(length);
    else {
      into[name] = within(from, length, field, read);
      if (from.failed) return name;
    }
  }
  return undefined;
}

/** Skips extra fields without creating an object, where none is wanted. */
export function skipExtraFields(from: Reader): void {
  readExtraField(from, NO_KEY, undefined);
}

/** Reads the extra field of that key and skips all others, without creating an object. undefined: it is absent. */
export function readExtraField<T>(from: Reader, wanted: number, field: Field<T> | undefined): T | undefined {
  let value: T | undefined;
  for (let key = 0; from.remaining > 0; ) {
    key = nextKey(from, key);
    const length = from.varint(limits.U32_MAX);
    if (key === wanted && field !== undefined) value = within(from, length, field, read);
    else from.skip(length);
  }
  return value;
}

const NO_KEY = 0;

/** A function of its own: the closure would cost the hot path an object in each call, also where no field is read. */
function within<T>(from: Reader, length: number, field: Field<T>, read: ReadAs): T {
  return from.within(length, () => read(from, field) as T);
}

function nextKey(from: Reader, last: number): number {
  const key = from.varint(limits.U32_MAX);
  if (key <= last) from.fail();
  return key;
}

/** Written by `writer.hex(uuid, 16)`. */
export function readUuid(from: Reader): string {
  return from.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Marks the reader as failed if the bytes are not a member within all limits; the result is then invalid. writing.ts says what they are. */
export function readMember(from: Reader): Member {
  const id = read(from, memberId);
  const color = `#${from.hex(3)}`;
  const flags = from.u8();
  const userId = flags & USER_ID_FLAG ? from.string(limits.USER_ID_BYTES_MAX) : id;
  const name = read(from, username);
  const avatar = flags & AVATAR_FLAG ? { avatar: from.string(limits.AVATAR_BYTES_MAX) } : undefined;
  const given = read(from, state);
  const extra = from.within(from.varint(limits.U32_MAX), () => read(from, MEMBER_EXTRA));
  // A userId is not empty, and one equal to the memberId has a shorter form.
  const isSpelledRight = userId !== "" && (userId === id) === !(flags & USER_ID_FLAG);
  if (!isSpelledRight) from.fail();
  const shown = STATUSES[flags & STATUS_BITS] ?? "active";
  return { memberId: id, userId, username: name, color, ...avatar, status: shown, kind: "person", joinedAt: 0, ...extra, state: given };
}

function readEntry(from: Reader): RosterEntry {
  const { actor, at } = readMove(from);
  return { actor, member: readMember(from), ...(at && { at }) };
}
