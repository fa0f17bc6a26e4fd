/**
 * One peer's slice of one board, as this instance believes it, and the doubt about it.
 * Pure: tell it what was heard and when; it answers which members' entries have changed. Rules R3 and R4 of docs/REPLICATION.md.
 */

import {
  applyMergePatch,
  isArea,
  isColor,
  isFitState,
  isObject,
  isTime,
  type Json,
  type JsonObject,
  type Member,
  type MemberId,
  type Millis,
  STATUSES,
} from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import { Entries } from "./entries.ts";
import type { Beacon, Delta, Ended, Op, Replay, Seq, SliceEntry, Snapshot, Step, Sync, Timed } from "./messages.ts";

type Del = Extract<Op, { op: "del" }>;

/** `del`: it removed the entry. `at`: when the member came or left, if that is known. */
export type Touch = Timed & { readonly del?: Del };

/** The outcome of a message. */
export type Applied = {
  /** Members whose entry appeared, changed or went. */
  readonly touched: ReadonlyMap<MemberId, Touch>;
  /** Attempts that are over for everybody (R11). */
  readonly ended: readonly (Ended & Timed)[];
  readonly counted?: "resync" | "replay" | "divergence" | undefined;
};

const NOTHING: Applied = { touched: new Map(), ended: [] };

export class Replica {
  #entries = new Entries<SliceEntry>();
  #seq: Seq = 0;
  /** The seq before the delta that was applied last. */
  #prev: Seq | undefined;
  /** The seq that the owner named last: if it is above the one held, changes were missed. */
  #named: Seq = 0;
  /** A message of the owner contradicts what is held: only a snapshot can help. */
  #diverged = false;
  /** Something may have been missed; any message of the owner that names its seq ends this. */
  #silent = false;
  #heardAt: Millis;
  #assembly: { readonly seq: Seq; readonly parts: Snapshot[] } | undefined;
  /** Whether the owner was asked since this doubt began. */
  isAsked = false;
  /** Asks in a row that came back and that the owner left unanswered (R4). */
  unanswered = 0;
  /** Such asks since the doubt began, whatever the owner said meanwhile. */
  askedInVain = 0;

  constructor(now: Millis) {
    this.#heardAt = now;
  }

  checkpoint(keep: Keep): void {
    this.#entries.checkpoint(keep);
    this.#seq = keep(this.#seq);
    this.#prev = keep(this.#prev);
    this.#named = keep(this.#named);
    this.#diverged = keep(this.#diverged);
    this.#silent = keep(this.#silent);
    this.#heardAt = keep(this.#heardAt);
    this.#assembly = keep(this.#assembly);
    this.isAsked = keep(this.isAsked);
    this.unanswered = keep(this.unanswered);
    this.askedInVain = keep(this.askedInVain);
  }

  get isInDoubt(): boolean {
    return this.#seq < this.#named || this.#diverged || this.#silent;
  }

  /** The seq to name in an ask: 0 where only a snapshot can help. */
  get seqToAsk(): Seq {
    return this.#diverged ? 0 : this.#seq;
  }

  get holdsNothing(): boolean {
    return this.#seq === 0;
  }

  /** When the owner last said on this board where its slice stands. */
  get heardAt(): Millis {
    return this.#heardAt;
  }

  get size(): number {
    return this.#entries.size;
  }

  members(): Iterable<MemberId> {
    return this.#entries.members();
  }

  get(memberId: MemberId): SliceEntry | undefined {
    return this.#entries.get(memberId);
  }

  memberAt(slot: number): MemberId | undefined {
    return this.#entries.at(slot)?.member.memberId;
  }

  /** Something may have been missed (R4). */
  doubt(): void {
    this.#silent = true;
  }

  /** Nothing of what is held is trusted any more: only a snapshot can help. */
  distrust(): void {
    this.#diverged = true;
    this.isAsked = false;
  }

