/**
 * At which areas of one board we look: those that the app wants, and that of the member whom we follow. It tells the service where that does not know,
 * and ends a follow. core/look.ts says which areas these are, following.ts what a follow tells.
 */

import type { BoardRef, ClientMessage } from "@presence-service/protocol";
import type { AnyCursorMove, AnyMember, BoardView, Changes } from "./core/board-view.ts";
import { areasOf, following, type Look } from "./core/look.ts";
import { Following } from "./following.ts";
import type { Followed, Stop } from "./types.ts";

/** The part of a membership that it uses. */
export type Viewer = {
  readonly view: BoardView;
  /** undefined: we are not on the board at present. */
  readonly board: BoardRef | undefined;
  /** The area that the service has for us; undefined: we only observe. */
  readonly ownArea: string | undefined;
  readonly send: (message: ClientMessage) => void;
  /** Other cursors are shown from now on. */
  readonly tell: (changes: Changes) => void;
  readonly watchCursors: (listener: (moved: readonly AnyCursorMove[]) => void) => Stop;
};

/** We have said no `look`. */
const AS_AT_FIRST = "{}";

export class Looking {
  readonly #viewer: Viewer;
  #look: Look;
  /** The look that the service was told on this place, as JSON. */
  #told = AS_AT_FIRST;
  #following: Following | undefined;

  constructor(viewer: Viewer) {
    this.#viewer = viewer;
  }

  set(look: Look): void {
    this.#look = look;
    this.around();
  }

  /** We have a new place on the board, of whose look the service knows nothing. */
  forget(): void {
    this.#told = AS_AT_FIRST;
  }

  /** Looks at what is wanted now. */
  around(): void {
    const { view, board, ownArea } = this.#viewer;
    const look = this.#following ? following(this.#look, ownArea, this.#following.area) : this.#look;
    const words = look === undefined ? {} : look === "all" ? { all: true } : { areas: look };
    const told = JSON.stringify(words);
    if (board !== undefined && told !== this.#told) {
      this.#told = told;
      this.#viewer.send({ kind: "look", board, ...words });
    }
    this.#viewer.tell(view.look(areasOf(look, ownArea)));
  }

  follow(given: AnyMember, listener: (followed: Followed<object>) => void): Stop {
    this.#following?.end("stopped");
    const member = this.#viewer.view.other(given.memberId);
    let stop: Stop | undefined;
    const follow = new Following(member ?? given, listener, () => {
      stop?.();
      if (this.#following !== follow) return;
      this.#following = undefined;
      this.around();
    });
    if (member === undefined) follow.end("left");
    else this.#following = follow;
    follow.begin();
    // The listener may have ended it.
    if (this.#following === follow) stop = this.#viewer.watchCursors((moved) => follow.moved(moved));
    if (this.#following === follow) this.around();
    else stop?.();
    return () => follow.end("stopped");
  }

  endFollow(why: "stopped" | "moved"): void {
    this.#following?.end(why);
  }

  /** The member whom we follow may have changed, be in another area, or be gone. */
  changed(): void {
    const follow = this.#following;
    if (follow === undefined) return;
    const member = this.#viewer.view.other(follow.memberId);
    if (member === undefined) return follow.end("left");
    follow.changed(member);
    if (this.#following === follow) this.around();
  }
}
