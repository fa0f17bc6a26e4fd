/**
 * Placeholders for what people write: texts and numbers of the same length in JSON, in characters and in bytes, equal where the originals
 * are equal. A core does the same with them. They hide, they do not encrypt: each recorder has a key that is written nowhere. Digits alone, booleans
 * and `null` stay, since a merge patch reads these.
 */

import { randomBytes } from "node:crypto";

/** Everything under these keys comes from people. */
const CONTENT = new Set(["username", "avatar", "area", "state", "data"]);

/** Characters of one class take the same room, in JSON and in UTF-8. Others, such as quotes and line feeds, stay as they are. */
type Chars = { readonly size: number; readonly at: (index: number) => string; readonly indexOf: (code: number) => number };

/** From the space to the tilde, without quote and backslash, which JSON escapes. */
const ASCII = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).filter((char) => char !== '"' && char !== "\\");
const PLAIN = /^[ !#-[\]-~]*$/;
/** By the code of the character. */
const PLACE_OF = Uint8Array.from({ length: 128 }, (_, code) => Math.max(0, ASCII.indexOf(String.fromCharCode(code))));
const CLASSES: readonly Chars[] = [
  { size: ASCII.length, at: (index) => ASCII[index] as string, indexOf: (code) => ASCII.indexOf(String.fromCodePoint(code)) },
  range(0x80, 0x7ff),
  range(0x800, 0xd7ff),
  range(0xe000, 0xffff),
  range(0x1_0000, 0x10_ffff),
];
/**
 * Where a form allows up to so many texts, no two of them get the same placeholder. Where it allows more, two could, which is as good as
 * impossible.
 */
const PERMUTED_MAX = 2 ** 48;
/** So many characters of a placeholder are drawn. The rest of a longer one is the same for all. */
const DRAWN_MAX = 16;

export class Placeholders {
  readonly #key = [randomBytes(4).readInt32LE(), randomBytes(4).readInt32LE()] as const;
  readonly #rounds = Array.from({ length: 6 }, () => randomBytes(4).readInt32LE());

  /** A copy in which everything from people is replaced. Maps, Sets and objects that are the same object stay so, also between calls with one `seen`. */
  hide<T>(value: T, seen: Map<object, unknown> = new Map()): T {
    return this.#hidden(value, false, seen) as T;
  }

  #hidden(value: unknown, isContent: boolean, seen: Map<object, unknown>): unknown {
    if (typeof value === "string") return isContent ? this.text(value) : value;
    if (typeof value === "number") return isContent ? this.number(value) : value;
    if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return value;
    const known = seen.get(value);
    if (known !== undefined) return known;
    if (Array.isArray(value)) {
      const copy: unknown[] = [];
      seen.set(value, copy);
      for (const inner of value) copy.push(this.#hidden(inner, isContent, seen));
      return copy;
    }
    if (value instanceof Map) {
      const copy = new Map();
      seen.set(value, copy);
      for (const [key, inner] of value) copy.set(this.#hidden(key, false, seen), this.#hidden(inner, false, seen));
      return copy;
    }
    if (value instanceof Set) {
      const copy = new Set();
      seen.set(value, copy);
      for (const inner of value) copy.add(this.#hidden(inner, false, seen));
      return copy;
    }
    const copy: Record<string, unknown> = {};
    seen.set(value, copy);
    for (const key of Object.keys(value)) {
      const inner: unknown = (value as Record<string, unknown>)[key];
      const name = isContent ? this.text(key) : key;
      const hidden = this.#hidden(inner, isContent || isFromPeople(key, inner, value), seen);
      if (name === "__proto__") Object.defineProperty(copy, name, { value: hidden, enumerable: true, configurable: true, writable: true });
      else copy[name] = hidden;
    }
    return copy;
  }

  text(text: string): string {
    if (!PLAIN.test(text)) return this.#anyText(text);
    // Nearly all texts, and a checkpoint has tens of thousands.
    const { length } = text;
    const forms = ASCII.length ** length;
    const next = forms > PERMUTED_MAX ? this.#drawn(text) : this.#permuted(rankOf(text), forms);
    let drawn = "";
    for (let index = 0; index < length && index < DRAWN_MAX; index++) drawn += ASCII[next(ASCII.length)];
    return drawn.padEnd(length, ASCII[0]);
  }

  #anyText(text: string): string {
    const chars = Array.from(text, (char) => {
      const code = char.codePointAt(0) as number;
      for (const chars of CLASSES) {
        const index = chars.indexOf(code);
        if (index !== -1) return { chars, index };
      }
      return char;
    });
    const drawn = chars.filter((char) => typeof char !== "string");
    const forms = drawn.reduce((product, { chars }) => product * chars.size, 1);
    const rank = () => drawn.reduceRight((sum, { chars, index }) => sum * chars.size + index, 0);
    const next = forms > PERMUTED_MAX ? this.#drawn(text) : this.#permuted(rank(), forms);
    return chars.map((char) => (typeof char === "string" ? char : char.chars.at(next(char.chars.size)))).join("");
  }

  number(number: number): number {
    const digits = String(number);
    if (!/^-?[1-9]\d{0,14}$/.test(digits)) return /^-?\d$/.test(digits) ? number : this.#fraction(digits);
    const first = 10 ** (digits.replace("-", "").length - 1);
    return Math.sign(number) * (first + this.#permute(Math.abs(number) - first, 9 * first));
  }

  /** Digits are drawn until they make a number that is written with as many characters. */
  #fraction(digits: string): number {
    for (let attempt = 0; attempt < 20; attempt++) {
      const next = this.#drawn(`${digits} ${attempt}`);
      let isFirst = true;
      const drawn = digits.replace(/\d/g, (digit) => {
        const isKept = isFirst && digit === "0";
        isFirst = false;
        return isKept ? digit : String(1 + next(9));
      });
      if (String(Number(drawn)).length === digits.length) return Number(drawn);
    }
    return Number(digits.replace(/[1-9]/g, "1"));
  }

  #permuted(rank: number, forms: number): (size: number) => number {
    let rest = this.#permute(rank, forms);
    return (size) => {
      const index = rest % size;
      rest = Math.floor(rest / size);
      return index;
    };
  }

  /** A permutation of the numbers below `count`: a Feistel network over the next power of two, repeated until the result is below it. */
  #permute(number: number, count: number): number {
    let bits = 1;
    while (4 ** bits < count) bits++;
    const half = 2 ** bits;
    let result = number;
    do {
      let left = Math.floor(result / half);
      let right = result % half;
      for (const key of this.#rounds) [left, right] = [right, (left ^ mixed(right, key ^ bits)) & (half - 1)];
      result = left * half + right;
    } while (result >= count);
    return result;
  }

  /** Numbers that follow from the key and the text: 64 bits of it, so two texts of a recorder never share them. */
  #drawn(text: string): (size: number) => number {
    let [one, two] = this.#key as readonly [number, number];
    for (let index = 0; index < text.length; index++) {
      one = rotated(mixed(one, text.charCodeAt(index)), 13);
      two = rotated(mixed(two + one, index), 17);
    }
    let drawn = 0;
    return (size) => {
      if (drawn++ >= DRAWN_MAX) return 0;
      const number = mixed(one, two) >>> 0;
      two ^= one;
      one = rotated(one, 26) ^ two ^ (two << 9);
      two = rotated(two, 13);
      return number % size;
    };
  }
}

function rankOf(text: string): number {
  let rank = 0;
  for (let index = text.length - 1; index >= 0; index--) rank = rank * ASCII.length + (PLACE_OF[text.charCodeAt(index)] as number);
  return rank;
}

function rotated(number: number, bits: number): number {
  return (number << bits) | (number >>> (32 - bits));
}

function range(first: number, last: number): Chars {
  return {
    size: last - first + 1,
    at: (index) => String.fromCodePoint(first + index),
    indexOf: (code) => (code >= first && code <= last ? code - first : -1),
  };
}

function mixed(number: number, key: number): number {
  let hash = Math.imul(number ^ key, 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The state of a peer is a word of ours, and so is the reason of a leave. */
function isFromPeople(key: string, value: unknown, owner: object): boolean {
  if (key === "text" || key === "reason") return "kind" in owner && (owner.kind === "announcement" || owner.kind === "kick");
  return CONTENT.has(key) && !(key === "state" && typeof value === "string");
}
