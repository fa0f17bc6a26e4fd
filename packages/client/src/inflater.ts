/** Raw DEFLATE, unpacked by what the runtime has: browsers from 2023 on, Node, Deno and Bun have it, React Native has not. It holds no more than a message. */

import { type Bytes, SERVER_MESSAGE_BYTES_MAX } from "@presence-service/protocol";

/** undefined: the runtime has nothing for that, so the service is not asked to pack. The result rejects whatever is broken or too long. */
export function inflaterOf(runtime: { readonly DecompressionStream?: unknown }): ((bytes: Bytes) => Promise<Bytes>) | undefined {
  const Stream = runtime.DecompressionStream as (new (format: string) => GenericTransformStream) | undefined;
  try {
    // Older browsers have the stream, and not this format.
    if (Stream === undefined || !new Stream("deflate-raw")) return undefined;
  } catch {
    return undefined;
  }
  return async (bytes) => {
    const { readable, writable } = new Stream("deflate-raw");
    const writer = (writable as WritableStream<Bytes>).getWriter();
    // Errors are those of the reading side.
    writer.write(bytes).catch(() => {});
    writer.close().catch(() => {});
    const whole = new Uint8Array(SERVER_MESSAGE_BYTES_MAX);
    let length = 0;
    const reader = (readable as ReadableStream<Bytes>).getReader();
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (length + piece.value.length > whole.length) {
        reader.cancel().catch(() => {});
        throw new RangeError(`a packed message holds more than ${SERVER_MESSAGE_BYTES_MAX} bytes`);
      }
      whole.set(piece.value, length);
      length += piece.value.length;
    }
    return whole.subarray(0, length);
  };
}
