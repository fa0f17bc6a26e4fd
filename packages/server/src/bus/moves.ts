/**
 * Moves on the bus: `cursors` of one board, and `moves` of several, which go to one instance (R25). Each board's part is encoded once, and
 * its bytes are the same in either kind and for every instance that is told.
 */

import {
  BOARD_ID_BYTES_MAX,
  type BoardId,
  isBoardId,
  type Reader,
  readMoves,
  readPaths,
  Writer,
  writeMoves,
  writePaths,
} from "@presence-service/protocol";
import type { BoardsMoves, Cursors } from "../core/messages.ts";
import { type Sender, writeHead } from "./head.ts";

export const CURSORS_TAG = 0x15;
export const MOVES_TAG = 0x41;

const writer = new Writer(1024);
const fields = new Writer(1024);

/** The moves of several boards as bytes, a part for each. Its memory is kept, so that a turn of the event loop allocates little. */
export class BoardParts {
  readonly #bytes = new Writer(4096);
  /** Of each part the end, and where its fields of `cursors` begin: its board and their length come before. */
  readonly #ends: number[] = [];
  readonly #fields: number[] = [];

  clear(): void {
    this.#bytes.reset();
    this.#ends.length = this.#fields.length = 0;
  }

  /** The part's number is the count of those before it. Answers its length. */
  add(boardId: BoardId, cursors: Cursors): number {
    const { length } = writeCursors(fields.reset(), cursors);
    const start = this.#bytes.length;
    this.#fields.push(this.#bytes.string(boardId).varint(length).length);
    this.#ends.push(this.#bytes.append(fields, 0, length).length);
    return this.#bytes.length - start;
  }

  lengthOf(part: number): number {
    return this.#endOf(part) - this.#endOf(part - 1);
  }

  /** `cursors`, for the channel of the part's board. */
  cursors(sender: Sender, part: number): Uint8Array<ArrayBuffer> {
    return writeHead(writer.reset(), sender)
      .u8(CURSORS_TAG)
      .append(this.#bytes, this.#fields[part] ?? 0, this.#endOf(part))
      .finish();
  }

  /** `moves` of those of these parts that are from `first` to before `end`. */
  moves(sender: Sender, parts: readonly number[], first: number, end: number): Uint8Array<ArrayBuffer> {
    writeHead(writer.reset(), sender)
      .u8(MOVES_TAG)
      .varint(end - first);
    for (let at = first; at < end; at++) {
      const part = parts[at] ?? 0;
      writer.append(this.#bytes, this.#endOf(part - 1), this.#endOf(part));
    }
    return writer.finish();
  }

  #endOf(part: number): number {
    return this.#ends[part] ?? 0;
  }
}

export function writeCursors(to: Writer, { seq, moves, paths }: Cursors): Writer {
  to.varint(seq);
  writeMoves(to, moves);
  writePaths(to, paths);
  return to;
}

export function readCursors(from: Reader): Cursors {
  return { kind: "cursors", seq: from.varint(), moves: readMoves(from) ?? [], ...readPaths(from) };
}

export function writeBoardsMoves(to: Writer, { boards }: BoardsMoves): void {
  to.varint(boards.length);
  for (const board of boards) to.string(board.boardId).sized((to) => writeCursors(to, board));
}

/** The count may be false: after the first missing byte the reader has failed, and the loop ends. */
export function readBoardsMoves(from: Reader): BoardsMoves {
  const boards: BoardsMoves["boards"][number][] = [];
  for (let left = from.varint(); left > 0 && !from.failed; left--) {
    boardId = readBoardId(from);
    boards.push(from.within(from.varint(), readBoard));
  }
  return { kind: "moves", boards };
}

/** Of the part that is read. */
let boardId = "" as BoardId;

function readBoard(from: Reader): BoardsMoves["boards"][number] {
  const seq = from.varint();
  const moves = readMoves(from) ?? [];
  const { paths } = readPaths(from);
  // Fields of a later release.
  from.skip(from.remaining);
  return paths === undefined ? { kind: "cursors", boardId, seq, moves } : { kind: "cursors", boardId, seq, moves, paths };
}

export function readBoardId(from: Reader): BoardId {
  const text = from.string(BOARD_ID_BYTES_MAX);
  if (!isBoardId(text)) from.fail();
  return text as BoardId;
}
