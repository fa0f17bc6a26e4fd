/**
 * Long messages in fewer bytes (R13.9): raw DEFLATE, at once and in this thread, as a slice has to leave before what follows it. Both directions are
 * bounded, so neither side is held up for more than about a millisecond. It knows no message.
 */

import { deflateRawSync, inflateRawSync } from "node:zlib";

/** Shorter ones fit into one packet anyway. */
export const PACK_FROM_BYTES = 1024;
/** Longer ones would hold up the loop: 256 KB take about 3 ms to pack, and 1 to unpack. */
export const PACK_BYTES_MAX = 256 * 1024;
/** The fastest level: higher ones save a tenth more, and take twice as long. */
const LEVEL = 1;

/** undefined: packing would gain nothing, or take too long. */
export function pack(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length < PACK_FROM_BYTES || bytes.length > PACK_BYTES_MAX) return undefined;
  const packed = deflateRawSync(bytes, { level: LEVEL });
  return packed.length < bytes.length ? packed : undefined;
}

/** Never throws. undefined: not packed by `pack`, or longer than it packs. No more than that is ever unpacked. */
export function unpack(bytes: Uint8Array): Uint8Array | undefined {
  try {
    return inflateRawSync(bytes, { maxOutputLength: PACK_BYTES_MAX });
  } catch {
    return undefined;
  }
}
