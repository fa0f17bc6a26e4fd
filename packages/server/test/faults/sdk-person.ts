/** A person whose app uses the SDK, as its README says. */

import { type Board, createPresence, type Member, type Presence } from "@presence-service/client";
import type { Shown } from "./log.ts";
import { type Log, movesOf, NO_PLACE, type Person, placeOf, type Way } from "./person.ts";

type State = { readonly n: number };

export class SdkPerson implements Person {
  readonly kind = "sdk";
  readonly name: string;
  readonly #log: Log;
  readonly #way: Way;
  readonly #boardId: string;
  readonly #places = new Map<string, number>();
  #presence: Presence<State> | undefined;
  #board: Board<State> | undefined;
  #isHere = false;
  #says = 0;
  #moves = 0;

  constructor(log: Log, { name, way, board }: { readonly name: string; readonly way: Way; readonly board: string }) {
    this.#log = log;
    this.name = name;
    this.#way = way;
    this.#boardId = board;
  }

  get isHere(): boolean {
    return this.#isHere;
  }

  enter(): void {
    this.#log.add({ kind: "wants", who: this.name, via: this.#way.via, board: this.#boardId });
    const presence = createPresence<State>({ url: this.#way.url });
    const board = presence.board(this.#boardId, { username: this.name, state: { n: 0 } });
    this.#presence = presence;
    this.#board = board;
    for (const event of ["user_joined", "user_updated"] as const) board.on(event, ({ member }) => this.#sees(member));
    board.on("user_left", ({ member, reason }) => {
      this.#places.delete(member.username);
      if (this.#isHere) this.#log.add({ kind: "sees", who: this.name, whom: member.username, shown: null, reason });
    });
    board.on("error", ({ code, message }) => {
      if (code !== "unreachable") this.#log.add({ kind: "nonsense", who: this.name, text: `error ${code}: ${message}` });
    });
    const moved = ({ member, point, hidden }: { member: Member<State>; point: { x: number; y: number }; hidden: boolean }) => {
      // The cursor of one who has left comes as hidden, after the leave.
      if (!board.others.some(({ memberId }) => memberId === member.memberId)) return;
      this.#places.set(member.username, hidden ? NO_PLACE : movesOf(point));
      this.#sees(member);
    };
    board.cursors.subscribe((batch) => batch.forEach(moved), { smooth: false });
    let wasDegraded = false;
    board.subscribe(() => {
      const { status, others } = board.snapshot();
      const isDegraded = status === "degraded";
      if (isDegraded !== wasDegraded) this.#log.add({ kind: "degraded", who: this.name, on: isDegraded });
      wasDegraded = isDegraded;
      const isHere = status === "connected" || isDegraded;
      if (isHere === this.#isHere) return;
      this.#isHere = isHere;
      if (!isHere) return this.#log.add({ kind: "away", who: this.name });
      const shows = Object.fromEntries(others.map((member) => [member.username, this.#shown(member)]));
      this.#log.add({ kind: "here", who: this.name, via: this.#way.via, shows });
    });
  }

  leave(): void {
    this.#isHere = false;
    this.#log.add({ kind: "gone", who: this.name });
    this.#presence?.close();
  }

  say(): void {
    this.#says++;
    this.#log.add({ kind: "says", who: this.name, state: this.#says });
    this.#board?.update({ n: this.#says });
  }

  move(): void {
    const { x, y } = placeOf(++this.#moves);
    this.#log.add({ kind: "moves", who: this.name, place: this.#moves });
    this.#board?.moveCursor(x, y, { units: "integer" });
  }

  #sees(member: Member<State>): void {
    if (this.#isHere && member.memberId !== this.#board?.self?.memberId)
      this.#log.add({ kind: "sees", who: this.name, whom: member.username, shown: this.#shown(member) });
  }

  #shown({ username, status, state }: Member<State>): Shown {
    return { status, state: state.n, place: this.#places.get(username) ?? NO_PLACE };
  }
}
