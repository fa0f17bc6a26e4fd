/**
 * The form of a recording: segments, each of a checkpoint and the calls after it. A call is a word that says which, then its numbers; an
 * input is JSON. Boards and instances go by numbers, each introduced before its first use. Every input carries a digest of all answers
 * since the segment began, so a replay knows where it differs.
 */

import { deserialize, serialize } from "node:v8";
import { gunzipSync, inflateRawSync } from "node:zlib";
import type { BoardId, CursorPath, InstanceId, Millis } from "@presence-service/protocol";
import type { Input } from "../core/effects.ts";
import type { BoardsMoves, Cursors } from "../core/messages.ts";

export const FORMAT = 3;

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
  /** The calls are deflated. */
  readonly isPacked: boolean;
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

const OP = { name: 0, handle: 1, cursors: 2, mark: 3, take: 4, takeOwn: 5, path: 6, moves: 7 } as const;
/** A call begins with a word of 32 bits: these bits say which it is, and the bits above which board, if it is of one, or of how many. */
const OP_BITS = 3;
const OP_MASK = (1 << OP_BITS) - 1;
/** Names in one segment: they take memory beside it. */
const NAMES_MAX = 10_000;
const WORD_BYTES = 4;
const NO_ROOM = -1;

/** To write a double as two words. */
const DOUBLE = new Float64Array(1);
const HALVES = new Int32Array(DOUBLE.buffer);

/**
 * Writes calls into memory that it was given. Each method answers false if there is no room: then the call was not written. Words are of 32 bits and
 * written by assignment, as most calls are of moves and come by the thousand: the writing methods of `Buffer` cost several times as much.
 */
export class Tape {
  readonly #bytes: Buffer;
  readonly #words: Int32Array;
  readonly #names = new Map<string, number>();
  /** The name that was asked for last: on a busy board it is asked for again. */
  #lastName = "";
  #lastNumber = NO_ROOM;
  /** In words. */
  #end = 0;
  /** The words of texts among them. */
  #textWords = 0;
  readonly longBytes: number;

  /** `bytes` has to begin at a whole word of its memory. With `longBytes` on it the tape is long, and may still be written. */
  constructor(bytes: Buffer, longBytes: number) {
    this.#bytes = bytes;
    this.#words = new Int32Array(bytes.buffer, bytes.byteOffset, Math.floor(bytes.length / WORD_BYTES));
    this.longBytes = longBytes;
  }

  get isLong(): boolean {
    return WORD_BYTES * this.#end >= this.longBytes;
  }

  /** Most of it are texts, which take a fifth of their room when they are packed; numbers take a half, at several times the work for what is saved. */
  get isMostlyText(): boolean {
    return 2 * this.#textWords > this.#end;
  }

  /** The calls on it, until the next `clear`. */
  get calls(): Uint8Array {
    return this.#bytes.subarray(0, WORD_BYTES * this.#end);
  }

  clear(): void {
    this.#end = 0;
    this.#textWords = 0;
    this.#names.clear();
    this.#lastName = "";
    this.#lastNumber = NO_ROOM;
  }

  /** To be called before the core gets the input, as it may change the input. `digested` completes it. */
  handle(input: Input, now: Millis, wallNow: Millis): boolean {
    if (input.kind === "heard" && input.message.kind === "cursors" && input.message.paths === undefined && input.boardId !== undefined)
      return this.#cursors(input.message, input.boardId, input.from, input.link, now, wallNow);
    if (input.kind === "heard" && input.message.kind === "moves" && input.isDirect === true && input.message.boards.every(hasNoPaths))
      return this.#moves(input.message, input.from, input.link, now, wallNow);
    const json = JSON.stringify(input);
    // Three bytes a character at most.
    if (!this.#has(7 + wordsOf(3 * json.length))) return false;
    this.#begin(OP.handle, now, wallNow);
    this.#text(json);
    return true;
  }

  #cursors({ seq, moves }: Cursors, boardId: BoardId, from: InstanceId, link: number, now: Millis, wallNow: Millis): boolean {
    const room = 12 + moves.length;
    const board = this.#numberOf(boardId, room);
    const owner = board === NO_ROOM ? NO_ROOM : this.#numberOf(from, room);
    if (owner === NO_ROOM) return false;
    this.#begin(OP.cursors | (board << OP_BITS), now, wallNow);
    this.#word(owner);
    this.#double(link);
    this.#double(seq);
    this.#word(moves.length);
    for (let nth = 0; nth < moves.length; nth++) this.#word(moves[nth] as number);
    return true;
  }

  #moves({ boards }: BoardsMoves, from: InstanceId, link: number, now: Millis, wallNow: Millis): boolean {
    let room = 9;
    for (const { moves } of boards) room += 4 + moves.length;
    // New names come before the call.
    for (const { boardId } of boards) if (this.#numberOf(boardId, room) === NO_ROOM) return false;
    const owner = this.#numberOf(from, room);
    if (owner === NO_ROOM) return false;
    this.#begin(OP.moves | (boards.length << OP_BITS), now, wallNow);
    this.#word(owner);
    this.#double(link);
    for (const { boardId, seq, moves } of boards) {
      this.#word(this.#names.get(boardId) ?? NO_ROOM);
      this.#double(seq);
      this.#word(moves.length);
      for (let nth = 0; nth < moves.length; nth++) this.#word(moves[nth] as number);
    }
    return true;
  }

  mark(boardId: BoardId, actor: number, x: number, y: number, now: Millis, path?: CursorPath): boolean {
    if (path !== undefined) return this.#pathTo({ kind: "mark", boardId, actor, x, y, now, path });
    const board = this.#numberOf(boardId, 6);
    if (board === NO_ROOM) return false;
    this.#word(OP.mark | (board << OP_BITS));
    this.#word(actor);
    this.#word(x);
    this.#word(y);
    this.#double(now);
    return true;
  }

