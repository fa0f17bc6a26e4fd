/**
 * A master that Sentinels watch. They are asked where it is before each attempt, and all the time in between: after a failover the
 * former master may be alive and take messages that the others do not hear.
 */

import type { Dialer, RedisConnection } from "./client.ts";
import type { Failure } from "./failure.ts";
import { type Answer, type Question, survey, Witness } from "./survey.ts";
import type { Topology } from "./topology.ts";
import { inWords, type Place, type RedisUrl } from "./url.ts";

/** A failover is noticed so late at most. For a Sentinel it is two small questions. */
const WATCH_MS = 500;

type Found = Answer & { readonly master: Place };

export class SentinelTopology implements Topology {
  readonly mode = "sentinel";
  readonly address: string;
  readonly dialer: Dialer;
  readonly #sentinels: readonly Witness<Found>[];
  /** Where the master was when a Sentinel last answered. */
  #master: Place | undefined;
  /** Shared by all who ask meanwhile. */
  #asking: Promise<Place | Failure> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    { places, master }: Extract<RedisUrl, { mode: "sentinel" }>,
    { dialer, sentinels }: { readonly dialer: Dialer; readonly sentinels: Dialer },
  ) {
    this.address = `${master} of ${places.map(inWords).join(", ")}`;
    this.dialer = dialer;
    this.#sentinels = places.map((place) => new Witness(place, sentinels, whereIs(master)));
  }

  /** While no Sentinel answers, the last known master is as good as any: its role is looked at. */
  async locate(): Promise<Place | Failure> {
    const found = await this.#ask();
    return "host" in found ? found : (this.#master ?? found);
  }

  async admit(connection: RedisConnection): Promise<void> {
    try {
      const role = await connection.ask("ROLE");
      if (Array.isArray(role) && role[0] !== "master") connection.end(DEMOTED);
    } catch {
      // The user may lack the right to ask. Then only the Sentinels' word counts, and that of other instances (R10).
    }
  }

  watch(moved: (place: Place) => void): void {
    const look = async () => {
      const found = await this.#ask();
      if ("host" in found && this.#timer !== undefined) moved(found);
    };
    this.#timer = setInterval(() => void look(), WATCH_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const sentinel of this.#sentinels) sentinel.close();
  }

  #ask(): Promise<Place | Failure> {
    this.#asking ??= this.#askAll().finally(() => {
      this.#asking = undefined;
    });
    return this.#asking;
  }

  async #askAll(): Promise<Place | Failure> {
    const found = await survey(this.#sentinels);
    if (!("master" in found)) return /NOAUTH|WRONGPASS|NOPERM/.test(found.reason) ? { ...found, advice: OWN_PASSWORD } : found;
    this.#master = found.master;
    return found.master;
  }
}

/** The question to a Sentinel. */
function whereIs(name: string): Question<Found> {
  return async (connection) => {
    const [address, about] = await Promise.all([
      connection.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", name),
      // The user may lack the right to ask. Then its word counts less than that of others.
      connection.ask("SENTINEL", "MASTER", name).catch(() => ({})),
    ]);
    if (!Array.isArray(address)) return UNKNOWN_MASTER;
    const [host, port] = address.map(String);
    return { master: { host: host ?? "", port: Number(port) }, epoch: Number((about as Record<string, unknown>)["config-epoch"] ?? 0) };
  };
}

const OWN_PASSWORD =
  "Sentinels have a user and a password of their own: REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD. The user needs +hello +sentinel|get-master-addr-by-name +sentinel|master.";

const UNKNOWN_MASTER: Failure = {
  reason: "it watches no master of this name",
  advice: "The name after the slash in REDIS_URL must be that of `sentinel monitor` in the configuration of the Sentinels.",
};

const DEMOTED: Failure = {
  reason: "it is a replica, though Sentinels call it the master",
  advice: "A failover may be under way. If it lasts, ask each Sentinel: `SENTINEL MASTERS`.",
};
