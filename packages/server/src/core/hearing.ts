/**
 * Whether the other instances hear this one (R10). An echo cannot show that: a replica of Redis, or a demoted master, takes own messages
 * and brings them back. So each heartbeat acknowledges a few others. This file gives and reads these acknowledgements; pulse.ts acts.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Beats } from "./beats.ts";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import type { Groups } from "./groups.ts";
import type { Ack } from "./messages.ts";
import { beatOf, type Peer, shortOf } from "./peer.ts";
import type { Peers, PeersContext } from "./peers.ts";

export type PeerStats = {
  readonly instanceId: InstanceId;
  /** `deaf`: this instance hears the peer, but the peer does not hear it (R10). */
  readonly state: "up" | "deaf" | "suspect" | "down";
  readonly lastHeardMs: Millis;
};

export class Hearing {
  readonly #constants: Constants;
  readonly #beats: Beats;
  readonly #groups: Groups;
  readonly #peers: Peers;
  readonly #short: number;
  /** Instances begin their turns at different places, so that a peer is not acknowledged by all of them at once. */
  #nextAck: number;
  /** The heartbeats in which a peer acknowledges everybody once, by the number of peers at the last own heartbeat. */
  #turn = 0;
  /** Peers are heard, but for long none has heard this instance. */
  #isUnheard = false;
  #isMute = false;
  #retryMs: Millis;
  /** The last beat before the publisher was replaced: if a peer acknowledges a later one, that has helped. */
  #retriedBeat = 0;

  constructor({ instanceId, constants, beats, groups }: PeersContext, peers: Peers) {
    this.#constants = constants;
    this.#beats = beats;
    this.#groups = groups;
    this.#peers = peers;
    this.#short = shortOf(instanceId);
    this.#nextAck = this.#short;
    this.#retryMs = constants.muteRetryMsMin;
  }

  checkpoint(keep: Keep): void {
    this.#nextAck = keep(this.#nextAck);
    this.#turn = keep(this.#turn);
    this.#isUnheard = keep(this.#isUnheard);
    this.#isMute = keep(this.#isMute);
    this.#retryMs = keep(this.#retryMs);
    this.#retriedBeat = keep(this.#retriedBeat);
  }

