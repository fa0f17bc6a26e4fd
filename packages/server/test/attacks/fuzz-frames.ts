/**
 * Frames of a WebSocket for fuzz.ts. Bytes are read twice, as a whole and in pieces, the second time by a side that does not want all of it at
 * once. Both times the same must be heard.
 */

import { type FrameBounds, type FrameTaker, readFrames, type Unfinished } from "../../src/edge/frames.ts";

/** No bound of pieces, as the pieces are what differs. */
const BOUNDS: FrameBounds = { messageBytesMax: 16_384, fragmentsMax: 64, piecesMax: Number.POSITIVE_INFINITY };
/** Room is made for 256 bytes at first, and then for twice as much as has come. */
const ROOM_BYTES_MAX = 256 + 2 * BOUNDS.messageBytesMax;

/** Throws if the two readings differ, or too much is kept. */
export function readWebSocket(bytes: Buffer): void {
  const whole = new Heard(Number.POSITIVE_INFINITY);
  whole.read(bytes);
  const inPieces = new Heard(1 + (bytes.length % 3));
  for (let at = 0, nth = 0; at < bytes.length; nth++) {
    const length = 1 + ((bytes[(nth * 7) % bytes.length] as number) % 50);
    inPieces.read(bytes.subarray(at, at + length));
    at += length;
  }
  const [expected, heard] = [whole.heard.join("\n"), inPieces.heard.join("\n")];
  if (heard !== expected) throw new Error(`in pieces it is ${heard}, and as a whole ${expected}`);
}

class Heard implements FrameTaker {
  unfinished: Unfinished | undefined;
  takesFrames = true;
  readonly heard: string[] = [];
  readonly #restsAfter: number;
  #isOver = false;

  constructor(restsAfter: number) {
    this.#restsAfter = restsAfter;
  }

  read(bytes: Buffer): void {
    // Copied, as payloads are unmasked in place.
    for (let rest: Buffer | undefined = Buffer.from(bytes); rest !== undefined && !this.#isOver; ) {
      this.takesFrames = true;
      const before: number = rest.length;
      rest = readFrames(this, rest, BOUNDS);
      if (rest?.length === before && !this.#isOver) throw new Error("it does not go on");
    }
    const { unfinished } = this;
    if (this.#isOver && unfinished !== undefined) throw new Error("something is kept after the end");
    if ((unfinished?.held.length ?? 0) > 138) throw new Error("more is held than the longest header and control frame");
    if ((unfinished?.payload.length ?? 0) > ROOM_BYTES_MAX) throw new Error("there is more room than for a message");
  }

  message(data: Buffer, isBinary: boolean): void {
    if (data.length > BOUNDS.messageBytesMax) throw new Error("a message is too large");
    this.#hear(`${isBinary ? "binary" : "text"} ${data.toString("hex")}`);
  }

  pinged(data: Buffer): void {
    this.#hear(`ping ${data.toString("hex")}`);
  }

  ponged(): void {
    this.#hear("pong");
  }

  closing(code: number, payload: Buffer): void {
    this.#hear(`close ${code} ${payload.toString("hex")}`);
    this.#end();
  }

  broken(fault: number): void {
    this.#hear(`broken ${fault}`);
    this.#end();
  }

  #hear(words: string): void {
    if (this.#isOver) throw new Error(`${words} after the end`);
    this.heard.push(words);
    if (this.heard.length % this.#restsAfter === 0) this.takesFrames = false;
  }

  #end(): void {
    this.#isOver = true;
    this.takesFrames = false;
  }
}

/** Bytes that clients send: messages of all lengths, whole and in frames, with control frames in between, and closes. */
export function framesOfClients(): Buffer[] {
  const lengths = [0, 1, 5, 125, 126, 127, 300, 16_384, 16_385].map((length) => Buffer.alloc(length, "é"));
  const pieces = [frame(1, "on", { isFinal: false }), frame(9, "?"), frame(0, "e ", { isFinal: false }), frame(10), frame(0, "two")];
  return [
    ...lengths.flatMap((payload) => [frame(1, payload), frame(2, payload, { key: 0x7f_03_91_c4 })]),
    Buffer.concat(pieces),
    Buffer.concat([...pieces, frame(2, "three"), frame(8, Buffer.of(3, 0xe8))]),
    Buffer.concat([frame(2, "a", { key: 1 }), frame(2, "bc", { key: 2 }), frame(9, "d"), frame(1, "\ud83d\ude00")]),
    frame(8),
    frame(8, Buffer.from("\u0003\u00e9away", "latin1")),
    frame(2, Buffer.alloc(40), { flags: 0x40 }),
    Buffer.concat(Array.from({ length: 66 }, (_, nth) => frame(nth === 0 ? 1 : 0, "", { isFinal: false }))),
  ];
}

type Form = { readonly isFinal?: boolean; readonly key?: number; readonly flags?: number };

function frame(opcode: number, text: Uint8Array | string = "", { isFinal = true, key = 0, flags = 0 }: Form = {}): Buffer {
  const payload = Buffer.from(text);
  const mask = Buffer.alloc(4);
  mask.writeInt32BE(key);
  for (const [at, byte] of payload.entries()) payload[at] = byte ^ (mask[at % 4] as number);
  const long = payload.length < 126 ? [] : [payload.length >> 8, payload.length & 0xff];
  const header = [(isFinal ? 0x80 : 0) | flags | opcode, 0x80 | (long.length > 0 ? 126 : payload.length), ...long];
  return Buffer.concat([Buffer.of(...header), mask, payload]);
}
