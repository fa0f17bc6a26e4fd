/**
 * A simulated Redis between the instances of a World, on virtual time, with its faults. It keeps the contract of
 * bus/bus.ts (at most once; in order per publisher, to each subscriber; own messages too) and reports the same events as a bus.
 * It decides nothing: a dead connection stays until its core orders to recycle it.
 */

import type { BoardId, InstanceId, Millis } from "@presence-service/protocol";
import type { Input, Link } from "../core/effects.ts";
import type { BusMessage, Group } from "../core/messages.ts";
import type { Shard } from "../core/occupancy.ts";
import type { Random } from "../core/random.ts";
import type { VirtualClock } from "./virtual-clock.ts";

/** Faults of all messages, at all times. Faults of one instance, or of Redis itself, are methods of `Network`. */
export type Faults = {
  /** One-way delay between an instance and Redis; random for each message, order kept. */
  readonly latencyMsMin: Millis;
  readonly latencyMsMax: Millis;
  /** The time until a subscription is confirmed, beyond the way there and back. */
  readonly subscribeMsMax: Millis;
  /** A lost connection is opened anew with doubling backoff and full jitter, from 50 ms up to this. */
  readonly reconnectMsMax: Millis;
  /** The probability that a message is lost on its way to one subscriber. */
  readonly lossRate: number;
  readonly duplicateRate: number;
  /** Whether the answer to a publish counts the subscribers. In a Cluster it does not. */
  readonly countsReceivers: boolean;
  /** Messages to lose. */
  readonly loses?: ((delivery: Delivery) => boolean) | undefined;
  /** Replaces the message for one subscriber. */
  readonly rewrites?: ((delivery: Delivery) => BusMessage) | undefined;
};

export const HEALTHY: Faults = {
  latencyMsMin: 0.2,
  latencyMsMax: 3,
  subscribeMsMax: 5,
  reconnectMsMax: 1000,
  lossRate: 0,
  duplicateRate: 0,
  countsReceivers: true,
};

/** One message on its way from one instance to another, by their places in `World.instances`. */
export type Delivery = {
  readonly from: number;
  readonly to: number;
  /** Undefined: the global channel, or a shard's. */
  readonly boardId: BoardId | undefined;
  readonly link: number;
  readonly message: BusMessage;
};

/** Puts an input into the socket of an instance; `read` is called when the instance reads it. */
export type Receive = (read: () => Input | undefined) => void;

/** A number is a shard's, or `groupChannel` of a group; undefined is the global one. */
export type Channel = BoardId | Shard | number | undefined;

export function groupChannel(group: Group): number {
  return -1 - group;
}

/** A replica passes on all messages of its master. A message published at the replica reaches only its own subscribers. */
type Server = { readonly replicaOf: Server | undefined };

type Refusal = { readonly link: Link; readonly covers: (channel: Channel) => boolean };

type Port = {
  readonly index: number;
  readonly instanceId: InstanceId;
  readonly receive: Receive;
  readonly wanted: Set<Channel>;
  readonly connections: Record<Link, Connection | undefined>;
  /** The number of connections of that link so far. */
  readonly numbers: Record<Link, number>;
  /** Raised whenever an older attempt to connect becomes obsolete. */
  readonly openings: Record<Link, number>;
  /** Links of which no connection can be opened. */
  readonly cut: Set<Link>;
  /** New connections lead here instead of to the master. */
  pinned: Server | undefined;
  /** New subscribers are deaf too. */
  staysDeaf: boolean;
  /** Commands that Redis refuses to it, by its rights. */
  readonly refused: Refusal[];
  isGone: boolean;
};

