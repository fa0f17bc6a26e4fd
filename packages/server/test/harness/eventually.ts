/** Waiting for other processes: by repeated checks with a deadline, never by a fixed sleep. */

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { inspect } from "node:util";

const LOOK_EVERY_MS = 20;
/** A wait that is longer by so much shows that this process stood still, as on a machine with too much to do. That time does not count. */
const LATE_MS = 200;

export type Expectation = {
  /** Completes the sentence "not within 5 s: …". A function is called at the end, so that it can tell the last state. */
  readonly what: string | (() => string);
  /** 5 000 if not given. */
  readonly withinMs?: number;
};

/** Resolves to the first truthy result of `look`. While `look` throws, it is called again; a failure shows the last error. */
export async function eventually<T>(look: () => T | Promise<T>, { what, withinMs = 5000 }: Expectation): Promise<NonNullable<T>> {
  let startedAt = performance.now();
  for (;;) {
    let last: unknown;
    try {
      const seen = await look();
      if (seen) return seen;
      last = seen;
    } catch (error) {
      last = error;
    }
    if (performance.now() - startedAt > withinMs) {
      const lastly = last === false || last === undefined ? "" : `\nlast: ${last instanceof Error ? last.message : inspect(last)}`;
      assert.fail(`not within ${withinMs / 1000} s: ${typeof what === "string" ? what : what()}${lastly}`);
    }
    const waitsFrom = performance.now();
    await wait(LOOK_EVERY_MS);
    const lateMs = performance.now() - waitsFrom - LOOK_EVERY_MS;
    if (lateMs > LATE_MS) startedAt += lateMs;
  }
}

/** Calls `look` for `forMs` and fails at the first falsy result: to check that something does not happen. */
export async function throughout(look: () => unknown, { what, forMs }: { what: string; forMs: number }): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < forMs) {
    assert.ok(await look(), `no longer true after ${Math.round(performance.now() - startedAt)} ms: ${what}`);
    await wait(LOOK_EVERY_MS);
  }
}
