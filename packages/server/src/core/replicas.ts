/**
 * The slices of others on one board: their replicas here, the doubt about them, and when to ask which owner (R4, R5). It reads nothing of
 * the members in them: replica.ts does. It says questions only; announcer.ts answers those of others.
 */

import type { BoardId, InstanceId, MemberId, Millis } from "@presence-service/protocol";
import { type Keep, keepEach } from "./checkpoint.ts";
import type { Context, Liveness } from "./context.ts";
import type { Held, SliceEntry, Sync } from "./messages.ts";
import type { SliceHeld } from "./reasons.ts";
import { Replica } from "./replica.ts";
import type { Silence } from "./silence.ts";

const NONE: readonly InstanceId[] = [];
const NEVER = Number.POSITIVE_INFINITY;

/** The part of a `sync` that asks; its sender adds where its own slice stands. */
export type Question = { readonly kind: "sync" } & (
  | Pick<Extract<Sync, { held: unknown }>, "asks" | "held">
  | { readonly asks: readonly Held[] }
);

export class Replicas {
  readonly #context: Context;
  readonly #boardId: BoardId;
  readonly #silence: Pick<Silence, "isDegraded">;
  readonly #say: (question: Question, now: Millis) => void;
  readonly #replicas = new Map<InstanceId, Replica>();
  /** Owners that cannot speak on this board, as their heartbeats say, and until when their people are shown (R9). */
  #mute = new Map<InstanceId, Millis>();

  /** Owners that have said that clients of theirs observe this board (R19). */
  #observed = new Set<InstanceId>();

  /** When to ask all peers; their answers end all older doubt. */
  #askAllAt: Millis = NEVER;
  #askAllAgainAt: Millis = NEVER;
  /** When to ask the owners in doubt that were not asked yet, and when to ask the others again. */
  #askSoonAt: Millis = NEVER;
  #askAt: Millis = NEVER;
  #askBackoffMs: Millis = 0;
  /** When the last ask to named owners left; undefined once one has come back. */
  #unechoedAskAt: Millis | undefined;
  /** Anything may have been missed of peers that were silent at this time or later, even of those with no replica here. */
  #missedSince: Millis;
  /** Asks to those peers that came back; after `unansweredAsksMaxUnknown` a peer that has not answered has no slice here. */
  #missedAsks = 0;
  /** Whether those peers were asked since they were missed. */
  #isMissedAsked = false;
  /** When the next replica has been silent for long enough to be in doubt (R4). */
  #silenceAt: Millis = NEVER;
  /** Of `viewers`. */
  #viewers: readonly InstanceId[] = NONE;

  constructor(
    context: Context,
    boardId: BoardId,
    silence: Pick<Silence, "isDegraded">,
    say: (question: Question, now: Millis) => void,
    now: Millis,
  ) {
    this.#context = context;
    this.#boardId = boardId;
    this.#silence = silence;
    this.#say = say;
    this.#missedSince = now;
  }

