/** A number that stands for a series of answers of a core. It leaves out what people wrote, so placeholders do not change it. */

import type { Effect } from "../core/effects.ts";
import type { Cursors } from "../core/messages.ts";

/** The fields that hold what people wrote. */
const CONTENT = new Set(["username", "avatar", "area", "state", "data", "patch", "text"]);
/** So many characters of a text count, spread over its length. Ids differ at each place, so these are enough. */
const CHARS_MAX = 8;

export class Digest {
  value = 0;

  effects(effects: readonly Effect[]): void {
    this.#mix(effects.length);
    for (const effect of effects) {
      // These two come with every move.
      if (effect.kind === "cursors") this.#mix(13);
      else if (effect.kind === "echo" && effect.ms === undefined) this.#mix(17);
      else this.#add(effect);
    }
  }

  /** undefined: there were none to be published. */
  own(cursors: Cursors | undefined): void {
    if (cursors === undefined) return this.#mix(11);
    const { seq, moves, paths } = cursors;
    this.#add(seq);
    this.numbers(moves);
    if (paths !== undefined) this.#add(paths);
  }

  /** Whether a move was new. */
  marked(isNew: boolean): void {
    this.#mix(isNew ? 3 : 5);
  }

  /** Whole numbers of 32 bits. */
  numbers(numbers: readonly number[]): void {
    this.#mix(numbers.length);
    for (const number of numbers) this.#mix(number);
  }

  #mix(number: number): void {
    this.value = Math.imul(this.value ^ number, 0x01000193) ^ (this.value >>> 15);
  }

  #add(value: unknown): void {
    switch (typeof value) {
      case "number":
        this.#mix(value | 0);
        return this.#mix((value % 1) * 0x1_0000);
      case "string": {
        this.#mix(value.length);
        const step = Math.ceil(value.length / CHARS_MAX);
        for (let index = 0; index < value.length; index += step) this.#mix(value.charCodeAt(index));
        return;
      }
      case "boolean":
        return this.#mix(value ? 3 : 5);
      case "object":
        if (value === null) return this.#mix(7);
        if (Array.isArray(value)) {
          this.#mix(value.length);
          for (const inner of value) this.#add(inner);
          return;
        }
        for (const key in value) {
          const inner = (value as Record<string, unknown>)[key];
          if (inner === undefined) continue;
          this.#mix(key.length);
          if (!CONTENT.has(key) && !(key === "reason" && "whom" in value)) this.#add(inner);
        }
        return;
      default:
        return this.#mix(11);
    }
  }
}
