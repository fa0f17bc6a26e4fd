/**
 * The two encodings of `presence.v2` as v2.ts needs them: whole frames, and rosters in pieces, so that entries are encoded once for all
 * clients and messages. It decides neither what is told nor how long a message may be.
 */

import { deflateRawSync } from "node:zlib";
import {
  type BoardId,
  type BoardRef,
  type CursorMove,
  type CursorPathOf,
  encodeBinary,
  encodeCursors,
  encodeJson,
  HIDDEN,
  PACKED,
  type RosterEntry,
  type ServerMessage,
  Writer,
} from "@presence-service/protocol";
import type { Moves } from "../core/messages.ts";
import { binaryFrame, binaryFrameStart, textFrame, textFrameStart } from "./socket.ts";

/** A message with a roster. */
export type Listing = Extract<ServerMessage, { kind: "joined" | "roster" }>;

export interface Wire<Ref extends BoardRef> {
  frame(message: ServerMessage): Buffer;
  cursors(board: Ref, stamp: number, moves: Moves, paths: readonly CursorPathOf[]): Buffer;
  /** The entry as it stands in a message. */
  entry(board: Ref, entry: RosterEntry): Buffer;
  /** Entries as they stand in a row in a message, and all that comes after them. */
  rest(message: Listing, entries: readonly Buffer[]): Buffer;
  /** A whole message in a packed frame, and its length before. undefined: its clients read none, or it would not be shorter. */
  packed?(message: Listing, entries: readonly Buffer[]): { readonly frame: Buffer; readonly length: number } | undefined;
  /** The beginning of a frame, up to the rest. `count`: of all entries; `own`: the first entry, if it is not in the rest. */
  start(message: Listing, count: number, own: Buffer | undefined, rest: Buffer): Buffer;
  /** The rest of a message, packed by itself, so that frames with different beginnings share it. undefined: it would not be shorter. */
  packedRest?(rest: Buffer): Buffer | undefined;
  /** The beginning of a packed frame, which is not shorter than the plain one, up to such a rest. */
  packedStart?(message: Listing, count: number, own: Buffer | undefined, rest: Buffer): Buffer;
}

export const BINARY_WIRE: Wire<number> = {
  frame: (message) => binaryFrame(encodeBinary(message)),
  cursors: (board, stamp, moves, paths) => binaryFrame(encodeCursors(board, stamp, moves, paths)),
  entry(board, entry) {
    const listing = { kind: "roster", board } as const;
    return Buffer.from(encodeBinary({ ...listing, roster: [entry] }).subarray(encodeBinary({ ...listing, roster: [] }).length));
  },
  rest: (message, entries) => Buffer.concat([...entries, encodeBinary(emptied(message)).subarray(encodeBinary(bare(message)).length)]),
  packed(message, entries) {
    const whole = Buffer.concat([headOf(message, entries.length), BINARY_WIRE.rest(message, entries)]);
    const packed = deflateRawSync(whole, { level: PACKING_LEVEL });
    return packed.length < whole.length ? { frame: binaryFrame(Buffer.concat([PACKED_TYPE, packed])), length: whole.length } : undefined;
  },
  start: (message, count, own, rest) => binaryFrameStart(beginning(message, count, own), rest.length),
  packedRest(rest) {
    const packed = deflateRawSync(rest, { level: PACKING_LEVEL });
    return packed.length + STORED_HEAD_BYTES < rest.length ? packed : undefined;
  },
  packedStart(message, count, own, rest) {
    const stored = beginning(message, count, own);
    const head = Buffer.alloc(STORED_HEAD_BYTES);
    head[0] = PACKED;
    head.writeUInt16LE(stored.length, 2);
    head.writeUInt16LE(0xffff - stored.length, 4);
    return binaryFrameStart(Buffer.concat([head, stored]), rest.length);
  },
};

/** The type, and the head of a block that DEFLATE holds as it is and that is not the last: a byte of 0, its length, and the complement of that. */
const STORED_HEAD_BYTES = 6;

function beginning(message: Listing, count: number, own: Buffer | undefined): Buffer {
  const head = headOf(message, count);
  return own === undefined ? head : Buffer.concat([head, own]);
}

const PACKED_TYPE = Buffer.of(PACKED);
/** The fastest one: others save a tenth more and take twice as long. */
const PACKING_LEVEL = 1;

function headOf(message: Listing, count: number): Buffer {
  return Buffer.concat([encodeBinary(bare(message)).subarray(0, -1), new Writer(8).varint(count).finish()]);
}

const COMMA = Buffer.from(",");
const END = "]}";

export const JSON_WIRE: Wire<BoardId> = {
  frame: (message) => textFrame(encodeJson(message)),
  cursors(board, stamp, moves, paths) {
    const list: CursorMove[] = [];
    for (let at = 0; at < moves.length; at += 3) {
      const [actor = 0, x = 0, y = 0] = moves.slice(at, at + 3);
      list.push({ actor, at: x === HIDDEN ? null : { x, y } });
    }
    return textFrame(encodeJson({ kind: "cursors", board, stamp, moves: list, ...(paths.length > 0 && { paths }) }));
  },
  entry(board, entry) {
    const listing = { kind: "roster", board } as const;
    const around = encodeJson({ ...listing, roster: [] }).length - END.length;
    return Buffer.from(encodeJson({ ...listing, roster: [entry] }).slice(around, -END.length));
  },
  rest: (_message, entries) => Buffer.concat([...entries.flatMap((entry, at) => (at === 0 ? [entry] : [COMMA, entry])), Buffer.from(END)]),
  start(message, count, own, rest) {
    const head = Buffer.from(encodeJson(emptied(message)).slice(0, -END.length));
    const first = own === undefined ? [] : count > 1 ? [own, COMMA] : [own];
    return textFrameStart(Buffer.concat([head, ...first]), rest.length);
  },
};

function emptied(message: Listing): Listing {
  return { ...message, roster: [] };
}

/** The message without entries and without extra fields, so that its last byte is the number of entries. */
function bare(message: Listing): Listing {
  if (message.kind === "roster") return emptied(message);
  const { observe: _, observed: __, following: ___, held: ____, ...rest } = message;
  return { ...rest, roster: [] };
}
