/**
 * The joins of one connection that wait for the host, and the messages of its client for each of these boards: they are handled after the
 * join, in order, and no board waits for another. This file decides neither which client may enter nor how a message is handled.
 */

import type { BoardId, ClientMessage } from "@presence-service/protocol";

/** Messages that may wait for one board. A client that does not wait for its `joined` sends a handful. */
const HELD_MAX = 64;

/** `bytes`: size of the message. */
export type Held = { readonly message: ClientMessage; readonly bytes: number };

export class PendingJoins {
  readonly #held = new Map<BoardId, Held[]>();

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  has(boardId: BoardId): boolean {
    return this.#held.has(boardId);
  }

  boards(): Iterable<BoardId> {
    return this.#held.keys();
  }

  /** Begins a join. Answers the list in which messages are held from now on; give it to `end`. */
  begin(boardId: BoardId): readonly Held[] {
    const held: Held[] = [];
    this.#held.set(boardId, held);
    return held;
  }

  /** Ends a join. False: that join was given up meanwhile. */
  end(boardId: BoardId, held: readonly Held[]): boolean {
    return this.#held.get(boardId) === held && this.#held.delete(boardId);
  }

  /** Gives a join up, so that the host's answer does not count. False: the host was not asked. */
  giveUp(boardId: BoardId): boolean {
    return this.#held.delete(boardId);
  }

  giveUpAll(): void {
    this.#held.clear();
  }

  /** Holds a message. Of several cursor places in a row only the last one is held. False: too many messages wait already. */
  hold(boardId: BoardId, said: Held): boolean {
    const held = this.#held.get(boardId) ?? [];
    if (said.message.kind === "cursor" && held.at(-1)?.message.kind === "cursor") held.pop();
    return held.length < HELD_MAX && held.push(said) > 0;
  }
}
