/**
 * Reads the frames of one client after its handshake: RFC 6455, the side of a server without extensions. A frame that was read as a whole
 * costs nothing but a view of its payload, which is unmasked in place. Something is kept only while a frame or a message is incomplete.
 * This file knows nothing of sockets, and what is wrong with bytes is all that it judges.
 */

import { isUtf8 } from "node:buffer";

export type FrameBounds = {
  /** Of a message, however many frames it comes in. */
  readonly messageBytesMax: number;
  /** Frames of one message, those without a payload included. */
  readonly fragmentsMax: number;
  /** Reads that the payload of one frame comes in. */
  readonly piecesMax: number;
};

/** A fault of the bytes, as the code of the close frame that the client is sent: the protocol, the text, too many pieces, too many bytes. */
export type FrameFault = 1002 | 1007 | 1008 | 1009;

/** The side that frames are handed to. A call of `closing` or `broken` is the last one. */
export interface FrameTaker {
  /** Kept by `readFrames` from one call to the next; nobody else touches it. */
  unfinished: Unfinished | undefined;
  /** False: the next frame is not wanted yet, or never. Asked before each frame. */
  readonly takesFrames: boolean;
  /** `data` may be a view of everything that was read with it. */
  message(data: Buffer, isBinary: boolean): void;
  pinged(data: Buffer): void;
  ponged(): void;
  /** A close frame came. `code`: 1005 if it has none. */
  closing(code: number, payload: Buffer): void;
  broken(fault: FrameFault): void;
}

const TEXT = 1;
const BINARY = 2;
const CLOSE = 8;
const PING = 9;
const PONG = 10;
const CONTROL_BYTES_MAX = 125;
/** The code of a close frame without one. */
const NO_CODE = 1005;

/** Takes bytes as they were read, and answers the rest that the taker did not want yet; undefined: there is none. */
export function readFrames(taker: FrameTaker, read: Buffer, bounds: FrameBounds): Buffer | undefined {
  let bytes = read;
  let at = 0;
  const { unfinished } = taker;
  if (unfinished !== undefined) {
    if (unfinished.left > 0) {
      if (unfinished.pieces >= bounds.piecesMax) at = broken(taker, bytes, 1008);
      else at = takePayload(taker, unfinished, bytes, 0, bounds);
    } else if (unfinished.held.length > 0) {
      bytes = Buffer.concat([unfinished.held, read]);
      unfinished.held = NOTHING;
      if (unfinished.opcode === 0) taker.unfinished = undefined;
    }
  }
  while (at < bytes.length && taker.takesFrames) at = readFrame(taker, bytes, at, bounds);
  return at < bytes.length ? bytes.subarray(at) : undefined;
}

/** Reads the frame that begins at `at`, as far as it is there. Answers where the next one begins. */
function readFrame(taker: FrameTaker, bytes: Buffer, at: number, bounds: FrameBounds): number {
  const end = bytes.length;
  if (end < at + 2) return hold(taker, bytes, at);
  const first = bytes[at] as number;
  const second = bytes[at + 1] as number;
  const opcode = first & 0x0f;
  const isFinal = first >= 0x80;
  const { unfinished } = taker;
  const hasReserved = (first & 0x70) !== 0;
  const isMasked = second >= 0x80;
  let length = second & 0x7f;
  if (hasReserved || !isMasked || !mayCome(opcode, isFinal, length, unfinished !== undefined)) return broken(taker, bytes, 1002);
  let keyAt = at + 2;
  if (length === 126) {
    keyAt += 2;
    if (end < keyAt) return hold(taker, bytes, at);
    length = bytes.readUInt16BE(at + 2);
  } else if (length === 127) {
    keyAt += 8;
    if (end < keyAt) return hold(taker, bytes, at);
    // Rounded above 2^53, where it is far too large anyway.
    length = bytes.readUInt32BE(at + 2) * 0x1_0000_0000 + bytes.readUInt32BE(at + 6);
  }
  const isControl = opcode >= CLOSE;
  if (!isControl && (unfinished?.length ?? 0) + length > bounds.messageBytesMax) return broken(taker, bytes, 1009);
  const start = keyAt + 4;
  const next = start + length;
  if (end < start || (isControl && end < next)) return hold(taker, bytes, at);
  const key = bytes.readInt32LE(keyAt);
  if (isControl || (isFinal && unfinished === undefined && next <= end)) {
    for (let nth = 0; nth < length; nth++) bytes[start + nth] = (bytes[start + nth] as number) ^ (key >>> ((nth & 3) << 3));
    const payload = bytes.subarray(start, next);
    if (isControl) handControl(taker, opcode, payload);
    else handMessage(taker, opcode, payload);
    return next;
  }
  const begun = unfinished ?? new Unfinished(opcode);
  taker.unfinished = begun;
  begun.isFinal = isFinal;
  begun.left = length;
  begun.pieces = 0;
  begun.key = key;
  return takePayload(taker, begun, bytes, start, bounds);
}

