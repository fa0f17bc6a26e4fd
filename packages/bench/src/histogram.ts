/** Latencies by the hundred thousand, in buckets of 0.05 ms up to 10 s; longer ones count as 10 s. */

const BUCKET_MS = 0.05;
const BUCKETS = 200_000;

export class Histogram {
  readonly #counts = new Uint32Array(BUCKETS);
  count = 0;

  add(ms: number): void {
    const bucket = Math.min(BUCKETS - 1, Math.max(0, Math.floor(ms / BUCKET_MS)));
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
    this.count++;
  }

  /** In ms: the upper edge of the bucket; NaN if nothing was added. */
  quantile(fraction: number): number {
    let left = Math.ceil(this.count * fraction);
    if (left === 0) return Number.NaN;
    for (let bucket = 0; bucket < BUCKETS; bucket++) {
      left -= this.#counts[bucket] ?? 0;
      if (left <= 0) return (bucket + 1) * BUCKET_MS;
    }
    return BUCKETS * BUCKET_MS;
  }
}
