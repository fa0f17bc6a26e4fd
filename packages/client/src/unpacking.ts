/**
 * Packed messages of one connection (docs/PROTOCOL.md, "Packed messages") become plain ones. Unpacking takes a moment, and what comes meanwhile, the end of
 * the connection included, waits for it: nothing overtakes anything. It knows no message.
 */

import { type Bytes, PACKED } from "@presence-service/protocol";
import type { SocketEvents } from "./driver.ts";

/** `broken` is called in place of a message that cannot be unpacked. */
export function unpacking(
  { opened, received, closed }: SocketEvents,
  unpack: (bytes: Bytes) => Promise<Bytes>,
  broken: (error: unknown) => void,
): SocketEvents {
  /** The last thing that waits; undefined: nothing does. */
  let last: Promise<void> | undefined;
  const after = (run: () => void | Promise<void>): void => {
    const turn = (last ?? Promise.resolve()).then(run).catch(broken);
    last = turn;
    turn.then(() => {
      if (last === turn) last = undefined;
    });
  };
  return {
    opened,
    received(bytes) {
      if (bytes[0] === PACKED) {
        const unpacked = unpack(bytes.slice(1));
        // It is awaited in its turn; meanwhile it is no error that nobody has.
        unpacked.catch(() => {});
        after(async () => received(await unpacked));
      } else if (last === undefined) received(bytes);
      else after(() => received(bytes));
    },
    closed(...why) {
      if (last === undefined) closed(...why);
      else after(() => closed(...why));
    },
  };
}
