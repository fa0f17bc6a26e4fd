/**
 * Plays others' cursors one interval late, so that there is a next place to move to: as fast as they were moved, whatever the network
 * does to the messages. Pure: tell it each place with its stamp, and the time; ask it where the cursors are at each frame.
 *
 * Three rules: a cursor at rest is exactly where its owner left it; it appears and vanishes at once; a jump is a jump.
 */

import type { MemberId, Millis, Point } from "@presence-service/protocol";
import { ServiceClock } from "./service-clock.ts";

/** An interval is at least about a frame; a slower mover than this is not waited for. */
const INTERVAL_MS_MIN = 16;
const INTERVAL_MS_MAX = 150;
/** The message that is needed for a frame must have come before it. */
const MARGIN_MS = 6;
/** Interval and jitter together, at most: beyond, a cursor stops and goes rather than be later. */
const DELAY_MS_MAX = 250;
/** A cursor without news for so long has stopped. Its next place is a new beginning, and shown at once. */
const PAUSE_MS = 300;
/** A step of a quarter of the board (or as many integers) was not drawn by a hand. */
const JUMP = 0xffff / 4;
/** A cursor that is too late or too early gets where it should be by going so much slower or faster. */
const SLOWER = 0.25;
const FASTER = 0.05;
/** The share of one interval in that of its mover, where it is shorter: hands and clocks are uneven. */
const FORGET = 1 / 32;
/** While nobody asks (a hidden page), so many places are kept of each cursor. */
const PLACES_MAX = 32;

/** `at`: on the service's clock. `isJump`: it is not moved to, but shown from then on. */
type Place = Point & { readonly at: Millis; readonly isJump: boolean };

/** A cursor that is shown elsewhere than before. */
export type Shown = { readonly memberId: MemberId; readonly at: Point };

type Track = {
  /** The place that was reached last. */
  from: Place;
  /** The places that come after it, in order. */
  readonly next: Place[];
  shown: Point;
  /** A place is shown so long after its time on the service's clock. */
  lag: Millis;
  interval: Millis;
};

export class CursorMotion {
  /** The least time between two places of one mover; the service sets it. */
  paceMs: Millis = INTERVAL_MS_MIN;
  readonly #clock = new ServiceClock();
  readonly #tracks = new Map<MemberId, Track>();
  /** The cursors that are not at rest. */
  readonly #moving = new Map<MemberId, Track>();
  #framedAt: Millis = 0;

  /** The connection is lost: the next one has another clock. Every cursor goes to its last place. */
  lost(): void {
    this.#clock.reset();
    for (const track of this.#tracks.values()) {
      track.from = { ...last(track), at: Number.NEGATIVE_INFINITY };
      track.next.length = 0;
    }
  }

  /** A `cursors` message came. Answers with the time at which its places were gathered, for `move`. */
  heard(stamp: number, now: Millis): Millis {
    return this.#clock.heard(stamp, now);
  }

  /** Some cursor is not at rest: ask for a frame. */
  get isMoving(): boolean {
    return this.#moving.size > 0;
  }

  /**
   * A cursor is there (null: hidden). `sentAt` undefined: the place came without a stamp, in a roster. True: it is to be shown at once.
   * False: `frame` will tell.
   */
  move(memberId: MemberId, at: Point | null, sentAt: Millis | undefined, now: Millis): boolean {
    const track = this.#tracks.get(memberId);
    if (at === null) {
      this.#moving.delete(memberId);
      return this.#tracks.delete(memberId);
    }
    if (track === undefined || sentAt === undefined || sentAt - last(track).at >= PAUSE_MS) {
      const from = { ...at, at: sentAt ?? Number.NEGATIVE_INFINITY, isJump: true };
      const interval = track?.interval ?? clamp(this.paceMs, INTERVAL_MS_MIN, INTERVAL_MS_MAX);
      this.#tracks.set(memberId, { from, next: [], shown: at, lag: this.#lagWanted(interval), interval });
      this.#moving.delete(memberId);
      return true;
    }
    this.#follow(track, at, sentAt, now);
    if (!this.isMoving) this.#framedAt = now;
    this.#moving.set(memberId, track);
    return false;
  }

  /** The cursors that have moved since the last frame. */
  frame(now: Millis): Shown[] {
    const elapsedMs = Math.max(0, now - this.#framedAt);
    this.#framedAt = now;
    const shown: Shown[] = [];
    for (const [memberId, track] of this.#moving) {
      track.lag += clamp(this.#lagWanted(track.interval) - track.lag, -FASTER * elapsedMs, SLOWER * elapsedMs);
      const at = this.#placeOf(track, now - track.lag);
      if (track.next.length === 0) this.#moving.delete(memberId);
      if (at.x === track.shown.x && at.y === track.shown.y) continue;
      track.shown = at;
      shown.push({ memberId, at });
    }
    return shown;
  }

  /** Nobody looks any more. */
  clear(): void {
    this.#tracks.clear();
    this.#moving.clear();
  }

  /** Where the cursor is shown; undefined: nowhere. */
  shownAt(memberId: MemberId): Point | undefined {
    return this.#tracks.get(memberId)?.shown;
  }

  #follow(track: Track, { x, y }: Point, sentAt: Millis, now: Millis): void {
    const before = last(track);
    const gap = Math.max(0, sentAt - before.at);
    const interval = clamp(gap, INTERVAL_MS_MIN, INTERVAL_MS_MAX);
    // The longest of late, so that most places have come when they are needed.
    track.interval = Math.max(interval, track.interval + (interval - track.interval) * FORGET);
    const isJump = Math.hypot(x - before.x, y - before.y) >= JUMP;
    const isLate = track.next.length === 0 && now - track.lag > track.from.at;
    if (isLate && !isJump) {
      // The cursor has reached its last place too early and stands there: it sets out from there now.
      const lag = Math.min(this.#clock.offsetMs + DELAY_MS_MAX, Math.max(track.lag, now - sentAt + Math.min(interval, gap)));
      track.lag = lag;
      track.from = { ...track.from, at: Math.min(now - lag, sentAt) };
    }
    track.next.push({ x, y, at: Math.max(sentAt, before.at), isJump });
    if (track.next.length > PLACES_MAX) track.from = track.next.shift() as Place;
  }

  #placeOf(track: Track, time: Millis): Point {
    for (let next = track.next[0]; next !== undefined && next.at <= time; next = track.next[0]) {
      track.from = next;
      track.next.shift();
    }
    const { from, next } = track;
    const to = next[0];
    if (to === undefined || to.isJump || time <= from.at) return { x: from.x, y: from.y };
    const share = (time - from.at) / (to.at - from.at);
    return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
  }

  #lagWanted(interval: Millis): Millis {
    return this.#clock.offsetMs + Math.min(DELAY_MS_MAX, Math.max(interval, this.paceMs) + MARGIN_MS + this.#clock.jitterMs);
  }
}

function last({ from, next }: Track): Place {
  return next.at(-1) ?? from;
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
