/** Waiting for what other processes do: by looking again, with a deadline, never by sleeping and hoping. */

import assert from "node:assert/strict";
import { setTimeout as wait } from "node:timers/promises";
import { inspect } from "node:util";

const LOOK_EVERY_MS = 20;

export type Expectation = {
  /** Completes the sentence "not within 5 s: …"; a function is asked at the end, to tell what was seen instead. */
  readonly what: string | (() => string);
  /** 5 000 if not given. */
  readonly withinMs?: number;
};

/** Resolves to what `look` returns as soon as that is truthy. While it throws, the answer is no; the last error is shown. */
export async function eventually<T>(look: () => T | Promise<T>, { what, withinMs = 5000 }: Expectation): Promise<NonNullable<T>> {
  const startedAt = performance.now();
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
    await wait(LOOK_EVERY_MS);
  }
}

/** Looks for `forMs` and fails at the first look that is falsy: for what must not happen. */
export async function throughout(look: () => unknown, { what, forMs }: { what: string; forMs: number }): Promise<void> {
  const startedAt = performance.now();
  while (performance.now() - startedAt < forMs) {
    assert.ok(await look(), `no longer true after ${Math.round(performance.now() - startedAt)} ms: ${what}`);
    await wait(LOOK_EVERY_MS);
  }
}
