/**
 * Finds the mistake in a client's message that could not be decoded, for the error that answers it: the message's kind, the first field
 * that is missing or breaks a limit, and that limit in words. It also tells a message of a later release from what is no message at all.
 * Called only after a decoder has refused the message; it decides nothing.
 */

import { Reader } from "./bytes.ts";
import { check, faultOf } from "./checking.ts";
import { board, boardId, type Struct, text, xy } from "./fields.ts";
import { HELD_BYTES } from "./held-entries.ts";
import { knownAmong, parse } from "./json.ts";
import * as limits from "./limits.ts";
import { isSentByClients, MESSAGE_FIELDS, type MessageFields } from "./message-fields.ts";
import type { BoardRef, ClientMessage } from "./messages.ts";
import { readAny, readExtraFields } from "./reading.ts";
import { isObject } from "./rules.ts";

export type Mistake = {
  readonly kind: ClientMessage["kind"];
  /** undefined: the message could not be read so far. */
  readonly board: BoardRef | undefined;
  /** The field's name in the client's encoding. */
  readonly field: string;
  /** The limit, worded to follow the name of the field. */
  readonly limit: string;
};

/** A message of a later release; its kind in JSON, if an error can name it. */
export type UnknownMessage = { readonly unknown: string | undefined };

type FieldName = Exclude<{ [K in ClientMessage["kind"]]: keyof Extract<ClientMessage, { kind: K }> }[ClientMessage["kind"]], "kind">;

/** The type requires every field that a client may send. */
const LIMITS: Readonly<Record<FieldName, string>> = {
  token: `must be text of up to ${limits.TOKEN_BYTES_MAX} bytes`,
  resumeToken: "must be 16 bytes; in JSON 32 lower-case hex digits",
  boardId: `must be 1 to ${limits.BOARD_ID_BYTES_MAX} characters of A–Z a–z 0–9 . _ ~ : @ / -`,
  board: "must be the number that joined gave; in JSON the board's id",
  attempt: `must be a whole number from 0 to ${limits.ATTEMPT_MAX}`,
  username: `must be text of up to ${limits.USERNAME_BYTES_MAX} bytes`,
  status: "must be active or idle",
  state: `must be a JSON object of up to ${limits.STATE_BYTES_MAX} bytes and ${limits.JSON_DEPTH_MAX} levels`,
  area: `must be text of up to ${limits.AREA_BYTES_MAX} bytes`,
  areas: `must be up to ${limits.LOOK_AREAS_MAX} texts of up to ${limits.AREA_BYTES_MAX} bytes`,
  all: "must be true or false; in presence.v2 1 or 0",
  held: `must be ${HELD_BYTES} bytes for each member; in JSON ${2 * HELD_BYTES} lower-case hex digits`,
  name: `must be text of up to ${limits.EVENT_NAME_BYTES_MAX} bytes`,
  data: `must be JSON of up to ${limits.EVENT_DATA_BYTES_MAX} bytes and ${limits.JSON_DEPTH_MAX} levels`,
  observe: "must be true or false; in presence.v2 1 or 0",
  memberIds: `must be up to ${limits.RECIPIENTS_MAX} ids of 16 bytes; in JSON of 32 lower-case hex digits`,
  userIds: `must be up to ${limits.RECIPIENTS_MAX} texts of 1 to ${limits.USER_ID_BYTES_MAX} bytes`,
  count: `must be a whole number from 0 to ${limits.U32_MAX}`,
  after: "must be a memberId: 16 bytes; in JSON 32 lower-case hex digits",
  boards: `must be up to ${limits.WATCHED_BOARDS_MAX} ids of boards, of 1 to ${limits.BOARD_ID_BYTES_MAX} characters of A–Z a–z 0–9 . _ ~ : @ / - each`,
  off: "must be true or false; in presence.v2 1 or 0",
  packs: "must be true or false; in presence.v2 1 or 0",
  at: "must be a place; in JSON x and y, or hidden: true",
  path: `must be a stamp and up to ${limits.PATH_POINTS_MAX} earlier places, each 1 to ${limits.PATH_MS_MAX} ms before`,
};
const COORDINATE = `must be a number from ${-limits.COORDINATE_MAX} to ${limits.COORDINATE_MAX}`;
const EXTRA = "after the last field must each be a key above the one before, a length, and so many bytes";

const TAGS = new Map(Object.entries(MESSAGE_FIELDS).map(([kind, fields]) => [fields.tag, { kind, fields: fields as MessageFields }]));

/** undefined: no message of any release, or one without a mistake. Never throws. */
export function mistakeInJson(text: string): Mistake | UnknownMessage | undefined {
  const message = parse(text);
  if (message === undefined) return undefined;
  const known = knownAmong(isSentByClients, message);
  if (known === undefined) return { unknown: check(ref, message.kind) };
  const fault = faultOf(known.fields.body, known.value);
  if (fault === undefined) return undefined;
  const { at } = known.value;
  const told = { kind: known.kind as ClientMessage["kind"], board: check(board, known.value["board"]) };
  if (fault === "boardId") return { ...told, field: "board", limit: LIMITS.boardId };
  const coordinate = fault === "at" && isObject(at) ? ["x", "y"].find((key) => check(xy, at[key]) === undefined) : undefined;
  if (coordinate !== undefined) return { ...told, field: coordinate, limit: COORDINATE };
  return { ...told, field: fault, limit: LIMITS[fault as FieldName] };
}

/** undefined: no message that a client of any release sends, or one without a mistake. Never throws. */
export function mistakeInBinary(bytes: Uint8Array): Mistake | UnknownMessage | undefined {
  const [tag = 0] = bytes;
  if (tag === 0 || !isSentByClients({ tag })) return undefined;
  const known = TAGS.get(tag);
  if (known === undefined) return { unknown: undefined };
  const reader = new Reader(bytes);
  reader.u8();
  const field = faultIn(known.fields.body, reader);
  if (field === undefined) return undefined;
  const limit = field === EXTRA_FIELDS ? EXTRA : LIMITS[field as FieldName];
  const kind = known.kind as ClientMessage["kind"];
  return { kind, board: boardIn(kind, bytes), field, limit };
}

const EXTRA_FIELDS = "extra fields";

/** The first required field that is refused, a wrong extra field, or `EXTRA_FIELDS` where what follows is malformed; undefined: all is fine. */
function faultIn(fields: Struct, from: Reader): string | undefined {
  for (const [name, field] of fields.required) {
    readAny(from, field);
    if (from.failed) return name;
  }
  const wrong = readExtraFields(from, fields, {}, readAny);
  return from.failed ? (wrong ?? EXTRA_FIELDS) : undefined;
}

const ref = text(limits.ERROR_REF_BYTES_MAX);

/** The first field of all messages about a board. */
function boardIn(kind: ClientMessage["kind"], bytes: Uint8Array): BoardRef | undefined {
  if (kind === "hello" || kind === "auth" || kind === "heartbeat" || kind === "watch") return undefined;
  const reader = new Reader(bytes);
  reader.u8();
  const given = readAny<BoardRef>(reader, kind === "join" ? boardId : board);
  return reader.failed ? undefined : given;
}
