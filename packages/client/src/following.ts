/** A member whom the app follows: tells where it is, until the follow ends. Which areas are looked at meanwhile is decided in looking.ts. */

import type { AnyCursorMove, AnyMember } from "./core/board-view.ts";
import type { Followed } from "./types.ts";

export class Following {
  readonly #listener: (followed: Followed<object>) => void;
  readonly #ended: () => void;
  #followed: Followed<object>;

  /** `ended` is called once, before the listener is told. */
  constructor(member: AnyMember, listener: (followed: Followed<object>) => void, ended: () => void) {
    this.#followed = { member, cursor: null };
    this.#listener = listener;
    this.#ended = ended;
  }

  get memberId(): AnyMember["memberId"] {
    return this.#followed.member.memberId;
  }

  get area(): string {
    return this.#followed.member.area ?? "";
  }

  begin(): void {
    this.#tell(this.#followed);
  }

  changed(member: AnyMember): void {
    if (member !== this.#followed.member) this.#tell({ member, cursor: this.#followed.cursor });
  }

  moved(moves: readonly AnyCursorMove[]): void {
    const move = moves.findLast(({ member }) => member.memberId === this.memberId);
    if (move !== undefined) this.#tell({ member: move.member, cursor: move.hidden ? null : move });
  }

  end(why: NonNullable<Followed["ended"]>): void {
    if (this.#followed.ended !== undefined) return;
    const last = { ...this.#followed, ended: why };
    this.#followed = last;
    this.#ended();
    this.#listener(last);
  }

  #tell(followed: Followed<object>): void {
    if (this.#followed.ended !== undefined) return;
    this.#followed = followed;
    this.#listener(followed);
  }
}