  checkpoint(keep: Keep): void {
    keepEach(keep, this.#replicas, () => new Replica(0));
    this.#mute = keep(this.#mute);
    this.#observed = keep(this.#observed);
    this.#askAllAt = keep(this.#askAllAt);
    this.#askAllAgainAt = keep(this.#askAllAgainAt);
    this.#askSoonAt = keep(this.#askSoonAt);
    this.#askAt = keep(this.#askAt);
    this.#askBackoffMs = keep(this.#askBackoffMs);
    this.#unechoedAskAt = keep(this.#unechoedAskAt);
    this.#missedSince = keep(this.#missedSince);
    this.#missedAsks = keep(this.#missedAsks);
    this.#isMissedAsked = keep(this.#isMissedAsked);
    this.#silenceAt = keep(this.#silenceAt);
    this.#viewers = keep(this.#viewers);
  }

  // The slices held.

  get(owner: InstanceId): Replica | undefined {
    return this.#replicas.get(owner);
  }

  /** The entries of that member in the slices of others. */
  *entriesOf(memberId: MemberId): Iterable<SliceEntry & { readonly owner: InstanceId }> {
    for (const [owner, replica] of this.#replicas) {
      const entry = replica.get(memberId);
      if (entry !== undefined) yield { owner, ...entry };
    }
  }

  /** Another instance has members here, or may have. */
  get mayHaveMembers(): boolean {
    for (const { size, isInDoubt } of this.#replicas.values()) if (size > 0 || isInDoubt) return true;
    return false;
  }

  /**
   * The instances that have members or observers here, or may have: each takes moves on a channel of its own (R25). undefined: that is not
   * so, or of so many listeners not all have spoken here. The same array for as long as it holds the same.
   */
  viewers(listeners: number): readonly InstanceId[] | undefined {
    if (listeners > this.#replicas.size) return undefined;
    let found = 0;
    let changed: InstanceId[] | undefined;
    for (const [owner, { size, isInDoubt }] of this.#replicas) {
      if (size === 0 && !isInDoubt && !this.#observed.has(owner)) continue;
      if (!this.#context.takesMoves(owner)) return undefined;
      if (changed === undefined && this.#viewers[found] !== owner) changed = this.#viewers.slice(0, found);
      changed?.push(owner);
      found++;
    }
    if (changed === undefined && found < this.#viewers.length) changed = this.#viewers.slice(0, found);
    if (changed !== undefined) this.#viewers = changed;
    return this.#viewers;
  }

  /** Clients of other instances observe the board, as far as is known. */
  get isObserved(): boolean {
    return this.#observed.size > 0;
  }

  /** The owner has said whether clients of its observe the board. */
  noteObserved(owner: InstanceId, isObserved: boolean): void {
    if (isObserved) this.#observed.add(owner);
    else this.#observed.delete(owner);
  }

  /** How the members in that owner's slice are shown on this board. */
  livenessOf(owner: InstanceId): Liveness {
    const liveness = this.#context.peers.livenessOf(owner);
    return liveness === "live" && this.#mute.has(owner) ? "fading" : liveness;
  }

  /** The replica of an owner that was heard, new if there was none. */
  of(owner: InstanceId, now: Millis): Replica {
    let replica = this.#replicas.get(owner);
    if (replica === undefined) {
      replica = new Replica(now);
      this.#replicas.set(owner, replica);
      this.#context.hold(owner, this.#boardId);
      const { silentBeacons, beaconMsMin } = this.#context.constants;
      // Looked at no later, whatever period its owner announces at this moment.
      this.#silenceAt = Math.min(this.#silenceAt, now + silentBeacons * beaconMsMin);
    }
    return replica;
  }

  /** Nothing of that owner is held any more. Returns the replica, if there was one. */
  drop(owner: InstanceId): Replica[] {
    const replica = this.#replicas.get(owner);
    this.#mute.delete(owner);
    this.#observed.delete(owner);
    if (replica === undefined) return [];
    this.#replicas.delete(owner);
    this.#context.letGo(owner, this.#boardId);
    return [replica];
  }

  dropAll(): Replica[] {
    return [...this.#replicas.keys()].flatMap((owner) => this.drop(owner));
  }

  /** The owner says that it cannot speak on this board. True: that is news. */
  mute(owner: InstanceId, now: Millis): boolean {
    if ((this.#replicas.get(owner)?.size ?? 0) === 0 || this.#mute.has(owner)) return false;
    this.#mute.set(owner, now + this.#context.constants.clearRemoteMs);
    return true;
  }

  /** The owner no longer says so, or was heard. True: that is news. */
  unmute(owner: InstanceId): boolean {
    return this.#mute.delete(owner);
  }

  // Time.

  deadline(): Millis {
    return Math.min(
      this.#askAllAt,
      this.#askAllAgainAt,
      this.#askSoonAt,
      this.#askAt,
      this.#silenceAt,
      this.#mute.size === 0 ? NEVER : Math.min(...this.#mute.values()),
    );
  }

  /** Asks what is to be asked. Returns the replicas that it let go: their owners have no slice here, or have been mute for too long. */
  tick(now: Millis): Replica[] {
    if (now >= this.#silenceAt) this.#judgeSilence(now);
    if (now >= this.#askAllAt || now >= this.#askAllAgainAt) this.#askAll(now);
    const absent = now >= this.#askSoonAt || now >= this.#askAt ? this.#ask(now) : [];
    return [...absent, ...[...this.#mute].flatMap(([owner, until]) => (now >= until ? this.drop(owner) : []))];
  }

  // Doubt.

  /** The subscription has begun: ask all peers, `delayMs` from now, and those that subscribed in between a moment later. */
  askAllTwice(delayMs: Millis, now: Millis): void {
    this.#askAllAt = now + delayMs;
    this.#askAllAgainAt = this.#askAllAt + this.#context.constants.syncAgainMs;
  }

  /** Anything may have been missed, here and by others: ask all peers once, `delayMs` from now. */
  askAll(delayMs: Millis, now: Millis): void {
    this.#askAllAt = Math.min(this.#askAllAt, now + delayMs);
  }

  /** Something of this owner may have been missed; its replica here, if there is one, is in doubt. */
  doubt(owner: InstanceId, now: Millis, spreadMs: Millis): void {
    this.#replicas.get(owner)?.doubt();
    this.checkDoubt(now, spreadMs);
  }

  /** The slice of this owner, if any is held, is to be replaced by its owner's snapshot. */
  distrust(owner: InstanceId, now: Millis): void {
    this.#replicas.get(owner)?.distrust();
    this.checkDoubt(now);
  }

  held(now: Millis): SliceHeld[] {
    return Array.from(this.#replicas, ([owner, { size, seqToAsk, heardAt, isInDoubt }]) => ({
      owner,
      members: size,
      seq: seqToAsk,
      standing: this.livenessOf(owner),
      wordMs: now - heardAt,
      isInDoubt,
    }));
  }

  /** Some peers were silent for so long that they may have slices on this board of which this instance holds nothing. */
  missed(now: Millis, spreadMs: Millis): void {
    this.#missedAsks = 0;
    this.#isMissedAsked = false;
    this.#askSoon(now, spreadMs);
  }

  /** To be called after everything that may have raised a doubt. */
  checkDoubt(now: Millis, spreadMs: Millis = 0): void {
    let isNew = false;
    for (const replica of this.#replicas.values()) {
      if (!replica.isInDoubt) replica.isAsked = false;
      else if (!replica.isAsked) isNew = true;
    }
    if (isNew) this.#askSoon(now, spreadMs);
  }

  /** An own question to these owners came back: only such a one can count as unanswered. */
  askEchoed(asks: readonly Held[]): void {
    if (this.#unechoedAskAt === undefined) return;
    const at = this.#unechoedAskAt;
    this.#unechoedAskAt = undefined;
    let isMissed = false;
    for (const { owner } of asks) {
      const replica = this.#replicas.get(owner);
      if (replica === undefined) isMissed = true;
      else if (replica.isInDoubt) {
        replica.unanswered++;
        replica.askedInVain++;
      }
    }
    if (isMissed && ++this.#missedAsks >= this.#context.constants.unansweredAsksMaxUnknown) this.#missedSince = at;
  }

  #askSoon(now: Millis, spreadMs: Millis): void {
    const { askMsMin, askMsMax } = this.#context.constants;
    const withinMs = Math.max(askMsMax, spreadMs);
    // It is due in time, unless it was spread over more than this needs.
    if (this.#askSoonAt <= now + withinMs) return;
    this.#askSoonAt = now + this.#context.random.between(askMsMin, withinMs);
  }

  #askAll(now: Millis): void {
    const isAgain = now < this.#askAllAt;
    if (isAgain) this.#askAllAgainAt = NEVER;
    else this.#askAllAt = NEVER;
    this.#say({ kind: "sync", asks: "all", held: this.#held() }, now);
    this.#missedSince = now;
    // A peer that has something and does not answer is asked by name.
    if (!isAgain) for (const replica of this.#replicas.values()) replica.doubt();
    this.checkDoubt(now);
  }

  /** The slices held here, which need no answer in full. If they are too many to be named, the largest ones, since those cost most. */
  #held(): Held[] {
    const { heldOwnersMax } = this.#context.constants;
    const held = [...this.#replicas].filter(([, { seqToAsk }]) => seqToAsk > 0);
    const named = held.length <= heldOwnersMax ? held : held.sort(([, a], [, b]) => b.size - a.size).slice(0, heldOwnersMax);
    return named.map(([owner, { seqToAsk }]) => ({ owner, seq: seqToAsk }));
  }

  /** Returns the replicas of owners that have no slice on this board. */
  #ask(now: Millis): Replica[] {
    const { bus, constants, random } = this.#context;
    const isAgain = now >= this.#askAt;
    this.#askSoonAt = NEVER;
    if (isAgain) this.#askAt = NEVER;
    // While own messages do not come back, answers would not either; recovery asks all peers then.
    const isHeard = !bus.isEchoMissing && !this.#silence.isDegraded;
    const absent = isHeard ? this.#dropAbsent(isAgain) : [];
    const asks = isHeard ? this.#whomToAsk(isAgain, now) : undefined;
    if (asks?.length === 0) return absent;
    if (asks !== undefined) {
      this.#unechoedAskAt = now;
      this.#context.emit({ kind: "counted", what: "ask" });
      this.#say({ kind: "sync", asks }, now);
    }
    // An owner that is asked for the first time is next asked again with the others, and does not hasten their turn.
    if (this.#askAt !== NEVER) return absent;
    if (!isAgain) this.#askBackoffMs = constants.askBackoffMsMin;
    this.#askAt = now + random.between(this.#askBackoffMs, 1.25 * this.#askBackoffMs);
    this.#askBackoffMs = Math.min(constants.askBackoffMsMax, this.#askBackoffMs * 2);
    return absent;
  }

  /** Owners that live, were asked and say nothing are not on this board. */
  #dropAbsent(isAgain: boolean): Replica[] {
    return [...this.#replicas].flatMap(([owner, replica]) => {
      if (!isToAsk(replica, isAgain) || this.#isWaiting(owner, replica) || this.#context.peers.livenessOf(owner) !== "live") return [];
      return this.drop(owner);
    });
  }

  #whomToAsk(isAgain: boolean, now: Millis): Held[] {
    const asks: Held[] = [];
    for (const [owner, replica] of this.#replicas) {
      if (!isToAsk(replica, isAgain)) continue;
      replica.isAsked = true;
      asks.push({ owner, seq: replica.seqToAsk });
    }
    const missed = this.#isMissedAsked && !isAgain ? [] : this.#missedPeers();
    this.#isMissedAsked = true;
    if (missed.length <= this.#context.constants.heldOwnersMax) return [...asks, ...missed.map((owner) => ({ owner, seq: 0 }))];
    // They are too many to be named: ask all.
    this.#askAllAt = now;
    return asks;
  }

  /** Peers that were silent, and that have said nothing on this board since. */
  #missedPeers(): InstanceId[] {
    const { peers, constants } = this.#context;
    // A question to all is due anyway.
    if (this.#askAllAt !== NEVER || this.#missedAsks >= constants.unansweredAsksMaxUnknown) return [];
    return peers.missedSince(this.#missedSince).filter((owner) => !this.#replicas.has(owner));
  }

  #isWaiting(owner: InstanceId, { holdsNothing, unanswered, askedInVain }: Replica): boolean {
    const { bus, constants } = this.#context;
    if (holdsNothing) return unanswered < constants.unansweredAsksMaxUnknown;
    if (bus.canAnswer(owner) && !this.#mute.has(owner)) return unanswered < constants.unansweredAsksMax;
    // The owner cannot answer, but it may live and go on publishing its changes: wait as long as R9 shows members that are not heard.
    return askedInVain < constants.clearRemoteMs / constants.askBackoffMsMax;
  }

  #judgeSilence(now: Millis): void {
    this.#silenceAt = NEVER;
    for (const [owner, replica] of this.#replicas) {
      if (now >= this.#silenceOf(owner, replica)) replica.doubt();
      else this.#silenceAt = Math.min(this.#silenceAt, this.#silenceOf(owner, replica));
    }
    // A slice in doubt is judged again once its owner has been heard, or it is dropped.
    if (this.#replicas.size > 0) this.#silenceAt = Math.min(this.#silenceAt, now + this.#context.constants.beaconMsMin);
    this.checkDoubt(now);
  }

  #silenceOf(owner: InstanceId, replica: Replica): Millis {
    return replica.heardAt + this.#context.constants.silentBeacons * this.#context.peers.beaconMsOf(owner);
  }
}

function isToAsk({ isInDoubt, isAsked }: Replica, isAgain: boolean): boolean {
  return isInDoubt && (isAgain || !isAsked);
}
