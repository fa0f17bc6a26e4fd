/**
 * When to send our own cursor on one board (F6). The first move after a pause is sent at once, later ones at the service's pace. The last
 * place is always sent, and nothing while alone. Pure: tell it what happened and when, send the result of `take`.
 */

import type { Millis, Point } from "@presence-service/protocol";

/** Until `welcome` says otherwise: about one screen frame. */
const CURSOR_MS_DEFAULT = 16;

export class CursorPacer {
  paceMs: Millis = CURSOR_MS_DEFAULT;
  /** Where the pointer is; null: hidden, as it is before the first move. */
  #latest: Point | null = null;
  /** The place that was last sent; undefined: the others know none. */
  #told: Point | null | undefined = null;
  #sentAt: Millis = Number.NEGATIVE_INFINITY;
  #isJoined = false;
  #hasAudience = false;

  move(at: Point | null): void {
    this.#latest = at;
  }

  /** The board was joined, perhaps again: our place must be sent anew. If we hid meanwhile, that is sent because it differs. */
  joined(): void {
    this.#isJoined = true;
    this.#tellAgain();
  }

  /** Our area has changed, and so the service hides our cursor. */
  hidden(): void {
    this.#told = null;
  }

  lost(): void {
    this.#isJoined = false;
  }

  /** Call after every change of the roster. The first member to come has not seen our place yet. */
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

  /** The place to send now; null: send that it is hidden; undefined: send nothing. */
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
