/**
 * The moves of boards that were flushed in this turn of the event loop, until they leave. Most go to few other instances: then each of these is
 * sent one message with all the boards it needs, and nothing comes back. A board for which that would take more messages than its own is told
 * on its own channel (R25). It knows no bus: it tells what is to be said where.
 */

import type { BoardId, InstanceId } from "@presence-service/protocol";
import type { Sender } from "../bus/head.ts";
import { BoardParts } from "../bus/moves.ts";
import type { Cursors, MovesTo } from "../core/messages.ts";

export type Telling = {
  /** Moves of so many boards, to that instance. */
  peer(peer: InstanceId, bytes: Uint8Array, boards: number): void;
  /** On the channel of that board. */
  board(boardId: BoardId, cursors: Cursors, bytes: Uint8Array, isCounted: boolean): void;
};

/** For one instance. It is kept, and empty between turns. */
type Parcel = { readonly peer: InstanceId; wanted: number; readonly parts: number[] };

/** A message takes further boards up to this size: a burst of a thousand boards is no single message of a megabyte. */
const MESSAGE_BYTES_MAX = 65_536;
/** Sums of shares are not exact. */
const ONE = 1 + 1e-9;
/** As many instances as one bus carries. */
const PARCELS_MAX = 4096;

export class Gathering {
  readonly #parts = new BoardParts();
  readonly #boards: BoardId[] = [];
  readonly #cursors: Cursors[] = [];
  readonly #to: MovesTo[] = [];
  readonly #parcels = new Map<InstanceId, Parcel>();
  /** Those that some board wants. */
  readonly #wanted: Parcel[] = [];
  #isLeaving = false;

  get isEmpty(): boolean {
    return this.#boards.length === 0 || this.#isLeaving;
  }

  /** Each board once before they leave. Answers how many bytes an instance that needs them is sent. */
  add(boardId: BoardId, cursors: Cursors, to: MovesTo): number {
    this.#boards.push(boardId);
    this.#cursors.push(cursors);
    this.#to.push(to);
    if (typeof to !== "string") for (const peer of to) if (this.#parcelOf(peer).wanted++ === 0) this.#wanted.push(this.#parcelOf(peer));
    return this.#parts.add(boardId, cursors);
  }

  leave(sender: Sender, telling: Telling): void {
    this.#isLeaving = true;
    try {
      for (let part = 0; part < this.#boards.length; part++) this.#sort(part, sender, telling);
      for (const parcel of this.#wanted) this.#say(parcel, sender, telling);
    } finally {
      this.#isLeaving = false;
      this.#clear();
    }
  }

  #sort(part: number, sender: Sender, telling: Telling): void {
    const to = this.#to[part] ?? "board";
    if (typeof to !== "string" && !this.#isDearer(to)) {
      for (const peer of to) this.#parcelOf(peer).parts.push(part);
      return;
    }
    const boardId = this.#boards[part];
    const cursors = this.#cursors[part];
    if (boardId !== undefined && cursors !== undefined)
      telling.board(boardId, cursors, this.#parts.cursors(sender, part), to === "counted");
  }

  /** The message to an instance is shared by the boards that want it. The shares of one board may add up to no more than a message of its own. */
  #isDearer(peers: readonly InstanceId[]): boolean {
    let shares = 0;
    for (const peer of peers) shares += 1 / this.#parcelOf(peer).wanted;
    return shares > ONE;
  }

  #say({ peer, parts }: Parcel, sender: Sender, telling: Telling): void {
    let first = 0;
    let bytes = 0;
    for (let at = 0; at < parts.length; at++) {
      const length = this.#parts.lengthOf(parts[at] ?? 0);
      if (bytes > 0 && bytes + length > MESSAGE_BYTES_MAX) {
        telling.peer(peer, this.#parts.moves(sender, parts, first, at), at - first);
        first = at;
        bytes = 0;
      }
      bytes += length;
    }
    if (bytes > 0) telling.peer(peer, this.#parts.moves(sender, parts, first, parts.length), parts.length - first);
  }

  #parcelOf(peer: InstanceId): Parcel {
    let parcel = this.#parcels.get(peer);
    if (parcel === undefined) {
      parcel = { peer, wanted: 0, parts: [] };
      this.#parcels.set(peer, parcel);
    }
    return parcel;
  }

  #clear(): void {
    this.#parts.clear();
    this.#boards.length = this.#cursors.length = this.#to.length = 0;
    for (const parcel of this.#wanted) parcel.wanted = parcel.parts.length = 0;
    this.#wanted.length = 0;
    if (this.#parcels.size > PARCELS_MAX) this.#parcels.clear();
  }
}
