/**
 * How long ago something happened at another instance, by the time that it tells of itself (R23). Clocks of machines are never compared:
 * an owner counts milliseconds since its start, its heartbeats tell where that count stands, and the fastest of the last few shows how it
 * lies to the clock here. Nothing is judged by this; it is for measures alone.
 */

import type { Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";

/** Of so many heartbeats the fastest counts: clocks that differ by 100 ppm drift apart by 2 ms in these 20 s. */
const SAMPLES_MAX = 5;

export class OwnerClock {
  /** Of each heartbeat that told the time: the clock here at its coming, less the owner's at its leaving. */
  #leads: Millis[] = [];

  checkpoint(keep: Keep): void {
    this.#leads = keep(this.#leads);
  }

  /** A heartbeat has come that says `at`. */
  told(at: Millis, now: Millis): void {
    this.#leads.push(now - at);
    if (this.#leads.length > SAMPLES_MAX) this.#leads.shift();
  }

  /** The owner was silent: its clock, or the one here, may have stood still meanwhile. */
  forget(): void {
    this.#leads = [];
  }

  /** `wayMs`: how long the fastest message takes. undefined: the owner has not told the time yet. */
  since(at: Millis, wayMs: Millis, now: Millis): Millis | undefined {
    if (this.#leads.length === 0) return undefined;
    return Math.max(0, now - at - Math.min(...this.#leads) + wayMs);
  }
}