/** `isWithin`: between the frames of a message. */
function mayCome(opcode: number, isFinal: boolean, length: number, isWithin: boolean): boolean {
  if (opcode === CLOSE) return isFinal && length <= CONTROL_BYTES_MAX && length !== 1;
  if (opcode === PING || opcode === PONG) return isFinal && length <= CONTROL_BYTES_MAX;
  return isWithin ? opcode === 0 : opcode === TEXT || opcode === BINARY;
}

function takePayload(taker: FrameTaker, unfinished: Unfinished, bytes: Buffer, start: number, bounds: FrameBounds): number {
  const next = unfinished.take(bytes, start);
  if (unfinished.left > 0) return next;
  if (++unfinished.fragments > bounds.fragmentsMax) return broken(taker, bytes, 1008);
  if (!unfinished.isFinal) return next;
  taker.unfinished = undefined;
  handMessage(taker, unfinished.opcode, unfinished.payload.subarray(0, unfinished.length));
  return next;
}

function handMessage(taker: FrameTaker, opcode: number, data: Buffer): void {
  if (opcode === TEXT && !isUtf8(data)) broken(taker, data, 1007);
  else taker.message(data, opcode === BINARY);
}

function handControl(taker: FrameTaker, opcode: number, data: Buffer): void {
  if (opcode === PING) return taker.pinged(data);
  if (opcode === PONG) return taker.ponged();
  const code = data.length === 0 ? NO_CODE : data.readUInt16BE(0);
  if (data.length > 0 && !isCodeOfClients(code)) return void broken(taker, data, 1002);
  if (!isUtf8(data.subarray(2))) return void broken(taker, data, 1007);
  taker.unfinished = undefined;
  taker.closing(code, data);
}

/** The codes that may stand in a close frame (RFC 6455, 7.4, and the registry of IANA). */
function isCodeOfClients(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== 1006;
}

/** Answers the end of these bytes: nothing is read after a fault. */
function broken(taker: FrameTaker, bytes: Buffer, fault: FrameFault): number {
  taker.unfinished = undefined;
  taker.broken(fault);
  return bytes.length;
}

/** Keeps the beginning of a frame: 138 bytes at most. They are copied, as a view would keep alive everything that was read with them. */
function hold(taker: FrameTaker, bytes: Buffer, at: number): number {
  taker.unfinished ??= new Unfinished(0);
  taker.unfinished.held = copyOf(bytes, at);
  return bytes.length;
}

function copyOf(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length - at);
  bytes.copy(copy, 0, at);
  return copy;
}

const NOTHING = Buffer.alloc(0);
/** Room is made for so much at first, and then for twice as much each time. So a client cannot make us hold much more than it has sent. */
const ROOM_BYTES_MIN = 256;

/** A message and a frame, as far as they have come. */
export class Unfinished {
  /** TEXT or BINARY; 0: no message has begun, and only `held` counts. */
  readonly opcode: number;
  /** The beginning of a frame whose header is incomplete, or of a control frame. */
  held: Buffer = NOTHING;
  /** The message so far is the first `length` bytes of this, unmasked. */
  payload: Buffer = NOTHING;
  length = 0;
  /** Whole frames of this message. */
  fragments = 0;
  /** The frame that is coming in: bytes that are missing; reads that brought some; whether it is the last one; its masking key. */
  left = 0;
  pieces = 0;
  isFinal = false;
  key = 0;

  constructor(opcode: number) {
    this.opcode = opcode;
  }

  /** Takes what belongs to this frame. Answers where that ends. */
  take(bytes: Buffer, start: number): number {
    const count = Math.min(this.left, bytes.length - start);
    if (count === 0) return start;
    this.#makeRoom(count);
    const { payload, length, key } = this;
    for (let nth = 0; nth < count; nth++) payload[length + nth] = (bytes[start + nth] as number) ^ (key >>> ((nth & 3) << 3));
    // The rest of the frame begins with the byte of the key that is next.
    const shift = (count & 3) << 3;
    if (shift > 0) this.key = (key >>> shift) | (key << (32 - shift));
    this.length += count;
    this.left -= count;
    this.pieces++;
    return start + count;
  }

  #makeRoom(count: number): void {
    const needed = this.length + count;
    if (needed <= this.payload.length) return;
    const room = Buffer.allocUnsafeSlow(Math.min(this.length + this.left, Math.max(needed, 2 * this.payload.length, ROOM_BYTES_MIN)));
    this.payload.copy(room, 0, 0, this.length);
    this.payload = room;
  }
}
