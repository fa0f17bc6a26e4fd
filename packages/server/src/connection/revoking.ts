/**
 * Tells the other instances which tokens are void (R24): those that have just come, and all of them now and then, as a message may be lost.
 * One instance speaks for all that know the same. It decides about no token: revocations.ts does.
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import type { Revocation } from "../core/messages.ts";
import { Alarm } from "./alarm.ts";
import { Revocations } from "./revocations.ts";

export type RevokingOptions = {
  readonly lifeMs: Millis;
  readonly clock: Clock;
  /** Tells all instances. */
  readonly say: (list: readonly Revocation[]) => void;
  /** These were not known here: whoever is connected with such a token has to go. */
  readonly learned: (list: readonly Revocation[]) => void;
};

const REPEAT_MS: Millis = 60_000;
/** An instance that has come is told within this time, by the one that draws the shortest. */
const TELL_MS_MIN: Millis = 300;
const TELL_MS_MAX: Millis = 2000;
/** 12 KB with the longest userIds. */
const SAID_AT_ONCE_MAX = 64;

export class Revoking {
  readonly #options: RevokingOptions;
  readonly #known: Revocations;
  readonly #alarm: Alarm;
  /** When each was last said by anybody. */
  readonly #saidAt = new Map<string, Millis>();
  /** Revocations that were said before this time are to be said again. */
  #sayBefore: Millis = Number.NEGATIVE_INFINITY;
  #at: Millis = Number.POSITIVE_INFINITY;

  constructor(options: RevokingOptions) {
    const { lifeMs, clock } = options;
    this.#options = options;
    this.#known = new Revocations(lifeMs, () => clock.wallNow());
    this.#alarm = new Alarm(clock, () => this.#sayAll());
  }

  isVoid(userId: string, issuedAt: Millis | undefined): boolean {
    return this.#known.isVoid(userId, issuedAt);
  }

  list(): Revocation[] {
    return this.#known.list();
  }

  /** Somebody has said these, this instance itself perhaps. */
  heard(list: readonly Revocation[]): void {
    const now = this.#options.clock.now();
    const news = list.filter((one) => this.#known.add(one));
    for (const { userId } of list) this.#saidAt.set(userId, now);
    if (news.length > 0) this.#options.learned(news);
    if (this.#at === Number.POSITIVE_INFINITY && this.#known.list().length > 0) this.#sayWithin(REPEAT_MS, now);
  }

  /** Another instance has come, or has come back: it may know nothing. */
  met(): void {
    const { clock } = this.#options;
    if (this.#known.list().length === 0) return;
    this.#sayBefore = clock.now();
    this.#sayWithin(TELL_MS_MAX, clock.now());
  }

  stop(): void {
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  #sayWithin(ms: Millis, now: Millis): void {
    const at = now + TELL_MS_MIN + Math.random() * (ms - TELL_MS_MIN);
    if (at >= this.#at) return;
    this.#at = at;
    this.#alarm.set(at);
  }

  #sayAll(): void {
    const now = this.#options.clock.now();
    this.#at = Number.POSITIVE_INFINITY;
    const list = this.#known.list();
    const known = new Set(list.map(({ userId }) => userId));
    for (const userId of this.#saidAt.keys()) if (!known.has(userId)) this.#saidAt.delete(userId);
    const before = Math.max(this.#sayBefore, now - REPEAT_MS / 2);
    const due = list.filter(({ userId }) => (this.#saidAt.get(userId) ?? Number.NEGATIVE_INFINITY) < before);
    for (let first = 0; first < due.length; first += SAID_AT_ONCE_MAX) {
      const some = due.slice(first, first + SAID_AT_ONCE_MAX);
      for (const { userId } of some) this.#saidAt.set(userId, now);
      this.#options.say(some);
    }
    if (list.length > 0) this.#sayWithin(REPEAT_MS, now);
  }
}
