/**
 * The frames that one tick brings to all sockets of one way of speaking. Pieces that one socket is not to get (its own cursor, its own
 * event) are marked, and left out when that socket is written to.
 */

import type { ClientSocket } from "./socket.ts";

/** Counts what was written; the metrics do. */
export type Written = { framesOut: number; bytesOut: number; cursorsDelivered: number };

/** Roster first, then cursors. */
export class Draft {
  readonly #chunks: Buffer[] = [];
  #whole: Buffer | undefined;
  #holes: Map<number, number[]> | undefined;
  #rosterFrames = 0;
  /** So many of the bytes are roster. */
  rosterBytes = 0;
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
    const holes = this.#holes?.get(actor);
    let bytes = end;
    let frames = isWhole ? this.frames : this.#rosterFrames;
    if (holes !== undefined) {
      for (let at = 0; at < holes.length && (holes[at] ?? end) < end; at += 2) {
        bytes -= (holes[at + 1] ?? end) - (holes[at] ?? end);
        frames--;
      }
    }
    if (bytes === 0) return;
    written.bytesOut += bytes;
    written.framesOut += frames;
    if (isWhole) written.cursorsDelivered += this.moves;
    this.#whole ??= this.#joined();
    if (holes !== undefined) writeAround(holes, this.#whole, end, socket);
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

/** Writes the bytes up to `end` without the holes: their starts and ends, in one flat list. */
function writeAround(holes: readonly number[], bytes: Buffer, end: number, socket: ClientSocket): void {
  socket.cork();
  let from = 0;
  for (let at = 0; at < holes.length && (holes[at] ?? end) < end; at += 2) {
    const to = holes[at] ?? end;
    if (from < to) socket.write(bytes.subarray(from, to));
    from = holes[at + 1] ?? end;
  }
  if (from < end) socket.write(bytes.subarray(from, end));
  socket.uncork();
}
