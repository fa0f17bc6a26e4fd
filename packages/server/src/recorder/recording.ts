/**
 * The form of a recording: segments, each of a checkpoint and the calls after it. A call is a byte that says which, then its numbers; an
 * input is JSON. Boards and instances go by numbers, each introduced before its first use. Every input carries a digest of all answers
 * since the segment began, so a replay knows where it differs.
 */

import { deserialize, serialize } from "node:v8";
import { gunzipSync } from "node:zlib";
import type { BoardId, CursorPath, InstanceId, Millis } from "@presence-service/protocol";
import type { Input } from "../core/effects.ts";
import type { Cursors } from "../core/messages.ts";

export const FORMAT = 1;

/** One call of a core that may change it. */
export type Call =
  | { readonly kind: "handle"; readonly input: Input; readonly now: Millis; readonly wallNow: Millis; readonly digest: number }
  | {
      readonly kind: "mark";
      readonly boardId: BoardId;
      readonly actor: number;
      readonly x: number;
      readonly y: number;
      readonly now: Millis;
      readonly path?: CursorPath | undefined;
    }
  | { readonly kind: "take"; readonly boardId: BoardId }
  | { readonly kind: "takeOwn"; readonly boardId: BoardId; readonly now: Millis };

export type Segment = {
  /** `written` of the core, serialized; undefined: it goes on from the segment before. */
  readonly checkpoint: Uint8Array | undefined;
  readonly calls: Uint8Array;
};

export type Recording = {
  readonly format: number;
  /** Of the service: only the same one can replay it. */
  readonly version: string;
  readonly instanceId: InstanceId;
  readonly why: string;
  /** When it was written: milliseconds since 1970. */
  readonly at: Millis;
  readonly segments: readonly Segment[];
};

const OP = { name: 0, handle: 1, cursors: 2, mark: 3, take: 4, takeOwn: 5, path: 6 } as const;
/** Names in one segment: they take memory beside it. */
const NAMES_MAX = 10_000;

/** Writes calls into memory that it was given. Each method answers false if there is no room: then nothing was written. */
export class Tape {
  readonly #bytes: Buffer;
  readonly #names = new Map<string, number>();
  #end: number;
  readonly checkpoint: Uint8Array | undefined;

