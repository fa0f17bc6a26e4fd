/**
 * The frames that one tick brings to all sockets of one way of speaking. Pieces that one socket is not to get (its own cursor, its own
 * event) are marked, and left out when that socket is written to.
 */

import type { ClientSocket } from "./socket.ts";

/** The frames of one tick for all sockets of one encoding: roster first, then cursors. */
export class Draft {
  readonly #chunks: Buffer[] = [];
  #holes: Map<number, number[]> | undefined;
  #roster: { readonly bytes: number; readonly frames: number } | undefined;
  bytes = 0;
  frames = 0;
  /** The number of cursors in it. */
  moves = 0;

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
    this.#holes ??= new Map();
    const known = this.#holes.get(actor);
    if (known === undefined) this.#holes.set(actor, [start, end]);
    else known.push(start, end);
  }

  /** Ends the roster part: everything added from now on is cursors. */
  endRoster(): void {
    this.#roster = { bytes: this.bytes, frames: this.frames };
  }

  get rosterBytes(): number {
    return this.#roster?.bytes ?? this.bytes;
  }

  get rosterFrames(): number {
    return this.#roster?.frames ?? this.frames;
  }

  /** Starts and ends of the pieces that this actor's socket does not get, in one flat list. */
  holesFor(actor: number): readonly number[] | undefined {
    return this.#holes?.get(actor);
  }

  /** The draft as one buffer, to be shared by many sockets. */
  joined(): Buffer {
    const [only] = this.#chunks;
    return this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks, this.bytes);
  }

  /** Writes the draft piece by piece, so that shared pieces are not copied for each socket. */
  writeTo(socket: ClientSocket): void {
    socket.cork();
    for (const chunk of this.#chunks) socket.write(chunk);
    socket.uncork();
  }
}
