/**
 * The publishes of one connection that Redis has not answered yet: how many, how large, how old. Redis answers in order, so
 * each answer is for the oldest. Refuses more than the bounds, so that a hung Redis costs a known amount of memory.
 */

import type { Millis } from "@presence-service/protocol";
import { BusRefused } from "../bus/bus.ts";
import { PresenceError } from "../errors.ts";
import { within } from "../within.ts";
import { isErrorReply, type RedisConnection } from "./client.ts";
import { explain } from "./failure.ts";

/** A Redis that takes 100 000 a second is behind by 0.1 s then. In the driver so many publishes take about 4 MB. */
export const UNANSWERED_MAX = 8192;

/**
 * As much as Redis by default lets a subscriber lag behind for long (`client-output-buffer-limit pubsub 32mb 8mb 60`), and several
 * times the snapshot of a board with 10 000 members, which leaves in one turn. One message may exceed it.
 */
export const UNANSWERED_BYTES_MAX = 8 * 1024 * 1024;

export class Outgoing {
  readonly #connection: RedisConnection;
  readonly #isCounted: boolean;
  // These are rings: entry n is at n % UNANSWERED_MAX. They need no object per publish.
  readonly #sentAt = new Float64Array(UNANSWERED_MAX);
  readonly #sizes = new Uint32Array(UNANSWERED_MAX);
  #sent = 0;
  #answered = 0;
  #bytes = 0;
  #whenEmpty: (() => void) | undefined;

  /** `isCounted`: what Redis answers is the number of all subscribers. A node of a Cluster counts only its own. */
  constructor(connection: RedisConnection, { isCounted }: { readonly isCounted: boolean }) {
    this.#connection = connection;
    this.#isCounted = isCounted;
  }

  publish(channel: string, message: Uint8Array): Promise<number | undefined> {
    const count = this.#sent - this.#answered;
    if (count >= UNANSWERED_MAX || this.#bytes >= UNANSWERED_BYTES_MAX) {
      return Promise.reject(
        new PresenceError(
          "BUS_DOWN",
          `Redis has not answered ${count} publishes (${this.#bytes} bytes) for ${Math.round(this.oldestMs())} ms`,
        ),
      );
    }
    const at = this.#sent++ % UNANSWERED_MAX;
    this.#sentAt[at] = performance.now();
    this.#sizes[at] = message.length;
    this.#bytes += message.length;
    return this.#connection.publish(channel, message).then(this.#onAnswer, this.#onError);
  }

  /** Age of the oldest unanswered publish; 0: there is none. */
  oldestMs(): Millis {
    if (this.#sent === this.#answered) return 0;
    return performance.now() - (this.#sentAt[this.#answered % UNANSWERED_MAX] ?? 0);
  }

  /** Resolves when nothing is unanswered, or after `ms`. */
  async empty(ms: Millis): Promise<void> {
    if (this.#sent === this.#answered) return;
    const emptied = new Promise<void>((resolve) => {
      this.#whenEmpty = resolve;
    });
    await within(ms, emptied, () => {});
  }

  // These closures are made once per connection, not per publish.
  readonly #onAnswer = (receivers: number): number | undefined => {
    this.#forgetOldest();
    return this.#isCounted ? receivers : undefined;
  };

  readonly #onError = (error: unknown): never => {
    this.#forgetOldest();
    if (isErrorReply(error)) throw new BusRefused({ gist: "", ...explain(error) }, { cause: error });
    throw new PresenceError(
      "BUS_DOWN",
      "the connection was lost before Redis answered; other instances may or may not have heard the message",
      {
        cause: error,
      },
    );
  };

  #forgetOldest(): void {
    this.#bytes -= this.#sizes[this.#answered++ % UNANSWERED_MAX] ?? 0;
    if (this.#sent === this.#answered) this.#whenEmpty?.();
  }
}
