/**
 * The smallest contract between a connection and its WebSocket, and the frames that it writes: whole ones, encoded once and shared by
 * many sockets.
 */

import type { CloseReason } from "@presence-service/protocol";

export interface ClientSocket {
  /** Bytes written that the system has not taken yet. */
  readonly queuedBytes: number;
  /** Writes whole frames. Other sockets may be sent the same bytes, so they must not be changed. Ignored once the socket is closed. */
  write(frames: Buffer): void;
  /** Holds writes back until `uncork`; then they leave in one system call. */
  cork(): void;
  uncork(): void;
  /** Sends a WebSocket ping, to classic clients. */
  ping(): void;
  /** Answers a WebSocket ping. */
  pong(data: Buffer): void;
  /** Stops reading until `resume`. If the socket breaks meanwhile, messages that were read already may still come. */
  pause(): void;
  resume(): void;
  /** Calls back once, when nothing is queued any more. */
  onceDrained(callback: () => void): void;
  /** Sends a close frame and ends; nothing is sent afterwards. `Connection.closed` follows. */
  close(reason: CloseReason): void;
  /** Ends at once, even if frames are queued. `Connection.closed` follows. */
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
  return frameStart(BINARY, payload, moreBytes);
}

export function textFrameStart(payload: Uint8Array, moreBytes: number): Buffer {
  return frameStart(TEXT, payload, moreBytes);
}

function frameStart(first: number, payload: Uint8Array, moreBytes: number): Buffer {
  const length = payload.length + moreBytes;
  const start = Buffer.allocUnsafe(headerBytes(length) + payload.length);
  start.set(payload, writeHeader(start, 0, first, length));
  return start;
}

export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const frame = Buffer.allocUnsafe(frameBytes(length));
  frame.write(text, writeHeader(frame, 0, TEXT, length));
  return frame;
}

/** The first bytes of control frames. Their payload has 125 bytes at most. */
export const CONTROL = { close: 0x88, ping: 0x89, pong: 0x8a } as const;

export function controlFrame(kind: (typeof CONTROL)[keyof typeof CONTROL], payload: Uint8Array): Buffer {
  return frameStart(kind, payload, 0);
}

/** The length of a frame with so many bytes of payload. */
export function frameBytes(length: number): number {
  return headerBytes(length) + length;
}

/** Begins a frame in place. Answers where its payload begins. */
export function writeBinaryHeader(to: Buffer, at: number, length: number): number {
  return writeHeader(to, at, BINARY, length);
}

function headerBytes(length: number): number {
  return length < 126 ? 2 : length < 0x1_0000 ? 4 : 10;
}

function writeHeader(to: Buffer, at: number, first: number, length: number): number {
  to[at] = first;
  if (length < 126) {
    to[at + 1] = length;
    return at + 2;
  }
  if (length < 0x1_0000) {
    to[at + 1] = 126;
    return to.writeUInt16BE(length, at + 2);
  }
  to[at + 1] = 127;
  return to.writeUInt32BE(length, to.writeUInt32BE(Math.floor(length / 0x1_0000_0000), at + 2));
}
