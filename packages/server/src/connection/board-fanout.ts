/**
 * One board towards this instance's own sockets (F1, F4): gathers the changes of a tick and writes them to all sockets, encoded once
 * per way of speaking; cursors once per area, where a board has several. The roster comes before cursors. A client that joins gets the board as it is at the end of the tick, and no change that
 * is in it already. This file decides neither when a tick ends (ticker.ts) nor what is shown (the core).
 */

import { type BoardId, type BoardRef, type CursorPathOf, type Millis, type Point, stampOf } from "@presence-service/protocol";
import { busy } from "../compilers.ts";
import type { Counts, Effect, RosterChange, RosterView } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import { Draft } from "../speech/draft.ts";
import type { ClientSocket } from "../speech/socket.ts";
import { type Encoding, type Speech, type Teller, TOLD_NOTHING, type Told } from "../speech/speech.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { JoinSpan } from "../telemetry/tracing.ts";
import { ALL_AREAS, Areas, type MovesByArea } from "./areas.ts";
import { type AddressAccount, Pool, PRICE, type Rates, type Work } from "./budget.ts";
import { CursorFrames } from "./cursor-frames.ts";
import { Outbox } from "./outbox.ts";
import { Pace } from "./ticker.ts";

/**
 * With so many sockets here, counts, newcomers and changes of a status are told less often, a tenth of a millisecond later for each socket: so they cost ten thousand writes a second
 * at most, however fast a crowd comes, and are up to a second old. With fewer sockets, each tick that has some tells them, and so does the first one after a rest.
 */
const SEATS_OF_SLOW_NEWS = 200;
const NEWS_MS_PER_SEAT = 0.1;
const NEWS_MS_MAX = 1000;

/** A connection, as a board's fan-out sees it. */
export interface SeatHolder {
  readonly speech: Speech;
  readonly socket: ClientSocket;
  /** Its client reads packed messages. */
  readonly packs: boolean;
  /** The pace that this client was told last. */
  cursorMs: Millis;
  /** Has the connection's boards flushed when its socket has drained. Idempotent. */
  awaitDrain(): void;
  /** Something has changed that matters to its next visit. */
  visitSoon(): void;
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
  /** Of the join that is not answered yet, where somebody traces. */
  span: JoinSpan | undefined;
  /** It was told the board: nothing else may be said of the board before that. */
  isTold = false;
  /** It sees the board, and its client is no member. */
  isObserver = false;
  /** Its client may not broadcast. */
  isSilent = false;
  /** The actor of its own member; undefined for an observer, and while the core has not let it in yet. */
  actor: number | undefined;
  /** The place at which its client pointed before the core let it in. */
  early: { readonly x: number; readonly y: number } | undefined;
  /** The time at which its share of the board's updates and broadcasts is free again. */
  shareAt: Millis = 0;
  /** The areas of which it is sent the cursors; undefined: a member its own, an observer all. */
  look: "all" | readonly number[] | undefined;
  /** It begins to look at an area: it is owed the last places there. */
  isOwedPlaces = false;
  /** The members that its client holds from an earlier connection, as it told with its join. Answered at once or never. */
  held: string | undefined;
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
  roster(boardId: BoardId): RosterView;
  cursorOf(boardId: BoardId, actor: number): Point | undefined;
  counts(boardId: BoardId): Counts;
  takeCursors(boardId: BoardId): Moves;
  pathsTaken(boardId: BoardId): readonly CursorPathOf[];
  cursorsSince(boardId: BoardId, since: Millis): Moves;
}

type Tick = {
  readonly now: Millis;
  /** When the tick before was sent. */
  readonly since: Millis;
  readonly moves: Moves;
  readonly paths: readonly CursorPathOf[];
  /** The moves by area; undefined: the same cursors are for all. */
  readonly parts: MovesByArea | undefined;
  /** Present if a member came or went, or the board is observed from now on, or no longer. */
  readonly counts: Counts | undefined;
  /** A member came or went. */
  readonly isCounted: boolean;
  /** Newcomers and changes of a status are told as well. */
  readonly isNews: boolean;
  readonly cursorMs: Millis;
};

type Places = { readonly moves: Moves; readonly parts: MovesByArea | undefined };

