/**
 * Half of the recorder's memory: a checkpoint, if there is one, and the calls of tapes since, packed where that saves much. It knows nothing of
 * calls: recording.ts writes and reads them.
 */

import { deflateRawSync } from "node:zlib";
import type { Segment, Tape } from "./recording.ts";

/** The fastest level: 1 ms for 256 KB of texts, which then take a fifth. Slower levels save a tenth of that, at three times the time. */
const PACKING = { level: 1, chunkSize: 64 * 1024 } as const;

export class Reel {
  readonly #checkpoint: Uint8Array | undefined;
  readonly #tapes: Pick<Segment, "calls" | "isPacked">[] = [];
  /** Of all that it holds. */
  bytes: number;

  /** `checkpoint` undefined: it goes on from the reel before. */
  constructor(checkpoint: Uint8Array | undefined) {
    this.#checkpoint = checkpoint;
    this.bytes = checkpoint?.length ?? 0;
  }

  /** Adds a copy of the calls of a tape. */
  add(tape: Tape): void {
    const copy = copyOf(tape);
    this.#tapes.push(copy);
    this.bytes += copy.calls.length;
  }

  /** All that it holds, oldest first; and, if there is one, a tape that follows. */
  segments(tape?: Tape): Segment[] {
    const tapes = tape === undefined ? this.#tapes : [...this.#tapes, copyOf(tape)];
    return tapes.map((copy, nth) => ({ checkpoint: nth === 0 ? this.#checkpoint : undefined, ...copy }));
  }
}

/** A tape of moves is kept as it is: they come without an end, and to pack them would cost an instance 2 % of its work. */
function copyOf({ calls, isMostlyText }: Tape): Pick<Segment, "calls" | "isPacked"> {
  return { calls: isMostlyText ? deflateRawSync(calls, PACKING) : new Uint8Array(calls), isPacked: isMostlyText };
}
