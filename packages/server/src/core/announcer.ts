/**
 * The voice of this instance on one board, and whether it is heard there: the changes of its slice, beacons (R6), answers (R5), the places
 * of its members, and the order to subscribe anew when nothing comes back (R9). Nothing else publishes on the board. It knows nothing of
 * others' slices: replicas.ts does.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import type { BoardMessage, Cursors, Moves, MovesTo, Observed, Op, Seq, Standing, Sync } from "./messages.ts";
import type { Roster } from "./roster.ts";
import type { Silence } from "./silence.ts";
import type { Slice } from "./slice.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** The parts of a board about which its announcer speaks. */
export type Subject = {
  readonly slice: Slice;
  readonly cursors: Roster["cursors"];
  readonly silence: Silence;
  /** Another instance has members or observers here, or may have: otherwise nobody is told of places. */
  hasViewers(): boolean;
  /** These instances, if so many listeners are known, and each takes moves on a channel of its own (R25). */
  viewers(listeners: number): readonly InstanceId[] | undefined;
  /** Own clients observe the board. */
  isObserved(): boolean;
};

export class Announcer {
  readonly #context: Context;
  readonly #boardId: BoardId;
  readonly #subject: Subject;

  /** Whether this instance may publish here: only once subscribed, so that every reply to a PUBLISH counts it and every message echoes. */
  #isAnnounced = false;
  /** When nobody can ask about the last own change any more. */
  #lingersUntil: Millis;

  #answeredAt: Millis = Number.NEGATIVE_INFINITY;
  #answerAt: Millis = NEVER;
  /** The lowest seq held by those to be answered; 0: one of them needs the whole slice. NEVER: all hold it. */
  #answersFrom: Seq = NEVER;
  /** When own positions are published, unless an answer publishes them before. */
  #positionsAt: Millis = NEVER;
  /** When the positions of cursors that have stopped are published once more. */
  #repeatAt: Millis = NEVER;

  #beaconsAfterChange: Millis[] = [];
  #beaconUnechoedAt: Millis = NEVER;
  #beaconAt: Millis;

  #echoedSeq: Seq;
  /** The oldest own message on this board since the last echo of any. */
  #unechoedSince: Millis = NEVER;
  /** False while a subscription that was ordered anew is not confirmed. */
  #isSubscribed = false;
  #receivers: number | undefined;
  /** A publish was answered, so if the subscribers are not known now, they are not counted on this bus. */
  #isAnswered = false;
  /** Where the moves go that were taken last. */
  movesTo: MovesTo = "board";
  /** When moves last went over the board's channel to be counted, and to come back. */
  #movedHereAt: Millis = Number.NEGATIVE_INFINITY;

  constructor(context: Context, boardId: BoardId, subject: Subject, now: Millis) {
    this.#context = context;
    this.#boardId = boardId;
    this.#subject = subject;
    this.#lingersUntil = now + context.constants.lingerMs;
    this.#echoedSeq = subject.slice.seq;
    this.#beaconAt = this.#nextBeacon(now);
  }

  checkpoint(keep: Keep): void {
    this.#isAnnounced = keep(this.#isAnnounced);
    this.#lingersUntil = keep(this.#lingersUntil);
    this.#answeredAt = keep(this.#answeredAt);
    this.#answerAt = keep(this.#answerAt);
    this.#answersFrom = keep(this.#answersFrom);
    this.#positionsAt = keep(this.#positionsAt);
    this.#repeatAt = keep(this.#repeatAt);
    this.#beaconsAfterChange = keep(this.#beaconsAfterChange);
    this.#beaconUnechoedAt = keep(this.#beaconUnechoedAt);
    this.#beaconAt = keep(this.#beaconAt);
    this.#echoedSeq = keep(this.#echoedSeq);
    this.#unechoedSince = keep(this.#unechoedSince);
    this.#isSubscribed = keep(this.#isSubscribed);
    this.#receivers = keep(this.#receivers);
    this.#isAnswered = keep(this.#isAnswered);
    this.movesTo = keep(this.movesTo);
    this.#movedHereAt = keep(this.#movedHereAt);
  }

