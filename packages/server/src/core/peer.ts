/**
 * One peer, as its messages have shown it so far: which of them is its newest (R3), whether it has proved itself (R8), how old its
 * last message is (R7) and whether it hears this instance (R10). Anybody on the bus can speak in its name, so what one message may
 * claim is bounded here. Pure: it has no timers and calls nothing.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";
import { groupOf } from "./groups.ts";
import type { Group, Heartbeat } from "./messages.ts";
import { OwnerClock } from "./owner-clock.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** A heartbeat that is not newer than the newest one, kept in case more of its kind follow. */
type Rival = { readonly link: number; readonly beat: number; readonly heardAt: Millis; readonly followed: boolean };

/** `Peers` counts rounds by own echoes: rounds go on only while the bus works, and a burst of echoes is one round. */
export class Peer {
  readonly instanceId: InstanceId;
  /** The name of the peer in acknowledgements. */
  readonly short: number;
  state: "up" | "suspect" | "down" | "left" = "up";
  /** The peer has gone on beating. Until then it is a stranger: its slices are shown, and it counts for nothing else. */
  isProven = false;
  /** Both sides had been running when its first heartbeat arrived here: neither has heard what the other said before. */
  isOldAcquaintance = false;
  /** The time since its last heartbeat, counted in own heartbeats that came back and not by a clock. */
  ageMs: Millis = 0;
  heardAt: Millis;
  /** When it last gave a sign of life, here or at others who said so. */
  livedAt: Millis;
  intervalMs: Millis;
  beaconMs: Millis;
  boards = 0;
  isDegraded = false;
  /** It hears moves on its own channel, as it says (R25). */
  takesMoves = false;
  /** The last round in which it acknowledged an old own beat: it says itself that it has not heard this instance since. */
  deafIn = Number.NEGATIVE_INFINITY;
  /** It hears neither this instance nor those that this instance hears: it is on another Redis than this one publishes to. */
  isElsewhere = false;
  /** When it was last heard after a silence in which anything of it may have been missed, on any board (R4). */
  missedAt: Millis = Number.NEGATIVE_INFINITY;
  /** Between its beats to all it beats to its group; as far as its heartbeats say, it hears groups so far away. */
  near: Heartbeat["near"];
  readonly group: Group;
  /** Instances that have not heard it either since its last heartbeat here, and whether they judge it down. */
  accusers = new Map<InstanceId, { readonly isDown: boolean }>();
  /** This instance has said that it is silent, so often. */
  accusation: { readonly isDown: boolean; times: number } | undefined;
  /** The round in which it became suspect. */
  suspectIn = 0;
  /** Its own time, as its heartbeats tell it. */
  readonly clock = new OwnerClock();
  /** When a peer that is down or left is forgotten. */
  forgetAt: Millis = NEVER;
  #link: number;
  /** The round in which its link number rose. */
  #linkedIn = Number.NEGATIVE_INFINITY;
  #beat = 0;
  #firstBeatIn = 0;
  #lastBeatIn = 0;
  #unackedBeats = 0;
  /** The round in which it last acknowledged a recent beat of this instance, or was first heard. */
  #ackedIn = 0;
  /** Its last heartbeat was heard among all its beats. */
  #wasNear = true;
  /** The boards believed at the end of the round before that one. */
  #boardsBefore = 0;
  #rival: Rival | undefined;
  readonly #beatMsMin: Millis;

  constructor(instanceId: InstanceId, link: number, constants: Constants, now: Millis) {
    const { heartbeatMs, beaconMsMin } = constants;
    this.instanceId = instanceId;
    this.short = shortOf(instanceId);
    this.group = groupOf(instanceId, constants);
    this.#link = link;
    this.heardAt = this.livedAt = now;
    this.#beatMsMin = heartbeatMs;
    this.intervalMs = heartbeatMs;
    this.beaconMs = beaconMsMin;
  }

  checkpoint(keep: Keep): void {
    this.state = keep(this.state);
    this.isProven = keep(this.isProven);
    this.isOldAcquaintance = keep(this.isOldAcquaintance);
    this.ageMs = keep(this.ageMs);
    this.heardAt = keep(this.heardAt);
    this.livedAt = keep(this.livedAt);
    this.clock.checkpoint(keep);
    this.intervalMs = keep(this.intervalMs);
    this.beaconMs = keep(this.beaconMs);
    this.boards = keep(this.boards);
    this.isDegraded = keep(this.isDegraded);
    this.takesMoves = keep(this.takesMoves);
    this.deafIn = keep(this.deafIn);
    this.isElsewhere = keep(this.isElsewhere);
    this.missedAt = keep(this.missedAt);
    this.near = keep(this.near);
    this.accusers = keep(this.accusers);
    this.accusation = keep(this.accusation);
    this.suspectIn = keep(this.suspectIn);
    this.forgetAt = keep(this.forgetAt);
    this.#link = keep(this.#link);
    this.#linkedIn = keep(this.#linkedIn);
    this.#beat = keep(this.#beat);
    this.#firstBeatIn = keep(this.#firstBeatIn);
    this.#lastBeatIn = keep(this.#lastBeatIn);
    this.#unackedBeats = keep(this.#unackedBeats);
    this.#ackedIn = keep(this.#ackedIn);
    this.#wasNear = keep(this.#wasNear);
    this.#boardsBefore = keep(this.#boardsBefore);
    this.#rival = keep(this.#rival);
  }

