/**
 * Keeps one board true over a bus that loses messages: when to ask which peers for their slices (R4, R5), how to answer, when to say
 * where the own slice stands (R6), and when a subscription counts as lost (R9). Timers only; it does not read what is in the slices.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { BoardMessage, Held, Seq, Sync } from "./messages.ts";
import { Replica } from "./replica.ts";
import type { Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** The part of a board that this file needs. */
export type Host = {
  publish(message: BoardMessage, now: Millis): void;
  /** Something of that peer is held from now on, or no more. */
  holds(owner: InstanceId, isHeld: boolean): void;
  /** Publishes the positions of the own members, if there are any: they follow every answer to a question. */
  publishPositions(now: Millis): void;
  /** The peer has no slice on this board. */
  drop(owner: InstanceId, now: Millis): void;
  /** An own message that left at `since` has not come back in time. True: the subscription was ordered anew. */
  late(since: Millis, now: Millis): boolean;
  /** Own questions on this board do not come back at present, so no answer would. */
  isSilent(): boolean;
  /** The peer has said that it cannot speak on this board. */
  isMute(owner: InstanceId): boolean;
};

export class Repair {
  readonly #context: Context;
  readonly #slice: Slice;
  readonly #host: Host;
  readonly #replicas = new Map<InstanceId, Replica>();

  #isSubscribed = false;
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

  #answeredAt: Millis = Number.NEGATIVE_INFINITY;
  #answerAt: Millis = NEVER;
  #answersInFull = false;
  /** When own positions are published, unless an answer publishes them before. */
  #positionsAt: Millis = NEVER;

  #beaconsAfterChange: Millis[] = [];
  #beaconUnechoedAt: Millis = NEVER;
  #beaconAt: Millis;
  /** Periodic beacons in a row that were due while no other instance was subscribed. */
  #idleBeacons = 0;
  #echoedSeq: Seq = 0;
  /** The oldest own message on this board since the last echo of any. */
  #unechoedSince: Millis = NEVER;
  #receivers: number | undefined;

  constructor(context: Context, slice: Slice, host: Host, now: Millis) {
    this.#context = context;
    this.#slice = slice;
    this.#host = host;
    this.#beaconAt = this.#nextBeacon(now);
    this.#missedSince = now;
  }

  get replicas(): ReadonlyMap<InstanceId, Replica> {
    return this.#replicas;
  }

  /** Subscribers of the board at the last publish, this instance included. */
  get receivers(): number | undefined {
    return this.#receivers;
  }

  /** The highest own seq that has come back: every instance that was subscribed then has heard of it. */
  get echoedSeq(): Seq {
    return this.#echoedSeq;
  }

  replica(owner: InstanceId, now: Millis): Replica {
    let replica = this.#replicas.get(owner);
    if (replica === undefined) {
      replica = new Replica(now);
      this.#replicas.set(owner, replica);
      this.#host.holds(owner, true);
      const { silentBeacons, beaconMsMin } = this.#context.constants;
      // Looked at no later, whatever period its owner announces at this moment.
      this.#silenceAt = Math.min(this.#silenceAt, now + silentBeacons * beaconMsMin);
    }
    return replica;
  }

