/** Times of a connection: between visits, until its hello, until its return. */

import type { Grace, Millis } from "@presence-service/protocol";

/**
 * How often each connection is visited. Silence is counted in visits and not in time: the n-th visit after a message comes up to n times
 * this after it, and a pause of this process makes nobody silent.
 */
export const VISIT_MS = 2500;
/** Every fourth visit brings a heartbeat, whatever the client says: it judges us by it. */
const BEAT_VISITS = 4;
export const HEARTBEAT_MS = BEAT_VISITS * VISIT_MS;
/** Where somebody else looks, a client that has said nothing for 2.5 to 5 s is asked. One that is idle thus answers every 5 s. */
const ASK_VISITS = 2;
/** If it has not answered by the next visit, it is shown as reconnecting: 5 to 7.5 s after its last message. */
const QUIET_VISITS = 3;
/** So many visits without a message: 22.5 to 25 s and at least two unanswered heartbeats (C3). */
const SILENT_VISITS_MAX = 10;
export const QUIET_MS_MAX = QUIET_VISITS * VISIT_MS;
export const SILENT_MS_MAX = SILENT_VISITS_MAX * VISIT_MS;
export const HELLO_MS_MAX = 5000;
/** C2. The full grace is longer than a reconnect after a change of networks. */
export const GRACE_MS: Record<Grace, Millis> = { none: 0, short: 3000, full: 15_000 };
/** For clients on no board that say no hello but a heartbeat every 30 s: 37.5 to 40 s without a message. */
const IDLE_VISITS_MAX = 40_000 / VISIT_MS;
/** For the same clients: ten minutes in all, as a person who has left a board may enter another one. */
const BOARDLESS_VISITS_MAX = 600_000 / VISIT_MS;

/** The result of a visit. `quiet`: the client is to be shown as reconnecting, until something comes from it. */
export type Finding = "lost" | "quiet" | "fine";

/** Whether a client is still there, judged by its silence (C3). */
export class Silence {
  /** Visits since its last message. */
  #silent = 0;
  /** Visits since the last heartbeat. */
  #unasked = 0;

  /** Something came from the client. */
  heard(): void {
    this.#silent = 0;
  }

  /** To be called on each visit, before `takeBeat`. `isSeen`: somebody else is on one of its boards. */
  visit(isSeen: boolean): Finding {
    this.#silent++;
    this.#unasked++;
    if (this.#silent >= SILENT_VISITS_MAX) return "lost";
    return isSeen && this.#silent >= QUIET_VISITS && this.#isAsked ? "quiet" : "fine";
  }

  /** Whether to send a heartbeat on this visit. If so, it counts as sent. */
  takeBeat(isSeen: boolean): boolean {
    const isDue = this.#unasked >= BEAT_VISITS || (isSeen && this.#silent >= ASK_VISITS && !this.#isAsked);
    if (isDue) this.#unasked = 0;
    return isDue;
  }

  /** A heartbeat was sent on an earlier visit, and nothing has come since. */
  get #isAsked(): boolean {
    return this.#unasked < this.#silent;
  }
}

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
