/**
 * The heartbeats of this instance and their echoes: the clock by which others are judged (R7). It stands still while own messages do not
 * come back, so an instance that is stalled, deaf or cut off judges nobody. It says nothing and judges nothing: pulse.ts does.
 */

import type { Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Constants } from "./constants.ts";

/** An echo of an own heartbeat. */
export type BeatEcho = {
  /** Since the beat was sent; undefined: too long ago, or it came back before. */
  readonly ms: Millis | undefined;
  /** It is later than all that came back before. */
  readonly isNew: boolean;
  /** An earlier beat has not come back, and will not. */
  readonly skipped: number;
  /** It came so shortly after the one before that peers are judged only once for both. */
  readonly isBurst: boolean;
};

/** Only its own methods write the numbers. */
export class Beats {
  /** The number of the last beat. */
  beat = 0;
  /** From the last beat to the next. */
  intervalMs: Millis;
  /** The number of beats since the last one that came back. */
  unechoed = 0;
  /** When one last came back. */
  echoedAt: Millis;
  /** How long the last one took that came back. */
  echoMs: Millis | null = null;
  /** How long the fastest of the last few took: the way of a message through a bus that is well. */
  get wayMs(): Millis {
    return this.#ways.length === 0 ? 0 : Math.min(...this.#ways);
  }

  /** Counts echoes; those that came in one burst count once. */
  round = 0;
  readonly #staleAckBeats: number;
  /** How long the last ones took. */
  #ways: Millis[] = [];
  #sentAt = new Map<number, Millis>();
  #echoedBeat = 0;
  /** The beats that came back in the last rounds, oldest first. */
  #roundBeats: number[] = [];

  constructor({ staleAckBeats, heartbeatMs }: Constants, now: Millis) {
    this.#staleAckBeats = staleAckBeats;
    this.intervalMs = heartbeatMs;
    this.echoedAt = now;
  }

  checkpoint(keep: Keep): void {
    this.beat = keep(this.beat);
    this.intervalMs = keep(this.intervalMs);
    this.unechoed = keep(this.unechoed);
    this.echoedAt = keep(this.echoedAt);
    this.echoMs = keep(this.echoMs);
    this.round = keep(this.round);
    this.#ways = keep(this.#ways);
    this.#sentAt = keep(this.#sentAt);
    this.#echoedBeat = keep(this.#echoedBeat);
    this.#roundBeats = keep(this.#roundBeats);
  }

  /** Every peer that hears this instance has heard this beat or a later one; 0: that cannot be said yet. */
  get heardByAll(): number {
    return this.#roundBeats.length < this.#staleAckBeats ? 0 : (this.#roundBeats[0] ?? 0);
  }

  /** A heartbeat leaves, and the next one does `intervalMs` later. */
  sent(intervalMs: Millis, now: Millis): void {
    this.intervalMs = intervalMs;
    this.beat++;
    this.unechoed++;
    this.#sentAt.set(this.beat, now);
    if (this.#sentAt.size > SENT_BEATS_MAX) this.#sentAt.delete(this.beat - SENT_BEATS_MAX);
  }

  /** A heartbeat in the own name came back; undefined: that beat was never sent. */
  echoed(beat: number, now: Millis): BeatEcho | undefined {
    if (beat > this.beat) return undefined;
    const sentAt = this.#sentAt.get(beat);
    for (const older of this.#sentAt.keys()) if (older <= beat) this.#sentAt.delete(older);
    const ms = sentAt === undefined ? undefined : now - sentAt;
    if (beat <= this.#echoedBeat) return { ms, isNew: false, skipped: 0, isBurst: false };
    const skipped = beat - this.#echoedBeat - 1;
    // After a stall of Redis all messages come in one burst, perhaps own echoes before the beats of others: then peers are judged once.
    const isBurst = now - this.echoedAt < this.intervalMs / 2;
    this.echoMs = ms ?? this.echoMs;
    if (ms !== undefined) this.#ways.push(ms);
    if (this.#ways.length > WAYS_MAX) this.#ways.shift();
    this.#echoedBeat = beat;
    this.echoedAt = now;
    this.unechoed = this.beat - beat;
    if (!isBurst) {
      this.round++;
      this.#roundBeats.push(beat);
      if (this.#roundBeats.length > this.#staleAckBeats) this.#roundBeats.shift();
    }
    return { ms, isNew: true, skipped, isBurst };
  }
}

/** So many echoes are compared for the fastest: 5 s of them. */
const WAYS_MAX = 10;

/** Beats whose echo is still timed. An echo that is later than that is not timed. */
const SENT_BEATS_MAX = 64;
