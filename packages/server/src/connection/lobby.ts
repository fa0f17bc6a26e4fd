/**
 * All open connections of this instance. Each is visited when something can be due; when the instance stops, all are dismissed, and waited
 * for until their sockets are closed. A connection decides by itself what becomes of it.
 */

import { CLOSE, type CloseReason, type Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { ConnectionId } from "../core/effects.ts";
import { STEPS_PER_VISIT, VISIT_MS } from "./timing.ts";
import { Ticket, Wheel } from "./wheel.ts";

export const STEP_MS = VISIT_MS / STEPS_PER_VISIT;
/** A client that does not answer our close frame is waited for so long: enough to have read it. */
const CLOSING_MS_MAX = 2000;

/**
 * How an instance ends a connection: with a close frame; or without one, as the client would not read it; or not at all, since its bytes
 * are broken and the WebSocket has sent its close frame already.
 */
export type Ending = "close" | "cut" | "broken";

/** A connection, as the lobby sees it. */
export interface Guest {
  readonly id: ConnectionId;
  /** It has not said hello yet. */
  readonly isGreeting: boolean;
  /** Answers how many visits later it needs the next one, if nobody says `visitSoon` before. */
  visit(now: Millis, step: number): number;
  /** The time has come that was given to `callAt`. */
  called(now: Millis): void;
  /** It cannot come back to its session: when its connection ends, it is gone. */
  readonly isGoneForGood: boolean;
  dismiss(retryAfterMs: Millis): void;
  end(reason: CloseReason, how: Ending): void;
}

export class Lobby<G extends Guest> {
  readonly #clock: Clock;
  /** Each with its ticket for the next visit. */
  readonly #guests = new Map<ConnectionId, Ticket<G>>();
  /**
   * By steps, of which a pause of this process is one. Each guest has one step in five, by its id, so that heartbeats do not leave in one
   * burst. With ten thousand guests, most of what an idle one costs beside its heartbeats is to be looked at.
   */
  readonly #visits = new Wheel<G>(0);
  /** By the clock, in STEP_MS. */
  readonly #calls: Wheel<G>;
  /** Of the guests that are to be called. */
  readonly #callTickets = new Map<ConnectionId, Ticket<G>>();
  /** Connections that have ended, but whose sockets are not closed yet. */
  readonly #closing = new Set<G>();
  #lastId: ConnectionId = 0;
  #step = 0;
  #allClosed: () => void = () => {};

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#calls = new Wheel(Math.floor(clock.now() / STEP_MS));
  }

  /** The last step, which is the present one during visits. */
  get step(): number {
    return this.#step;
  }

  /** The id of the next connection. */
  nextId(): ConnectionId {
    return ++this.#lastId;
  }

  add(guest: G): void {
    const ticket = new Ticket(guest);
    this.#guests.set(guest.id, ticket);
    this.#visits.set(ticket, this.#stepOf(guest, this.#step + 1));
  }

  of(id: ConnectionId): G | undefined {
    return this.#guests.get(id)?.guest;
  }

  all(): G[] {
    const guests: G[] = [];
    for (const { guest } of this.#guests.values()) if (guest !== undefined) guests.push(guest);
    return guests;
  }

  /** Those that have said hello. */
  greeted(): G[] {
    return this.all().filter(({ isGreeting }) => !isGreeting);
  }

  /** Something about the guest has changed: it is visited within VISIT_MS. */
  visitSoon(guest: G): void {
    const ticket = this.#guests.get(guest.id);
    const step = this.#stepOf(guest, this.#step + 1);
    if (ticket !== undefined && (ticket.step ?? Number.POSITIVE_INFINITY) > step) this.#visits.set(ticket, step);
  }

  /** The next visit that can find something at that guest is so many visits from now, if nobody says `visitSoon` before. */
  visitIn(guest: G, visits: number): void {
    const ticket = this.#guests.get(guest.id);
    if (ticket !== undefined) this.#visits.set(ticket, this.#stepOf(guest, this.#step) + visits * STEPS_PER_VISIT);
  }

  /** Has the guest `called` at that time, whatever its visits; replaces the time given before. */
  callAt(guest: G, at: Millis): void {
    if (at === Number.POSITIVE_INFINITY) return this.#callNoMore(guest);
    const ticket = this.#callTickets.get(guest.id) ?? new Ticket(guest);
    this.#callTickets.set(guest.id, ticket);
    this.#calls.set(ticket, Math.ceil(at / STEP_MS));
  }

  /** To be called every STEP_MS. Answers whether that was a fifth time. */
  visit(now: Millis): boolean {
    const step = ++this.#step;
    this.#calls.turn(Math.floor(now / STEP_MS), (_, guest) => guest.called(now));
    this.#visits.turn(step, (ticket, guest) => {
      let visits = 1;
      try {
        visits = guest.visit(now, step);
      } finally {
        // Unless it has ended, or asked from within for a visit, which then is the next one.
        if (ticket.step === undefined && this.#guests.has(guest.id)) this.#visits.set(ticket, step + visits * STEPS_PER_VISIT);
      }
    });
    return step % STEPS_PER_VISIT === 0;
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
    this.#guests.get(guest.id)?.leave();
    this.#guests.delete(guest.id);
    this.#callNoMore(guest);
    this.#closing.add(guest);
  }

  /** Its socket is closed: nothing comes from this connection any more. */
  closed(guest: G): void {
    this.#closing.delete(guest);
    if (this.#closing.size === 0) this.#allClosed();
  }

  #callNoMore({ id }: G): void {
    this.#callTickets.get(id)?.leave();
    this.#callTickets.delete(id);
  }

  /** The first step from then on that is that guest's. */
  #stepOf({ id }: G, from: number): number {
    return from + ((((id - from) % STEPS_PER_VISIT) + STEPS_PER_VISIT) % STEPS_PER_VISIT);
  }
}
