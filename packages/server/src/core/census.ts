/**
 * How many are on the boards of this instance, for instances that want to know and are not there (R15): what is wanted, for how long, and
 * when to tell it. Nothing is told of a board that nobody wants. It decides nothing about members: board.ts does.
 */

import type { BoardId, Millis, Occupancy } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { Want } from "./messages.ts";
import {
  type BoardHash,
  hashOfBoard,
  isSame,
  nextInTurn,
  OCCUPANCY_SHARDS,
  type Occupants,
  pieces,
  type Shard,
  shardOf,
  TOLD_BOARDS_MAX,
} from "./occupancy.ts";

/**
 * Whether it is for this instance to tell the counts of a board. `first`: yes, its id is the lowest of the live instances by whose entries
 * members are shown. `beside`: it has members there, and so has an instance with a lower id. `none`: it has no members there. `unknown`: it
 * does not know everybody there.
 */
export type Teller = "first" | "beside" | "none" | "unknown";

/** A board that is open here and wanted elsewhere. */
type Wanted = {
  readonly boardId: BoardId;
  readonly hash: BoardHash;
  counts: Occupants;
  teller: Teller;
  /** Until when this instance tells them; Infinity: another one has to take over first. */
  tellsUntil: Millis;
  told: Occupants | undefined;
  toldAt: Millis;
  /** When to tell what has changed, or what was asked. */
  tellAt: Millis;
  repeats: Millis[];
};

/** One of them may be lost. */
const WANTING_BEATS = 2;
const NEVER = Number.POSITIVE_INFINITY;
const LONG_AGO = Number.NEGATIVE_INFINITY;

export class Census {
  readonly #context: Context;
  /** The ends of leases by the hashes of boards; the one that was heard longest ago is first. */
  #leases = new Map<BoardHash, Millis>();
  /** Until then no lease ends: after a time without hearing anything wants have to be said again first. */
  #heldUntil: Millis = LONG_AGO;
  /** The boards that are open here, by their hashes. */
  #open = new Map<BoardHash, BoardId>();
  #wanted = new Map<BoardId, Wanted>();
  readonly #due = new Deadlines<Wanted>();
  /** So many heartbeats have still to ask for wants. An instance that starts has heard none. */
  #wantingBeats = WANTING_BEATS;

  constructor(context: Context) {
    this.#context = context;
  }

  checkpoint(keep: Keep): void {
    this.#leases = keep(this.#leases);
    this.#heldUntil = keep(this.#heldUntil);
    this.#open = keep(this.#open);
    this.#wanted = keep(this.#wanted);
    this.#due.checkpoint(keep);
    this.#wantingBeats = keep(this.#wantingBeats);
  }

  /** The board is open here, and somebody elsewhere wants its counts. */
  has(boardId: BoardId): boolean {
    return this.#wanted.has(boardId);
  }

  deadline(): Millis {
    return this.#due.next();
  }

  // The boards of this instance.

  entered(boardId: BoardId, now: Millis): void {
    const hash = hashOfBoard(boardId);
    this.#open.set(hash, boardId);
    if (!this.#hasEnded(this.#leases.get(hash), now)) this.#begin(boardId, hash, now);
  }

  gaveUp(boardId: BoardId): void {
    const hash = hashOfBoard(boardId);
    if (this.#open.get(hash) === boardId) this.#open.delete(hash);
    this.#end(boardId);
  }

  /** A board that is wanted may have changed. */
  look(boardId: BoardId, teller: Teller, { members, users }: Occupants, now: Millis): void {
    const wanted = this.#wanted.get(boardId);
    if (wanted === undefined) return;
    const { occupancyMs, handoverMs } = this.#context.constants;
    wanted.counts = { members, users };
    wanted.teller = teller;
    const isNew = teller === "first" && wanted.tellsUntil <= now;
    if (teller === "first") wanted.tellsUntil = NEVER;
    // Its successor may not know all members yet.
    else if (teller === "beside") wanted.tellsUntil = wanted.tellsUntil === NEVER ? now + handoverMs : wanted.tellsUntil;
    else wanted.tellsUntil = LONG_AGO;
    const isNews = isNew || !isSame(wanted.counts, wanted.told);
    if ((wanted.tellsUntil > now && isNews) || (isOver(wanted) && wanted.told?.members !== 0))
      this.#tellBy(wanted, Math.max(now, wanted.toldAt + occupancyMs));
  }

  // Of the bus.

  /** Wants may have been missed. */
  missed(): void {
    this.#wantingBeats = WANTING_BEATS;
  }

  /** Own words may have been lost as well: they are said again. */
  recover(now: Millis): void {
    this.missed();
    const { wantMs, wantLeasePeriods } = this.#context.constants;
    this.#heldUntil = now + wantMs * wantLeasePeriods;
    for (const wanted of this.#wanted.values()) if (wanted.tellsUntil > now || isOver(wanted)) this.#tellBy(wanted, now);
  }

  /** Whether the next heartbeat has to ask for wants. */
  takeWanting(): boolean {
    return this.#wantingBeats > 0 && this.#wantingBeats-- > 0;
  }

  /** Answers the boards that are wanted from now on and were not before: `look` at them. */
  heard({ leaseMs, answer, boards }: Want, now: Millis): BoardId[] {
    const begun: BoardId[] = [];
    for (const hash of new Set(boards)) {
      this.#lease(hash, now + leaseMs);
      const boardId = this.#open.get(hash);
      if (boardId === undefined) continue;
      const wanted = this.#wanted.get(boardId);
      if (wanted === undefined) {
        this.#begin(boardId, hash, now);
        begun.push(boardId);
      } else if (answer && wanted.tellsUntil > now) this.#tellBy(wanted, Math.max(now, wanted.toldAt + this.#context.constants.answerMs));
    }
    this.#forgetLeases(now);
    return begun;
  }

  /** The longer of two leases counts: several instances may want the board. */
  #lease(hash: BoardHash, until: Millis): void {
    const former = this.#leases.get(hash);
    this.#leases.delete(hash);
    this.#leases.set(hash, Math.max(until, former ?? LONG_AGO));
  }

  /** While nothing is heard, nobody can renew a lease: what was told last has still to be taken back. */
  #hasEnded(end: Millis | undefined, now: Millis): boolean {
    return end === undefined || (end <= now && now >= this.#heldUntil && !this.#context.bus.isEchoMissing);
  }

  /** Of too many leases those that were said longest ago. Once for each want: to begin at the front of a map takes as long as it has holes there. */
  #forgetLeases(now: Millis): void {
    for (const [oldest, end] of this.#leases) {
      if (!this.#hasEnded(end, now) && this.#leases.size <= this.#context.constants.wantedBoardsMax) break;
      this.#leases.delete(oldest);
    }
  }

  #begin(boardId: BoardId, hash: BoardHash, now: Millis): void {
    const wanted: Wanted = {
      boardId,
      hash,
      counts: { members: 0, users: 0 },
      teller: "unknown",
      tellsUntil: LONG_AGO,
      told: undefined,
      toldAt: LONG_AGO,
      tellAt: NEVER,
      repeats: [],
    };
    this.#wanted.set(boardId, wanted);
    this.#wake(wanted, now);
  }

  #end(boardId: BoardId): void {
    const wanted = this.#wanted.get(boardId);
    if (wanted === undefined) return;
    this.#wanted.delete(boardId);
    this.#due.set(wanted, NEVER);
  }

