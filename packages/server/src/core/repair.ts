/**
 * How one board stays true over a bus that loses messages: when to ask whom for a slice (R4, R5), how to answer, when to say
 * where the own slice stands (R6), and when a subscription counts as lost (R9). Timers only; what is in the slices is not read here.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Context } from "./context.ts";
import type { BoardMessage, Held, Seq, Sync } from "./messages.ts";
import { Replica } from "./replica.ts";
import type { Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** What the board does for us. */
export type Host = {
  publish(message: BoardMessage, now: Millis): void;
  /** The positions of the own members, if there are any: they follow a slice to whoever asked for it. */
  publishPositions(now: Millis): void;
  /** The peer has no slice here. */
  drop(owner: InstanceId, now: Millis): void;
  /** An own message should have come back since then. True: the subscription was ordered anew. */
  late(since: Millis, now: Millis): boolean;
  /** What is asked here does not come back at present, so that no answer would. */
  isSilent(): boolean;
  /** The peer has said that it cannot speak here. */
  isMute(owner: InstanceId): boolean;
};

export class Repair {
  readonly #context: Context;
  readonly #slice: Slice;
  readonly #host: Host;
  readonly replicas = new Map<InstanceId, Replica>();

  #isSubscribed = false;
  /** Ask `all` then; its answers end all older doubt. */
  #askAllAt: Millis = NEVER;
  #askAllAgainAt: Millis = NEVER;
  /** When to ask those in doubt that were not asked yet, and when to ask the others again. */
  #askSoonAt: Millis = NEVER;
  #askAt: Millis = NEVER;
  #askBackoffMs: Millis = 0;
  /** When the last ask was, until one echoes. */
  #unechoedAskAt: Millis | undefined;
  /** Of peers that were silent at that time or later anything may have been missed, also where nothing is held of them. */
  #missedSince: Millis;
  /** Asks that echoed and named those; at their maximum those that have not answered have no slice here. */
  #missedAsks = 0;
  /** They were, since they were missed. */
  #isMissedAsked = false;
  /** Whose silence is judged then (R4). */
  #silenceAt: Millis = NEVER;

  #answeredAt: Millis = Number.NEGATIVE_INFINITY;
  #answerAt: Millis = NEVER;
  #answersInFull = false;
  /** Own places are said then, unless an answer says them before. */
  #positionsAt: Millis = NEVER;

  #beaconsAfterChange: Millis[] = [];
  #beaconUnechoedAt: Millis = NEVER;
  #beaconAt: Millis;
  /** Periodic beacons in a row that came while nobody else was subscribed. */
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

  /** Subscribers of the board at the last publish, this instance included. */
  get receivers(): number | undefined {
    return this.#receivers;
  }

  /** The own seq that has come back: whoever was subscribed then has heard of it. */
  get echoedSeq(): Seq {
    return this.#echoedSeq;
  }

