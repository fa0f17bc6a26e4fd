/** Guests move on circles, each at the same rate; their moves are spread evenly over time. */

import type { Guest } from "./guest.ts";

const STEP_EVERY_MS = 2;
const MIDDLE = 0x8000;
const FAR = 30_000;

export function walk(guests: readonly Guest[], movesPerSecond: number): { readonly made: () => number; readonly stop: () => void } {
  let due = 0;
  let made = 0;
  let lastAt = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    due += ((now - lastAt) / 1000) * movesPerSecond * guests.length;
    lastAt = now;
    for (; due >= 1; due--) {
      const nth = made++ % guests.length;
      const turn = now / 1000 + nth;
      const x = MIDDLE + FAR * Math.cos(turn) * ((nth % 10) / 10);
      const y = MIDDLE + FAR * Math.sin(turn) * ((nth % 7) / 7);
      guests[nth]?.move(Math.round(x), Math.round(y));
    }
  }, STEP_EVERY_MS);
  return { made: () => made, stop: () => clearInterval(timer) };
}
