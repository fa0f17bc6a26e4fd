/** One bot: a member like others, who wanders from place to place, rests, reacts, selects things; some have a note, some are idle. */

import { type Board, createPresence, type Presence, type PresenceError } from "@presence-service/client";
import type { BotsWanted } from "./bots.ts";
import { REACTIONS } from "./reactions.ts";
import { areaOf, type Events, PAGES, type State, shortId } from "./state.ts";

const NAMES = ["Ada", "Bo", "Cyd", "Dot", "Eno", "Fay", "Gus", "Hal", "Ivy", "Jo", "Kit", "Lux", "Max", "Nia", "Oz", "Pip"];
/** So that the bots of two windows mostly have different names. */
const FIRST_NAME = Math.floor(Math.random() * NAMES.length);
const NOTES = ["Ship it?", "I like this one.", "Could this be blue?", "Back in five.", "See page two!", "+1"];
/** Nobody is there, so the service sends a bot nobody's cursor. */
const NOWHERE = "nowhere";
const REST_MS_MAX = 1500;

export class Bot {
  readonly #presence: Presence<State, Events>;
  readonly #board: Board<State, Events>;
  readonly #isIdle: boolean;
  readonly #things: readonly string[];
  /** As the others were told. */
  #instance: string;
  #selected: string | undefined;
  #from = { x: Math.random(), y: Math.random() };
  #to = this.#from;
  #began = 0;
  #lasts = 0;
  #rests = Math.random() * REST_MS_MAX;
  /** Why it is not here; undefined: it is, or is coming. */
  problem: PresenceError | undefined;

  /** Every fifth bot is on the other page of the board, every tenth is idle and every twentieth has a note. */
  constructor(nth: number, { url, board, page, instance }: BotsWanted) {
    const area = nth % 5 === 4 ? (PAGES.find((other) => other !== page) ?? page) : page;
    this.#isIdle = nth % 10 === 5;
    this.#things = area === "diagram" ? ["you", "a", "redis", "b", "they"] : ["sun", "far-hill", "hill", "sea", "boat"];
    this.#instance = instance;
    this.#presence = createPresence({ url });
    const note = { text: NOTES[nth / 20] ?? "Hello", x: Math.random(), y: Math.random(), page: area };
    this.#board = this.#presence.board(board, {
      username: `${NAMES[(FIRST_NAME + nth) % NAMES.length]} bot ${nth + 1}`,
      state: { instance, ...(nth % 20 === 0 && { note }) },
    });
    this.#board.area(areaOf(area));
    this.#board.look([NOWHERE]);
    if (this.#isIdle) this.#board.setStatus("idle");
    this.#board.subscribe(() => this.#changed());
    this.#board.on("error", (error) => {
      this.problem = error;
    });
  }

  get isHere(): boolean {
    return this.#board.status === "connected" || this.#board.status === "degraded";
  }

  leave(): void {
    this.#presence.close();
  }

  /** Moves to where it is now, on the way from one place to the next, as a hand does: slowly at first and at last. */
  step(now: number): void {
    const t = (now - this.#began) / this.#lasts;
    if (!(t > 1)) {
      const eased = t * t * (3 - 2 * t);
      const [dx, dy] = [this.#to.x - this.#from.x, this.#to.y - this.#from.y];
      if (this.#lasts > 0) this.#board.moveCursor(this.#from.x + dx * eased, this.#from.y + dy * eased);
      return;
    }
    if (now < this.#began + this.#lasts + this.#rests) return;
    this.#act();
    this.#from = this.#to;
    this.#to = { x: 0.03 + 0.94 * Math.random(), y: 0.03 + 0.94 * Math.random() };
    this.#began = now;
    this.#lasts = 500 + 1500 * Math.random();
    this.#rests = this.#isIdle ? Number.POSITIVE_INFINITY : REST_MS_MAX * Math.random();
  }

  /** It never looks at who is here: lists of all, at a hundred bots, for each change of one, would be most of their work. */
  #changed(): void {
    if (!this.isHere) return;
    this.problem = undefined;
    const instance = shortId(this.#board.instanceId);
    if (instance === this.#instance) return;
    this.#instance = instance;
    this.#board.update({ instance });
  }

  /** Now and then, at the end of a way. */
  #act(): void {
    const chance = Math.random();
    if (chance < 0.03) this.#board.broadcast("reaction", { emoji: oneOf(REACTIONS), ...this.#to });
    else if (chance < 0.06) {
      this.#selected = this.#selected === undefined ? oneOf(this.#things) : undefined;
      this.#board.update({ selected: this.#selected ?? null });
    }
  }
}

function oneOf(words: readonly string[]): string {
  return words[Math.floor(Math.random() * words.length)] ?? "";
}