  /** `checkpoint` is copied to the front. */
  constructor(bytes: Buffer, checkpoint: Uint8Array | undefined) {
    this.#bytes = bytes;
    this.#end = checkpoint?.length ?? 0;
    if (checkpoint !== undefined) bytes.set(checkpoint);
    this.checkpoint = checkpoint && bytes.subarray(0, this.#end);
  }

  /** Its memory, for the next tape. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  get calls(): Uint8Array {
    return this.#bytes.subarray(this.checkpoint?.length ?? 0, this.#end);
  }

  /** To be called before the core gets the input, as it may change the input. `digested` completes it. */
  handle(input: Input, now: Millis, wallNow: Millis): boolean {
    if (input.kind === "heard" && input.message.kind === "cursors" && input.message.paths === undefined && input.boardId !== undefined) {
      const { message, boardId, from, link } = input;
      if (!this.#has(72 + 4 * message.moves.length, boardId, from)) return false;
      const [board, owner] = [this.#nameOf(boardId), this.#nameOf(from)];
      this.#begin(OP.cursors, now, wallNow);
      this.#u32(board);
      this.#u32(owner);
      this.#f64(link);
      this.#f64(message.seq);
      this.#u32(message.moves.length);
      for (const number of message.moves) this.#end = this.#bytes.writeInt32LE(number, this.#end);
      return true;
    }
    const json = JSON.stringify(input);
    // Three bytes a character at most.
    if (!this.#has(25 + 3 * json.length)) return false;
    this.#begin(OP.handle, now, wallNow);
    const length = this.#bytes.write(json, this.#end + 4);
    this.#u32(length);
    this.#end += length;
    return true;
  }

  mark(boardId: BoardId, actor: number, x: number, y: number, now: Millis, path?: CursorPath): boolean {
    if (path !== undefined) return this.#pathTo({ kind: "mark", boardId, actor, x, y, now, path });
    if (!this.#has(25, boardId)) return false;
    const board = this.#nameOf(boardId);
    this.#bytes[this.#end++] = OP.mark;
    this.#u32(board);
    this.#u32(actor);
    this.#end = this.#bytes.writeInt32LE(x, this.#end);
    this.#end = this.#bytes.writeInt32LE(y, this.#end);
    this.#f64(now);
    return true;
  }

  /** A move with a path is rare, and as JSON. */
  #pathTo(call: Extract<Call, { kind: "mark" }>): boolean {
    const json = JSON.stringify(call);
    if (!this.#has(5 + 3 * json.length)) return false;
    this.#bytes[this.#end++] = OP.path;
    const length = this.#bytes.write(json, this.#end + 4);
    this.#u32(length);
    this.#end += length;
    return true;
  }

  take(boardId: BoardId): boolean {
    if (!this.#has(5, boardId)) return false;
    const board = this.#nameOf(boardId);
    this.#bytes[this.#end++] = OP.take;
    this.#u32(board);
    return true;
  }

  takeOwn(boardId: BoardId, now: Millis): boolean {
    if (!this.#has(13, boardId)) return false;
    const board = this.#nameOf(boardId);
    this.#bytes[this.#end++] = OP.takeOwn;
    this.#u32(board);
    this.#f64(now);
    return true;
  }

  /** The digest of the answers, the one to the last input included. */
  digested(digest: number): void {
    this.#bytes.writeInt32LE(digest, this.#digestAt);
  }

  #digestAt = 0;

  #begin(op: number, now: Millis, wallNow: Millis): void {
    this.#bytes[this.#end++] = op;
    this.#f64(now);
    this.#f64(wallNow);
    this.#digestAt = this.#end;
    this.#end += 4;
  }

  #has(bytes: number, ...names: readonly string[]): boolean {
    let needed = bytes;
    for (const name of names) if (!this.#names.has(name)) needed += 5 + 3 * name.length;
    return this.#end + needed <= this.#bytes.length && this.#names.size + names.length <= NAMES_MAX;
  }

  #nameOf(name: string): number {
    const known = this.#names.get(name);
    if (known !== undefined) return known;
    const number = this.#names.size;
    this.#names.set(name, number);
    this.#bytes[this.#end++] = OP.name;
    const length = this.#bytes.write(name, this.#end + 4);
    this.#u32(length);
    this.#end += length;
    return number;
  }

  #u32(number: number): void {
    this.#end = this.#bytes.writeUInt32LE(number, this.#end);
  }

  #f64(number: number): void {
    this.#end = this.#bytes.writeDoubleLE(number, this.#end);
  }
}

export function* callsOf({ calls }: Segment): Iterable<Call> {
  const bytes = Buffer.from(calls.buffer, calls.byteOffset, calls.length);
  const names: string[] = [];
  let at = 0;
  const past = (size: number) => {
    at += size;
    return at - size;
  };
  const u32 = () => bytes.readUInt32LE(past(4));
  const i32 = () => bytes.readInt32LE(past(4));
  const f64 = () => bytes.readDoubleLE(past(8));
  const text = () => {
    const length = u32();
    const from = past(length);
    return bytes.toString("utf8", from, at);
  };
  const name = () => names[u32()] as string;
  while (at < bytes.length) {
    const op = bytes[at++];
    switch (op) {
      case OP.name:
        names.push(text());
        break;
      case OP.handle: {
        const [now, wallNow, digest] = [f64(), f64(), i32()];
        yield { kind: "handle", now, wallNow, digest, input: JSON.parse(text()) as Input };
        break;
      }
      case OP.cursors: {
        const [now, wallNow, digest] = [f64(), f64(), i32()];
        const [boardId, from, link, seq] = [name() as BoardId, name() as InstanceId, f64(), f64()];
        const message: Cursors = { kind: "cursors", seq, moves: Array.from({ length: u32() }, i32) };
        yield { kind: "handle", now, wallNow, digest, input: { kind: "heard", boardId, from, link, message } };
        break;
      }
      case OP.mark:
        yield { kind: "mark", boardId: name() as BoardId, actor: u32(), x: i32(), y: i32(), now: f64() };
        break;
      case OP.path:
        yield JSON.parse(text()) as Call;
        break;
      case OP.take:
        yield { kind: "take", boardId: name() as BoardId };
        break;
      case OP.takeOwn:
        yield { kind: "takeOwn", boardId: name() as BoardId, now: f64() };
        break;
      default:
        throw new Error(`no call begins with ${op}: the file is damaged, or of another version`);
    }
  }
}

export function recordingAsBytes(recording: Recording): Buffer {
  return serialize(recording);
}

/** Throws a sentence if the file holds no recording. */
export function readRecording(file: Uint8Array): Recording {
  let recording: Partial<Recording> | undefined;
  try {
    recording = deserialize(gunzipSync(file));
  } catch {}
  if (recording?.format !== FORMAT) throw new Error("this is no recording, or one of another version");
  return recording as Recording;
}
