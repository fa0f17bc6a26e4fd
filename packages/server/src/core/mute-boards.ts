/** Boards on which the bus does not take what this instance says, for its heartbeats to name (R9.23). */

import type { BoardId } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";

/** Bytes of mute boards that one heartbeat names: hundreds of boards, so that thousands have their turn within seconds. */
const MUTE_BYTES_MAX = 8192;

export class MuteBoards {
  /** The board that a heartbeat named longest ago is first. */
  #boards = new Set<BoardId>();

  checkpoint(keep: Keep): void {
    this.#boards = keep(this.#boards);
  }

  /** A board that stays mute keeps its turn. */
  note(boardId: BoardId, isMute: boolean): void {
    if (isMute) this.#boards.add(boardId);
    else this.#boards.delete(boardId);
  }

  /** For the next heartbeat: as many as fit, and in turn if there are more. */
  take(): BoardId[] {
    const named: BoardId[] = [];
    let bytes = 0;
    for (const boardId of this.#boards) {
      // Board ids are ASCII.
      bytes += boardId.length + 1;
      if (bytes > MUTE_BYTES_MAX) break;
      named.push(boardId);
    }
    for (const boardId of named) if (this.#boards.delete(boardId)) this.#boards.add(boardId);
    return named;
  }
}
