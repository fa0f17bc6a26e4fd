/**
 * A master that Sentinels watch. All of them are asked at once, so that one which is down holds up nobody, and the one that knows the
 * latest failover is believed. They are asked again all the time: after a failover the former master may be alive and take messages.
 */

import { within } from "../within.ts";
import { ASK_MS_MAX, type Dialer, isErrorReply, type RedisConnection } from "./client.ts";
import { explain, type Failure, silence } from "./failure.ts";
import type { Topology } from "./topology.ts";
import { inWords, type Place, type RedisUrl } from "./url.ts";

/** A failover is noticed so late at most. For Sentinel it is two small questions. */
const WATCH_MS = 500;

/** Sentinels learn of a failover from one another within milliseconds; after the first answer the others get this much more time. */
const LATECOMERS_MS = 100;

export class SentinelTopology implements Topology {
  readonly mode = "sentinel";
  readonly address: string;
  readonly dialer: Dialer;
  readonly #sentinels: readonly Sentinel[];
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
    this.#sentinels = places.map((place) => new Sentinel(place, master, sentinels));
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
    const answers: Answer[] = [];
    const failures = new Map<Sentinel, Failure>(this.#sentinels.map((sentinel) => [sentinel, silence("a question", ASK_MS_MAX)]));
    const asked = this.#sentinels.map(async (sentinel) => {
      const answer = await sentinel.ask();
      if ("master" in answer) answers.push(answer);
      else failures.set(sentinel, answer);
      if (!("master" in answer)) throw answer;
    });
    const all = Promise.allSettled(asked);
    const some = Promise.any(asked).then(
      () => within(LATECOMERS_MS, all, () => {}),
      () => {},
    );
    await within(ASK_MS_MAX, some, () => {});
    const [latest] = answers.sort((a, b) => b.epoch - a.epoch);
    if (latest === undefined) return inOne(failures);
    this.#master = latest.master;
    return latest.master;
  }
}

/** `epoch` counts the failovers that this Sentinel knows of. */
type Answer = { readonly master: Place; readonly epoch: number };

/** One Sentinel, and the connection to it, which is kept for the next question. */
class Sentinel {
  readonly place: Place;
  readonly #name: string;
  readonly #dialer: Dialer;
  #connection: RedisConnection | undefined;

  constructor(place: Place, name: string, dialer: Dialer) {
    this.place = place;
    this.#name = name;
    this.#dialer = dialer;
  }

  async ask(): Promise<Answer | Failure> {
    if (this.#connection === undefined || this.#connection.isOver) {
      this.#connection = this.#dialer.open(this.place, "sentinel", () => {}, ASK_MS_MAX);
    }
    const connection = this.#connection;
    await connection.opened;
    if (connection.isOver) return connection.over;
    try {
      const [address, about] = await Promise.all([
        connection.ask("SENTINEL", "GET-MASTER-ADDR-BY-NAME", this.#name),
        // The user may lack the right to ask. Then its word counts less than that of others.
        connection.ask("SENTINEL", "MASTER", this.#name).catch(() => ({})),
      ]);
      if (!Array.isArray(address)) return UNKNOWN_MASTER;
      const [host, port] = address.map(String);
      return { master: { host: host ?? "", port: Number(port) }, epoch: Number((about as Record<string, unknown>)["config-epoch"] ?? 0) };
    } catch (error) {
      return isErrorReply(error) || !connection.isOver ? explain(error) : connection.over;
    }
  }

  close(): void {
    this.#connection?.end({ reason: "closed", advice: "" });
  }
}

/** Nobody has answered: says it of each. */
function inOne(failures: ReadonlyMap<Sentinel, Failure>): Failure {
  const reasons = [...failures].map(([{ place }, { reason }]) => `Sentinel ${inWords(place)}: ${reason}`);
  const advice = new Set([...failures.values()].map((failure) => failure.advice));
  return { reason: reasons.join("; "), gist: "no Sentinel answers", advice: [...advice].join(" ") };
}

const UNKNOWN_MASTER: Failure = {
  reason: "it watches no master of this name",
  advice: "The name after the slash in REDIS_URL must be that of `sentinel monitor` in the configuration of the Sentinels.",
};

const DEMOTED: Failure = {
  reason: "it is a replica, though Sentinels call it the master",
  advice: "A failover may be under way. If it lasts, ask each Sentinel: `SENTINEL MASTERS`.",
};
