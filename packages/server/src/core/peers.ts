/**
 * Who else is there, and whether the bus between us works: heartbeats, judged by a clock that everybody has, the own echo (R7–R10).
 * It knows no boards: `Host` is told when a peer counts otherwise, when anything may have been missed, and when all is to be asked.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Constants } from "./constants.ts";
import type { Liveness } from "./context.ts";
import type { Effect, Link } from "./effects.ts";
import type { Ack, Heartbeat } from "./messages.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** The versions of the bus protocol that this instance reads (R13). */
export const BUS_VERSIONS = { min: 1, max: 1 } as const;

type Peer = {
  readonly instanceId: InstanceId;
  /** As acknowledgements name it. */
  readonly short: number;
  state: "up" | "suspect" | "down" | "left";
  link: number;
  beat: number;
  /** Milliseconds' worth of own echoes since its last heartbeat: no clock of its own, no clock of ours. */
  ageMs: Millis;
  heardAt: Millis;
  intervalMs: Millis;
  beaconMs: Millis;
  boards: number;
  isDegraded: boolean;
  /** The last of our beats that it acknowledged; of a new peer, the one it met us at. */
  ackedBeat: number;
  /** At its last heartbeat that was too long ago: it does not hear us (R10). */
  isDeaf: boolean;
  /** When a peer that is down or left is forgotten. */
  forgetAt: Millis;
  /** When it was last heard after a silence that may have hidden anything, on any board (R4). */
  missedAt: Millis;
};

export interface Host {
  readonly boards: number;
  emit(effect: Effect): void;
  /** Its members look otherwise now; `isGone`: they are not shown any more. */
  judged(instanceId: InstanceId, isGone: boolean): void;
  /** Something of this peer may have been missed. `all`: also on boards where nothing is held of it. */
  missed(instanceId: InstanceId, all: boolean): void;
  /** Anything may have been missed: ask everybody on every board. */
  recover(): void;
  /** Boards on which nothing can be said at present: as many as a heartbeat names. */
  takeMute(): readonly BoardId[];
}

export class Peers {
  readonly #constants: Constants;
  readonly #host: Host;
  readonly #short: number;
  readonly #peers = new Map<InstanceId, Peer>();
  readonly #isUp: Record<Link, boolean> = { publisher: false, subscriber: false };
  /** On the global channel the bus refuses to take our messages, or our subscription. */
  readonly #isRefused: Record<Link, boolean> = { publisher: false, subscriber: false };

  #beat = 0;
  #beatAt: Millis = NEVER;
  readonly #sentAt = new Map<number, Millis>();
  #echoedBeat = 0;
  #echoedAt: Millis;
  #echoMs: Millis | null = null;
  #unechoed = 0;
  /** The echo of this beat, or a later one, proves that both links work again. */
  #recoveryBeat = NEVER;
  #calmBeats = 0;
  #nextAck = 0;

  #isReady = false;
  #isDegraded = false;
  #isCleared = false;
  #recycledAt: Millis = Number.NEGATIVE_INFINITY;
  #muteRetryMs: Millis;
  /** The last beat before the publisher was replaced for being mute: one acknowledged after it shows that it helped. */
  #muteBeat = 0;
  /** The last live peer was judged down, and nobody has been heard since. */
  #isLonely = false;

