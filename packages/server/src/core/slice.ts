/**
 * The members of one board that this instance owns, and the messages that tell the others about them (R1, R2, R11).
 * Only the slice numbers its changes. announcer.ts decides when to publish what; roster.ts holds what is shown.
 */

import { applyMergePatch, type JsonObject, type Member, type MemberId, type Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { ChosenStatus, ConnectionId } from "./effects.ts";
import { Entries } from "./entries.ts";
import type { BoardMessage, DelReason, Ended, Op, Replay, Seq, SliceEntry, Standing, Step, Timed } from "./messages.ts";
import { NumberPool } from "./number-pool.ts";

export type OwnEntry = SliceEntry & {
  /** undefined: the connection is lost, and the member is in its grace. */
  readonly connection: ConnectionId | undefined;
  /** Nothing comes from its connection, so it is shown as reconnecting; and as this, once something comes again. */
  readonly quietAs?: ChosenStatus | undefined;
  /** When the member is given up; Infinity while it is connected. */
  readonly graceEndsAt: Millis;
  /** The host has given the colour, so it is never changed (R18). */
  readonly isColorGiven: boolean;
};

/** A change of one member, in the form that takes the least memory, as each member is on a board by one. `bytes`: about its size. */
type Logged = { readonly prev: Seq; readonly seq: Seq; readonly op: Op; readonly at: Millis | undefined; readonly bytes: number };

export class Slice {
  readonly #context: Context;
  readonly #slots: NumberPool;
  readonly #entries = new Entries<OwnEntry>();
  /** Attempts that this instance ended, for its snapshots; ends.ts deletes them when their time is over. */
  ended = new Map<MemberId, number>();
  #seq: Seq;
  /** When the last change was made, if a member came or left by it. */
  #at: Millis | undefined;
  /** The last changes, oldest first. */
  #log: Logged[] = [];
  #logBytes = 0;

  constructor(context: Context) {
    this.#context = context;
    // The board may have been open before, and others may hold where its slice stood then (R2.1).
    this.#seq = context.countChanges(0);
    this.#slots = new NumberPool(context.constants.numberRestMs);
  }

  checkpoint(keep: Keep): void {
    this.#slots.checkpoint(keep);
    this.#entries.checkpoint(keep);
    this.ended = keep(this.ended);
    this.#seq = keep(this.#seq);
    this.#at = keep(this.#at);
    this.#log = keep(this.#log);
    this.#logBytes = keep(this.#logBytes);
  }

  get size(): number {
    return this.#entries.size;
  }

  get seq(): Seq {
    return this.#seq;
  }

  get(memberId: MemberId): OwnEntry | undefined {
    return this.#entries.get(memberId);
  }

  entries(): Iterable<OwnEntry> {
    return this.#entries;
  }

  /** A member enters, or its session replaces its entry in place: the slot stays. */
  set(member: Member, attempt: number, by: Pick<OwnEntry, "connection" | "isColorGiven">, now: Millis): BoardMessage[] {
    const slot = this.#entries.get(member.memberId)?.slot ?? this.#slots.take(now);
    const wasEmpty = this.size === 0;
    const prev = this.#advance(this.#entries.get(member.memberId) === undefined);
    this.#entries.put({ slot, attempt, seq: this.#seq, member, ...by, graceEndsAt: Number.POSITIVE_INFINITY });
    // The first change of an empty slice is sent as the whole slice, so an instance that has just come needs no history (R2).
    const delta = this.#delta(prev, { op: "set", slot, attempt, member });
    return wasEmpty ? this.snapshot() : [delta];
  }

  /** `change` holds what happens to the connection, `patch` the part of it that others see. */
  patch(
    entry: OwnEntry,
    patch: JsonObject,
    change: Partial<Pick<OwnEntry, "connection" | "graceEndsAt" | "quietAs">> = {},
  ): BoardMessage[] {
    const prev = this.#advance(false);
    const member = applyMergePatch(entry.member as unknown as JsonObject, patch) as unknown as Member;
    this.#entries.put({ ...entry, seq: this.#seq, member, ...change });
    return [this.#delta(prev, { op: "patch", slot: entry.slot, patch })];
  }

  remove(entry: OwnEntry, reason: DelReason, now: Millis): BoardMessage[] {
    const { memberId } = entry.member;
    const prev = this.#advance(reason !== "superseded");
    this.#entries.remove(entry);
    this.#slots.free(entry.slot, now);
    if (reason !== "superseded") this.ended.set(memberId, entry.attempt);
    return [this.#delta(prev, { op: "del", memberId, attempt: entry.attempt, reason })];
  }

  standing(): Standing {
    return { seq: this.#seq, hash: this.#entries.hash, count: this.size };
  }

  /** The whole slice, in parts of one seq that follow each other without a gap. */
  snapshot(): BoardMessage[] {
    const perPart = this.#context.constants.snapshotMembersMax;
    const entries = [...this.#entries].map(({ slot, attempt, seq, member }) => ({ slot, attempt, seq, member }));
    const ended: Ended[] = Array.from(this.ended, ([memberId, attempt]) => ({ memberId, attempt }));
    const parts = Math.max(1, Math.ceil(Math.max(entries.length, ended.length) / perPart));
    return Array.from({ length: parts }, (_, part) => ({
      kind: "snapshot",
      seq: this.#seq,
      part,
      parts,
      entries: entries.slice(part * perPart, (part + 1) * perPart),
      ended: ended.slice(part * perPart, (part + 1) * perPart),
      ...timed(this.#at),
    }));
  }

  /** The changes after `since`, for a viewer that holds all before; undefined: only a snapshot can tell them, or costs less. */
  replay(since: Seq): Replay | undefined {
    const first = since === 0 ? -1 : this.#log.findLastIndex(({ prev }) => prev === since);
    if (first < 0 || this.#log.length - first > this.size) return undefined;
    const steps = this.#log.slice(first).map(({ prev, seq, op, at }): Step => ({ prev, seq, ops: [op], ...timed(at) }));
    return { kind: "replay", seq: this.#seq, steps };
  }

  /** False: it names a position where this slice has not been, or is no part of a snapshot of where it is. */
  mayHaveSaid(message: BoardMessage): boolean {
    if (!("seq" in message) || message.seq < this.#seq) return true;
    if (message.seq > this.#seq) return false;
    if (message.kind !== "snapshot") return true;
    const perPart = this.#context.constants.snapshotMembersMax;
    const count = Math.max(0, Math.min(perPart, this.size - message.part * perPart));
    return (
      message.entries.length === count &&
      message.entries.every(({ slot, attempt, seq, member }) => {
        const own = this.#entries.get(member.memberId);
        return own?.slot === slot && own.attempt === attempt && own.seq === seq;
      })
    );
  }

  /** `isTimed`: a member comes or leaves. */
  #advance(isTimed: boolean): Seq {
    const prev = this.#seq;
    this.#at = isTimed ? this.#context.at : undefined;
    this.#seq = this.#context.countChanges(1);
    return prev;
  }

  #delta(prev: Seq, op: Op): BoardMessage {
    const [seq, at, bytes] = [this.#seq, this.#at, bytesOf(op)];
    const { replayOpsMax, replayBytesMax } = this.#context.constants;
    this.#log.push({ prev, seq, op, at, bytes });
    this.#logBytes += bytes;
    while (this.#log.length > replayOpsMax || this.#logBytes > replayBytesMax) this.#logBytes -= this.#log.shift()?.bytes ?? 0;
    return { kind: "delta", prev, seq, ops: [op], ...timed(at) };
  }
}

function timed(at: Millis | undefined): Timed {
  return at === undefined ? {} : { at };
}

/** About: texts count by their length, all else by a usual size. */
function bytesOf(op: Op): number {
  if (op.op === "del") return 24;
  return 128 + JSON.stringify(op.op === "set" ? op.member.state : op.patch).length;
}
