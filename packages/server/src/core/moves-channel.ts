/**
 * The channel on which other instances tell this one of moves, and nothing else (R25): whether it works, as heartbeats say. Nobody but this
 * instance is subscribed there, so moves that go to it come back to nobody. This file knows neither boards nor members.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import type { BusBelief } from "./context.ts";
import type { Effect, Link } from "./effects.ts";

const NEVER = Number.POSITIVE_INFINITY;

type Parts = {
  readonly instanceId: InstanceId;
  readonly constants: Constants;
  readonly bus: Pick<BusBelief, "isEchoMissing" | "echoedAt">;
  readonly emit: (effect: Effect) => void;
};

export class MovesChannel {
  readonly #parts: Parts;
  #isWanted = false;
  #isSubscribed = false;
  /** An own word has come back since it was subscribed: others may use it. */
  #isOpen = false;
  /** Redis does not take what this instance says on such channels. */
  #isMute = false;
  /** When something was last heard there. */
  #heardAt: Millis = Number.NEGATIVE_INFINITY;
  /** When the own word left that has not come back; NEVER: none is missing. */
  #saidAt: Millis = NEVER;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  checkpoint(keep: Keep): void {
    this.#isWanted = keep(this.#isWanted);
    this.#isSubscribed = keep(this.#isSubscribed);
    this.#isOpen = keep(this.#isOpen);
    this.#isMute = keep(this.#isMute);
    this.#heardAt = keep(this.#heardAt);
    this.#saidAt = keep(this.#saidAt);
  }

  /** Whatever is said there is heard here. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  /** Nothing can be said on the channels of others. */
  get isMute(): boolean {
    return this.#isMute;
  }

  deadline(): Millis {
    return this.#saidAt + this.#parts.constants.boardUnechoedMs;
  }

  /** An own word is late. */
  tick(now: Millis): void {
    if (now < this.deadline()) return;
    const { bus, emit } = this.#parts;
    // If own heartbeats do not come back either, the bus is at fault and not this subscription.
    const isBusFine = !bus.isEchoMissing && bus.echoedAt > this.#saidAt;
    if (!isBusFine || !this.#isOpen) return this.#say(now);
    this.#close();
    emit({ kind: "moves_channel", act: "resubscribe" });
  }

  /** The bus works: the channel is wanted from now on. Not before, since a bus does not start where a channel is refused. Idempotent. */
  open(): void {
    if (this.#isWanted) return;
    this.#isWanted = true;
    this.#parts.emit({ kind: "moves_channel", act: "subscribe" });
  }

  subscribed(now: Millis): void {
    this.#close();
    // Where Redis has refused it before, it may have been given all rights since.
    this.#isMute = false;
    this.#isSubscribed = true;
    this.#say(now);
  }

  /** Redis refuses the subscription, or (`publisher`) what is said on such a channel. */
  refused(link: Link): void {
    if (link === "subscriber") return this.#close();
    this.#isMute = true;
    this.#saidAt = NEVER;
  }

  linkUp(link: Link, now: Millis): void {
    if (link === "subscriber") return;
    // A new publisher may have other rights.
    this.#isMute = false;
    if (this.#isSubscribed && !this.#isOpen) this.#say(now);
  }

  linkDown(link: Link): void {
    if (link === "subscriber") this.#close();
  }

  /** Something was said there, by this instance or another one. */
  heard(now: Millis): void {
    this.#heardAt = now;
    this.#saidAt = NEVER;
    this.#isOpen = this.#isSubscribed;
  }

  /** A peer's moves came over a board's channel. If none come here, does anything? */
  passedBy(now: Millis): void {
    if (!this.#isOpen || this.#saidAt !== NEVER || now - this.#heardAt < this.#parts.constants.boardUnechoedMs) return;
    this.#say(now);
  }

  #close(): void {
    this.#isSubscribed = this.#isOpen = false;
    this.#saidAt = NEVER;
  }

  #say(now: Millis): void {
    if (this.#isMute) return;
    this.#saidAt = now;
    const { emit, instanceId } = this.#parts;
    emit({ kind: "publish", boardId: undefined, peer: instanceId, message: { kind: "moves", boards: [] } });
  }
}