  // Telling.

  tick(now: Millis): void {
    const told = new Map<Shard, Occupancy[]>();
    const due: Wanted[] = [];
    for (let wanted = this.#due.takeDue(now); wanted !== undefined; wanted = this.#due.takeDue(now)) due.push(wanted);
    for (const wanted of due) {
      if (this.#hasEnded(this.#leases.get(wanted.hash), now)) {
        this.#end(wanted.boardId);
        continue;
      }
      // A word is not repeated while a newer one is due.
      const isPending = wanted.tellAt > now && wanted.tellAt < NEVER;
      const isInTurn = wanted.tellAt > now && !(wanted.repeats[0] !== undefined && wanted.repeats[0] <= now);
      if (!isPending && (wanted.tellsUntil > now || (isOver(wanted) && !isInTurn))) {
        const shard = shardOf(wanted.hash);
        const word = { board: wanted.boardId, ...wanted.counts };
        const words = told.get(shard);
        // All boards may be of one shard, so no list is copied for each.
        if (words === undefined) told.set(shard, [word]);
        else words.push(word);
        this.#told(wanted, now);
      }
      if (wanted.tellAt <= now) wanted.tellAt = NEVER;
      wanted.repeats = wanted.repeats.filter((at) => at > now);
      this.#wake(wanted, now);
    }
    for (const [shard, boards] of told)
      for (const some of pieces(boards, TOLD_BOARDS_MAX))
        this.#context.emit({ kind: "publish", boardId: undefined, shard, message: { kind: "occupancy", shard, boards: some } });
  }

  #told(wanted: Wanted, now: Millis): void {
    if (!isSame(wanted.told, wanted.counts)) wanted.repeats = this.#context.constants.beaconAfterChangeMs.map((afterMs) => now + afterMs);
    wanted.told = wanted.counts;
    wanted.toldAt = now;
  }

  /** Words of one time leave together, in a message for each shard. */
  #tellBy(wanted: Wanted, at: Millis): void {
    const { answerMs } = this.#context.constants;
    wanted.tellAt = Math.min(wanted.tellAt, Math.ceil(at / answerMs) * answerMs);
    this.#wake(wanted, at);
  }

  #wake(wanted: Wanted, now: Millis): void {
    this.#due.set(wanted, this.#dueOf(wanted, now));
  }

  /** All boards of a shard have their turn at the same time, so that they share messages. */
  #dueOf({ tellAt, repeats, hash }: Wanted, now: Millis): Millis {
    const inTurn = nextInTurn(this.#context.constants.occupancyPeriodMs, shardOf(hash) / OCCUPANCY_SHARDS, now);
    return Math.min(tellAt, repeats[0] ?? NEVER, inTurn);
  }
}

/**
 * An instance that told members of a board and has none there takes its word back when nobody is left. It says nothing else without
 * members: none of its clients looks at what it knows of others, so that may be wrong for long.
 */
function isOver({ teller, told, counts }: Wanted): boolean {
  return teller === "none" && told !== undefined && counts.members === 0;
}
