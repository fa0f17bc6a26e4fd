/**
 * The refusals of Redis at present, with their causes: for the journal and the health page. The core decides which boards are
 * out of reach and which clients are told. Channels are named in the log and nowhere else, as they hold the names of boards.
 */

import type { BoardId } from "@presence-service/protocol";
import type { Cause, Channels } from "../bus/bus.ts";
import type { Act, Journal } from "./journal.ts";

export class Refusals {
  readonly #channels: Channels;
  readonly #journal: Journal;
  readonly #refused: Record<Act, Map<BoardId | undefined, Cause>> = { subscribe: new Map(), publish: new Map() };

  constructor(channels: Channels, journal: Journal) {
    this.#channels = channels;
    this.#journal = journal;
  }

  /** `boardId` undefined, here and below: the global channel. */
  refused(act: Act, boardId: BoardId | undefined, { reason, gist, advice }: Cause): void {
    const cause = { reason, gist, advice };
    const channel = boardId === undefined ? this.#channels.global : this.#channels.board(boardId);
    const { size } = this.#refused[act].set(boardId, cause);
    this.#journal.redisRefuses(act, channel, size, cause);
  }

  granted(act: Act, boardId: BoardId | undefined): void {
    this.#refused[act].delete(boardId);
  }

  /** This instance has left the board: its refusals do not matter any more. */
  forget(boardId: BoardId): void {
    for (const refused of Object.values(this.#refused)) refused.delete(boardId);
  }

  /** A sentence or two that name neither channels nor users; undefined: nothing is refused. */
  inWords(): string | undefined {
    for (const [act, refused] of Object.entries(this.#refused)) {
      const [cause] = refused.values();
      if (cause !== undefined) return `Redis refuses to ${act}: ${cause.gist}. ${cause.advice}`;
    }
    return undefined;
  }
}
