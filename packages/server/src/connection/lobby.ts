/**
 * All open connections of this instance. Each is visited in turn; when the instance stops, all are dismissed, and waited for until their
 * sockets are closed. A connection decides by itself what becomes of it.
 */

import { CLOSE, type CloseReason, type Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { ConnectionId } from "../core/effects.ts";
import { VISIT_MS } from "./timing.ts";

/** A turn of the wheel visits every connection once; a step visits a tenth, so that heartbeats do not leave in one burst. */
const WHEEL = 10;
export const STEP_MS = VISIT_MS / WHEEL;
/** A client that does not answer our close frame is waited for so long: enough to have read it. */
const CLOSING_MS_MAX = 2000;

/**
 * How an instance ends a connection: with a close frame; or without one, as the client would not read it; or not at all, since its bytes
 * are broken and the WebSocket library has closed the socket already.
 */
export type Ending = "close" | "cut" | "broken";

/** A connection, as the lobby sees it. */
export interface Guest {
  readonly id: ConnectionId;
  /** It has not said hello yet. */
  readonly isGreeting: boolean;
  visit(now: Millis): void;
  /** It cannot come back to its session: when its connection ends, it is gone. */
  readonly isGoneForGood: boolean;
  /** It has to be visited several times a second, by `hurry`. */
  isInHurry(now: Millis): boolean;
  hurry(now: Millis): void;
  dismiss(retryAfterMs: Millis): void;
  end(reason: CloseReason, how: Ending): void;
}

export class Lobby<G extends Guest> {
  readonly #clock: Clock;
  /** By id, in the slots of the wheel. */
  readonly #wheel = Array.from({ length: WHEEL }, () => new Map<ConnectionId, G>());
  readonly #hurried = new Set<G>();
  /** Connections that have ended, but whose sockets are not closed yet. */
  readonly #closing = new Set<G>();
  #lastId: ConnectionId = 0;
  #steps = 0;
  #allClosed: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The id of the next connection. */
  nextId(): ConnectionId {
    return ++this.#lastId;
  }

  add(guest: G): void {
    this.#slot(guest.id).set(guest.id, guest);
    this.#hurried.add(guest);
  }

  of(id: ConnectionId): G | undefined {
    return this.#slot(id).get(id);
  }

  all(): G[] {
    return this.#wheel.flatMap((slot) => [...slot.values()]);
  }

  /** Those that have said hello. */
  greeted(): G[] {
    return this.all().filter(({ isGreeting }) => !isGreeting);
  }

  /** Has the connection visited several times a second while it `isInHurry`. */
  watch(guest: G): void {
    this.#hurried.add(guest);
  }

  /** To be called every STEP_MS. Answers whether every connection was visited since it last did. */
  visit(now: Millis): boolean {
    for (const guest of this.#hurried) {
      if (guest.isInHurry(now)) guest.hurry(now);
      else this.#hurried.delete(guest);
    }
    for (const guest of this.#slot(this.#steps++).values()) guest.visit(now);
    return this.#steps % WHEEL === 0;
  }

  /** Those who cannot come back to their session: unless they end before the goodbye, others keep them for nothing (R12.8). */
  dismissForGood(): void {
    for (const guest of this.all()) if (guest.isGoneForGood) guest.dismiss(0);
  }

  /**
   * R12. Each client is told a moment of its own to come back, so that they come evenly. The more clients there are, the longer it takes.
   * Resolves when all sockets are closed.
   */
  async dismissAll(): Promise<void> {
    const { retryMsMin, retryMsMax, retryMsPerClient } = CONSTANTS;
    const guests = this.all();
    const spreadMs = Math.min(Math.max(retryMsMin, guests.length * retryMsPerClient), retryMsMax);
    for (const [nth, guest] of guests.entries()) guest.dismiss(Math.floor(((nth + Math.random()) / guests.length) * spreadMs));
    if (this.#closing.size === 0) return;
    const cancel = this.#clock.after(CLOSING_MS_MAX, () => {
      for (const guest of this.#closing) guest.end(CLOSE.draining, "cut");
    });
    await new Promise<void>((resolve) => {
      this.#allClosed = resolve;
    });
    cancel();
  }

  /** The connection has ended; its socket is closed later. */
  ended(guest: G): void {
    this.#slot(guest.id).delete(guest.id);
    this.#hurried.delete(guest);
    this.#closing.add(guest);
  }

  /** Its socket is closed: nothing comes from this connection any more. */
  closed(guest: G): void {
    this.#closing.delete(guest);
    if (this.#closing.size === 0) this.#allClosed();
  }

  #slot(nth: number): Map<ConnectionId, G> {
    return this.#wheel[nth % WHEEL] as Map<ConnectionId, G>;
  }
}
