/**
 * The clock of the service, or of a mover that tells its paths, as far as its stamps tell: 16 bits of milliseconds, from an unknown start, after an unknown time on the way.
 * Pure. It is no clock to compare with others: it says in which rhythm places were gathered, and how late messages come at worst.
 */

import type { Millis } from "@presence-service/protocol";

const STAMPS = 0x1_0000;
/** The quickest message of late is the measure. It is forgotten at this rate, since clocks drift and ways become longer. */
const FORGET = 0.001;
/** The share of one message in the means of lateness. */
const SHARE = 1 / 16;
/** Mean and so many mean deviations: a rare stall is not worth being late for always. */
const DEVIATIONS = 2;

export class ServiceClock {
  /** The time of the last message, on the service's clock and ours; undefined: there was none. */
  #last: { readonly sentAt: Millis; readonly heardAt: Millis } | undefined;
  #offset: Millis = 0;
  #late: Millis = 0;
  #deviation: Millis = 0;

  reset(): void {
    this.#last = undefined;
    this.#late = this.#deviation = 0;
  }

  /** Answers with the time of that stamp, on a clock that does not begin anew every 65 s. */
  heard(stamp: number, now: Millis): Millis {
    if (this.#last === undefined) {
      this.#last = { sentAt: stamp, heardAt: now };
      this.#offset = now - stamp;
      return stamp;
    }
    const elapsed = now - this.#last.heardAt;
    const expected = this.#last.sentAt + elapsed;
    // Of all times with that stamp, the one next to the expected.
    const ahead = (((stamp - expected) % STAMPS) + STAMPS) % STAMPS;
    const sentAt = Math.max(this.#last.sentAt, expected + (ahead < STAMPS / 2 ? ahead : ahead - STAMPS));
    this.#offset = Math.min(now - sentAt, this.#offset + FORGET * elapsed);
    const late = now - sentAt - this.#offset;
    this.#deviation += SHARE * (Math.abs(late - this.#late) - this.#deviation);
    this.#late += SHARE * (late - this.#late);
    this.#last = { sentAt, heardAt: now };
    return sentAt;
  }

  /** Add it to a time of the service to have the time, here, at which the quickest message of that time comes. */
  get offsetMs(): Millis {
    return this.#offset;
  }

  /** Most messages come by so much later than the quickest. */
  get jitterMs(): Millis {
    return this.#late + DEVIATIONS * this.#deviation;
  }
}
