/**
 * `presence.v2`: one WebSocket message is one type byte and the fields of that message (message-fields.ts, docs/PROTOCOL.md).
 * Extra fields of later releases are skipped; unknown types, bytes that are no extra field and values over their limit come back as
 * `undefined`. Lengths are checked here; the server checks the characters of names and the rights of clients.
 */

import { type Bytes, Reader, Writer } from "./bytes.ts";
import type { Millis } from "./domain.ts";
import { PATH_KEY, path } from "./fields.ts";
import { U32_MAX } from "./limits.ts";
import { CLIENT_MESSAGES, MESSAGE_FIELDS, type MessageFields, SERVER_MESSAGES } from "./message-fields.ts";
import type { BinaryMessage, ClientMessage, CursorPath, CursorPathOf, ServerMessage } from "./messages.ts";
import { BARE_HEAD_MAX, readMoves, readX, readY, writeMoves } from "./moves.ts";
import { writePaths } from "./paths.ts";
import { read, readAny, readExtraField, skipExtraFields } from "./reading.ts";
import { write, writeSimple } from "./writing.ts";

/**
 * Stands for the type of a message to a client that has said `packs` in its hello: the rest of the bytes is one whole message of any other type in raw
 * DEFLATE (RFC 1951), of SERVER_MESSAGE_BYTES_MAX bytes at most.
 */
export const PACKED = 0x7f;

const writer = new Writer(1024);
const reader = new Reader(new Uint8Array(0));

type Row = readonly [kind: string, message: MessageFields];
type ByTag = ReadonlyMap<number, Row>;

const FOR_SERVERS = byTag(CLIENT_MESSAGES);
const FOR_CLIENTS = byTag(SERVER_MESSAGES);

/* @__NO_SIDE_EFFECTS__ */
function byTag(messages: Readonly<Record<string, MessageFields>>): ByTag {
  return new Map(Object.entries(messages).map((row) => [row[1].tag, row]));
}

/** Throws on a board given by its id: on this wire boards go by the number that `joined` gave. */
export function encodeBinary(message: BinaryMessage): Bytes {
  return encode(write, MESSAGE_FIELDS[message.kind], message);
}

/** The same for clients, which send these alone: a bundle with it has no more of the wire. */
export function encodeClientBinary(message: ClientMessage): Bytes {
  return encode(writeSimple, CLIENT_MESSAGES[message.kind], message);
}

function encode(write: typeof writeSimple, { tag, body }: MessageFields, message: BinaryMessage): Bytes {
  write(writer.reset().u8(tag), body, message);
  return writer.finish();
}

/** For servers. Never throws. */
export function decodeClientBinary(bytes: Uint8Array): ClientMessage | undefined {
  return decode(readAny, FOR_SERVERS, bytes) as ClientMessage | undefined;
}

/** For clients. Never throws. */
export function decodeServerBinary(bytes: Uint8Array): ServerMessage | undefined {
  return decode(read, FOR_CLIENTS, bytes) as ServerMessage | undefined;
}

function decode(read: typeof readAny, byTag: ByTag, bytes: Uint8Array): object | undefined {
  const [kind, message] = byTag.get(reader.reset(bytes).u8()) ?? [];
  if (message === undefined) return undefined;
  const body = read(reader, message.body) as object;
  return reader.done ? { kind, ...body } : undefined;
}

/** A `cursors` message from flat triples `actor, x, y` (x = HIDDEN: hidden). The server makes it once per tick and board, for all sockets. */
export function encodeCursors(board: number, stamp: number, moves: readonly number[], paths?: readonly CursorPathOf[]): Bytes {
  writer.reset().u8(SERVER_MESSAGES.cursors.tag).varint(board).u16(stamp);
  writeMoves(writer, moves);
  writePaths(writer, paths);
  return writer.finish();
}

/** A `cursors` message as flat triples, without paths; `undefined`: another message, or not well formed. */
export function decodeCursors(bytes: Uint8Array): { board: number; stamp: number; moves: number[] } | undefined {
  if (bytes[0] !== SERVER_MESSAGES.cursors.tag) return undefined;
  reader.reset(bytes).u8();
  const board = reader.varint(U32_MAX);
  const stamp = reader.u16();
  const moves = readMoves(reader);
  skipExtraFields(reader);
  return moves && reader.done ? { board, stamp, moves } : undefined;
}

/** The stamp of a `cursors` message that is made at that time of a monotonic clock. */
export function stampOf(now: Millis): number {
  return Math.floor(now) % 0x1_0000;
}

/** Where `readCursor` puts its result; x = HIDDEN: hidden. */
export type CursorInput = { board: number; x: number; y: number; path?: CursorPath | undefined };

/** A `cursor` without a path has 15 bytes at most. One that is much longer pays for its length, so it goes the way of all other messages. */
const HOT_CURSOR_BYTES_MAX = 64;

/** Reads a client's `cursor` without creating an object, unless it has a path. `false`: another message, a long or a malformed one; `into` is then undefined. */
export function readCursor(bytes: Uint8Array, into: CursorInput): boolean {
  if (bytes[0] !== CLIENT_MESSAGES.cursor.tag || bytes.length > HOT_CURSOR_BYTES_MAX) return false;
  reader.reset(bytes).u8();
  into.board = reader.varint(U32_MAX);
  const head = reader.varint(BARE_HEAD_MAX);
  into.x = readX(reader, head);
  into.y = readY(reader, head, into.x);
  into.path = readExtraField(reader, PATH_KEY, path);
  return reader.done;
}
