/**
 * The price of everything that a client can make this instance do, and the accounts from which it is paid. One unit of work stands for
 * about a microsecond of the event loop. Prices are fixed numbers and not measured times, so that the same messages always cost
 * the same. Pure: the time is handed in. It decides which connections have to wait and for how long; lane.ts holds them meanwhile.
 */

import type { Millis } from "@presence-service/protocol";
import { type Bounds, boundsOf } from "../bounds.ts";

export type Work = number;

/** Prices in work. docs/decisions/003-budgets.md says how they were found. */
export const PRICE = {
  /** A move in any encoding but JSON: two numbers written into arrays. */
  cursor: 2,
  /** A sample of a path, the place itself included: an object, which each viewer is sent. A pen at the fastest pace uses half of a connection's work. */
  pathSample: 2,
  /** Decoding any other message, and handling most of them. */
  message: 10,
  /** JSON is slower to decode than bytes are, and long messages are slower than short ones. */
  byteIn: 0.02,
  /** So many bytes of a long read (`SLICE_BYTES`), whatever they hold. */
  slice: 50,
  /** A WebSocket pong that came in. */
  pong: 5,
  /** A WebSocket ping: the answer to it is a system call. */
  ping: 20,
  /** A refusal, on top of its message: an error is encoded and written. */
  refusal: 50,
  /** A join on top of its message: slice, roster, bus. */
  join: 100,
  /** A join on top of that, while its board has more of them than `JOINS_PER_BOARD`. */
  joinInCrowd: 1000,
  /** A leave, on top of its message. */
  leave: 40,
  /** A board that is not here yet: 9 KB that stay for 45 s, a subscription, two questions. */
  board: 1000,
  /** One call of the host's `authenticate` or `authorize`: what it costs the host is unknown, and it may be a query. */
  hostCall: 500,
  /** A byte of a change or an event that each member of the board is sent. They share one frame, so it is cheap. */
  byteShared: 0.002,
  /** A byte of a roster, which is encoded for one client alone. At this price an address may ask for 5 MB/s. */
  byteOfRoster: 0.05,
  /** Looking at other areas, on top of its message and of the places there, which cost as much as a roster. */
  look: 40,
  /** A hex digit of the list of members that a client holds: each member has 24, and is looked up among those of the board. */
  heldDigit: 0.02,
  /** A page of members, on top of its message and its bytes. */
  page: 100,
  /** A member of a board of which a page is asked: the ids may have to be sorted for it. */
  memberSorted: 0.5,
  /** A board in a `watch`, on top of the bytes of that message. */
  watch: 3,
  /** A board that nobody here watched before: memory, and its share of what is said and heard on the bus. */
  watchedFirst: 60,
  /** The counts of a board that its watcher is told. */
  news: 0.5,
  /** An upgrade to a WebSocket, whether it is granted or refused. */
  handshake: 300,
} as const;

/** A rate with a burst, in units per millisecond and in units. The last taker may overdraw a pool. */
export type Rate = { readonly perMs: number; readonly burst: number };

/** The limits of connections, addresses and boards by default; docs/OPERATIONS.md shows the same table. */
export const LIMITS = {
  /** Work that each connection has for itself: 1 000 moves a second, where a hand makes 60. */
  connection: { perMs: 2, burst: 20_000 },
  /** Work that an address lends to its connections on top, and pays for handshakes: a quarter of the loop. The burst is enough for 200 people who reload at once. */
  address: { perMs: 250, burst: 500_000 },
  /** Members in grace that an address may leave by connections that lived for less than 30 s: 400 at once, and 20 more a second. */
  graces: { perMs: 0.02, burst: 400 },
  /** Upgrades of an address that are looked at: more than its work pays for, unless `HANDSHAKES_PER_ADDRESS` is lower. */
  handshakes: { perMs: 1, burst: 2000 },
  /** Joins of one board. Each further one costs `joinInCrowd`. */
  joins: { perMs: 0.2, burst: 1000 },
  /** Bytes of updates and broadcasts on one board, times the members who are told: 32 MB/s. Fifty people that draw together make 25. */
  audience: { perMs: 32_000, burst: 64_000_000 },
} as const satisfies Record<string, Rate>;

/** C4. Limits of one connection for each kind of message, by default: an app that broadcasts too much must not lose its updates. */
export const BUDGETS = {
  /** 32 boards joined at once, several times over. Each costs every viewer a frame. */
  join: { perSecond: 50, burst: 200 },
  /** More than a hand can do. An app that draws has to gather the strokes of a pen, which come at the pace of the screen. */
  broadcast: { perSecond: 50, burst: 200 },
  /** The SDK gathers updates to 20 a second on a board, and sends those that are due before each broadcast. */
  update: { perSecond: 50, burst: 200 },
  /** Fresh tokens: a client needs one every few minutes, and the host may ask a database for each. */
  auth: { perSecond: 0.2, burst: 5 },
  /** A thousand boards come in a few messages, and an app may watch others each time that its list is scrolled. */
  watch: { perSecond: 5, burst: 50 },
  /** Errors in answer to mistakes: a client with a bug gets some, so that its developer sees what is wrong. */
  mistake: { perSecond: 1, burst: 30 },
  /** Answers to heartbeats: far more than a client needs to find out whether this instance is there. */
  echo: { perSecond: 1, burst: 5 },
};

