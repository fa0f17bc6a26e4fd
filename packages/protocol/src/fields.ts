/**
 * Kinds of fields, each with its form in bytes, its check in JSON and its limit in one place, so that no encoding misses a check.
 * Readers mark their Reader as failed, checks answer `undefined`; neither throws.
 */

import { isSafeJson, type Reader, utf8Bytes, type Writer } from "./bytes.ts";
import {
  type BoardId,
  isBoardId,
  isMemberId,
  isResumeToken,
  type Json,
  type JsonObject,
  type Member,
  type MemberKind,
  type Point,
  type Status,
} from "./domain.ts";
import * as limits from "./limits.ts";
import type { BoardRef, Recipients } from "./messages.ts";
import { coordinate } from "./moves.ts";

export type Field<T> = {
  readonly write: (to: Writer, value: T) => void;
  /** The result is valid only if the reader has not failed afterwards. */
  readonly read: (from: Reader) => T;
  /** The value as parsed from JSON; `undefined`: refused. */
  readonly check: (value: unknown) => T | undefined;
};

/** The number of a status on the wire is its index here; append-only. A later release's status is shown as `active`. */
export const STATUSES = ["active", "idle", "reconnecting"] as const satisfies readonly Status[];

/** The number of a kind on the wire is its index here; append-only. A later release's kind is shown as `person`. */
export const MEMBER_KINDS = ["person", "agent"] as const satisfies readonly MemberKind[];

/** A field that may be absent. In bytes it is an extra field: `key` is its number in its message, append-only and never reused. */
type Optional<T> = Field<T> & { readonly key: number };

export type Shape<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Optional<Exclude<T[K], undefined>> : Field<T[K]>;
};

/** A field made of fields, which can name the one that was refused. */
export type Struct<T> = Field<T> & {
  /** In the order of the type. `key`: as an extra field. */
  readonly fields: readonly (readonly [name: keyof T & string, field: Field<unknown> & { readonly key?: number }])[];
  /** The first field that is missing or refused; undefined: all are fine. */
  readonly faultOf: (given: Record<string, unknown>) => string | undefined;
  /** The same for bytes; `EXTRA_FIELDS` where what follows the required fields is malformed. */
  readonly faultIn: (from: Reader) => string | undefined;
};

export const EXTRA_FIELDS = "extra fields";

/** Required fields in order, then the optional ones that are present as extra fields, to the end of what is read. */
export function struct<T extends object>(shape: Shape<T>): Struct<T> {
  const fields = Object.entries(shape) as [keyof T & string, Field<unknown> & { readonly key?: number }][];
  const required = fields.filter(([, { key }]) => key === undefined);
  const extra = new ExtraFields<T>(fields.filter((field): field is [keyof T & string, Optional<unknown>] => field[1].key !== undefined));
  return {
    fields,
    write(to, value) {
      for (const [name, field] of required) field.write(to, value[name]);
      extra.write(to, value);
    },
    read(from) {
      const value: Partial<Record<keyof T, unknown>> = {};
      for (const [name, field] of required) value[name] = field.read(from);
      extra.read(from, value);
      return value as T;
    },
    check(given) {
      if (!isObject(given)) return undefined;
      const value: Partial<Record<keyof T, unknown>> = {};
      for (const [name, field] of fields) {
        if (field.key !== undefined && given[name] === undefined) continue;
        value[name] = field.check(given[name]);
        if (value[name] === undefined) return undefined;
      }
      return value as T;
    },
    faultOf: (given) =>
      fields.find(([name, { key, check }]) => !(key !== undefined && given[name] === undefined) && check(given[name]) === undefined)?.[0],
    faultIn(from) {
      for (const [name, field] of required) {
        field.read(from);
        if (from.failed) return name;
      }
      const wrong = extra.read(from, {});
      return from.failed ? (wrong ?? EXTRA_FIELDS) : undefined;
    },
  };
}

/** The key of an optional field that bytes tell in another way. */
export const IN_JSON_ONLY = 0;

export function optional<T>(key: number, field: Field<T>): Optional<T> {
  return { ...field, key };
}

/**
 * The form in which messages and records grow: each extra field is its key, its length in bytes and its bytes. Keys begin at 1 and ascend.
 * A key that this release does not know is skipped.
 */
class ExtraFields<T extends object> {
  readonly #fields: readonly (readonly [name: keyof T & string, field: Optional<unknown>])[];

  /** In the order of their keys. */
  constructor(fields: readonly (readonly [name: keyof T & string, field: Optional<unknown>])[]) {
    this.#fields = fields;
  }

  write(to: Writer, value: T): void {
    for (const [name, field] of this.#fields) {
      if (value[name] !== undefined) to.varint(field.key).sized(() => field.write(to, value[name]));
    }
  }

