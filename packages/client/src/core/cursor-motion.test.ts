import assert from "node:assert/strict";
import { test } from "node:test";
import type { MemberId, Millis, Point } from "@presence-service/protocol";
import { CursorMotion } from "./cursor-motion.ts";

const ANA = "a".repeat(32) as MemberId;
/** The surface is 1000 pixels wide. */
const PIXEL = 0xffff / 1000;
const FRAME_MS = 1000 / 60;
/** The service's clock is another one, and about to begin anew. */
const CLOCK_MS = 65_000;

type Sent = { readonly at: Millis; readonly x: number | null; readonly delayMs?: Millis };
type Frame = { readonly at: Millis; readonly x: number | null };

/** Plays places (in pixels) that are sent at those times and come after 20 ms and their own delay, in order. Answers with every frame. */
function play(sent: readonly Sent[], { paceMs = 16, untilMs = 0 } = {}): Frame[] {
  const motion = new CursorMotion();
  motion.paceMs = paceMs;
  const frames: Frame[] = [];
  let x: number | null = null;
  const show = (at: Point | null) => {
    x = at && at.x / PIXEL;
  };
  let comesAt = 0;
  const arrivals = sent.map((place) => {
    comesAt = Math.max(comesAt, place.at + 20 + (place.delayMs ?? 0));
    return { ...place, comesAt };
  });
  const end = Math.max(untilMs, comesAt + 1000);
  for (let frameAt = 0.7; frameAt < end; frameAt += FRAME_MS) {
    while (arrivals[0] !== undefined && arrivals[0].comesAt <= frameAt) {
      const place = arrivals.shift() as (typeof arrivals)[number];
      const sentAt = motion.heard(Math.floor(place.at + CLOCK_MS) % 0x1_0000, place.comesAt);
      const at = place.x === null ? null : { x: place.x * PIXEL, y: 0 };
      if (motion.move(ANA, at, sentAt, place.comesAt)) show(at);
    }
    for (const { at } of motion.frame(frameAt)) show(at);
    frames.push({ at: frameAt, x });
  }
  assert.ok(!motion.isMoving, "all is at rest in the end");
  return frames;
}

/** A hand that moves at 300 pixels a second, told so often. */
const steady = (everyMs: Millis, seconds: number, delayMs: (nth: number) => Millis = () => 0): Sent[] =>
  Array.from({ length: Math.floor((seconds * 1000) / everyMs) }, (_, nth) => ({
    at: 100 + nth * everyMs,
    x: nth * everyMs * 0.3,
    delayMs: delayMs(nth),
  }));

/** Pixels a second, frame by frame, while the hand moves; the first `settleMs` left out. */
function speeds(frames: readonly Frame[], fromMs: Millis, toMs: Millis): number[] {
  return frames
    .slice(1)
    .map((frame, nth) => ({ at: frame.at, speed: (((frame.x ?? 0) - (frames[nth]?.x ?? 0)) / FRAME_MS) * 1000 }))
    .filter(({ at }) => at > fromMs && at < toMs)
    .map(({ speed }) => speed);
}

/** Repeatable chance. */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) / 0x100_0000;
  };
}

for (const everyMs of [16, 33, 50, 100]) {
  test(`a hand that moves steadily and is told every ${everyMs} ms is shown so: no frame is more than a tenth off`, () => {
    const all = speeds(play(steady(everyMs, 3), { paceMs: everyMs }), 800, 2900);
    assert.ok(all.length > 100 && all.every((speed) => Math.abs(speed - 300) < 30), `${Math.min(...all)} to ${Math.max(...all)}`);
  });
}

test("the same where messages are up to 30 ms late, by chance: no frame is more than a third off", () => {
  const random = chance(7);
  const all = speeds(
    play(
      steady(100, 6, () => 30 * random()),
      { paceMs: 100 },
    ),
    1500,
    5900,
  );
  assert.ok(
    all.every((speed) => Math.abs(speed - 300) < 100),
    `${Math.min(...all)} to ${Math.max(...all)}`,
  );
});

