/**
 * Writing and reading bytes, for the client wire (binary.ts) and for the bus. A Writer trusts its input and throws only where the
 * program is wrong. A Reader trusts nothing, never throws, and takes each number in its shortest form only. It refuses JSON that is too
 * deep, too long or able to poison a prototype. Nothing here knows a message.
 */

import type { Json } from "./domain.ts";
import { JSON_DEPTH_MAX } from "./limits.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * Bytes in an ArrayBuffer, not in shared memory. The type is written without `Uint8Array<ArrayBuffer>`, so that apps with TypeScript
 * before 5.7, where `Uint8Array` takes no parameter, can use our packages.
 */
export type Bytes = ReturnType<Uint8Array["slice"]>;

/** Grows as needed and keeps its memory: `reset()` and write again, so that a hot path allocates only what `finish()` returns. */
export class Writer {
  #bytes: Bytes;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written since the last reset. */
  get length(): number {
    return this.#length;
  }

  reset(): this {
    this.#length = 0;
    return this;
  }

  /** A copy of exactly what was written: it stays valid when this writer is used again. */
  finish(): Bytes {
    return this.#bytes.slice(0, this.#length);
  }

  u8(value: number): this {
    this.#reserve(1);
    this.#bytes[this.#length++] = value;
    return this;
  }

  /** Big-endian, like every fixed-width number here. */
  u16(value: number): this {
    this.#reserve(2);
    this.#bytes[this.#length++] = value >> 8;
    this.#bytes[this.#length++] = value;
    return this;
  }

  u32(value: number): this {
    return this.u16(value >>> 16).u16(value);
  }

  /** Two's complement. */
  i32(value: number): this {
    return this.u32(value);
  }

  /** 7 bits a byte, lowest first; the top bit means that more follow (LEB128). 0…2^53−1; throws RangeError on anything else. */
  varint(value: number): this {
    if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`varint of ${value}`);
    this.#reserve(8);
    let rest = value;
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128)) this.#bytes[this.#length++] = (rest % 128) | 0x80;
    for (; rest > 0x7f; rest >>>= 7) this.#bytes[this.#length++] = rest | 0x80;
    this.#bytes[this.#length++] = rest;
    return this;
  }

  bytes(value: Uint8Array): this {
    this.#reserve(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  /** Bytes of another writer, from `start` to before `end`. */
  append(other: Writer, start: number, end: number): this {
    this.#reserve(end - start);
    // A view of few bytes costs more than the bytes.
    for (let at = start; at < end; at++) this.#bytes[this.#length++] = other.#bytes[at] ?? 0;
    return this;
  }

  /** Length in bytes as varint, then UTF-8. Lone surrogates become U+FFFD. */
  string(text: string): this {
    this.#reserve(text.length * 3 + 8);
    // The byte count is known only afterwards: guess the length of its varint, and move the text if the guess was wrong.
    const guess = varintBytes(text.length);
    const start = this.#length + guess;
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(start));
    const actual = varintBytes(written);
    if (actual !== guess) this.#bytes.copyWithin(this.#length + actual, start, start + written);
    this.varint(written);
    this.#length += written;
    return this;
  }

  /** Whatever `write` writes, after its length in bytes as varint. */
  sized(write: (to: this) => void): this {
    const start = this.#length;
    this.u8(0);
    write(this);
    const written = this.#length - start - 1;
    // One byte is enough for the length of most: a longer one moves what was written.
    const actual = varintBytes(written);
    // Room for the varint as well: memory that grows while `#length` is set back would lose what was written.
    this.#reserve(8);
    if (actual > 1) this.#bytes.copyWithin(start + actual, start + 1, this.#length);
    this.#length = start;
    this.varint(written);
    this.#length += written;
    return this;
  }

  /** JSON text as a `string`. */
  json(value: Json): this {
    return this.string(JSON.stringify(value));
  }

  /** Hex digits as raw bytes, without a length: ids of 16 bytes, colours of 3. Dashes are skipped, so a UUID is 16 bytes too. */
  hex(digits: string, byteCount: number): this {
    const plain = digits.replaceAll("-", "");
    if (plain.length !== byteCount * 2 || !/^[0-9a-f]*$/i.test(plain)) throw new RangeError(`"${digits}" is not ${byteCount} bytes in hex`);
    for (let at = 0; at < plain.length; at += 2) this.u8(Number.parseInt(plain.slice(at, at + 2), 16));
    return this;
  }

  #reserve(count: number): void {
    const needed = this.#length + count;
    if (needed <= this.#bytes.length) return;
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    grown.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = grown;
  }
}

/**
 * Reads in order and never throws. A value that is missing, malformed, over its limit or not in its shortest form sets `failed`. From
 * then on everything reads as zero or empty, so that a decoder checks `done` once, at its end.
 */
