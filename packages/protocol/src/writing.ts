/** Writes fields as bytes. It trusts its input, and throws only where the program is wrong. */

import type { Writer } from "./bytes.ts";
import type { Json, Member, Point, Status } from "./domain.ts";
import { AVATAR_FLAG, type Field, MEMBER_EXTRA, type Served, STATUSES, USER_ID_FLAG } from "./fields.ts";
import { folded, writeHeldEntries } from "./held-entries.ts";
import type { CursorMove, HeldEntry, RosterEntry } from "./messages.ts";
import { HIDDEN, writeMove } from "./moves.ts";

/** Writes any field. */
export const write = writing((to, field, value) => {
  switch (field.as) {
    case "move": {
      const { actor, at } = value as CursorMove;
      return writePlace(to, actor, at);
    }
    case "member":
      return writeMember(to, value as Member);
    case "entry": {
      const { actor, member, at } = value as RosterEntry;
      writePlace(to, actor, at);
      return writeMember(to, member);
    }
    case "held entries":
      return writeHeldEntries(to, value as readonly (HeldEntry | null)[]);
  }
});

/** Writes the fields of clients' messages, and those of a member. */
export const writeSimple = writing((_, { as }) => {
  throw new TypeError(as);
});

type Write = <T>(to: Writer, field: Field<T>, value: T) => void;

/**
 * `writeServed`: for the fields that only the service and its instances write, so that a client need not have them.
 * Each value is of the type that belongs to the form of its field; the compiler cannot follow that through the union.
 */
/* @__NO_SIDE_EFFECTS__ */
function writing(writeServed: (to: Writer, field: Served, value: unknown) => void): Write {
  return function write(to: Writer, field: Field, value: unknown): void {
    switch (field.as) {
      case "varint":
        return void to.varint(value as number);
      case "board":
        if (typeof value !== "number") throw new TypeError(`presence.v2 names boards by number, not "${value}"`);
        return void to.varint(value);
      case "text":
      case "board id":
        return void to.string(value as string);
      case "json":
        return void to.json(value as Json);
      case "one":
        return void to.u8(field.values.indexOf(value as string) & 0xff);
      case "chosen status":
        return void to.u8(STATUSES.indexOf(value as Status));
      case "bool":
      case "ms":
        return void to.u8(Number(value));
      case "u16":
        return void to.u16(value as number);
      case "xy":
        return void to.i32(value as number);
      case "distance":
        return void to.varint(folded(value as number));
      case "id":
      case "uuid":
        return void to.hex(value as string, 16);
      case "held":
        return void to.hex(value as string, (value as string).length / 2);
      case "place":
        return writePlace(to, 0, value as Point | null);
      case "list": {
        const values = value as readonly unknown[];
        to.varint(values.length);
        for (const each of values) write(to, field.of, each);
        return;
      }
      case "struct":
      case "row": {
        const values = value as Readonly<Record<string, unknown>>;
        for (const [name, each] of field.required) write(to, each, values[name]);
        for (const [name, each] of field.extra)
          if (values[name] !== undefined) to.varint(each.key ?? 0).sized(() => write(to, each, values[name]));
        return;
      }
      default:
        writeServed(to, field, value);
    }
  };
}

function writePlace(to: Writer, number: number, at: Point | null | undefined): void {
  writeMove(to, number, at?.x ?? HIDDEN, at?.y ?? 0);
}

/**
 * In bytes: memberId, color, one byte of status and flags, userId unless it is the memberId, username, avatar if any, state, and then the
 * length in bytes of the extra fields, and these.
 */
export function writeMember(to: Writer, value: Member): void {
  const { memberId, userId, username, color, avatar, status, kind, joinedAt, activeAt, area, state } = value;
  const named = userId === memberId ? 0 : USER_ID_FLAG;
  const pictured = avatar === undefined ? 0 : AVATAR_FLAG;
  to.hex(memberId, 16)
    .hex(color.slice(1), 3)
    .u8(STATUSES.indexOf(status) | named | pictured);
  if (named) to.string(userId);
  to.string(username);
  if (avatar !== undefined) to.string(avatar);
  const extra = {
    ...(kind !== "person" && { kind }),
    ...(joinedAt !== 0 && { joinedAt }),
    ...(activeAt !== undefined && { activeAt }),
    ...(area !== undefined && { area }),
  };
  to.json(state).sized(() => writeSimple(to, MEMBER_EXTRA, extra));
}