type Connection = {
  readonly port: Port;
  readonly link: Link;
  readonly number: number;
  server: Server;
  /** The instance uses this connection. */
  isOpen: boolean;
  /** The up event was reported to the instance. */
  isTold: boolean;
  /** Nothing passes in either direction, and nobody notices: messages wait in buffers. */
  isHung: boolean;
  /** Subscriber: messages to it are lost. */
  isDeaf: boolean;
  /** Its Redis was killed: messages under way are lost. */
  isDead: boolean;
  readonly toRedis: (() => void)[];
  readonly fromRedis: (() => void)[];
  /** The time when the last command sent on it arrives at Redis. */
  sentUntil: Millis;
  /** The time when the last message of each sender arrives here. The order of each sender is kept; across senders there is none. */
  readonly arrivedUntil: Map<Connection, Millis>;
  /** Subscriber: the channels that Redis knows, with the time of the confirmation. */
  readonly channels: Map<Channel, Millis>;
  /** Publisher: the times at which unanswered publishes were sent. */
  readonly unanswered: Millis[];
};

const LINKS: readonly Link[] = ["publisher", "subscriber"];
const BACKOFF_MS_MIN = 50;

export class Network {
  faults: Faults;
  /** Called with each message that reaches an instance. */
  onDelivery: ((delivery: Delivery) => void) | undefined;
  readonly #clock: VirtualClock;
  readonly #random: Random;
  readonly #ports: Port[] = [];
  /** Connections with messages in their buffers, abandoned ones included. */
  readonly #waiting = new Set<Connection>();
  #master: Server = { replicaOf: undefined };
  #redis: "running" | "paused" | "killed" = "running";

  constructor(options: { readonly clock: VirtualClock; readonly random: Random; readonly faults: Faults }) {
    this.#clock = options.clock;
    this.#random = options.random;
    this.faults = options.faults;
  }

  // The interface of the bus.

  /** Opens both links. When one is lost later, it is opened again as soon as the faults allow. */
  attach(instanceId: InstanceId, receive: Receive): void {
    const port: Port = {
      index: this.#ports.length,
      instanceId,
      receive,
      wanted: new Set([undefined]),
      connections: { publisher: undefined, subscriber: undefined },
      numbers: { publisher: 0, subscriber: 0 },
      openings: { publisher: 0, subscriber: 0 },
      cut: new Set(),
      pinned: undefined,
      staysDeaf: false,
      refused: [],
      isGone: false,
    };
    this.#ports.push(port);
    for (const link of LINKS) this.#open(port, link);
  }

  /** The instance is gone without a goodbye. Its commands under way are still executed. */
  detach(instance: number): void {
    const port = this.#port(instance);
    port.isGone = true;
    port.wanted.clear();
    for (const link of LINKS) {
      const connection = port.connections[link];
      if (connection !== undefined) connection.isOpen = false;
      port.connections[link] = undefined;
    }
  }

