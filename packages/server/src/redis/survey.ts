/**
 * One question to several servers at once, so that a server which is down holds up nobody. The answer of the one that knows the latest
 * is taken: in a partition each side answers for itself.
 */

import { within } from "../within.ts";
import { ASK_MS_MAX, type Dialer, isErrorReply, type RedisConnection } from "./client.ts";
import { explain, type Failure, silence } from "./failure.ts";
import { inWords, type Place } from "./url.ts";

/** `epoch`: how recent the knowledge is; failovers raise it. */
export type Answer = { readonly epoch: number };

/** Reads the answer off a connection. May reject as the connection does. */
export type Question<A extends Answer> = (connection: RedisConnection) => Promise<A | Failure>;

/** Servers learn of a failover from one another within milliseconds; after the first answer the others get this much more time. */
const LATECOMERS_MS = 100;

/** One server that is asked, and the connection to it, which is kept for the next question. */
export class Witness<A extends Answer> {
  readonly place: Place;
  readonly #dialer: Dialer;
  readonly #question: Question<A>;
  #connection: RedisConnection | undefined;

  constructor(place: Place, dialer: Dialer, question: Question<A>) {
    this.place = place;
    this.#dialer = dialer;
    this.#question = question;
  }

  /** The last question was not answered, or none was asked. */
  get isOver(): boolean {
    return this.#connection?.isOver !== false;
  }

  async ask(): Promise<A | Failure> {
    if (this.#connection === undefined || this.#connection.isOver) {
      this.#connection = this.#dialer.open(this.place, "survey", () => {}, ASK_MS_MAX);
    }
    const connection = this.#connection;
    await connection.opened;
    if (connection.isOver) return connection.over;
    try {
      return await this.#question(connection);
    } catch (error) {
      return isErrorReply(error) || !connection.isOver ? explain(error) : connection.over;
    }
  }

  close(): void {
    this.#connection?.end({ reason: "closed", advice: "" });
  }
}

/** Takes about a second at most. If nobody answers, the failure says it of each. */
export async function survey<A extends Answer>(witnesses: readonly Witness<A>[]): Promise<A | Failure> {
  const answers: A[] = [];
  const failures = new Map(witnesses.map(({ place }) => [place, silence("a question", ASK_MS_MAX)]));
  const asked = witnesses.map(async (witness) => {
    const answer = await witness.ask();
    if ("epoch" in answer) answers.push(answer);
    else {
      failures.set(witness.place, answer);
      throw new Error(answer.reason);
    }
  });
  const all = Promise.allSettled(asked);
  const first = Promise.any(asked).then(
    () => within(LATECOMERS_MS, all, () => {}),
    () => {},
  );
  await within(ASK_MS_MAX, first, () => {});
  const [latest] = answers.sort((a, b) => b.epoch - a.epoch);
  return latest ?? inOne(failures);
}

function inOne(failures: ReadonlyMap<Place, Failure>): Failure {
  const reasons = [...failures].map(([place, { reason }]) => `${inWords(place)}: ${reason}`);
  const advice = new Set([...failures.values()].map((failure) => failure.advice));
  return { reason: reasons.join("; "), gist: "nobody answers who knows where it is", advice: [...advice].join(" ") };
}
