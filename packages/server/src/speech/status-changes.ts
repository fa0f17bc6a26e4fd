/**
 * The members of one board whose status has changed since the last were told, and nothing else of them. A crowd that is lost or comes back is told in one message, two to
 * four bytes for each member; a few members are told one by one, as all other changes are. It does not decide who is told.
 */

import { type Millis, type Status, U32_MAX } from "@presence-service/protocol";
import type { RosterChange } from "../core/effects.ts";

type Updated = Extract<RosterChange, { change: "updated" }>;

/** So many with the same status, told at once, are a crowd. A tick of a board of the usual size has fewer; where many are listed, many viewers are told, and two are enough. */
const CROWD_MIN = 8;
const CROWD_MIN_OF_LARGE = 2;
const LARGE = 100;

/** Members who have that status now. `activeAt`, and for each in their order `afterMs` milliseconds: when they were last active; absent: they have no such time. */
export type Crowd = {
  readonly status: Status;
  readonly actors: readonly number[];
  readonly activeAt?: Millis;
  readonly afterMs?: readonly Millis[];
};

export class StatusChanges {
  /** By actor, one for each. Most boards never have any. */
  #waiting: Map<number, Updated> | undefined;

  has(actor: number): boolean {
    return this.#waiting?.has(actor) === true;
  }

  /** False: more than the status has changed. */
  add(change: Updated): boolean {
    if (!("status" in change.patch) || Object.keys(change.patch).some((name) => name !== "status" && name !== "activeAt")) return false;
    this.#waiting ??= new Map();
    this.#waiting.set(change.actor, change);
    return true;
  }

  delete(actor: number): void {
    this.#waiting?.delete(actor);
  }

  /** All that wait, to be told now. `listed`: how many members viewers are told of. */
  take(listed: number): { readonly crowds: readonly Crowd[]; readonly alone: readonly Updated[] } {
    if (!this.#waiting?.size) return NOTHING;
    const groups = new Map<string, Updated[]>();
    for (const change of this.#waiting.values()) {
      const { status, activeAt } = change.member;
      const alike = `${status} ${activeAt !== undefined}`;
      const group = groups.get(alike);
      if (group === undefined) groups.set(alike, [change]);
      else group.push(change);
    }
    this.#waiting.clear();
    const least = listed < LARGE ? CROWD_MIN : CROWD_MIN_OF_LARGE;
    const crowds: Crowd[] = [];
    const alone: Updated[] = [];
    for (const group of groups.values()) {
      const crowd = group.length < least ? undefined : crowdOf(group);
      if (crowd) crowds.push(crowd);
      else alone.push(...group);
    }
    return { crowds, alone };
  }
}

const NOTHING = { crowds: [], alone: [] } as const;

/** undefined: their times are too far from each other. */
function crowdOf(group: readonly Updated[]): Crowd | undefined {
  const status = group[0]?.member.status ?? "active";
  const actors = group.map(({ actor }) => actor);
  const times = group.flatMap(({ member }) => member.activeAt ?? []);
  if (times.length === 0) return { status, actors };
  const activeAt = Math.min(...times);
  const afterMs = times.map((time) => time - activeAt);
  return Math.max(...afterMs) > U32_MAX ? undefined : { status, actors, activeAt, afterMs };
}
