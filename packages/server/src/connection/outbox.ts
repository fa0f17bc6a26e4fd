/**
 * Decides what one client is sent of one board, by how many bytes wait in its socket (F4). A slow client first loses cursor frames and
 * later gets the latest places at once; then it loses roster changes and later gets a fresh roster. Pure: it is told how many bytes
 * are queued and answers what to write; it neither holds nor counts bytes itself.
 */

import type { Millis } from "@presence-service/protocol";
import { VISIT_MS } from "./timing.ts";

/** Bytes that may be queued for one client before it gets less, and before it is given up. */
export const OUTBOX = {
  /** Above this cursors wait: at 10 KB/s of cursors they would arrive seconds late. A socket above this also reports when it has drained. */
  lowBytes: 64 * 1024,
  /** Above this roster changes wait, too: about 2 000 of them. */
  rosterBytesMax: 256 * 1024,
  /** Above this the connection is ended. The largest roster of 1 000 members with full states is 5 MB. */
  bytesMax: 16 * 1024 * 1024,
  /** A client that reads nothing for so long is not slow but gone: twice the pause of the worst mobile handover. */
  stalledMsMax: 30_000 as Millis,
} as const;

/** Counted in visits and not in time: a pause of this process is one of them, and lets nobody read. */
const STALLED_VISITS_MAX = OUTBOX.stalledMsMax / VISIT_MS;

export type Offer =
  /** Everything of this tick. */
  | "all"
  /** The roster changes; its cursors are skipped. */
  | "roster"
  /** The roster changes, and then the places of all members that moved since `skippedSince`. */
  | "catch_up"
  /** Not this tick's changes but the whole board as it is now. */
  | "fresh"
  | "nothing";

export class Outbox {
  /** A new client begins as `stale`: it lacks the roster. */
  #state: "live" | "behind" | "stale" = "stale";
  #since: Millis = 0;
  /** Visits for which it has not been `live`. */
  #visits = 0;
  /** How much of the roster sent last may still wait in the socket. */
  #freshBytes = 0;

  get isLive(): boolean {
    return this.#state === "live";
  }

  /** While `behind`: cursors that moved at or after this time were not sent. */
  get skippedSince(): Millis {
    return this.#since;
  }

  /** The client has to be told the whole board, whatever it was told before. */
  restart(): void {
    this.#state = "stale";
    this.#visits = 0;
  }

  /**
   * The offer for one tick with so many bytes of roster changes. `since`: when the tick before was sent; a place that is skipped now
   * is newer than that. The caller has to write what the answer says: it counts as sent.
   */
  offer(queuedBytes: number, rosterBytes: number, since: Millis): Offer {
    this.#freshBytes = Math.min(this.#freshBytes, queuedBytes);
    if (queuedBytes === 0 && this.#state === "live") return "all";
    const isLow = queuedBytes <= OUTBOX.lowBytes;
    if (this.#state === "stale") {
      if (!isLow) return "nothing";
      this.#goLive();
      return "fresh";
    }
    // A roster just sent does not count: otherwise one that is larger than the budget would be sent again and again.
    if (queuedBytes + rosterBytes > OUTBOX.rosterBytesMax + this.#freshBytes) {
      this.#state = "stale";
      return "nothing";
    }
    if (!isLow) {
      if (this.#state === "live") this.#since = since;
      this.#state = "behind";
      return "roster";
    }
    if (this.#state === "live") return "all";
    this.#goLive();
    return "catch_up";
  }

  #goLive(): void {
    this.#state = "live";
    this.#visits = 0;
  }

  /** Notes how large the roster was that the answer `fresh` asked for. */
  sentFresh(bytes: number): void {
    this.#freshBytes = bytes;
  }

  /**
   * To be called on each visit on which the client is not keeping up. True: it has read nothing, or far too little, for too long; its
   * connection is to be ended.
   */
  isStalled(): boolean {
    return !this.isLive && ++this.#visits > STALLED_VISITS_MAX;
  }
}
