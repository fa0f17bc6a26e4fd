/**
 * The members of all boards of the whole cluster, as far as webhooks are concerned, and the events that follow from each change. Every
 * instance keeps one and comes to the same events with the same ids, so that another one can send what a dead one has not. Pure.
 */

import { createHash } from "node:crypto";

/** A member of the slice of the instance that tells it. */
export type Came = {
  readonly board: string;
  readonly member: string;
  readonly attempt: number;
  readonly user: string;
  readonly name: string;
  readonly kind: string;
};

/** A member left that slice; `superseded`: its session has another entry elsewhere, or is about to. */
export type Left = { readonly board: string; readonly member: string; readonly attempt: number; readonly reason: string };

export type Change = Came | Left;

export type EventType = "board.first_in" | "board.last_out" | "member.joined" | "member.left";

export type HookEvent = {
  /** The same at every instance that finds this event, so that receivers can tell what they have had. */
  readonly id: string;
  readonly type: EventType;
  readonly board: string;
  readonly member: string;
  readonly user: string;
  readonly name: string;
  readonly kind: string;
  /** Of `member.left` and `board.last_out`. */
  readonly reason?: string;
};

/** A member whose entry was superseded is not gone before this time has passed without the next one. */
const SUCCESSOR_MS = 5000;
/** An instance that was wrongly judged down is back within minutes. */
const LOSSES_MAX = 20_000;

type Entry = Came & { readonly until?: number };

export class Ledger {
  /** By board and member: the entries of that member, by owner. */
  readonly #boards = new Map<string, Map<string, Map<string, Entry>>>();
  /** Members that wait for the next entry of their session, with when they are given up. */
  readonly #orphans = new Map<string, { readonly entry: Entry; readonly until: number }>();
  /** How often an attempt was lost with its instance: if that instance turns out to live, the attempt comes again, and that is another event. */
  readonly #losses = new Map<string, number>();

  get members(): number {
    let count = 0;
    for (const members of this.#boards.values()) count += members.size;
    return count;
  }

  /** The entries of that owner. */
  of(owner: string): Came[] {
    return [...this.#boards.values()].flatMap((members) => [...members.values()].flatMap((entries) => entries.get(owner) ?? []));
  }

  /** That entry of that owner is known. */
  has(owner: string, { board, member, attempt }: Came): boolean {
    return this.#boards.get(board)?.get(member)?.get(owner)?.attempt === attempt;
  }

  apply(owner: string, change: Change, now: number): HookEvent[] {
    return "reason" in change ? this.#left(owner, change, now) : this.#came(owner, change);
  }

  /** The whole slice of that owner, after something of it was missed. */
  replace(owner: string, entries: readonly Came[], now: number): HookEvent[] {
    const kept = new Set(entries.map(({ board, member }) => `${board}\0${member}`));
    const gone = this.of(owner).filter(({ board, member }) => !kept.has(`${board}\0${member}`));
    return [
      ...entries.flatMap((entry) => this.#came(owner, entry)),
      ...gone.flatMap(({ board, member, attempt }) => this.#left(owner, { board, member, attempt, reason: "left" }, now)),
    ];
  }

  /** That instance is dead: its people are gone where they are not elsewhere. */
  gone(owner: string, now: number): HookEvent[] {
    return this.of(owner).flatMap(({ board, member, attempt }) =>
      this.#left(owner, { board, member, attempt, reason: "instance_lost" }, now),
    );
  }

  tick(now: number): HookEvent[] {
    const events: HookEvent[] = [];
    for (const [key, { entry, until }] of this.#orphans) {
      if (now < until) continue;
      this.#orphans.delete(key);
      events.push(...this.#end(entry, "left"));
    }
    return events;
  }

  #came(owner: string, came: Came): HookEvent[] {
    const { board, member } = came;
    let members = this.#boards.get(board);
    if (members === undefined) {
      members = new Map();
      this.#boards.set(board, members);
    }
    this.#orphans.delete(`${board}\0${member}`);
    const isFirst = members.size === 0;
    const entries = members.get(member);
    if (entries !== undefined) {
      entries.set(owner, came);
      return [];
    }
    members.set(member, new Map([[owner, came]]));
    return [...(isFirst ? [this.#event("board.first_in", came)] : []), this.#event("member.joined", came)];
  }

  #left(owner: string, { board, member, attempt, reason }: Left, now: number): HookEvent[] {
    const entries = this.#boards.get(board)?.get(member);
    const entry = entries?.get(owner);
    if (entries === undefined || entry === undefined || entry.attempt > attempt) return [];
    entries.delete(owner);
    if (entries.size > 0) return [];
    if (reason !== "superseded") return this.#end(entry, reason);
    this.#orphans.set(`${board}\0${member}`, { entry, until: now + SUCCESSOR_MS });
    return [];
  }

  #end(entry: Entry, reason: string): HookEvent[] {
    const { board, member } = entry;
    const members = this.#boards.get(board);
    if (members === undefined || (members.get(member)?.size ?? 1) > 0) return [];
    members.delete(member);
    const events = [this.#event("member.left", entry, reason)];
    if (members.size === 0) {
      this.#boards.delete(board);
      events.push(this.#event("board.last_out", entry, reason));
    }
    if (reason === "instance_lost") this.#lost(entry);
    return events;
  }

  #lost(entry: Entry): void {
    const key = keyOf(entry);
    this.#losses.set(key, (this.#losses.get(key) ?? 0) + 1);
    const [oldest = ""] = this.#losses.keys();
    if (this.#losses.size > LOSSES_MAX) this.#losses.delete(oldest);
  }

  #event(type: EventType, entry: Came, reason?: string): HookEvent {
    const { board, member, user, name, kind } = entry;
    const key = [type, keyOf(entry), this.#losses.get(keyOf(entry)) ?? 0].join("\0");
    const id = createHash("sha256").update(key).digest("hex").slice(0, 24);
    return { id: `evt_${id}`, type, board, member, user, name, kind, ...(reason !== undefined && { reason }) };
  }
}

function keyOf({ board, member, attempt }: Came): string {
  return `${board}\0${member}\0${attempt}`;
}
