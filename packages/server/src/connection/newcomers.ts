/**
 * Those who have connected and shown no reason yet to be here. Only so many are held, and where their place is wanted, the oldest gives
 * way: a client that means something says so at once.
 */

import { CLOSE, type CloseReason, type Millis } from "@presence-service/protocol";

/** `newcomer`: no hello yet, or of a classic client no board. `asked`: the host is being asked about it. */
export type Standing = "newcomer" | "asked" | "known";

export interface Newcomer {
  readonly standing: Standing;
  terminate(reason: CloseReason): void;
}

/** Ten thousand clients that all come back within 2 s are some hundred at a time. */
const NEWCOMERS_MAX = 4096;
/** Each has at least this long to say something. */
const NEWCOMER_MS_MIN: Millis = 1000;

export class Newcomers {
  /** When each came, in the order of their coming. */
  readonly #since = new Map<object, { readonly newcomer: Newcomer; readonly at: Millis }>();

  add(newcomer: Newcomer, now: Millis): void {
    this.#since.set(newcomer, { newcomer, at: now });
  }

  delete(newcomer: object): void {
    this.#since.delete(newcomer);
  }

  /** Whether one more may come. `hasRoom`: a file descriptor is left. */
  makeRoom(hasRoom: boolean, now: Millis): boolean {
    if (hasRoom && this.#since.size < NEWCOMERS_MAX) return true;
    for (const { newcomer, at } of this.#since.values()) {
      if (now < at + NEWCOMER_MS_MIN) break;
      if (newcomer.standing === "known") this.delete(newcomer);
      if (newcomer.standing !== "newcomer") continue;
      this.delete(newcomer);
      newcomer.terminate(CLOSE.helloTimeout);
      return true;
    }
    return hasRoom && this.#since.size < NEWCOMERS_MAX;
  }

  /** Forgets those who are none any more. */
  tidy(): void {
    for (const { newcomer } of this.#since.values()) if (newcomer.standing === "known") this.delete(newcomer);
  }
}