  /** Nothing of that peer is held any more; answers what was. */
  release(owner: InstanceId): Replica | undefined {
    const replica = this.#replicas.get(owner);
    if (this.#replicas.delete(owner)) this.#host.holds(owner, false);
    return replica;
  }

  deadline(): Millis {
    return Math.min(
      this.#askAllAt,
      this.#askAllAgainAt,
      this.#askSoonAt,
      this.#askAt,
      this.#silenceAt,
      this.#answerAt,
      this.#positionsAt,
      this.#beaconsAfterChange[0] ?? NEVER,
      this.#beaconUnechoedAt,
      this.#beaconAt,
      this.#isSubscribed ? this.#unechoedSince + this.#context.constants.boardUnechoedMs : NEVER,
    );
  }

  tick(now: Millis): void {
    if (now >= this.#silenceAt) this.#judgeSilence(now);
    if (now >= this.#askAllAt || now >= this.#askAllAgainAt) this.#askAll(now);
    if (now >= this.#askSoonAt || now >= this.#askAt) this.#ask(now);
    if (now >= this.#answerAt) this.#answer(now);
    if (now >= this.#positionsAt) this.#sayPositions(now);
    this.#beaconIfDue(now);
    if (this.#isSubscribed && now >= this.#unechoedSince + this.#context.constants.boardUnechoedMs) this.#judgeSubscription(now);
  }

  // Events.

  subscribed(asks: boolean, now: Millis): void {
    this.#isSubscribed = true;
    this.#unechoedSince = NEVER;
    if (!asks) return;
    this.#askAllAt = now;
    this.#askAllAgainAt = now + this.#context.constants.syncAgainMs;
  }

  /** Anything may have been missed, here and by others: ask all peers once, `delayMs` from now. */
  recover(delayMs: Millis, now: Millis): void {
    this.#askAllAt = Math.min(this.#askAllAt, now + delayMs);
  }

  /** Something of this owner may have been missed; its replica here, if there is one, is in doubt. */
  doubt(owner: InstanceId, now: Millis, spreadMs: Millis): void {
    this.#replicas.get(owner)?.doubt();
    this.checkDoubt(now, spreadMs);
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

  #askSoon(now: Millis, spreadMs: Millis): void {
    const { askMsMin, askMsMax } = this.#context.constants;
    const withinMs = Math.max(askMsMax, spreadMs);
    // It is due in time, unless it was spread over more than this needs.
    if (this.#askSoonAt <= now + withinMs) return;
    this.#askSoonAt = now + this.#context.random.between(askMsMin, withinMs);
  }

  /** A peer has asked. Its `sync` is a beacon as well, which its replica has compared already. */
  asked(sync: Sync, now: Millis): void {
    const isToAll = sync.asks === "all";
    const held = (isToAll ? sync.held : sync.asks).find(({ owner }) => owner === this.#context.instanceId);
    if (!isToAll && held === undefined) return;
    if (held?.seq !== this.#slice.seq) this.#answersInFull = true;
    this.#answerSoon(now);
  }

  /** A peer has come that does not know where the own members point, and may not ask. */
  owePositions(now: Millis): void {
    this.#positionsAt = Math.min(this.#positionsAt, now + this.#context.constants.answerMs);
  }

  /** An own message came back on this board. False: somebody else has said it in our name. */
  echoed(message: BoardMessage, now: Millis): boolean {
    this.#unechoedSince = NEVER;
    if (!this.#slice.mayHaveSaid(message)) {
      // Forged: this instance cannot have said it. A peer that believed it learns from the own beacon that it is not true (R4).
      this.#context.emit({ kind: "counted", what: "forged" });
      this.#answerSoon(now);
      return false;
    }
    if ("seq" in message && message.kind !== "cursors") this.#echoedSeq = Math.max(this.#echoedSeq, message.seq);
    if (this.#echoedSeq >= this.#slice.seq) this.#beaconUnechoedAt = NEVER;
    if (message.kind === "sync" && message.asks !== "all") this.#askEchoed(message.asks);
    return true;
  }

  #askEchoed(asks: readonly Held[]): void {
    if (this.#unechoedAskAt === undefined) return;
    // Only an ask that came back can count as unanswered.
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

  published(receivers: number | undefined): void {
    this.#receivers = receivers;
  }

  /** An own message leaves on this board. */
  sent(now: Millis): void {
    this.#unechoedSince = Math.min(this.#unechoedSince, now);
  }

  /** The own slice has changed. */
  changed(now: Millis): void {
    this.#beaconsAfterChange = this.#context.constants.beaconAfterChangeMs.map((afterMs) => now + afterMs);
    this.#expectEcho(now);
  }

  // Due actions.

  #askAll(now: Millis): void {
    const isAgain = now < this.#askAllAt;
    if (isAgain) this.#askAllAgainAt = NEVER;
    else this.#askAllAt = NEVER;
    this.#host.publish({ kind: "sync", asks: "all", held: this.#held(), ...this.#slice.standing() }, now);
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

  #ask(now: Millis): void {
    const { bus, constants, random } = this.#context;
    const isAgain = now >= this.#askAt;
    this.#askSoonAt = NEVER;
    if (isAgain) this.#askAt = NEVER;
    // While own messages do not come back, answers would not either; recovery asks all peers then.
    const asks = bus.isEchoMissing || this.#host.isSilent() ? undefined : this.#whomToAsk(isAgain, now);
    if (asks?.length === 0) return;
    if (asks !== undefined) {
      this.#unechoedAskAt = now;
      this.#context.emit({ kind: "counted", what: "ask" });
      this.#host.publish({ kind: "sync", asks, ...this.#slice.standing() }, now);
    }
    // An owner that is asked for the first time is next asked again with the others, and does not hasten their turn.
    if (this.#askAt !== NEVER) return;
    if (!isAgain) this.#askBackoffMs = constants.askBackoffMsMin;
    this.#askAt = now + random.between(this.#askBackoffMs, 1.25 * this.#askBackoffMs);
    this.#askBackoffMs = Math.min(constants.askBackoffMsMax, this.#askBackoffMs * 2);
  }

  #whomToAsk(isAgain: boolean, now: Millis): Held[] {
    const { bus, constants } = this.#context;
    const inDoubt = [...this.#replicas].flatMap(([owner, replica]) => {
      if (!replica.isInDoubt || (replica.isAsked && !isAgain)) return [];
      replica.isAsked = true;
      if (this.#isWaiting(owner, replica) || bus.livenessOf(owner) !== "live") return [{ owner, seq: replica.seqToAsk }];
      // The owner lives, was asked and says nothing: it is not on this board.
      this.#host.drop(owner, now);
      return [];
    });
    const missed = this.#isMissedAsked && !isAgain ? [] : this.#missedPeers();
    this.#isMissedAsked = true;
    if (missed.length <= constants.heldOwnersMax) return [...inDoubt, ...missed.map((owner) => ({ owner, seq: 0 }))];
    // They are too many to be named: ask all.
    this.#askAllAt = now;
    return inDoubt;
  }

  /** Peers that were silent, and that have said nothing on this board since. */
  #missedPeers(): InstanceId[] {
    const { bus, constants } = this.#context;
    // A question to all is due anyway.
    if (this.#askAllAt !== NEVER || this.#missedAsks >= constants.unansweredAsksMaxUnknown) return [];
    return bus.missedSince(this.#missedSince).filter((owner) => !this.#replicas.has(owner));
  }

  #isWaiting(owner: InstanceId, { holdsNothing, unanswered, askedInVain }: Replica): boolean {
    const { bus, constants } = this.#context;
    if (holdsNothing) return unanswered < constants.unansweredAsksMaxUnknown;
    if (bus.canAnswer(owner) && !this.#host.isMute(owner)) return unanswered < constants.unansweredAsksMax;
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
    return replica.heardAt + this.#context.constants.silentBeacons * this.#context.bus.beaconMsOf(owner);
  }

  #answerSoon(now: Millis): void {
    this.#answerAt = Math.max(now, this.#answeredAt + this.#context.constants.answerMs);
    if (this.#answerAt <= now) this.#answer(now);
  }

  #answer(now: Millis): void {
    const inFull = this.#answersInFull;
    this.#answersInFull = false;
    this.#answerAt = NEVER;
    this.#answeredAt = now;
    if (inFull) for (const part of this.#slice.snapshot()) this.#host.publish(part, now);
    else this.#host.publish({ kind: "beacon", ...this.#slice.standing() }, now);
    this.#sayPositions(now);
  }

  #sayPositions(now: Millis): void {
    this.#positionsAt = NEVER;
    this.#host.publishPositions(now);
  }

  #beaconIfDue(now: Millis): void {
    const afterChange = (this.#beaconsAfterChange[0] ?? NEVER) <= now;
    const isPeriodic = now >= this.#beaconAt;
    if (!afterChange && !isPeriodic && now < this.#beaconUnechoedAt) return;
    this.#beaconsAfterChange = this.#beaconsAfterChange.filter((at) => at > now);
    if (isPeriodic) this.#beaconAt = this.#nextBeacon(now);
    // An instance that is alone on the board needs no beacons, but it notices a lost subscription only when a message does not come back.
    const isIdle = this.#receivers === 1 && !afterChange && now < this.#beaconUnechoedAt;
    this.#idleBeacons = isIdle ? this.#idleBeacons + 1 : 0;
    this.#beaconUnechoedAt = NEVER;
    this.#expectEcho(now);
    if (this.#idleBeacons % this.#context.constants.idleBeaconsPerBeacon === 0)
      this.#host.publish({ kind: "beacon", ...this.#slice.standing() }, now);
  }

  #expectEcho(now: Millis): void {
    if (this.#echoedSeq >= this.#slice.seq) return;
    const { beaconUnechoedMsMin, beaconUnechoedMsMax } = this.#context.constants;
    if (this.#beaconUnechoedAt === NEVER)
      this.#beaconUnechoedAt = now + this.#context.random.between(beaconUnechoedMsMin, beaconUnechoedMsMax);
  }

  #nextBeacon(now: Millis): Millis {
    const { beaconJitter } = this.#context.constants;
    return now + this.#context.bus.beaconMs * this.#context.random.between(1 - beaconJitter, 1 + beaconJitter);
  }

  #judgeSubscription(now: Millis): void {
    const { bus } = this.#context;
    // If own heartbeats do not come back either, or none has come back since, the bus is at fault and not this board's subscription.
    const isBusFine = !bus.isEchoMissing && bus.echoedAt > this.#unechoedSince;
    const isOrdered = isBusFine && this.#host.late(this.#unechoedSince, now);
    this.#unechoedSince = isOrdered ? NEVER : now;
    this.#isSubscribed = !isOrdered;
  }
}