export class BoardFanout {
  readonly boardId: BoardId;
  /** The name of the board in `presence.v2`: the same for all sockets, so that they can share frames. */
  readonly number: number;
  readonly pace = new Pace();
  /** Seats given out, including those that wait for the core. */
  seats = 0;
  /** It was found that nobody looks at this board, and nothing has changed since: most visits of idle clients need no more. */
  isUnseen = false;
  /** A member was found at which nobody else looks, and its connection is visited less often for that. */
  hasUnseen = false;
  /** The address that brought the board here. */
  opener: AddressAccount | undefined;
  readonly #rates: Rates;
  readonly #joins: Pool;
  /** Bytes of updates and broadcasts that may still be sent to all members together. */
  readonly #audience: Pool;
  readonly #source: BoardsSource;
  readonly #metrics: Metrics;
  readonly #audiences = new Map<Encoding | "packed", Audience>();
  readonly #areas = new Areas();
  /** The seats of members, by actor. */
  readonly #seatOf = new Map<number, Seat>();
  #areCountsDue = false;
  #areStatusesDue = false;
  #newsToldAt = Number.NEGATIVE_INFINITY;
  #isObservedDue = false;
  /** Of this tick, if anybody was told them. */
  #roster: RosterView | undefined;
  #places: Places | undefined;

  constructor(boardId: BoardId, number: number, source: BoardsSource, metrics: Metrics, rates: Rates, now: Millis) {
    this.boardId = boardId;
    this.number = number;
    this.#source = source;
    this.#metrics = metrics;
    this.#rates = rates;
    this.#joins = new Pool(rates.joins, now);
    this.#audience = new Pool(rates.audience, now);
  }

