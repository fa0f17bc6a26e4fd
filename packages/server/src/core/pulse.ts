/**
 * Whether the bus works for this instance (R9): it sends the own heartbeat, judges what comes back, and orders a connection replaced
 * where nothing does, or where nobody hears it (R10). It judges no peer: peers.ts does.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Beats } from "./beats.ts";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import type { BusBelief } from "./context.ts";
import type { DegradedWhy, Effect, Link } from "./effects.ts";
import type { Groups } from "./groups.ts";
import type { Hearing } from "./hearing.ts";
import type { Heartbeat } from "./messages.ts";
import type { Peers, PeersContext } from "./peers.ts";
import type { Random } from "./random.ts";

const NEVER = Number.POSITIVE_INFINITY;
/** A beat that is later than that begins the count anew. */
const LATE_MS = 50;

/** The versions of the bus protocol that this instance reads (R13). */
export const BUS_VERSIONS = { min: 1, max: 1 } as const;

export type PulseHost = {
  readonly boards: number;
  /** This instance's own time: whole milliseconds since its start. */
  readonly at: Millis;
  emit(effect: Effect): void;
  /** Anything may have been missed: ask all peers on every board. */
  recover(): void;
  /** Boards on which this instance cannot speak at present: as many as a heartbeat names. */
  takeMute(): readonly BoardId[];
  /** This instance has not heard which counts are wanted. A heartbeat that says so counts as said. */
  takeWanting(): boolean;
  /** Moves that are said on the own channel are heard. */
  readonly takesMoves: boolean;
};

export class Pulse implements BusBelief {
  readonly #constants: Constants;
  readonly #beats: Beats;
  readonly #groups: Groups;
  readonly #peers: Peers;
  readonly #hearing: Hearing;
  readonly #host: PulseHost;
  #isUp: Record<Link, boolean> = { publisher: false, subscriber: false };
  /** Whether Redis refuses own messages on the global channel (`publisher`), or the subscription to it. */
  #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };
  #recycledAt: Record<Link, Millis> = { publisher: Number.NEGATIVE_INFINITY, subscriber: Number.NEGATIVE_INFINITY };
  #beatAt: Millis = NEVER;
  /** One of so many own beats is said to all. */
  #stride = 1;
  /** As many as `#stride`, or fewer where that has just grown: own beats from the last one to all to the next one to all. */
  #pause = 1;
  /** Own beats since the last one to all. */
  #since = 0;
  readonly #random: Random;
  /** So many of the next beats are for all, since others do not seem to hear this instance. */
  #refutations = 0;
  /** The echo of this beat, or a later one, proves that the bus works again. */
  #recoveryBeat = NEVER;
  #isReady = false;
  /** Own messages do not come back, or Redis does not answer. */
  #isBroken = false;
  /** Own messages have not come back for so long that no remote member is shown. */
  #isCleared = false;
  #degradedWhy: DegradedWhy | undefined;
  /** When the bus was last known to be heard; undefined: it is heard (R23). */
  #blindSince: Millis | undefined;
  /** When a heartbeat last told this instance's own time. */
  #toldTimeAt: Millis = Number.NEGATIVE_INFINITY;
  /** When this instance started, or last recovered. */
  #settlingSince: Millis;

  constructor({ constants, beats, groups, random }: PeersContext, peers: Peers, hearing: Hearing, host: PulseHost, now: Millis) {
    this.#constants = constants;
    this.#beats = beats;
    this.#groups = groups;
    this.#random = random;
    this.#peers = peers;
    this.#hearing = hearing;
    this.#host = host;
    this.#settlingSince = now;
  }

  checkpoint(keep: Keep): void {
    this.#isUp = keep(this.#isUp);
    this.#isRefused = keep(this.#isRefused);
    this.#recycledAt = keep(this.#recycledAt);
    this.#beatAt = keep(this.#beatAt);
    this.#stride = keep(this.#stride);
    this.#pause = keep(this.#pause);
    this.#since = keep(this.#since);
    this.#refutations = keep(this.#refutations);
    this.#recoveryBeat = keep(this.#recoveryBeat);
    this.#isReady = keep(this.#isReady);
    this.#isBroken = keep(this.#isBroken);
    this.#isCleared = keep(this.#isCleared);
    this.#degradedWhy = keep(this.#degradedWhy);
    this.#blindSince = keep(this.#blindSince);
    this.#toldTimeAt = keep(this.#toldTimeAt);
    this.#settlingSince = keep(this.#settlingSince);
  }

