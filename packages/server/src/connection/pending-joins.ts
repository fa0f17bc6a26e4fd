/**
 * The joins of one connection that wait for the host, and what its client says of each board meanwhile: that is done after the join, in its
 * order, and no board waits for another. It decides neither who may enter nor what is done.
 */

import type { BoardId, ClientMessage } from "@presence-service/protocol";

/** Messages that wait for one board. A client that does not wait for its `joined` says a handful. */
const HELD_MAX = 64;

/** `bytes`: of the message. */
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

  /** What is held from now on; to be given to `end`. */
  begin(boardId: BoardId): readonly Held[] {
    const held: Held[] = [];
    this.#held.set(boardId, held);
    return held;
  }

  /** False: that join was given up meanwhile. */
  end(boardId: BoardId, held: readonly Held[]): boolean {
    return this.#held.get(boardId) === held && this.#held.delete(boardId);
  }

  /** Nobody wants to know the host's answer any more. False: it was not asked. */
  giveUp(boardId: BoardId): boolean {
    return this.#held.delete(boardId);
  }

  giveUpAll(): void {
    this.#held.clear();
  }

  /** False: too many wait already. Of several places in a row only the last one counts. */
  hold(boardId: BoardId, said: Held): boolean {
    const held = this.#held.get(boardId) ?? [];
    if (said.message.kind === "cursor" && held.at(-1)?.message.kind === "cursor") held.pop();
    return held.length < HELD_MAX && held.push(said) > 0;
  }
}
