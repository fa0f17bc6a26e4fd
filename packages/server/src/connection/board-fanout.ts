/**
 * One board towards this instance's own sockets (F1, F4): gathers what happens during a tick and writes it to all of them, each
 * encoding made once. Roster before cursors; who joins gets the board as it is at the end of the tick, and nothing that is in it
 * already. It decides neither when a tick ends (ticker.ts) nor what is shown (the core).
 */

import type { BoardId, BoardRef, Json, Millis } from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";
import type { Moves } from "../core/messages.ts";
import { Outbox } from "../core/outbox.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { LIMITS, Pool, PRICE, type Work } from "./budget.ts";
import type { ClientSocket } from "./socket.ts";
import { Pace } from "./ticker.ts";
import { type BoardRoster, Draft, type Encoding, TOLD_NOTHING, type Told, type Wire, wireFor } from "./wires.ts";

/** What a board's fan-out sees of a connection. */
export interface SeatHolder {
  readonly encoding: Encoding;
  readonly socket: ClientSocket;
  /** The pace that this client was told last. */
  cursorMs: Millis;
  /** Its boards are to be flushed when the socket has drained. Idempotent. */
  awaitDrain(): void;
  /** Of what was written to it alone: paid before it may ask for more. */
  owe(work: Work): void;
}

/** A connection's place on a board, from its join on. */
export class Seat {
  readonly holder: SeatHolder;
  readonly fanout: BoardFanout;
  readonly outbox = new Outbox();
  /** Told that other instances are not heard on this board. */
  isToldDegraded = false;
  /** Of its own member; undefined while the core has not let it in yet. */
  actor: number | undefined;
  /** Where its client pointed before that. */
  early: { readonly x: number; readonly y: number } | undefined;
  /** For a socket that is owed a roster: what it still believes. */
  told: Told | undefined = TOLD_NOTHING;

  constructor(holder: SeatHolder, fanout: BoardFanout) {
    this.holder = holder;
    this.fanout = fanout;
  }

  /** As its client names the board. */
  get ref(): BoardRef {
    return this.holder.encoding === "json" ? this.fanout.boardId : this.fanout.number;
  }
}

/** What a fan-out reads of the core. */
export interface BoardSource {
  roster(boardId: BoardId): BoardRoster;
  counts(boardId: BoardId): { readonly members: number; readonly users: number };
  takeCursors(boardId: BoardId): Moves;
  cursorsSince(boardId: BoardId, since: Millis): Moves;
}

type Tick = {
  readonly now: Millis;
  /** When the tick before was sent. */
  readonly since: Millis;
  readonly moves: Moves;
  /** Present if somebody came or went. */
  readonly counts: { readonly members: number; readonly users: number } | undefined;
  readonly cursorMs: Millis;
  readonly roster: () => BoardRoster;
};

export class BoardFanout {
  readonly boardId: BoardId;
  /** Its name in `presence.v2`, the same for all sockets, so that they can share frames. */
  readonly number: number;
  /** Its name on the classic wire; for a board that has none: what no classic client asks for. */
  readonly classicNumber: number;
  readonly pace = new Pace();
  /** Seats given out, those included that wait for the core. */
  seats = 0;
  /** Bytes that all members together may still be told in updates and broadcasts. */
  readonly audience: Pool;
  readonly #source: BoardSource;
  readonly #metrics: Metrics;
  readonly #audiences = new Map<Encoding, Audience>();
  #areCountsDue = false;

  constructor(boardId: BoardId, number: number, source: BoardSource, metrics: Metrics, now: Millis) {
    this.boardId = boardId;
    this.number = number;
    this.classicNumber = Number(boardId);
    this.#source = source;
    this.#metrics = metrics;
    this.audience = new Pool(LIMITS.audience, now);
  }

