/**
 * Where the servers of a REDIS_URL are, and to which of them a link connects: what standalone servers, Sentinels and Clusters have in common, and the
 * simplest of them, the one server. A link asks before each attempt, so that a new connection never goes where the last one was without asking.
 */

import type { Mode } from "../bus/bus.ts";
import type { Link } from "../core/effects.ts";
import type { Dialer, RedisConnection } from "./client.ts";
import type { Failure } from "./failure.ts";
import { inWords, type Place } from "./url.ts";

export interface Topology {
  readonly mode: Mode;
  /** As configured, for logs and the health page: names and ports, without credentials. */
  readonly address: string;
  /** For connections that become links. */
  readonly dialer: Dialer;

  /** Where this link is to connect now. Answers within about a second, also if nobody can be asked. */
  locate(link: Link): Promise<Place | Failure>;

  /** Looks at a new connection, and ends it if its server is not the right one. */
  admit(connection: RedisConnection, link: Link): Promise<void>;

  /** From now on `moved` is called now and then with the one place where both links belong, if there is one, until `close`. */
  watch(moved: (place: Place) => void): void;

  close(): void;
}

/** One server. Its name is looked up anew with each connection. */
export class Standalone implements Topology {
  readonly mode = "standalone";
  readonly address: string;
  readonly dialer: Dialer;
  readonly #place: Place;

  constructor({ place }: { readonly place: Place }, dialer: Dialer) {
    this.#place = place;
    this.address = inWords(place);
    this.dialer = dialer;
  }

  locate(): Promise<Place> {
    return Promise.resolve(this.#place);
  }

  admit(): Promise<void> {
    return Promise.resolve();
  }

  watch(): void {}

  close(): void {}
}
