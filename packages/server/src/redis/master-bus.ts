/**
 * One master of a Cluster, for the channels that belong to its slots: a bus of its own, and a clock of its own. A beat goes out on a channel
 * that lies there and that nobody else uses, and comes back while the master serves. If it does not, the channels here are silent, and no
 * others are.
 */

import type { BusListener, Cause, Channel } from "../bus/bus.ts";
import { BusRefused } from "../bus/bus.ts";
import { CONSTANTS } from "../core/constants.ts";
import { PresenceError } from "../errors.ts";
import type { Dialer } from "./client.ts";
import { RedisPubSub } from "./pubsub.ts";
import { Standalone } from "./topology.ts";
import { inWords, type Place } from "./url.ts";

export type MasterBusHost = {
  readonly listener: Pick<BusListener, "message" | "subscribed" | "refused" | "attemptFailed">;
  /** Messages that are published here go over another connection from now on. */
  linked(): void;
  /** A connection was lost. */
  lostLink(): void;
  /** Own beats do not come back. */
  lost(bus: MasterBus): void;
  /** The master has ended the subscription to that channel. */
  ended(channel: Channel): void;
  /** The master says that this slot is elsewhere. */
  moved(slot: number, to: Place): void;
};

/** A slot, and the address of the node that has it. No host: it is that of the node which answers. */
const MOVED = /\bMOVED (\d+) (\S*):(\d+)/;

export class MasterBus {
  readonly place: Place;
  /** Why the channel of the beats cannot be subscribed. */
  refusal: Cause | undefined;
  /** Both connections have been up. */
  readonly opened: Promise<void>;
  readonly #bus: RedisPubSub;
  readonly #host: MasterBusHost;
  readonly #channels = new Set<Channel>();
  readonly #timer: NodeJS.Timeout;
  #echo: Channel | undefined;
  #sent = 0;
  #echoed = 0;
  #isLost = false;
  #recycledAt = Number.NEGATIVE_INFINITY;

  constructor(place: Place, dialer: Dialer, host: MasterBusHost) {
    this.place = place;
    this.#host = host;
    this.#bus = new RedisPubSub(new Standalone({ place }, dialer), (channel) => host.ended(channel));
    let resolveOpened = () => {};
    this.opened = new Promise((resolve) => {
      resolveOpened = resolve;
    });
    this.#bus.open({
      message: (channel, message) => {
        if (channel === this.#echo) this.#heard(Number(Buffer.from(message).toString()));
        else host.listener.message(channel, message);
      },
      subscribed: (channel) => {
        if (this.#channels.has(channel)) host.listener.subscribed(channel);
      },
      refused: (refusal) => {
        if (this.#tellMoved(refusal.reason)) return;
        if (refusal.channel === this.#echo) this.refusal = refusal;
        else host.listener.refused(refusal);
      },
      linkUp: (link) => {
        if (link === "publisher") host.linked();
        if (this.#isUp()) resolveOpened();
      },
      linkDown: () => host.lostLink(),
      lost: () => {},
      attemptFailed: (attempt) => host.listener.attemptFailed(attempt),
    });
    this.#timer = setInterval(() => this.#beat(), CONSTANTS.heartbeatMs);
  }

  /** The channels that are wanted here. */
  get channels(): ReadonlySet<Channel> {
    return this.#channels;
  }

  get isLost(): boolean {
    return this.#isLost;
  }

  /** Something is wrong, or may be. */
  get isDoubtful(): boolean {
    return this.#isLost || !this.#isUp() || this.#sent - this.#echoed > 1;
  }

  #isUp(): boolean {
    return this.#bus.at("publisher") !== undefined && this.#bus.at("subscriber") !== undefined;
  }

  /** The channel of the beats, which must lie here. undefined: none is known. */
  get echo(): Channel | undefined {
    return this.#echo;
  }

  set echo(channel: Channel | undefined) {
    if (channel === this.#echo) return;
    if (this.#echo !== undefined) this.#bus.unsubscribe(this.#echo);
    this.#echo = channel;
    this.#echoed = this.#sent;
    if (channel !== undefined) this.#bus.subscribe(channel);
  }

  subscribe(channel: Channel): void {
    this.#channels.add(channel);
    this.#bus.subscribe(channel);
  }

  unsubscribe(channel: Channel): void {
    this.#channels.delete(channel);
    this.#bus.unsubscribe(channel);
  }

  resubscribe(channel: Channel): void {
    this.#bus.resubscribe(channel);
  }

  publish(channel: Channel, message: Uint8Array): Promise<number | undefined> {
    return this.#bus.publish(channel, message).catch(this.#onError);
  }

  close(): Promise<void> {
    clearInterval(this.#timer);
    return this.#bus.close();
  }

  readonly #onError = (error: unknown): never => {
    if (error instanceof BusRefused && this.#tellMoved(error.why.reason)) {
      // Not sent on to the other node: what was published meanwhile would overtake it there.
      throw new PresenceError("BUS_DOWN", "the slot of the channel is at another node now; nobody heard the message", { cause: error });
    }
    throw error;
  };

  #tellMoved(reason: string): boolean {
    const [isMoved, slot, host, port] = MOVED.exec(reason) ?? [];
    if (isMoved === undefined) return false;
    this.#host.moved(Number(slot), { host: host || this.place.host, port: Number(port) });
    return true;
  }

  #heard(beat: number): void {
    if (!(beat > this.#echoed && beat <= this.#sent)) return;
    this.#echoed = beat;
    this.#isLost = false;
  }

  #beat(): void {
    if (this.#echo === undefined) return;
    if (this.#sent - this.#echoed >= CONSTANTS.unechoedBeatsMax) this.#replace();
    this.#sent++;
    this.#bus.publish(this.#echo, Buffer.from(String(this.#sent))).catch(() => {});
  }

  #replace(): void {
    const now = performance.now();
    if (now - this.#recycledAt >= CONSTANTS.recycleMsMin) {
      this.#recycledAt = now;
      // Both connections lead to one server, and an echo passes through both: it does not show which of them has failed.
      for (const link of ["publisher", "subscriber"] as const) this.#bus.recycle(link);
    }
    if (this.#isLost) return;
    this.#isLost = true;
    this.#host.lost(this);
  }

  /** Why its channels are silent. */
  get cause(): Cause {
    return {
      reason: `own messages do not come back through ${inWords(this.place)}`,
      gist: "own messages do not come back through a node of the Cluster",
      advice: "Only boards whose channels belong to its slots are affected. Does it hang, and has it a replica that takes over?",
    };
  }
}