export type Rates = { readonly [of in keyof typeof LIMITS]: Rate };
export type Budgets = { readonly [of in keyof typeof BUDGETS]: { readonly perSecond: number; readonly burst: number } };

/** Rates and budgets with the limits of an operator. The burst stays the same multiple of the rate. */
export function ratesOf(bounds: Bounds): Rates {
  const at = ({ perMs, burst }: Rate, perSecond: number): Rate => ({
    perMs: perSecond / 1000,
    burst: (burst / perMs) * (perSecond / 1000),
  });
  return {
    connection: at(LIMITS.connection, bounds.workPerConnection),
    address: at(LIMITS.address, bounds.workPerAddress),
    graces: LIMITS.graces,
    handshakes: at(LIMITS.handshakes, bounds.handshakesPerAddress),
    joins: at(LIMITS.joins, bounds.joinsPerBoard),
    audience: at(LIMITS.audience, bounds.bytesPerBoard),
  };
}

export function budgetsOf({ joinsPerConnection, eventsPerConnection, updatesPerConnection }: Bounds): Budgets {
  const of = (perSecond: number) => ({ perSecond, burst: 4 * perSecond });
  return { ...BUDGETS, join: of(joinsPerConnection), broadcast: of(eventsPerConnection), update: of(updatesPerConnection) };
}

const DEFAULTS = boundsOf();

/** A connection settles each time it has used so much: the price of the hot path is one addition and one comparison. */
export const QUANTUM: Work = 300;
/** A connection that uses a quantum faster than this, 3 % of the loop, takes turns with all others that do. */
export const QUANTUM_MS_MIN: Millis = 10;
/** A connection that lived for longer counts as a real visit. One that reloads or reconnects all the time does not live so long. */
export const YOUNG_MS: Millis = 30_000;
/** A connection that is overdrawn again within this time after it has paid has not slowed down. */
export const CALM_MS: Millis = 5000;
/** A client whose connection is overdrawn so often in a row is told once. If that goes on for `OVERDRAWN_MS_MAX`, it is abuse. */
export const OVERDRAWS_TOLD = 10;
export const OVERDRAWN_MS_MAX: Millis = 30_000;
/** Addresses without connections that are remembered because they have not paid; the oldest are forgotten first. */
export const ADDRESSES_MAX = 10_000;

/** The balance of a rate with a burst. The last taker may overdraw it; then it gives nothing until that is paid. */
export class Pool {
  readonly #rate: Rate;
  #balance: number;
  #at: Millis;

  constructor(rate: Rate, now: Millis, balance: number = rate.burst) {
    this.#rate = rate;
    this.#balance = balance;
    this.#at = now;
  }

  balance(now: Millis): number {
    this.#balance = Math.min(this.#rate.burst, this.#balance + (now - this.#at) * this.#rate.perMs);
    this.#at = now;
    return this.#balance;
  }

  /** False: the pool is overdrawn, and nothing was taken. */
  take(amount: number, now: Millis): boolean {
    if (this.balance(now) < 0) return false;
    this.#balance -= amount;
    return true;
  }

  charge(amount: number, now: Millis): void {
    this.#balance = this.balance(now) - amount;
  }

  /** When the pool gives again; a time in the past: now. */
  paidAt(now: Millis): Millis {
    return now - this.balance(now) / this.#rate.perMs;
  }
}

/** The account that all connections of one network address share. It outlives them until it has paid. */
export class AddressAccount {
  connections = 0;
  /** Boards that are here because a connection of this address was the first on them. */
  boards = 0;
  /** Boards that its connections watch, each counted for each. */
  watched = 0;
  readonly rates: Rates;
  readonly work: Pool;
  readonly graces: Pool;
  readonly handshakes: Pool;
  readonly #bounds: Bounds;

  constructor(now: Millis, bounds: Bounds = DEFAULTS, rates: Rates = LIMITS) {
    this.#bounds = bounds;
    this.rates = rates;
    this.work = new Pool(rates.address, now);
    this.graces = new Pool(rates.graces, now);
    this.handshakes = new Pool(rates.handshakes, now);
  }

  /** Whether it may have another connection, be the first on another board, watch another board. */
  get mayConnect(): boolean {
    return this.connections < this.#bounds.connectionsPerAddress;
  }

  get mayOpenBoard(): boolean {
    return this.boards < this.#bounds.boardsPerAddress;
  }

  get mayWatch(): boolean {
    return this.watched < this.#bounds.watchedPerAddress;
  }

  /** Pays for an upgrade and answers undefined; or answers when to ask again. */
  payHandshake(now: Millis): Millis | undefined {
    if (this.handshakes.balance(now) < 0) return this.handshakes.paidAt(now);
    if (!this.work.take(PRICE.handshake, now)) return this.work.paidAt(now);
    this.handshakes.charge(1, now);
    return undefined;
  }