  /** From the end of this tick on that connection is told everything: first, or once more, the whole board. */
  admit(seat: Seat, actor: number, now: Millis): void {
    const { encoding } = seat.holder;
    seat.actor = actor;
    seat.outbox.restart(now);
    let audience = this.#audiences.get(encoding);
    if (audience === undefined) {
      audience = new Audience(
        wireFor(encoding, this, () => this.#source.roster(this.boardId)),
        this,
        this.#source,
        this.#metrics,
      );
      this.#audiences.set(encoding, audience);
    }
    audience.add(seat);
  }

  remove(seat: Seat): void {
    const audience = this.#audiences.get(seat.holder.encoding);
    audience?.remove(seat);
    if (audience?.isEmpty) this.#audiences.delete(seat.holder.encoding);
  }

  change(change: RosterChange): void {
    if (change.change !== "updated") this.#areCountsDue = true;
    for (const audience of this.#audiences.values()) audience.wire.change(change, audience.draft);
  }

  /** Other instances are not heard on this board, or are again. */
  degraded(on: boolean): void {
    for (const audience of this.#audiences.values()) audience.degraded(on);
  }

  event(actor: number, name: string, data: Json): void {
    for (const audience of this.#audiences.values()) audience.wire.event(actor, name, data, audience.draft);
  }

  flush(now: Millis, cursorMs: Millis): void {
    let roster: BoardRoster | undefined;
    const tick: Tick = {
      now,
      since: this.pace.flushedAt,
      moves: this.#source.takeCursors(this.boardId),
      counts: this.#areCountsDue ? this.#source.counts(this.boardId) : undefined,
      cursorMs,
      roster: () => {
        roster ??= this.#source.roster(this.boardId);
        return roster;
      },
    };
    this.#areCountsDue = false;
    for (const audience of this.#audiences.values()) audience.flush(tick);
  }
}

/** All sockets of one encoding on one board. */
class Audience {
  readonly wire: Wire;
  draft = new Draft();
  readonly #board: BoardFanout;
  readonly #source: BoardSource;
  readonly #metrics: Metrics;
  readonly #seats = new Set<Seat>();
  /** Somebody is new, or was too slow. */
  #isAnyoneOwed = false;
  #cursorMs: Millis | undefined;
  /** Said in this tick. Whoever is owed the board is told with it. */
  #degraded: boolean | undefined;

  constructor(wire: Wire, board: BoardFanout, source: BoardSource, metrics: Metrics) {
    this.wire = wire;
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
    this.wire.degraded(on, this.draft);
    this.#degraded = on;
  }

  flush(tick: Tick): void {
    const { draft } = this;
    if (tick.counts !== undefined) this.wire.counts(tick.counts.members, tick.counts.users, draft);
    if (tick.cursorMs !== this.#cursorMs) this.#setPace(tick.cursorMs);
    draft.endRoster();
    if (tick.moves.length > 0) this.wire.cursors(tick.moves, draft);
    if (draft.bytes === 0 && !this.#isAnyoneOwed) return;
    this.#isAnyoneOwed = false;
    this.#tell(draft, tick);
    this.draft = new Draft();
    this.#degraded = undefined;
    this.wire.settled();
  }

  #setPace(cursorMs: Millis): void {
    // Who was here at the last tick is told; who is new is told with the board.
    if (this.#cursorMs !== undefined) {
      this.wire.pace(cursorMs, this.draft);
      for (const { holder, outbox } of this.#seats) if (outbox.isLive) holder.cursorMs = cursorMs;
    }
    this.#cursorMs = cursorMs;
  }

  #tell(draft: Draft, tick: Tick): void {
    const bytes = draft.joined();
    let board: ReturnType<Wire["board"]> | undefined;
    for (const seat of this.#seats) {
      const { outbox, holder } = seat;
      const queued = holder.socket.queuedBytes;
      const offer = outbox.offer(queued, draft.rosterBytes, tick.since);
      if (this.#degraded !== undefined && offer !== "fresh" && offer !== "nothing") seat.isToldDegraded = this.#degraded;
      switch (offer) {
        case "all":
          this.#write(seat, draft, bytes, draft.bytes);
          break;
        case "roster":
          this.#write(seat, draft, bytes, draft.rosterBytes);
          if (draft.bytes > draft.rosterBytes) this.#metrics.cursorFramesSkipped++;
          break;
        case "catch_up":
          this.#write(seat, draft, bytes, draft.rosterBytes);
          this.#writeCursorsSince(seat, outbox.skippedSince);
          break;
        case "fresh":
          board ??= this.wire.board(tick.roster());
          this.#writeBoard(seat, board, tick);
          break;
        case "nothing":
          if (seat.told === undefined) {
            this.#metrics.staleClients++;
            seat.told = this.wire.told();
          }
          break;
      }
      if (outbox.isLive) continue;
      this.#isAnyoneOwed = true;
      holder.awaitDrain();
    }
  }

  /** The draft up to `end`, around what is not for this socket. */
  #write({ holder: { socket }, actor = -1 }: Seat, draft: Draft, bytes: Buffer, end: number): void {
    if (end === 0) return;
    const isWhole = end === draft.bytes;
    const holes = draft.holesFor(actor);
    let from = 0;
    let left = 0;
    let written = 0;
    if (holes !== undefined) {
      for (let at = 0; at < holes.length && (holes[at] ?? end) < end; at += 2, left++) {
        const start = holes[at] ?? 0;
        if (start > from) {
          // One piece needs no cork; with the second it is known that there are two, so the first is corked in case.
          if (written === 0) socket.cork();
          socket.write(bytes.subarray(from, start));
          written += start - from;
        }
        from = holes[at + 1] ?? end;
      }
    }
    if (from < end) socket.write(from === 0 && isWhole ? bytes : bytes.subarray(from, end));
    if (written > 0) socket.uncork();
    written += end - from;
    if (written === 0) return;
    this.#metrics.bytesOut += written;
    this.#metrics.framesOut += (isWhole ? draft.frames : draft.rosterFrames) - left;
    if (isWhole) this.#metrics.cursorsDelivered += draft.moves;
  }

  #writeCursorsSince(seat: Seat, since: Millis): void {
    const moves = this.#source.cursorsSince(this.#board.boardId, since);
    if (moves.length === 0) return;
    const draft = new Draft();
    this.wire.cursors(moves, draft);
    this.#write(seat, draft, draft.joined(), draft.bytes);
  }

  #writeBoard(seat: Seat, board: ReturnType<Wire["board"]>, { cursorMs, roster }: Tick): void {
    const { holder } = seat;
    const { degraded } = roster();
    const draft = new Draft();
    board(seat.actor ?? -1, seat.told ?? TOLD_NOTHING, draft);
    if (seat.isToldDegraded !== degraded) this.wire.degraded(degraded, draft);
    seat.isToldDegraded = degraded;
    if (holder.cursorMs !== cursorMs) this.wire.pace(cursorMs, draft);
    holder.cursorMs = cursorMs;
    draft.writeTo(holder.socket);
    seat.told = undefined;
    seat.outbox.sentFresh(draft.bytes);
    holder.owe(draft.bytes * PRICE.byteOfRoster);
    this.#metrics.framesOut += draft.frames;
    this.#metrics.bytesOut += draft.bytes;
  }
}
