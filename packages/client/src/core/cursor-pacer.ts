/**
 * When to send one's own cursor on one board (F6): at once after stillness, then no more often than the service wants, the last
 * place always, nothing while alone. Pure: tell it what happened and when, send what `take` gives.
 */

import type { Millis, Point } from "@presence-service/protocol";

/** Until `welcome` says otherwise: about one screen frame. */
const CURSOR_MS_DEFAULT = 16;

export class CursorPacer {
  paceMs: Millis = CURSOR_MS_DEFAULT;
  /** Where the pointer is; null: hidden, as it is before the first move. */
  #latest: Point | null = null;
  /** What the others were last told; undefined: nothing they would still know. */
  #told: Point | null | undefined = null;
  #sentAt: Millis = Number.NEGATIVE_INFINITY;
  #isJoined = false;
  #hasAudience = false;

  move(at: Point | null): void {
    this.#latest = at;
  }

  /** The board was joined, again perhaps: where we are is to be told anew. That we hid meanwhile is told because it differs. */
  joined(): void {
    this.#isJoined = true;
    this.#tellAgain();
  }

  lost(): void {
    this.#isJoined = false;
  }

  /** Call after every change of the roster. Whoever is the first to come has not seen where we are. */
  audience(hasAudience: boolean): void {
    if (hasAudience && !this.#hasAudience) this.#tellAgain();
    this.#hasAudience = hasAudience;
  }

  /** When `take` will have something to send. */
  get deadline(): Millis {
    return this.#isJoined && this.#hasAudience && !isSamePlace(this.#latest, this.#told)
      ? this.#sentAt + this.paceMs
      : Number.POSITIVE_INFINITY;
  }

  /** What to send now; null: that it is hidden; undefined: nothing. */
  take(now: Millis): Point | null | undefined {
    if (now < this.deadline) return undefined;
    this.#sentAt = now;
    this.#told = this.#latest;
    return this.#latest;
  }

  #tellAgain(): void {
    if (this.#latest !== null) this.#told = undefined;
  }
}

function isSamePlace(a: Point | null, b: Point | null | undefined): boolean {
  return a === b || (a?.x === b?.x && a?.y === b?.y && a != null && b != null);
}
