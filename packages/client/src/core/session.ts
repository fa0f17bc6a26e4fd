/**
 * A client's life across reconnects and page reloads (C1, R11): the secret resumeToken, and the attempt that is higher in every
 * `join` than in any before. Pure: the caller stores it, before it sends the join.
 */

import { ATTEMPT_MAX, isResumeToken, type ResumeToken } from "@presence-service/protocol";

export class Session {
  readonly resumeToken: ResumeToken;
  #attempt: number;

  private constructor(resumeToken: ResumeToken, attempt: number) {
    this.resumeToken = resumeToken;
    this.#attempt = attempt;
  }

  /** From 16 random bytes of cryptographic quality: a client that guesses them could take the session over. */
  static fresh(secret: Uint8Array): Session {
    const digits = Array.from(secret, (byte) => byte.toString(16).padStart(2, "0")).join("");
    if (!isResumeToken(digits)) throw new TypeError(`a session takes 16 random bytes, not ${secret.length}`);
    return new Session(digits, 0);
  }

  /** Reads a stored session; `undefined` if the text is not one, or if it has no attempts left. */
  static parse(text: string | null): Session | undefined {
    const [token, attempt = ""] = (text ?? "").split(" ");
    const number = /^\d{1,10}$/.test(attempt) ? Number(attempt) : ATTEMPT_MAX;
    return isResumeToken(token) && number < ATTEMPT_MAX ? new Session(token, number) : undefined;
  }

  text(): string {
    return `${this.resumeToken} ${this.#attempt}`;
  }

  /** The number of one join. */
  nextAttempt(): number {
    this.#attempt = Math.min(this.#attempt + 1, ATTEMPT_MAX);
    return this.#attempt;
  }
}
