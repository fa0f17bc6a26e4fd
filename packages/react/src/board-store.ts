/**
 * One board as the components below one `<Board>` see it. Rendering creates it and takes nothing: the board is taken by an effect, since
 * React may throw a render away. Wishes of components before that wait for it. Nothing here depends on React.
 */

import type { Board, BoardOptions, BoardSnapshot, JsonObject, Presence, Stop } from "@presence-service/client";

/** Shown on a server, while hydrating, and until the board is taken. */
export const NOT_TAKEN: BoardSnapshot = Object.freeze({
  status: "connecting",
  self: null,
  others: Object.freeze([]),
  users: Object.freeze([]),
  justLeft: Object.freeze([]),
  memberCount: 0,
  userCount: 0,
});

type Attached = { readonly attach: (board: Board) => Stop; stop: Stop | undefined };

export class BoardStore {
  readonly #take: (options: BoardOptions<JsonObject>) => Board;
  #board: Board | undefined;
  /** Given back: as it was then, for a tree that is hidden and comes back. */
  #last: BoardSnapshot = NOT_TAKEN;
  readonly #attached = new Set<Attached>();
  readonly #listeners = new Set<() => void>();
  #waiting: ((board: Board) => void)[] = [];

  constructor(client: Presence, boardId: string, observes: boolean) {
    this.#take = (options) => (observes ? client.observe(boardId) : client.board(boardId, options));
  }

  /** The board while it is taken. */
  readonly board = (): Board | null => this.#board ?? null;

  /** The same reference until something in it changes. */
  readonly snapshot = (): BoardSnapshot => this.#board?.snapshot() ?? this.#last;

  /** Calls after every change of the snapshot, and when the board is taken. */
  readonly subscribe = (listener: () => void): Stop => {
    const detach = this.attach((board) => board.subscribe(listener));
    const place = () => listener();
    this.#listeners.add(place);
    return () => {
      this.#listeners.delete(place);
      detach();
    };
  };

  /** Returns a function that gives the board back. The client leaves it a second later, unless it is taken again. */
  take(options: BoardOptions<JsonObject>): Stop {
    const board = this.#take(options);
    this.#board = board;
    for (const attached of this.#attached) attached.stop = attached.attach(board);
    for (const act of this.#waiting.splice(0)) act(board);
    for (const listener of [...this.#listeners]) listener();
    return () => {
      this.#last = board.snapshot();
      this.#board = undefined;
      // Their listeners end with the handle.
      board.leave();
      for (const attached of this.#attached) attached.stop = undefined;
    };
  }

  /** Holds for each time that the board is taken. */
  attach(attach: (board: Board) => Stop): Stop {
    const attached: Attached = { attach, stop: this.#board && attach(this.#board) };
    this.#attached.add(attached);
    return () => {
      this.#attached.delete(attached);
      attached.stop?.();
    };
  }

  /** At once, or as soon as the board is taken for the first time. A board that was given back ignores it. */
  act(act: (board: Board) => void): void {
    if (this.#board) act(this.#board);
    else if (this.#last === NOT_TAKEN) this.#waiting.push(act);
  }
}
