/**
 * The other instances: who lives (R7), who comes (R8), who leaves (R12). They are judged by the own echo, a clock that every instance has.
 * This file knows no boards and says nothing: `PeersHost` is told when a peer is judged anew, and when messages of it may have been missed.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Beats } from "./beats.ts";
import { type Keep, keepEach } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import type { Liveness, PeersBelief } from "./context.ts";
import type { Effect } from "./effects.ts";
import type { Groups } from "./groups.ts";
import type { Accused, BusMessage, Group, Heartbeat, Verdict } from "./messages.ts";
import { Peer } from "./peer.ts";
import type { Random } from "./random.ts";

const NEVER = Number.POSITIVE_INFINITY;

export type PeersHost = {
  emit(effect: Effect): void;
  /** The peer is judged anew, and its members are shown accordingly. */
  judged(instanceId: InstanceId): void;
  /**
   * The peer is judged down: its members are not shown any more. `silentMs`: how long ago it last gave a sign of life, or its time to come
   * back was over; undefined: it may well live, or may never have lived.
   */
  gone(instanceId: InstanceId, silentMs: Millis | undefined): void;
  /** Messages of this peer may have been missed; `everywhere`: even on boards where nothing is held of it. */
  missed(instanceId: InstanceId, where: "where_held" | "everywhere"): void;
  /** This instance is said to be silent. */
  accused(): void;
};

/** Parts of this instance that those who judge others share. */
export type PeersContext = {
  readonly instanceId: InstanceId;
  readonly constants: Constants;
  readonly beats: Beats;
  readonly groups: Groups;
  readonly random: Random;
};

export class Peers implements PeersBelief {
  readonly #constants: Constants;
  readonly #instanceId: InstanceId;
  readonly #beats: Beats;
  readonly #groups: Groups;
  readonly #host: PeersHost;
  readonly #peers = new Map<InstanceId, Peer>();
  /** When to look for peers to forget: no later than the next peer that is down or left is to be forgotten. */
  #forgetAt: Millis = NEVER;
  /** Own heartbeats until peers may become suspect. */
  #calmBeats = 0;
  #isLonely = false;
  /** The time between two beats that an instance says to all, in a cluster of this size. */
  #farMs: Millis = 0;

  constructor({ instanceId, constants, beats, groups }: PeersContext, host: PeersHost) {
    this.#instanceId = instanceId;
    this.#constants = constants;
    this.#beats = beats;
    this.#groups = groups;
    this.#host = host;
  }

