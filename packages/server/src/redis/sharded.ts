/**
 * The bus over a Cluster with sharded pub/sub: a board's channel belongs to a slot, and is heard at the master of that slot only. Messages
 * for all stay on classic pub/sub. Slots move and masters change: a channel goes where its slot is, and the core is told that
 * the subscription took effect anew, so that it asks for what was missed.
 */

import type { Millis } from "@presence-service/protocol";
import type { Bus, BusListener, Cause, Channel, Link, Mode } from "../bus/bus.ts";
import { PresenceError } from "../errors.ts";
import { within } from "../within.ts";
import type { Dialer } from "./client.ts";
import type { ClusterTopology, Slots } from "./cluster.ts";
import { MasterBus, type MasterBusHost } from "./master-bus.ts";
import { RedisPubSub } from "./pubsub.ts";
import { numberInSlots, SLOTS, slotOf } from "./slot.ts";
import { inWords, type Place } from "./url.ts";

/** Which channels are spread over the masters. */
export type Spread = {
  isSpread(channel: Channel): boolean;
  /** With a number after it, this is the name of a channel on which nobody else speaks. No braces are in it. */
  readonly echoPrefix: Channel;
};

/** The masters have this long to be there at the start. */
const OPEN_MS_MAX = 2000;
/**
 * How often nodes are asked where the slots are. While something is wrong they are asked more often, but only so many times: a failover takes
 * seconds, and what is still wrong then lasts.
 */
const ASK_MS = 1000;
const ASK_SOON_MS = 200;
const ASK_SOON_TIMES = 50;
/** A node has said that a slot has moved. It is believed against the others until they say the same, or for so long. */
const MOVED_MS = 2000;

const NOWHERE: Place = { host: "", port: 0 };

/** A spread channel that is wanted. */
type Wanted = { readonly slot: number; bus: MasterBus | undefined };

type Moved = { readonly to: Place; readonly until: number };

