/** Checks fields as parsed from JSON. The answer is the value in our own form, `undefined`: refused. Nothing throws. */

import { isBoardId, isMemberId } from "./domain.ts";
import * as f from "./fields.ts";
import { type Field, fieldsOf, IN_JSON_ONLY, optional, STATUSES, type Struct, struct, text } from "./fields.ts";
import { HELD_BYTES } from "./held-entries.ts";
import * as limits from "./limits.ts";
import type { HeldEntry, RosterEntry } from "./messages.ts";
import { coordinate } from "./moves.ts";
import { isColor, isFitJson, isObject, isText, isWhole } from "./rules.ts";

export function check<T>(field: Field<T>, given: unknown): T | undefined {
  return checked(field, given) as T | undefined;
}

/** The first field of an object that is missing or refused; undefined: all are fine. */
export function faultOf(fields: Struct, given: Record<string, unknown>): string | undefined {
  return fieldsOf(fields).find(
    ([name, field]) => !(field.key !== undefined && given[name] === undefined) && checked(field, given[name]) === undefined,
  )?.[0];
}

function checked(field: Field, given: unknown): unknown {
  switch (field.as) {
    case "varint":
      return whole(given, 0, field.max);
    case "u16":
      return whole(given, 0, 0xffff);
    case "ms":
      return whole(given, 1, limits.PATH_MS_MAX);
    case "bool":
      return typeof given === "boolean" ? given : undefined;
    case "xy":
    case "distance":
      return typeof given === "number" && Math.abs(given) <= limits.COORDINATE_MAX ? coordinate(given) : undefined;
    case "text":
      return isText(given, field.max) && (given !== "" || field.min === 0) ? given : undefined;
    case "json":
      return isFitJson(given, field.max, field.depth) && (isObject(given) || !field.isObject) ? given : undefined;
    case "one":
      return typeof given === "string" ? (field.values.find((value) => value === given) ?? field.unknown) : undefined;
    case "chosen status":
      if (typeof given !== "string" || given === "reconnecting") return undefined;
      return STATUSES.find((status) => status === given) ?? "active";
    case "id":
      return isMemberId(given) ? given : undefined;
    case "uuid":
      return typeof given === "string" && UUID.test(given) ? given : undefined;
    case "board id":
    case "board":
      return isBoardId(given) ? given : undefined;
    case "list":
      return checkedList(field, given);
    case "struct":
    case "row":
      return checkedFields(field, given);
    case "place":
      return given === null ? null : checked(f.point, given);
    case "move":
      return checked(MOVE, given);
    case "member":
      return checkedMember(given);
    case "entry":
      return checked(ENTRY, given);
    case "held":
      return typeof given === "string" && NAMES.test(given) ? given : undefined;
    case "held entries":
      return checkedHeld(given);
    default:
      return field satisfies never;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const NAMES = new RegExp(`^([0-9a-f]{${2 * HELD_BYTES}})*$`);

/** Adding 0 turns -0 into 0. */
function whole(given: unknown, min: number, max: number): number | undefined {
  return isWhole(given, min, max) ? given + 0 : undefined;
}

function checkedList({ of, max }: { readonly of: Field; readonly max: number }, given: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(given) || given.length > max) return undefined;
  const values: unknown[] = [];
  for (const item of given) {
    const value = checked(of, item);
    if (value === undefined) return undefined;
    values.push(value);
  }
  return values;
}

function checkedFields(fields: Struct, given: unknown): Record<string, unknown> | undefined {
  if (!isObject(given)) return undefined;
  const value: Record<string, unknown> = {};
  for (const [name, field] of fieldsOf(fields)) {
    if (field.key !== undefined && given[name] === undefined) continue;
    value[name] = checked(field, given[name]);
    if (value[name] === undefined) return undefined;
  }
  return value;
}

const MOVE = struct({ actor: f.actor, at: f.place });

const MEMBER = struct({
  memberId: f.memberId,
  userId: f.userId,
  username: f.username,
  color: text(7),
  avatar: optional(IN_JSON_ONLY, text(limits.AVATAR_BYTES_MAX)),
  status: f.status,
  kind: f.kind,
  joinedAt: f.time,
  activeAt: optional(IN_JSON_ONLY, f.time),
  area: optional(IN_JSON_ONLY, f.area),
  state: f.state,
});

function checkedMember(given: unknown): Record<string, unknown> | undefined {
  if (!isObject(given) || !isColor(given["color"])) return undefined;
  const { kind = "person", joinedAt = 0 } = given;
  return checkedFields(MEMBER, { ...given, kind, joinedAt });
}

const ENTRY = struct<RosterEntry>({ actor: f.actor, member: f.member, at: optional(IN_JSON_ONLY, f.point) });

const HELD_ENTRY = struct<HeldEntry>({
  actor: f.actor,
  status: optional(IN_JSON_ONLY, f.status),
  joinedAt: optional(IN_JSON_ONLY, f.time),
  activeAt: optional(IN_JSON_ONLY, f.time),
  at: optional(IN_JSON_ONLY, f.point),
});

function checkedHeld(given: unknown): readonly unknown[] | undefined {
  if (!Array.isArray(given)) return undefined;
  const entries = given.map((item) => (item === null ? null : checked(HELD_ENTRY, item)));
  return entries.includes(undefined) ? undefined : entries;
}
