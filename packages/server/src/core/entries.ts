/**
 * The entries of one slice, at its owner or as a viewer believes them: by member and by slot, with the hash by which both compare (R6).
 * It numbers nothing and judges nothing.
 */

import type { MemberId } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { SliceEntry } from "./messages.ts";

export class Entries<Entry extends SliceEntry> {
  #byMember = new Map<MemberId, Entry>();
  #bySlot = new Map<number, Entry>();
  #hash = 0;

  checkpoint(keep: Keep): void {
    this.#byMember = keep(this.#byMember);
    this.#bySlot = keep(this.#bySlot);
    this.#hash = keep(this.#hash);
  }

  get size(): number {
    return this.#byMember.size;
  }

  /** The XOR of all their hashes, u32. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  get(memberId: MemberId): Entry | undefined {
    return this.#byMember.get(memberId);
  }

  at(slot: number): Entry | undefined {
    return this.#bySlot.get(slot);
  }

  members(): Iterable<MemberId> {
    return this.#byMember.keys();
  }

  [Symbol.iterator](): Iterator<Entry> {
    return this.#byMember.values();
  }

  /** Replaces the member's entry, if there is one. */
  put(entry: Entry): void {
    const old = this.#byMember.get(entry.member.memberId);
    if (old !== undefined) this.#forget(old);
    this.#byMember.set(entry.member.memberId, entry);
    this.#bySlot.set(entry.slot, entry);
    this.#hash ^= hashOf(entry);
  }

  remove(entry: Entry): void {
    this.#byMember.delete(entry.member.memberId);
    this.#forget(entry);
  }

  #forget(entry: Entry): void {
    if (this.#bySlot.get(entry.slot) === entry) this.#bySlot.delete(entry.slot);
    this.#hash ^= hashOf(entry);
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
