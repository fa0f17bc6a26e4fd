/**
 * Hands the reads of a socket on in short pieces. One read brings up to 64 KB, which may hold ten thousand messages, and a stream that is
 * paused still hands on the rest of its current piece. Pieces that are not handed on yet stay in the stream, as bytes.
 */

import { Duplex } from "node:stream";

/** Most reads are shorter. At worst a piece holds 340 empty frames, which the WebSocket library takes apart in a third of a millisecond. */
export const SLICE_BYTES = 2048;

/** Is told of each piece of a longer read before it is handed on, but not of reads that are short anyway. */
export interface SliceListener {
  sliced(bytes: number): void;
}

const LISTENER = Symbol("slices");
type Sliced = Duplex & { [LISTENER]?: SliceListener };

export function sliceReads(socket: Duplex, listener: SliceListener): void {
  (socket as Sliced)[LISTENER] = listener;
  socket.push = pushInSlices;
  socket.prependListener("close", dropRest);
}

/**
 * The WebSocket library reads all that a paused socket still holds when it closes, in one piece: of 80 flooders that were cut off together, for a tenth
 * of a second. Only a socket that was paused for its excess, or cut off, holds so much.
 */
function dropRest(this: Duplex): void {
  // Without a length Node 26 gives one piece only.
  if (this.readableLength > SLICE_BYTES) this.read(this.readableLength);
}

/** All sockets share this function, as there may be many thousands of them. */
function pushInSlices(this: Sliced, chunk: Buffer | null, encoding?: BufferEncoding): boolean {
  const { push } = Duplex.prototype;
  if (chunk === null || chunk.length <= SLICE_BYTES) return push.call(this, chunk, encoding);
  let wantsMore = true;
  for (let start = 0; start < chunk.length && !this.destroyed; start += SLICE_BYTES) {
    const slice = chunk.subarray(start, start + SLICE_BYTES);
    this[LISTENER]?.sliced(slice.length);
    wantsMore = push.call(this, slice);
  }
  return wantsMore;
}

/** Puts bytes that were read before anything listened back into the stream, in pieces. */
export function unshiftInSlices(socket: Duplex, bytes: Buffer): void {
  const lastStart = Math.floor(Math.max(0, bytes.length - 1) / SLICE_BYTES) * SLICE_BYTES;
  for (let start = lastStart; start >= 0 && bytes.length > 0; start -= SLICE_BYTES) {
    socket.unshift(bytes.subarray(start, start + SLICE_BYTES));
  }
}
