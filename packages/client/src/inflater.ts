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
    let left = SERVER_MESSAGE_BYTES_MAX;
    const bounded = new TransformStream<Bytes, Bytes>({
      transform(piece, to) {
        left -= piece.length;
        if (left < 0) throw new RangeError(`a packed message holds more than ${SERVER_MESSAGE_BYTES_MAX} bytes`);
        to.enqueue(piece);
      },
    });
    const plain = new Blob([bytes]).stream().pipeThrough(new Stream("deflate-raw")).pipeThrough(bounded);
    return new Uint8Array(await new Response(plain).arrayBuffer());
  };
}
