/**
 * Clients that have connected and have not said yet what they want. Only so many are held; when another one needs a place, the oldest
 * is ended. A real client says hello at once.
 */

import { CLOSE, type CloseReason, type Millis } from "@presence-service/protocol";

/** `newcomer`: the client has not said hello yet, or says none and has joined no board. `asked`: the host is being asked about it. */
export type Standing = "newcomer" | "asked" | "known";

export interface Newcomer {
  readonly standing: Standing;
  end(reason: CloseReason, how: "cut"): void;
}

/** Each newcomer has at least this long to say something. */
const NEWCOMER_MS_MIN: Millis = 1000;

export class Newcomers {
  readonly #countMax: number;
  /** When each newcomer came; the oldest is first. */
  readonly #since = new Map<object, { readonly newcomer: Newcomer; readonly at: Millis }>();

  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  add(newcomer: Newcomer, now: Millis): void {
    this.#since.set(newcomer, { newcomer, at: now });
  }

  delete(newcomer: object): void {
    this.#since.delete(newcomer);
  }

  /** Whether one more may come; for it, an older one may be ended. `hasRoom`: a file descriptor is left. */
  makeRoom(hasRoom: boolean, now: Millis): boolean {
    if (hasRoom && this.#since.size < this.#countMax) return true;
    for (const { newcomer, at } of this.#since.values()) {
      if (now < at + NEWCOMER_MS_MIN) break;
      if (newcomer.standing === "known") this.delete(newcomer);
      if (newcomer.standing !== "newcomer") continue;
      this.delete(newcomer);
      newcomer.end(CLOSE.helloTimeout, "cut");
      return true;
    }
    return hasRoom && this.#since.size < this.#countMax;
  }

  /** Forgets clients that are no newcomers any more. */
  tidy(): void {
    for (const { newcomer } of this.#since.values()) if (newcomer.standing === "known") this.delete(newcomer);
  }
}