  get turn(): number {
    return Math.ceil(this.#turn);
  }

  get isUnheard(): boolean {
    return this.#isUnheard;
  }

  /** This instance publishes where others do not hear it, or all others are gone. */
  get isMute(): boolean {
    return this.#isMute || this.#peers.isLonely;
  }

  /** How long a replaced publisher is given before it is replaced again for the same reason. */
  get retryMs(): Millis {
    return this.#retryMs;
  }

  canAnswer(instanceId: InstanceId): boolean {
    const peer = this.#peers.get(instanceId);
    return peer?.state === "up" && !peer.isDegraded && !this.#isDeaf(peer);
  }

  *list(now: Millis): Iterable<PeerStats> {
    for (const peer of this.#peers) {
      const { instanceId, state, isProven, heardAt } = peer;
      if (!isProven || state === "left") continue;
      yield { instanceId, state: state === "up" && this.#isDeaf(peer) ? "deaf" : state, lastHeardMs: now - heardAt };
    }
  }

  /** Acknowledges a few live peers in turn, and a few that fell silent: these may be mute, and acknowledgements are the first sign of that. */
  takeAcks(): Ack[] {
    const { acksPerBeat, silentBeats } = this.#constants;
    // Only near peers are expected to acknowledge each other, as few beats of the others are heard.
    const live = [...this.#peers].filter((peer) => peer.isProven && peer.isAround && this.#peers.isNear(peer));
    // When peers die, turns become shorter by and by only: the first turns after it still pass over some of the peers that are left.
    this.#turn = Math.max(Math.ceil(live.filter(({ state }) => state === "up").length / acksPerBeat), this.#turn - 0.1);
    // While own beats do not come back, an unheard peer may be beating well: then nothing is acknowledged.
    if (this.#beats.unechoed > 1) return [];
    const silent = live.filter((peer) => this.#peers.age(peer) >= silentBeats);
    const inTurn = (peers: readonly Peer[]) =>
      Array.from({ length: Math.min(acksPerBeat, peers.length) }, (_, index) => peers[(this.#nextAck + index) % peers.length] as Peer);
    const acked = new Set([...inTurn(silent), ...inTurn(live)]);
    this.#nextAck += acksPerBeat;
    return [...acked].map(({ short, beat }) => ({ peer: short, beat: beat & 0xffff }));
  }

  /** Reads the acknowledgements in a heartbeat of this peer. */
  heard(instanceId: InstanceId, acks: readonly Ack[]): void {
    const peer = this.#peers.get(instanceId);
    if (peer === undefined) return;
    const { muteRetryMsMin, downBeats } = this.#constants;
    const { beat: latest, heardByAll, round } = this.#beats;
    const ack = acks.find(({ peer: short }) => short === this.#short);
    const beat = ack === undefined ? 0 : beatOf(ack.beat, latest);
    // A peer gives this instance up long before it is so far behind. If it is, somebody made it believe in beats that were never sent.
    if (beat >= Math.max(1, latest - 2 * downBeats)) {
      const isOld = beat < heardByAll;
      peer.deafIn = isOld ? round : Number.NEGATIVE_INFINITY;
      if (!isOld) peer.acknowledged(round);
      if (!isOld && beat > this.#retriedBeat) this.#retryMs = muteRetryMsMin;
    }
    peer.isElsewhere = this.#isDeaf(peer) && acks.every((one) => one === ack || this.#isMuteToo(one));
  }

  /** To be called with each round. */
  judge(): void {
    const { unheardBeatsMax } = this.#constants;
    const witnesses: Peer[] = [];
    for (const peer of this.#peers) {
      if (!this.#hears(peer)) peer.forgetAcks(this.#beats.round);
      else if (peer.state === "up" && !peer.isDegraded && peer.isProven) witnesses.push(peer);
    }
    const isLong = ({ unackedBeats }: Peer) => unackedBeats >= unheardBeatsMax;
    const isUnheard = witnesses.length > 0 && witnesses.every(isLong);
    const deaf = witnesses.filter((peer) => this.#isDeaf(peer));
    this.#isMute = isUnheard || deaf.length >= 2 || deaf.some(({ isElsewhere }) => isElsewhere);
    this.#isUnheard = isUnheard || (this.#isMute && deaf.every(isLong));
  }

  /** Whether each of us hears every beat of the other, by what the peer says. */
  #hears(peer: Peer): boolean {
    if (!this.#peers.isNear(peer)) return false;
    return !this.#groups.isSpeaking || (peer.near !== undefined && this.#groups.isWithin(peer.group, peer.near.reach));
  }

  /** The publisher is replaced for being mute. */
  retried(): void {
    this.#retriedBeat = this.#beats.beat;
    this.#retryMs = Math.min(this.#constants.muteRetryMsMax, this.#retryMs * 2);
  }

  /** The peer has just said that it misses own beats, or has not acknowledged any within two of its turns and some slack. */
  #isDeaf({ deafIn, unackedBeats, near }: Peer): boolean {
    const { staleAckBeats, muteSlackBeats, unheardBeatsMax } = this.#constants;
    if (this.#beats.round - deafIn < staleAckBeats) return true;
    // Peers that speak to groups hear more or fewer others than this instance does.
    const turn = near === undefined ? this.#turn : Math.min(near.turn, BELIEVED_TURNS_MAX * this.#turn);
    return unackedBeats > 2 * turn + muteSlackBeats || (this.#isUnheard && unackedBeats >= unheardBeatsMax);
  }

  /** Whether the sender of this does not hear a third peer that this instance hears, or hears it only since that peer connected anew. */
  #isMuteToo({ peer: short, beat }: Ack): boolean {
    const { staleAckBeats, downBeats } = this.#constants;
    for (const peer of this.#peers) {
      if (peer.short !== short || !this.#peers.isNear(peer)) continue;
      return peer.isNewlyLinked(this.#beats.round, downBeats) || peer.beat - beatOf(beat, peer.beat) >= staleAckBeats;
    }
    return false;
  }
}

/** In the largest and the smallest neighbourhood of 1 000 instances are 70 and 28 (10 000 draws of ids): a turn is believed up to so many own ones. */
const BELIEVED_TURNS_MAX = 3;
