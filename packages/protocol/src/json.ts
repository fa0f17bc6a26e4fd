/**
 * `presence.v2.json`: the same messages as JSON text with a `kind`, for debugging and for languages without our codec. Boards go by
 * their id, in one field `board`; a cursor is `x` and `y`, or `hidden: true`. Unknown fields are skipped; anything missing,
 * ill-typed or over the limits of `presence.v2`, and anything that could poison a prototype, makes the message `undefined`.
 */

import { parseJson, utf8Bytes } from "./bytes.ts";
import { check } from "./checking.ts";
import type { Point } from "./domain.ts";
import { CLIENT_MESSAGE_BYTES_MAX, JSON_DEPTH_MAX } from "./limits.ts";
import { isSentByClients, isSentByServers, MESSAGE_FIELDS, type MessageFields } from "./message-fields.ts";
import type { BinaryMessage, ClientMessage, ServerMessage } from "./messages.ts";
import { isObject } from "./rules.ts";

/** Throws on a board given by its number: on this wire boards go by their id. */
export function encodeJson(message: BinaryMessage): string {
  if ("board" in message && message.kind !== "joined" && typeof message.board === "number") {
    throw new TypeError(`presence.v2.json names boards by id, not ${message.board}`);
  }
  return JSON.stringify(fold(message));
}

/** For servers. Never throws; refuses more than CLIENT_MESSAGE_BYTES_MAX. */
export function decodeClientJson(text: string): ClientMessage | undefined {
  if (text.length > CLIENT_MESSAGE_BYTES_MAX || utf8Bytes(text) > CLIENT_MESSAGE_BYTES_MAX) return undefined;
  return decode(isSentByClients, text) as ClientMessage | undefined;
}

/** For clients. Never throws. */
export function decodeServerJson(text: string): ServerMessage | undefined {
  return decode(isSentByServers, text) as ServerMessage | undefined;
}

/** Deepest path to a state: the message, its roster, an entry, its member. */
const ENVELOPE_DEPTH = 4;

function decode(isExpected: typeof isSentByClients, text: string): object | undefined {
  const message = parse(text);
  const known = message && knownAmong(isExpected, message);
  const body = known && (check(known.fields.body, known.value) as object | undefined);
  return known && body && { kind: known.kind, ...body };
}

/** A message of any release, its fields not checked. */
export type AnyMessage = { readonly kind: string; readonly [field: string]: unknown };

/** undefined: no message of any release. */
export function parse(text: string): AnyMessage | undefined {
  const value = parseJson(text, JSON_DEPTH_MAX + ENVELOPE_DEPTH);
  return isObject(value) && typeof value["kind"] === "string" ? { ...value, kind: value["kind"] } : undefined;
}

/** undefined: this release does not know that kind of message, or not from that side. */
export function knownAmong(
  isExpected: typeof isSentByClients,
  message: AnyMessage,
): { readonly kind: BinaryMessage["kind"]; readonly fields: MessageFields; readonly value: Record<string, unknown> } | undefined {
  if (!Object.hasOwn(MESSAGE_FIELDS, message.kind)) return undefined;
  const kind = message.kind as BinaryMessage["kind"];
  const fields = MESSAGE_FIELDS[kind];
  return isExpected(fields) ? { kind, fields, value: unfold(kind, message) } : undefined;
}

/** Converts the few messages whose JSON is flatter than their type. */
function fold(message: BinaryMessage): object {
  switch (message.kind) {
    case "join": {
      const { kind, boardId, ...rest } = message;
      return { kind, board: boardId, ...rest };
    }
    case "joined": {
      const { kind, boardId, board: _, held, roster, ...rest } = message;
      const known = held && { held: held.map((entry) => entry && foldPlace(entry)) };
      return { kind, board: boardId, ...rest, ...known, roster: roster.map(foldPlace) };
    }
    case "roster":
      return { ...message, roster: message.roster.map(foldPlace) };
    case "user_joined":
      return foldPlace(message);
    case "cursor": {
      const { at, ...rest } = message;
      return { ...rest, ...place(at) };
    }
    case "cursors": {
      const { moves, ...rest } = message;
      return { ...rest, cursors: moves.map(({ actor, at }) => ({ actor, ...place(at) })) };
    }
    default:
      return message;
  }
}

function foldPlace({ at, ...rest }: { readonly at?: Point }): object {
  return { ...rest, ...at };
}

function place(at: Point | null): object {
  return at ?? { hidden: true };
}

/** The opposite of `fold`, on data that is not checked yet. */
function unfold(kind: BinaryMessage["kind"], value: Record<string, unknown>): Record<string, unknown> {
  switch (kind) {
    case "join":
      return { ...value, boardId: value["board"] };
    case "joined":
    case "roster": {
      const held = Array.isArray(value["held"]) ? { held: value["held"].map(unfoldPlace) } : undefined;
      const roster = Array.isArray(value["roster"]) ? value["roster"].map(unfoldPlace) : undefined;
      return { ...value, boardId: value["board"], roster, ...held };
    }
    case "cursor":
    case "user_joined":
      return unfoldPlace(value);
    case "cursors":
      return { ...value, moves: Array.isArray(value["cursors"]) ? value["cursors"].map(unfoldPlace) : undefined };
    default:
      return value;
  }
}

/** Makes `at`: a point from x and y, `null` from hidden, `undefined` from neither. Both, or one coordinate alone, fail the next check. */
function unfoldPlace<T>(value: T): T | Record<string, unknown> {
  if (!isObject(value)) return value;
  const { x, y, hidden, ...rest } = value;
  if (x === undefined && y === undefined) return { ...rest, at: hidden === true ? null : undefined };
  return { ...rest, at: hidden === undefined || hidden === false ? { x, y } : "at a place and hidden" };
}