  /** Reads all that remains. If that fails, the result names the field that is wrong, if it is a known one. */
  read(from: Reader, into: Partial<Record<keyof T, unknown>>): string | undefined {
    for (let key = 0; from.remaining > 0; ) {
      key = nextKey(from, key);
      const length = from.varint(limits.U32_MAX);
      const [name, field] = from.failed ? [] : (this.#fields.find(([, known]) => known.key === key) ?? []);
      if (name === undefined || field === undefined) from.skip(length);
      else {
        into[name] = from.within(length, field.read);
        if (from.failed) return name;
      }
    }
    return undefined;
  }
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
    if (key === wanted && field !== undefined) value = from.within(length, field.read);
    else from.skip(length);
  }
  return value;
}

const NO_KEY = 0;

function nextKey(from: Reader, last: number): number {
  const key = from.varint(limits.U32_MAX);
  if (key <= last) from.fail();
  return key;
}

export function list<T>(item: Field<T>, countMax = limits.U32_MAX): Field<readonly T[]> {
  return {
    write(to, values) {
      to.varint(values.length);
      for (const value of values) item.write(to, value);
    },
    read(from) {
      const values: T[] = [];
      // The count may be false: after the first missing byte the reader has failed and the loop ends.
      for (let left = from.varint(countMax); left > 0 && !from.failed; left--) values.push(item.read(from));
      return values;
    },
    check: (given) => checkedList(given, item, countMax),
  };
}

