/** One person at each of several instances, all on one board, who go on changing: to measure when rosters are equal again after a fault. */

import assert from "node:assert/strict";
import { eventually } from "./eventually.ts";
import type { Instance } from "./instance.ts";
import type { Scope } from "./scope.ts";
import { SessionClient } from "./session-client.ts";

export class Team {
  readonly people: readonly SessionClient[];
  readonly board: string;
  #changes = 0;

  private constructor(people: readonly SessionClient[], board: string) {
    this.people = people;
    this.board = board;
  }

  static async start(scope: Scope, instances: readonly Instance[], board = "team"): Promise<Team> {
    const people = await Promise.all(instances.map(({ wsUrl }) => SessionClient.connect(scope, wsUrl)));
    const team = new Team(people, board);
    await Promise.all(people.map((person, nth) => person.join(board, nameOf(nth))));
    team.change();
    await team.equal("all see all", 5000);
    // Instances that have just met do not yet believe one another (R8.4).
    const areMet = async () => {
      const healths = await Promise.all(instances.map((instance) => instance.health()));
      return healths.every(({ peers }) => peers.filter(({ state }) => state === "up").length === instances.length - 1);
    };
    await eventually(areMet, { what: "all instances have met" });
    for (const { received } of people) received.length = 0;
    return team;
  }

  /** Each person changes its state: nobody is right about the others until the bus has worked since. */
  change(): void {
    this.#changes++;
    for (const person of this.people) person.update(this.board, { state: { changes: this.#changes } });
  }

  /** Resolves once every person sees the last change of every other, to the time that this took. */
  async equal(what: string, withinMs: number): Promise<number> {
    const startedAt = performance.now();
    const wrong = () => this.people.flatMap((person, nth) => this.#wrong(person, nth));
    await eventually(() => wrong().length === 0, { what: () => `${what}: ${wrong().join("; ")}`, withinMs });
    return performance.now() - startedAt;
  }

  /** Since the start no person was shown another leaving, or coming again, and no message made no sense. */
  calm(): void {
    for (const { received, violations } of this.people) {
      assert.deepEqual(
        received.filter(({ kind }) => kind === "user_left" || kind === "user_joined"),
        [],
      );
      assert.deepEqual(violations, []);
    }
  }

  #wrong(person: SessionClient, nth: number): string[] {
    return this.people.flatMap((_, other) => {
      if (other === nth) return [];
      const { status, state } = person.memberOf(this.board, nameOf(other)) ?? {};
      const isRight = status === "active" && state?.["changes"] === this.#changes;
      return isRight ? [] : [`${nameOf(nth)} sees ${nameOf(other)} ${status} at ${state?.["changes"]}, not at ${this.#changes}`];
    });
  }
}

function nameOf(nth: number): string {
  return `person ${nth}`;
}
