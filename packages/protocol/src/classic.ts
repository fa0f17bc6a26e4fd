/**
 * The eight fixed messages of clients that offer no subprotocol; their bytes never change (big-endian).
 * A wrong length or an unknown type decodes to `undefined`: the server counts and ignores the message, and keeps the connection.
 */

import type { CursorInput } from "./binary.ts";
import type { Bytes } from "./bytes.ts";
import { CLASSIC_USERNAME_BYTES_MAX, COORDINATE_U16_MAX } from "./limits.ts";

export type ClassicMessage =
  /** 0x01 client → server, 7 bytes. */
  | { readonly kind: "cursor_update"; readonly board: number; readonly x: number; readonly y: number }
  /** 0x02 server → client, 8 bytes. */
  | { readonly kind: "cursor_broadcast"; readonly board: number; readonly user: number; readonly x: number; readonly y: number }
  /** 0x03 client → server, 4–36 bytes. */
  | { readonly kind: "join"; readonly board: number; readonly username: string }
  /** 0x04 client → server, 3 bytes. */
  | { readonly kind: "leave"; readonly board: number }
  /** 0x05 server → client, 8–40 bytes; `color` is `#rrggbb`. */
  | { readonly kind: "user_joined"; readonly board: number; readonly user: number; readonly username: string; readonly color: string }
  /** 0x06 server → client, 4 bytes. */
  | { readonly kind: "user_left"; readonly board: number; readonly user: number }
  /** 0x07 server → client, 4 bytes. */
  | { readonly kind: "presence_update"; readonly board: number; readonly count: number }
  /** 0x08 both directions, 1 byte. */
  | { readonly kind: "heartbeat" };

/** Length of a `cursor_broadcast`. */
export const CLASSIC_CURSOR_BYTES = 8;

const cursor: CursorInput = { board: 0, x: 0, y: 0 };
const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

export function encodeClassic(message: ClassicMessage): Bytes {
  switch (message.kind) {
    case "cursor_update":
      return Uint8Array.of(0x01, ...u16(message.board), ...u16(message.x), ...u16(message.y));
    case "cursor_broadcast": {
      const bytes = new Uint8Array(CLASSIC_CURSOR_BYTES);
      writeClassicCursor(bytes, 0, message.board, message.user, message.x, message.y);
      return bytes;
    }
    case "join": {
      const name = classicName(message.username);
      return Uint8Array.of(0x03, ...u16(message.board), name.length, ...name);
    }
    case "leave":
      return Uint8Array.of(0x04, ...u16(message.board));
    case "user_joined": {
      const name = classicName(message.username);
      const rgb = Number.parseInt(message.color.slice(1), 16);
      return Uint8Array.of(0x05, ...u16(message.board), message.user, name.length, ...name, rgb >> 16, (rgb >> 8) & 0xff, rgb & 0xff);
    }
    case "user_left":
      return Uint8Array.of(0x06, ...u16(message.board), message.user);
    case "presence_update":
      return Uint8Array.of(0x07, ...u16(message.board), message.count);
    case "heartbeat":
      return Uint8Array.of(0x08);
  }
}

/** Both directions; `undefined` for anything that is not exactly one of the eight. Never throws. */
export function decodeClassic(bytes: Uint8Array): ClassicMessage | undefined {
  const at = (index: number) => bytes[index] ?? 0;
  const u16At = (index: number) => (at(index) << 8) | at(index + 1);
  switch (bytes[0]) {
    case 0x01:
      return readClassicCursor(bytes, cursor) ? { kind: "cursor_update", ...cursor } : undefined;
    case 0x02:
      return bytes.length === CLASSIC_CURSOR_BYTES
        ? { kind: "cursor_broadcast", board: u16At(1), user: at(3), x: u16At(4), y: u16At(6) }
        : undefined;
    case 0x03: {
      if (bytes.length < 4 || at(3) > CLASSIC_USERNAME_BYTES_MAX || bytes.length !== 4 + at(3)) return undefined;
      const username = text(bytes.subarray(4));
      return username === undefined ? undefined : { kind: "join", board: u16At(1), username };
    }
    case 0x04:
      return bytes.length === 3 ? { kind: "leave", board: u16At(1) } : undefined;
    case 0x05: {
      const length = at(4);
      if (bytes.length < 8 || length > CLASSIC_USERNAME_BYTES_MAX || bytes.length !== 8 + length) return undefined;
      const username = text(bytes.subarray(5, 5 + length));
      if (username === undefined) return undefined;
      const rgb = (at(5 + length) << 16) | (at(6 + length) << 8) | at(7 + length);
      return { kind: "user_joined", board: u16At(1), user: at(3), username, color: `#${rgb.toString(16).padStart(6, "0")}` };
    }
    case 0x06:
      return bytes.length === 4 ? { kind: "user_left", board: u16At(1), user: at(3) } : undefined;
    case 0x07:
      return bytes.length === 4 ? { kind: "presence_update", board: u16At(1), count: at(3) } : undefined;
    case 0x08:
      return bytes.length === 1 ? { kind: "heartbeat" } : undefined;
    default:
      return undefined;
  }
}

/** Reads a `cursor_update` without creating an object. `false`: another message, or not well formed; `into` is then as it was. */
export function readClassicCursor(bytes: Uint8Array, into: CursorInput): boolean {
  if (bytes[0] !== 0x01 || bytes.length !== 7) return false;
  into.board = ((bytes[1] ?? 0) << 8) | (bytes[2] ?? 0);
  into.x = ((bytes[3] ?? 0) << 8) | (bytes[4] ?? 0);
  into.y = ((bytes[5] ?? 0) << 8) | (bytes[6] ?? 0);
  return true;
}

/** Writes a `cursor_broadcast` and answers where it ends. Nothing is allocated. Coordinates out of range are clamped. */
export function writeClassicCursor(to: Uint8Array, at: number, board: number, user: number, x: number, y: number): number {
  const nearX = clampU16(x);
  const nearY = clampU16(y);
  to[at] = 0x02;
  to[at + 1] = board >> 8;
  to[at + 2] = board;
  to[at + 3] = user;
  to[at + 4] = nearX >> 8;
  to[at + 5] = nearX;
  to[at + 6] = nearY >> 8;
  to[at + 7] = nearY;
  return at + CLASSIC_CURSOR_BYTES;
}

/** UTF-8, cut at a code point so that it fits. */
export function classicName(username: string): Uint8Array {
  const bytes = encoder.encode(username);
  if (bytes.length <= CLASSIC_USERNAME_BYTES_MAX) return bytes;
  let end = CLASSIC_USERNAME_BYTES_MAX;
  while (((bytes[end] ?? 0) & 0xc0) === 0x80) end--;
  return bytes.subarray(0, end);
}

function u16(value: number): [number, number] {
  return [(value >> 8) & 0xff, value & 0xff];
}

function clampU16(value: number): number {
  return Math.min(Math.max(value, 0), COORDINATE_U16_MAX);
}

function text(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
