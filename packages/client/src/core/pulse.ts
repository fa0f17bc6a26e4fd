/**
 * Is the other end of an open connection still there (C3)? After a long silence the connection counts as dead. When there is an earlier
 * reason for doubt, the client asks the service. Pure: tell it what happened and when, do what `check` says.
 */

import type { Millis } from "@presence-service/protocol";

/** Two missed heartbeats of the service, and half of one for the way. */
const SILENCE_HEARTBEATS = 2.5;
/** A lower limit for the interval that `welcome` gives: a short silence must not count as death. */
const HEARTBEAT_MS_MIN = 1_000;
/** After so much silence a page that somebody uses asks: the service speaks more rarely where nobody else looks. */
const WATCHED_SILENCE_MS = 20_000;
/** After so much silence a pointer move, or a message of the app, is a reason to ask. */
const USED_SILENCE_MS = 3_000;
/** A question unanswered for so long counts as lost, and the connection is replaced: within 3 s, with the quickest retry. */
const ANSWER_MS = 2_500;
/** After a question is unanswered for so long, `broadcast` returns false. */
const DOUBT_MS = 1_000;
/** The service answers one question a second. */
const ASK_MS_MIN = 1_000;
/** If a check runs so late, the page was asleep, and the answer may be waiting to be read. */
const LATE_MS = 2_000;

export class Pulse {
  readonly #silenceMs: Millis;
  /** Somebody uses this client, and must not be shown for long what is no longer true. */
  isWatched: boolean;
  #heardAt: Millis;
  /** When the unanswered question was sent. */
  #askedAt: Millis | undefined;
  /** When to ask; infinite: there is no reason. */
  #askAt: Millis = Number.POSITIVE_INFINITY;
  #mayAskAt: Millis;
  /** When the last question was sent that has brought no heartbeat yet. */
  #unechoedAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(heartbeatMs: Millis, now: Millis, isWatched = true) {
    this.isWatched = isWatched;
    this.#silenceMs = SILENCE_HEARTBEATS * Math.max(HEARTBEAT_MS_MIN, heartbeatMs);
    this.#heardAt = this.#mayAskAt = now;
  }

  /** Any byte is a sign of life, and an answer. */
  heard(now: Millis): void {
    this.#heardAt = now;
    this.#askedAt = undefined;
  }

  /**
   * Whether a heartbeat of the service answers a question of ours. Such an answer is not to be answered again: the service would take
   * that for the next question, and would have no answers left for real ones.
   */
  isAnswer(now: Millis): boolean {
    const isAnswer = now < this.#unechoedAt + ANSWER_MS;
    this.#unechoedAt = Number.NEGATIVE_INFINITY;
    return isAnswer;
  }

  /** There is a reason to think that the connection is dead: ask soon. */
  doubt(now: Millis): void {
    if (this.#askedAt === undefined) this.#askAt = Math.max(now, this.#mayAskAt);
  }

  /** The connection is used, or about to be. `true`: it was silent long enough for this to be a doubt. */
  used(now: Millis): boolean {
    const isSilent = now >= this.#heardAt + USED_SILENCE_MS;
    if (isSilent) this.doubt(now);
    return isSilent;
  }

  /** A message sent now may be lost. */
  isDoubtful(now: Millis): boolean {
    return this.#askedAt !== undefined && now >= this.#askedAt + DOUBT_MS;
  }

  /** When `check` will have an answer. */
  get deadline(): Millis {
    if (this.#askedAt !== undefined) return Math.min(this.#heardAt + this.#silenceMs, this.#askedAt + ANSWER_MS);
    return Math.min(this.#askAt, this.#heardAt + (this.isWatched ? Math.min(WATCHED_SILENCE_MS, this.#silenceMs) : this.#silenceMs));
  }

  /** `ask`: send the question now. The other two: give the connection up. */
  check(now: Millis): "ask" | "silent" | "unanswered" | undefined {
    if (now < this.deadline) return undefined;
    if (now >= this.#heardAt + this.#silenceMs) return "silent";
    if (this.#askedAt !== undefined && now < this.#askedAt + ANSWER_MS + LATE_MS) return "unanswered";
    this.#askedAt = now;
    this.#askAt = Number.POSITIVE_INFINITY;
    this.#mayAskAt = now + ASK_MS_MIN;
    this.#unechoedAt = now;
    return "ask";
  }
}
