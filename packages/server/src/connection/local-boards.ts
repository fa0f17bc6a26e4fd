/**
 * The boards on which this instance has sockets: who sits where, when each is told what has happened, and the cursors that are published
 * of it. A board is here as long as somebody has a seat. The core decides what is shown, and board-fanout.ts what is written.
 */

import type { BoardId, CursorPath, Member, MemberId, Millis, Recipients } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { CONSTANTS } from "../core/constants.ts";
import type { Core } from "../core/core.ts";
import type { Effect, RosterChange } from "../core/effects.ts";
import type { Cursors, MovesTo } from "../core/messages.ts";
import { NumberPool } from "../core/number-pool.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { BoardFanout, Seat, type SeatHolder } from "./board-fanout.ts";
import type { AddressAccount, Rates } from "./budget.ts";
import { Ticker } from "./ticker.ts";

/**
 * F9. Bytes of cursors that this instance may publish. Redis cuts off a peer that stalls at 32 MB of unread output, and this instance
 * gives it up after 4 s: in that time eight instances at their limit stay below 32 MB.
 */
const CURSOR_BYTES_PER_MS = 1000;
const CURSOR_BURST_MS = 250;

type BoardEvent = Extract<Effect, { kind: "event" }>;

export type LocalBoardsOptions = {
  readonly core: Core;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly rates: Rates;
  /** Publishes cursors of this instance, by the end of the turn. Answers how many bytes of them each other instance is sent. */
  readonly publish: (boardId: BoardId, cursors: Cursors, to: MovesTo) => number;
  /** All boards of this turn were flushed. */
  readonly turnOver: () => void;
  /** A board was flushed: the core's next deadline may have changed. */
  readonly flushed: () => void;
};

export class LocalBoards {
  readonly #options: LocalBoardsOptions;
  readonly #core: Core;
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #ticker: Ticker<BoardFanout>;
  readonly #boards = new Map<BoardId, BoardFanout>();
  readonly #numbers = new NumberPool(CONSTANTS.numberRestMs);
  #cursorsPaidUntil: Millis = 0;

  constructor(options: LocalBoardsOptions) {
    this.#options = options;
    this.#core = options.core;
    this.#clock = options.clock;
    this.#metrics = options.metrics;
    this.#ticker = new Ticker(options.clock, (board, isLocal, now) => this.#flush(board, isLocal, now), options.turnOver);
  }

  /** The cursor pace that clients have to keep to at the moment. */
  get cursorMs(): Millis {
    return this.#ticker.cursorMs;
  }

  // Called by connections.

  /** Somebody has a seat on that board. */
  has(boardId: BoardId): boolean {
    return this.#boards.has(boardId);
  }

