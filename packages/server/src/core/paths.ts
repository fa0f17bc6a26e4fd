/** The paths that movers of one board have told and that are not passed on yet (R22). Others' moves cost nothing here. */

import { COORDINATE_MAX, type CursorPath, type CursorPathOf, PATH_MS_MAX, PATH_POINTS_MAX } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Moves } from "./messages.ts";

/**
 * Samples that are passed on with one tick of a board, the last place of each path included: at 3 to 7 bytes each they stay far below the
 * cursors of a large board.
 */
export const PATH_SAMPLES_PER_TICK = 128;

export class Paths {
  #paths = new Map<number, CursorPath>();

  checkpoint(keep: Keep): void {
    this.#paths = keep(this.#paths);
  }

  get isEmpty(): boolean {
    return this.#paths.size === 0;
  }

  /** That actor goes so far to the right and so far below; undefined: without a path, so the one before is of no use. */
  note(actor: number, path: CursorPath | undefined, wayX: number, wayY: number): void {
    const before = this.#paths.get(actor);
    if (path === undefined) this.#paths.delete(actor);
    else this.#paths.set(actor, before === undefined ? path : joined(before, path, wayX, wayY));
  }

  /** The paths to the places in `moves`, as many as a tick may have. `numberOf`: what stands there for an actor. */
  take(numberOf: (actor: number) => number, moves: Moves): CursorPathOf[] {
    const moved = new Set(moves.filter((_, at) => at % 3 === 0));
    const taken: CursorPathOf[] = [];
    let left = PATH_SAMPLES_PER_TICK;
    for (const [of, path] of this.#paths) {
      const actor = numberOf(of);
      if (!moved.has(actor)) continue;
      left -= path.earlier.length + 1;
      if (left < 0) break;
      taken.push({ actor, stamp: path.stamp, earlier: path.earlier });
    }
    this.#paths.clear();
    return taken;
  }
}

/** One path of two, the first of which was not passed on. */
function joined({ stamp, earlier }: CursorPath, next: CursorPath, wayX: number, wayY: number): CursorPath {
  const gap = (next.stamp - stamp) & 0xffff;
  if (gap === 0 || gap > PATH_MS_MAX) return next;
  const first = [...earlier, { ms: 0, dx: 0, dy: 0 }].map(({ ms, dx, dy }) => ({ ms: ms + gap, dx: dx - wayX, dy: dy - wayY }));
  const isFit = ({ ms, dx, dy }: CursorPath["earlier"][number]) =>
    ms <= PATH_MS_MAX && Math.max(Math.abs(dx), Math.abs(dy)) <= COORDINATE_MAX;
  return { stamp: next.stamp, earlier: [...first.filter(isFit), ...next.earlier].slice(-PATH_POINTS_MAX) };
}
