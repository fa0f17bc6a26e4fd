/**
 * Others' cursors on one board, played smoothly for those who watch them so: asks for a frame while one moves, and tells where it is then.
 * core/cursor-motion.ts decides where that is.
 */

import type { CursorPath, MemberId, Millis } from "@presence-service/protocol";
import type { AnyCursorMove, BoardView } from "./core/board-view.ts";
import { CursorMotion } from "./core/cursor-motion.ts";
import type { Listeners } from "./listeners.ts";
import type { Stop } from "./types.ts";

/** The part of the client that a player uses. */
export interface Frames {
  now(): Millis;
  /** Calls `run` before the next frame is drawn, with its time. Returns a function that cancels it. */
  nextFrame(run: (at: Millis) => void): () => void;
}

export class CursorPlayer {
  readonly #view: BoardView;
  readonly #frames: Frames;
  readonly #watchers: Listeners<readonly AnyCursorMove[]>;
  readonly #motion = new CursorMotion();
  #cancelFrame: (() => void) | undefined;

  constructor(view: BoardView, frames: Frames, watchers: Listeners<readonly AnyCursorMove[]>) {
    this.#view = view;
    this.#frames = frames;
    this.#watchers = watchers;
  }

  setPace(cursorMs: Millis): void {
    this.#motion.paceMs = cursorMs;
  }

  /** The connection is lost. */
  lost(): void {
    this.#motion.lost();
  }

  /** A `cursors` message has come. Answers with the time of its places, for `moved`. */
  heard(stamp: number): Millis {
    return this.#motion.heard(stamp, this.#frames.now());
  }

  /** Cursors moved, appeared or vanished; `sentAt` undefined: not by a `cursors` message. */
  moved(moves: readonly AnyCursorMove[], sentAt: Millis | undefined, paths?: ReadonlyMap<MemberId, CursorPath>): void {
    if (this.#watchers.size === 0) return;
    // Asked once: of five hundred movers a browser's clock would take as long as all the rest.
    const now = this.#frames.now();
    const shown: AnyCursorMove[] = [];
    for (const move of moves) {
      const path = move.hidden ? undefined : paths?.get(move.member.memberId);
      if (!this.#take(move, sentAt, now, path)) continue;
      // A path begins where its mover was first.
      shown.push((path && this.#view.moveAt(move.member.memberId, this.#motion.shownAt(move.member.memberId))) ?? move);
    }
    this.#tell(shown);
    this.#animate();
  }

  watch(listener: (moved: readonly AnyCursorMove[]) => void): Stop {
    const visible = this.#view.visibleCursors();
    if (this.#watchers.size === 0) for (const move of visible) this.#take(move, undefined, this.#frames.now());
    const shown = visible.map((move) => this.#view.moveAt(move.member.memberId, this.#motion.shownAt(move.member.memberId)) ?? move);
    if (shown.length > 0) this.#watchers.call(listener, shown);
    const stop = this.#watchers.add(listener);
    return () => {
      stop();
      if (this.#watchers.size > 0) return;
      this.#cancelFrame?.();
      this.#cancelFrame = undefined;
      this.#motion.clear();
    };
  }

  /** True: it is to be shown at once. */
  #take({ member, hidden, point }: AnyCursorMove, sentAt: Millis | undefined, now: Millis, path?: CursorPath): boolean {
    return this.#motion.move(member.memberId, hidden ? null : point, sentAt, now, path);
  }

  #animate(): void {
    if (!this.#motion.isMoving) return;
    this.#cancelFrame ??= this.#frames.nextFrame((at) => {
      this.#cancelFrame = undefined;
      const moves = this.#motion.frame(at).map((shown) => this.#view.moveAt(shown.memberId, shown.at, shown.path));
      this.#tell(moves.filter((move) => move !== undefined));
      this.#animate();
    });
  }

  #tell(moves: readonly AnyCursorMove[]): void {
    if (moves.length > 0) this.#watchers.emit(moves);
  }
}
