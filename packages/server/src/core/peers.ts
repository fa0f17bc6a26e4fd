/**
 * The other instances, and whether the bus between them and this one works (R7–R10). Heartbeats are judged by the own echo, a clock that
 * every instance has. This file knows no boards: `Host` is told when a peer is judged anew, when messages of it may have been missed,
 * and when everything is to be asked for.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Constants } from "./constants.ts";
import type { BusBelief, Liveness } from "./context.ts";
import type { DegradedWhy, Effect, Link } from "./effects.ts";
import type { Ack, BusMessage, Heartbeat } from "./messages.ts";
import { beatOf, Peer, shortOf } from "./peer.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** The versions of the bus protocol that this instance reads (R13). */
export const BUS_VERSIONS = { min: 1, max: 1 } as const;

export type PeerStats = {
  readonly instanceId: InstanceId;
  /** `deaf`: this instance hears the peer, but the peer does not hear it (R10). */
  readonly state: "up" | "deaf" | "suspect" | "down";
  readonly lastHeardMs: Millis;
};

export interface Host {
  readonly boards: number;
  emit(effect: Effect): void;
  /** The peer is judged anew, and its members are shown accordingly; `isGone`: they are not shown any more. */
  judged(instanceId: InstanceId, isGone: boolean): void;
  /** Messages of this peer may have been missed. `all`: even on boards where nothing is held of it. */
  missed(instanceId: InstanceId, all: boolean): void;
  /** Anything may have been missed: ask all peers on every board. */
  recover(): void;
  /** Boards on which this instance cannot speak at present: as many as a heartbeat names. */
  takeMute(): readonly BoardId[];
}

export class Peers implements BusBelief {
  readonly #constants: Constants;
  readonly #host: Host;
  readonly #short: number;
  readonly #peers = new Map<InstanceId, Peer>();
  /** When to look for peers to forget: no later than the next peer that is down or left is to be forgotten. */
  #forgetAt: Millis = NEVER;
  readonly #isUp: Record<Link, boolean> = { publisher: false, subscriber: false };

  /** Whether Redis refuses own messages on the global channel (`publisher`), or the subscription to it. */
  readonly #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };

  #beat = 0;
  #beatAt: Millis = NEVER;
  #intervalMs: Millis;
  /** Peers that were up and had proved themselves at the last own heartbeat. */
  #size = 0;
  readonly #sentAt = new Map<number, Millis>();
  #echoedBeat = 0;
  #echoedAt: Millis;
  #echoMs: Millis | null = null;
  #unechoed = 0;
  /** The echo of this beat, or a later one, proves that both links work again. */
  #recoveryBeat = NEVER;
  #calmBeats = 0;
  /** Counts own echoes; those that came in one burst count once. */
  #round = 0;
  /** The own beats that came back in the last rounds, oldest first: every peer that hears this instance has heard them. */
  readonly #roundBeats: number[] = [];
  /** Instances begin their turns at different places, so that a peer is not acknowledged by all of them at once. */
  #nextAck: number;

  #isReady = false;
  /** Own messages do not come back, or Redis does not answer. */
  #isBroken = false;
  /** Own messages have not come back for so long that no remote member is shown. */
  #isCleared = false;
  /** Peers are heard, but for long none has heard this instance. */
  #isUnheard = false;
  #degradedWhy: DegradedWhy | undefined;
  readonly #recycledAt: Record<Link, Millis> = { publisher: Number.NEGATIVE_INFINITY, subscriber: Number.NEGATIVE_INFINITY };
  #muteRetryMs: Millis;
  /** The last beat before the publisher was replaced for being mute: if a peer acknowledges a later one, that has helped. */
  #muteBeat = 0;
  /** The last live peer was judged down, and no other instance has proved itself since. */
  #isLonely = false;

