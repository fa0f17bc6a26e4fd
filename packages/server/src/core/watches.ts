/**
 * The boards of which clients of this instance want the counts without being on them (R15): what is known of each, which shards of the
 * bus are heard for that, and when to say again what is wanted. A board with clients here is known from its roster, and costs nothing.
 * It counts nobody itself: census.ts tells what others want to know.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Keep } from "./checkpoint.ts";
import type { Context } from "./context.ts";
import { Deadlines } from "./deadlines.ts";
import type { OccupancyTold } from "./messages.ts";
import { type BoardHash, EMPTY, hashOfBoard, isSame, type Occupants, pieces, type Shard, shardOf, WANT_BOARDS_MAX } from "./occupancy.ts";

const NEVER = Number.POSITIVE_INFINITY;

type Watch = {
  readonly boardId: BoardId;
  readonly hash: BoardHash;
  /** undefined: not known yet. */
  counts: Occupants | undefined;
  /** The roster of this instance counts. */
  isHere: boolean;
  /** The instance that told the counts. */
  teller: InstanceId | undefined;
  heardAt: Millis;
  /** How often it was asked about since the doubt about it began, and since it is watched. */
  asks: number;
  asksInAll: number;
};

type ShardHeard = {
  readonly watches: Set<Watch>;
  isSubscribed: boolean;
  /** When anything was last heard on its channel, an own message too. */
  heardAt: Millis;
  /** When this instance said something there to hear whether it comes back. */
  probedAt: Millis | undefined;
};

export class Watches {
  readonly #context: Context;
  #watches = new Map<BoardId, Watch>();
  #shards = new Map<Shard, ShardHeard>();
  /** The boards whose counts each instance told. Strangers may come by the thousand, so no other board is looked at when one goes. */
  #toldBy = new Map<InstanceId, Set<Watch>>();
  /** When each board in doubt is asked about, or counts as empty. */
  readonly #asks = new Deadlines<Watch>();
  /** Asks that begin shortly one after the other leave together at this time. */
  #gatherAt: Millis = Number.NEGATIVE_INFINITY;
  #renewAt: Millis = NEVER;
  #renewedAt: Millis = Number.NEGATIVE_INFINITY;
  /** A peer has said that it may have missed wants. It may have missed asks as well, so boards that count 0 are asked about again. */
  #isAsked = false;
  #listenAt: Millis = NEVER;

  constructor(context: Context) {
    this.#context = context;
  }

  checkpoint(keep: Keep): void {
    this.#watches = keep(this.#watches);
    this.#shards = keep(this.#shards);
    this.#toldBy = keep(this.#toldBy);
    this.#asks.checkpoint(keep);
    this.#gatherAt = keep(this.#gatherAt);
    this.#renewAt = keep(this.#renewAt);
    this.#renewedAt = keep(this.#renewedAt);
    this.#isAsked = keep(this.#isAsked);
    this.#listenAt = keep(this.#listenAt);
  }

  get size(): number {
    return this.#watches.size;
  }

  has(boardId: BoardId): boolean {
    return this.#watches.has(boardId);
  }

  /** undefined: not known yet. */
  countsOf(boardId: BoardId): Occupants | undefined {
    return this.#watches.get(boardId)?.counts;
  }

