/** "A promise, or too late": waits no longer than so long, and gives nothing up. The late promise goes on, and nobody hears of it. */

import type { Millis } from "@presence-service/protocol";

/**
 * Settles as `promise` does, or after `ms` with what `late` returns or throws. After a stall of this process sockets are read first, so
 * that an answer that waits there counts.
 */
export async function within<T, L>(ms: Millis, promise: Promise<T>, late: () => L): Promise<T | L> {
  let timer: NodeJS.Timeout | undefined;
  let afterReading: NodeJS.Immediate | undefined;
  const deadline = new Promise<void>((resolve) => {
    timer = setTimeout(() => {
      afterReading = setImmediate(resolve);
    }, ms);
  });
  try {
    return await Promise.race([promise, deadline.then(late)]);
  } finally {
    clearTimeout(timer);
    clearImmediate(afterReading);
  }
}
