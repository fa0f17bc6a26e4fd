/**
 * The members of one board that this instance owns, and the messages that tell the others about them (R1, R2, R11).
 * Only the slice numbers its changes. announcer.ts decides when to publish what; roster.ts holds what is shown.
 */

import type { JsonObject, Member, MemberId, Millis } from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { ConnectionId } from "./effects.ts";
import { applyMergePatch } from "./merge-patch.ts";
import type { BoardMessage, DelReason, Ended, Op, Seq, SliceEntry, Standing } from "./messages.ts";
import { Numbers } from "./numbers.ts";

export type OwnEntry = SliceEntry & {
  /** undefined: the connection is lost, and the member is in its grace. */
  readonly connection: ConnectionId | undefined;
  /** When the member is given up; Infinity while it is connected. */
  readonly graceEndsAt: Millis;
};

export class Slice {
  readonly #context: Context;
  readonly #slots: Numbers;
  readonly #entries = new Map<MemberId, OwnEntry>();
  /** Attempts that this instance ended, for its snapshots; board.ts deletes them when their time is over. */
  readonly ended = new Map<MemberId, number>();
  #seq: Seq = 0;
  #hash = 0;

  constructor(context: Context) {
    this.#context = context;
    this.#slots = new Numbers(context.constants.numberRestMs);
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
    return this.#entries.values();
  }

  /** A member enters, or its session replaces its entry in place: the slot stays. */
  set(member: Member, attempt: number, connection: ConnectionId, now: Millis): BoardMessage[] {
    const slot = this.#entries.get(member.memberId)?.slot ?? this.#slots.take(now);
    const wasEmpty = this.size === 0;
    const prev = this.#advance();
    this.#put({ slot, attempt, seq: this.#seq, member, connection, graceEndsAt: Number.POSITIVE_INFINITY });
    // The first change of an empty slice is sent as the whole slice, so an instance that has just come needs no history (R2).
    return wasEmpty ? this.snapshot() : [this.#delta(prev, { op: "set", slot, attempt, member })];
  }

  /** `change` holds what happens to the connection, `patch` the part of it that others see. */
  patch(entry: OwnEntry, patch: JsonObject, change: Partial<Pick<OwnEntry, "connection" | "graceEndsAt">> = {}): BoardMessage[] {
    const prev = this.#advance();
    const member = applyMergePatch(entry.member as unknown as JsonObject, patch) as unknown as Member;
    this.#put({ ...entry, seq: this.#seq, member, ...change });
    return [this.#delta(prev, { op: "patch", slot: entry.slot, patch })];
  }

  remove(entry: OwnEntry, reason: DelReason, now: Millis): BoardMessage[] {
    const { memberId } = entry.member;
    const prev = this.#advance();
    this.#entries.delete(memberId);
    this.#hash ^= hashOf(entry);
    this.#slots.free(entry.slot, now);
    if (reason !== "superseded") this.ended.set(memberId, entry.attempt);
    return [this.#delta(prev, { op: "del", memberId, attempt: entry.attempt, reason })];
  }

  standing(): Standing {
    return { seq: this.#seq, hash: this.#hash >>> 0, count: this.size };
  }

  /** The whole slice, in parts of one seq that follow each other without a gap. */
  snapshot(): BoardMessage[] {
    const perPart = this.#context.constants.snapshotMembersMax;
    const entries = [...this.#entries.values()].map(({ slot, attempt, seq, member }) => ({ slot, attempt, seq, member }));
    const ended: Ended[] = Array.from(this.ended, ([memberId, attempt]) => ({ memberId, attempt }));
    const parts = Math.max(1, Math.ceil(Math.max(entries.length, ended.length) / perPart));
    return Array.from({ length: parts }, (_, part) => ({
      kind: "snapshot",
      seq: this.#seq,
      part,
      parts,
      entries: entries.slice(part * perPart, (part + 1) * perPart),
      ended: ended.slice(part * perPart, (part + 1) * perPart),
    }));
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

  #advance(): Seq {
    const prev = this.#seq;
    this.#seq = this.#context.nextSeq();
    return prev;
  }

  #put(entry: OwnEntry): void {
    const old = this.#entries.get(entry.member.memberId);
    if (old !== undefined) this.#hash ^= hashOf(old);
    this.#entries.set(entry.member.memberId, entry);
    this.#hash ^= hashOf(entry);
  }

  #delta(prev: Seq, op: Op): BoardMessage {
    return { kind: "delta", prev, seq: this.#seq, ops: [op] };
  }
}

/**
 * h of R6: FNV-1a over the member's id as 32 hex digits, its attempt (4 bytes) and the seq of its last change (8 bytes), finished by
 * murmur's mixer, since plain FNV values cancel out too easily under XOR. u32, the same in every version.
 */
export function hashOf({ member, attempt, seq }: Pick<SliceEntry, "member" | "attempt" | "seq">): number {
  let hash = 0x811c9dc5;
  const add = (byte: number) => {
    hash = Math.imul(hash ^ byte, 0x01000193);
  };
  const { memberId } = member;
  for (let index = 0; index < memberId.length; index++) add(memberId.charCodeAt(index));
  for (let shift = 24; shift >= 0; shift -= 8) add((attempt >>> shift) & 0xff);
  for (const word of [Math.floor(seq / 0x1_0000_0000), seq]) for (let shift = 24; shift >= 0; shift -= 8) add((word >>> shift) & 0xff);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
