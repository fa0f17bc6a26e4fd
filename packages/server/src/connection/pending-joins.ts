/**
 * The joins of one connection that wait for the host, and the messages of its client for each of these boards: they are handled after the
 * join, in order, and no board waits for another. This file decides neither which client may enter nor how a message is handled.
 */

import type { BoardId, ClientMessage } from "@presence-service/protocol";

/** Messages that may wait for one board. A client that does not wait for its `joined` sends a handful. */
const HELD_MAX = 64;
/** Of all boards of one connection. Decoded, a message may take thirteen times the memory of its bytes. */
const HELD_BYTES_MAX = 64 * 1024;

/** `bytes`: size of the message. */
export type Held = { readonly message: ClientMessage; readonly bytes: number };

export class PendingJoins {
  /** undefined: no join waits. That is so nearly all the time, and an empty map takes 200 bytes. */
  #map: Map<BoardId, Held[]> | undefined;
  #bytes = 0;

  get isEmpty(): boolean {
    return this.#map === undefined;
  }

  has(boardId: BoardId): boolean {
    return this.#map?.has(boardId) ?? false;
  }

  boards(): Iterable<BoardId> {
    return this.#map?.keys() ?? [];
  }

  /** Begins a join. Answers the list in which messages are held from now on; give it to `end`. */
  begin(boardId: BoardId): readonly Held[] {
    const held: Held[] = [];
    this.#map ??= new Map();
    this.#map.set(boardId, held);
    return held;
  }

  /** Ends a join. False: that join was given up meanwhile. */
  end(boardId: BoardId, held: readonly Held[]): boolean {
    return this.#map?.get(boardId) === held && this.giveUp(boardId);
  }

  /** Gives a join up, so that the host's answer does not count. False: the host was not asked. */
  giveUp(boardId: BoardId): boolean {
    for (const { bytes } of this.#map?.get(boardId) ?? []) this.#bytes -= bytes;
    const wasPending = this.#map?.delete(boardId) ?? false;
    if (this.#map?.size === 0) this.#map = undefined;
    return wasPending;
  }

  giveUpAll(): void {
    this.#map = undefined;
    this.#bytes = 0;
  }

  /** Holds a message. Of several cursor places in a row only the last one is held. False: too many messages wait already, or too many bytes. */
  hold(boardId: BoardId, said: Held): boolean {
    const held = this.#map?.get(boardId) ?? [];
    const last = held.at(-1);
    if (said.message.kind === "cursor" && last?.message.kind === "cursor") {
      held.pop();
      this.#bytes -= last.bytes;
    }
    if (held.length >= HELD_MAX || this.#bytes + said.bytes > HELD_BYTES_MAX) return false;
    held.push(said);
    this.#bytes += said.bytes;
    return true;
  }
}