export class Reader {
  #bytes: Uint8Array;
  #at = 0;
  #end: number;
  #failed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#end = bytes.length;
  }

  /** Start over on other bytes, for hot paths. */
  reset(bytes: Uint8Array): this {
    this.#bytes = bytes;
    this.#at = 0;
    this.#end = bytes.length;
    this.#failed = false;
    return this;
  }

  get failed(): boolean {
    return this.#failed;
  }

  /** At the end, and all of it was well formed. */
  get done(): boolean {
    return !this.#failed && this.#at === this.#end;
  }

  /** Bytes not read yet; 0 after a failure, so a loop over the rest ends. */
  get remaining(): number {
    return this.#end - this.#at;
  }

  /** The caller found a value it does not accept. */
  fail(): void {
    this.#failed = true;
    this.#end = this.#at;
  }

  u8(): number {
    return this.#take(1) ? (this.#bytes[this.#at - 1] ?? 0) : 0;
  }

  u16(): number {
    return (this.u8() << 8) | this.u8();
  }

  u32(): number {
    return this.i32() >>> 0;
  }

  i32(): number {
    return (this.u16() << 16) | this.u16();
  }

  varint(max = Number.MAX_SAFE_INTEGER): number {
    let value = 0;
    for (let scale = 1; scale <= 2 ** 49; scale *= 128) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte > 0x7f) continue;
      // A last byte of zero adds nothing, so this is not the shortest form.
      if ((byte === 0 && scale > 1) || value > max) break;
      return value;
    }
    this.fail();
    return 0;
  }

  /** A view on the bytes given to this reader, not a copy. */
  bytes(count: number): Uint8Array {
    return this.#take(count) ? this.#bytes.subarray(this.#at - count, this.#at) : new Uint8Array(0);
  }

  skip(count: number): void {
    this.#take(count);
  }

  /** Reads the next `count` bytes as if they were all there is; fails unless `read` takes all of them. */
  within<T>(count: number, read: (from: Reader) => T): T {
    const end = this.#end;
    if (count > end - this.#at) this.fail();
    else this.#end = this.#at + count;
    const value = read(this);
    if (this.#at < this.#end) this.fail();
    if (!this.#failed) this.#end = end;
    return value;
  }

  /** A length of at most `bytesMax`, then that much valid UTF-8. */
  string(bytesMax: number): string {
    const bytes = this.bytes(this.varint(bytesMax));
    try {
      return decoder.decode(bytes);
    } catch {
      this.fail();
      return "";
    }
  }

  /** A `string` that holds JSON, within its limits also when we write it again. */
  json(bytesMax: number, depthMax = JSON_DEPTH_MAX): Json {
    const text = this.string(bytesMax);
    const value = this.#failed ? undefined : parseJson(text, depthMax);
    // The value is measured as it will be written, not as it was received: 99999999999999999 gains a digit, 1e20 gains 17. Every
    // receiver would refuse a state that has grown past its limit.
    const mayGrowTooLarge = text.length * JSON_GROWTH_MAX > bytesMax;
    if (value === undefined || (mayGrowTooLarge && utf8Bytes(JSON.stringify(value)) > bytesMax)) {
      this.fail();
      return null;
    }
    return value;
  }

  /** Raw bytes as lower-case hex digits. */
  hex(byteCount: number): string {
    const bytes = this.bytes(byteCount);
    let digits = "";
    for (const byte of bytes) digits += HEX[byte];
    return digits;
  }

  #take(count: number): boolean {
    if (count > this.#end - this.#at) {
      this.fail();
      return false;
    }
    this.#at += count;
    return true;
  }
}

/** The most that JSON grows when it is written again: `1e20` from 4 to 21 characters. Short texts need not be measured. */
const JSON_GROWTH_MAX = 6;

const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

function varintBytes(value: number): number {
  let count = 1;
  for (let rest = value; rest > 0x7f; rest = Math.floor(rest / 128)) count++;
  return count;
}

/** Length of a text in UTF-8. */
export function utf8Bytes(text: string): number {
  return encoder.encode(text).length;
}

/** `undefined` for text that is not JSON, nests deeper than `depthMax`, or holds what `isSafeJson` refuses. Linear in the text. */
export function parseJson(text: string, depthMax = JSON_DEPTH_MAX): Json | undefined {
  if (!isWithinDepth(text, depthMax)) return undefined;
  try {
    const value: Json = JSON.parse(text);
    return isSafeJson(value, depthMax) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Checks how deep brackets nest outside of strings, before anything is parsed. */
function isWithinDepth(text: string, depthMax: number): boolean {
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const char = text.charCodeAt(at);
    if (char === 0x22) quoted = !quoted;
    else if (quoted) {
      if (char === 0x5c) at++;
    } else if (char === 0x5b || char === 0x7b) {
      if (++depth > depthMax) return false;
    } else if (char === 0x5d || char === 0x7d) depth--;
  }
  return true;
}

/**
 * True if no key reaches a prototype when an app copies the object, no number is out of range (1e999 would be sent on as null, which
 * deletes in a merge patch), and nothing nests deeper than `depthMax`.
 */
export function isSafeJson(value: Json, depthMax = JSON_DEPTH_MAX): boolean {
  if (typeof value === "number") return Number.isFinite(value);
  if (typeof value !== "object" || value === null) return true;
  if (depthMax === 0) return false;
  if (Array.isArray(value)) return value.every((item) => isSafeJson(item, depthMax - 1));
  return Object.entries(value).every(
    ([key, item]) => key !== "__proto__" && key !== "constructor" && key !== "prototype" && isSafeJson(item, depthMax - 1),
  );
}
