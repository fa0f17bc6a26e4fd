/** Times of a connection: between visits, until its hello, until its return. */

import type { Grace, Millis } from "@presence-service/protocol";

/**
 * How often each connection is visited. Silence is counted in visits and not in time: the n-th visit after a message comes up to n times
 * this after it, and a pause of this process makes nobody silent.
 */
export const VISIT_MS = 2500;
/** Every 18th visit brings a heartbeat, whatever the client says: it judges us by it. Proxies cut connections that are silent for 60 s. */
const BEAT_VISITS = 18;
export const HEARTBEAT_MS = BEAT_VISITS * VISIT_MS;
/** Every fourth one does where somebody looks, or where a heartbeat is unanswered. */
const BUSY_BEAT_VISITS = 4;
/** Where somebody looks, a client that has said nothing for 2.5 to 5 s is asked. One that is idle thus answers every 5 s. */
const ASK_VISITS = 2;
/** If it has not answered by the next visit, it is shown as reconnecting: 5 to 7.5 s after its last message. */
const QUIET_VISITS = 3;
/** So many visits without a message, of which so many since a heartbeat that is unanswered, make a client lost (C3). */
const SILENT_VISITS_MAX = 10;
const UNANSWERED_VISITS_MAX = 8;
export const QUIET_MS_MAX = QUIET_VISITS * VISIT_MS;
/** Where somebody looks: 22.5 to 25 s after its last message. */
export const SILENT_MS_MAX = SILENT_VISITS_MAX * VISIT_MS;
/** Where nobody does: 62.5 to 65 s. */
export const UNSEEN_SILENT_MS_MAX = (BEAT_VISITS + UNANSWERED_VISITS_MAX) * VISIT_MS;
/** C2. The full grace is longer than a reconnect after a change of networks. */
export const GRACE_MS: Record<Grace, Millis> = { none: 0, short: 3000, full: 15_000 };
/** A connection whose token is due so soon is visited several times a second. Two visits of which one is spared are 5 s apart. */
export const HURRY_MS = 4 * VISIT_MS;
/** For clients on no board that say no hello but a heartbeat every 30 s: 37.5 to 40 s without a message. */
const IDLE_VISITS_MAX = 40_000 / VISIT_MS;
/** For the same clients: ten minutes in all, as a person who has left a board may enter another one. */
const BOARDLESS_VISITS_MAX = 600_000 / VISIT_MS;

/**
 * The result of a visit. `ask`: a heartbeat is to be sent, and counts as sent. `quiet`: the client is to be shown as reconnecting, until
 * something comes from it; `quiet_ask`: both.
 */
export type Finding = "lost" | "quiet" | "quiet_ask" | "ask" | "fine";

/** A client as its silence needs it. It is asked only when the answer matters: nearly all visits of idle clients find nothing. */
export interface Watched {
  /** Somebody looks at one of its members, or may. */
  readonly isSeen: boolean;
}

/** Whether a client is still there, judged by its silence (C3). */
export class Silence {
  /** Visits since its last message. */
  #silent = 0;
  /** Visits since something was sent to it that proves that we are here. */
  #unasked = 0;
  /** Visits since the first heartbeat that is unanswered; undefined: there is none. */
  #unanswered: number | undefined;
  #wasSpared = false;

  /** Something came from the client. */
  heard(): void {
    this.#silent = 0;
    this.#unanswered = undefined;
  }

  /** A question of the client was answered. */
  answered(): void {
    this.#unasked = 0;
  }

  /**
   * To be called at the beginning of a visit. True: the client's silence finds nothing on this visit, whatever its boards are like, and the
   * visit is over with this call. Two visits in a row are never spared, as they look after more than silence. With ten thousand idle
   * clients, looking further is the greater part of what visits cost.
   */
  isSpared(): boolean {
    const [silent, unasked] = [this.#silent + 1, this.#unasked + 1];
    const isNeeded = silent % ASK_VISITS === 0 || unasked % BUSY_BEAT_VISITS === 0 || unasked >= BEAT_VISITS;
    this.#wasSpared = !this.#wasSpared && !isNeeded && this.#unanswered === undefined;
    if (!this.#wasSpared) return false;
    this.#silent = silent;
    this.#unasked = unasked;
    return true;
  }

  /** To be called on each visit that is not spared. */
  visit(client: Watched): Finding {
    this.#silent++;
    this.#unasked++;
    if (this.#unanswered === undefined) {
      // Whether somebody looks matters on every other visit only.
      const isSoon = this.#silent % ASK_VISITS === 0 || this.#unasked % BUSY_BEAT_VISITS === 0;
      if (this.#unasked < BEAT_VISITS && !(isSoon && client.isSeen)) return "fine";
      this.#unanswered = this.#unasked = 0;
      return "ask";
    }
    this.#unanswered++;
    if (this.#silent >= SILENT_VISITS_MAX && this.#unanswered >= UNANSWERED_VISITS_MAX) return "lost";
    const isQuiet = this.#silent >= QUIET_VISITS && client.isSeen;
    if (this.#unasked < BUSY_BEAT_VISITS) return isQuiet ? "quiet" : "fine";
    this.#unasked = 0;
    return isQuiet ? "quiet_ask" : "ask";
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
