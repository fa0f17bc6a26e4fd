/**
 * Half of the recorder's memory: a checkpoint, if there is one, and what was written on tapes since, packed. It knows nothing of calls:
 * recording.ts writes and reads them.
 */

import { constants, deflateRawSync } from "node:zlib";
import type { Segment } from "./recording.ts";

/**
 * Of the fastest level, by which calls take a fifth to a tenth of their room: 1 ms for 256 KB. Slower levels save a tenth of that, at three
 * times the time.
 */
const PACKING = { level: constants.Z_BEST_SPEED, chunkSize: 64 * 1024 } as const;

export class Reel {
  readonly #checkpoint: Uint8Array | undefined;
  readonly #tapes: Uint8Array[] = [];
  /** All that it holds. */
  bytes: number;

  /** `checkpoint` undefined: it goes on from the reel before. */
  constructor(checkpoint: Uint8Array | undefined) {
    this.#checkpoint = checkpoint;
    this.bytes = checkpoint?.length ?? 0;
  }

  /** Adds the calls of a tape, packed. */
  add(calls: Uint8Array): void {
    const packed = deflateRawSync(calls, PACKING);
    this.#tapes.push(packed);
    this.bytes += packed.length;
  }

  /** All that it holds, oldest first; and, if they are given, calls that follow. */
  segments(calls?: Uint8Array): Segment[] {
    const tapes = calls === undefined ? this.#tapes : [...this.#tapes, deflateRawSync(calls, PACKING)];
    return tapes.map((packed, nth) => ({ checkpoint: nth === 0 ? this.#checkpoint : undefined, calls: packed }));
  }
}
