/**
 * Kinds of fields as data: what each holds, with its limit, in one place. reading.ts, writing.ts and checking.ts carry them out, each in
 * one direction, so that no encoding misses a check, and a program that only reads some messages and writes others has no more code than
 * that.
 */

import type { BoardId, Json, JsonObject, Member, MemberId, MemberKind, Point, ResumeToken, Status } from "./domain.ts";
import * as limits from "./limits.ts";
import type { BoardRef, CursorMove, CursorPath, CursorPathOf, HeldEntry, PathPoint, Recipients, RosterEntry } from "./messages.ts";

/** The number of a status on the wire is its index here; append-only. A later release's status is shown as `active`. */
export const STATUSES = ["active", "idle", "reconnecting"] as const satisfies readonly Status[];

/** The number of a kind on the wire is its index here; append-only. A later release's kind is shown as `person`. */
export const MEMBER_KINDS = ["person", "agent"] as const satisfies readonly MemberKind[];

type Form =
  | { readonly as: "varint"; readonly max: number }
  /** 16 bits of their own; a byte of 1 to `PATH_MS_MAX`; 0 or 1, and never a third value; a coordinate of 32 bits. */
  | Plain<"u16" | "ms" | "bool" | "xy">
  /** 0, -1, 1, -2, 2 … as 0, 1, 2, 3, 4 …: a short way is a short number in either direction. */
  | Plain<"distance">
  /** Between so many bytes of UTF-8; `min` is 0 or 1. */
  | { readonly as: "text"; readonly min: number; readonly max: number }
  | { readonly as: "json"; readonly max: number; readonly depth: number; readonly isObject: boolean }
  /** A text of a list that grows; its number is its index. Any other number or text is of a later release, and reads as `unknown`. No list
   *  reaches 255: it is the number of a value that is not in the list. */
  | { readonly as: "one"; readonly values: readonly string[]; readonly unknown: string }
  /** 16 bytes: hex digits as text, or a UUID. */
  | Plain<"id" | "uuid">
  /** A board by its id everywhere; in bytes by its number and in JSON by its id. */
  | Plain<"board id" | "board">
  | { readonly as: "list"; readonly of: Field; readonly max: number }
  /** Fields in a row; the optional ones follow as extra fields, to the end of what is read. In a `row` there are none of these. */
  | ({ readonly as: "struct" | "row" } & Fields)
  /** A place, or null: hidden. */
  | Plain<"place">
  | Said
  | Served;

/** Only clients write these: `one` of the statuses in which a client may show itself; the list of members that it holds (held.ts). */
export type Said = Plain<"chosen status" | "held">;

/** Clients write none of these: a cursor of a member; a member, and the same with its number and place; the answer to `held`. */
export type Served = Plain<"move" | "member" | "entry" | "held entries">;

/** A form that is known by its name alone. */
type Plain<Name> = Name extends string ? { readonly as: Name } : never;

type Fields = {
  readonly required: readonly NamedField[];
  /** In the order of their keys. */
  readonly extra: readonly NamedField[];
};

type NamedField = readonly [name: string, field: Field];

declare const type: unique symbol;

/** `T`: what is read, and given to be written. `key`: it may be absent, and in bytes it is the extra field of that number. */
export type Field<T = unknown> = Form & { readonly key?: number; readonly [type]?: T };

/** A field that may be absent. `key` is its number in its message, append-only and never reused. */
type Optional<T> = Field<T> & { readonly key: number };

export type Struct<T = unknown> = Extract<Form, Fields> & { readonly key?: number; readonly [type]?: T };

export type Shape<T> = {
  readonly [K in keyof T]-?: object extends Pick<T, K> ? Optional<Exclude<T[K], undefined>> : Field<T[K]>;
};

/* @__NO_SIDE_EFFECTS__ */
export function struct<T extends object>(shape: Shape<T>, as: "struct" | "row" = "struct"): Struct<T> {
  const fields = Object.entries(shape) as NamedField[];
  return { as, required: fields.filter(([, { key }]) => key === undefined), extra: fields.filter(([, { key }]) => key !== undefined) };
}

/** All of a struct, those that may be absent last. */
export function fieldsOf({ required, extra }: Fields): readonly NamedField[] {
  return [...required, ...extra];
}

/** The key of an optional field that bytes tell in another way. */
export const IN_JSON_ONLY = 0;

/* @__NO_SIDE_EFFECTS__ */
export function optional<T>(key: number, field: Field<T>): Optional<T> {
  return { ...field, key };
}

/* @__NO_SIDE_EFFECTS__ */
export function list<T>(of: Field<T>, max: number = limits.U32_MAX): Field<readonly T[]> {
  return { as: "list", of, max };
}

