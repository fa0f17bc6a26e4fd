/**
 * Plays others' cursors one interval late, so that there is a next place to move to: as fast as they were moved, whatever the network
 * does to the messages. Pure: tell it each place with its stamp, and the time; ask it where the cursors are at each frame.
 *
 * Three rules: a cursor at rest is exactly where its owner left it; it appears and vanishes at once; a jump is a jump.
 */

import type { CursorPath, MemberId, Millis, Point } from "@presence-service/protocol";
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
/** While nobody asks (a hidden page), so many places are kept of each cursor: paths have several in each message. */
const PLACES_MAX = 256;

/** `at`: on the clock of its track. `isJump`: it is not moved to, but shown from then on. */
type Place = Point & { readonly at: Millis; readonly isJump: boolean };

/** A cursor that is shown elsewhere than before. `path`: the places of its mover in between, if it tells them. */
export type Shown = { readonly memberId: MemberId; readonly at: Point; readonly path?: readonly Point[] };

type Track = {
  /** The place that was reached last. */
  from: Place;
  /** The places that come after it, in order. */
  readonly next: Place[];
  shown: Point;
  /** A place is shown so long after its time on the clock. */
  lag: Millis;
  interval: Millis;
  /** By whose stamps it is played: the service's, or those that its mover gives with paths. */
  clock: ServiceClock;
  own: ServiceClock | undefined;
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
      track.clock = this.#clock;
      track.own = undefined;
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
   * A cursor is there (null: hidden). `sentAt` undefined: the place came without a stamp, in a roster. `path`: how it came there, by the
   * clock of its mover. True: it is to be shown at once, where `shownAt` says. False: `frame` will tell.
   */
  move(memberId: MemberId, at: Point | null, sentAt: Millis | undefined, now: Millis, path?: CursorPath): boolean {
    const known = this.#tracks.get(memberId);
    if (at === null) {
      this.#moving.delete(memberId);
      return this.#tracks.delete(memberId);
    }
    const own = path && (known?.own ?? new ServiceClock());
    const time = path ? own?.heard(path.stamp, now) : sentAt;
    const clock = own ?? this.#clock;
    const [first, ...rest] = placesOf(at, time ?? Number.NEGATIVE_INFINITY, path);
    if (known !== undefined) rebase(known, clock);
    const isNew = known === undefined || first.at === Number.NEGATIVE_INFINITY || first.at - last(known).at >= PAUSE_MS;
    const interval = known?.interval ?? clamp(this.paceMs, INTERVAL_MS_MIN, INTERVAL_MS_MAX);
    const track: Track = isNew ? { from: first, next: [], shown: first, lag: 0, interval, clock, own: known?.own } : known;
    track.own = own ?? track.own;
    if (isNew) track.lag = this.#lagWanted(track);
    this.#tracks.set(memberId, track);
    if (isNew) for (const place of rest) track.next.push(after(last(track), place));
    else this.#follow(track, [first, ...rest], now);
    if (track.next.length === 0) this.#moving.delete(memberId);
    else {
      if (!this.isMoving) this.#framedAt = now;
      this.#moving.set(memberId, track);
    }
    return isNew;
  }

  /** The cursors that have moved since the last frame. */
  frame(now: Millis): Shown[] {
    const elapsedMs = Math.max(0, now - this.#framedAt);
    this.#framedAt = now;
    const shown: Shown[] = [];
    for (const [memberId, track] of this.#moving) {
      track.lag += clamp(this.#lagWanted(track) - track.lag, -FASTER * elapsedMs, SLOWER * elapsedMs);
      const path: Point[] = [];
      const at = this.#placeOf(track, now - track.lag, path);
      if (track.next.length === 0) this.#moving.delete(memberId);
      if (at.x === track.shown.x && at.y === track.shown.y) continue;
      track.shown = at;
      shown.push({ memberId, at, ...(track.clock === track.own && { path }) });
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

  /** `places`: one, or those of a path. */
  #follow(track: Track, places: readonly Place[], now: Millis): void {
    const before = last(track);
    const newest = places.at(-1) ?? before;
    const gap = Math.max(0, newest.at - before.at);
    const interval = clamp(gap, INTERVAL_MS_MIN, INTERVAL_MS_MAX);
    // The longest of late, so that most places have come when they are needed.
    track.interval = Math.max(interval, track.interval + (interval - track.interval) * FORGET);
    const isLate = track.next.length === 0 && now - track.lag > track.from.at;
    if (isLate && !isJump(before, places[0] ?? before)) {
      // The cursor has reached its last place too early and stands there: it sets out from there now.
      const lag = Math.min(track.clock.offsetMs + DELAY_MS_MAX, Math.max(track.lag, now - newest.at + Math.min(interval, gap)));
      track.lag = lag;
      track.from = { ...track.from, at: Math.min(now - lag, places[0]?.at ?? newest.at) };
    }
    for (const place of places) {
      track.next.push(after(last(track), place));
      if (track.next.length > PLACES_MAX) track.from = track.next.shift() as Place;
    }
  }

  /** The places that it passes are added to `path`. */
  #placeOf(track: Track, time: Millis, path: Point[]): Point {
    for (let next = track.next[0]; next !== undefined && next.at <= time; next = track.next[0]) {
      track.from = next;
      track.next.shift();
      path.push({ x: next.x, y: next.y });
    }
    const { from, next } = track;
    const to = next[0];
    if (to === undefined || to.isJump || time <= from.at) {
      // It is there, so this place is not on the way.
      path.pop();
      return { x: from.x, y: from.y };
    }
    const share = (time - from.at) / (to.at - from.at);
    return { x: from.x + (to.x - from.x) * share, y: from.y + (to.y - from.y) * share };
  }

  #lagWanted({ clock, interval }: Track): Millis {
    return clock.offsetMs + Math.min(DELAY_MS_MAX, Math.max(interval, this.paceMs) + MARGIN_MS + clock.jitterMs);
  }
}

function last({ from, next }: Track): Place {
  return next.at(-1) ?? from;
}

/** In order; the last of them is `at`. */
function placesOf(at: Point, time: Millis, path: CursorPath | undefined): [Place, ...Place[]] {
  const place = { x: at.x, y: at.y, at: time, isJump: true };
  const [first, ...rest] = (path?.earlier ?? []).map(({ ms, dx, dy }) => ({ x: at.x + dx, y: at.y + dy, at: time - ms, isJump: true }));
  return first === undefined ? [place] : [first, ...rest, place];
}

/** The place as it follows that one. */
function after(before: Place, { x, y, at }: Place): Place {
  return { x, y, at: Math.max(at, before.at), isJump: isJump(before, { x, y }) };
}

function isJump(a: Point, b: Point): boolean {
  return Math.hypot(b.x - a.x, b.y - a.y) >= JUMP;
}

/** The track is played by that clock from now on, and goes on as it was. */
function rebase(track: Track, clock: ServiceClock): void {
  const ahead = track.clock.offsetMs - clock.offsetMs;
  if (track.clock === clock) return;
  track.clock = clock;
  track.lag -= ahead;
  track.from = { ...track.from, at: track.from.at + ahead };
  track.next.splice(0, track.next.length, ...track.next.map((place) => ({ ...place, at: place.at + ahead })));
}

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}
