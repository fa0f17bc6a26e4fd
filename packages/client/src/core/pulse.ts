/**
 * Is the other end of an open connection still there (C3)? It is dead after a long silence, and where somebody has reason to doubt it
 * sooner, it is asked. Pure: tell it what happened and when, do what `check` says.
 */

import type { Millis } from "@presence-service/protocol";

/** The server's heartbeats come every 10 s: two were missed, and a half for the way. */
const SILENCE_HEARTBEATS = 2.5;
/** Whatever `welcome` says, a moment of silence is no sign of death. */
const HEARTBEAT_MS_MIN = 1_000;
/** Silence after which a hand that moves, or an app that says something, is reason to ask. */
const USED_SILENCE_MS = 3_000;
/** A question unanswered for so long: no answer comes. With the quickest way back the connection is replaced within 3 s. */
const ANSWER_MS = 2_500;
/** A question unanswered for so long: nothing is promised any more. */
const DOUBT_MS = 1_000;
/** The service answers one question a second. */
const ASK_MS_MIN = 1_000;
/** A look that comes so late was asleep, and so may have been the answer. */
const LATE_MS = 2_000;

export class Pulse {
  readonly #silenceMs: Millis;
  #heardAt: Millis;
  /** A question is unanswered since then. */
  #askedAt: Millis | undefined;
  /** When to ask; infinite: there is no reason. */
  #askAt: Millis = Number.POSITIVE_INFINITY;
  #mayAskAt: Millis;

  constructor(heartbeatMs: Millis, now: Millis) {
    this.#silenceMs = SILENCE_HEARTBEATS * Math.max(HEARTBEAT_MS_MIN, heartbeatMs);
    this.#heardAt = this.#mayAskAt = now;
  }

  /** Any byte is a sign of life, and an answer. */
  heard(now: Millis): void {
    this.#heardAt = now;
    this.#askedAt = undefined;
  }

  /** The world is not what it was. */
  doubt(now: Millis): void {
    if (this.#askedAt === undefined) this.#askAt = Math.max(now, this.#mayAskAt);
  }

  /** Somebody uses the connection, or is about to. `true`: after such a silence that is a doubt. */
  used(now: Millis): boolean {
    const isSilent = now >= this.#heardAt + USED_SILENCE_MS;
    if (isSilent) this.doubt(now);
    return isSilent;
  }

  /** Whatever is sent now may reach nobody. */
  isDoubtful(now: Millis): boolean {
    return this.#askedAt !== undefined && now >= this.#askedAt + DOUBT_MS;
  }

  /** When `check` will have an answer. */
  get deadline(): Millis {
    return Math.min(this.#heardAt + this.#silenceMs, this.#askedAt === undefined ? this.#askAt : this.#askedAt + ANSWER_MS);
  }

  /** `ask`: send the question now. The other two: give the connection up. */
  check(now: Millis): "ask" | "silent" | "unanswered" | undefined {
    if (now < this.deadline) return undefined;
    if (now >= this.#heardAt + this.#silenceMs) return "silent";
    if (this.#askedAt !== undefined && now < this.#askedAt + ANSWER_MS + LATE_MS) return "unanswered";
    this.#askedAt = now;
    this.#askAt = Number.POSITIVE_INFINITY;
    this.#mayAskAt = now + ASK_MS_MIN;
    return "ask";
  }
}
