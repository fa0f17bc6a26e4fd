/**
 * Where all members of one board point: arrays indexed by actor, written per move and read once per tick. Nothing is
 * allocated per move, unless its mover tells a path. A later place overwrites an earlier one.
 */

import { type CursorPath, type CursorPathOf, HIDDEN, type Millis, type Point } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Moves } from "./messages.ts";
import { Paths } from "./paths.ts";

const KNOWN = 1;
/** Changed since it was last given to clients. */
const DIRTY = 2;
/** The place of a local member, changed since it was last given to the bus. */
const UNSENT = 4;
/** Moved by a local member since its position was last repeated on the bus (R6). */
const REPEAT = 8;
const REMOTE = -1;
const NONE: readonly CursorPathOf[] = [];

export class Cursors {
  #x = new Int32Array(8);
  #y = new Int32Array(8);
  #flags = new Uint8Array(8);
  #slot = new Int32Array(8).fill(REMOTE);
  #movedAt = new Float64Array(8);
  #dirty: number[] = [];
  #unsent: number[] = [];
  #toRepeat: number[] = [];
  readonly #paths = new Paths();
  readonly #ownPaths = new Paths();
  /** Of the moves that were taken last, by actor for clients, and by slot for the bus. */
  paths: readonly CursorPathOf[] = NONE;
  ownPaths: readonly CursorPathOf[] = NONE;

  checkpoint(keep: Keep): void {
    this.#x = keep(this.#x);
    this.#y = keep(this.#y);
    this.#flags = keep(this.#flags);
    this.#slot = keep(this.#slot);
    this.#movedAt = keep(this.#movedAt);
    this.#dirty = keep(this.#dirty);
    this.#unsent = keep(this.#unsent);
    this.#toRepeat = keep(this.#toRepeat);
    this.#paths.checkpoint(keep);
    this.#ownPaths.checkpoint(keep);
    this.paths = keep(this.paths);
    this.ownPaths = keep(this.ownPaths);
  }

  /** The actor belongs to the local member with this slot, or to a remote one (undefined). Its place is kept. */
  assign(actor: number, slot: number | undefined): void {
    this.#grow(actor);
    this.#slot[actor] = slot ?? REMOTE;
  }

