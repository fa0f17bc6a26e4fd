/**
 * Kinds of fields, each with its form in bytes, its check in JSON and its limit in one place, so that no encoding misses a check.
 * Readers mark their Reader as failed, checks answer `undefined`; neither throws.
 */

import { isSafeJson, type Reader, utf8Bytes, type Writer } from "./bytes.ts";
import { type BoardId, isBoardId, isMemberId, isResumeToken, type Json, type JsonObject, type Member, type Status } from "./domain.ts";
import * as limits from "./limits.ts";
import type { BoardRef } from "./messages.ts";

export type Field<T> = {
  readonly write: (to: Writer, value: T) => void;
  /** The result is valid only if the reader has not failed afterwards. */
  readonly read: (from: Reader) => T;
  /** The value as parsed from JSON; `undefined`: refused. */
  readonly check: (value: unknown) => T | undefined;
};

/** The number of a status on the wire is its index here; append-only. */
export const STATUSES = ["active", "idle", "reconnecting"] as const satisfies readonly Status[];

type Shape<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Field<Exclude<T[K], undefined>> & { readonly isOptional: true } : Field<T[K]>;
};

/** A field made of fields, which can name the one that was refused. */
export type Struct<T> = Field<T> & {
  /** The first field that is missing or refused; undefined: all are fine. */
  readonly faultOf: (given: Record<string, unknown>) => string | undefined;
  /** The same for bytes; the flags and the end count as fields. */
  readonly faultIn: (from: Reader) => string | undefined;
};

/** Fields in order; the optional ones at the end, after a byte with one bit for each that is present. */
export function struct<T extends object>(shape: Shape<T>): Struct<T> {
  const fields = Object.entries(shape) as [keyof T & string, Field<unknown> & { isOptional?: true }][];
  const required = fields.filter(([, { isOptional }]) => !isOptional);
  const optional = fields.filter(([, { isOptional }]) => isOptional);
  return {
    write(to, value) {
      for (const [key, field] of required) field.write(to, value[key]);
      if (optional.length === 0) return;
      to.u8(optional.reduce((flags, [key], bit) => (value[key] === undefined ? flags : flags | (1 << bit)), 0));
      for (const [key, field] of optional) if (value[key] !== undefined) field.write(to, value[key]);
    },
    read(from) {
      const value: Partial<Record<keyof T, unknown>> = {};
      for (const [key, field] of required) value[key] = field.read(from);
      const flags = optional.length === 0 ? 0 : from.u8();
      if (flags >> optional.length) from.fail();
      for (const [bit, [key, field]] of optional.entries()) if (flags & (1 << bit)) value[key] = field.read(from);
      return value as T;
    },
    check(given) {
      if (!isObject(given)) return undefined;
      const value: Partial<Record<keyof T, unknown>> = {};
      for (const [key, field] of fields) {
        if (field.isOptional && given[key] === undefined) continue;
        value[key] = field.check(given[key]);
        if (value[key] === undefined) return undefined;
      }
      return value as T;
    },
    faultOf: (given) =>
      fields.find(([key, { isOptional, check }]) => !(isOptional && given[key] === undefined) && check(given[key]) === undefined)?.[0],
    faultIn(from) {
      const isUnreadable = (field: Field<unknown>) => {
        field.read(from);
        return from.failed;
      };
      for (const [key, field] of required) if (isUnreadable(field)) return key;
      const flags = optional.length === 0 ? 0 : from.u8();
      if (from.failed || flags >> optional.length) return "flags";
      for (const [bit, [key, field]] of optional.entries()) if (flags & (1 << bit) && isUnreadable(field)) return key;
      return from.done ? undefined : "end";
    },
  };
}

export function optional<T>(field: Field<T>): Field<T> & { readonly isOptional: true } {
  return { ...field, isOptional: true };
}

export function list<T>(item: Field<T>): Field<readonly T[]> {
  return {
    write(to, values) {
      to.varint(values.length);
      for (const value of values) item.write(to, value);
    },
    read(from) {
      const values: T[] = [];
      // The count may be false: after the first missing byte the reader has failed and the loop ends.
      for (let left = from.varint(limits.U32_MAX); left > 0 && !from.failed; left--) values.push(item.read(from));
      return values;
    },
    check: (given) => checkedList(given, item),
  };
}

