/** Waiting for promises, where time is virtual. */

// From the module: a test with fake timers replaces the global one, and a page of jsdom has none.
import { setImmediate } from "node:timers";

/** Promises run until none is left. */
export function settle(): Promise<void> {
  return new Promise((resolve) => void setImmediate(resolve));
}
