/** Questions for pages of members that wait for their answers: the service answers in order. It neither sends nor reads a message. */

import type { MemberPage } from "./types.ts";

type Waiting = { readonly answer: (page: MemberPage<object>) => void; readonly fail: (error: Error) => void };

export class Pages {
  readonly #waiting: Waiting[] = [];

  /** `isSent` false: there is no service to answer. */
  ask(isSent: boolean): Promise<MemberPage<object>> {
    return new Promise((answer, fail) => {
      if (isSent) this.#waiting.push({ answer, fail });
      else fail(new Error("the board is not connected; ask for a page once it is"));
    });
  }

  answer(page: MemberPage<object>): void {
    this.#waiting.shift()?.answer(page);
  }

  /** No answer will come any more. */
  fail(): void {
    for (const { fail } of this.#waiting.splice(0))
      fail(new Error("the connection was lost before the page came; ask again once the board is connected"));
  }
}
