/**
 * When to send our own cursor on one board (F6). The first move after a pause is sent at once, later ones at the service's pace. The last
 * place is always sent, and nothing while alone. Pure: tell it what happened and when, send the result of `take`.
 */

import {
  COORDINATE_MAX,
  type CursorPath,
  type Millis,
  PATH_MS_MAX,
  PATH_POINTS_MAX,
  type Point,
  stampOf,
} from "@presence-service/protocol";

/** Of a path that waits to be sent so many places are kept, the newest ones. */
const TRAIL_MAX = 64;

type Sample = Point & { readonly at: Millis };
/** The words about our cursor; `at` null: it is hidden. */
export type Said = { readonly at: Point | null; readonly path?: CursorPath };

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
  /** Where the pointer was since the place that was last sent, the latest included. Empty where the app wants no path. */
  #trail: Sample[] = [];

  /** `seenAt`: the move belongs to a path, and the pointer was there at that time. */
  move(at: Point | null, seenAt?: Millis): void {
    this.#latest = at;
    if (at === null || seenAt === undefined) this.#trail = [];
    else this.#trail.push({ ...at, at: seenAt });
    if (this.#trail.length > TRAIL_MAX) this.#trail.shift();
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

  /** The place to send now; undefined: none. */
  take(now: Millis): Said | undefined {
    if (now < this.deadline) return undefined;
    this.#sentAt = now;
    this.#told = this.#latest;
    const path = pathOf(this.#trail);
    this.#trail = [];
    return { at: this.#latest, ...(path && { path }) };
  }

  #tellAgain(): void {
    if (this.#latest !== null) this.#told = undefined;
  }
}

function pathOf(trail: readonly Sample[]): CursorPath | undefined {
  const last = trail.at(-1);
  if (last === undefined) return undefined;
  const earlier = trail
    .map(({ x, y, at }) => ({ ms: Math.floor(last.at) - Math.floor(at), dx: x - last.x, dy: y - last.y }))
    .filter(({ ms, dx, dy }) => ms > 0 && ms <= PATH_MS_MAX && Math.max(Math.abs(dx), Math.abs(dy)) <= COORDINATE_MAX);
  // Of more than may be said, those that are left out lie evenly between the others.
  const step = Math.max(1, earlier.length / PATH_POINTS_MAX);
  return { stamp: stampOf(last.at), earlier: earlier.filter((_, nth) => Math.floor(nth % step) === 0).slice(-PATH_POINTS_MAX) };
}

function isSamePlace(a: Point | null, b: Point | null | undefined): boolean {
  return a === b || (a?.x === b?.x && a?.y === b?.y && a != null && b != null);
}
