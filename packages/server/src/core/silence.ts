/**
 * Whether what this instance says on one board comes back to it (R9). While nothing does, it hears nobody there, or is heard by nobody,
 * or both; that is one state, and only an own echo ends it. It judges and remembers since when; the board acts.
 */

import type { Millis } from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { Link } from "./effects.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class Silence {
  readonly #context: Pick<Context, "constants" | "random" | "bus">;
  /** The oldest sign that nothing comes back; NEVER: everything does. */
  #since: Millis = NEVER;
  #isDegraded = false;
  #isBlind = false;
  #probeAt: Millis = NEVER;
  /** What the bus refuses here at present: to subscribe, to publish. */
  readonly #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };

  constructor(context: Pick<Context, "constants" | "random" | "bus">) {
    this.#context = context;
  }

  /** It lasts, or has a cause that does not pass by itself: people are told. */
  get isDegraded(): boolean {
    return this.#isDegraded;
  }

  /** It has lasted so long that nobody remote is shown, whoever is heard. */
  get isBlind(): boolean {
    return this.#isBlind;
  }

  /** The bus refuses what we say: our people cannot be heard either. */
  get isMute(): boolean {
    return this.#isRefused.publisher;
  }

  deadline(): Millis {
    return Math.min(this.#clearAt, this.#probeAt);
  }

  /** The bus has refused a subscription (`subscriber`) or a message. */
  refused(link: Link, now: Millis): void {
    this.#isRefused[link] = true;
    this.#since = Math.min(this.#since, now);
    this.#degrade(now);
  }

  /** The bus has confirmed a subscription (`subscriber`) or taken a message. It proves no echo. */
  taken(link: Link): void {
    this.#isRefused[link] = false;
  }

  /** What was said then should have come back. False: not for want of a subscription, so none is to be taken anew. */
  late(since: Millis, now: Millis): boolean {
    if (this.#isRefused.publisher || this.#isRefused.subscriber) return false;
    // The first time a new subscription mends it, within milliseconds.
    if (this.#since !== NEVER) this.#degrade(now);
    this.#since = Math.min(this.#since, since);
    return true;
  }

  /** An own message has come back. */
  ended(): void {
    if (this.#since === NEVER) return;
    this.#since = this.#probeAt = NEVER;
    this.#isDegraded = this.#isBlind = this.#isRefused.publisher = this.#isRefused.subscriber = false;
  }

  /** True, once: nobody remote is to be shown from now on. */
  hasBecomeBlind(now: Millis): boolean {
    if (now < this.#clearAt) return false;
    this.#isBlind = true;
    return true;
  }

  /** True: something is to be said, to hear whether it comes back. */
  takeProbe(now: Millis): boolean {
    if (now < this.#probeAt) return false;
    this.#probeLater(now);
    // Without a subscription nothing comes back; the bus tries that again by itself, and then the board asks.
    return !this.#isRefused.subscriber;
  }

  get #clearAt(): Millis {
    return this.#isDegraded && !this.#isBlind ? this.#since + this.#context.constants.clearRemoteMs : NEVER;
  }

  #degrade(now: Millis): void {
    if (this.#isDegraded) return;
    this.#isDegraded = true;
    this.#probeLater(now);
  }

  #probeLater(now: Millis): void {
    const { constants, random, bus } = this.#context;
    this.#probeAt = now + random.between(0.5, 1) * Math.max(constants.boardUnechoedMs, bus.spreadMs);
  }
}