  /** A move with a path is rare, and as JSON. */
  #pathTo(call: Extract<Call, { kind: "mark" }>): boolean {
    const json = JSON.stringify(call);
    if (!this.#has(2 + wordsOf(3 * json.length))) return false;
    this.#word(OP.path);
    this.#text(json);
    return true;
  }

  take(boardId: BoardId): boolean {
    const board = this.#numberOf(boardId, 1);
    if (board === NO_ROOM) return false;
    this.#word(OP.take | (board << OP_BITS));
    return true;
  }

  takeOwn(boardId: BoardId, now: Millis): boolean {
    const board = this.#numberOf(boardId, 3);
    if (board === NO_ROOM) return false;
    this.#word(OP.takeOwn | (board << OP_BITS));
    this.#double(now);
    return true;
  }

  /** The digest of the answers, the one to the last input included. */
  digested(digest: number): void {
    this.#words[this.#digestAt] = digest;
  }

  #digestAt = 0;

  #begin(head: number, now: Millis, wallNow: Millis): void {
    this.#word(head);
    this.#double(now);
    this.#double(wallNow);
    this.#digestAt = this.#end++;
  }

  #has(words: number): boolean {
    return this.#end + words <= this.#words.length;
  }

  /** Introduces the name, if it is new. `NO_ROOM`: so many words do not fit after it. */
  #numberOf(name: string, words: number): number {
    if (name !== this.#lastName) {
      const number = this.#names.get(name) ?? this.#introduce(name, words);
      if (number === NO_ROOM) return NO_ROOM;
      this.#lastName = name;
      this.#lastNumber = number;
    }
    return this.#end + words <= this.#words.length ? this.#lastNumber : NO_ROOM;
  }

  #introduce(name: string, words: number): number {
    const number = this.#names.size;
    if (number >= NAMES_MAX || !this.#has(2 + wordsOf(3 * name.length) + words)) return NO_ROOM;
    this.#names.set(name, number);
    this.#word(OP.name);
    this.#text(name);
    return number;
  }

  #text(text: string): void {
    const length = this.#bytes.write(text, WORD_BYTES * (this.#end + 1));
    this.#word(length);
    this.#end += wordsOf(length);
    this.#textWords += wordsOf(length);
  }

  #word(number: number): void {
    this.#words[this.#end++] = number;
  }

  #double(number: number): void {
    DOUBLE[0] = number;
    this.#word(HALVES[0] as number);
    this.#word(HALVES[1] as number);
  }
}

function hasNoPaths({ paths }: Cursors): boolean {
  return paths === undefined;
}

function wordsOf(bytes: number): number {
  return Math.ceil(bytes / WORD_BYTES);
}

/** The calls of a segment as they were on their tape. */
export function bytesOf({ calls, isPacked }: Segment): Buffer {
  return isPacked ? inflateRawSync(calls) : Buffer.from(calls);
}

export function* callsOf(segment: Segment): Iterable<Call> {
  const bytes = bytesOf(segment);
  // A copy, as the words have to begin at a whole word.
  const words = new Int32Array(new Uint8Array(bytes).buffer, 0, Math.floor(bytes.length / WORD_BYTES));
  const names: string[] = [];
  let at = 0;
  const word = () => words[at++] as number;
  const double = () => {
    HALVES[0] = word();
    HALVES[1] = word();
    return DOUBLE[0] as number;
  };
  const text = () => {
    const length = word();
    const from = WORD_BYTES * at;
    at += wordsOf(length);
    return bytes.toString("utf8", from, from + length);
  };
  while (at < words.length) {
    const head = word();
    const boardId = names[head >>> OP_BITS] as BoardId;
    switch (head & OP_MASK) {
      case OP.name:
        names.push(text());
        break;
      case OP.handle: {
        const [now, wallNow, digest] = [double(), double(), word()];
        yield { kind: "handle", now, wallNow, digest, input: JSON.parse(text()) as Input };
        break;
      }
      case OP.cursors: {
        const [now, wallNow, digest] = [double(), double(), word()];
        const [from, link, seq] = [names[word()] as InstanceId, double(), double()];
        const message: Cursors = { kind: "cursors", seq, moves: Array.from({ length: word() }, word) };
        yield { kind: "handle", now, wallNow, digest, input: { kind: "heard", boardId, from, link, message } };
        break;
      }
      case OP.moves: {
        const [now, wallNow, digest] = [double(), double(), word()];
        const [from, link] = [names[word()] as InstanceId, double()];
        const boards = Array.from({ length: head >>> OP_BITS }, () => {
          const [boardId, seq] = [names[word()] as BoardId, double()];
          return { kind: "cursors" as const, boardId, seq, moves: Array.from({ length: word() }, word) };
        });
        const input: Input = { kind: "heard", boardId: undefined, from, link, message: { kind: "moves", boards }, isDirect: true };
        yield { kind: "handle", now, wallNow, digest, input };
        break;
      }
      case OP.mark:
        yield { kind: "mark", boardId, actor: word(), x: word(), y: word(), now: double() };
        break;
      case OP.path:
        yield JSON.parse(text()) as Call;
        break;
      case OP.take:
        yield { kind: "take", boardId };
        break;
      case OP.takeOwn:
        yield { kind: "takeOwn", boardId, now: double() };
        break;
      default:
        throw new Error(`no call begins with ${head & OP_MASK}: the file is damaged, or of another version`);
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