test("a mover who is slower than the pace is waited for from the third place on", () => {
  const all = speeds(play(steady(60, 3), { paceMs: 16 }), 800, 2900);
  assert.ok(
    all.every((speed) => Math.abs(speed - 300) < 60),
    `${Math.min(...all)} to ${Math.max(...all)}`,
  );
});

test("after a stall of 200 ms the cursor goes on from where it stands, without a jump, and is back at its delay within 5 s", () => {
  const frames = play(
    steady(50, 9, (nth) => (nth === 40 ? 200 : 0)),
    { paceMs: 50 },
  );
  const all = speeds(frames, 500, 9000);
  assert.ok(Math.max(...all) < 2000 && Math.min(...all) >= 0, `${Math.min(...all)} to ${Math.max(...all)}`);
  const lateBy = (frame: Frame | undefined) => (frame?.at ?? 0) - 100 - (frame?.x ?? 0) / 0.3;
  const [before, after] = [2000, 8500].map((at) => lateBy(frames.find((frame) => frame.at > at)));
  assert.ok(Math.abs((before ?? 0) - (after ?? 0)) < 15, `${before} and ${after} ms late`);
});

test("rest is exact, and reached one interval after the last place came", () => {
  const places = steady(100, 1);
  const [last] = places.slice(-1);
  const frames = play(places, { paceMs: 100 });
  const reached = frames.find(({ x }) => Math.abs((x ?? 0) - (last?.x ?? 0)) < 1e-9);
  assert.ok(reached !== undefined && reached.at <= (last?.at ?? 0) + 20 + 100 + 2 * FRAME_MS, `at ${reached?.at}`);
  assert.equal(frames.at(-1)?.x, last?.x);
});

test("appears and vanishes at once", () => {
  const frames = play([
    { at: 100, x: 500 },
    { at: 200, x: 510 },
    { at: 250, x: null },
    { at: 300, x: 800 },
  ]);
  const at = (ms: Millis) => frames.findLast((frame) => frame.at <= ms)?.x;
  assert.deepEqual([at(118), at(120 + FRAME_MS), at(270 + FRAME_MS), at(320 + FRAME_MS)], [null, 500, null, 800]);
});

test("a jump is not smeared: neither one after a pause nor one of a quarter of the board", () => {
  const frames = play([
    { at: 100, x: 100 },
    { at: 1000, x: 300 },
    { at: 1016, x: 301 },
    { at: 1032, x: 900 },
    { at: 1048, x: 901 },
  ]);
  const between = frames.filter(({ x }) => x !== null && ![100, 900].includes(x) && !(x >= 300 && x <= 301) && !(x >= 900 && x <= 901));
  assert.deepEqual(between, []);
  const afterPause = frames.find(({ x }) => x === 300);
  assert.ok((afterPause?.at ?? 0) <= 1020 + FRAME_MS, "after a pause it is shown at once");
});

test("nobody asks for frames: the last places are kept, and the next frame shows where the cursor is now", () => {
  const motion = new CursorMotion();
  for (let nth = 0; nth < 500; nth++) motion.move(ANA, { x: nth, y: 0 }, motion.heard(nth * 16, nth * 16), nth * 16);
  const shown = motion.frame(500 * 16 + 1000);
  assert.deepEqual([shown, motion.isMoving], [[{ memberId: ANA, at: { x: 499, y: 0 } }], false]);
});

test("a stamp that begins anew, a pause of hours, another connection: the next place is shown at once", () => {
  const motion = new CursorMotion();
  const say = (x: number, now: Millis) => motion.move(ANA, { x, y: 0 }, motion.heard(now % 0x1_0000, now), now);
  say(1, 65_500);
  assert.equal(say(2, 65_540), false, "no pause: it is moved to");
  assert.equal(say(3, 65_540 + 20_000_000), true);
  motion.lost();
  assert.equal(motion.move(ANA, { x: 4, y: 0 }, motion.heard(7, 20_100_000), 20_100_000), true);
});

