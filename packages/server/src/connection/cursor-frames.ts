/** The cursors of one tick for all sockets of one way of speaking: a frame for each area, made when the first socket needs it (F1). */

import { type CursorPathOf, type Millis, stampOf } from "@presence-service/protocol";
import type { Moves } from "../core/messages.ts";
import { Draft } from "../speech/draft.ts";
import type { Teller } from "../speech/speech.ts";
import { ALL_AREAS, type MovesByArea } from "./areas.ts";

export class CursorFrames {
  readonly #teller: Teller;
  readonly #stamp: number;
  readonly #moves: Moves;
  readonly #parts: MovesByArea | undefined;
  readonly #paths: readonly CursorPathOf[];
  readonly #drafts: Draft[] = [];

  constructor(teller: Teller, now: Millis, moves: Moves, parts: MovesByArea | undefined, paths: readonly CursorPathOf[]) {
    this.#teller = teller;
    this.#stamp = stampOf(now);
    this.#moves = moves;
    this.#parts = parts;
    this.#paths = paths;
  }

  /** undefined: nobody there has moved. */
  of(area: number): Draft | undefined {
    const moves = area === ALL_AREAS ? this.#moves : this.#parts?.[area];
    if (moves === undefined || moves.length === 0) return undefined;
    let draft = this.#drafts[area - ALL_AREAS];
    if (draft === undefined) {
      draft = new Draft();
      this.#teller.cursors(moves, this.#stamp, draft, this.#paths);
      this.#drafts[area - ALL_AREAS] = draft;
    }
    return draft;
  }
}