  /** The other instances that were subscribed at the last publish, as Redis counted them; Infinity: unknown. */
  get listeners(): number {
    return (this.#receivers ?? NEVER) - 1;
  }

  get isAnnounced(): boolean {
    return this.#isAnnounced;
  }

  /** The highest own seq that has come back: every instance that was subscribed then has heard of it. */
  get echoedSeq(): Seq {
    return this.#echoedSeq;
  }

  /** When this board may be given up, if it has no local member then: nobody asks about the last change any more (R11). */
  get lingersUntil(): Millis {
    return this.#lingersUntil;
  }

  deadline(): Millis {
    return Math.min(
      this.#answerAt,
      this.#positionsAt,
      this.#repeatAt,
      this.#beaconsAfterChange[0] ?? NEVER,
      this.#beaconUnechoedAt,
      this.#beaconAt,
      this.#lateAt(),
      this.#subject.silence.probeAt,
    );
  }

  tick(now: Millis): void {
    if (now >= this.#answerAt) this.#answer(now);
    if (now >= this.#positionsAt) this.#sayPositions(now);
    this.#beaconIfDue(now);
    if (now >= this.#lateAt()) this.#judgeSubscription(now);
    if (this.#subject.silence.takeProbe(now)) this.#sayBeacon(now);
    if (now >= this.#repeatAt) this.#repeatPositions(now);
  }

  // Messages that leave.

  say(message: BoardMessage, now: Millis): void {
    if (!this.#isAnnounced) return;
    this.#sent(now);
    this.#context.emit({ kind: "publish", boardId: this.#boardId, message });
  }

  /** The own slice has changed; `messages` tell the other instances. */
  changed(messages: readonly BoardMessage[], now: Millis): void {
    const { lingerUnechoedMs, beaconAfterChangeMs } = this.#context.constants;
    this.#lingersUntil = now + lingerUnechoedMs;
    this.#beaconsAfterChange = beaconAfterChangeMs.map((afterMs) => now + afterMs);
    this.#expectEcho(now);
    for (const message of messages) {
      this.#tellOwn(message);
      this.say(message, now);
    }
  }

  #tellOwn(message: BoardMessage): void {
    const own = (change: Op) => {
      if (change.op !== "patch") this.#context.emit({ kind: "own", boardId: this.#boardId, change });
    };
    if (message.kind === "delta") for (const op of message.ops) own(op);
    if (message.kind === "snapshot") for (const { slot, attempt, member } of message.entries) own({ op: "set", slot, attempt, member });
  }

  /** Own clients observe the board from now on, or none does any more: said at once, and again as after a change. */
  observed(now: Millis): void {
    const { lingerMs, beaconAfterChangeMs } = this.#context.constants;
    this.#lingersUntil = Math.max(this.#lingersUntil, now + lingerMs);
    this.#beaconsAfterChange = beaconAfterChangeMs.map((afterMs) => now + afterMs);
    this.#sayBeacon(now);
  }

  /** Where the own slice stands, as beacons and questions say it. */
  standing(): Standing & Observed {
    return { ...this.#subject.slice.standing(), ...(this.#subject.isObserved() && { observed: true }) };
  }

  /** A peer has asked. Its `sync` is a beacon as well, which its replica has compared already. */
  asked(sync: Sync, now: Millis): void {
    const isToAll = sync.asks === "all";
    const held = (isToAll ? sync.held : sync.asks).find(({ owner }) => owner === this.#context.instanceId);
    if (!isToAll && held === undefined) return;
    if (held?.seq !== this.#subject.slice.seq) this.#answersFrom = Math.min(this.#answersFrom, held?.seq ?? 0);
    this.#answerSoon(now);
  }

  /** A peer has come that does not know where the own members point, and may not ask. */
  owePositions(now: Millis): void {
    this.#positionsAt = Math.min(this.#positionsAt, now + this.#context.constants.answerMs);
  }

  /** The cursors of this tick, to be published now; undefined: none has moved, or no other instance has members here (F6). */
  takeCursors(now: Millis): Cursors | undefined {
    const { cursors, slice } = this.#subject;
    const moves = cursors.takeOwn();
    if (cursors.awaitsRepeat && this.#repeatAt === NEVER) this.#repeatAt = now + this.#context.constants.repeatCursorMs;
    if (moves.length === 0 || !this.#hasViewers()) return undefined;
    this.movesTo = this.#whereMovesGo(now);
    // Moves that go to others alone do not come back.
    if (typeof this.movesTo === "string") this.#sent(now);
    const { ownPaths: paths } = cursors;
    return { kind: "cursors", seq: slice.seq, moves, ...(paths.length > 0 && { paths }) };
  }

  /** Now and then to all, whoever is known: that proves the subscription here (R9.14), counts those who listen, and reaches them. */
  #whereMovesGo(now: Millis): MovesTo {
    if (now - this.#movedHereAt >= this.#context.constants.moveHereMs) {
      this.#movedHereAt = now;
      return "counted";
    }
    if (!this.#isAnswered || this.#subject.silence.isSilent) return "board";
    return this.#subject.viewers((this.#receivers ?? 1) - 1) ?? "board";
  }

  // Messages and answers that come back.

  /** The subscription is confirmed. True: for the first time. */
  subscribed(now: Millis): boolean {
    const { slice, silence } = this.#subject;
    silence.taken("subscriber");
    const isFirst = !this.#isAnnounced;
    this.#isAnnounced = true;
    if (isFirst && slice.size > 0) this.changed(slice.snapshot(), now);
    this.#isSubscribed = true;
    this.#unechoedSince = NEVER;
    return isFirst;
  }

  published(receivers: number | undefined, now: Millis): void {
    this.#subject.silence.taken("publisher");
    const wasAlone = this.#isAlone;
    this.#receivers = receivers;
    this.#isAnswered = true;
    if (wasAlone && !this.#isAlone) this.#beaconAt = Math.min(this.#beaconAt, this.#nextBeacon(now));
  }

  /** An own message came back on this board. False: somebody else has said it in our name. */
  echoed(message: BoardMessage, now: Millis): boolean {
    const { slice } = this.#subject;
    this.#unechoedSince = NEVER;
    if (!slice.mayHaveSaid(message)) {
      // Forged: this instance cannot have said it. A peer that believed it learns from the own beacon that it is not true (R4).
      this.#context.emit({ kind: "counted", what: "forged" });
      this.#answerSoon(now);
      return false;
    }
    if ("seq" in message && message.kind !== "cursors" && message.seq > this.#echoedSeq) {
      this.#echoedSeq = message.seq;
      // Only from now on others can know of the last change and ask about it.
      if (this.#echoedSeq >= slice.seq) this.#lingersUntil = now + this.#context.constants.lingerMs;
    }
    if (this.#echoedSeq >= slice.seq) this.#beaconUnechoedAt = NEVER;
    return true;
  }

  // Due actions.

  #answerSoon(now: Millis): void {
    this.#answerAt = Math.max(now, this.#answeredAt + this.#context.constants.answerMs);
    if (this.#answerAt <= now) this.#answer(now);
  }

  #answer(now: Millis): void {
    const { slice } = this.#subject;
    const from = this.#answersFrom;
    this.#answersFrom = NEVER;
    this.#answerAt = NEVER;
    this.#answeredAt = now;
    const missed = from === NEVER ? undefined : slice.replay(from);
    if (missed !== undefined) this.say(missed, now);
    else if (from !== NEVER) for (const part of slice.snapshot()) this.say(part, now);
    // Neither says whether the board is observed.
    if (from === NEVER || this.#subject.isObserved()) this.#sayBeacon(now);
    this.#sayPositions(now);
  }

  #sayPositions(now: Millis): void {
    this.#positionsAt = NEVER;
    this.#sayMoves(this.#subject.cursors.own(), now);
  }

  /** If a cursor's last position is lost, it would stay wrong for ever; so it is published once more when the cursor has stopped (R6). */
  #repeatPositions(now: Millis): void {
    const { cursors } = this.#subject;
    const restMs = this.#context.constants.repeatCursorMs;
    this.#sayMoves(cursors.takeRested(now, restMs), now);
    this.#repeatAt = cursors.awaitsRepeat ? now + restMs / 2 : NEVER;
  }

  #sayMoves(moves: Moves, now: Millis): void {
    if (moves.length > 0 && this.#hasViewers()) this.say({ kind: "cursors", seq: this.#subject.slice.seq, moves }, now);
  }

  #hasViewers(): boolean {
    return this.#isAnnounced && !this.#subject.silence.isMute && this.#subject.hasViewers();
  }

  #sayBeacon(now: Millis): void {
    this.say({ kind: "beacon", ...this.standing() }, now);
  }

  #beaconIfDue(now: Millis): void {
    const afterChange = (this.#beaconsAfterChange[0] ?? NEVER) <= now;
    const isPeriodic = now >= this.#beaconAt;
    if (!afterChange && !isPeriodic && now < this.#beaconUnechoedAt) return;
    this.#beaconsAfterChange = this.#beaconsAfterChange.filter((at) => at > now);
    if (isPeriodic) this.#beaconAt = this.#nextBeacon(now);
    this.#beaconUnechoedAt = NEVER;
    this.#expectEcho(now);
    this.#sayBeacon(now);
  }

  #expectEcho(now: Millis): void {
    if (this.#echoedSeq >= this.#subject.slice.seq) return;
    const { beaconUnechoedMsMin, beaconUnechoedMsMax } = this.#context.constants;
    if (this.#beaconUnechoedAt === NEVER)
      this.#beaconUnechoedAt = now + this.#context.random.between(beaconUnechoedMsMin, beaconUnechoedMsMax);
  }

  /** At the last publish no other instance was subscribed. */
  get #isAlone(): boolean {
    return this.#receivers === 1;
  }

  #nextBeacon(now: Millis): Millis {
    const { beaconJitter, idleBeaconsPerBeacon } = this.#context.constants;
    // An instance that is alone on the board needs no beacons, but it notices a lost subscription only when a message does not come back.
    const periodMs = this.#context.bus.beaconMs * (this.#isAlone ? idleBeaconsPerBeacon : 1);
    return this.#context.bus.onGrid(now + periodMs * this.#context.random.between(1 - beaconJitter, 1 + beaconJitter));
  }

  #sent(now: Millis): void {
    this.#unechoedSince = Math.min(this.#unechoedSince, now);
  }

  /** When an own message that left and did not come back is late. */
  #lateAt(): Millis {
    return this.#isSubscribed ? this.#unechoedSince + this.#context.constants.boardUnechoedMs : NEVER;
  }

  #judgeSubscription(now: Millis): void {
    const { bus } = this.#context;
    // If own heartbeats do not come back either, or none has come back since, the bus is at fault and not this board's subscription.
    const isBusFine = !bus.isEchoMissing && bus.echoedAt > this.#unechoedSince;
    const isOrdered = isBusFine && this.#subject.silence.late(this.#unechoedSince, now);
    if (isOrdered) this.#context.emit({ kind: "resubscribe", boardId: this.#boardId });
    this.#unechoedSince = isOrdered ? NEVER : now;
    this.#isSubscribed = !isOrdered;
  }
}
