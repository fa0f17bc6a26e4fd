/**
 * Whether the messages that this instance publishes on one board come back to it (R9). While they do not, it hears no other instance
 * there, or none hears it, or both; that is one state, and only an own echo ends it. It judges and remembers since when; the board acts.
 */

import type { Millis } from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { Link } from "./effects.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class Silence {
  readonly #context: Pick<Context, "constants" | "random" | "bus">;
  /** When the first sign came that own messages do not come back; NEVER: they do. */
  #since: Millis = NEVER;
  #isDegraded = false;
  #isBlind = false;
  #probeAt: Millis = NEVER;
  /** Whether Redis refuses to publish on this board at present, or to subscribe to it. */
  readonly #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };

  constructor(context: Pick<Context, "constants" | "random" | "bus">) {
    this.#context = context;
  }

  /** The silence lasts, or has a cause that does not pass by itself: clients are told. */
  get isDegraded(): boolean {
    return this.#isDegraded;
  }

  /** The silence has lasted so long that no remote member is shown, even if its instance is heard. */
  get isBlind(): boolean {
    return this.#isBlind;
  }

  /** Redis refuses own messages, so other instances do not hear of the own members. */
  get isMute(): boolean {
    return this.#isRefused.publisher;
  }

  deadline(): Millis {
    return Math.min(this.#clearAt, this.#probeAt);
  }

  /** Redis has refused a subscription (`subscriber`) or a message. */
  refused(link: Link, now: Millis): void {
    this.#isRefused[link] = true;
    this.#since = Math.min(this.#since, now);
    this.#degrade(now);
  }

  /** Redis has confirmed a subscription (`subscriber`) or taken a message. That proves no echo. */
  taken(link: Link): void {
    this.#isRefused[link] = false;
  }

  /** A message that left at `since` should have come back. False: Redis refuses something here, so a new subscription would not help. */
  late(since: Millis, now: Millis): boolean {
    if (this.#isRefused.publisher || this.#isRefused.subscriber) return false;
    // The first time clients are not told: a new subscription mends it within milliseconds.
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

  /** True, once: no remote member is to be shown from now on. */
  hasBecomeBlind(now: Millis): boolean {
    if (now < this.#clearAt) return false;
    this.#isBlind = true;
    return true;
  }

  /** True: a message is to be published now, to see whether it comes back. */
  takeProbe(now: Millis): boolean {
    if (now < this.#probeAt) return false;
    this.#probeLater(now);
    // Without a subscription no message comes back. The bus tries to subscribe again by itself, and then the board asks.
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