export function checkedList<T>(given: unknown, { check }: Pick<Field<T>, "check">): readonly T[] | undefined {
  if (!Array.isArray(given)) return undefined;
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
    // A lone surrogate has no UTF-8 form: others would receive another text.
    check: matching(
      (value): value is string =>
        typeof value === "string" && value.length <= bytesMax && utf8Bytes(value) <= bytesMax && !/\p{Surrogate}/u.test(value),
    ),
  };
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

export function oneOf<const V>(values: readonly [V, ...V[]]): Field<V> {
  return {
    write: (to, value) => to.u8(values.indexOf(value)),
    read(from) {
      const value = values[from.u8()];
      if (value === undefined) from.fail();
      return value ?? values[0];
    },
    check: (given) => values.find((value) => value === given),
  };
}

/** 16 bytes; hex digits as text. */
function id<T extends string>(accepts: (value: unknown) => value is T): Field<T> {
  return { write: (to, value) => to.hex(value, 16), read: (from) => from.hex(16) as T, check: matching(accepts) };
}

export const memberId = id(isMemberId);
export const resumeToken = id(isResumeToken);
export const u32 = varint(limits.U32_MAX);
export const actor = varint(limits.ACTOR_MAX);
export const bool = oneOf([false, true]);
export const state = jsonObject(limits.STATE_BYTES_MAX);

/** The rule for states, wherever they come in: a JSON object, as written within `STATE_BYTES_MAX`, and within `JSON_DEPTH_MAX`. */
export function isFitState(value: unknown): value is JsonObject {
  return state.check(value) !== undefined;
}

export const eventName = text(limits.EVENT_NAME_BYTES_MAX);
export const eventData = json(limits.EVENT_DATA_BYTES_MAX);
export const username = text(limits.USERNAME_BYTES_MAX);

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

const MEMBER = struct<Member>({
  memberId,
  userId: text(limits.USER_ID_BYTES_MAX),
  username,
  color: { ...text(7), check: matching((value): value is string => typeof value === "string" && /^#[0-9a-f]{6}$/.test(value)) },
  avatar: optional(text(limits.AVATAR_BYTES_MAX)),
  status: oneOf(STATUSES),
  state,
});

/** In bytes: memberId, color, one byte of status and flags, userId unless it is the memberId, username, avatar if any, state. */
export const member: Field<Member> = {
  write: writeMember,
  read: readMember,
  check(given) {
    const value = MEMBER.check(given);
    return value?.userId === "" ? undefined : value;
  },
};

const USER_ID_FLAG = 4;
const AVATAR_FLAG = 8;

export function writeMember(to: Writer, value: Member): void {
  const named = value.userId === value.memberId ? 0 : USER_ID_FLAG;
  const pictured = value.avatar === undefined ? 0 : AVATAR_FLAG;
  to.hex(value.memberId, 16)
    .hex(value.color.slice(1), 3)
    .u8(STATUSES.indexOf(value.status) | named | pictured);
  if (named) to.string(value.userId);
  to.string(value.username);
  if (value.avatar !== undefined) to.string(value.avatar);
  to.json(value.state);
}

/** Marks the reader as failed if the bytes are not a member within all limits; the result is then invalid. */
export function readMember(from: Reader): Member {
  const id = memberId.read(from);
  const color = `#${from.hex(3)}`;
  const flags = from.u8();
  const status = STATUSES[flags & 3];
  const userId = flags & USER_ID_FLAG ? from.string(limits.USER_ID_BYTES_MAX) : id;
  const name = username.read(from);
  const avatar = flags & AVATAR_FLAG ? { avatar: from.string(limits.AVATAR_BYTES_MAX) } : undefined;
  // A userId is not empty, and one equal to the memberId has a shorter form.
  const isSpelledRight = userId !== "" && (userId === id) === !(flags & USER_ID_FLAG);
  if (status === undefined || flags >= 2 * AVATAR_FLAG || !isSpelledRight) from.fail();
  return { memberId: id, userId, username: name, color, ...avatar, status: status ?? "active", state: state.read(from) };
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