test("a path is played by its mover's clock: evenly, whatever the way does to it, through places at their times, and to its end", () => {
  const motion = new CursorMotion();
  motion.paceMs = 50;
  const pathMs = 1500;
  /** A circle in a second: places in a row are as far from each other as a quarter of the board, without those between. */
  const placeAt = (ms: Millis): Point => ({
    x: Math.round(20_000 * (1 + Math.sin(ms / 60))),
    y: Math.round(20_000 * (1 + Math.cos(ms / 60))),
  });
  const jitter = (nth: number) => [0, 19, 3, 14, 8][nth % 5] ?? 0;
  const messages = Array.from({ length: pathMs / 50 }, (_, nth) => ({ at: 1000 + nth * 50, comesAt: 1020 + nth * 50 + jitter(nth) }));
  const frames: { readonly at: Millis; readonly place: Point }[] = [];
  const passed: Point[] = [];
  let last = 0;
  for (let frameAt = 1000.3; frameAt < 1000 + pathMs + 500; frameAt += FRAME_MS) {
    for (let next = messages[0]; next !== undefined && next.comesAt <= frameAt; next = messages[0]) {
      messages.shift();
      const place = placeAt(next.at);
      const earlier = [40, 30, 20, 10].map((ms) => ({ ms, dx: placeAt(next.at - ms).x - place.x, dy: placeAt(next.at - ms).y - place.y }));
      const sentAt = motion.heard(next.comesAt % 0x1_0000, next.comesAt);
      if (motion.move(ANA, place, sentAt, next.comesAt, { stamp: (next.at + CLOCK_MS) % 0x1_0000, earlier }))
        assert.equal(motion.shownAt(ANA)?.x, placeAt(next.at - 40).x, "it begins where its mover was first");
      last = next.at;
    }
    for (const { at, path = [] } of motion.frame(frameAt)) {
      frames.push({ at: frameAt, place: at });
      passed.push(...path, at);
    }
  }
  assert.equal(motion.isMoving, false);
  assert.deepEqual(motion.shownAt(ANA), placeAt(last), "at rest it is exactly there");
  const told = passed.filter(({ x }) => [40, 30, 20, 10, 0].some((ms) => Math.abs(x - placeAt(last - ms).x) < 1e-6));
  assert.equal(told.length, 5, "a line of ink goes through all places of its mover");
  // Along the circle: 20 000 a radian, and a radian is 60 ms. While its delay grows a cursor goes by a quarter slower.
  const steady = frames.filter(({ at }) => at > 1300 && at < 1000 + pathMs - 100);
  const speeds = steady.slice(1).map(({ at, place }, nth) => {
    const before = steady[nth] ?? { at, place };
    return Math.hypot(place.x - before.place.x, place.y - before.place.y) / (at - before.at) / (20_000 / 60);
  });
  assert.ok(
    speeds.length > 50 && speeds.every((speed) => speed > 0.65 && speed < 1.15),
    `${Math.min(...speeds)} to ${Math.max(...speeds)}`,
  );
});

test("a mover may tell paths now and then: with and without, its cursor goes on and rests where it is", () => {
  const motion = new CursorMotion();
  let at: Millis = 1000;
  let shown = 0;
  for (let nth = 0; nth < 60; nth++, at += FRAME_MS) {
    const path = Math.floor(nth / 10) % 2 === 0 ? { stamp: Math.floor(at * 1 + 7777) % 0x1_0000, earlier: [] } : undefined;
    const sentAt = motion.heard(Math.floor(at) % 0x1_0000, at + 10);
    const isAtOnce = motion.move(ANA, { x: nth * 100, y: 0 }, sentAt, at + 10, path);
    assert.equal(isAtOnce, nth === 0, "another clock is no new beginning");
    for (const { at: place } of motion.frame(at + 12)) {
      assert.ok(place.x >= shown && place.x - shown < 400, `from ${shown} to ${place.x}`);
      shown = place.x;
    }
  }
  for (let nth = 0; nth < 40; nth++, at += FRAME_MS) motion.frame(at);
  assert.deepEqual([motion.isMoving, motion.shownAt(ANA)?.x], [false, 5900]);
});