  get link(): number {
    return this.#link;
  }

  get beat(): number {
    return this.#beat;
  }

  /** Its members are shown, as it was heard lately. */
  get isAround(): boolean {
    return this.state === "up" || this.state === "suspect";
  }

  /** Whether it has connected anew lately: then it says nothing about its Redis before that others hear it now. */
  isNewlyLinked(round: number, rounds: number): boolean {
    return round - this.#linkedIn < rounds;
  }

  /**
   * Whether a message that is no heartbeat is of its newest connection. Redis may deliver messages from the buffer of an abandoned
   * connection after newer messages of the new one.
   */
  isOfNewestLink(link: number, round: number): boolean {
    if (link < this.#link) return false;
    this.#raiseLink(link, round);
    return true;
  }

  /**
   * Whether a heartbeat is its newest. An earlier one may have been forged with a high link or beat, which would silence the peer for
   * ever. So a third heartbeat below it, each in order and a beat after the other, counts as the newest if nothing newer came in between. This
   * does not let in messages of an abandoned connection: they come in a burst or two, and the new connection goes on beating.
   */
  isNewestBeat(link: number, beat: number, round: number, now: Millis): boolean {
    const rival = this.#rival;
    const goesOn = rival !== undefined && link === rival.link && beat > rival.beat;
    const follows = goesOn && now - rival.heardAt >= this.#beatMsMin / 2;
    if ((link >= this.#link && beat > this.#beat) || (follows && rival.followed)) {
      this.#rival = undefined;
      this.#raiseLink(link, round);
      return true;
    }
    if (!goesOn || follows) this.#rival = { link, beat, heardAt: now, followed: follows };
    return false;
  }

  /** Takes a heartbeat that is its newest. Answers how many before it were missed; Infinity: unknown. */
  beats(heartbeat: Heartbeat, heard: { isNew: boolean; isNear: boolean; round: number; now: Millis }, constants: Constants): number {
    const { beat, intervalMs, beaconMs, boards, status, near } = heartbeat;
    const { isNew, isNear, round, now } = heard;
    const since = near?.since ?? 1;
    const skipped =
      (this.#wasNear && isNear) || since === 1 ? beat - this.#beat - 1 : Math.max(0, Math.ceil((beat - this.#beat) / since) - 1);
    const isBack = beat < this.#beat;
    this.#wasNear = isNear;
    if (this.#beat === 0) {
      this.#firstBeatIn = this.#ackedIn = round;
      this.isOldAcquaintance = !isNew && skipped >= constants.suspectBeats;
    } else if (round > this.#firstBeatIn) this.isProven = true;
    const isFirst = this.#beat === 0;
    // After a sleep of this process many heartbeats are read in one round. A peer that beats in step with this instance is heard twice in
    // one round and not at all in the next, and that may not slow the count.
    this.#unackedBeats = Math.min(this.#unackedBeats + 1, 1 + round - this.#ackedIn);
    if (round > this.#lastBeatIn) this.#boardsBefore = this.boards;
    this.#lastBeatIn = round;
    this.#beat = beat;
    this.near = near;
    this.accusers.clear();
    this.accusation = undefined;
    this.intervalMs = intervalMs;
    this.beaconMs = beaconMs;
    this.boards = Math.min(boards, Math.max(constants.believedBoardsMin, this.#boardsBefore * constants.believedFactorMax));
    this.isDegraded = status === "degraded";
    this.takesMoves = heartbeat.moves === true;
    this.ageMs = 0;
    this.heardAt = this.livedAt = now;
    this.forgetAt = NEVER;
    if (heartbeat.at !== undefined) this.clock.told(heartbeat.at, now);
    if (isFirst) return 0;
    return isBack ? NEVER : skipped;
  }

  /** Its heartbeats since it has acknowledged this instance; no more than there were rounds. */
  get unackedBeats(): number {
    return this.#unackedBeats;
  }

  acknowledged(round: number): void {
    this.#unackedBeats = 0;
    this.#ackedIn = round;
  }

  /** The age in the beats of it that are heard, or in own beats of `ownMs` if these are rarer. `usualMs`: of peers like it. */
  age(ownMs: Millis, usualMs: Millis, { believedFactorMax }: Constants): number {
    return this.ageMs / Math.max(ownMs, Math.min(this.intervalMs, usualMs * believedFactorMax));
  }

  /** It is not expected to acknowledge beats of this instance. */
  forgetAcks(round: number): void {
    this.acknowledged(round);
    this.deafIn = Number.NEGATIVE_INFINITY;
    this.isElsewhere = false;
  }

  #raiseLink(link: number, round: number): void {
    if (link > this.#link) this.#linkedIn = round;
    this.#link = link;
  }
}

/** The first 4 bytes of an instanceId, big-endian: acknowledgements name an instance by them. */
export function shortOf(instanceId: InstanceId): number {
  return Number.parseInt(instanceId.slice(0, 8), 16) >>> 0;
}

/** An acknowledgement holds the low 16 bits of a beat, nine hours' worth: the latest beat with these bits is meant. */
export function beatOf(low: number, latest: number): number {
  return latest - ((latest - low) & 0xffff);
}
