/**
 * The gate makes connections and upgrades wait: it knows the accounts of all network addresses (budget.ts) and gives out turns (lane.ts).
 * It has one timer for all of them.
 */

import type { Millis } from "@presence-service/protocol";
import type { Clock } from "../clock.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { Alarm } from "./alarm.ts";
import { Account, type AddressAccount, Addresses, PRICE, type Wait } from "./budget.ts";
import { Lane, type Waiter } from "./lane.ts";
import { type Newcomer, Newcomers } from "./newcomers.ts";

/** Upgrades that wait to be paid for. At 1 000 a second this is as long as a client has patience; later ones are told to come back. */
const HANDSHAKES_WAITING_MAX = 4096;

export class Gate {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #addresses = new Addresses();
  readonly #lane = new Lane();
  readonly #newcomers = new Newcomers();
  readonly #alarm: Alarm;
  readonly #handshakes = new Set<Handshake>();

  constructor(clock: Clock, metrics: Metrics) {
    this.#clock = clock;
    this.#metrics = metrics;
    this.#alarm = new Alarm(clock, () => this.#run());
  }

  account(address: string): Account {
    const now = this.#clock.now();
    return new Account(this.#addresses.of(address, now), now);
  }

  /**
   * Calls `go` when that address has paid for an upgrade and earlier ones have had their turns, mostly at once. False: too many upgrades
   * wait, and `go` will not be called.
   */
  admit(address: string, go: () => void): boolean {
    if (this.#handshakes.size >= HANDSHAKES_WAITING_MAX) {
      this.#metrics.throttled.handshake_refused++;
      return false;
    }
    const now = this.#clock.now();
    const handshake = new Handshake(this.#addresses.of(address, now), () => {
      this.#handshakes.delete(handshake);
      go();
    });
    this.#handshakes.add(handshake);
    this.#lane.wait(handshake, now);
    this.#run();
    if (this.#handshakes.has(handshake)) this.#metrics.throttled.handshake++;
    return true;
  }

  /** Whether one more connection may be opened; another one that has said nothing may be ended for it. `hasRoom`: a file descriptor is left. */
  makeRoom(hasRoom: boolean): boolean {
    return this.#newcomers.makeRoom(hasRoom, this.#clock.now());
  }

  /** A connection was opened. */
  opened(newcomer: Newcomer): void {
    this.#newcomers.add(newcomer, this.#clock.now());
  }

  wait(waiter: Waiter, { cause, at }: Wait): void {
    this.#metrics.throttled[cause === "turn" ? "turn" : "debt"]++;
    this.#lane.wait(waiter, at);
    this.#alarm.set(this.#lane.next());
  }

  /** The connection is over. Answers whether so many of its members may stay shown until its client comes back. */
  leave(waiter: Waiter, account: Account, members: number): boolean {
    const now = this.#clock.now();
    this.#lane.leave(waiter);
    this.#newcomers.delete(waiter);
    account.close(now);
    if (members === 0 || account.mayLeaveBehind(members, now)) return true;
    this.#metrics.throttled.grace++;
    return false;
  }

  /** To be called every few seconds. */
  tidy(now: Millis): void {
    this.#addresses.forget(now);
    this.#newcomers.tidy();
  }

  /** Lets the upgrades that still wait through: they are told that this instance stops. */
  stop(): void {
    for (const handshake of this.#handshakes) {
      this.#lane.leave(handshake);
      handshake.go();
    }
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  #run(): void {
    this.#lane.run(this.#clock.now());
    this.#alarm.set(this.#lane.next());
  }
}

/** An upgrade that waits for its turn and for its address to pay. The code that takes it notices if its socket has gone meanwhile. */
class Handshake implements Waiter {
  readonly go: () => void;
  readonly #address: AddressAccount;

  constructor(address: AddressAccount, go: () => void) {
    this.#address = address;
    this.go = go;
  }

  turn(now: Millis): Millis | undefined {
    if (!this.#address.work.take(PRICE.handshake, now)) return this.#address.work.paidAt(now);
    this.go();
    return undefined;
  }
}