  replica(owner: InstanceId, now: Millis): Replica {
    let replica = this.replicas.get(owner);
    if (replica === undefined) {
      replica = new Replica(now);
      this.replicas.set(owner, replica);
      this.#silenceAt = Math.min(this.#silenceAt, this.#silenceOf(owner, replica));
    }
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

  // What happened.

  subscribed(asks: boolean, now: Millis): void {
    this.#isSubscribed = true;
    this.#unechoedSince = NEVER;
    if (!asks) return;
    this.#askAllAt = now;
    this.#askAllAgainAt = now + this.#context.constants.syncAgainMs;
  }

  /** Anything may have been missed, by everybody: ask `all` once, `delayMs` from now. */
  recover(delayMs: Millis, now: Millis): void {
    this.#askAllAt = Math.min(this.#askAllAt, now + delayMs);
  }

  /** Something of this owner, of which we hold something, may have been missed. */
  doubt(owner: InstanceId, now: Millis, spreadMs: Millis): void {
    this.replicas.get(owner)?.doubt();
    this.checkDoubt(now, spreadMs);
  }

  /** Some peers were silent so long that there may be a slice of theirs here of which nothing is held. */
  missed(now: Millis, spreadMs: Millis): void {
    this.#missedAsks = 0;
    this.#isMissedAsked = false;
    this.#askSoon(now, spreadMs);
  }

  /** After everything that may have raised a doubt. */
  checkDoubt(now: Millis, spreadMs: Millis = 0): void {
    let isNew = false;
    for (const replica of this.replicas.values()) {
      if (!replica.isInDoubt) replica.isAsked = false;
      else if (!replica.isAsked) isNew = true;
    }
    if (isNew) this.#askSoon(now, spreadMs);
  }

  #askSoon(now: Millis, spreadMs: Millis): void {
    if (this.#askSoonAt !== NEVER) return;
    const { askMsMin, askMsMax } = this.#context.constants;
    this.#askSoonAt = now + this.#context.random.between(askMsMin, Math.max(askMsMax, spreadMs));
  }

  /** Somebody else's question; `sync` is its beacon too, which the replica has compared. */
  asked(sync: Sync, now: Millis): void {
    const isToAll = sync.asks === "all";
    const held = (isToAll ? sync.held : sync.asks).find(({ owner }) => owner === this.#context.instanceId);
    if (!isToAll && held === undefined) return;
    if (held?.seq !== this.#slice.seq) this.#answersInFull = true;
    this.#answerSoon(now);
  }

  /** Somebody came who has not heard where the own members point, and may not ask. */
  owePositions(now: Millis): void {
    this.#positionsAt = Math.min(this.#positionsAt, now + this.#context.constants.answerMs);
  }

  /** An own message came back on this board. */
  echoed(message: BoardMessage, now: Millis): void {
    this.#unechoedSince = NEVER;
    if ("seq" in message && message.seq > this.#slice.seq) {
      // Not ours: we have not been there. Whoever believes it learns from where we stand that it is not true (R4).
      this.#context.emit({ kind: "counted", what: "forged" });
      return this.#answerSoon(now);
    }
    if ("seq" in message && message.kind !== "cursors") this.#echoedSeq = Math.max(this.#echoedSeq, message.seq);
    if (this.#echoedSeq >= this.#slice.seq) this.#beaconUnechoedAt = NEVER;
    if (message.kind !== "sync" || message.asks === "all" || this.#unechoedAskAt === undefined) return;
    // Only an ask that was heard can be left unanswered.
    const at = this.#unechoedAskAt;
    this.#unechoedAskAt = undefined;
    let isMissed = false;
    for (const { owner } of message.asks) {
      const replica = this.replicas.get(owner);
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

  // What is due.

  #askAll(now: Millis): void {
    const isAgain = now < this.#askAllAt;
    if (isAgain) this.#askAllAgainAt = NEVER;
    else this.#askAllAt = NEVER;
    this.#host.publish({ kind: "sync", asks: "all", held: this.#held(), ...this.#slice.standing() }, now);
    this.#missedSince = now;
    // Who has something and does not answer is asked by name.
    if (!isAgain) for (const replica of this.replicas.values()) replica.doubt();
    this.checkDoubt(now);
  }

  /** What nobody needs to tell again; if it is too much to be said, the largest slices, since these cost most. */
  #held(): Held[] {
    const { heldOwnersMax } = this.#context.constants;
    const held = [...this.replicas].filter(([, { seqToAsk }]) => seqToAsk > 0);
    const named = held.length <= heldOwnersMax ? held : held.sort(([, a], [, b]) => b.size - a.size).slice(0, heldOwnersMax);
    return named.map(([owner, { seqToAsk }]) => ({ owner, seq: seqToAsk }));
  }

  #ask(now: Millis): void {
    const { bus, constants, random } = this.#context;
    const isAgain = now >= this.#askAt;
    this.#askSoonAt = NEVER;
    if (isAgain) this.#askAt = NEVER;
    // While nothing comes back no answer would; recovery asks all.
    const asks = bus.isEchoMissing || this.#host.isSilent() ? undefined : this.#whomToAsk(isAgain, now);
    if (asks?.length === 0) return;
    if (asks !== undefined) {
      this.#unechoedAskAt = now;
      this.#context.emit({ kind: "counted", what: "ask" });
      this.#host.publish({ kind: "sync", asks, ...this.#slice.standing() }, now);
    }
    // Who is asked for the first time joins those that are asked again, and does not hasten them.
    if (this.#askAt !== NEVER) return;
    if (!isAgain) this.#askBackoffMs = constants.askBackoffMsMin;
    this.#askAt = now + random.between(this.#askBackoffMs, 1.25 * this.#askBackoffMs);
    this.#askBackoffMs = Math.min(constants.askBackoffMsMax, this.#askBackoffMs * 2);
  }

  #whomToAsk(isAgain: boolean, now: Millis): Held[] {
    const { bus, constants } = this.#context;
    const inDoubt = [...this.replicas].flatMap(([owner, replica]) => {
      if (!replica.isInDoubt || (replica.isAsked && !isAgain)) return [];
      replica.isAsked = true;
      if (this.#isWaiting(owner, replica) || bus.livenessOf(owner) !== "live") return [{ owner, seq: replica.seqToAsk }];
      // It lives, it was asked, it says nothing: it is not on this board.
      this.#host.drop(owner, now);
      return [];
    });
    const missed = this.#isMissedAsked && !isAgain ? [] : this.#missedPeers();
    this.#isMissedAsked = true;
    if (missed.length <= constants.heldOwnersMax) return [...inDoubt, ...missed.map((owner) => ({ owner, seq: 0 }))];
    // Too many to be named.
    this.#askAllAt = now;
    return inDoubt;
  }

  /** Those that were silent, and have said nothing here since. */
  #missedPeers(): InstanceId[] {
    const { bus, constants } = this.#context;
    // A question to all is due anyway.
    if (this.#askAllAt !== NEVER || this.#missedAsks >= constants.unansweredAsksMaxUnknown) return [];
    return bus.missedSince(this.#missedSince).filter((owner) => !this.replicas.has(owner));
  }

  #isWaiting(owner: InstanceId, { holdsNothing, unanswered, askedInVain }: Replica): boolean {
    const { bus, constants } = this.#context;
    if (holdsNothing) return unanswered < constants.unansweredAsksMaxUnknown;
    if (bus.canAnswer(owner) && !this.#host.isMute(owner)) return unanswered < constants.unansweredAsksMax;
    // It cannot answer, and perhaps it lives and goes on telling its changes: as long as R9 shows whom it cannot hear.
    return askedInVain < constants.clearRemoteMs / constants.askBackoffMsMax;
  }

  #judgeSilence(now: Millis): void {
    this.#silenceAt = NEVER;
    for (const [owner, replica] of this.replicas) {
      if (now >= this.#silenceOf(owner, replica)) replica.doubt();
      else this.#silenceAt = Math.min(this.#silenceAt, this.#silenceOf(owner, replica));
    }
    // Who is in doubt is judged again once it has been heard, or dropped.
    if (this.replicas.size > 0) this.#silenceAt = Math.min(this.#silenceAt, now + this.#context.constants.beaconMsMin);
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
    // Alone on this board nobody needs to be reminded; but a subscription that was lost shows only when something does not come back.
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
    // Nothing comes back at all, or nothing was proved since: that is the bus, not this board.
    const isBusFine = !bus.isEchoMissing && bus.echoedAt > this.#unechoedSince;
    const isOrdered = isBusFine && this.#host.late(this.#unechoedSince, now);
    this.#unechoedSince = isOrdered ? NEVER : now;
    this.#isSubscribed = !isOrdered;
  }
}
