/**
 * People move at times that are fixed beforehand, however late the service or this process is (an open loop): a move that should have been made at a time is
 * timed from then on. How late the generator itself was is counted, so that a run which measured the generator can be thrown away.
 */

import { Worker } from "node:worker_threads";
import { Histogram } from "../histogram.ts";
import { Moves } from "../load.ts";
import type { Person } from "./person.ts";

/** More than one move may be due at a time, if moves are closer to each other than this. */
const WAKE_MS_MIN = 0.25;
/** A move may be made so much before its time: clocks of two threads are read one after the other. */
const EARLY_MS = 0.05;

export class Walk {
  readonly moves = new Moves();
  lateness = new Histogram();
  readonly #people: readonly Person[];
  readonly #everyMs: number;
  readonly #startedAt: number;
  readonly #heard = new Int32Array(new SharedArrayBuffer(4));
  readonly #metronome: Worker;

  /** Begins at once. The moves of all people are spread evenly, in an order that is the same in each run. */
  constructor(people: readonly Person[], movesPerSecond: number) {
    this.#people = shuffled(people);
    this.#everyMs = 1000 / (movesPerSecond * people.length);
    this.#heard[0] = 1;
    this.#startedAt = performance.now();
    const startsAt = Number(process.hrtime.bigint()) / 1e6;
    const workerData = { everyMs: Math.max(WAKE_MS_MIN, this.#everyMs), startsAt, heard: this.#heard };
    this.#metronome = new Worker(new URL("./metronome.ts", import.meta.url), { workerData, execArgv: [] });
    this.#metronome.on("message", () => this.#walk());
    this.#metronome.on("error", (error) => {
      throw error;
    });
  }

  /** How many moves are due in a time. */
  dueWithin(from: number, to: number): number {
    const before = (at: number) => Math.ceil((at - this.#startedAt) / this.#everyMs);
    return before(to) - before(from);
  }

  async stop(): Promise<void> {
    await this.#metronome.terminate();
  }

  #walk(): void {
    Atomics.store(this.#heard, 0, 1);
    for (;;) {
      const nth = this.moves.made;
      const dueAt = this.#startedAt + nth * this.#everyMs;
      const now = performance.now();
      if (dueAt - now > EARLY_MS) return;
      const person = this.#people[nth % this.#people.length];
      if (person === undefined) return;
      this.lateness.add(now - dueAt);
      person.move(this.moves.next(person.instance, dueAt));
    }
  }
}

/** Neighbours in the list are on one board: without this they would move at nearly the same time. */
function shuffled<T>(list: readonly T[]): T[] {
  const result = [...list];
  let state = 1;
  for (let left = result.length - 1; left > 0; left--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = Math.floor((state / 2 ** 32) * (left + 1));
    [result[left], result[other]] = [result[other] as T, result[left] as T];
  }
  return result;
}
