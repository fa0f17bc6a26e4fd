/** The samples of the last two minutes, of each instance that answered: a load balancer may lead every request to another one. */

import type { Samples } from "./exposition.ts";

export type Taken = { readonly at: number; readonly samples: Samples };
export type Point = { readonly at: number; readonly value: number };

export const KEPT_MS = 120_000;
/** An instance renders its metrics once a second: an answer from the same rendering is no new sample. */
const RENDERED_MS = 500;
/** More instances than colours for their lines. */
const INSTANCES_MAX = 6;

export class History {
  readonly #of = new Map<string, Taken[]>();

  add(instance: string, taken: Taken): void {
    const known = this.#of.get(instance) ?? [];
    const last = known.at(-1);
    if (last !== undefined && taken.at - last.at < RENDERED_MS) return;
    known.push(taken);
    while (taken.at - (known[0]?.at ?? taken.at) > KEPT_MS) known.shift();
    this.#of.set(instance, known);
    for (const [other, samples] of this.#of) {
      if (this.#of.size > INSTANCES_MAX || taken.at - (samples.at(-1)?.at ?? 0) > KEPT_MS) this.#of.delete(other);
      else break;
    }
  }

  get instances(): readonly string[] {
    return [...this.#of.keys()];
  }

  of(instance: string): readonly Taken[] {
    return this.#of.get(instance) ?? [];
  }
}

/** The growth of a counter in each second; no point where the process has started anew meanwhile. */
export function rateOf(taken: readonly Taken[], read: (samples: Samples) => number): Point[] {
  return between(taken, (now, before, seconds) => (read(now) - read(before)) / seconds).filter(({ value }) => value >= 0);
}

/** The mean of what was observed between two samples; no point where nothing was. */
export function meanOf(taken: readonly Taken[], name: string): Point[] {
  const read = (samples: Samples) => [samples.value(`${name}_sum`) ?? 0, samples.value(`${name}_count`) ?? 0] as const;
  return between(taken, (now, before) => {
    const [[sum, count], [sumBefore, countBefore]] = [read(now), read(before)];
    return count > countBefore ? (sum - sumBefore) / (count - countBefore) : Number.NaN;
  }).filter(({ value }) => !Number.isNaN(value));
}

export function gaugeOf(taken: readonly Taken[], read: (samples: Samples) => number): Point[] {
  return taken.map(({ at, samples }) => ({ at, value: read(samples) }));
}

function between(taken: readonly Taken[], value: (now: Samples, before: Samples, seconds: number) => number): Point[] {
  return taken.slice(1).map(({ at, samples }, index) => {
    const before = taken[index] as Taken;
    return { at, value: value(samples, before.samples, (at - before.at) / 1000) };
  });
}
