/**
 * Whether the messages that this instance publishes on one board come back to it (R9). While they do not, it hears no other instance
 * there, or none hears it, or both; that is one state, and only an own echo ends it. It judges, remembers since when, and tells the
 * local clients; what follows from it, the board does.
 */

import type { BoardId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { Link } from "./effects.ts";

const NEVER = Number.POSITIVE_INFINITY;

export class Silence {
  readonly #context: Context;
  readonly #boardId: BoardId;
  /** When the first sign came that own messages do not come back; NEVER: they do. */
  #since: Millis = NEVER;
  #isDegraded = false;
  #isBlind = false;
  #probeAt: Millis = NEVER;
  /** When the last silence of which clients were told ended. */
  #endedAt: Millis = Number.NEGATIVE_INFINITY;
  /** Whether Redis refuses to publish on this board at present, or to subscribe to it. */
  #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };

  constructor(context: Context, boardId: BoardId) {
    this.#context = context;
    this.#boardId = boardId;
  }

  checkpoint(keep: Keep): void {
    this.#since = keep(this.#since);
    this.#isDegraded = keep(this.#isDegraded);
    this.#isBlind = keep(this.#isBlind);
    this.#probeAt = keep(this.#probeAt);
    this.#endedAt = keep(this.#endedAt);
    this.#isRefused = keep(this.#isRefused);
  }

  /** Own messages do not seem to come back, or Redis refuses something. */
  get isSilent(): boolean {
    return this.#since !== NEVER;
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

  /** Members may be missing on this board, whatever holds on others (C6). */
  isSettling(now: Millis): boolean {
    return this.#isDegraded || now - this.#endedAt < this.#context.constants.settlingMs;
  }

  /** When `takeProbe` is to be called. */
  get probeAt(): Millis {
    return this.#probeAt;
  }

  /** When `hasBecomeBlind` is to be called. */
  get blindAt(): Millis {
    return this.#isDegraded && !this.#isBlind ? this.#since + this.#context.constants.clearRemoteMs : NEVER;
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

  /** An own message has come back. True: that ends a silence of which clients were told. */
  ended(now: Millis): boolean {
    if (this.#since === NEVER) return false;
    const wasDegraded = this.#isDegraded;
    this.#context.emit({ kind: "measured", what: "blind", scope: "board", ms: now - this.#since });
    this.#since = this.#probeAt = NEVER;
    this.#isDegraded = this.#isBlind = this.#isRefused.publisher = this.#isRefused.subscriber = false;
    if (!wasDegraded) return false;
    this.#endedAt = now;
    this.#context.emit({ kind: "degraded", on: false, boardId: this.#boardId });
    return true;
  }

  /** True, once: no remote member is to be shown from now on. */
  hasBecomeBlind(now: Millis): boolean {
    if (now < this.blindAt) return false;
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

  #degrade(now: Millis): void {
    if (this.#isDegraded) return;
    this.#isDegraded = true;
    this.#context.emit({ kind: "degraded", on: true, boardId: this.#boardId });
    this.#probeLater(now);
  }

  #probeLater(now: Millis): void {
    const { constants, random, bus } = this.#context;
    this.#probeAt = now + random.between(0.5, 1) * Math.max(constants.boardUnechoedMs, bus.spreadMs);
  }
}
