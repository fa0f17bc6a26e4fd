/**
 * Finds the mistake in a client's message that could not be decoded, for the error that answers it: the message's kind, the first field
 * that is missing or breaks a limit, and that limit in words. Called only after a decoder has refused the message; it decides nothing.
 */

import { Reader } from "./bytes.ts";
import { board, boardId, isObject } from "./fields.ts";
import { parse } from "./json.ts";
import * as limits from "./limits.ts";
import { isSentByClients, MESSAGE_FIELDS, type MessageFields, xy } from "./message-fields.ts";
import type { BoardRef, ClientMessage } from "./messages.ts";

export type Mistake = {
  readonly kind: ClientMessage["kind"];
  /** undefined: the message could not be read so far. */
  readonly board: BoardRef | undefined;
  /** The field's name in the client's encoding. */
  readonly field: string;
  /** The limit, worded to follow the name of the field. */
  readonly limit: string;
};

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
  name: `must be text of up to ${limits.EVENT_NAME_BYTES_MAX} bytes`,
  data: `must be JSON of up to ${limits.EVENT_DATA_BYTES_MAX} bytes and ${limits.JSON_DEPTH_MAX} levels`,
  at: "must be a place; in JSON x and y, or hidden: true",
};
const COORDINATE = `must be a number from ${-limits.COORDINATE_MAX} to ${limits.COORDINATE_MAX}`;
const FLAGS = "must hold no bit without a meaning";
const END = "must be there: bytes follow after the last field";

const TAGS = new Map(
  Object.entries(MESSAGE_FIELDS).map(([kind, fields]) => [fields.tag, { kind, fields: fields as MessageFields<object> }]),
);

/** undefined: not JSON, or of no kind that a client sends. Never throws. */
export function mistakeInJson(text: string): Mistake | undefined {
  const parsed = parse(isSentByClients, text);
  const fault = parsed?.fields.body.faultOf(parsed.value);
  if (parsed === undefined || fault === undefined) return undefined;
  const { at } = parsed.value;
  const told = { kind: parsed.kind as ClientMessage["kind"], board: board.check(parsed.value["board"]) };
  if (fault === "boardId") return { ...told, field: "board", limit: LIMITS.boardId };
  const coordinate = fault === "at" && isObject(at) ? ["x", "y"].find((key) => xy.check(at[key]) === undefined) : undefined;
  if (coordinate !== undefined) return { ...told, field: coordinate, limit: COORDINATE };
  return { ...told, field: fault, limit: LIMITS[fault as FieldName] };
}

/** undefined: of no type that a client sends. Never throws. */
export function mistakeInBinary(bytes: Uint8Array): Mistake | undefined {
  const known = TAGS.get(bytes[0] ?? 0);
  if (known === undefined || !isSentByClients(known.fields)) return undefined;
  const reader = new Reader(bytes);
  reader.u8();
  const field = known.fields.body.faultIn(reader);
  if (field === undefined) return undefined;
  const limit = field === "flags" ? FLAGS : field === "end" ? END : LIMITS[field as FieldName];
  const kind = known.kind as ClientMessage["kind"];
  return { kind, board: boardIn(kind, bytes), field, limit };
}

/** The first field of all messages about a board. */
function boardIn(kind: ClientMessage["kind"], bytes: Uint8Array): BoardRef | undefined {
  if (kind === "hello" || kind === "auth" || kind === "heartbeat") return undefined;
  const reader = new Reader(bytes);
  reader.u8();
  const given = (kind === "join" ? boardId : board).read(reader);
  return reader.failed ? undefined : given;
}
