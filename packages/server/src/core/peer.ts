/**
 * One peer, as its messages have shown it so far: which of them is its newest (R3), whether it has proved itself (R8), how old its
 * last word is (R7) and whether it hears us (R10). Anybody on the bus can speak in its name, so what one message may claim is
 * bounded here. Pure: it has no timers and tells nobody.
 */

import type { InstanceId, Millis } from "@presence-service/protocol";
import type { Constants } from "./constants.ts";
import type { Heartbeat } from "./messages.ts";

const NEVER = Number.POSITIVE_INFINITY;

/** A heartbeat that is not newer than the newest one, kept in case it turns out to be one of many. */
type Rival = { readonly link: number; readonly beat: number; readonly heardAt: Millis };

/** Rounds are counted by own echoes (`Peers`): they go on only while the bus works, and a burst of echoes is one round. */
export class Peer {
  readonly instanceId: InstanceId;
  /** As acknowledgements name it. */
  readonly short: number;
  state: "up" | "suspect" | "down" | "left" = "up";
  /** It has gone on beating: until then it is a stranger, whose slices are shown and who counts for nothing else. */
  isProven = false;
  /** Its first heartbeat here was not one of its first, nor of ours: what both said before was heard by neither. */
  isOldAcquaintance = false;
  /** Milliseconds' worth of own echoes since its last heartbeat: no clock of its own, no clock of ours. */
  ageMs: Millis = 0;
  heardAt: Millis;
  intervalMs: Millis;
  beaconMs: Millis;
  boards = 0;
  isDegraded = false;
  /** Its heartbeats, one a round, since the last one that acknowledged a recent beat of ours. */
  unackedBeats = 0;
  /** The last round in which it acknowledged an old beat of ours: it said itself that it has not heard us since. */
  deafIn = Number.NEGATIVE_INFINITY;
  /** And it hears nobody of those who hear us: it is on another Redis than what we publish to. */
  isElsewhere = false;
  /** When it was last heard after a silence that may have hidden anything, on any board (R4). */
  missedAt: Millis = Number.NEGATIVE_INFINITY;
  /** When a peer that is down or left is forgotten. */
  forgetAt: Millis = NEVER;
  #link: number;
  /** The round in which its link number rose. */
  #linkedIn = Number.NEGATIVE_INFINITY;
  #beat = 0;
  #firstBeatIn = 0;
  #lastBeatIn = 0;
  #rival: Rival | undefined;
  readonly #beatMsMin: Millis;

  constructor(instanceId: InstanceId, link: number, { heartbeatMs, beaconMsMin }: Constants, now: Millis) {
    this.instanceId = instanceId;
    this.short = shortOf(instanceId);
    this.#link = link;
    this.heardAt = now;
    this.#beatMsMin = heartbeatMs;
    this.intervalMs = heartbeatMs;
    this.beaconMs = beaconMsMin;
  }

  get link(): number {
    return this.#link;
  }

  get beat(): number {
    return this.#beat;
  }

  /** Shown, by whatever was heard of it lately. */
  get isAround(): boolean {
    return this.state === "up" || this.state === "suspect";
  }

  /** Whether it is connected anew, so that being heard by others says nothing about where it was before. */
  isNewlyLinked(round: number, rounds: number): boolean {
    return round - this.#linkedIn < rounds;
  }

  /**
   * Whether a message that is no heartbeat is of its newest connection. Redis executes what an abandoned connection had in its
   * buffer after newer messages of the new one.
   */
  isOfNewestLink(link: number, round: number): boolean {
    if (link < this.#link) return false;
    this.#raiseLink(link, round);
    return true;
  }

  /**
   * Whether a heartbeat is its newest. The link or the beat of an earlier one may have been forged, and would silence the peer for
   * ever: so a second heartbeat below it, in order and a beat later, counts as newest when nothing newer came in between. Messages
   * of an abandoned connection do not pass for that: they come in one burst, and the new connection goes on beating.
   */
  isNewestBeat(link: number, beat: number, round: number, now: Millis): boolean {
    const rival = this.#rival;
    const goesOn = rival !== undefined && link === rival.link && beat > rival.beat;
    if ((link >= this.#link && beat > this.#beat) || (goesOn && now - rival.heardAt >= this.#beatMsMin / 2)) {
      this.#rival = undefined;
      this.#raiseLink(link, round);
      return true;
    }
    if (rival === undefined || !goesOn) this.#rival = { link, beat, heardAt: now };
    return false;
  }

  /** A heartbeat that is its newest; answers how many before it were missed, Infinity: nobody knows. */
  beats(heartbeat: Heartbeat, { isNew, round, now }: { isNew: boolean; round: number; now: Millis }, constants: Constants): number {
    const { beat, intervalMs, beaconMs, boards, status } = heartbeat;
    const skipped = beat - this.#beat - 1;
    if (this.#beat === 0) {
      this.#firstBeatIn = round;
      this.isOldAcquaintance = !isNew && skipped >= constants.suspectBeats;
    } else if (round > this.#firstBeatIn) this.isProven = true;
    const isFirst = this.#beat === 0;
    // What was read after a sleep of ours came in one round.
    if (round > this.#lastBeatIn) this.unackedBeats++;
    this.#lastBeatIn = round;
    this.#beat = beat;
    this.intervalMs = intervalMs;
    this.beaconMs = beaconMs;
    this.boards = Math.min(boards, Math.max(constants.believedBoardsMin, this.boards * constants.believedFactorMax));
    this.isDegraded = status === "degraded";
    this.ageMs = 0;
    this.heardAt = now;
    this.forgetAt = NEVER;
    if (isFirst) return 0;
    return skipped < 0 ? NEVER : skipped;
  }

  /** In its beats, or in ours of `ownMs` if these are rarer. */
  age(ownMs: Millis, { believedFactorMax }: Constants): number {
    return this.ageMs / Math.max(ownMs, Math.min(this.intervalMs, ownMs * believedFactorMax));
  }

  #raiseLink(link: number, round: number): void {
    if (link > this.#link) this.#linkedIn = round;
    this.#link = link;
  }
}

/** The first 4 bytes of an instanceId, big-endian: how acknowledgements name it. */
export function shortOf(instanceId: InstanceId): number {
  return Number.parseInt(instanceId.slice(0, 8), 16) >>> 0;
}

/** An acknowledgement says the low 16 bits of a beat, nine hours' worth: the latest such beat is meant. */
export function beatOf(low: number, latest: number): number {
  return latest - ((latest - low) & 0xffff);
}
