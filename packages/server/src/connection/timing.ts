/** How long a connection is waited for: between its visits, for its hello, for its return. */

import type { Grace, Millis } from "@presence-service/protocol";

/** How often each connection is visited; every second visit brings a heartbeat. */
export const VISIT_MS = 5000;
export const HEARTBEAT_MS = 2 * VISIT_MS;
/** Visits without a word in between: 20 to 25 s, in which two heartbeats went unanswered, however long we were stopped ourselves (C3). */
export const SILENT_VISITS_MAX = 5;
export const HELLO_MS_MAX = 5000;
/** C2. The full one outlasts a reconnect through a change of networks. */
export const GRACE_MS: Record<Grace, Millis> = { none: 0, short: 3000, full: 15_000 };
/** Classic clients say no hello, but a heartbeat every 30 s. On no board: 35 to 40 s without any of the eight messages. */
const IDLE_VISITS_MAX = 8;
/** And ten minutes in all: somebody who has left a board may enter another one. */
const BOARDLESS_VISITS_MAX = 120;

/** Of a classic client: how long it has been on no board. */
export class Idleness {
  #idle = 0;
  #boardless = 0;

  /** One of the eight messages came. */
  heard(): void {
    this.#idle = 0;
  }

  /** Asked on each visit: whether it has been held long enough. */
  isOver(isOnBoard: boolean): boolean {
    if (isOnBoard) this.#idle = this.#boardless = 0;
    return !isOnBoard && (++this.#idle >= IDLE_VISITS_MAX || ++this.#boardless >= BOARDLESS_VISITS_MAX);
  }
}
