/** Times of a connection: between visits, until its hello, until its return. */

import type { Grace, Millis } from "@presence-service/protocol";

/**
 * How often a connection can be visited. Silence is counted in visits and not in time: the n-th visit after a message comes up to n times
 * this after it, and a pause of this process makes nobody silent. A visit that would find nothing is left out, and counts all the same.
 */
export const VISIT_MS = 2500;
/** Visits are numbered by the steps of the lobby, of which every fifth is one connection's. Steps come with heartbeats. */
export const STEPS_PER_VISIT = 5;
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
/** For clients on no board that say no hello but a heartbeat every 30 s: 37.5 to 40 s without a message. */
const IDLE_VISITS_MAX = 40_000 / VISIT_MS;
/** For the same clients: ten minutes in all, as a person who has left a board may enter another one. */
const BOARDLESS_VISITS_MAX = 600_000 / VISIT_MS;

/**
 * The result of a visit. `ask`: a heartbeat is to be sent, and counts as sent. `quiet`: the client is to be shown as reconnecting, until
 * something comes from it; `quiet_ask`: both.
 */
export type Finding = "lost" | "quiet" | "quiet_ask" | "ask" | "fine";

/** A client as its silence needs it. It is asked only when the answer matters. */
export interface Watched {
  /** Somebody looks at one of its members, or may. */
  readonly isSeen: boolean;
}

const NEVER = -1;

/** Whether a client is still there, judged by its silence (C3). Steps are those of the lobby: a message costs one number. */
export class Silence {
  /** Of its last message. */
  #heardAt: number;
  /** When something was sent to it last that proves that we are here. */
  #provenAt: number;
  /** Of the first heartbeat that is unanswered. */
  #askedAt = NEVER;

  constructor(step: number) {
    this.#heardAt = this.#provenAt = step;
  }

  /** Something came from the client. True: a heartbeat was unanswered until now, and the visit that would have judged the client by that is not needed. */
  heard(step: number): boolean {
    this.#heardAt = step;
    if (this.#askedAt === NEVER) return false;
    this.#askedAt = NEVER;
    return true;
  }

  /** A question of the client was answered. */
  answered(step: number): void {
    this.#provenAt = step;
  }

  /** To be called on each visit that may not be left out. */
  visit(step: number, client: Watched): Finding {
    const silent = visits(this.#heardAt, step);
    const unasked = visits(this.#provenAt, step);
    if (this.#askedAt === NEVER) {
      // Whether somebody looks matters on every other visit only.
      const isSoon = silent % ASK_VISITS === 0 || unasked % BUSY_BEAT_VISITS === 0;
      if (unasked < BEAT_VISITS && !(isSoon && client.isSeen)) return "fine";
      this.#askedAt = this.#provenAt = step;
      return "ask";
    }
    if (silent >= SILENT_VISITS_MAX && visits(this.#askedAt, step) >= UNANSWERED_VISITS_MAX) return "lost";
    const isQuiet = silent >= QUIET_VISITS && client.isSeen;
    if (unasked < BUSY_BEAT_VISITS) return isQuiet ? "quiet" : "fine";
    this.#provenAt = step;
    return isQuiet ? "quiet_ask" : "ask";
  }

  /** How many visits later one can find something again, if nobody comes to look before. A message only defers it. */
  rest(step: number, client: Watched): number {
    const silent = visits(this.#heardAt, step);
    const unasked = visits(this.#provenAt, step);
    if (this.#askedAt !== NEVER) {
      if (client.isSeen) return 1;
      const untilLost = Math.max(SILENT_VISITS_MAX - silent, UNANSWERED_VISITS_MAX - visits(this.#askedAt, step));
      return Math.max(1, Math.min(BUSY_BEAT_VISITS - unasked, untilLost));
    }
    const untilBeat = Math.max(1, BEAT_VISITS - unasked);
    if (!client.isSeen) return untilBeat;
    return Math.min(untilBeat, ASK_VISITS - (silent % ASK_VISITS), BUSY_BEAT_VISITS - (unasked % BUSY_BEAT_VISITS));
  }
}

/** The visits after that step, up to the present one. */
function visits(since: number, step: number): number {
  return Math.ceil((step - since) / STEPS_PER_VISIT);
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
