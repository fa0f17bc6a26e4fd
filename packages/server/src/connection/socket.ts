/**
 * The smallest contract between a connection and its WebSocket (F3). We write whole frames made here, encoded once and shared by many
 * sockets; what the WebSocket library writes of its own accord (pong, close) are whole frames, too, so neither can split the other.
 */

import type { CloseReason } from "@presence-service/protocol";

export interface ClientSocket {
  /** Bytes written that the system has not taken yet. */
  readonly queuedBytes: number;
  /** Whole frames. The bytes may be on their way to other sockets as well: nobody changes them. Ignored once the socket is closed. */
  write(frames: Buffer): void;
  /** What is written until `uncork` leaves in one system call. */
  cork(): void;
  uncork(): void;
  /** A WebSocket ping, for clients that know no other. */
  ping(): void;
  /** Answers one. */
  pong(data: Buffer): void;
  /** Until `resume` nothing more is read; what was read already may still come. */
  pause(): void;
  resume(): void;
  /** Calls back once, when nothing is queued any more. */
  onceDrained(callback: () => void): void;
  /** Says why and ends; nothing is sent afterwards. `Connection.closed` follows. */
  close(reason: CloseReason): void;
  /** Ends at once, whatever is queued. `Connection.closed` follows. */
  terminate(): void;
}

const TEXT = 0x81;
const BINARY = 0x82;

/** One unmasked frame, as servers send them. */
export function binaryFrame(payload: Uint8Array): Buffer {
  return binaryFrameStart(payload, 0);
}

/** A frame whose last `moreBytes` follow as a piece of their own. */
export function binaryFrameStart(payload: Uint8Array, moreBytes: number): Buffer {
  const length = payload.length + moreBytes;
  const start = Buffer.allocUnsafe(headerBytes(length) + payload.length);
  start.set(payload, writeHeader(start, BINARY, length));
  return start;
}

export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(headerBytes(length) + length);
  frame.write(text, writeHeader(frame, TEXT, length));
  return frame;
}

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
}

function writeHeader(into: Buffer, first: number, length: number): number {
  into[0] = first;
  if (length < 126) {
    into[1] = length;
    return 2;
  }
  if (length < 0x1_0000) {
    into[1] = 126;
    return into.writeUInt16BE(length, 2);
  }
  into[1] = 127;
  return into.writeUInt32BE(length, into.writeUInt32BE(Math.floor(length / 0x1_0000_0000), 2));
}
