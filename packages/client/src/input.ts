/** Checks the values that an app passes to the SDK. They throw here, so that nothing is sent that the service would refuse. */

import {
  AREA_BYTES_MAX,
  type BoardId,
  COORDINATE_U16_MAX,
  coordinate,
  EVENT_DATA_BYTES_MAX,
  EVENT_NAME_BYTES_MAX,
  isBoardId,
  isFitName,
  isMemberId,
  isObject,
  isText,
  isUserId,
  JSON_DEPTH_MAX,
  type Json,
  type JsonObject,
  LOOK_AREAS_MAX,
  type MemberId,
  type Millis,
  type Point,
  RECIPIENTS_MAX,
  type Recipients,
  ROSTER_MAX,
  USERNAME_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import type { Look } from "./core/look.ts";
import type { BoardEvents, MoveOptions, PageOptions, Recipient } from "./types.ts";

const PAGE_COUNT = 100;

const RESERVED: { readonly [N in keyof BoardEvents]: true } = {
  user_joined: true,
  user_updated: true,
  user_left: true,
  announcement: true,
  lost: true,
  restored: true,
  error: true,
};

/** Names of events that only the service sends. A peer's event with such a name is ignored. */
export function isReserved(name: string): name is keyof BoardEvents {
  return Object.hasOwn(RESERVED, name);
}

export function boardIdOf(text: string): BoardId {
  if (!isBoardId(text)) throw new TypeError(`"${text}" is no board id: 1 to 128 of A–Z a–z 0–9 . _ ~ : @ / -`);
  return text;
}

/** A text is an iterable of texts as well: one id would be read as a board for each of its characters. */
export function boardIdsOf(ids: Iterable<string>): BoardId[] {
  if (typeof ids !== "object" || ids === null) throw new TypeError("watch() takes a list of the ids of boards");
  return [...ids].map(boardIdOf);
}

export function nameOf(username: unknown): string {
  const name = textOf(username, USERNAME_BYTES_MAX, "a username");
  if (!isFitName(name))
    throw new TypeError("a username must not hold control characters, nor characters that change the direction of text");
  return name;
}

/** Empty: nowhere in particular. */
export function areaOf(name: unknown): string {
  return textOf(name ?? "", AREA_BYTES_MAX, "an area");
}

function textOf(value: unknown, bytesMax: number, what: string): string {
  if (typeof value !== "string") throw new TypeError(`${what} must be text, not ${typeof value}`);
  checkBytes(value, bytesMax, what);
  if (!isText(value, bytesMax)) throw new TypeError(`${what} must be well-formed text, without half a character`);
  return value;
}

/** undefined: our own area. */
export function lookOf(areas: unknown): Look {
  if (areas === "all") return areas;
  if (areas === null || areas === undefined) return undefined;
  if (!Array.isArray(areas)) throw new TypeError('look() takes a list of areas, "all", or null for our own area');
  const names = [...new Set(areas.map(areaOf))];
  if (names.length > LOOK_AREAS_MAX) throw new RangeError(`look() takes ${LOOK_AREAS_MAX} areas at most, or "all"`);
  return names;
}

/**
 * A copy as plain JSON. A key whose value is undefined is left out. Any other value that JSON would silently change or drop throws
 * TypeError with its path: others would see another value than this app.
 */
function jsonOf(value: unknown, path: string, depth = 0): Json {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  // NaN would become null, and null deletes in a merge patch.
  if (typeof value === "number" && Number.isFinite(value)) return value;
  const refuse = (what: string) => new TypeError(`${path} is ${what}, which is not JSON`);
  if (typeof value === "number" || typeof value === "bigint") throw refuse(`the ${typeof value} ${value}`);
  if (typeof value !== "object") throw refuse(`of type ${typeof value}`);
  if (depth >= JSON_DEPTH_MAX) throw new TypeError(`${path} is nested more than ${JSON_DEPTH_MAX} deep`);
  // Not `map`, which passes over holes.
  if (Array.isArray(value)) return Array.from(value, (item, at) => jsonOf(item, `${path}[${at}]`, depth + 1));
  if (!isPlain(value)) throw refuse(`an object of ${value.constructor?.name ?? "some class"}`);
  const copy: Record<string, Json> = {};
  for (const [key, item] of Object.entries(value)) {
    if (key === "__proto__" || key === "constructor" || key === "prototype") throw new TypeError(`${path} has the key "${key}"`);
    if (item !== undefined) copy[key] = jsonOf(item, `${path}.${key}`, depth + 1);
  }
  return copy;
}

/** Made by `{}`, `JSON.parse` or `Object.create(null)`, in whichever window. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

export function jsonObjectOf(value: unknown, what: string): JsonObject {
  const json = jsonOf(value, what);
  if (!isObject(json)) throw new TypeError(`${what} is not an object`);
  return json;
}

export function checkState(state: JsonObject, bytesMax: number): void {
  checkBytes(JSON.stringify(state), bytesMax, "the state of a member");
}

/** Name and data of a broadcast. */
export function eventOf(name: string, data: unknown): { readonly name: string; readonly data: Json } {
  if (isReserved(name)) throw new TypeError(`"${name}" is the name of an event of the service; give yours another name`);
  textOf(name, EVENT_NAME_BYTES_MAX, "the name of an event");
  const json = jsonOf(data, `event "${name}"`);
  checkBytes(JSON.stringify(json), EVENT_DATA_BYTES_MAX, `event "${name}"`);
  return { name, data: json };
}

/** undefined: nobody is named. A member is meant by its memberId, anything else by its userId. */
export function recipientsOf(whom: Recipient | readonly Recipient[]): Recipients | undefined {
  const memberIds = new Set<MemberId>();
  const userIds = new Set<string>();
  for (const one of [whom].flat()) {
    const { memberId, userId }: Record<string, unknown> = isObject(one) ? one : {};
    if (isMemberId(memberId)) memberIds.add(memberId);
    // A memberId that is wrong must not turn a message for one member into one for all members of a user.
    else if (isUserId(userId) && !("memberId" in one)) userIds.add(userId);
    else throw new TypeError("an event can be for members, or for { userId } with a text of 1 to 128 bytes");
  }
  if (memberIds.size > RECIPIENTS_MAX || userIds.size > RECIPIENTS_MAX)
    throw new RangeError(`an event can be for ${RECIPIENTS_MAX} members and ${RECIPIENTS_MAX} users at most, or for everybody`);
  if (memberIds.size + userIds.size === 0) return undefined;
  return { memberIds: filled(memberIds), userIds: filled(userIds) };
}

function filled<T>(ids: ReadonlySet<T>): readonly T[] | undefined {
  return ids.size > 0 ? [...ids] : undefined;
}

export function checkMember(member: unknown): void {
  if (!isObject(member) || !isMemberId(member.memberId)) throw new TypeError("follow() takes a member, such as one of board.others");
}

/** The members that a page asks for. */
export function pageOf({ after, count = PAGE_COUNT }: PageOptions): { readonly after: MemberId | undefined; readonly count: number } {
  if (after !== undefined && !isMemberId(after)) throw new TypeError(`"${after}" is no memberId; take one of a member`);
  if (!Number.isInteger(count) || count < 1 || count > ROSTER_MAX)
    throw new RangeError(`count must be a whole number from 1 to ${ROSTER_MAX}`);
  return { after, count };
}

/** undefined: not a place, as pointer arithmetic on an element without size gives it. */
export function pointOf(x: number, y: number, { units = "fraction" }: MoveOptions = {}): Point | undefined {
  if (!Number.isFinite(x) || !Number.isFinite(y)) return undefined;
  const place = units === "integer" ? coordinate : fractionAsInteger;
  return { x: place(x), y: place(y) };
}

/** undefined: the move belongs to no path. */
export function seenAgo({ path = false, ago = 0 }: MoveOptions = {}): Millis | undefined {
  if (!path) return undefined;
  return Number.isFinite(ago) ? Math.max(0, ago) : 0;
}

function fractionAsInteger(fraction: number): number {
  return Math.round(COORDINATE_U16_MAX * Math.min(Math.max(fraction, 0), 1));
}

function checkBytes(text: string, bytesMax: number, what: string): void {
  const bytes = utf8Bytes(text);
  if (bytes > bytesMax) throw new RangeError(`${what} is ${bytes} bytes; the limit is ${bytesMax}`);
}
