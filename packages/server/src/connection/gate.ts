/**
 * The gate makes connections and upgrades wait: it knows the accounts of all network addresses (budget.ts) and gives out turns (lane.ts),
 * to connections and to upgrades apart. It has one timer for all of them.
 */

import type { Millis } from "@presence-service/protocol";
import type { Bounds } from "../bounds.ts";
import type { Clock } from "../clock.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { Alarm } from "./alarm.ts";
import { Account, type AddressAccount, Addresses, type Wait } from "./budget.ts";
import { Lane, UPGRADES_PER_LANE, type Waiter } from "./lane.ts";
import { type Newcomer, Newcomers } from "./newcomers.ts";

/** So many upgrades may wait: as many as the lane lets through while a client has patience. Later ones are told to come back. */
const HANDSHAKES_WAITING_MAX = 8192;

export class Gate {
  readonly #clock: Clock;
  readonly #metrics: Metrics;
  readonly #addresses: Addresses;
  readonly #lane = new Lane();
  readonly #upgrades = new Lane(UPGRADES_PER_LANE);
  readonly #newcomers: Newcomers;
  readonly #alarm: Alarm;
  readonly #handshakes = new Map<AddressAccount, Handshakes>();
  #handshakesWaiting = 0;

  constructor(clock: Clock, metrics: Metrics, bounds: Bounds) {
    this.#addresses = new Addresses(bounds);
    this.#newcomers = new Newcomers(bounds.connectionsWithoutHello);
    this.#clock = clock;
    this.#metrics = metrics;
    this.#alarm = new Alarm(clock, () => this.#run());
  }

  account(address: string): Account {
    const now = this.#clock.now();
    return new Account(this.#addresses.of(address, now), now);
  }

  /**
   * Calls `go` when that address has paid for an upgrade and its turn has come, mostly at once. Addresses take turns, however many wait
   * at each. False: too many wait, and it will not be called. Otherwise a function, to be called if the client has gone meanwhile: its turn is
   * another one's then. One address may have as many waiting as places are free: a flood of upgrades takes half of them, and leaves the
   * others the rest.
   */
  admit(address: string, go: () => void): false | (() => void) {
    const now = this.#clock.now();
    const account = this.#addresses.of(address, now);
    const handshakes = this.#handshakes.get(account) ?? new Handshakes(account, (more) => this.#admitted(account, more));
    if (handshakes.waiting >= HANDSHAKES_WAITING_MAX - this.#handshakesWaiting) {
      this.#metrics.throttled.handshake_refused++;
      return false;
    }
    let isWaiting = true;
    this.#handshakesWaiting++;
    const giveUp = handshakes.add(() => {
      isWaiting = false;
      go();
    });
    if (handshakes.waiting === 1) {
      this.#handshakes.set(account, handshakes);
      this.#upgrades.wait(handshakes, now);
    }
    this.#run();
    if (isWaiting) this.#metrics.throttled.handshake++;
    return () => {
      if (!giveUp()) return;
      this.#handshakesWaiting--;
      if (handshakes.waiting > 0) return;
      this.#upgrades.leave(handshakes);
      this.#handshakes.delete(account);
    };
  }

  /** Whether that address may have one more connection. */
  mayConnect(address: string): boolean {
    return this.#addresses.of(address, this.#clock.now()).mayConnect;
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
    this.#setAlarm();
  }

  /** The connection has ended. Answers whether so many of its members may stay shown until its client comes back. */
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
    for (const handshakes of this.#handshakes.values()) {
      this.#upgrades.leave(handshakes);
      handshakes.goAll();
    }
    this.#handshakes.clear();
    this.#handshakesWaiting = 0;
    this.#alarm.set(Number.POSITIVE_INFINITY);
  }

  /** One upgrade of that address was let through; its next one waits behind those of all others. */
  #admitted(account: AddressAccount, hasMore: boolean): void {
    this.#handshakesWaiting--;
    const handshakes = this.#handshakes.get(account);
    if (hasMore && handshakes !== undefined) this.#upgrades.wait(handshakes, this.#clock.now());
    else this.#handshakes.delete(account);
  }

  #run(): void {
    const now = this.#clock.now();
    this.#upgrades.run(now);
    this.#lane.run(now);
    this.#setAlarm();
  }

  #setAlarm(): void {
    this.#alarm.set(Math.min(this.#lane.next(), this.#upgrades.next()));
  }
}

/**
 * The upgrades of one address that wait for their turn and for their address to pay, in the order of their coming. Only the first of
 * them is in their lane. One whose client has gone takes no turn: in a crowd that comes back and loses patience, all turns would be theirs.
 */
class Handshakes implements Waiter {
  readonly #address: AddressAccount;
  readonly #admitted: (hasMore: boolean) => void;
  /** `go` undefined: its client has gone, or it had its turn. */
  #places: { go: (() => void) | undefined }[] = [];
  /** So many of the places are over at least; they are the first ones. */
  #done = 0;
  waiting = 0;

  constructor(address: AddressAccount, admitted: (hasMore: boolean) => void) {
    this.#address = address;
    this.#admitted = admitted;
  }

  /** The function that it returns gives the place up. It answers false if that had its turn. */
  add(go: () => void): () => boolean {
    const place: { go: (() => void) | undefined } = { go };
    this.#places.push(place);
    this.waiting++;
    return () => {
      if (place.go === undefined) return false;
      place.go = undefined;
      this.waiting--;
      this.#tidy();
      return true;
    };
  }

  turn(now: Millis): Millis | undefined {
    const paidAt = this.#address.payHandshake(now);
    if (paidAt !== undefined) return paidAt;
    const go = this.#next();
    this.#tidy();
    this.#admitted(this.waiting > 0);
    go?.();
    return undefined;
  }

  goAll(): void {
    for (let go = this.#next(); go !== undefined; go = this.#next()) go();
  }

  #next(): (() => void) | undefined {
    while (this.#done < this.#places.length) {
      const place = this.#places[this.#done++];
      const go = place?.go;
      if (place === undefined || go === undefined) continue;
      place.go = undefined;
      this.waiting--;
      return go;
    }
    return undefined;
  }

  /** Now and then, so that a queue which never ends keeps nothing of those that are gone. */
  #tidy(): void {
    if (this.#places.length <= 2 * this.waiting) return;
    this.#places = this.#places.filter(({ go }) => go !== undefined);
    this.#done = 0;
  }
}
