/**
 * Asking the host who somebody is and where they may go. `authenticate` and `authorize` are somebody else's code: they may throw, reject,
 * answer nonsense, or never. Here every question gets exactly one answer, in time, and a failure is an answer too. What follows from it
 * is the connection's business; nothing is asked twice of its own accord, unless a kick has made the answer doubtful.
 */

import type { IncomingMessage } from "node:http";
import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import { type Authenticate, type Authorize, type Person, personOf, type User } from "./auth.ts";

/** A database that needs longer than this will not be any use to somebody who waits. */
export const ANSWER_MS_MAX = 10_000;
const LOG_EVERY_MS = 10_000;

export type Known = {
  readonly person: Person;
  /** As the host gave it, for `authorize`. */
  readonly user: User;
  /** On our clock, so that a step of the system's changes no right that was given; Infinity: with the connection. */
  readonly expiresAt: Millis;
};

/** `unusable`: no token of theirs would do, until the host is mended. `unavailable`: perhaps the next time. */
export type Who = Known | "nobody" | "unavailable" | { readonly unusable: string };
export type Permission = "granted" | "refused" | "unavailable";

export type HostOptions = {
  readonly authenticate: Authenticate | undefined;
  readonly authorize: Authorize | undefined;
  readonly clock: Clock;
  readonly log: Logger;
};

export class Host {
  readonly #options: HostOptions;
  readonly #error: ReturnType<typeof rateLimited>;
  readonly #warn: ReturnType<typeof rateLimited>;
  /** Raised by every kick. */
  #round = 0;

  constructor(options: HostOptions) {
    const { log, clock } = options;
    this.#options = options;
    this.#error = rateLimited(log.error.bind(log), LOG_EVERY_MS, () => clock.now());
    this.#warn = rateLimited(log.warn.bind(log), LOG_EVERY_MS, () => clock.now());
  }

  /** False: everybody is somebody new. */
  get authenticates(): boolean {
    return this.#options.authenticate !== undefined;
  }

  /** False: everybody may go everywhere, and nobody is asked. */
  get authorizes(): boolean {
    return this.#options.authorize !== undefined;
  }

  /** Only where it authenticates. */
  who(token: string | undefined, request: IncomingMessage, answered: (who: Who) => void): void {
    const { authenticate } = this.#options;
    this.#ask(
      () => authenticate?.(token, request),
      (user) => this.#whoIs(user),
      (error): Who => {
        this.#error({ err: error }, "the host's authenticate failed; the client is told to come back later");
        return "unavailable";
      },
      answered,
    );
  }

  /** Without `authorize` everybody may go everywhere. */
  mayEnter(user: User, boardId: string, answered: (permission: Permission) => void): void {
    const { authorize } = this.#options;
    if (authorize === undefined) return answered("granted");
    this.#ask(
      () => authorize(user, boardId),
      (isAllowed: unknown) => {
        if (typeof isAllowed !== "boolean" && isAllowed !== undefined && isAllowed !== null)
          this.#warn({ board: boardId }, "the host's authorize answered neither true nor false; it counts as false");
        return isAllowed === true ? "granted" : "refused";
      },
      (error): Permission => {
        this.#error({ err: error, board: boardId }, "the host's authorize failed; the client is told to ask again for this board");
        return "unavailable";
      },
      answered,
    );
  }

  /** Somebody is kicked: an answer that was given before that may say the opposite of what holds now. */
  doubtAnswersUnderWay(): void {
    this.#round++;
  }

  #whoIs(user: User | undefined): Who {
    // Databases say "nobody" in many ways; none of them may open the door.
    if (!user) return "nobody";
    const checked = personOf(user);
    if ("unusable" in checked) {
      this.#error({}, `${checked.unusable}; nobody can be connected as this user`);
      return checked;
    }
    const { person, remarks } = checked;
    for (const remark of remarks) this.#warn({ user: person.userId }, remark);
    const lifeMs = checked.expiresAt - this.#options.clock.wallNow();
    return lifeMs <= 0 ? "nobody" : { person, user, expiresAt: this.#options.clock.now() + lifeMs };
  }

  /** An answer at hand is used at once; one that is promised is waited for, up to ANSWER_MS_MAX. */
  #ask<T, A>(
    question: () => T | PromiseLike<T>,
    read: (answer: T) => A,
    failed: (error: unknown) => A,
    answered: (answer: A) => void,
  ): void {
    let isOpen = true;
    let stopWaiting = () => {};
    const settle = (answer: () => A) => {
      if (!isOpen) return;
      isOpen = false;
      stopWaiting();
      let value: A;
      try {
        value = answer();
      } catch (error) {
        value = failed(error);
      }
      answered(value);
    };
    const ask = () => {
      const round = this.#round;
      let answer: T | PromiseLike<T>;
      let isPromised: boolean;
      try {
        answer = question();
        isPromised = isPromise(answer);
      } catch (error) {
        return settle(() => failed(error));
      }
      if (!isPromised) return settle(() => read(answer as T));
      // Not every thenable keeps the rules of promises; ours does.
      Promise.resolve(answer).then(
        (value) => (round === this.#round ? settle(() => read(value)) : isOpen && ask()),
        (error: unknown) => settle(() => failed(error)),
      );
    };
    ask();
    if (isOpen) {
      const late = new Error(`no answer within ${ANSWER_MS_MAX / 1000} s`);
      stopWaiting = this.#options.clock.after(ANSWER_MS_MAX, () => settle(() => failed(late)));
    }
  }
}

/** Of whatever library or realm. */
function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === "function";
}