  deadline(): Millis {
    return Math.min(this.#asks.next(), this.#renewAt, this.#listenAt);
  }

  tick(now: Millis): void {
    this.#askDue(now);
    if (now >= this.#renewAt) this.#renew(now);
    if (now >= this.#listenAt) this.#listen(now);
  }

  // Of the local clients.

  watch(boardId: BoardId, now: Millis): void {
    if (this.#watches.has(boardId)) return;
    const hash = hashOfBoard(boardId);
    const watch: Watch = { boardId, hash, counts: undefined, isHere: false, teller: undefined, heardAt: now, asks: 0, asksInAll: 0 };
    this.#watches.set(boardId, watch);
    const shard = this.#shards.get(shardOf(hash)) ?? this.#hear(shardOf(hash), now);
    shard.watches.add(watch);
    if (this.#renewAt === NEVER) this.#renewAt = now + this.#context.constants.wantMs;
    if (shard.isSubscribed) this.#doubt(watch, now, 0);
  }

  /** Nothing is said of it: the others forget a want that is not said again. */
  unwatch(boardId: BoardId): void {
    const watch = this.#watches.get(boardId);
    if (watch === undefined) return;
    this.#watches.delete(boardId);
    this.#asks.set(watch, NEVER);
    this.#noteTeller(watch, undefined);
    const number = shardOf(watch.hash);
    const shard = this.#shards.get(number);
    if (shard?.watches.delete(watch) && shard.watches.size === 0) {
      this.#shards.delete(number);
      this.#context.emit({ kind: "shard", act: "unsubscribe", shard: number });
    }
    if (this.#watches.size > 0) return;
    this.#renewAt = NEVER;
    this.#listenAt = NEVER;
  }

  /** The roster of a board that is open here. `isHere`: clients here look at it, or this instance tells its counts. The roster of any other may be wrong for long. */
  look(boardId: BoardId, { members, users }: Occupants, isHere: boolean, now: Millis): void {
    const watch = this.#watches.get(boardId);
    if (watch === undefined || !(isHere || watch.isHere)) return;
    this.#set(watch, { members, users });
    if (isHere === watch.isHere) return;
    watch.isHere = isHere;
    this.#noteTeller(watch, undefined);
    if (isHere) this.#believe(watch);
    else this.#doubt(watch, now, 0);
  }

  // Of the bus.

  /** A new connection restores subscriptions: then recovery asks for all boards, in its time. */
  subscribed(number: Shard, now: Millis): void {
    const shard = this.#shards.get(number);
    if (shard === undefined) return;
    const isAnew = !shard.isSubscribed;
    shard.isSubscribed = true;
    shard.heardAt = now;
    shard.probedAt = undefined;
    if (isAnew) for (const watch of shard.watches) this.#doubt(watch, now, 0);
  }

  /** Nothing is heard there, so nothing is concluded from that nobody answers: counts stay as they were. */
  refused(number: Shard): void {
    const shard = this.#shards.get(number);
    if (shard === undefined) return;
    shard.isSubscribed = false;
    shard.probedAt = undefined;
    for (const watch of shard.watches) this.#believe(watch);
  }

  /** `from` undefined: an own message came back. */
  heard(from: InstanceId | undefined, { shard: number, boards }: OccupancyTold, now: Millis): void {
    const shard = this.#shards.get(number);
    if (shard === undefined) return;
    shard.heardAt = now;
    shard.probedAt = undefined;
    if (from === undefined) return;
    for (const { board, members, users } of boards) {
      const watch = this.#watches.get(board);
      if (watch === undefined || watch.isHere) continue;
      watch.heardAt = now;
      if (members === 0) this.#heardEmpty(watch, from, now);
      else {
        // If the first ask has not left yet, it still has to: it also tells the others what is wanted.
        if (watch.asks > 0) this.#believe(watch);
        this.#noteTeller(watch, from);
        this.#set(watch, { members, users });
      }
    }
  }

  /** An instance says that nobody is there. It has no members there itself, and may have missed those of others, so the others are asked. */
  #heardEmpty(watch: Watch, from: InstanceId, now: Millis): void {
    if ((watch.counts?.members ?? 0) === 0) return;
    if (watch.teller === from) this.#set(watch, EMPTY);
    if (!this.#asks.has(watch)) this.#doubt(watch, now, 0);
  }

  /** A peer does not know what is wanted here. */
  asked(now: Millis): void {
    if (this.#watches.size === 0) return;
    this.#isAsked = true;
    const { wantAgainMsMin, wantAgainMsMax } = this.#context.constants;
    const at = now + this.#context.random.between(wantAgainMsMin, wantAgainMsMax) + this.#spreadMs();
    this.#renewAt = Math.min(this.#renewAt, Math.max(at, this.#renewedAt + wantAgainMsMax));
  }

  /** Words about any board may have been missed, or wants. */
  missed(now: Millis): void {
    const spreadMs = this.#spreadMs();
    for (const watch of this.#watches.values()) this.#doubt(watch, now, spreadMs);
  }

  /** That instance tells nothing any more. */
  gone(peer: InstanceId, now: Millis): void {
    for (const watch of [...(this.#toldBy.get(peer) ?? [])]) {
      // It may come back, tell again, and be gone again.
      this.#noteTeller(watch, undefined);
      this.#doubt(watch, now, 0);
    }
  }

  // Asking.

  /** A board that is in doubt already is asked about as often as one that is not, as its asks may have been lost, but not in one breath with the last one. */
  #doubt(watch: Watch, now: Millis, spreadMs: Millis): void {
    const { isSubscribed } = this.#shards.get(shardOf(watch.hash)) ?? { isSubscribed: false };
    if (watch.isHere || !isSubscribed) return;
    watch.asks = 0;
    if (this.#asks.has(watch)) {
      const [againMs = 0] = this.#context.constants.wantAskMs;
      return this.#asks.hasten(watch, now + againMs + this.#context.random.between(0, spreadMs));
    }
    if (spreadMs > 0) return this.#asks.set(watch, now + this.#context.random.between(0, spreadMs));
    if (this.#gatherAt <= now) this.#gatherAt = now + this.#context.constants.wantGatherMs;
    this.#asks.set(watch, this.#gatherAt);
  }

  #believe(watch: Watch): void {
    this.#asks.set(watch, NEVER);
  }

  #askDue(now: Millis): void {
    const { constants, bus, peers } = this.#context;
    const asked: BoardHash[] = [];
    const isAlone = peers.livePeers === 0;
    for (let watch = this.#asks.takeDue(now); watch !== undefined; watch = this.#asks.takeDue(now)) {
      const waitMs = constants.wantAskMs[watch.asks];
      // Nobody is there, nobody has answered, or nobody can be heard and what was heard is too old.
      if (bus.isEchoMissing && !bus.isCleared) {
        watch.asks = 0;
        this.#asks.set(watch, now + constants.heartbeatMs);
      } else if (waitMs === undefined || bus.isCleared || (isAlone && !bus.isSettling(now))) {
        this.#noteTeller(watch, undefined);
        this.#set(watch, EMPTY);
      } else {
        watch.asks++;
        asked.push(watch.hash);
        // Where the bus is troubled doubts follow each other, and a client would never be told.
        const isPatient = ++watch.asksInAll <= constants.wantAskMs.length && !isAlone;
        if (watch.counts === undefined && !isPatient) this.#set(watch, EMPTY);
        this.#asks.set(watch, now + waitMs);
      }
    }
    this.#want(asked, true);
  }

  #want(hashes: readonly BoardHash[], answer: boolean): void {
    const leaseMs = Math.round(this.#periodMs() * this.#context.constants.wantLeasePeriods);
    for (const boards of pieces(hashes, WANT_BOARDS_MAX))
      this.#context.emit({ kind: "publish", boardId: undefined, message: { kind: "want", leaseMs, answer, boards } });
  }

  /** Says again what is wanted. A board of which nothing was heard for long is asked about. */
  #renew(now: Millis): void {
    this.#renewedAt = now;
    this.#renewAt = now + this.#periodMs();
    const { occupancySilentMs } = this.#context.constants;
    const known: BoardHash[] = [];
    const unknown: BoardHash[] = [];
    for (const watch of this.#watches.values()) {
      if (watch.isHere) continue;
      const isEmpty = watch.counts?.members === 0;
      if (now - watch.heardAt <= occupancySilentMs && !(isEmpty && this.#isAsked)) known.push(watch.hash);
      // Asks that have begun go on: begun anew with each want, they would have no end where peers come and go.
      else if (isEmpty || this.#asks.has(watch)) unknown.push(watch.hash);
      else this.#doubt(watch, now, 0);
    }
    this.#isAsked = false;
    this.#want(known, false);
    this.#want(unknown, true);
  }

  #periodMs(): Millis {
    return Math.max(this.#context.constants.wantMs, this.#spreadMs());
  }

  /** Over how much time to say all that is wanted, since every instance hears it. */
  #spreadMs(): Millis {
    return ((this.#watches.size * this.#context.peers.livePeers) / this.#context.constants.wantsPerSecond) * 1000;
  }

  // Hearing.

  #hear(number: Shard, now: Millis): ShardHeard {
    const shard: ShardHeard = { watches: new Set(), isSubscribed: false, heardAt: now, probedAt: undefined };
    this.#shards.set(number, shard);
    this.#context.emit({ kind: "shard", act: "subscribe", shard: number });
    if (this.#listenAt === NEVER) this.#listenAt = now + this.#context.constants.boardUnechoedMs;
    return shard;
  }

  /** A lost subscription shows only when something does not come back. Whatever is heard on a shard proves it. */
  #listen(now: Millis): void {
    const { constants, bus } = this.#context;
    this.#listenAt = now + constants.boardUnechoedMs;
    for (const [number, shard] of this.#shards) {
      if (!shard.isSubscribed || ![...shard.watches].some(({ isHere }) => !isHere)) continue;
      if (shard.probedAt === undefined) {
        if (now - shard.heardAt < constants.wantMs) continue;
        shard.probedAt = now;
        this.#context.emit({
          kind: "publish",
          boardId: undefined,
          shard: number,
          message: { kind: "occupancy", shard: number, boards: [] },
        });
      } else if (now - shard.probedAt >= constants.boardUnechoedMs) {
        const isLost = !bus.isEchoMissing && bus.echoedAt > shard.probedAt;
        shard.probedAt = undefined;
        if (!isLost) continue;
        shard.isSubscribed = false;
        this.#context.emit({ kind: "shard", act: "resubscribe", shard: number });
      }
    }
  }

  #noteTeller(watch: Watch, teller: InstanceId | undefined): void {
    if (watch.teller === teller) return;
    if (watch.teller !== undefined) {
      const told = this.#toldBy.get(watch.teller);
      if (told?.delete(watch) && told.size === 0) this.#toldBy.delete(watch.teller);
    }
    watch.teller = teller;
    if (teller !== undefined) this.#toldBy.set(teller, (this.#toldBy.get(teller) ?? new Set()).add(watch));
  }

  #set(watch: Watch, counts: Occupants): void {
    if (isSame(watch.counts, counts)) return;
    watch.counts = counts;
    this.#context.emit({ kind: "occupancy", boardId: watch.boardId });
  }
}