export class ShardedPubSub implements Bus {
  readonly isSpread = true;
  readonly #topology: ClusterTopology;
  readonly #dialer: Dialer;
  readonly #spread: Spread;
  /** For the channels that all hear. */
  readonly #classic: RedisPubSub;
  readonly #wanted = new Map<Channel, Wanted>();
  /** By address. */
  readonly #buses = new Map<string, MasterBus>();
  /** The master of each slot, as nodes last told. */
  #masters: readonly (Place | undefined)[] = [];
  readonly #moved = new Map<number, Moved>();
  /** Channels whose subscription was ended by their master: to be subscribed anew once it is known where. */
  readonly #ended = new Set<Channel>();
  /** Connections for publishing after the first ones. */
  #relinks = 0;
  #isStarted = false;
  #listener: BusListener | undefined;
  #asking: Promise<void> | undefined;
  /** Something was learned since the last question that calls for another one. */
  #isUrgent = false;
  #soon = 0;
  #echoNth = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  constructor(topology: ClusterTopology, spread: Spread) {
    this.#topology = topology;
    this.#dialer = topology.dialer.sharded();
    this.#spread = spread;
    this.#classic = new RedisPubSub(topology);
  }

  async start(listener: BusListener): Promise<void> {
    this.#listener = listener;
    // If nobody answers, the classic connections tell why.
    await this.#ask();
    const opened = [...this.#buses.values()].map((bus) => bus.opened);
    await within(OPEN_MS_MAX, Promise.all(opened), () => {});
    for (const { refusal } of this.#buses.values()) {
      if (refusal === undefined) continue;
      await this.close();
      throw new PresenceError(
        "REDIS_UNREACHABLE",
        `No usable Redis at ${this.address} for sharded pub/sub: ${refusal.reason}. ${refusal.advice}`,
      );
    }
    try {
      await this.#classic.start(listener);
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#isStarted = true;
  }

  get mode(): Mode {
    return this.#classic.mode;
  }

  get address(): string {
    return this.#classic.address;
  }

  at(link: Link): string | undefined {
    return this.#classic.at(link);
  }

  /** Grows whenever any channel is published over another connection than before. */
  get publisherLink(): number {
    const { publisherLink } = this.#classic;
    return publisherLink === 0 ? 0 : publisherLink + this.#relinks;
  }

  publish(channel: Channel, message: Uint8Array): Promise<number | undefined> {
    if (!this.#spread.isSpread(channel)) return this.#classic.publish(channel, message);
    const bus = this.#isStarted && !this.#isClosed ? this.#busOf(this.#wanted.get(channel)?.slot ?? slotOf(channel)) : undefined;
    return (
      bus?.publish(channel, message) ?? Promise.reject(new PresenceError("BUS_DOWN", "no node of the Cluster is known for this channel"))
    );
  }

  subscribe(channel: Channel): void {
    if (!this.#spread.isSpread(channel)) return this.#classic.subscribe(channel);
    if (this.#wanted.has(channel) || this.#isClosed) return;
    const wanted: Wanted = { slot: slotOf(channel), bus: undefined };
    this.#wanted.set(channel, wanted);
    this.#settle(channel, wanted);
    if (!this.#isStarted || wanted.bus?.isLost === false) return;
    setImmediate(() => {
      if (this.#wanted.get(channel) === wanted && wanted.bus?.isLost !== false) this.#tellLost([channel], wanted.bus);
    });
  }

  unsubscribe(channel: Channel): void {
    if (!this.#spread.isSpread(channel)) return this.#classic.unsubscribe(channel);
    this.#wanted.get(channel)?.bus?.unsubscribe(channel);
    this.#wanted.delete(channel);
    this.#ended.delete(channel);
  }

  resubscribe(channel: Channel): void {
    if (!this.#spread.isSpread(channel)) return this.#classic.resubscribe(channel);
    this.#wanted.get(channel)?.bus?.resubscribe(channel);
  }

  /** The core judges the classic connections; a bus judges its own. */
  recycle(link: Link): void {
    this.#classic.recycle(link);
  }

  oldestUnansweredMs(): Millis {
    return this.#classic.oldestUnansweredMs();
  }

  healthCheck(): Promise<Millis> {
    return this.#classic.healthCheck();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    await Promise.all([this.#classic, ...this.#buses.values()].map((part) => part.close()));
  }

  // Where the slots are.

  #busOf(slot: number): MasterBus | undefined {
    const place = this.#moved.get(slot)?.to ?? this.#masters[slot];
    return place && this.#buses.get(inWords(place));
  }

  #ask(): Promise<void> {
    this.#isUrgent = false;
    clearTimeout(this.#timer);
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = undefined;
      if (this.#isClosed) return;
      const isDoubtful = [...this.#buses.values()].some((bus) => bus.isDoubtful) || this.#masters.length === 0;
      this.#soon = isDoubtful || this.#moved.size > 0 ? this.#soon + 1 : 0;
      const isSoon = this.#soon > 0 && this.#soon <= ASK_SOON_TIMES;
      this.#timer = setTimeout(() => void this.#ask(), this.#isUrgent ? 0 : isSoon ? ASK_SOON_MS : ASK_MS);
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const slots = await this.#topology.slots();
    if (this.#isClosed || "reason" in slots) return;
    this.#masters = mastersOf(slots);
    const now = performance.now();
    for (const [slot, { to, until }] of this.#moved) {
      const isKnown = inWords(this.#masters[slot] ?? NOWHERE) === inWords(to);
      if (isKnown || now >= until) this.#moved.delete(slot);
    }
    this.#arrange();
  }

  /** Something has changed, or seems to have. */
  #askSoon(): void {
    this.#isUrgent = true;
    if (this.#asking === undefined && !this.#isClosed) void this.#ask();
  }

  /** Opens and closes shards, and has each channel where its slot is. */
  #arrange(): void {
    const places = new Map<string, Place>();
    for (const place of new Set([...this.#masters, ...[...this.#moved.values()].map(({ to }) => to)])) {
      if (place !== undefined) places.set(inWords(place), place);
    }
    for (const [address, place] of places) {
      if (!this.#buses.has(address)) this.#buses.set(address, new MasterBus(place, this.#dialer, this.#host));
    }
    let hasMoved = false;
    const unserved: Channel[] = [];
    for (const [channel, wanted] of this.#wanted) {
      const { bus } = wanted;
      if (!this.#settle(channel, wanted)) {
        if (this.#ended.has(channel)) bus?.resubscribe(channel);
        continue;
      }
      hasMoved ||= bus !== undefined;
      if (wanted.bus === undefined) unserved.push(channel);
    }
    if (unserved.length > 0) this.#tellLost(unserved, undefined);
    if (hasMoved) this.#host.linked();
    for (const [address, bus] of this.#buses) {
      if (places.has(address)) this.#findEcho(bus);
      else {
        this.#buses.delete(address);
        void bus.close();
      }
    }
    this.#ended.clear();
  }

  /** Subscribes the channel where its slot is. Answers whether that is not where it was. */
  #settle(channel: Channel, wanted: Wanted): boolean {
    const bus = this.#busOf(wanted.slot);
    if (bus === wanted.bus) return false;
    wanted.bus?.unsubscribe(channel);
    wanted.bus = bus;
    bus?.subscribe(channel);
    return true;
  }

  #findEcho(bus: MasterBus): void {
    const isHere = (channel: Channel) => this.#busOf(slotOf(channel)) === bus;
    if (bus.echo !== undefined && isHere(bus.echo)) {
      if (this.#ended.has(bus.echo)) bus.resubscribe(bus.echo);
      return;
    }
    const { echoPrefix } = this.#spread;
    const nth = numberInSlots(echoPrefix, this.#echoNth, (slot) => this.#busOf(slot) === bus);
    if (nth !== undefined) this.#echoNth = nth + 1;
    bus.echo = nth === undefined ? undefined : `${echoPrefix}${nth}`;
  }

  /** `bus` undefined: there is none. */
  #tellLost(channels: readonly Channel[], bus: MasterBus | undefined): void {
    if (!this.#isClosed) this.#listener?.lost(channels, bus?.cause ?? UNSERVED);
  }

  readonly #host: MasterBusHost = {
    listener: {
      message: (channel, message) => this.#listener?.message(channel, message),
      subscribed: (channel) => this.#listener?.subscribed(channel),
      refused: (refusal) => this.#listener?.refused(refusal),
      attemptFailed: (attempt) => this.#listener?.attemptFailed(attempt),
    },
    linked: () => {
      if (this.#isStarted) this.#relinks++;
    },
    lostLink: () => this.#askSoon(),
    lost: (bus) => this.#tellLost([...bus.channels], bus),
    ended: (channel) => {
      this.#ended.add(channel);
      this.#moved.delete(slotOf(channel));
      this.#askSoon();
    },
    moved: (slot, to) => {
      const isNews = inWords(this.#moved.get(slot)?.to ?? this.#masters[slot] ?? NOWHERE) !== inWords(to);
      this.#moved.set(slot, { to, until: performance.now() + MOVED_MS });
      if (isNews && !this.#isClosed) this.#arrange();
    },
  };
}

const UNSERVED: Cause = {
  reason: "no node of the Cluster has the slot of the channel",
  gist: "no node of the Cluster has the slots of some boards",
  advice: "`redis-cli --cluster check` says which slots are not covered.",
};

function mastersOf(slots: readonly Slots[]): readonly (Place | undefined)[] {
  const masters = new Array<Place | undefined>(SLOTS).fill(undefined);
  for (const { from, to, master } of slots) masters.fill(master, from, to + 1);
  return masters;
}