  constructor(instanceId: InstanceId, constants: Constants, host: Host, now: Millis) {
    this.#constants = constants;
    this.#host = host;
    this.#short = shortOf(instanceId);
    this.#nextAck = this.#short;
    this.#intervalMs = constants.heartbeatMs;
    this.#echoedAt = now;
    this.#muteRetryMs = constants.muteRetryMsMin;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  /** Why this instance is degraded; undefined: it is not. */
  get degradedWhy(): DegradedWhy | undefined {
    return this.#degradedWhy;
  }

  get isEchoMissing(): boolean {
    return this.#unechoed > 1 || this.#isBroken || !this.#isReady;
  }

  get echoedAt(): Millis {
    return this.#echoedAt;
  }

  get isSubscriberUp(): boolean {
    return this.#isUp.subscriber;
  }

  get echoMs(): Millis | null {
    return this.#echoMs;
  }

  get livePeers(): number {
    let count = 0;
    for (const { state } of this.#peers.values()) if (state === "up") count++;
    return count;
  }

  /** Boards times instances: the cost of asking all instances about all boards. */
  get #pairs(): number {
    let pairs = this.#host.boards;
    for (const { isProven, isAround, boards } of this.#peers.values()) if (isProven && isAround) pairs += boards;
    return pairs;
  }

  get spreadMs(): Millis {
    return (this.#pairs / this.#constants.recoveryPairsPerSecond) * 1000;
  }

  get beaconMs(): Millis {
    return Math.max(this.#constants.beaconMsMin, (this.#pairs / this.#constants.beaconsPerSecond) * 1000);
  }

  beaconMsOf(instanceId: InstanceId): Millis {
    return this.#peers.get(instanceId)?.beaconMs ?? this.#constants.beaconMsMin;
  }

  livenessOf(instanceId: InstanceId): Liveness {
    switch (this.#peers.get(instanceId)?.state) {
      case "up":
        return "live";
      case "suspect":
      case "left":
        return "fading";
      default:
        return "gone";
    }
  }

  missedSince(at: Millis): InstanceId[] {
    return [...this.#peers.values()].flatMap(({ instanceId, state, missedAt }) => (state === "up" && missedAt >= at ? [instanceId] : []));
  }

  canAnswer(instanceId: InstanceId): boolean {
    const peer = this.#peers.get(instanceId);
    return peer?.state === "up" && !peer.isDegraded && !this.#isDeaf(peer);
  }

  *list(now: Millis): Iterable<PeerStats> {
    for (const peer of this.#peers.values()) {
      const { instanceId, state, isProven, heardAt } = peer;
      if (!isProven || state === "left") continue;
      yield { instanceId, state: state === "up" && this.#isDeaf(peer) ? "deaf" : state, lastHeardMs: now - heardAt };
    }
  }

  deadline(): Millis {
    return Math.min(this.#beatAt, this.#forgetAt);
  }

  tick(oldestUnansweredMs: Millis, now: Millis): void {
    const isBeat = now >= this.#beatAt;
    // The bus is judged just before the next beat, when the last one has had its time to come back.
    if (isBeat || oldestUnansweredMs >= this.#constants.unansweredMsMax) this.#judgeBus(oldestUnansweredMs, now);
    if (isBeat) this.#heartbeat(now);
    if (now >= this.#forgetAt) this.#forgetDue(now);
  }

  linkUp(link: Link, now: Millis): void {
    this.#isUp[link] = true;
    if (!this.#isUp.publisher || !this.#isUp.subscriber) return;
    // Beat at once: the echo of this very beat proves both links, and starts recovery (R9).
    this.#heartbeat(now);
    this.#recoveryBeat = this.#beat;
  }

  linkDown(link: Link): void {
    this.#isUp[link] = false;
    this.#isRefused[link] = false;
  }

  /** Redis has refused or taken an own message on the global channel (`publisher`), or the subscription to it (`subscriber`). */
  answered(link: Link, isRefused: boolean): void {
    this.#isRefused[link] = isRefused;
  }

  /** Whether a message of another instance may be believed. An instance never heard before is up from its first message on (R8). */
  accepts(instanceId: InstanceId, link: number, message: BusMessage, now: Millis): boolean {
    // While own messages do not come back, a peer can be neither judged nor asked. It is met anew afterwards (R9).
    if (this.#isCleared) return false;
    let peer = this.#peers.get(instanceId);
    if (peer === undefined && message.kind !== "goodbye") peer = this.#meet(instanceId, link, now);
    if (peer === undefined) return false;
    const isHeartbeat = message.kind === "heartbeat";
    if (isHeartbeat ? peer.isNewestBeat(link, message.beat, this.#round, now) : peer.isOfNewestLink(link, this.#round))
      return isHeartbeat || peer.isAround;
    // A heartbeat of the same link that is not newer is a repeat, and is not counted.
    if (link < peer.link) this.#host.emit({ kind: "counted", what: "old_link" });
    return false;
  }

  /** Takes a heartbeat that `accepts` has accepted. */
  heard(instanceId: InstanceId, heartbeat: Heartbeat, now: Millis): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined) return;
    const { state: former, isProven: wasProven } = peer;
    // During its first beats this instance asks on each board anyway.
    const isNew = this.#beat <= this.#constants.calmBeats;
    const skipped = peer.beats(heartbeat, { isNew, round: this.#round, now }, this.#constants);
    peer.state = "up";
    const isMet = peer.isProven && !wasProven;
    if (peer.isProven) this.#isLonely = false;
    this.#noteAcks(peer, heartbeat.acks);
    if (former !== "up" || isMet) {
      this.#tell(peer, "up");
      this.#host.judged(instanceId, false);
    }
    // While a peer was down, or had said goodbye, its messages were ignored.
    const isBack = former === "down" || former === "left" || (isMet && peer.isOldAcquaintance);
    // A short silence cannot hide a change and both beacons after it. A longer one may hide a whole slice.
    const isLong = isBack || skipped >= this.#constants.suspectBeats;
    if (isLong) peer.missedAt = now;
    if (isLong || skipped > 0) this.#host.missed(instanceId, isLong);
  }

  goodbye(instanceId: InstanceId, now: Millis): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined || !peer.isAround) return;
    this.#forgetBy(peer, now + this.#constants.goodbyeMs);
    this.#fade(peer, "left");
  }

  /** An own heartbeat came back: the one moment at which others are judged. */
  echoed(beat: number, now: Millis): void {
    if (beat > this.#beat) {
      // Forged: this instance has not sent that beat. To believe it would stop the clock by which peers are judged. Own beats go on below
      // it, and a peer that believed it takes them again (R3).
      this.#host.emit({ kind: "counted", what: "forged" });
      return;
    }
    const sentAt = this.#sentAt.get(beat);
    for (const older of this.#sentAt.keys()) if (older <= beat) this.#sentAt.delete(older);
    this.#host.emit({ kind: "echo", ...(sentAt !== undefined && { ms: now - sentAt }) });
    if (beat <= this.#echoedBeat) return;
    if (sentAt !== undefined) this.#echoMs = now - sentAt;
    const skipped = this.#isReady && beat > this.#echoedBeat + 1;
    // After a stall of Redis all messages come in one burst, perhaps own echoes before the beats of others: then peers are judged once.
    const isBurst = now - this.#echoedAt < this.#intervalMs / 2;
    this.#echoedBeat = beat;
    this.#echoedAt = now;
    this.#unechoed = this.#beat - beat;
    this.#isCleared = false;
    if (!this.#isReady) {
      this.#isReady = true;
      this.#recoveryBeat = NEVER;
      this.#host.emit({ kind: "ready" });
    } else if (this.#isBroken || beat >= this.#recoveryBeat || skipped) this.#recover();
    if (isBurst) return;
    this.#round++;
    this.#roundBeats.push(beat);
    if (this.#roundBeats.length > this.#constants.staleAckBeats) this.#roundBeats.shift();
    this.#judgePeers(now);
    this.#judgeMute(now);
    if (this.#calmBeats > 0) this.#calmBeats--;
  }

  #recover(): void {
    this.#recoveryBeat = NEVER;
    this.#calmBeats = this.#constants.calmBeats;
    this.#isBroken = false;
    this.#tellDegraded();
    this.#host.recover();
  }

  #tellDegraded(): void {
    const why = this.#isBroken ? "unechoed" : this.#isUnheard ? "unheard" : undefined;
    if (why === this.#degradedWhy) return;
    this.#degradedWhy = why;
    this.#host.emit({ kind: "degraded", on: why !== undefined, why });
  }

  #heartbeat(now: Millis): void {
    this.#size = this.#count();
    this.#intervalMs = this.#nextIntervalMs();
    this.#beatAt = now + this.#intervalMs;
    // While own beats do not come back, an unheard peer may be beating well: then nothing is acknowledged.
    const acks = this.#unechoed > 1 ? [] : this.#acks();
    this.#beat++;
    this.#unechoed++;
    this.#sentAt.set(this.#beat, now);
    if (this.#sentAt.size > SENT_BEATS_MAX) this.#sentAt.delete(this.#beat - SENT_BEATS_MAX);
    if (!this.#isUp.publisher) return;
    const mute = this.#host.takeMute();
    const message: Heartbeat = {
      kind: "heartbeat",
      beat: this.#beat,
      intervalMs: this.#intervalMs,
      beaconMs: Math.round(this.beaconMs),
      boards: this.#host.boards,
      status: this.#degradedWhy === undefined ? "ready" : "degraded",
      acks,
      versions: BUS_VERSIONS,
      ...(mute.length > 0 && { mute }),
    };
    this.#host.emit({ kind: "publish", boardId: undefined, message });
  }

  #nextIntervalMs(): Millis {
    const { heartbeatMs, heartbeatInstancesMax, heartbeatMsPerInstance, heartbeatGrowthMax } = this.#constants;
    const instances = this.#size + 1;
    const wantedMs = instances > heartbeatInstancesMax ? instances * heartbeatMsPerInstance : heartbeatMs;
    return Math.min(wantedMs, this.#intervalMs * heartbeatGrowthMax);
  }

  /** Acknowledges peers that fell silent, as they may be mute and learn it by this first; and a few live peers in turn. */
  #acks(): Ack[] {
    const { acksPerBeat, silentBeats } = this.#constants;
    const live = [...this.#peers.values()].filter(({ isProven, isAround }) => isProven && isAround);
    const silent = live.filter((peer) => peer.age(this.#intervalMs, this.#constants) >= silentBeats);
    const inTurn = (peers: readonly Peer[]) =>
      Array.from({ length: Math.min(acksPerBeat, peers.length) }, (_, index) => peers[(this.#nextAck + index) % peers.length] as Peer);
    const acked = new Set([...inTurn(silent), ...inTurn(live)]);
    this.#nextAck += acksPerBeat;
    return [...acked].map(({ short, beat }) => ({ peer: short, beat: beat & 0xffff }));
  }

  #noteAcks(peer: Peer, acks: readonly Ack[]): void {
    const { staleAckBeats, downBeats } = this.#constants;
    const ack = acks.find(({ peer: short }) => short === this.#short);
    const beat = ack === undefined ? 0 : beatOf(ack.beat, this.#beat);
    // A peer gives this instance up long before it is so far behind. If it is, somebody made it believe in beats that were never sent.
    if (beat >= Math.max(1, this.#beat - 2 * downBeats)) {
      const isOld = this.#roundBeats.length >= staleAckBeats && beat < (this.#roundBeats[0] ?? 0);
      peer.deafIn = isOld ? this.#round : Number.NEGATIVE_INFINITY;
      if (!isOld) peer.unackedBeats = 0;
      if (!isOld && beat > this.#muteBeat) this.#muteRetryMs = this.#constants.muteRetryMsMin;
    }
    peer.isElsewhere = this.#isDeaf(peer) && acks.every((one) => one === ack || this.#isMuteToo(one));
  }

  /** Whether the sender of this does not hear a third peer that this instance hears, or hears it only since that peer connected anew. */
  #isMuteToo({ peer: short, beat }: Ack): boolean {
    const { staleAckBeats, downBeats } = this.#constants;
    for (const peer of this.#peers.values()) {
      if (peer.short !== short) continue;
      return peer.isNewlyLinked(this.#round, downBeats) || peer.beat - beatOf(beat, peer.beat) >= staleAckBeats;
    }
    return false;
  }

  /** R10. The peer has just said that it misses own beats, or has not acknowledged any within two of its turns and some slack. */
  #isDeaf({ deafIn, unackedBeats }: Peer): boolean {
    const { staleAckBeats, acksPerBeat, muteSlackBeats, unheardBeatsMax } = this.#constants;
    if (this.#round - deafIn < staleAckBeats) return true;
    const turn = Math.ceil(this.#size / acksPerBeat);
    return unackedBeats > 2 * turn + muteSlackBeats || (this.#isUnheard && unackedBeats >= unheardBeatsMax);
  }

  /** Undefined: there are too many strangers, and none of them has been silent. */
  #meet(instanceId: InstanceId, link: number, now: Millis): Peer | undefined {
    const { strangersMax, silentBeats } = this.#constants;
    let strangers = 0;
    let oldest: Peer | undefined;
    for (const peer of this.#peers.values()) {
      if (peer.isProven) continue;
      strangers++;
      if (peer.ageMs > (oldest?.ageMs ?? -1)) oldest = peer;
    }
    if (strangers >= strangersMax) {
      if (oldest === undefined || oldest.age(this.#intervalMs, this.#constants) < silentBeats) return undefined;
      this.#giveUp(oldest, now);
    }
    const peer = new Peer(instanceId, link, this.#constants, now);
    this.#peers.set(instanceId, peer);
    this.#tell(peer, "up");
    return peer;
  }

  #forgetDue(now: Millis): void {
    this.#forgetAt = NEVER;
    for (const peer of [...this.#peers.values()]) {
      if (now < peer.forgetAt) this.#forgetBy(peer, peer.forgetAt);
      // Messages of a peer that left may still be under way. They are ignored, like those of a peer that is down.
      else if (peer.state === "left") this.#bury(peer, now);
      else this.#peers.delete(peer.instanceId);
    }
    if (this.#count() === 0) this.#isLonely = false;
  }

  #forgetBy(peer: Peer, at: Millis): void {
    peer.forgetAt = at;
    this.#forgetAt = Math.min(this.#forgetAt, at);
  }

  /** Its members are not shown any more. The peer is remembered for a while as down; a stranger is forgotten at once. */
  #bury(peer: Peer, now: Millis): void {
    peer.state = "down";
    if (peer.isProven) this.#forgetBy(peer, now + this.#constants.downRememberedMs);
    else this.#peers.delete(peer.instanceId);
    this.#host.judged(peer.instanceId, true);
  }

  /** Judges peers by how long they have been silent (R7). */
  #judgePeers(now: Millis): void {
    const { suspectBeats, downBeats } = this.#constants;
    for (const peer of this.#peers.values()) {
      if (!peer.isAround) continue;
      peer.ageMs += this.#intervalMs;
      const age = peer.age(this.#intervalMs, this.#constants);
      if (peer.state === "suspect" && age >= downBeats) {
        this.#giveUp(peer, now);
        if (peer.isProven) this.#isLonely = this.#count() === 0;
      } else if (peer.state === "up" && age >= suspectBeats && this.#calmBeats === 0) this.#fade(peer, "suspect");
    }
  }

  /** The number of peers that are up; strangers do not count. */
  #count(): number {
    let count = 0;
    for (const { isProven, state } of this.#peers.values()) if (isProven && state === "up") count++;
    return count;
  }

  #giveUp(peer: Peer, now: Millis): void {
    this.#tell(peer, "down");
    this.#bury(peer, now);
  }

  /** The peer is not gone, but its members are shown as reconnecting. */
  #fade(peer: Peer, state: "suspect" | "left"): void {
    peer.state = state;
    this.#tell(peer, state);
    this.#host.judged(peer.instanceId, false);
  }

  #tell({ instanceId, isProven }: Peer, state: Peer["state"]): void {
    this.#host.emit({ kind: "peer", instanceId, state, isProven });
  }

  /** Judges the bus by own heartbeats that do not come back, and by publishes without an answer (R9). */
  #judgeBus(oldestUnansweredMs: Millis, now: Millis): void {
    const { unechoedBeatsMax, unansweredMsMax, clearRemoteMs } = this.#constants;
    const isHung = oldestUnansweredMs >= unansweredMsMax;
    if (!this.#isReady || (this.#unechoed < unechoedBeatsMax && !isHung)) return;
    this.#isBroken = true;
    this.#tellDegraded();
    // A link that is down is being replaced already. Without a publisher nothing proves that the subscriber is dead.
    if (this.#isUp.publisher && this.#isUp.subscriber) {
      const isUnanswered = oldestUnansweredMs >= unansweredMsMax / 2;
      if (isUnanswered) this.#recycle("publisher", "unanswered", now);
      // If Redis refuses something over this connection, it refuses it over the next one, too.
      else if (!this.#isRefused.publisher && !this.#isRefused.subscriber) this.#recycle("subscriber", "unechoed", now);
    } else if (this.#isUp.publisher && isHung) this.#recycle("publisher", "unanswered", now);
    if (now - this.#echoedAt >= clearRemoteMs && !this.#isCleared) this.#clearRemote(now);
  }

  #recycle(link: Link, why: Extract<Effect, { kind: "recycle" }>["why"], now: Millis): boolean {
    if (now - this.#recycledAt[link] < (why === "unheard" ? this.#muteRetryMs : this.#constants.recycleMsMin)) return false;
    this.#recycledAt[link] = now;
    this.#host.emit({ kind: "recycle", link, why });
    return true;
  }

  /** Members heard of so long ago are not shown any more; a peer that is still there comes back by itself. */
  #clearRemote(now: Millis): void {
    this.#isCleared = true;
    for (const peer of this.#peers.values()) if (peer.isAround) this.#giveUp(peer, now);
  }

  /** R10. A replica of Redis, or a demoted master, takes own messages and echoes them, but no other instance hears them. */
  #judgeMute(now: Millis): void {
    const { unheardBeatsMax, muteRetryMsMax } = this.#constants;
    const witnesses = [...this.#peers.values()].filter(({ state, isDegraded, isProven }) => state === "up" && !isDegraded && isProven);
    const isLong = ({ unackedBeats }: Peer) => unackedBeats >= unheardBeatsMax;
    const isUnheard = witnesses.length > 0 && witnesses.every(isLong);
    const deaf = witnesses.filter((peer) => this.#isDeaf(peer));
    const isMute = isUnheard || deaf.length >= 2 || deaf.some(({ isElsewhere }) => isElsewhere);
    this.#setUnheard(isUnheard || (isMute && deaf.every(isLong)));
    if ((!isMute && !this.#isLonely) || !this.#isUp.publisher || !this.#recycle("publisher", "unheard", now)) return;
    this.#muteBeat = this.#beat;
    this.#muteRetryMs = Math.min(muteRetryMsMax, this.#muteRetryMs * 2);
    this.#host.emit({ kind: "counted", what: "mute" });
  }

  #setUnheard(isUnheard: boolean): void {
    if (isUnheard === this.#isUnheard) return;
    this.#isUnheard = isUnheard;
    this.#tellDegraded();
    // No peer has heard the questions asked meanwhile.
    if (!isUnheard) this.#host.recover();
  }
}

/** Beats whose echo is still timed. An echo that is later than that is not timed. */
const SENT_BEATS_MAX = 64;
