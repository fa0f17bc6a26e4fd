/**
 * The frames that one tick brings to all sockets of one way of speaking. Pieces that one socket is not to get (its own cursor, its own
 * event) are marked, and left out when that socket is written to. Frames for some sockets only are kept beside those for all, each with
 * its place among them.
 */

import type { ClientSocket } from "./socket.ts";

/** Counts what was written; the metrics do. */
export type Written = { framesOut: number; bytesOut: number; cursorsDelivered: number };

/** Frames for one socket, at the place where they belong in the bytes for all. */
type Private = { readonly at: number; readonly frame: Buffer };

const NOTHING: readonly Private[] = [];
const NO_HOLES: readonly number[] = [];

/** Roster first, then cursors. */
export class Draft {
  #chunks: Buffer[] = [];
  #whole: Buffer | undefined;
  /** The actor of the only hole so far, as when one member has moved: that needs no map. */
  #holeOf: number | undefined;
  #hole: readonly number[] = NO_HOLES;
  #holes: Map<number, number[]> | undefined;
  #private: Map<number, Private[]> | undefined;
  #rosterFrames = 0;
  /** So many of the bytes are roster. */
  rosterBytes = 0;
  bytes = 0;
  /** So many more they would be if nothing were packed. */
  packedAway = 0;
  frames = 0;
  /** The number of cursors in it. */
  moves = 0;

  /** Makes it the draft of the next tick: each board has a tick for nearly every move, so it is not made anew. */
  clear(): void {
    if (this.#chunks.length > 0) this.#chunks = [];
    this.#whole = undefined;
    this.#holeOf = undefined;
    this.#hole = NO_HOLES;
    this.#holes = undefined;
    this.#private = undefined;
    this.#rosterFrames = this.rosterBytes = this.bytes = this.packedAway = this.frames = this.moves = 0;
  }

  /** `count` frames, or 0 for a piece whose frame is completed by the next. */
  add(frames: Buffer, count = 1): void {
    this.#chunks.push(frames);
    this.bytes += frames.length;
    this.frames += count;
  }

  /** Adds one frame for all sockets but that of this actor. */
  addExcept(actor: number, frame: Buffer): void {
    const start = this.bytes;
    this.add(frame);
    this.leaveOut(actor, start, this.bytes);
  }

  /** Leaves one frame out for that actor's own socket: the bytes from `start` to `end`. To be called in ascending order. */
  leaveOut(actor: number, start: number, end: number): void {
    if (this.#holes === undefined) {
      if (this.#holeOf === undefined) {
        this.#holeOf = actor;
        this.#hole = [start, end];
        return;
      }
      this.#holes = new Map([[this.#holeOf, [...this.#hole]]]);
    }
    const known = this.#holes.get(actor);
    if (known === undefined) this.#holes.set(actor, [start, end]);
    else known.push(start, end);
  }

  #holesOf(actor: number): readonly number[] {
    if (this.#holes !== undefined) return this.#holes.get(actor) ?? NO_HOLES;
    return actor === this.#holeOf ? this.#hole : NO_HOLES;
  }

  /** Adds one frame for the sockets of these actors alone. To be called before `endRoster`. */
  addFor(actors: readonly number[], frame: Buffer): void {
    for (const actor of actors) {
      this.#private ??= new Map();
      const known = this.#private.get(actor);
      if (known === undefined) this.#private.set(actor, [{ at: this.bytes, frame }]);
      else known.push({ at: this.bytes, frame });
    }
  }

  /** No socket gets anything. */
  get isEmpty(): boolean {
    return this.bytes === 0 && this.#private === undefined;
  }

  /** The bytes for that actor's socket alone. */
  privateBytes(actor: number | undefined): number {
    let bytes = 0;
    for (const { frame } of (actor !== undefined && this.#private?.get(actor)) || NOTHING) bytes += frame.length;
    return bytes;
  }

  /** Ends the roster part: everything added from now on is cursors. */
  endRoster(): void {
    this.rosterBytes = this.bytes;
    this.#rosterFrames = this.frames;
  }

  /**
   * Writes the draft, or its roster alone, to that actor's socket, without the pieces that are left out for it. This is done for every
   * socket in every tick: nothing is allocated, unless pieces are left out.
   */
  writeTo(socket: ClientSocket, actor: number, part: "all" | "roster", written: Written): void {
    const isWhole = part === "all";
    const end = isWhole ? this.bytes : this.rosterBytes;
    const holes = this.#holesOf(actor);
    let bytes = end;
    let frames = isWhole ? this.frames : this.#rosterFrames;
    for (let at = 0; at < holes.length && (holes[at] ?? end) < end; at += 2) {
      bytes -= (holes[at + 1] ?? end) - (holes[at] ?? end);
      frames--;
    }
    const own = this.#private?.get(actor) ?? NOTHING;
    for (const { frame } of own) bytes += frame.length;
    frames += own.length;
    if (bytes === 0) return;
    written.bytesOut += bytes;
    written.framesOut += frames;
    if (isWhole) written.cursorsDelivered += this.moves;
    this.#whole ??= this.#joined();
    if (holes.length > 0 || own.length > 0) writeApart(this.#whole.subarray(0, end), holes, own, socket);
    else socket.write(isWhole ? this.#whole : this.#whole.subarray(0, end));
  }

  /** Writes the draft piece by piece, so that pieces which many drafts share are not copied for each. */
  writePieces(socket: ClientSocket, written: Written): void {
    socket.cork();
    for (const chunk of this.#chunks) socket.write(chunk);
    socket.uncork();
    written.bytesOut += this.bytes;
    written.framesOut += this.frames;
  }

  #joined(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.bytes);
  }
}

/** Writes the bytes without the holes (their starts and ends, in one flat list), and each private frame at its place. */
function writeApart(bytes: Buffer, holes: readonly number[], own: readonly Private[], socket: ClientSocket): void {
  const { length } = bytes;
  let from = 0;
  let next = 0;
  const writeTo = (to: number) => {
    if (from < to) socket.write(bytes.subarray(from, to));
    from = Math.max(from, to);
  };
  const writeAllTo = (to: number) => {
    for (let one = own[next]; one !== undefined && one.at <= to; one = own[++next]) {
      writeTo(one.at);
      socket.write(one.frame);
    }
    writeTo(to);
  };
  socket.cork();
  for (let at = 0; at < holes.length && (holes[at] ?? length) < length; at += 2) {
    writeAllTo(holes[at] ?? length);
    from = holes[at + 1] ?? length;
  }
  writeAllTo(length);
  socket.uncork();
}