  /** It owes nothing, and nothing is here because of it: it can be forgotten. */
  isSettled(now: Millis): boolean {
    const { work, graces, handshakes, rates } = this;
    if (this.boards > 0) return false;
    return (
      work.balance(now) === rates.address.burst &&
      graces.balance(now) === rates.graces.burst &&
      handshakes.balance(now) === rates.handshakes.burst
    );
  }
}

/** All addresses that are connected, or still have to pay. */
export class Addresses {
  readonly #accounts = new Map<string, AddressAccount>();
  readonly #bounds: Bounds;
  readonly #rates: Rates;

  constructor(bounds: Bounds = DEFAULTS) {
    this.#bounds = bounds;
    this.#rates = ratesOf(bounds);
  }

  get size(): number {
    return this.#accounts.size;
  }

  of(address: string, now: Millis): AddressAccount {
    let account = this.#accounts.get(address);
    if (account === undefined) {
      account = new AddressAccount(now, this.#bounds, this.#rates);
      this.#accounts.set(address, account);
    }
    return account;
  }

  /** To be called every few seconds. */
  forget(now: Millis): void {
    let tooMany = this.#accounts.size - ADDRESSES_MAX;
    for (const [address, account] of this.#accounts) {
      if (account.connections > 0) continue;
      if (tooMany > 0 || account.isSettled(now)) {
        this.#accounts.delete(address);
        tooMany--;
      }
    }
  }
}

/**
 * Why a connection has to wait, and until when. `turn`: others that use as much come first. `debt`: it has to pay. `tell`: it has to pay
 * and its client is told, as it was overdrawn many times in a row. `abuse`: that has gone on for so long that the connection is ended.
 */
export type Wait = { readonly cause: "turn" | "debt" | "tell" | "abuse"; readonly at: Millis };

/** The work that one connection has used and not paid yet. It begins with no savings, so that reconnecting brings a client nothing. */
export class Account {
  readonly address: AddressAccount;
  readonly #own: Pool;
  readonly #openedAt: Millis;
  #spent: Work = 0;
  #settledAt: Millis;
  /** When the connection had paid its last debt; undefined: it is overdrawn. */
  #paidAt: Millis | undefined;
  #overdraws = 0;
  #overdrawnSince: Millis = 0;

  constructor(address: AddressAccount, now: Millis) {
    this.address = address;
    this.#own = new Pool(address.rates.connection, now, 0);
    this.#openedAt = now;
    this.#settledAt = now;
    this.#paidAt = now;
    address.connections++;
  }

  /** False: it is time to `settle`. */
  spend(work: Work): boolean {
    this.#spent += work;
    return this.#spent <= QUANTUM;
  }

  /** Pays the work that was used, first from the connection's own pool. Answers whether it has to wait before more of it is read. */
  settle(now: Millis): Wait | undefined {
    const isFast = now - this.#settledAt < QUANTUM_MS_MIN;
    this.#settledAt = now;
    const at = this.#pay(now);
    if (at > now) return { cause: this.#overdrawn(now), at };
    return isFast ? { cause: "turn", at: now } : undefined;
  }

  /** Ends the connection's wait if it can pay. An answer later than now: it has to wait until that time. */
  mayGoOn(now: Millis): Millis {
    const at = this.#pay(now);
    if (at > now) return at;
    this.#settledAt = now;
    this.#paidAt ??= now;
    return now;
  }

  /** Whether so many members may stay shown until this client comes back. If its connection lived for `YOUNG_MS`, they always may. */
  mayLeaveBehind(members: number, now: Millis): boolean {
    return now - this.#openedAt >= YOUNG_MS || this.address.graces.take(members, now);
  }

  /** The connection has ended. Its address owes what it has not paid. */
  close(now: Millis): void {
    this.address.connections--;
    this.address.work.charge(Math.max(0, this.#spent - this.#own.balance(now)), now);
  }

  #pay(now: Millis): Millis {
    this.#own.charge(this.#spent, now);
    this.#spent = 0;
    const debt = -this.#own.balance(now);
    if (debt <= 0) return now;
    if (this.address.work.take(debt, now)) {
      this.#own.charge(-debt, now);
      return now;
    }
    return Math.min(this.#own.paidAt(now), this.address.work.paidAt(now));
  }

  #overdrawn(now: Millis): "debt" | "tell" | "abuse" {
    if (this.#paidAt === undefined) return "debt";
    if (now - this.#paidAt > CALM_MS) this.#overdraws = 0;
    if (this.#overdraws === 0) this.#overdrawnSince = now;
    this.#overdraws++;
    this.#paidAt = undefined;
    if (this.#overdraws === OVERDRAWS_TOLD) return "tell";
    return this.#overdraws > OVERDRAWS_TOLD && now - this.#overdrawnSince > OVERDRAWN_MS_MAX ? "abuse" : "debt";
  }
}