  publish(instance: number, channel: Channel, message: BusMessage): void {
    const publisher = this.#port(instance).connections.publisher;
    if (publisher === undefined) return;
    // All cores of a World share the message. It is frozen, so that no core can change it for another by mistake.
    deepFreeze(message);
    publisher.unanswered.push(this.#clock.now);
    this.#send(publisher, () => {
      const refused = isRefused(publisher, channel);
      const counted = refused ? 0 : this.#execute(publisher, channel, message);
      const receivers = this.faults.countsReceivers ? counted : undefined;
      this.#reply(publisher, () => {
        publisher.unanswered.shift();
        // Nobody waits to hear whether counts were taken.
        if (typeof channel === "number") return refused ? ofGroup(channel, { kind: "group_refused", link: "publisher" }) : undefined;
        return refused ? { kind: "publish_refused", boardId: channel } : { kind: "published", boardId: channel, receivers };
      });
    });
  }

  subscribe(instance: number, channel: Channel): void {
    const port = this.#port(instance);
    if (port.wanted.has(channel)) return;
    port.wanted.add(channel);
    if (port.connections.subscriber !== undefined) this.#subscribe(port.connections.subscriber, channel);
  }

  unsubscribe(instance: number, channel: Channel): void {
    const port = this.#port(instance);
    port.wanted.delete(channel);
    const subscriber = port.connections.subscriber;
    if (subscriber !== undefined) this.#send(subscriber, () => subscriber.channels.delete(channel));
  }

  resubscribe(instance: number, channel: Channel): void {
    this.unsubscribe(instance, channel);
    this.subscribe(instance, channel);
  }

  recycle(instance: number, link: Link): void {
    const port = this.#port(instance);
    // The master is looked up again.
    if (port.connections[link] === undefined) this.#open(port, link);
    else this.#drop(port, link);
  }

  oldestUnansweredMs(instance: number): Millis {
    const sent = this.#port(instance).connections.publisher?.unanswered[0];
    return sent === undefined ? 0 : this.#clock.now - sent;
  }

  // Faults of one instance; `mend` ends all of them.

  /** Redis cannot be reached. `silently`: the connections look healthy and messages on them wait; otherwise they are reset. */
  cut(instance: number, options: { readonly links?: readonly Link[]; readonly silently?: boolean } = {}): void {
    const port = this.#port(instance);
    for (const link of options.links ?? LINKS) {
      port.cut.add(link);
      if (options.silently === true) this.hang(instance, link);
      else if (port.connections[link] !== undefined) this.#drop(port, link);
    }
  }

  /** The current connection becomes half-open; a new one would work. Commands that wait in it are executed when it is mended (R3). */
  hang(instance: number, link: Link): void {
    const connection = this.#port(instance).connections[link];
    if (connection !== undefined) connection.isHung = true;
  }

  /** The connection is lost and both ends know it, as after CLIENT KILL. */
  reset(instance: number, link: Link): void {
    const port = this.#port(instance);
    if (port.connections[link] !== undefined) this.#drop(port, link);
  }

  /**
   * Both connections lead to a demoted master: these instances hear all, but only they hear each other. Ends for each when its publisher
   * is recycled, unless `stays`.
   */
  mute(instances: number | readonly number[], options: { readonly stays?: boolean } = {}): void {
    this.#move([instances].flat(), { replicaOf: this.#master }, options.stays === true);
  }

  /**
   * These instances get a master of their own: they hear each other, and none of the rest. Ends with their next connections, unless
   * `stays`. With one of `links`, only that one leads there, as when a name has moved and one connection was opened since.
   */
  split(instances: readonly number[], options: { readonly stays?: boolean; readonly links?: readonly Link[] } = {}): void {
    this.#move(instances, { replicaOf: undefined }, options.stays === true, options.links);
  }

  /** The subscriber receives nothing, not even its own messages. Ends when it is recycled, unless `stays`. */
  deafen(instance: number, options: { readonly stays?: boolean } = {}): void {
    const port = this.#port(instance);
    port.staysDeaf = options.stays === true;
    if (port.connections.subscriber !== undefined) port.connections.subscriber.isDeaf = true;
  }

  /**
   * Takes rights at Redis away: the instance may not subscribe, publish, or both, on one board, on all boards (`boards`), or at all. As in
   * Redis, a subscription that is no longer allowed ends the connection, unless `quietly`: then it goes on until it is requested again.
   */
  refuse(
    instance: number,
    {
      links = LINKS,
      on,
      quietly = false,
    }: { readonly links?: readonly Link[]; readonly on: Exclude<Channel, undefined> | "boards" | "everything"; readonly quietly?: boolean },
  ): void {
    const port = this.#port(instance);
    const covers = (channel: Channel) =>
      on === "everything" || (channel !== undefined && (on === channel || (on === "boards" && typeof channel === "string")));
    for (const link of links) port.refused.push({ link, covers });
    const { subscriber } = port.connections;
    if (!quietly && subscriber !== undefined && [...subscriber.channels.keys()].some((channel) => isRefused(subscriber, channel)))
      this.#drop(port, "subscriber");
  }

  /** Redis has forgotten this one subscription. */
  dropSubscription(instance: number, channel: Channel): void {
    this.#port(instance).connections.subscriber?.channels.delete(channel);
  }

  mend(instance: number): void {
    const port = this.#port(instance);
    port.cut.clear();
    port.refused.length = 0;
    port.pinned = undefined;
    port.staysDeaf = false;
    for (const connection of [port.connections.publisher, port.connections.subscriber, ...this.#waiting]) {
      if (connection?.port !== port) continue;
      connection.isHung = false;
      connection.isDeaf = false;
      connection.server = this.#master;
    }
    this.#flush();
  }

  mendAll(): void {
    for (const port of this.#ports) this.mend(port.index);
  }

  // Faults of Redis.

  /** Killed: all connections and all messages under way are lost. Paused: commands wait, and are executed when it continues. */
  stopRedis(how: "killed" | "paused"): void {
    this.#redis = how;
    if (how === "paused") return;
    this.#waiting.clear();
    for (const port of this.#ports)
      for (const link of LINKS) {
        const connection = port.connections[link];
        if (connection === undefined) continue;
        connection.isDead = true;
        this.#drop(port, link);
      }
  }

  startRedis(): void {
    this.#redis = "running";
    this.#flush();
  }

  // Connections.

  #open(port: Port, link: Link, attempt = 0): void {
    const opening = ++port.openings[link];
    const backoffMs = Math.min(this.faults.reconnectMsMax, BACKOFF_MS_MIN * 2 ** attempt);
    this.#clock.after(this.#random.between(0, backoffMs), () => {
      if (port.isGone || port.openings[link] !== opening) return;
      if (this.#redis !== "running" || port.cut.has(link)) this.#open(port, link, attempt + 1);
      else this.#connect(port, link);
    });
  }

  #connect(port: Port, link: Link): void {
    const connection: Connection = {
      port,
      link,
      number: ++port.numbers[link],
      server: port.pinned ?? this.#master,
      isOpen: true,
      isTold: false,
      isHung: false,
      isDeaf: port.staysDeaf,
      isDead: false,
      toRedis: [],
      fromRedis: [],
      sentUntil: 0,
      arrivedUntil: new Map(),
      channels: new Map(),
      unanswered: [],
    };
    port.connections[link] = connection;
    if (link === "subscriber") for (const channel of port.wanted) this.#subscribe(connection, channel);
    // This arrives after all confirmations, since both directions keep their order.
    this.#send(connection, () =>
      this.#arrive(connection, connection, () => {
        connection.isTold = true;
        port.receive(() => ({ kind: "link_up", link }));
      }),
    );
  }

  #drop(port: Port, link: Link): void {
    const connection = port.connections[link];
    if (connection !== undefined) connection.isOpen = false;
    port.connections[link] = undefined;
    if (connection?.isTold) this.#clock.after(0, () => port.isGone || port.receive(() => ({ kind: "link_down", link })));
    this.#open(port, link);
  }

  #subscribe(subscriber: Connection, channel: Channel): void {
    const waitMs = this.#random.between(0, this.faults.subscribeMsMax);
    this.#send(
      subscriber,
      () => {
        if (!subscriber.port.wanted.has(channel)) return;
        if (isRefused(subscriber, channel)) return this.#refuseSubscription(subscriber, channel);
        const at = this.#reply(subscriber, () =>
          typeof channel === "number"
            ? (ofGroup(channel, { kind: "group_subscribed" }) ?? { kind: "shard_subscribed", shard: channel })
            : { kind: "subscribed", boardId: channel },
        );
        subscriber.channels.set(channel, at);
      },
      waitMs,
    );
  }

  /** The subscription is requested again until it is granted, as the bus does. */
  #refuseSubscription(subscriber: Connection, channel: Channel): void {
    this.#reply(subscriber, () =>
      typeof channel === "number"
        ? (ofGroup(channel, { kind: "group_refused", link: "subscriber" }) ?? { kind: "shard_refused", shard: channel })
        : { kind: "subscribe_refused", boardId: channel },
    );
    this.#clock.after(this.#random.between(0, this.faults.reconnectMsMax), () => {
      if (subscriber.isOpen && subscriber.port.wanted.has(channel) && !subscriber.channels.has(channel))
        this.#subscribe(subscriber, channel);
    });
  }

  #move(instances: readonly number[], server: Server, stays: boolean, links = LINKS): void {
    for (const port of instances.map((instance) => this.#port(instance))) {
      if (stays) port.pinned = server;
      for (const link of links) {
        const connection = port.connections[link];
        if (connection !== undefined) connection.server = server;
      }
    }
  }

  // The way of a message: sent on a connection, executed by Redis, received by subscribers.

  #send(connection: Connection, execute: () => void, waitMs: Millis = 0): void {
    connection.sentUntil = Math.max(connection.sentUntil, this.#clock.now + this.#latencyMs() + waitMs);
    this.#clock.at(connection.sentUntil, () => {
      if (connection.isDead) return;
      if (connection.isHung || this.#redis === "paused") this.#wait(connection, connection.toRedis, execute);
      else execute();
    });
  }

  /** Returns the number of subscribers that Redis counts, whether or not they receive the message. */
  #execute(publisher: Connection, channel: Channel, message: BusMessage): number {
    let receivers = 0;
    for (const port of this.#ports) {
      const subscriber = port.connections.subscriber;
      if (!subscriber?.channels.has(channel) || !reaches(publisher.server, subscriber.server)) continue;
      receivers++;
      this.#deliver(publisher, subscriber, channel, message);
    }
    return receivers;
  }

  #deliver(publisher: Connection, subscriber: Connection, channel: Channel, message: BusMessage): void {
    const { faults } = this;
    const boardId = typeof channel === "number" ? undefined : channel;
    const delivery = { from: publisher.port.index, to: subscriber.port.index, boardId, link: publisher.number, message };
    if (subscriber.isDeaf || this.#random.next() < faults.lossRate || faults.loses?.(delivery)) return;
    this.onDelivery?.(delivery);
    const heard: Input = {
      kind: "heard",
      boardId,
      from: publisher.port.instanceId,
      link: publisher.number,
      message: deepFreeze(faults.rewrites?.(delivery) ?? message),
    };
    const copies = this.#random.next() < faults.duplicateRate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) this.#arrive(publisher, subscriber, () => subscriber.port.receive(() => heard), channel);
  }

  #reply(connection: Connection, read: () => Input | undefined): Millis {
    return this.#arrive(connection, connection, () => connection.port.receive(read));
  }

  /** Delivers to the instance that has the connection `to`; returns the time of arrival. */
  #arrive(from: Connection, to: Connection, receive: () => void, channel?: Channel): Millis {
    // No message of a channel arrives before the confirmation of its subscription.
    const earliest = Math.max(to.arrivedUntil.get(from) ?? 0, from === to ? 0 : (to.channels.get(channel) ?? 0));
    const at = Math.max(earliest, this.#clock.now + this.#latencyMs());
    to.arrivedUntil.set(from, at);
    this.#clock.at(at, () => {
      if (!to.isOpen) return;
      if (to.isHung) this.#wait(to, to.fromRedis, receive);
      else receive();
    });
    return at;
  }

  #wait(connection: Connection, buffer: (() => void)[], run: () => void): void {
    buffer.push(run);
    this.#waiting.add(connection);
  }

  #flush(): void {
    if (this.#redis !== "running") return;
    for (const connection of this.#waiting) {
      if (connection.isHung) continue;
      this.#waiting.delete(connection);
      for (const run of connection.toRedis.splice(0)) run();
      for (const run of connection.fromRedis.splice(0)) if (connection.isOpen) run();
    }
  }

  #latencyMs(): Millis {
    return this.#random.between(this.faults.latencyMsMin, this.faults.latencyMsMax);
  }

  #port(instance: number): Port {
    const port = this.#ports[instance];
    if (port === undefined) throw new RangeError(`there is no instance ${instance}`);
    return port;
  }
}

/** undefined: it is the channel of a shard. */
function ofGroup<T extends object>(channel: number, input: T): (T & { readonly group: Group }) | undefined {
  return channel < 0 ? { ...input, group: -1 - channel } : undefined;
}

function isRefused({ link, port }: Connection, channel: Channel): boolean {
  return port.refused.some((refusal) => refusal.link === link && refusal.covers(channel));
}

function reaches(from: Server, to: Server): boolean {
  for (let server: Server | undefined = to; server !== undefined; server = server.replicaOf) if (server === from) return true;
  return false;
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== "object" || value === null || Object.isFrozen(value)) return value;
  Object.freeze(value);
  for (const name in value) deepFreeze(value[name]);
  return value;
}
