/** Reads the text of /metrics, and computes with it. It knows no metric by name. */

export type Histogram = {
  /** Upper bounds in seconds; the last one is Infinity. */
  readonly bounds: readonly number[];
  /** The number of values up to each bound. */
  readonly upTo: readonly number[];
  readonly sum: number;
};

type Labels = Readonly<Record<string, string>>;

export class Samples {
  readonly #values = new Map<string, number>();
  readonly #buckets = new Map<string, [number, number][]>();

  constructor(text: string) {
    for (const [, name = "", labels = "", value = ""] of text.matchAll(/^([a-z_:][\w:]*)(?:\{(.*)\})? (\S+)$/gim)) {
      const { le, ...rest } = Object.fromEntries(Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, key, text]) => [key, text]));
      const number = numberOf(value);
      if (le === undefined) this.#values.set(keyOf(name, rest), number);
      else {
        const key = keyOf(name.replace(/_bucket$/, ""), rest);
        const buckets = this.#buckets.get(key) ?? [];
        buckets.push([numberOf(le), number]);
        this.#buckets.set(key, buckets);
      }
    }
  }

  /** undefined: there is no such series. */
  value(name: string, labels: Labels = {}): number | undefined {
    return this.#values.get(keyOf(name, labels));
  }

  /** Over all its labels. */
  sum(name: string): number {
    let sum = 0;
    for (const [key, value] of this.#values) if (key === name || key.startsWith(`${name}{`)) sum += value;
    return sum;
  }

  histogram(name: string, labels: Labels = {}): Histogram {
    const buckets = (this.#buckets.get(keyOf(name, labels)) ?? []).toSorted(([a], [b]) => a - b);
    return {
      bounds: buckets.map(([bound]) => bound),
      upTo: buckets.map(([, count]) => count),
      sum: this.value(`${name}_sum`, labels) ?? 0,
    };
  }
}

function numberOf(text: string): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
}

function keyOf(name: string, labels: Labels): string {
  const parts = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return parts.length === 0 ? name : `${name}{${parts.sort().join()}`;
}

export function countOf({ upTo }: Histogram): number {
  return upTo.at(-1) ?? 0;
}

/** The values that were observed between both. */
export function since(now: Histogram, before: Histogram): Histogram {
  return { bounds: now.bounds, upTo: now.upTo.map((count, at) => count - (before.upTo[at] ?? 0)), sum: now.sum - before.sum };
}

/** The bound under which that share of all values lies; undefined: there are none; Infinity: it is above the last bound. */
export function boundOf(histogram: Histogram, share: number): number | undefined {
  const count = countOf(histogram);
  if (count === 0) return undefined;
  return histogram.bounds[histogram.upTo.findIndex((upTo) => upTo >= count * share)];
}

/** The number of values that are certainly above this bound, which is one of the histogram's. */
export function above(histogram: Histogram, bound: number): number {
  const at = histogram.bounds.indexOf(bound);
  return at < 0 ? 0 : countOf(histogram) - (histogram.upTo[at] ?? 0);
}