export function checkedList<T>(given: unknown, { check }: Pick<Field<T>, "check">, countMax = limits.U32_MAX): readonly T[] | undefined {
  if (!Array.isArray(given) || given.length > countMax) return undefined;
  const values: T[] = [];
  for (const item of given) {
    const value = check(item);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

export function varint(max: number): Field<number> {
  return { write: (to, value) => to.varint(value), read: (from) => from.varint(max), check: integer(0, max) };
}

export function integer(min: number, max: number): Field<number>["check"] {
  // Adding 0 turns -0 into 0.
  return (value) => (typeof value === "number" && Number.isInteger(value) && value >= min && value <= max ? value + 0 : undefined);
}

export function text(bytesMax: number): Field<string> {
  return {
    write: (to, value) => to.string(value),
    read: (from) => from.string(bytesMax),
    check: matching((value): value is string => isText(value, bytesMax)),
  };
}

/** The rule for texts, wherever they come in. A lone surrogate has no UTF-8 form: others would receive another text. */
export function isText(value: unknown, bytesMax: number): value is string {
  return typeof value === "string" && value.length <= bytesMax && utf8Bytes(value) <= bytesMax && !/\p{Surrogate}/u.test(value);
}

export function json(bytesMax: number, depthMax = limits.JSON_DEPTH_MAX): Field<Json> {
  return {
    write: (to, value) => to.json(value),
    read: (from) => from.json(bytesMax, depthMax),
    check: matching(
      (value): value is Json => value !== undefined && isSafeJson(value as Json, depthMax) && utf8Bytes(JSON.stringify(value)) <= bytesMax,
    ),
  };
}

/** A state or a merge patch. */
export function jsonObject(bytesMax: number, depthMax?: number): Field<JsonObject> {
  const { write, read, check } = json(bytesMax, depthMax);
  return {
    write,
    read(from) {
      const value = read(from);
      if (isJsonObject(value)) return value;
      from.fail();
      return {};
    },
    check: (given) => matching(isJsonObject)(check(given)),
  };
}

/**
 * A text of a list that grows; its number is its index. Any other number or text is of a later release, and reads as `unknown`. No list
 * reaches 255: it is the number of a value that is not in the list.
 */
export function oneOf<V extends string>(values: readonly V[], unknown: V): Field<V> {
  return {
    write: (to, value) => to.u8(values.indexOf(value) & 0xff),
    read: (from) => values[from.u8()] ?? unknown,
    check: (given) => (typeof given === "string" ? (values.find((value) => value === given) ?? unknown) : undefined),
  };
}

/** The status in which a client may show itself: any but `reconnecting`, which only the service gives. */
export const chosenStatus: Field<Exclude<Status, "reconnecting">> = (() => {
  const { write, read, check } = oneOf<Status>(STATUSES, "active");
  const chosen = (status: Status | undefined) => (status === "reconnecting" ? undefined : status);
  return {
    write,
    read(from) {
      const status = chosen(read(from));
      if (status === undefined) from.fail();
      return status ?? "active";
    },
    check: (given) => chosen(check(given)),
  };
})();

/** 16 bytes; hex digits as text. */
function id<T extends string>(accepts: (value: unknown) => value is T): Field<T> {
  return { write: (to, value) => to.hex(value, 16), read: (from) => from.hex(16) as T, check: matching(accepts) };
}

export const memberId = id(isMemberId);
export const resumeToken = id(isResumeToken);
export const u32 = varint(limits.U32_MAX);
export const actor = varint(limits.ACTOR_MAX);
/** 0 or 1, and never a third value. */
export const bool: Field<boolean> = {
  write: (to, value) => to.u8(value ? 1 : 0),
  read(from) {
    const value = from.u8();
    if (value > 1) from.fail();
    return value === 1;
  },
  check: matching((value): value is boolean => typeof value === "boolean"),
};
/** JSON has fractions: they are rounded, as in every other client. */
export const xy: Field<number> = {
  write: (to, value) => to.i32(value),
  read: (from) => from.i32(),
  check: (given) => (typeof given === "number" && Math.abs(given) <= limits.COORDINATE_MAX ? coordinate(given) : undefined),
};
export const point = struct<Point>({ x: xy, y: xy });
export const state = jsonObject(limits.STATE_BYTES_MAX);

/** The rule for states, wherever they come in: a JSON object, as written within `STATE_BYTES_MAX`, and within `JSON_DEPTH_MAX`. */
export function isFitState(value: unknown): value is JsonObject {
  return state.check(value) !== undefined;
}

/** The rule for a person's id, wherever it comes in. */
export function isUserId(value: unknown): value is string {
  return value !== "" && isText(value, limits.USER_ID_BYTES_MAX);
}

/** The rule for a colour: `#rrggbb`, lower case. */
export function isColor(value: unknown): value is string {
  return typeof value === "string" && /^#[0-9a-f]{6}$/.test(value);
}

/** The rule for a picture's URL; its scheme is the host's affair. */
export function isAvatar(value: unknown): value is string {
  return isText(value, limits.AVATAR_BYTES_MAX);
}

/** A person's id by itself. In a member it may be left out. */
export const userId: Field<string> = {
  write: (to, value) => to.string(value),
  read(from) {
    const value = from.string(limits.USER_ID_BYTES_MAX);
    if (value === "") from.fail();
    return value;
  },
  check: matching(isUserId),
};

/** The members that an event is for, towards the service and between instances. */
export const recipients = {
  memberIds: optional(1, list(memberId, limits.RECIPIENTS_MAX)),
  userIds: optional(2, list(userId, limits.RECIPIENTS_MAX)),
};
export const RECIPIENTS = struct<Recipients>(recipients);

/** Beside the standing of a slice, between instances: its owner has clients that observe the board. */
export const OBSERVED = struct<{ readonly observed?: boolean }>({ observed: optional(1, bool) });

type Near = { readonly reach: number; readonly since: number; readonly turn: number };
const count = varint(limits.U32_MAX);
/** Milliseconds since the start of an instance. */
const at = varint(Number.MAX_SAFE_INTEGER);
/** At the end of a heartbeat, between instances: its sender has not heard which counts are wanted; it says some of its beats to its group only; its own time; its boards are spread over the masters of a Cluster. */
export const HEARTBEAT = struct<{ readonly wanting?: boolean; readonly near?: Near; readonly at?: number; readonly spread?: boolean }>({
  wanting: optional(1, bool),
  near: optional(2, struct<Near>({ reach: count, since: count, turn: count })),
  at: optional(3, at),
  spread: optional(4, bool),
});

/** At the end of a change of a slice, or of a whole one, between instances: when a member came or left by the last change. */
export const TIMED = struct<{ readonly at?: number }>({ at: optional(1, at) });
/** At the end of a kick, between instances: tokens of that person that were issued at this time since 1970 or before are void. */
export const VOIDING = struct<{ readonly voidBefore?: number }>({ voidBefore: optional(1, varint(limits.TIME_MAX)) });
/** The same for each of several changes; 0: nobody came or left by it. */
export const TIMES = struct<{ readonly times?: readonly number[] }>({ times: optional(1, list(at)) });

export const eventName = text(limits.EVENT_NAME_BYTES_MAX);
export const eventData = json(limits.EVENT_DATA_BYTES_MAX);
export const username = text(limits.USERNAME_BYTES_MAX);
export const time = varint(limits.TIME_MAX);
/** Where a client is in the app; empty: nowhere in particular. */
export const chosenArea = text(limits.AREA_BYTES_MAX);

/** The rule for a time since 1970, wherever it comes in. */
export function isTime(value: unknown): value is number {
  return time.check(value) !== undefined;
}

/** The rule for a member's area, which is absent rather than empty. */
export function isArea(value: unknown): value is string {
  return value !== "" && isText(value, limits.AREA_BYTES_MAX);
}

export const uuid: Field<string> = {
  write: (to, value) => to.hex(value, 16),
  read: readUuid,
  check: matching((value): value is string => typeof value === "string" && UUID.test(value)),
};

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Written by `writer.hex(uuid, 16)`. */
export function readUuid(from: Reader): string {
  return from.hex(16).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

export const boardId: Field<BoardId> = {
  write: (to, value) => to.string(value),
  read(from) {
    const value = from.string(limits.BOARD_ID_BYTES_MAX);
    if (!isBoardId(value)) from.fail();
    return value as BoardId;
  },
  check: matching(isBoardId),
};

/** In bytes the number of the board, in JSON its id. */
export const board: Field<BoardRef> = {
  write(to, value) {
    if (typeof value !== "number") throw new TypeError(`presence.v2 names boards by number, not "${value}"`);
    to.varint(value);
  },
  read: u32.read,
  check: boardId.check,
};

export const status = oneOf<Status>(STATUSES, "active");

const kind = oneOf<MemberKind>(MEMBER_KINDS, "person");
const area: Field<string> = {
  ...chosenArea,
  read(from) {
    const value = chosenArea.read(from);
    if (value === "") from.fail();
    return value;
  },
  check: matching(isArea),
};

const MEMBER = struct<Member>({
  memberId,
  userId,
  username,
  color: { ...text(7), check: matching(isColor) },
  avatar: optional(IN_JSON_ONLY, text(limits.AVATAR_BYTES_MAX)),
  status,
  kind: { ...kind, check: (value) => (value === undefined ? "person" : kind.check(value)) },
  joinedAt: { ...time, check: (value) => (value === undefined ? 0 : time.check(value)) },
  activeAt: optional(IN_JSON_ONLY, time),
  area: optional(IN_JSON_ONLY, area),
  state,
});

type MemberExtra = Partial<Pick<Member, "kind" | "joinedAt" | "activeAt" | "area">>;

/** The keys of members are one list for both wires, append-only. */
const MEMBER_EXTRA = new ExtraFields<MemberExtra>([
  ["kind", optional(1, kind) as Optional<unknown>],
  ["joinedAt", optional(2, time) as Optional<unknown>],
  ["activeAt", optional(3, time) as Optional<unknown>],
  ["area", optional(4, area) as Optional<unknown>],
]);

/**
 * In bytes: memberId, color, one byte of status and flags, userId unless it is the memberId, username, avatar if any, state, and then the
 * length in bytes of the extra fields, and these. A person, and a time that is not known, are told by absence.
 */
export const member: Field<Member> = {
  write: writeMember,
  read: readMember,
  check: MEMBER.check,
};

const STATUS_BITS = 0x0f;
const USER_ID_FLAG = 0x10;
const AVATAR_FLAG = 0x20;

export function writeMember(to: Writer, value: Member): void {
  const named = value.userId === value.memberId ? 0 : USER_ID_FLAG;
  const pictured = value.avatar === undefined ? 0 : AVATAR_FLAG;
  to.hex(value.memberId, 16)
    .hex(value.color.slice(1), 3)
    .u8(STATUSES.indexOf(value.status) | named | pictured);
  if (named) to.string(value.userId);
  to.string(value.username);
  if (value.avatar !== undefined) to.string(value.avatar);
  const { kind, joinedAt, activeAt, area } = value;
  const extra: MemberExtra = {
    ...(kind !== "person" && { kind }),
    ...(joinedAt !== 0 && { joinedAt }),
    ...(activeAt !== undefined && { activeAt }),
    ...(area !== undefined && { area }),
  };
  to.json(value.state).sized(() => MEMBER_EXTRA.write(to, extra));
}

/** Marks the reader as failed if the bytes are not a member within all limits; the result is then invalid. */
export function readMember(from: Reader): Member {
  const id = memberId.read(from);
  const color = `#${from.hex(3)}`;
  const flags = from.u8();
  const userId = flags & USER_ID_FLAG ? from.string(limits.USER_ID_BYTES_MAX) : id;
  const name = username.read(from);
  const avatar = flags & AVATAR_FLAG ? { avatar: from.string(limits.AVATAR_BYTES_MAX) } : undefined;
  const given = state.read(from);
  const extra: { kind?: MemberKind; joinedAt?: number; activeAt?: number; area?: string } = {};
  from.within(from.varint(limits.U32_MAX), () => MEMBER_EXTRA.read(from, extra));
  // A userId is not empty, and one equal to the memberId has a shorter form.
  const isSpelledRight = userId !== "" && (userId === id) === !(flags & USER_ID_FLAG);
  if (!isSpelledRight) from.fail();
  const shown = STATUSES[flags & STATUS_BITS] ?? "active";
  return { memberId: id, userId, username: name, color, ...avatar, status: shown, kind: "person", joinedAt: 0, ...extra, state: given };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function isJsonObject(value: unknown): value is JsonObject {
  return isObject(value);
}

function matching<T>(accepts: (value: unknown) => value is T): Field<T>["check"] {
  return (value) => (accepts(value) ? value : undefined);
}