  /** An own heartbeat has come back. */
  get isReady(): boolean {
    return this.#isReady;
  }

  /** Why this instance is degraded; undefined: it is not. */
  get degradedWhy(): DegradedWhy | undefined {
    return this.#degradedWhy;
  }

  /** Own messages have not come back for so long that nothing is taken from anybody: a peer can be neither judged nor asked. */
  get isCleared(): boolean {
    return this.#isCleared;
  }

  get isSubscriberUp(): boolean {
    return this.#isUp.subscriber;
  }

  /** Members may be missing, on any board (C6). */
  isSettling(now: Millis): boolean {
    return !this.#isReady || this.#degradedWhy !== undefined || now - this.#settlingSince < this.#constants.settlingMs;
  }

  get isEchoMissing(): boolean {
    return this.#beats.unechoed > 1 || this.#isBroken || !this.#isReady;
  }

  get echoedAt(): Millis {
    return this.#beats.echoedAt;
  }

  get spreadMs(): Millis {
    return (this.#pairs() / this.#constants.recoveryPairsPerSecond) * 1000;
  }

  get beaconMs(): Millis {
    return Math.max(this.#constants.beaconMsMin, (this.#pairs() / this.#constants.beaconsPerSecond) * 1000);
  }

  /** The first time from then on at which a beat leaves, or would. */
  onGrid(at: Millis): Millis {
    const { beaconGridMs } = this.#constants;
    const beatAt = this.#beatAt === NEVER ? 0 : this.#beatAt;
    return beatAt + Math.ceil((at - beatAt) / beaconGridMs) * beaconGridMs;
  }

  /** Boards times instances: the cost of asking all instances about all boards. */
  #pairs(): number {
    return this.#host.boards + this.#peers.boards;
  }

  canAnswer(instanceId: InstanceId): boolean {
    return this.#hearing.canAnswer(instanceId);
  }

  deadline(): Millis {
    return this.#beatAt;
  }

  tick(oldestUnansweredMs: Millis, now: Millis): void {
    const isBeat = now >= this.#beatAt;
    // The bus is judged just before the next beat, when the last one has had its time to come back.
    if (isBeat || oldestUnansweredMs >= this.#constants.unansweredMsMax) this.#judgeBus(oldestUnansweredMs, now);
    if (isBeat) this.#heartbeat(now);
  }

  linkUp(link: Link, now: Millis): void {
    this.#isUp[link] = true;
    if (!this.#isUp.publisher || !this.#isUp.subscriber) return;
    // Beat at once: the echo of this very beat proves both links, and starts recovery (R9).
    this.#groups.linked();
    this.#since = NEVER;
    this.#heartbeat(now);
    this.#recoveryBeat = this.#beats.beat;
  }

  /** Others say that they do not hear this instance: its next beats tell all that it lives. */
  accused(): void {
    this.#refutations = this.#constants.refutations;
  }

  linkDown(link: Link, now: Millis): void {
    if (link === "subscriber" && this.#isReady) this.#blindSince ??= now;
    this.#isUp[link] = false;
    this.#isRefused[link] = false;
  }

  /** Redis has taken an own message on the global channel (`publisher`), or the subscription to it (`subscriber`). */
  taken(link: Link): void {
    this.#isRefused[link] = false;
  }

  /** Redis has refused one. */
  refused(link: Link): void {
    this.#isRefused[link] = true;
  }

  /** An own heartbeat came back: the one moment at which others are judged. */
  echoed(beat: number, now: Millis): void {
    const echo = this.#beats.echoed(beat, now);
    if (echo === undefined) {
      // Forged: this instance has not sent that beat. To believe it would stop the clock by which peers are judged. Own beats go on below
      // it, and a peer that believed it takes them again (R3).
      this.#host.emit({ kind: "counted", what: "forged" });
      return;
    }
    this.#host.emit({ kind: "echo", ...(echo.ms !== undefined && { ms: echo.ms }) });
    if (!echo.isNew) return;
    this.#isCleared = false;
    if (!this.#isReady) {
      this.#isReady = true;
      this.#recoveryBeat = NEVER;
      this.#host.emit({ kind: "ready" });
      // Boards that were opened meanwhile may have asked while nothing could be published.
      this.#askAll(now);
    } else if (beat >= this.#recoveryBeat || (echo.skipped > 0 && !this.#isBroken))
      this.#recover(now, beat < this.#recoveryBeat && echo.skipped === 1);
    if (echo.isBurst) return;
    this.#peers.judge(now);
    this.#judgeHearing(now);
  }

  /** `isOfOneLoss`: a single own beat was lost on the way, so those of others have been coming all the time. */
  #recover(now: Millis, isOfOneLoss = false): void {
    this.#recoveryBeat = NEVER;
    if (!isOfOneLoss) this.#peers.beCalm();
    this.#isBroken = false;
    if (this.#blindSince !== undefined) this.#host.emit({ kind: "measured", what: "blind", scope: "all", ms: now - this.#blindSince });
    this.#blindSince = undefined;
    this.#tellDegraded();
    this.#askAll(now);
  }

  #askAll(now: Millis): void {
    this.#settlingSince = now;
    this.#host.recover();
  }

  #tellDegraded(): void {
    const why = this.#isBroken ? "unechoed" : this.#hearing.isUnheard ? "unheard" : undefined;
    if (why === this.#degradedWhy) return;
    this.#degradedWhy = why;
    this.#host.emit({ kind: "degraded", on: why !== undefined, why });
  }

  #heartbeat(now: Millis): void {
    const instances = this.#peers.count() + 1;
    this.#groups.fit(instances, false);
    const isToAll = this.#isToAll();
    const since = Math.min(this.#since, this.#beats.beat + 1);
    if (isToAll) this.#since = 0;
    this.#groups.isSpeaking = this.#stride > 1;
    const intervalMs = this.#nextIntervalMs(instances);
    const acks = this.#hearing.takeAcks();
    // Counted from the time at which this beat was due: timers are late by some milliseconds, and beacons are to leave with beats.
    const isInTime = now >= this.#beatAt && now - this.#beatAt < LATE_MS;
    this.#beatAt = (isInTime ? this.#beatAt : now) + intervalMs;
    this.#beats.sent(intervalMs, now);
    if (!this.#isUp.publisher) return;
    const mute = this.#host.takeMute();
    const message: Heartbeat = {
      kind: "heartbeat",
      beat: this.#beats.beat,
      intervalMs: this.#stride * intervalMs,
      beaconMs: Math.round(this.beaconMs),
      boards: this.#host.boards,
      status: this.#degradedWhy === undefined ? "ready" : "degraded",
      acks,
      versions: BUS_VERSIONS,
      ...(mute.length > 0 && { mute }),
      ...(isToAll && this.#host.takeWanting() && { wanting: true }),
      ...(isToAll && this.#takeTime(now)),
      ...(this.#host.takesMoves && { moves: true }),
      ...(this.#groups.isSpeaking && { near: { reach: this.#groups.reach, since, turn: this.#hearing.turn } }),
    };
    if (isToAll) this.#host.emit({ kind: "publish", boardId: undefined, message });
    else this.#host.emit({ kind: "publish", boardId: undefined, message, group: this.#groups.own });
  }

  #takeTime(now: Millis): Pick<Heartbeat, "at"> {
    if (now - this.#toldTimeAt < this.#constants.timeMs) return {};
    this.#toldTimeAt = now;
    return { at: this.#host.at };
  }

  /** Whether the next beat is for all, and not for the own group only. */
  #isToAll(): boolean {
    const wanted = this.#groups.isOpen ? this.#peers.stride : 1;
    this.#since++;
    const isRefutation = this.#refutations > 0;
    const isToAll = this.#since >= Math.min(this.#pause, wanted) || isRefutation;
    if (!isToAll) return false;
    this.#refutations = Math.max(0, this.#refutations - 1);
    // Rarer by and by, so that a newcomer has soon proved itself to all; and each at its own time, though all may have started together.
    const former = this.#stride;
    this.#stride = Math.min(wanted, 2 * former);
    this.#pause = this.#stride > former ? Math.ceil(this.#stride * this.#random.between(0.5, 1)) : this.#stride;
    return true;
  }

  #nextIntervalMs(instances: number): Millis {
    const { heartbeatMs, heartbeatInstancesMax, heartbeatMsPerInstance, heartbeatGrowthMax } = this.#constants;
    if (this.#groups.isSpeaking) return heartbeatMs;
    const wantedMs = instances > heartbeatInstancesMax ? instances * heartbeatMsPerInstance : heartbeatMs;
    return Math.min(wantedMs, this.#beats.intervalMs * heartbeatGrowthMax);
  }

  /** Judges the bus by own heartbeats that do not come back, and by publishes without an answer (R9). */
  #judgeBus(oldestUnansweredMs: Millis, now: Millis): void {
    const { unechoedBeatsMax, unansweredMsMax, clearRemoteMs } = this.#constants;
    const isHung = oldestUnansweredMs >= unansweredMsMax;
    if (!this.#isReady || (this.#beats.unechoed < unechoedBeatsMax && !isHung)) return;
    // Beats from before may still wait in a connection that is given up. Their echoes say nothing of the next one.
    if (!this.#isBroken) this.#recoveryBeat = this.#beats.beat + 1;
    this.#isBroken = true;
    this.#blindSince ??= this.#beats.echoedAt;
    this.#tellDegraded();
    // A link that is down is being replaced already. Without a publisher nothing proves that the subscriber is dead.
    if (this.#isUp.publisher && this.#isUp.subscriber) {
      const isUnanswered = oldestUnansweredMs >= unansweredMsMax / 2;
      if (isUnanswered) this.#recycle("publisher", "unanswered", this.#pauseOf("publisher"), now);
      // If Redis refuses something over this connection, it refuses it over the next one, too.
      else if (!this.#isRefused.publisher && !this.#isRefused.subscriber) {
        // The new subscriber has been up for a beat, and that did not come back either: perhaps the publisher leads to another server.
        if (this.#recycledAt.subscriber > this.#beats.echoedAt) this.#recycle("publisher", "unechoed", this.#pauseOf("publisher"), now);
        this.#recycle("subscriber", "unechoed", this.#pauseOf("subscriber"), now);
      }
    } else if (this.#isUp.publisher && isHung) this.#recycle("publisher", "unanswered", this.#pauseOf("publisher"), now);
    if (now - this.#beats.echoedAt < clearRemoteMs || this.#isCleared) return;
    // Members heard of so long ago are not shown any more; a peer that is still there comes back by itself.
    this.#isCleared = true;
    this.#peers.giveUpAll(now);
  }

  /** Acts on what is known of who hears this instance (R10). */
  #judgeHearing(now: Millis): void {
    const wasUnheard = this.#hearing.isUnheard;
    this.#hearing.judge();
    this.#tellDegraded();
    // No peer has heard the questions asked meanwhile.
    if (wasUnheard && !this.#hearing.isUnheard) this.#askAll(now);
    if (!this.#hearing.isMute || !this.#isUp.publisher || !this.#recycle("publisher", "unheard", this.#hearing.retryMs, now)) return;
    this.#hearing.retried();
    this.#host.emit({ kind: "counted", what: "mute" });
  }

  /**
   * How long to leave a link alone after its last replacement. Own beats have come back since: that replacement helped, and this is a new
   * failure, so there is nothing to wait for.
   */
  #pauseOf(link: Link): Millis {
    return this.#beats.echoedAt > this.#recycledAt[link] ? 0 : this.#constants.recycleMsMin;
  }

  /** Orders that link replaced, unless that was done less than `pauseMs` ago; answers whether. */
  #recycle(link: Link, why: Extract<Effect, { kind: "recycle" }>["why"], pauseMs: Millis, now: Millis): boolean {
    if (now - this.#recycledAt[link] < pauseMs) return false;
    this.#recycledAt[link] = now;
    this.#host.emit({ kind: "recycle", link, why });
    return true;
  }
}