  handle(heard: Delta | Replay | Snapshot | Beacon | Sync, now: Millis): Applied {
    const contradiction = this.word(now, heard.seq);
    if (contradiction !== undefined) return { ...NOTHING, counted: contradiction };
    // An owner that asks is able to answer now: if it did not answer before, it is asked again soon.
    if (heard.kind === "sync") this.isAsked = false;
    switch (heard.kind) {
      case "delta":
        return this.#applyInOrder(heard);
      case "replay":
        return this.#applyMissed(heard);
      case "snapshot":
        return this.#assemble(heard);
      case "beacon":
      case "sync":
        return this.#compare(heard);
    }
  }

  /**
   * Takes a message of the owner that says where its slice stands: at `seq`. An owner's messages arrive in order, and its numbers
   * only rise: if it names a seq below the one held, it has never reached that one, and only its snapshot can help (R4).
   */
  word(now: Millis, seq: Seq): "divergence" | undefined {
    this.#heardAt = now;
    this.#silent = false;
    this.unanswered = 0;
    this.#named = seq;
    if (!this.isInDoubt) this.askedInVain = 0;
    return seq < this.#seq ? this.#diverge() : undefined;
  }

  #applyInOrder(step: Delta): Applied {
    const { prev, seq, ops } = step;
    if (prev !== this.#seq) {
      // The delta is a repeat, or follows a gap. But if it leads to the seq held from another `prev`, the owner got there by other changes.
      return seq === this.#seq && prev !== this.#prev ? { ...NOTHING, counted: this.#diverge() } : NOTHING;
    }
    this.#prev = prev;
    this.#seq = seq;
    const touched = new Map<MemberId, Touch>();
    const ended: (Ended & Timed)[] = [];
    let diverged = false;
    for (const op of ops) if (!this.#apply(op, step, touched, ended)) diverged = true;
    return { touched, ended, counted: diverged ? this.#diverge() : undefined };
  }

  /** Takes the changes that follow what is held; those before it are for others who asked. */
  #applyMissed({ steps }: Replay): Applied {
    const touched = new Map<MemberId, Touch>();
    const ended: (Ended & Timed)[] = [];
    let counted: Applied["counted"];
    for (const step of steps) {
      const { prev, seq, ops } = step;
      if (prev !== this.#seq || this.#diverged) continue;
      this.#prev = prev;
      this.#seq = seq;
      counted ??= "replay";
      for (const op of ops) if (!this.#apply(op, step, touched, ended)) counted = this.#diverge() ?? counted;
    }
    return { touched, ended, counted };
  }

  /** False: the change does not fit the slice held, which is therefore not the owner's. */
  #apply(op: Op, { seq, at }: Step, touched: Map<MemberId, Touch>, ended: (Ended & Timed)[]): boolean {
    const timed = at === undefined ? {} : { at };
    switch (op.op) {
      case "set": {
        const { slot, attempt, member } = op;
        const holder = this.#entries.at(slot);
        if (holder !== undefined && holder.member.memberId !== member.memberId) {
          this.#entries.remove(holder);
          touched.set(holder.member.memberId, {});
        }
        this.#entries.put({ slot, attempt, seq, member });
        touched.set(member.memberId, timed);
        return true;
      }
      case "patch": {
        const entry = this.#entries.at(op.slot);
        const member = entry && patched(entry.member, op.patch);
        // A state may outgrow its limit patch by patch: then no client could be sent it.
        if (entry === undefined || member === undefined || !isFitState(member.state)) return false;
        this.#entries.put({ ...entry, seq, member });
        touched.set(entry.member.memberId, {});
        return true;
      }
      case "del": {
        const { memberId, attempt, reason } = op;
        const entry = this.#entries.get(memberId);
        // An owner can end only an attempt that its slice holds. If this `del` does not fit, the owner's snapshot says what really ended.
        if (entry?.attempt !== attempt) return false;
        this.#entries.remove(entry);
        if (reason !== "superseded") ended.push({ memberId, attempt, ...timed });
        touched.set(memberId, { del: op, ...timed });
        return true;
      }
    }
  }

  /** Collects the parts of a snapshot, which follow each other without a gap. A part that does not fit discards the collection. */
  #assemble(snapshot: Snapshot): Applied {
    const { seq, part, parts } = snapshot;
    if (part === 0) this.#assembly = { seq, parts: [] };
    const assembly = this.#assembly;
    if (assembly?.seq !== seq || assembly.parts.length !== part) {
      this.#assembly = undefined;
      return NOTHING;
    }
    assembly.parts.push(snapshot);
    if (part + 1 < parts) return NOTHING;
    this.#assembly = undefined;
    return this.#replace(seq, assembly.parts);
  }