  /** The actor's member is gone; the number may be given to another one later. */
  forget(actor: number): void {
    if (actor >= this.#flags.length) return;
    this.#slot[actor] = REMOTE;
    // The actor stays in the lists of changes and is skipped there, since its KNOWN bit is gone.
    this.#flags[actor] = (this.#flags[actor] ?? 0) & ~KNOWN;
  }

  /** The actor's member has joined anew: its former place is over. False: it had no place that was shown. */
  clear(actor: number, now: Millis): boolean {
    if (this.at(actor) === undefined) return false;
    this.mark(actor, HIDDEN, 0, now);
    return true;
  }

  /** x = HIDDEN: the cursor is not shown. True: this is the actor's first move since the last `take`, so no earlier one was overwritten. */
  mark(actor: number, x: number, y: number, now: Millis, path?: CursorPath): boolean {
    if (actor >= this.#flags.length) return true;
    const flags = this.#flags[actor] ?? 0;
    const isOwn = this.#slot[actor] !== REMOTE;
    if (path !== undefined || !this.#paths.isEmpty || !this.#ownPaths.isEmpty) {
      const wayX = x - (this.#x[actor] ?? 0);
      const wayY = y - (this.#y[actor] ?? 0);
      const told = x === HIDDEN ? undefined : path;
      this.#paths.note(actor, told, wayX, wayY);
      this.#ownPaths.note(actor, isOwn ? told : undefined, wayX, wayY);
    }
    this.#x[actor] = x;
    this.#y[actor] = y;
    this.#movedAt[actor] = now;
    this.#flags[actor] = flags | KNOWN | DIRTY | (isOwn ? UNSENT : 0);
    if (isOwn && (flags & UNSENT) === 0) this.#unsent.push(actor);
    if ((flags & DIRTY) !== 0) return false;
    this.#dirty.push(actor);
    return true;
  }

  /** All places that changed since the last call, by actor: for clients. */
  take(): Moves {
    const moves: number[] = [];
    for (const actor of this.#dirty) {
      const flags = this.#flags[actor] ?? 0;
      this.#flags[actor] = flags & ~DIRTY;
      if ((flags & KNOWN) !== 0) moves.push(actor, this.#x[actor] ?? 0, this.#y[actor] ?? 0);
    }
    this.#dirty = [];
    this.paths = this.#paths.isEmpty ? NONE : this.#paths.take((actor) => actor, moves);
    return moves;
  }

  /** Places of local members that changed since the last call, by slot: for the bus. */
  takeOwn(): Moves {
    const moves: number[] = [];
    for (const actor of this.#unsent) {
      const flags = (this.#flags[actor] ?? 0) & ~UNSENT;
      this.#flags[actor] = flags;
      const slot = this.#slot[actor] ?? REMOTE;
      if ((flags & KNOWN) === 0 || slot === REMOTE) continue;
      moves.push(slot, this.#x[actor] ?? 0, this.#y[actor] ?? 0);
      if ((flags & REPEAT) !== 0) continue;
      this.#flags[actor] = flags | REPEAT;
      this.#toRepeat.push(actor);
    }
    this.#unsent = [];
    this.ownPaths = this.#ownPaths.isEmpty ? NONE : this.#ownPaths.take((actor) => this.#slot[actor] ?? REMOTE, moves);
    return moves;
  }

  get awaitsRepeat(): boolean {
    return this.#toRepeat.length > 0;
  }

  /** Last places, by slot, of local members that have not moved for `restMs`: each is given once per stop. */
  takeRested(now: Millis, restMs: Millis): Moves {
    const rested: number[] = [];
    this.#toRepeat = this.#toRepeat.filter((actor) => {
      if (now - (this.#movedAt[actor] ?? 0) < restMs) return true;
      const flags = this.#flags[actor] ?? 0;
      this.#flags[actor] = flags & ~REPEAT;
      const slot = this.#slot[actor] ?? REMOTE;
      if ((flags & KNOWN) !== 0 && slot !== REMOTE) rested.push(slot, this.#x[actor] ?? 0, this.#y[actor] ?? 0);
      return false;
    });
    return rested;
  }

  /** Places of all local members, by slot: for an instance that asked (R5). It may have missed that one hid, so hidden ones are included. */
  own(): Moves {
    const own: number[] = [];
    for (let actor = 0; actor < this.#flags.length; actor++) {
      const slot = this.#slot[actor] ?? REMOTE;
      if (slot !== REMOTE && ((this.#flags[actor] ?? 0) & KNOWN) !== 0) own.push(slot, this.#x[actor] ?? 0, this.#y[actor] ?? 0);
    }
    return own;
  }

  /** Places of all members that moved or hid at or after that time: for a client that was skipped (F4). */
  movedSince(since: Millis): Moves {
    const moves: number[] = [];
    for (let actor = 0; actor < this.#flags.length; actor++) {
      if (((this.#flags[actor] ?? 0) & KNOWN) === 0 || (this.#movedAt[actor] ?? 0) < since) continue;
      moves.push(actor, this.#x[actor] ?? 0, this.#y[actor] ?? 0);
    }
    return moves;
  }

  /** Where that actor is shown; undefined: nowhere. */
  at(actor: number): Point | undefined {
    if (((this.#flags[actor] ?? 0) & KNOWN) === 0 || this.#x[actor] === HIDDEN) return undefined;
    return { x: this.#x[actor] ?? 0, y: this.#y[actor] ?? 0 };
  }

  #grow(actor: number): void {
    const size = this.#flags.length;
    if (actor < size) return;
    const larger = Math.max(actor + 1, size * 2);
    const copy = <T extends Int32Array | Uint8Array | Float64Array>(to: T, from: T): T => {
      to.set(from);
      return to;
    };
    this.#x = copy(new Int32Array(larger), this.#x);
    this.#y = copy(new Int32Array(larger), this.#y);
    this.#flags = copy(new Uint8Array(larger), this.#flags);
    this.#movedAt = copy(new Float64Array(larger), this.#movedAt);
    this.#slot = copy(new Int32Array(larger).fill(REMOTE), this.#slot);
  }
}
