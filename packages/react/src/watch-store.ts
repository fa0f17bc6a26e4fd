/** The counts of several boards as an external store: watched while a component listens. Nothing here depends on React. */

import type { Occupancy, Presence, Stop, Watch } from "@presence-service/client";

export const NO_COUNTS: ReadonlyMap<string, Occupancy> = new Map();

export class WatchStore {
  readonly #client: Presence;
  readonly #boardIds: readonly string[];
  readonly #listeners = new Set<() => void>();
  #watch: Watch | undefined;

  constructor(client: Presence, boardIds: readonly string[]) {
    this.#client = client;
    this.#boardIds = boardIds;
  }

  readonly snapshot = (): ReadonlyMap<string, Occupancy> => this.#watch?.snapshot() ?? NO_COUNTS;

  readonly subscribe = (listener: () => void): Stop => {
    this.#watch ??= this.#client.watch(this.#boardIds);
    const stop = this.#watch.subscribe(listener);
    this.#listeners.add(listener);
    return () => {
      stop();
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#watch?.stop();
      this.#watch = undefined;
    };
  };
}