  #replace(seq: Seq, parts: readonly Snapshot[]): Applied {
    const touched = new Map<MemberId, Touch>();
    const old = this.#entries;
    this.#entries = new Entries();
    const at = parts[0]?.at;
    let isOfJoin = false;
    for (const { entries } of parts) {
      for (const entry of entries) {
        const before = old.get(entry.member.memberId);
        // After a divergence no entry that was held is trusted.
        const isSame = before !== undefined && !this.#diverged && before.seq === entry.seq && before.attempt === entry.attempt;
        this.#entries.put(isSame ? { ...entry, member: before.member } : entry);
        // The last change has a time only if it was a join or a leave, and a join shows as the entry of that change.
        const isLast = at !== undefined && entry.seq === seq;
        if (isLast) isOfJoin = true;
        if (!isSame) touched.set(entry.member.memberId, isLast ? { at } : {});
      }
    }
    // A snapshot lists the attempts that its owner ended. So a member that is neither in it nor ended there was superseded (R11).
    for (const { member, attempt } of old) {
      const { memberId } = member;
      if (this.get(memberId) !== undefined) continue;
      touched.set(memberId, this.#diverged ? {} : { del: { op: "del", memberId, attempt, reason: "superseded" } });
    }
    this.#seq = seq;
    this.#diverged = false;
    // If a snapshot holds a member and an end of the same attempt, the member counts and the end does not.
    const ended = parts
      .flatMap(({ ended }) => ended)
      .filter(({ memberId, attempt }) => (this.get(memberId)?.attempt ?? Number.POSITIVE_INFINITY) > attempt)
      // Several members may have left since: the time of the last one is known, and counts for all.
      .map((end) => (at === undefined || isOfJoin ? end : { ...end, at }));
    return { touched, ended, counted: "resync" };
  }

  #compare({ seq, hash, count }: Beacon | Sync): Applied {
    const isOther = seq === this.#seq && (hash !== this.#entries.hash || count !== this.size);
    return isOther ? { ...NOTHING, counted: this.#diverge() } : NOTHING;
  }

  #diverge(): "divergence" | undefined {
    if (this.#diverged) return undefined;
    this.#diverged = true;
    return "divergence";
  }
}

/** Patches only the fields that a member may change; fields of later versions are ignored (R13). */
function patched({ area: oldArea, activeAt: oldActiveAt, ...member }: Member, { status, state, ...patch }: JsonObject): Member {
  const area = replaced(oldArea, patch["area"], isArea);
  const activeAt = replaced(oldActiveAt, patch["activeAt"], isTime);
  return {
    ...member,
    status: STATUSES.find((one) => one === status) ?? member.status,
    color: isColor(patch["color"]) ? patch["color"] : member.color,
    ...(area !== undefined && { area }),
    ...(activeAt !== undefined && { activeAt }),
    state: isObject(state) ? (applyMergePatch(member.state, state) as JsonObject) : member.state,
  };
}

/** null removes the field; a value that does not fit leaves it as it is. */
function replaced<T>(old: T | undefined, value: Json | undefined, isFit: (value: unknown) => value is T): T | undefined {
  return value === null ? undefined : isFit(value) ? value : old;
}
