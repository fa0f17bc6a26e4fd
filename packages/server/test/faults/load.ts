/**
 * The people of a run, at three instances: residents who move and change their state, visitors who come and go, and wanderers who drop
 * their connection and resume their session at the next instance. All are on one board, with every kind of client; besides, each of a few more boards
 * has one resident at each instance, so that boards come back at different times.
 */

import { setTimeout as wait } from "node:timers/promises";
import { ClassicPerson } from "./classic-person.ts";
import { KINDS, type Kind, type Log, type Person } from "./person.ts";
import { SdkPerson } from "./sdk-person.ts";
import { WirePerson } from "./wire-person.ts";

/** Its id is a number, so that classic clients can be there. */
const BOARD = "42";
const MORE_BOARDS = ["43", "44", "45"];
const MOVE_MS = 250;
const SAY_MS = 500;
const STAY_MS = 1000;
const PAUSE_MS = 500;
const WANDER_MS = 2000;
/** A visitor who gets no roster goes away again. */
const PATIENCE_MS = 4000;
const LOOK_MS = 50;

export class Load {
  readonly #log: Log;
  /** Where the clients of each instance connect. */
  readonly #urls: readonly string[];
  readonly #residents: (readonly Person[])[];
  readonly #wanderers: { readonly person: WirePerson; lane: number }[] = [];
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #visits: Promise<void>[] = [];
  #isBusy = false;
  #hasEnded = false;
  #visitCount = 0;

  constructor(log: Log, urls: readonly string[]) {
    this.#log = log;
    this.#urls = urls;
    this.#residents = urls.map((_, lane) => [
      ...KINDS.map((kind) => this.#person(kind, `${kind}${lane}`, lane)),
      ...MORE_BOARDS.map((board, nth) => {
        const kind = KINDS[(nth + lane) % KINDS.length] ?? "json";
        return this.#person(kind, `${kind}${lane}on${board}-`, lane, board);
      }),
    ]);
    for (const [lane] of urls.entries()) {
      const wanderer = { lane } as { person: WirePerson; lane: number };
      const way = () => ({ url: this.#urls[wanderer.lane] ?? "", via: wanderer.lane });
      wanderer.person = new WirePerson(log, { kind: lane % 2 === 0 ? "json" : "binary", name: `wanderer${lane}`, way, board: BOARD });
      this.#wanderers.push(wanderer);
    }
  }

  start(): void {
    for (const person of this.#everybody()) person.enter();
    const every = (ms: number, act: () => void) => this.#timers.push(setInterval(() => this.#isBusy && act(), ms));
    for (const person of this.#residents.flat()) {
      every(MOVE_MS, () => person.move());
      every(SAY_MS, () => person.say());
    }
    for (const wanderer of this.#wanderers) {
      every(WANDER_MS, () => {
        if (!wanderer.person.isHere) return;
        wanderer.lane = (wanderer.lane + 1) % this.#urls.length;
        wanderer.person.drop();
      });
    }
    this.#isBusy = true;
    for (const [lane] of this.#urls.entries()) this.#visits.push(this.#visit(lane));
  }

  /** From now on nobody changes anything. */
  rest(): void {
    this.#isBusy = false;
  }

  goOn(): void {
    this.#isBusy = true;
  }

  get areAllHere(): boolean {
    return this.#everybody().every(({ isHere }) => isHere);
  }

  async end(): Promise<void> {
    this.#hasEnded = true;
    for (const timer of this.#timers) clearInterval(timer);
    for (const person of this.#everybody()) person.leave();
    await Promise.all(this.#visits);
  }

  #everybody(): Person[] {
    return [...this.#residents.flat(), ...this.#wanderers.map(({ person }) => person)];
  }

  #person(kind: Kind, name: string, lane: number, board = BOARD): Person {
    const way = { url: this.#urls[lane] ?? "", via: lane };
    if (kind === "sdk") return new SdkPerson(this.#log, { name, way, board });
    if (kind === "classic") return new ClassicPerson(this.#log, { name, way, board });
    return new WirePerson(this.#log, { kind, name, way: () => way, board });
  }

  async #visit(lane: number): Promise<void> {
    while (!this.#hasEnded) {
      await wait(PAUSE_MS);
      if (!this.#isBusy) continue;
      const kind = KINDS[this.#visitCount++ % KINDS.length] ?? "json";
      const visitor = this.#person(kind, `visitor${this.#visitCount}`, lane);
      visitor.enter();
      for (let waited = 0; !visitor.isHere && waited < PATIENCE_MS && !this.#hasEnded; waited += LOOK_MS) await wait(LOOK_MS);
      const wasHere = visitor.isHere;
      if (wasHere) await wait(STAY_MS);
      // Without a connection nobody can be told of a leave, and the member stays for its grace.
      while (wasHere && !visitor.isHere && !this.#hasEnded) await wait(LOOK_MS);
      visitor.leave();
    }
  }
}