  constructor(instanceId: InstanceId, constants: Constants, host: Host, now: Millis) {
    this.#constants = constants;
    this.#host = host;
    this.#short = shortOf(instanceId);
    this.#echoedAt = now;
    this.#muteRetryMs = constants.muteRetryMsMin;
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isDegraded(): boolean {
    return this.#isDegraded;
  }

  get isEchoMissing(): boolean {
    return this.#unechoed > 1 || this.#isDegraded || !this.#isReady;
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

  /** Boards times instances: what a question to everybody about everything costs the cluster. */
  get pairs(): number {
    let pairs = this.#host.boards;
    for (const { state, boards } of this.#peers.values()) if (state === "up" || state === "suspect") pairs += boards;
    return pairs;
  }

  get beaconMs(): Millis {
    return Math.max(this.#constants.beaconMsMin, (this.pairs / this.#constants.beaconsPerSecond) * 1000);
  }

  beaconMsOf(instanceId: InstanceId): Millis {
    return this.#peers.get(instanceId)?.beaconMs ?? this.#constants.beaconMsMin;
  }

  missedSince(at: Millis): InstanceId[] {
    return [...this.#peers.values()].flatMap(({ instanceId, state, missedAt }) => (state === "up" && missedAt >= at ? [instanceId] : []));
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

  canAnswer(instanceId: InstanceId): boolean {
    const peer = this.#peers.get(instanceId);
    return peer?.state === "up" && !peer.isDegraded;
  }

  *list(now: Millis): Iterable<{ instanceId: InstanceId; state: "up" | "suspect" | "down"; lastHeardMs: Millis }> {
    for (const { instanceId, state, heardAt } of this.#peers.values()) {
      if (state !== "left") yield { instanceId, state, lastHeardMs: now - heardAt };
    }
  }

  deadline(): Millis {
    let at = this.#beatAt;
    for (const peer of this.#peers.values()) at = Math.min(at, peer.forgetAt);
    return at;
  }

  tick(oldestUnansweredMs: Millis, now: Millis): void {
    const isBeat = now >= this.#beatAt;
    // Before the next beat, so that the last one had its time to come back.
    if (isBeat || oldestUnansweredMs >= this.#constants.unansweredMsMax) this.#judgeBus(oldestUnansweredMs, now);
    if (isBeat) this.#heartbeat(now);
    for (const peer of [...this.#peers.values()]) if (now >= peer.forgetAt) this.#forget(peer);
  }

  linkUp(link: Link, now: Millis): void {
    this.#isUp[link] = true;
    if (!this.#isUp.publisher || !this.#isUp.subscriber) return;
    // At once: what comes back of this very beat proves both links, and starts recovery (R9).
    this.#heartbeat(now);
    this.#recoveryBeat = this.#beat;
  }

  linkDown(link: Link): void {
    this.#isUp[link] = false;
    this.#isRefused[link] = false;
  }

  /** On the global channel the bus has refused (true) or taken a message (`publisher`), or our subscription. */
  answered(link: Link, isRefused: boolean): void {
    this.#isRefused[link] = isRefused;
  }

  /** Whether a message of this instance may be believed; an instance never heard before is up from its first (R8). */
  accepts(instanceId: InstanceId, link: number, isHeartbeat: boolean, now: Millis): boolean {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined) {
      this.#meet(instanceId, link, now);
      return true;
    }
    if (link < peer.link) {
      // Redis executes what an abandoned connection had in its buffer, after newer messages of the new one (R3).
      this.#host.emit({ kind: "counted", what: "old_link" });
      return false;
    }
    peer.link = link;
    return peer.state === "up" || peer.state === "suspect" || (peer.state === "down" && isHeartbeat);
  }

  heard(instanceId: InstanceId, heartbeat: Heartbeat, now: Millis): void {
    const peer = this.#peers.get(instanceId);
    // A repeat, or from before it was judged down.
    if (peer === undefined || heartbeat.beat <= peer.beat) return;
    const { beat, intervalMs, beaconMs, boards, status, acks } = heartbeat;
    const isKnown = peer.beat > 0;
    const skipped = isKnown ? beat - peer.beat - 1 : 0;
    const former = peer.state;
    Object.assign(peer, { beat, intervalMs, beaconMs, boards, isDegraded: status === "degraded", ageMs: 0, heardAt: now, state: "up" });
    peer.forgetAt = NEVER;
    this.#isLonely = false;
    if (former === "down") peer.ackedBeat = this.#beat;
    this.#noteAck(peer, acks);
    if (former !== "up") {
      this.#host.emit({ kind: "peer", instanceId, state: "up" });
      this.#host.judged(instanceId, false);
    }
    // A short silence cannot hide a change and both beacons after it; a longer one may hide that there is a slice at all.
    const isLong = former === "down" || skipped >= this.#constants.suspectBeats;
    if (isLong) peer.missedAt = now;
    if (skipped > 0 || former === "down") this.#host.missed(instanceId, isLong);
  }

  goodbye(instanceId: InstanceId, now: Millis): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined || peer.state === "down" || peer.state === "left") return;
    peer.state = "left";
    peer.forgetAt = now + this.#constants.goodbyeMs;
    this.#host.emit({ kind: "peer", instanceId, state: "left" });
    this.#host.judged(instanceId, false);
  }

  /** An own heartbeat came back: the one moment at which others are judged. */
  echoed(beat: number, now: Millis): void {
    if (beat > this.#beat) {
      // Not ours, whatever it says: believed, it would stop the clock by which others are judged. They may believe it, and would take
      // no lower beat of ours again: we go on above it.
      this.#host.emit({ kind: "counted", what: "forged" });
      if (beat < FORGED_BEAT_MAX) this.#beat = beat;
      return;
    }
    const sentAt = this.#sentAt.get(beat);
    for (const older of this.#sentAt.keys()) if (older <= beat) this.#sentAt.delete(older);
    this.#host.emit({ kind: "echo", ...(sentAt !== undefined && { ms: now - sentAt }) });
    if (beat <= this.#echoedBeat) return;
    if (sentAt !== undefined) this.#echoMs = now - sentAt;
    const skipped = this.#isReady && beat > this.#echoedBeat + 1;
    // What piled up in a Redis that stalled comes in one burst, own echoes before the beats of others: that is one judgement, not many.
    const isBurst = now - this.#echoedAt < this.#intervalMs() / 2;
    this.#echoedBeat = beat;
    this.#echoedAt = now;
    this.#unechoed = this.#beat - beat;
    this.#isCleared = false;
    if (!this.#isReady) {
      this.#isReady = true;
      this.#recoveryBeat = NEVER;
      this.#host.emit({ kind: "ready" });
    } else if (this.#isDegraded || beat >= this.#recoveryBeat || skipped) this.#recover();
    if (isBurst) return;
    this.#judgePeers(now);
    this.#judgeMute(now);
    if (this.#calmBeats > 0) this.#calmBeats--;
  }

  #recover(): void {
    this.#recoveryBeat = NEVER;
    this.#calmBeats = this.#constants.calmBeats;
    // Nobody can have heard the beats that were lost.
    for (const peer of this.#peers.values()) {
      peer.ackedBeat = Math.max(peer.ackedBeat, this.#beat - 1);
      peer.isDeaf = false;
    }
    if (this.#isDegraded) {
      this.#isDegraded = false;
      this.#host.emit({ kind: "degraded", on: false });
    }
    this.#host.recover();
  }

  #heartbeat(now: Millis): void {
    this.#beatAt = now + this.#intervalMs();
    this.#beat++;
    this.#unechoed++;
    this.#sentAt.set(this.#beat, now);
    if (this.#sentAt.size > SENT_BEATS_MAX) this.#sentAt.delete(this.#beat - SENT_BEATS_MAX);
    if (!this.#isUp.publisher) return;
    const mute = this.#host.takeMute();
    const message: Heartbeat = {
      kind: "heartbeat",
      beat: this.#beat,
      intervalMs: this.#intervalMs(),
      beaconMs: Math.round(this.beaconMs),
      boards: this.#host.boards,
      status: this.#isDegraded ? "degraded" : "ready",
      acks: this.#acks(),
      versions: BUS_VERSIONS,
      ...(mute.length > 0 && { mute }),
    };
    this.#host.emit({ kind: "publish", boardId: undefined, message });
  }

  #intervalMs(): Millis {
    const { heartbeatMs, heartbeatInstancesMax, heartbeatMsPerInstance } = this.#constants;
    const instances = this.livePeers + 1;
    return instances > heartbeatInstancesMax ? instances * heartbeatMsPerInstance : heartbeatMs;
  }

  /** A few of the live peers in turn: that they are heard. */
  #acks(): Ack[] {
    const live = [...this.#peers.values()].filter(({ state, beat }) => (state === "up" || state === "suspect") && beat > 0);
    const count = Math.min(this.#constants.acksPerBeat, live.length);
    const acks = Array.from({ length: count }, (_, index) => live[(this.#nextAck + index) % live.length] as Peer);
    this.#nextAck = live.length === 0 ? 0 : (this.#nextAck + count) % live.length;
    return acks.map(({ short, beat }) => ({ peer: short, beat: beat & 0xffff }));
  }

  #noteAck(peer: Peer, acks: readonly Ack[]): void {
    const ack = acks.find(({ peer: short }) => short === this.#short);
    // It says the low 16 bits, nine hours' worth: the latest such beat is meant.
    if (ack !== undefined) peer.ackedBeat = Math.max(peer.ackedBeat, this.#beat - ((this.#beat - ack.beat) & 0xffff));
    if (peer.ackedBeat > this.#muteBeat) this.#muteRetryMs = this.#constants.muteRetryMsMin;
    peer.isDeaf = this.#beat - peer.ackedBeat > this.#ackBeatsMax(peer);
  }

  /** Within so many beats somebody who hears us names us: two of its turns, and some slack. */
  #ackBeatsMax({ intervalMs }: Peer): number {
    const turn = Math.ceil(this.livePeers / this.#constants.acksPerBeat);
    // Its beats in ours, where the intervals differ.
    return (2 * turn + this.#constants.muteSlackBeats) * Math.max(1, intervalMs / this.#intervalMs());
  }

  #meet(instanceId: InstanceId, link: number, now: Millis): void {
    const { heartbeatMs, beaconMsMin } = this.#constants;
    this.#peers.set(instanceId, {
      instanceId,
      short: shortOf(instanceId),
      state: "up",
      link,
      beat: 0,
      ageMs: 0,
      heardAt: now,
      intervalMs: heartbeatMs,
      beaconMs: beaconMsMin,
      boards: 0,
      isDegraded: false,
      ackedBeat: this.#beat,
      isDeaf: false,
      forgetAt: NEVER,
      missedAt: Number.NEGATIVE_INFINITY,
    });
    this.#isLonely = false;
    this.#host.emit({ kind: "peer", instanceId, state: "up" });
  }

  #forget(peer: Peer): void {
    if (peer.state === "left") {
      this.#host.judged(peer.instanceId, true);
      // Its last words may still be under way: as deaf to them as to those of the dead.
      peer.state = "down";
      peer.forgetAt += this.#constants.downRememberedMs;
      return;
    }
    this.#peers.delete(peer.instanceId);
    if (this.livePeers === 0) this.#isLonely = false;
  }

  /** R7. */
  #judgePeers(now: Millis): void {
    const { suspectBeats, downBeats, downRememberedMs } = this.#constants;
    const ownMs = this.#intervalMs();
    for (const peer of this.#peers.values()) {
      if (peer.state !== "up" && peer.state !== "suspect") continue;
      peer.ageMs += ownMs;
      const age = peer.ageMs / Math.max(ownMs, peer.intervalMs);
      if (peer.state === "suspect" && age >= downBeats) {
        peer.forgetAt = now + downRememberedMs;
        this.#setState(peer, "down");
        this.#isLonely = this.livePeers === 0;
      } else if (peer.state === "up" && age >= suspectBeats && this.#calmBeats === 0) this.#setState(peer, "suspect");
    }
  }

  #setState(peer: Peer, state: "suspect" | "down"): void {
    peer.state = state;
    this.#host.emit({ kind: "peer", instanceId: peer.instanceId, state });
    this.#host.judged(peer.instanceId, state === "down");
  }

  /** R9. */
  #judgeBus(oldestUnansweredMs: Millis, now: Millis): void {
    const { unechoedBeatsMax, unansweredMsMax, clearRemoteMs } = this.#constants;
    const isHung = oldestUnansweredMs >= unansweredMsMax;
    if (!this.#isReady || (this.#unechoed < unechoedBeatsMax && !isHung)) return;
    if (!this.#isDegraded) {
      this.#isDegraded = true;
      this.#host.emit({ kind: "degraded", on: true });
    }
    // A link that is down is being replaced already; and without a publisher nothing proves the subscriber dead.
    if (this.#isUp.publisher && this.#isUp.subscriber) {
      const isUnanswered = oldestUnansweredMs >= unansweredMsMax / 2;
      if (isUnanswered) this.#recycle("publisher", "unanswered", now);
      // What is refused over this connection is refused over the next one, too.
      else if (!this.#isRefused.publisher && !this.#isRefused.subscriber) this.#recycle("subscriber", "unechoed", now);
    } else if (this.#isUp.publisher && isHung) this.#recycle("publisher", "unanswered", now);
    if (now - this.#echoedAt >= clearRemoteMs && !this.#isCleared) this.#clearRemote(now);
  }

  #recycle(link: Link, why: Extract<Effect, { kind: "recycle" }>["why"], now: Millis): boolean {
    if (now - this.#recycledAt < (why === "unheard" ? this.#muteRetryMs : this.#constants.recycleMsMin)) return false;
    this.#recycledAt = now;
    this.#host.emit({ kind: "recycle", link, why });
    return true;
  }

  /** What was heard so long ago is not worth showing; who is still there comes back by itself. */
  #clearRemote(now: Millis): void {
    this.#isCleared = true;
    for (const peer of this.#peers.values()) {
      if (peer.state !== "up" && peer.state !== "suspect") continue;
      peer.forgetAt = now + this.#constants.downRememberedMs;
      this.#setState(peer, "down");
    }
  }

  /** R10. A demoted master takes what we publish, echoes it, and nobody else hears it. */
  #judgeMute(now: Millis): void {
    const witnesses = [...this.#peers.values()].filter(({ state, isDegraded, beat }) => state === "up" && !isDegraded && beat > 0);
    const deaf = witnesses.filter(({ isDeaf }) => isDeaf).length;
    if (deaf < 2 && (deaf === 0 || deaf < witnesses.length) && !this.#isLonely) return;
    if (!this.#isUp.publisher || !this.#recycle("publisher", "unheard", now)) return;
    this.#muteBeat = this.#beat;
    this.#muteRetryMs = Math.min(this.#constants.muteRetryMsMax, this.#muteRetryMs * 2);
    this.#host.emit({ kind: "counted", what: "mute" });
  }
}

/** A beat beyond what any instance lives to send; far enough below 2^53 to count on from. */
const FORGED_BEAT_MAX = 2 ** 50;

/** Beats whose echo is still timed; later ones tell less than nothing. */
const SENT_BEATS_MAX = 64;

/** The first 4 bytes of an instanceId, big-endian: how acknowledgements name it. */
function shortOf(instanceId: InstanceId): number {
  return Number.parseInt(instanceId.slice(0, 8), 16) >>> 0;
}
