/**
 * Asks the host who a client is and where it may go. `authenticate` and `authorize` are the host's code: they may throw, reject, answer
 * nonsense, or never. Here every question gets exactly one answer, in time; a failure is an answer too. The connection decides what
 * follows from it. No question is repeated here, unless a kick has made its answer doubtful.
 */

import type { IncomingMessage } from "node:http";
import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import { type Logger, rateLimited } from "../telemetry/log.ts";
import { type Authenticate, type Authorize, type Limits, type Person, personOf, type User, type Wish } from "./auth.ts";

/** If a database needs longer than this, the person who waits has given up. */
export const ANSWER_MS_MAX = 10_000;
const LOG_EVERY_MS = 10_000;

export type Known = {
  /** undefined: nobody in particular. */
  readonly person: Person | undefined;
  /** The user as the host gave it, for `authorize`. */
  readonly user: User;
  /** On the monotonic clock, so that setting the system's clock changes no right that was given; Infinity: as long as the connection. */
  readonly expiresAt: Millis;
};

/** `unusable`: no token of this user helps until the host is mended. `unavailable`: the next try may succeed. */
export type Who = Known | "nobody" | "unavailable" | { readonly unusable: string };
/** `silently`: the user may enter, and not broadcast. */
export type Permission = "granted" | "silently" | "refused" | "unavailable";

export type HostOptions = {
  readonly authenticate: Authenticate | undefined;
  readonly authorize: Authorize | undefined;
  readonly clock: Clock;
  readonly log: Logger;
  /** Whether a token of that user, issued then, counts no more (R24). */
  readonly isVoid: (userId: string, issuedAt: Millis | undefined) => boolean;
};

export class Host {
  readonly #options: HostOptions;
  readonly #error: ReturnType<typeof rateLimited>;
  readonly #warn: ReturnType<typeof rateLimited>;
  /** Counts kicks. */
  #round = 0;

  constructor(options: HostOptions) {
    const { log, clock } = options;
    this.#options = options;
    this.#error = rateLimited(log.error.bind(log), LOG_EVERY_MS, () => clock.now());
    this.#warn = rateLimited(log.warn.bind(log), LOG_EVERY_MS, () => clock.now());
  }

  /** False: every session is a person of its own. */
  get authenticates(): boolean {
    return this.#options.authenticate !== undefined;
  }

  /** False: every user may enter every board, and the host is not asked. */
  get authorizes(): boolean {
    return this.#options.authorize !== undefined;
  }

  /** Asks who the client is. To be called only if the host `authenticates`. */
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

  /** Asks whether that user may enter that board, or observe it. Without `authorize` every user may enter every board. */
  mayEnter(user: User, boardId: string, how: Wish, answered: (permission: Permission) => void): void {
    const { authorize } = this.#options;
    if (authorize === undefined) return answered("granted");
    this.#ask(
      () => authorize(user, boardId, how),
      (answer): Permission => {
        const limits = isLimits(answer) ? answer : undefined;
        if (limits === undefined && typeof answer !== "boolean" && answer !== undefined && answer !== null)
          this.#warn({ board: boardId }, "the host's authorize answered neither true nor false, nor limits; the answer counts as false");
        if (limits?.broadcast === false) return "silently";
        return answer === true || limits !== undefined ? "granted" : "refused";
      },
      (error): Permission => {
        this.#error({ err: error, board: boardId }, "the host's authorize failed; the client is told to ask again for this board");
        return "unavailable";
      },
      answered,
    );
  }

  /** A person or a session is kicked: an answer of the host that is under way may be outdated, so it is asked for again. */
  doubtAnswersUnderWay(): void {
    this.#round++;
  }

  #whoIs(user: User | undefined): Who {
    // Databases have many values for "no such user" (null, false, ""): none of them may let a client in.
    if (!user) return "nobody";
    const checked = personOf(user);
    if ("unusable" in checked) {
      this.#error({}, `${checked.unusable}; this user cannot connect until it is mended`);
      return checked;
    }
    const { person, remarks } = checked;
    for (const remark of remarks) this.#warn({ user: person?.userId }, remark);
    if (person !== undefined && this.#options.isVoid(person.userId, checked.issuedAt)) {
      this.#warn({}, "a token was refused: it was issued before its user was revoked, or does not say when");
      return "nobody";
    }
    const lifeMs = checked.expiresAt - this.#options.clock.wallNow();
    return lifeMs <= 0 ? "nobody" : { person, user, expiresAt: this.#options.clock.now() + lifeMs };
  }

  /** Uses an answer that is given directly at once. Waits for one that is promised, up to ANSWER_MS_MAX. */
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
      // Not every thenable keeps the rules of promises; a native promise around it does.
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

/** An object of another form is a mistake, such as a record of a database, and gives no right. */
function isLimits(answer: unknown): answer is Limits {
  if (typeof answer !== "object" || answer === null) return false;
  const entries = Object.entries(answer);
  return entries.length > 0 && entries.every(([name, value]) => name === "broadcast" && typeof value === "boolean");
}

/** Whether that is a promise, of any library or realm. */
function isPromise<T>(answer: T | PromiseLike<T>): answer is PromiseLike<T> {
  return typeof (answer as { readonly then?: unknown } | null | undefined)?.then === "function";
}
