/** How many connections each user has at this instance. It knows only users that the host has named: without a token everybody is a user of their own. */

export class Users {
  readonly #countMax: number;
  readonly #connections = new Map<string, number>();

  /** `countMax`: connections of one user. */
  constructor(countMax: number) {
    this.#countMax = countMax;
  }

  /** One more connection of that user. False: the user has as many as one may, and nothing is counted. */
  enter(userId: string): boolean {
    const count = this.#connections.get(userId) ?? 0;
    if (count >= this.#countMax) return false;
    this.#connections.set(userId, count + 1);
    return true;
  }

  /** A connection that `enter` has counted has ended. */
  leave(userId: string): void {
    const count = (this.#connections.get(userId) ?? 0) - 1;
    if (count > 0) this.#connections.set(userId, count);
    else this.#connections.delete(userId);
  }
}