  /**
   * Whether the member of that seat may cause these bytes to be sent to so many members. All on a board share one budget for that. When a
   * crowd has used it up, each seat may still spend a share of its own from time to time. All shares together are half of the budget, and
   * are charged to it.
   */
  affords(seat: Seat, bytes: number, members: number, now: Millis): boolean {
    const amount = bytes * members;
    if (this.#audience.take(amount, now)) return true;
    if (now < seat.shareAt) return false;
    seat.shareAt = now + (2 * amount * this.seats) / this.#rates.audience.perMs;
    this.#audience.charge(amount, now);
    return true;
  }

  /** Somebody may have come to look: all are visited. */
  visitSoon(): void {
    this.hasUnseen = false;
    for (const { holder } of this.#seatOf.values()) holder.visitSoon();
  }

  takeJoin(now: Millis): boolean {
    return this.#joins.take(1, now);
  }

  /** Tells that connection the whole board at the end of this tick, even if it was told before, and every change from then on. */
  admit(seat: Seat, actor: number | undefined): void {
    const { speech } = seat.holder;
    this.#unseat(seat);
    seat.actor = actor;
    if (actor !== undefined) this.#seatOf.set(actor, seat);
    seat.outbox.restart();
    const way = wayOf(seat.holder);
    let audience = this.#audiences.get(way);
    if (audience === undefined) {
      // From here on `change` notes the area of each member. Before the first audience nobody noted any, so the roster is read once.
      if (this.#audiences.size === 0)
        for (const { actor, member } of this.#source.roster(this.boardId).entries) this.#areas.set(actor, member.area);
      audience = new Audience(
        speech.teller(
          this,
          {
            roster: () => this.#source.roster(this.boardId),
            cursorOf: (actor) => this.#source.cursorOf(this.boardId, actor),
          },
          seat.holder.packs,
        ),
        this,
        this.#source,
        this.#areas,
        this.#metrics,
      );
      this.#audiences.set(way, audience);
    }
    audience.add(seat);
  }

  remove(seat: Seat): void {
    const way = wayOf(seat.holder);
    const audience = this.#audiences.get(way);
    audience?.remove(seat);
    if (audience?.isEmpty) this.#audiences.delete(way);
    this.#unseat(seat);
    this.#setLook(seat, undefined);
  }

  /** That seat is sent the cursors of these areas from now on, beginning with their last places; undefined: as at first. */
  look(seat: Seat, areas: "all" | readonly string[] | undefined): void {
    this.#setLook(seat, areas);
    this.#owePlaces(seat);
  }

  #setLook(seat: Seat, areas: "all" | readonly string[] | undefined): void {
    const before = seat.look;
    seat.look = areas === undefined || areas === "all" ? areas : this.#areas.take(areas);
    if (before !== undefined && before !== "all") this.#areas.giveBack(before);
  }

  #owePlaces(seat: Seat): void {
    seat.isOwedPlaces = true;
    this.#audiences.get(wayOf(seat.holder))?.owe();
  }

  #unseat({ actor }: Seat): void {
    if (actor !== undefined) this.#seatOf.delete(actor);
  }

  #noteArea(change: RosterChange): void {
    const { actor } = change;
    if (change.change === "left") return this.#areas.remove(actor);
    if (change.change === "updated" && !("area" in change.patch)) return;
    if (!this.#areas.set(actor, change.member.area)) return;
    const seat = this.#seatOf.get(actor);
    if (seat !== undefined && seat.look === undefined) this.#owePlaces(seat);
  }

  change(change: RosterChange): void {
    if (change.change !== "updated") this.#areCountsDue = true;
    else if ("status" in change.patch) this.#areStatusesDue = true;
    this.#noteArea(change);
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

  /** When counts and statuses that wait are to be told; Infinity: none wait. */
  get newsAt(): Millis {
    if (!this.#areCountsDue && !this.#areStatusesDue) return Number.POSITIVE_INFINITY;
    const gapMs = this.seats < SEATS_OF_SLOW_NEWS ? 0 : Math.min(this.seats * NEWS_MS_PER_SEAT, NEWS_MS_MAX);
    return this.#newsToldAt + gapMs;
  }

  flush(now: Millis, cursorMs: Millis): void {
    const isNews = this.newsAt <= now;
    const isCounted = isNews && this.#areCountsDue;
    this.#forgetTick();
    const moves = this.#source.takeCursors(this.boardId);
    if (moves.length > 0) busy();
    const tick: Tick = {
      now,
      since: this.pace.flushedAt,
      moves,
      paths: this.#source.pathsTaken(this.boardId),
      parts: this.#partsOf(moves),
      counts: isCounted || this.#isObservedDue ? this.#source.counts(this.boardId) : undefined,
      isCounted,
      isNews,
      cursorMs,
    };
    if (isNews) {
      this.#areCountsDue = false;
      this.#areStatusesDue = false;
      this.#newsToldAt = now;
    }
    this.#isObservedDue = false;
    for (const audience of this.#audiences.values()) audience.flush(tick);
    // A roster of thousands is not kept until the next tick.
    this.#forgetTick();
  }

  #forgetTick(): void {
    this.#roster = undefined;
    this.#places = undefined;
  }

  /** Everybody, as of this tick. */
  roster(): RosterView {
    this.#roster ??= this.#source.roster(this.boardId);
    return this.#roster;
  }

  /** The last places of all members, as of this tick. */
  places(): Places {
    if (this.#places === undefined) {
      const moves = this.#source.cursorsSince(this.boardId, Number.NEGATIVE_INFINITY);
      this.#places = { moves, parts: this.#partsOf(moves) };
    }
    return this.#places;
  }

  #partsOf(moves: Moves): MovesByArea | undefined {
    return this.#areas.isDivided ? this.#areas.split(moves) : undefined;
  }
}

/** Sockets that share their frames: those of one encoding whose clients read packed messages, or do not. */
function wayOf({ speech: { encoding }, packs }: SeatHolder): Encoding | "packed" {
  return packs && encoding === "binary" ? "packed" : encoding;
}

/** All sockets of one way of speaking on one board. */
class Audience {
  readonly teller: Teller;
  readonly draft = new Draft();
  readonly #board: BoardFanout;
  readonly #source: BoardsSource;
  readonly #areas: Areas;
  readonly #metrics: Metrics;
  readonly #seats = new Set<Seat>();
  /** A socket is owed something besides the draft: it is new, or was too slow. */
  #isAnyoneOwed = false;
  #cursorMs: Millis | undefined;
  /** The value of `degraded` in the draft of this tick, if it tells one. A socket that is owed the whole board is told with the board. */
  #degraded: boolean | undefined;

  constructor(teller: Teller, board: BoardFanout, source: BoardsSource, areas: Areas, metrics: Metrics) {
    this.teller = teller;
    this.#board = board;
    this.#source = source;
    this.#areas = areas;
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

  /** One of its seats is owed something. */
  owe(): void {
    this.#isAnyoneOwed = true;
  }

  degraded(on: boolean): void {
    this.teller.degraded(on, this.draft);
    this.#degraded = on;
  }

  flush(tick: Tick): void {
    const { draft } = this;
    if (tick.isNews) this.teller.news(draft);
    if (tick.counts !== undefined) this.teller[tick.isCounted ? "counts" : "observed"](tick.counts, draft);
    if (tick.cursorMs !== this.#cursorMs) this.#setPace(tick.cursorMs);
    draft.endRoster();
    const isDivided = tick.parts !== undefined && tick.moves.length > 0;
    if (tick.moves.length > 0 && !isDivided) this.teller.cursors(tick.moves, stampOf(tick.now), draft, tick.paths);
    if (draft.isEmpty && !isDivided && !this.#isAnyoneOwed) return;
    this.#isAnyoneOwed = false;
    this.#tell(draft, tick, isDivided ? this.#frames(tick.now, tick.moves, tick.parts, tick.paths) : undefined);
    draft.clear();
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

  /** `frames`: the cursors, if they are not in the draft. */
  #tell(draft: Draft, tick: Tick, frames: CursorFrames | undefined): void {
    let board: ReturnType<Teller["board"]> | undefined;
    let places: CursorFrames | undefined;
    for (const seat of this.#seats) {
      const { outbox, holder } = seat;
      const queued = holder.socket.queuedBytes;
      const offer = outbox.offer(queued, draft.rosterBytes + draft.privateBytes(seat.actor), tick.since);
      if (this.#degraded !== undefined && offer !== "fresh" && offer !== "nothing") seat.isToldDegraded = this.#degraded;
      switch (offer) {
        case "all":
        case "catch_up":
          if (seat.isOwedPlaces) {
            places ??= this.#frames(tick.now, this.#board.places().moves, this.#board.places().parts);
            this.#write(seat, draft, "roster");
            holder.owe(this.#writeCursors(seat, places) * PRICE.byteOfRoster);
            seat.isOwedPlaces = false;
          } else if (offer === "catch_up") {
            this.#write(seat, draft, "roster");
            this.#writeCursors(seat, this.#framesSince(outbox.skippedSince, tick));
          } else if (frames === undefined) this.#write(seat, draft, "all");
          else this.#writeApart(seat, draft, frames);
          break;
        case "roster":
          this.#write(seat, draft, "roster");
          if (frames !== undefined || draft.bytes > draft.rosterBytes) this.#metrics.cursorFramesSkipped++;
          break;
        case "fresh":
          board ??= this.teller.board(this.#board.roster());
          this.#writeBoard(seat, board, tick);
          break;
        case "nothing":
          seat.held = undefined;
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

  /** Roster changes and cursors leave in one system call. */
  #writeApart(seat: Seat, draft: Draft, frames: CursorFrames): void {
    const isCorked = !draft.isEmpty || Array.isArray(seat.look);
    if (isCorked) seat.holder.socket.cork();
    this.#write(seat, draft, "roster");
    this.#writeCursors(seat, frames);
    if (isCorked) seat.holder.socket.uncork();
  }

  /** Writes the cursors of the areas at which that seat looks. Answers how many bytes the frames have. */
  #writeCursors(seat: Seat, frames: CursorFrames): number {
    const areas = this.#lookOf(seat);
    if (typeof areas === "number") return this.#writeArea(seat, frames.of(areas));
    let bytes = 0;
    for (const area of areas) bytes += this.#writeArea(seat, frames.of(area));
    return bytes;
  }

  #writeArea(seat: Seat, draft: Draft | undefined): number {
    if (draft === undefined) return 0;
    this.#write(seat, draft, "all");
    return draft.bytes;
  }

  #lookOf({ look, actor }: Seat): number | readonly number[] {
    if (!this.#areas.isDivided || look === "all") return ALL_AREAS;
    return look ?? (actor === undefined ? ALL_AREAS : (this.#areas.of(actor) ?? []));
  }

  #frames(now: Millis, moves: Moves, parts: MovesByArea | undefined, paths: readonly CursorPathOf[] = []): CursorFrames {
    return new CursorFrames(this.teller, now, moves, parts, paths);
  }

  #framesSince(since: Millis, { now, parts }: Tick): CursorFrames {
    const moves = this.#source.cursorsSince(this.#board.boardId, since);
    return this.#frames(now, moves, parts && this.#areas.split(moves));
  }

  #writeBoard(seat: Seat, board: ReturnType<Teller["board"]>, { cursorMs }: Tick): void {
    const { holder } = seat;
    const { degraded } = this.#board.roster();
    const draft = new Draft();
    const { held = "" } = seat;
    seat.held = undefined;
    board(seat.actor, seat.told ?? TOLD_NOTHING, draft, held, holder.packs);
    if (seat.isToldDegraded !== degraded) this.teller.degraded(degraded, draft);
    seat.isToldDegraded = degraded;
    if (holder.cursorMs !== cursorMs) this.teller.pace(cursorMs, draft);
    holder.cursorMs = cursorMs;
    draft.writePieces(holder.socket, this.#metrics);
    seat.span?.told();
    seat.span = undefined;
    seat.told = undefined;
    seat.isTold = true;
    // The roster has the places of all members, and its client shows those in the areas at which it looks.
    seat.isOwedPlaces = false;
    seat.outbox.sentFresh(draft.bytes);
    holder.owe((draft.bytes + draft.packedAway) * PRICE.byteOfRoster + held.length * PRICE.heldDigit);
  }
}