/* @__NO_SIDE_EFFECTS__ */
export function varint(max: number): Field<number> {
  return { as: "varint", max };
}

/* @__NO_SIDE_EFFECTS__ */
export function text(max: number, min = 0): Field<string> {
  return { as: "text", min, max };
}

/* @__NO_SIDE_EFFECTS__ */
export function json(max: number, depth: number = limits.JSON_DEPTH_MAX): Field<Json> {
  return { as: "json", max, depth, isObject: false };
}

/** A state or a merge patch. */
/* @__NO_SIDE_EFFECTS__ */
export function jsonObject(max: number, depth: number = limits.JSON_DEPTH_MAX): Field<JsonObject> {
  return { as: "json", max, depth, isObject: true };
}

/* @__NO_SIDE_EFFECTS__ */
export function oneOf<V extends string>(values: readonly V[], unknown: V): Field<V> {
  return { as: "one", values, unknown };
}

export const u16: Field<number> = { as: "u16" };
export const u32: Field<number> = varint(limits.U32_MAX);
export const bool: Field<boolean> = { as: "bool" };
/** JSON has fractions: they are rounded, as in every other client. */
export const xy: Field<number> = { as: "xy" };
export const point: Field<Point> = struct<Point>({ x: xy, y: xy });
export const memberId: Field<MemberId> = { as: "id" };
export const resumeToken: Field<ResumeToken> = { as: "id" };
export const uuid: Field<string> = { as: "uuid" };
export const boardId: Field<BoardId> = { as: "board id" };
export const board: Field<BoardRef> = { as: "board" };
export const actor: Field<number> = varint(limits.ACTOR_MAX);
export const state: Field<JsonObject> = jsonObject(limits.STATE_BYTES_MAX);
export const status: Field<Status> = oneOf<Status>(STATUSES, "active");
export const kind: Field<MemberKind> = oneOf<MemberKind>(MEMBER_KINDS, "person");
export const chosenStatus: Field<Exclude<Status, "reconnecting">> = { as: "chosen status" };
/** A person's id by itself. In a member it may be left out. */
export const userId: Field<string> = text(limits.USER_ID_BYTES_MAX, 1);
export const username: Field<string> = text(limits.USERNAME_BYTES_MAX);
export const time: Field<number> = varint(limits.TIME_MAX);
export const eventName: Field<string> = text(limits.EVENT_NAME_BYTES_MAX);
export const eventData: Field<Json> = json(limits.EVENT_DATA_BYTES_MAX);
/** Where a client is in the app; empty: nowhere in particular. */
export const chosenArea: Field<string> = text(limits.AREA_BYTES_MAX);
/** The same of a member, which is absent rather than empty. */
export const area: Field<string> = text(limits.AREA_BYTES_MAX, 1);
export const place: Field<Point | null> = { as: "place" };
export const move: Field<CursorMove> = { as: "move" };
export const member: Field<Member> = { as: "member" };
export const entry: Field<RosterEntry> = { as: "entry" };
export const held: Field<string> = { as: "held" };
export const heldEntries: Field<readonly (HeldEntry | null)[]> = { as: "held entries" };

/** The members that an event is for, towards the service and between instances. */
export const recipients = {
  memberIds: optional(1, list(memberId, limits.RECIPIENTS_MAX)),
  userIds: optional(2, list(userId, limits.RECIPIENTS_MAX)),
} satisfies Shape<Recipients>;

/** The key of the extra field that holds paths, in `cursor`, in `cursors` and on the bus. */
export const PATH_KEY = 1;

const distance: Field<number> = { as: "distance" };
/** Something else follows the records of a path, so there is no room for extra fields in them. */
const earlier = list(struct<PathPoint>({ ms: { as: "ms" }, dx: distance, dy: distance }, "row"), limits.PATH_POINTS_MAX);
export const path: Field<CursorPath> = struct<CursorPath>({ stamp: u16, earlier }, "row");
export const paths: Field<readonly CursorPathOf[]> = list(struct<CursorPathOf>({ actor, stamp: u16, earlier }, "row"));

type MemberExtra = Partial<Pick<Member, "kind" | "joinedAt" | "activeAt" | "area">>;

/** The extra fields of a member: one list for both wires, append-only. A person, and a time that is not known, are told by absence. */
export const MEMBER_EXTRA: Struct<MemberExtra> = struct<MemberExtra>({
  kind: optional(1, kind),
  joinedAt: optional(2, time),
  activeAt: optional(3, time),
  area: optional(4, area),
});

/** The byte of a member's status, and what follows it. */
export const STATUS_BITS = 0x0f;
export const USER_ID_FLAG = 0x10;
export const AVATAR_FLAG = 0x20;
