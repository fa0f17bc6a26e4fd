/** S4: what an instance says about its slices is consistent. */

import type { BoardId, InstanceId, MemberId } from "@presence-service/protocol";
import { hashOf } from "../../core/entries.ts";
import type { BoardMessage, Op, Seq, SliceEntry, Snapshot, Standing } from "../../core/messages.ts";
import type { World } from "../world.ts";

/**
 * S4 (R1, R2). An instance's messages about its slices are consistent: one counter, each change follows the last one, and each message
 * that names a position agrees with the changes up to it. No instance claims to hold more of a slice than its owner has published.
 */
export function watchSlices(world: World): void {
  const slices = new Map<string, Told>();
  /** The highest seq ever published of each slice; kept when the board closes. */
  const highest = new Map<string, Seq>();
  /** The board to which each number was given. */
  const given = new Map<string, BoardId>();
  world.observe((instance, effect) => {
    if (effect.kind === "unsubscribe") slices.delete(keyOf(instance.instanceId, effect.boardId));
    if (effect.kind !== "publish" || effect.boardId === undefined) return;
    const { boardId } = effect;
    const message = effect.message as BoardMessage;
    const key = keyOf(instance.instanceId, boardId);
    const fail = (rule: string, sentence: string) =>
      world.fail(`${rule}: instance ${instance.index} on ${boardId} ${sentence}: ${JSON.stringify(message)}`);
    const told = slices.get(key) ?? new Told();
    slices.set(key, told);
    const before = told.seq;
    const contradiction = told.hear(message);
    if (contradiction !== undefined) fail("S4", contradiction);
    // An empty slice begins where the counter stands, which may be the number of a change on another board.
    const isEmptyBeginning = before === 0 && message.kind === "snapshot" && message.entries.length === 0;
    const isChange = message.kind === "delta" || (message.kind === "snapshot" && !isEmptyBeginning);
    if (!isChange && told.seq < (highest.get(key) ?? 0)) fail("R2", "goes back");
    if (isChange && told.seq > before) {
      const number = `${instance.index} ${told.seq}`;
      if (told.seq <= (highest.get(key) ?? 0) || (given.get(number) ?? boardId) !== boardId) fail("R2", "gives a number again");
      given.set(number, boardId);
    }
    highest.set(key, Math.max(told.seq, highest.get(key) ?? 0));
    for (const memberId of membersSetBy(message))
      if (!world.claims.hasJoinedAt(instance.index, boardId, memberId)) fail("R1", `speaks of ${memberId}, who never joined there`);
    if (message.kind !== "sync" || message.asks === "all") return;
    for (const { owner, seq } of message.asks)
      if (seq > (highest.get(keyOf(owner, boardId)) ?? 0)) fail("S4", `holds position ${seq} of ${owner}, who has not told that`);
  });
}

/** One slice as its owner has published it, without losses. */
class Told {
  seq: Seq = 0;
  readonly #entries = new Map<MemberId, SliceEntry>();
  /** Nothing was published yet: the first snapshot may have any size. */
  #isNew = true;
  #parts: Snapshot[] = [];

  /** Takes a message; returns its mistake, if there is one. */
  hear(message: BoardMessage): string | undefined {
    switch (message.kind) {
      case "delta":
        if (this.#isNew) return "starts with a change instead of a snapshot";
        if (message.prev !== this.seq || message.seq <= this.seq) return `does not go on from ${this.seq}`;
        if (this.#entries.size === 0) return "changes an empty slice without a snapshot";
        this.seq = message.seq;
        return message.ops.map((op) => this.#apply(op, message.seq)).find((wrong) => wrong !== undefined);
      case "replay":
        return message.seq === this.seq ? undefined : `is at ${this.seq}`;
      case "snapshot":
        if (message.part === 0) this.#parts = [];
        this.#parts.push(message);
        if (message.part !== this.#parts.length - 1) return "tells parts out of order";
        return this.#parts.length < message.parts ? undefined : this.#compare(message.seq);
      case "beacon":
      case "sync":
        // A member that came and went before the board was subscribed to was never published.
        if (this.#isNew && message.count === 0) this.seq = message.seq;
        return this.#compareStanding(message);
      case "cursors":
        return message.seq === this.seq ? undefined : `is at ${this.seq}`;
      case "event":
        return [...this.#entries.values()].some(({ slot }) => slot === message.slot) ? undefined : "speaks for an empty slot";
    }
  }

  #apply(op: Op, seq: Seq): string | undefined {
    if (op.op === "set") {
      for (const { slot, member } of this.#entries.values())
        if (slot === op.slot && member.memberId !== op.member.memberId) return `gives slot ${slot} to two members`;
      this.#entries.set(op.member.memberId, { slot: op.slot, attempt: op.attempt, seq, member: op.member });
      return undefined;
    }
    const entry = [...this.#entries.values()].find(({ slot, member }) =>
      op.op === "patch" ? slot === op.slot : member.memberId === op.memberId,
    );
    if (entry === undefined) return `has no member for ${op.op}`;
    // The content of patches is checked through the rosters, which are compared with the truth.
    if (op.op === "patch") this.#entries.set(entry.member.memberId, { ...entry, seq });
    else this.#entries.delete(op.memberId);
    return undefined;
  }

  #compare(seq: Seq): string | undefined {
    const entries = this.#parts.flatMap((part) => part.entries);
    if (seq < this.seq) return `goes back from ${this.seq}`;
    if (seq > this.seq && !this.#isNew && (this.#entries.size > 0 || entries.length !== 1)) return `skips what came after ${this.seq}`;
    if (seq === this.seq && !this.#isNew && namesOf(entries) !== namesOf(this.#entries.values())) return "contradicts what it told before";
    this.seq = seq;
    this.#isNew = false;
    this.#entries.clear();
    for (const entry of entries) this.#entries.set(entry.member.memberId, entry);
    return undefined;
  }

  #compareStanding({ seq, hash, count }: Standing): string | undefined {
    const entries = [...this.#entries.values()];
    const expected = entries.reduce((sum, entry) => sum ^ hashOf(entry), 0) >>> 0;
    return seq === this.seq && count === entries.length && hash === expected
      ? undefined
      : `stands at ${this.seq} with ${entries.length} members, hash ${expected}`;
  }
}

function keyOf(owner: InstanceId, boardId: BoardId): string {
  return `${owner} ${boardId}`;
}

function namesOf(entries: Iterable<SliceEntry>): string {
  return Array.from(entries, ({ slot, attempt, seq, member }) => `${slot} ${attempt} ${seq} ${member.memberId}`)
    .sort()
    .join();
}

function membersSetBy(message: BoardMessage): MemberId[] {
  if (message.kind === "snapshot") return message.entries.map(({ member }) => member.memberId);
  if (message.kind !== "delta") return [];
  return message.ops.flatMap((op) => (op.op === "set" ? [op.member.memberId] : []));
}
