/** The system's clock: what the timers of Node do not promise by themselves. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { SystemClock } from "./clock.ts";
import { Alarm } from "./connection/alarm.ts";

test("an alarm is not woken too early, only to be set again", async () => {
  const clock = new SystemClock();
  let timers = 0;
  const counting = {
    now: () => clock.now(),
    wallNow: () => clock.wallNow(),
    after: (ms: number, callback: () => void) => {
      timers++;
      return clock.after(ms, callback);
    },
    afterReads: (callback: () => void) => clock.afterReads(callback),
    load: () => clock.load(),
  };
  for (let nth = 0; nth < 20; nth++) {
    await new Promise<void>((resolve) => new Alarm(counting, resolve).set(clock.now() + 40 + nth / 20));
  }
  assert.equal(timers, 20);
});
