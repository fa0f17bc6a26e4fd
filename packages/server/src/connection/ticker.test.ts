/** Boards are flushed at once after a rest, at a rate when busy, less often under load. F2 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../testing/fake-clock.ts";
import { Pace, TICK_MS, Ticker } from "./ticker.ts";

const TICK_MS_MAX = 100;

function ticking() {
  const clock = new FakeClock();
  const flushes: { board: string; isLocal: boolean; at: number }[] = [];
  const turns: number[] = [];
  const ticker = new Ticker<{ name: string; pace: Pace; seats: number }>(
    clock,
    ({ name }, isLocal, now) => flushes.push({ board: name, isLocal, at: now - 1000 }),
    () => turns.push(flushes.length),
  );
  const board = (name: string, seats = 20) => ({ name, pace: new Pace(), seats });
  return { clock, flushes, turns, ticker, board };
}

test("[F2] messages read in one turn of the loop are one flush at its end", () => {
  const { clock, flushes, ticker, board } = ticking();
  const one = board("one");
  for (let count = 0; count < 5; count++) ticker.local(one);
  assert.deepEqual(flushes, []);
  clock.turn();
  assert.deepEqual(flushes, [{ board: "one", isLocal: true, at: 0 }]);
});

test("[R25.6] after the last board of a turn it is told that the turn is over", () => {
  const { clock, turns, ticker, board } = ticking();
  const boards = ["one", "two", "three"].map((name) => board(name, 2));
  for (const each of boards) ticker.local(each);
  assert.deepEqual(turns, []);
  clock.turn();
  assert.deepEqual(turns, [3]);
  // And so where timers are due for several boards at once.
  for (let count = 0; count < 4; count++) {
    for (const each of boards) ticker.local(each);
    clock.turn();
  }
  clock.advance(100);
  assert.ok(
    turns.every((flushed) => flushed % 3 === 0),
    turns.join(),
  );
});

test("[F2] three at once, then one per tick, and a rest fills the burst again", () => {
  const { clock, flushes, ticker, board } = ticking();
  const one = board("one");
  const run = (ms: number) => {
    for (let step = 0; step < ms; step++) {
      ticker.local(one);
      clock.advance(1);
    }
    return flushes.splice(0).map(({ at }) => at);
  };
  assert.deepEqual(run(60), [0, 1, 2, 16, 32, 48]);
  clock.advance(1000);
  flushes.length = 0;
  const again = run(10);
  assert.equal(again.length, 3);
});

test("[F2] remote cursors go out at once after a rest, then two frames per tick, or every 4 ms to few sockets", () => {
  const { clock, flushes, ticker, board } = ticking();
  const frames = (seats: number) => {
    const one = board("one", seats);
    const startedAt = clock.now() - 1000;
    for (let step = 0; step < 39; step++) {
      ticker.remote(one);
      clock.advance(1);
    }
    ticker.forget(one);
    return flushes.splice(0).map(({ at, isLocal }) => [at - startedAt, isLocal]);
  };
  const remote = (at: number) => [at, false];
  assert.deepEqual(frames(20), [0, 1, 2, 8, 16, 24, 32].map(remote));
  assert.deepEqual(frames(1), [0, 1, 2, 4, 8, 12, 16, 20, 24, 28, 32, 36].map(remote));
});

test("[F2] a remote batch waits for half a tick at most, after a burst of both kinds, too", () => {
  const { clock, flushes, ticker, board } = ticking();
  const one = board("one");
  for (let step = 0; step < 3; step++) {
    ticker.remote(one);
    clock.turn();
  }
  for (let step = 0; step < 3; step++) {
    ticker.local(one);
    clock.turn();
  }
  assert.equal(flushes.length, 6);
  ticker.remote(one);
  clock.advance(TICK_MS / 2);
  assert.deepEqual(flushes.at(6), { board: "one", isLocal: false, at: TICK_MS / 2 });
});

test("a remote flush before its time does not count as the local tick", () => {
  const { clock, flushes, ticker, board } = ticking();
  const one = board("one");
  for (let step = 0; step < 4; step++) {
    ticker.local(one);
    clock.advance(1);
  }
  flushes.length = 0;
  ticker.remote(one);
  clock.advance(30);
  assert.deepEqual(
    flushes.map(({ at, isLocal }) => [at, isLocal]),
    [
      [8, false],
      [16, true],
    ],
  );
});

test("[F2] boards do not wait for each other; a forgotten one is not flushed", () => {
  const { clock, flushes, ticker, board } = ticking();
  const [one, two] = [board("one"), board("two")];
  for (let step = 0; step < 5; step++) {
    ticker.local(one);
    clock.advance(1);
  }
  flushes.length = 0;
  ticker.local(two);
  clock.turn();
  assert.deepEqual(flushes, [{ board: "two", isLocal: true, at: 5 }]);
  ticker.forget(one);
  clock.advance(100);
  assert.equal(flushes.length, 1);
});

test("[F2] the tick is shorter the more people move, and longer the more sockets a frame is for", () => {
  const { clock, flushes, ticker, board } = ticking();
  const flushesIn100Ms = (seats: number) => {
    const one = board("one", seats);
    flushes.length = 0;
    for (let step = 0; step < 400; step++) {
      ticker.local(one);
      clock.advance(0.25);
    }
    ticker.forget(one);
    return flushes.length;
  };
  assert.deepEqual([1, 2, 4, 10, 15, 20, 500].map(flushesIn100Ms), [9, 15, 28, 28, 14, 9, 9]);
});

test("[F2] a burst of work changes nothing; a loop that stays busy has the ticks grow at once, and shrink slowly", () => {
  const { ticker } = ticking();
  ticker.adapt(1);
  ticker.adapt(1);
  for (let count = 0; count < 40; count++) ticker.adapt(0.3);
  assert.equal(ticker.cursorMs, TICK_MS);
  for (let count = 0; count < 20; count++) ticker.adapt(1);
  assert.equal(ticker.cursorMs, TICK_MS_MAX);
  for (let count = 0; count < 3; count++) ticker.adapt(0.1);
  assert.equal(ticker.cursorMs, TICK_MS_MAX);
  for (let count = 0; count < 40; count++) ticker.adapt(0.1);
  assert.equal(ticker.cursorMs, TICK_MS);
});

test("[F2] a load that leaves room does not keep the pace that a crowd of joins has brought", () => {
  const { ticker } = ticking();
  for (let count = 0; count < 20; count++) ticker.adapt(1);
  for (let count = 0; count < 60; count++) ticker.adapt(0.7);
  assert.equal(ticker.cursorMs, TICK_MS);
});

test("[F2] a steady load that falls as the tick grows has clients told few paces", () => {
  const { ticker } = ticking();
  let told = 0;
  for (let sample = 0; sample < 2400; sample++) {
    const before = ticker.cursorMs;
    ticker.adapt(Math.min(1, 0.4 + 8 / before));
    if (ticker.cursorMs !== before) told++;
  }
  assert.ok(told > 1 && told < 120, `${told} in ten minutes`);
  for (let sample = 0; sample < 300; sample++) ticker.adapt(0.1);
  assert.equal(ticker.cursorMs, TICK_MS, "the load is over");
});