  /** Gives the connection a seat on that board; `leave` gives it back. The address that opens a board counts it; an agent has none. */
  sit(holder: SeatHolder, boardId: BoardId, address?: AddressAccount): Seat {
    let board = this.#boards.get(boardId);
    if (board === undefined) {
      const now = this.#clock.now();
      board = new BoardFanout(boardId, this.#numbers.take(now), this.#core, this.#metrics, this.#options.rates, now);
      board.opener = address;
      if (address !== undefined) address.boards++;
      this.#boards.set(boardId, board);
    }
    board.seats++;
    return new Seat(holder, board);
  }

  leave(seat: Seat): void {
    const { fanout } = seat;
    fanout.remove(seat);
    if (--fanout.seats > 0) return;
    this.#boards.delete(fanout.boardId);
    if (fanout.opener !== undefined) fanout.opener.boards--;
    this.#ticker.forget(fanout);
    this.#numbers.free(fanout.number, this.#clock.now());
  }

  moved(seat: Seat, x: number, y: number, path?: CursorPath): void {
    const { fanout, actor } = seat;
    if (actor === undefined) return;
    if (!this.#core.markCursor(fanout.boardId, actor, x, y, this.#clock.now(), path)) this.#metrics.cursorsConflated++;
    this.#ticker.local(fanout);
  }

  /** That seat is sent the cursors of these areas from now on; undefined: a member those of its own, an observer all. */
  look(seat: Seat, areas: "all" | readonly string[] | undefined): void {
    seat.fanout.look(seat, areas);
    this.#ticker.local(seat.fanout);
  }

  /** A socket has drained: what it is owed of that board can be written. */
  drained(board: BoardFanout): void {
    this.#ticker.local(board);
  }

  /** The members that answer a `page` of that board. */
  page(boardId: BoardId, after: MemberId | undefined, count: number): Member[] {
    return this.#core.page(boardId, after, count);
  }

  /** The number of members that a message on that board is sent to: its sender pays for each. */
  audienceOf(boardId: BoardId, recipients: Recipients = {}): number {
    return this.#core.audience(boardId, recipients);
  }

  /** One more join of the board of that seat. False: the board has more of them than its members should be told. */
  takeJoin(seat: Seat): boolean {
    return seat.fanout.takeJoin(this.#clock.now());
  }

  /** The number of members of that board, wherever they are connected. */
  membersOn(boardId: BoardId): number {
    return this.#core.counts(boardId).members;
  }

  /** Whether that member is shown on that board. */
  isShown(boardId: BoardId, memberId: MemberId): boolean {
    return this.#core.audience(boardId, { memberIds: [memberId] }) > 0;
  }

  /** Whether somebody else looks at that board, here or at another instance. */
  isLookedAt({ fanout }: Seat, self: MemberId): boolean {
    if (fanout.isUnseen && !this.#core.isDegraded) return false;
    fanout.isUnseen = !this.#core.isLookedAt(fanout.boardId, undefined);
    const isLookedAt = !fanout.isUnseen && this.#core.isLookedAt(fanout.boardId, self);
    if (!isLookedAt) fanout.hasUnseen = true;
    return isLookedAt;
  }

  /** False: updates and broadcasts on that board have used up its budget. */
  affords(seat: Seat, bytes: number, audience: number): boolean {
    const isAfforded = seat.fanout.affords(seat, bytes, audience, this.#clock.now());
    if (!isAfforded) this.#metrics.throttled.board++;
    return isAfforded;
  }

  // Called with effects of the core. Boards without a seat need none.

  /** The core has let the connection of that seat in, as that actor or as an observer. */
  admit(seat: Seat, self: number | undefined): void {
    seat.fanout.admit(seat, self);
    seat.holder.visitSoon();
    this.#ticker.local(seat.fanout);
    const { early } = seat;
    seat.early = undefined;
    if (early !== undefined) this.moved(seat, early.x, early.y);
  }

  changed(boardId: BoardId, change: RosterChange): void {
    const board = this.#boards.get(boardId);
    if (board === undefined) return;
    this.#looked(board);
    board.change(change);
    this.#ticker.local(board);
  }

  event(event: BoardEvent): void {
    const board = this.#boards.get(event.boardId);
    if (board === undefined) return;
    board.event(event);
    this.#ticker.local(board);
  }

  /** Somebody observes that board from now on, or nobody does any more. */
  observed(boardId: BoardId): void {
    const board = this.#boards.get(boardId);
    if (board === undefined) return;
    this.#looked(board);
    board.observed();
    this.#ticker.local(board);
  }

  /** Other instances are not heard on that board (true), or are heard again. */
  degraded(boardId: BoardId, on: boolean): void {
    const board = this.#boards.get(boardId);
    if (board === undefined) return;
    this.#looked(board);
    board.degraded(on);
    this.#ticker.local(board);
  }

  /** Cursors of other instances have moved there. */
  cursors(boardId: BoardId): void {
    const board = this.#boards.get(boardId);
    if (board !== undefined) this.#ticker.remote(board);
  }

  /** Somebody may have begun to look at that board. */
  #looked(board: BoardFanout): void {
    board.isUnseen = false;
    if (board.hasUnseen && this.#core.isLookedAt(board.boardId, undefined)) board.visitSoon();
  }

  // Called by the clock.

  /** Fits the pace to how busy the event loop was, 0…1. To be called several times a second. */
  adapt(load: number): void {
    this.#ticker.adapt(load);
  }

  stop(): void {
    this.#ticker.stop();
  }

  #flush(board: BoardFanout, isLocal: boolean, now: Millis): void {
    board.flush(now, this.#ticker.cursorMs);
    if (isLocal) this.#publishCursors(board, now);
    this.#ticker.by(board, board.newsAt);
    this.#options.flushed();
  }

  #publishCursors(board: BoardFanout, now: Millis): void {
    // Over the budget cursors stay marked, and a later tick sends their latest places.
    if (this.#cursorsPaidUntil > now + CURSOR_BURST_MS) return this.#ticker.local(board);
    const cursors = this.#core.takeOwnCursors(board.boardId, now);
    if (cursors === undefined) return;
    const bytes = this.#options.publish(board.boardId, cursors, this.#core.movesTo(board.boardId));
    this.#cursorsPaidUntil = Math.max(now, this.#cursorsPaidUntil) + bytes / CURSOR_BYTES_PER_MS;
  }
}
