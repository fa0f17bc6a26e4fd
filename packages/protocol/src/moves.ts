/**
 * Cursors in bytes, for clients and for the bus: a head (a varint of the number and the flags "wide" and "hidden"), then nothing, two u16
 * or two i32. This is the hot path: many cursors are one flat array `number, x, y, number, x, y …`, and nothing is allocated per cursor.
 */

import type { Reader, Writer } from "./bytes.ts";
import type { Point } from "./domain.ts";
import { COORDINATE_MAX, COORDINATE_U16_MAX, U32_MAX } from "./limits.ts";
import type { CursorMove } from "./messages.ts";

/** The x of a hidden cursor in flat moves (y is then 0). No coordinate has this value. */
export const HIDDEN = -0x8000_0000;

/** Writes how many they are, and flat triples. Coordinates out of range are clamped. */
export function writeMoves(to: Writer, moves: readonly number[]): void {
  to.varint(Math.floor(moves.length / 3));
  for (let at = 0; at + 2 < moves.length; at += 3) writeMove(to, moves[at] ?? 0, moves[at + 1] ?? 0, moves[at + 2] ?? 0);
}

/** Flat triples; `undefined` if they are not well formed. The count may be false: after the first missing byte the loop ends. */
export function readMoves(from: Reader): number[] | undefined {
  const moves: number[] = [];
  for (let left = from.varint(U32_MAX); left > 0 && !from.failed; left--) {
    const head = from.varint(U32_MAX);
    const x = readX(from, head);
    moves.push(head >>> 2, x, readY(from, head, x));
  }
  return from.failed ? undefined : moves;
}

/** Rounds and clamps to the range of the wire; NaN becomes 0. */
export function coordinate(value: number): number {
  const rounded = Math.round(Math.min(Math.max(value, -COORDINATE_MAX), COORDINATE_MAX));
  return rounded || 0; // NaN and −0
}

const HIDDEN_FLAG = 1;
const WIDE_FLAG = 2;
/** The largest head of a cursor without a number. */
export const BARE_HEAD_MAX = HIDDEN_FLAG | WIDE_FLAG;

export function writeMove(to: Writer, number: number, x: number, y: number): void {
  if (x === HIDDEN) {
    to.varint(number * 4 + HIDDEN_FLAG);
  } else if (isU16(x) && isU16(y)) {
    to.varint(number * 4)
      .u16(x)
      .u16(y);
  } else {
    const nearX = coordinate(x);
    const nearY = coordinate(y);
    if (isU16(nearX) && isU16(nearY))
      to.varint(number * 4)
        .u16(nearX)
        .u16(nearY);
    else
      to.varint(number * 4 + WIDE_FLAG)
        .i32(nearX)
        .i32(nearY);
  }
}

/** Reads the place after a head whose number is `head >>> 2`; `null`: hidden. */
export function readPoint(from: Reader, head: number): Point | null {
  const x = readX(from, head);
  const y = readY(from, head, x);
  return x === HIDDEN ? null : { x, y };
}

export function readMove(from: Reader): CursorMove {
  const head = from.varint(U32_MAX);
  return { actor: head >>> 2, at: readPoint(from, head) };
}

export function readX(from: Reader, head: number): number {
  if (head & HIDDEN_FLAG) {
    if (head & WIDE_FLAG) from.fail();
    return HIDDEN;
  }
  return head & WIDE_FLAG ? wide(from) : from.u16();
}

export function readY(from: Reader, head: number, x: number): number {
  if (head & HIDDEN_FLAG) return 0;
  if (!(head & WIDE_FLAG)) return from.u16();
  const y = wide(from);
  if (isU16(x) && isU16(y)) from.fail(); // these coordinates have a shorter form
  return y;
}

function wide(from: Reader): number {
  const value = from.i32();
  if (value === HIDDEN) from.fail();
  return value;
}

function isU16(value: number): boolean {
  return value >= 0 && value <= COORDINATE_U16_MAX;
}
