/**
 * One board towards this instance's own sockets (F1, F4): gathers the changes of a tick and writes them to all sockets, encoded once
 * per way of speaking. The roster comes before cursors. A client that joins gets the board as it is at the end of the tick, and no change that
 * is in it already. This file decides neither when a tick ends (ticker.ts) nor what is shown (the core).
 */

import { type BoardId, type BoardRef, type Millis, type Point, stampOf } from "@presence-service/protocol";
import type { Effect, RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import { Outbox } from "../core/outbox.ts";
import { Draft } from "../speech/draft.ts";
import type { ClientSocket } from "../speech/socket.ts";
import { type BoardRoster, type Counts, type Speech, type Teller, TOLD_NOTHING, type Told } from "../speech/speech.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { LIMITS, Pool, PRICE, type Work } from "./budget.ts";
import { Pace } from "./ticker.ts";

/** A connection, as a board's fan-out sees it. */
export interface SeatHolder {
  readonly speech: Speech;
  readonly socket: ClientSocket;
  /** The pace that this client was told last. */
  cursorMs: Millis;
  /** Has the connection's boards flushed when its socket has drained. Idempotent. */
  awaitDrain(): void;
  /** Charges work that was done for this connection alone: it pays before more of it is read. */
  owe(work: Work): void;
}

/** A connection's place on a board, from its join on. */
export class Seat {
  readonly holder: SeatHolder;
  readonly fanout: BoardFanout;
  /** The name of the board in the messages of its client. */
  readonly ref: BoardRef;
  readonly outbox = new Outbox();
  /** Whether this client was told that other instances are not heard on this board. */
  isToldDegraded = false;
  /** It sees the board, and its client is no member. */
  isObserver = false;
  /** The actor of its own member; undefined for an observer, and while the core has not let it in yet. */
  actor: number | undefined;
  /** The place at which its client pointed before the core let it in. */
  early: { readonly x: number; readonly y: number } | undefined;
  /** The time at which its share of the board's updates and broadcasts is free again. */
  shareAt: Millis = 0;
  /** For a socket that is owed a roster: the roster that it still believes. */
  told: Told | undefined = TOLD_NOTHING;

  constructor(holder: SeatHolder, fanout: BoardFanout) {
    this.holder = holder;
    this.fanout = fanout;
    this.ref = holder.speech.refOf(fanout);
  }
}

/** The part of the core that a fan-out reads. */
export interface BoardsSource {
  roster(boardId: BoardId): BoardRoster;
  cursorOf(boardId: BoardId, actor: number): Point | undefined;
  counts(boardId: BoardId): Counts;
  takeCursors(boardId: BoardId): Moves;
  cursorsSince(boardId: BoardId, since: Millis): Moves;
}

type Tick = {
  readonly now: Millis;
  /** When the tick before was sent. */
  readonly since: Millis;
  readonly moves: Moves;
  /** Present if a member came or went, or the board is observed from now on, or no longer. */
  readonly counts: Counts | undefined;
  /** A member came or went. */
  readonly isCounted: boolean;
  readonly cursorMs: Millis;
  readonly roster: () => BoardRoster;
};

export class BoardFanout {
  readonly boardId: BoardId;
  /** The name of the board in `presence.v2`: the same for all sockets, so that they can share frames. */
  readonly number: number;
  readonly pace = new Pace();
  /** Seats given out, including those that wait for the core. */
  seats = 0;
  /** Bytes of updates and broadcasts that may still be sent to all members together. */
  readonly #audience: Pool;
  readonly #source: BoardsSource;
  readonly #metrics: Metrics;
  readonly #audiences = new Map<Speech, Audience>();
  #areCountsDue = false;
  #isObservedDue = false;

  constructor(boardId: BoardId, number: number, source: BoardsSource, metrics: Metrics, now: Millis) {
    this.boardId = boardId;
    this.number = number;
    this.#source = source;
    this.#metrics = metrics;
    this.#audience = new Pool(LIMITS.audience, now);
  }

  /**
   * Whether so many members may be told so many bytes by that seat. Where a crowd has used up what the board may be told, each seat still
   * has its share: all shares together are half of it, and what is taken from them the crowd does not get.
   */
  affords(seat: Seat, bytes: number, members: number, now: Millis): boolean {
    const amount = bytes * members;
    if (this.#audience.take(amount, now)) return true;
    if (now < seat.shareAt) return false;
    seat.shareAt = now + (2 * amount * this.seats) / LIMITS.audience.perMs;
    this.#audience.charge(amount, now);
    return true;
  }

  /** Tells that connection the whole board at the end of this tick, even if it was told before, and every change from then on. */
  admit(seat: Seat, actor: number | undefined, now: Millis): void {
    const { speech } = seat.holder;
    seat.actor = actor;
    seat.outbox.restart(now);
    let audience = this.#audiences.get(speech);
    if (audience === undefined) {
      audience = new Audience(
        speech.teller(this, {
          roster: () => this.#source.roster(this.boardId),
          cursorOf: (actor) => this.#source.cursorOf(this.boardId, actor),
        }),
        this,
        this.#source,
        this.#metrics,
      );
      this.#audiences.set(speech, audience);
    }
    audience.add(seat);
  }

  remove(seat: Seat): void {
    const { speech } = seat.holder;
    const audience = this.#audiences.get(speech);
    audience?.remove(seat);
    if (audience?.isEmpty) this.#audiences.delete(speech);
  }

  change(change: RosterChange): void {
    if (change.change !== "updated") this.#areCountsDue = true;
    for (const audience of this.#audiences.values()) audience.teller.change(change, audience.draft);
  }

  /** Somebody observes the board from now on, or nobody does any more. */
  observed(): void {
    this.#isObservedDue = true;
  }

  /** Other instances are not heard on this board (true), or are heard again. */
  degraded(on: boolean): void {
    for (const audience of this.#audiences.values()) audience.degraded(on);
  }

  event({ actor, name, data, to }: Extract<Effect, { kind: "event" }>): void {
    const isFor = to?.filter((recipient) => recipient !== actor);
    for (const audience of this.#audiences.values()) audience.teller.event(actor, name, data, audience.draft, isFor);
  }

  flush(now: Millis, cursorMs: Millis): void {
    let roster: BoardRoster | undefined;
    const tick: Tick = {
      now,
      since: this.pace.flushedAt,
      moves: this.#source.takeCursors(this.boardId),
      counts: this.#areCountsDue || this.#isObservedDue ? this.#source.counts(this.boardId) : undefined,
      isCounted: this.#areCountsDue,
      cursorMs,
      roster: () => {
        roster ??= this.#source.roster(this.boardId);
        return roster;
      },
    };
    this.#areCountsDue = false;
    this.#isObservedDue = false;
    for (const audience of this.#audiences.values()) audience.flush(tick);
  }
}

/** All sockets of one way of speaking on one board. */
class Audience {
  readonly teller: Teller;
  draft = new Draft();
  readonly #board: BoardFanout;
  readonly #source: BoardsSource;
  readonly #metrics: Metrics;
  readonly #seats = new Set<Seat>();
  /** A socket is owed something besides the draft: it is new, or was too slow. */
  #isAnyoneOwed = false;
  #cursorMs: Millis | undefined;
  /** The value of `degraded` in the draft of this tick, if it tells one. A socket that is owed the whole board is told with the board. */
  #degraded: boolean | undefined;

  constructor(teller: Teller, board: BoardFanout, source: BoardsSource, metrics: Metrics) {
    this.teller = teller;
    this.#board = board;
    this.#source = source;
    this.#metrics = metrics;
  }

  get isEmpty(): boolean {
    return this.#seats.size === 0;
  }

  add(seat: Seat): void {
    this.#seats.add(seat);
    this.#isAnyoneOwed = true;
  }

  remove(seat: Seat): void {
    this.#seats.delete(seat);
  }

  degraded(on: boolean): void {
    this.teller.degraded(on, this.draft);
    this.#degraded = on;
  }

  flush(tick: Tick): void {
    const { draft } = this;
    if (tick.counts !== undefined) this.teller[tick.isCounted ? "counts" : "observed"](tick.counts, draft);
    if (tick.cursorMs !== this.#cursorMs) this.#setPace(tick.cursorMs);
    draft.endRoster();
    if (tick.moves.length > 0) this.teller.cursors(tick.moves, stampOf(tick.now), draft);
    if (draft.isEmpty && !this.#isAnyoneOwed) return;
    this.#isAnyoneOwed = false;
    this.#tell(draft, tick);
    this.draft = new Draft();
    this.#degraded = undefined;
    this.teller.settled();
  }

  #setPace(cursorMs: Millis): void {
    // Sockets that were here at the last tick are told by the draft. New ones are told with the board.
    if (this.#cursorMs !== undefined) {
      this.teller.pace(cursorMs, this.draft);
      for (const { holder, outbox } of this.#seats) if (outbox.isLive) holder.cursorMs = cursorMs;
    }
    this.#cursorMs = cursorMs;
  }

  #tell(draft: Draft, tick: Tick): void {
    let board: ReturnType<Teller["board"]> | undefined;
    for (const seat of this.#seats) {
      const { outbox, holder } = seat;
      const queued = holder.socket.queuedBytes;
      const offer = outbox.offer(queued, draft.rosterBytes + draft.privateBytes(seat.actor), tick.since);
      if (this.#degraded !== undefined && offer !== "fresh" && offer !== "nothing") seat.isToldDegraded = this.#degraded;
      switch (offer) {
        case "all":
          this.#write(seat, draft, "all");
          break;
        case "roster":
          this.#write(seat, draft, "roster");
          if (draft.bytes > draft.rosterBytes) this.#metrics.cursorFramesSkipped++;
          break;
        case "catch_up":
          this.#write(seat, draft, "roster");
          this.#writeCursorsSince(seat, outbox.skippedSince, tick.now);
          break;
        case "fresh":
          board ??= this.teller.board(tick.roster());
          this.#writeBoard(seat, board, tick);
          break;
        case "nothing":
          if (seat.told === undefined) {
            this.#metrics.staleClients++;
            seat.told = this.teller.told();
          }
          break;
      }
      if (outbox.isLive) continue;
      this.#isAnyoneOwed = true;
      holder.awaitDrain();
    }
  }

  #write({ holder, actor = -1 }: Seat, draft: Draft, part: "all" | "roster"): void {
    draft.writeTo(holder.socket, actor, part, this.#metrics);
  }

  #writeCursorsSince(seat: Seat, since: Millis, now: Millis): void {
    const moves = this.#source.cursorsSince(this.#board.boardId, since);
    if (moves.length === 0) return;
    const draft = new Draft();
    this.teller.cursors(moves, stampOf(now), draft);
    this.#write(seat, draft, "all");
  }

  #writeBoard(seat: Seat, board: ReturnType<Teller["board"]>, { cursorMs, roster }: Tick): void {
    const { holder } = seat;
    const { degraded } = roster();
    const draft = new Draft();
    board(seat.actor, seat.told ?? TOLD_NOTHING, draft);
    if (seat.isToldDegraded !== degraded) this.teller.degraded(degraded, draft);
    seat.isToldDegraded = degraded;
    if (holder.cursorMs !== cursorMs) this.teller.pace(cursorMs, draft);
    holder.cursorMs = cursorMs;
    draft.writePieces(holder.socket, this.#metrics);
    seat.told = undefined;
    seat.outbox.sentFresh(draft.bytes);
    holder.owe(draft.bytes * PRICE.byteOfRoster);
  }
}
