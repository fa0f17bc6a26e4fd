/** Times of a connection: between visits, until its hello, until its return. */

import type { Grace, Millis } from "@presence-service/protocol";

/** How often each connection is visited; every second visit brings a heartbeat. */
export const VISIT_MS = 5000;
export const HEARTBEAT_MS = 2 * VISIT_MS;
/** So many visits without a message: 20 to 25 s and two unanswered heartbeats, even if this process was stopped meanwhile (C3). */
export const SILENT_VISITS_MAX = 5;
export const HELLO_MS_MAX = 5000;
/** C2. The full grace is longer than a reconnect after a change of networks. */
export const GRACE_MS: Record<Grace, Millis> = { none: 0, short: 3000, full: 15_000 };
/** For clients on no board that say no hello but a heartbeat every 30 s: 35 to 40 s without a message. */
const IDLE_VISITS_MAX = 8;
/** For the same clients: ten minutes in all, as a person who has left a board may enter another one. */
const BOARDLESS_VISITS_MAX = 120;

/** Counts how long a client that says no hello has been on no board. */
export class Idleness {
  #idle = 0;
  #boardless = 0;

  /** A message came. */
  heard(): void {
    this.#idle = 0;
  }

  /** Whether the client has been on no board for too long. To be called on each visit. */
  isOver(isOnBoard: boolean): boolean {
    if (isOnBoard) this.#idle = this.#boardless = 0;
    return !isOnBoard && (++this.#idle >= IDLE_VISITS_MAX || ++this.#boardless >= BOARDLESS_VISITS_MAX);
  }
}