  checkpoint(keep: Keep): void {
    keepEach(keep, this.#peers, (instanceId) => new Peer(instanceId, 0, this.#constants, 0));
    this.#forgetAt = keep(this.#forgetAt);
    this.#calmBeats = keep(this.#calmBeats);
    this.#isLonely = keep(this.#isLonely);
    this.#farMs = keep(this.#farMs);
  }

  [Symbol.iterator](): Iterator<Peer> {
    return this.#peers.values();
  }

  get(instanceId: InstanceId): Peer | undefined {
    return this.#peers.get(instanceId);
  }

  /** The last live peer was judged down, and no other instance has proved itself since. */
  get isLonely(): boolean {
    return this.#isLonely;
  }

  /** The number of peers that are up; strangers do not count. */
  count(): number {
    let count = 0;
    for (const { isProven, state } of this.#peers.values()) if (isProven && state === "up") count++;
    return count;
  }

  /** Own beats from one that is said to all to the next; of a healthy instance in a cluster of this size. */
  get stride(): number {
    const { heartbeatInstancesMax, farMsPerInstance, heartbeatMs } = this.#constants;
    const instances = this.count() + 1;
    return instances <= heartbeatInstancesMax ? 1 : Math.ceil((instances * farMsPerInstance) / heartbeatMs);
  }

  /** Every beat of that peer comes here. */
  isNear({ near, group }: Peer): boolean {
    return near === undefined || this.#groups.hears(group);
  }

  /** How many beats of that peer, or of this instance, were due since it was last heard. */
  age(peer: Peer): number {
    const ownMs = this.#beats.intervalMs;
    const isToGroup = peer.near !== undefined && this.isNear(peer);
    return isToGroup ? peer.ageMs / ownMs : peer.age(ownMs, Math.max(ownMs, this.#farMs), this.#constants);
  }

  /** The boards of all of them, as announced. */
  get boards(): number {
    let sum = 0;
    for (const { isProven, isAround, boards } of this.#peers.values()) if (isProven && isAround) sum += boards;
    return sum;
  }

  /** Some peers have just said goodbye and none is up: most likely all are restarted one after the other, and one is back in a moment. */
  get areRestarting(): boolean {
    let haveLeft = false;
    for (const { state } of this.#peers.values()) {
      if (state === "up") return false;
      haveLeft ||= state === "left";
    }
    return haveLeft;
  }

  get livePeers(): number {
    let count = 0;
    for (const { state } of this.#peers.values()) if (state === "up") count++;
    return count;
  }

  sinceAt(instanceId: InstanceId, at: Millis, now: Millis): Millis | undefined {
    return this.#peers.get(instanceId)?.clock.since(at, this.#beats.wayMs, now);
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

  /** Whether that peer hears moves on its own channel, by its last heartbeat and by what Redis has said since (R25). */
  takesMoves(instanceId: InstanceId): boolean {
    const peer = this.#peers.get(instanceId);
    return peer?.isProven === true && peer.takesMoves;
  }

  /** Redis has nobody subscribed to the channel of that peer: until its next heartbeat it is believed not to listen there. */
  unheard(instanceId: InstanceId): void {
    const peer = this.#peers.get(instanceId);
    if (peer !== undefined) peer.takesMoves = false;
  }

  missedSince(at: Millis): InstanceId[] {
    return [...this.#peers.values()].flatMap(({ instanceId, state, missedAt }) => (state === "up" && missedAt >= at ? [instanceId] : []));
  }

  deadline(): Millis {
    return this.#forgetAt;
  }

  tick(now: Millis): void {
    if (now >= this.#forgetAt) this.#forgetDue(now);
  }

  /** Whether a message of another instance may be believed. An instance never heard before is up from its first message on (R8). */
  accepts(instanceId: InstanceId, link: number, message: BusMessage, now: Millis): boolean {
    let peer = this.#peers.get(instanceId);
    if (peer === undefined && message.kind !== "goodbye") peer = this.#meet(instanceId, link, now);
    if (peer === undefined) return false;
    const isHeartbeat = message.kind === "heartbeat";
    if (isHeartbeat ? peer.isNewestBeat(link, message.beat, this.#beats.round, now) : peer.isOfNewestLink(link, this.#beats.round))
      return isHeartbeat || peer.isAround || (peer.state === "left" && saysLeavesOnly(message));
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
    const isNew = this.#beats.beat <= this.#constants.calmBeats;
    const isNear = heartbeat.near === undefined || this.#groups.hears(peer.group);
    const skipped = peer.beats(heartbeat, { isNew, isNear, round: this.#beats.round, now }, this.#constants);
    // Somebody speaks to a group, so this cluster is large, though this instance may have met few peers yet.
    if (heartbeat.near !== undefined && !this.#groups.isListening) this.#groups.fit(this.count() + 1, true);
    peer.state = "up";
    const isMet = peer.isProven && !wasProven;
    if (peer.isProven) this.#isLonely = false;
    if (former !== "up" || isMet) {
      this.#tell(peer, "up");
      this.#host.judged(instanceId);
    }
    // While a peer was down, or had said goodbye, its messages were ignored.
    const isBack = former === "down" || former === "left" || (isMet && peer.isOldAcquaintance);
    // A short silence cannot hide a change and both beacons after it. A longer one may hide a whole slice.
    const isLong = isBack || skipped >= this.#constants.suspectBeats;
    if (isLong) peer.missedAt = now;
    if (isLong || skipped > 0) this.#host.missed(instanceId, isLong ? "everywhere" : "where_held");
  }

  goodbye(instanceId: InstanceId, now: Millis): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined || !peer.isAround) return;
    this.#forgetBy(peer, now + this.#constants.goodbyeMs);
    this.#fade(peer, "left");
  }

  /** Every beat of that group comes here from now on. */
  subscribed(group: Group): void {
    for (const peer of this.#peers.values())
      if (peer.group === group && peer.near !== undefined) peer.ageMs = Math.min(peer.ageMs, this.#beats.intervalMs);
  }

  /** Others say that these instances are silent. An instance that speaks to no group is judged by everybody alone. */
  accuses(from: InstanceId, { accused }: Verdict, now: Millis): void {
    const by = this.#peers.get(from);
    if (by === undefined || by.state !== "up" || !by.isProven || by.isDegraded) return;
    for (const { instanceId, beat, isDown } of accused) {
      if (instanceId === this.#instanceId) this.#host.accused();
      const peer = this.#peers.get(instanceId);
      // If a later beat came here, it lives, or its accuser only missed that beat.
      if (peer === undefined || peer === by || !peer.isAround || peer.near === undefined || beat < peer.beat) continue;
      peer.accusers.set(from, { isDown });
      peer.livedAt = Math.min(now, Math.max(peer.livedAt, peer.heardAt + (beat - peer.beat) * this.#constants.heartbeatMs));
      this.#weigh(peer, now);
    }
  }

  /** An own heartbeat has come back: judges peers by how long they have been silent (R7). */
  judge(now: Millis): void {
    this.#farMs = this.stride * this.#constants.heartbeatMs;
    const accused: Accused[] = [];
    for (const peer of this.#peers.values()) {
      if (!peer.isAround) {
        // This instance has said that the peer is down, and has given it up since. It says so once more, as one message may be lost.
        if (peer.accusation?.isDown && ++peer.accusation.times === 2) accused.push(accusationOf(peer));
        continue;
      }
      peer.ageMs += this.#beats.intervalMs;
      const age = this.age(peer);
      const isToGroup = peer.near !== undefined && this.isNear(peer);
      if (isToGroup && this.#calmBeats === 0 && this.#hasToAccuse(peer, age)) accused.push(accusationOf(peer));
      this.#weigh(peer, now, age);
      if (peer.state === "up" && age >= this.#constants.suspectBeats && this.#calmBeats === 0) this.#fade(peer, "suspect");
    }
    if (accused.length > 0) this.#accuse(accused);
    if (this.#calmBeats > 0) this.#calmBeats--;
  }

  /** Judges a peer by the word of others and, with an `age`, by its own silence. */
  #weigh(peer: Peer, now: Millis, age = 0): void {
    const { accusersMin, downBeats, refuteBeats } = this.#constants;
    let downs = 0;
    for (const { isDown } of peer.accusers.values()) if (isDown) downs++;
    if (peer.state === "up" && peer.accusers.size >= accusersMin) this.#fade(peer, "suspect");
    if (peer.state !== "suspect") return;
    const suspectBeats = this.#beats.round - peer.suspectIn;
    // The words that it is down may be lost. Then those that it is silent are enough, once the peer has had the time of a down peer to answer.
    const isBelieved =
      (downs >= accusersMin && suspectBeats >= refuteBeats) || (peer.accusers.size >= accusersMin && suspectBeats >= downBeats);
    if (!isBelieved && age < downBeats) return;
    this.#giveUp(peer, now, peer.isProven ? now - peer.livedAt : undefined);
    if (peer.isProven) this.#isLonely = this.count() === 0;
  }

  /** Whether to say now that this peer is silent: unless others have said so, and twice, as one message may be lost. */
  #hasToAccuse(peer: Peer, age: number): boolean {
    const { suspectBeats, downBeats, accusersMin } = this.#constants;
    if (age < suspectBeats || !peer.isProven) return false;
    const isDown = age >= downBeats;
    if (peer.accusation?.isDown !== isDown) peer.accusation = { isDown, times: 0 };
    let others = 0;
    for (const accuser of peer.accusers.values()) if (accuser.isDown || !isDown) others++;
    if (peer.accusation.times === 0 ? others >= accusersMin : peer.accusation.times >= 2) return false;
    peer.accusation.times++;
    return true;
  }

  #accuse(accused: readonly Accused[]): void {
    for (let first = 0; first < accused.length; first += ACCUSED_MAX) {
      const message = { kind: "verdict", accused: accused.slice(first, first + ACCUSED_MAX) } as const;
      this.#host.emit({ kind: "publish", boardId: undefined, message });
    }
  }

  /** This instance has recovered: peers need a moment to be heard again. */
  beCalm(): void {
    this.#calmBeats = this.#constants.calmBeats;
  }

  /** No member of theirs is shown any more. */
  giveUpAll(now: Millis): void {
    for (const peer of this.#peers.values()) if (peer.isAround) this.#giveUp(peer, now, undefined);
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
      if (oldest === undefined || this.age(oldest) < silentBeats) return undefined;
      this.#giveUp(oldest, now, undefined);
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
      else if (peer.state === "left") this.#bury(peer, now, now - peer.forgetAt);
      else this.#peers.delete(peer.instanceId);
    }
    if (this.count() === 0) this.#isLonely = false;
  }

  #forgetBy(peer: Peer, at: Millis): void {
    peer.forgetAt = at;
    this.#forgetAt = Math.min(this.#forgetAt, at);
  }

  /** Its members are not shown any more. The peer is remembered for a while as down; a stranger is forgotten at once. */
  #bury(peer: Peer, now: Millis, silentMs: Millis | undefined): void {
    peer.state = "down";
    if (peer.isProven) this.#forgetBy(peer, now + this.#constants.downRememberedMs);
    else this.#peers.delete(peer.instanceId);
    this.#host.gone(peer.instanceId, silentMs);
  }

  #giveUp(peer: Peer, now: Millis, silentMs: Millis | undefined): void {
    this.#tell(peer, "down");
    this.#bury(peer, now, silentMs);
  }

  /** The peer is not gone, but its members are shown as reconnecting. */
  #fade(peer: Peer, state: "suspect" | "left"): void {
    peer.state = state;
    peer.clock.forget();
    peer.suspectIn = this.#beats.round;
    this.#tell(peer, state);
    this.#host.judged(peer.instanceId);
  }

  #tell({ instanceId, isProven }: Peer, state: Peer["state"]): void {
    this.#host.emit({ kind: "peer", instanceId, state, isProven });
  }
}

/** R12.9. */
function saysLeavesOnly(message: BusMessage): boolean {
  return message.kind === "delta" && message.ops.every(({ op }) => op === "del");
}

/** In one message: 1.2 KB. */
export const ACCUSED_MAX = 64;

function accusationOf({ instanceId, beat, accusation }: Peer): Accused {
  return { instanceId, beat, isDown: accusation?.isDown === true };
}
