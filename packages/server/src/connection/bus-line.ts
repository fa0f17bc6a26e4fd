/**
 * This instance's line to the bus: messages of the core become bytes, and everything that the bus reports becomes an input of the core. A
 * publish that fails is counted and forgotten, since every rule of the core expects that; nothing is kept for later.
 */

import type { BoardId, InstanceId, Json, Millis } from "@presence-service/protocol";
import {
  type Bus,
  type BusListener,
  BusRefused,
  type Cause,
  type Channel,
  type Channels,
  type FailedAttempt,
  type Link,
  type Refusal,
} from "../bus/bus.ts";
import { decodeRedisMessage, encodeRedisMessage } from "../bus/envelope.ts";
import { claimedSender, type Signing } from "../bus/signing.ts";
import type { Effect, Input } from "../core/effects.ts";
import type { Announcement, BusMessage, Group, Heartbeat, Kick, OccupancyTold } from "../core/messages.ts";
import type { Shard } from "../core/occupancy.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { Journal } from "./journal.ts";
import { Refusals } from "./refusals.ts";

export type BusLineOptions = {
  readonly instanceId: InstanceId;
  readonly bus: Bus;
  readonly channels: Channels;
  readonly signing: Signing;
  readonly metrics: Metrics;
  readonly journal: Journal;
  /** Takes the inputs. */
  readonly input: (input: Input) => void;
  /** Whether this instance is on that board. */
  readonly isOn: (boardId: BoardId) => boolean;
  readonly isReady: () => boolean;
  /** Takes the words about webhooks; undefined: this instance has none, and does not listen. */
  readonly hooked: ((from: InstanceId, words: Json) => void) | undefined;
  /** Told of every message that is believed, own ones included. */
  readonly overheard: (from: InstanceId, message: BusMessage) => void;
};

const SIGNED_LATELY_MS = 60_000;
/** Longer than from one beat to all to the next in the largest cluster. */
const APART_LATELY_MS = 60_000;
/** As many as are counted; anybody can make up more. */
const APART_MAX = 4096;

export class BusLine implements BusListener {
  readonly #options: BusLineOptions;
  readonly #bus: Bus;
  readonly #refusals: Refusals;
  /** Why links are down. */
  readonly #lost = new Map<Link, string>();
  #othersSignedAt = Number.NEGATIVE_INFINITY;
  /** When instances whose boards are spread otherwise were last heard. */
  readonly #apart = new Map<InstanceId, number>();

  constructor(options: BusLineOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#refusals = new Refusals(options.journal);
  }

  /** Resolves when the bus is connected, and rejects as `Bus.start` does. To be called once. */
  start(): Promise<void> {
    this.#bus.subscribe(this.#options.channels.global);
    if (this.#options.hooked !== undefined) this.#bus.subscribe(this.#options.channels.hooks);
    return this.#bus.start(this);
  }

  /** Whether other instances signed what they said in the last minute, and this one does not (R14.8). */
  get lacksSecret(): boolean {
    return performance.now() - this.#othersSignedAt < SIGNED_LATELY_MS;
  }

  /** How many other instances spread their boards over a Cluster and this one does not, or the other way round (R9.32). */
  get apart(): number {
    const since = performance.now() - APART_LATELY_MS;
    for (const [from, at] of this.#apart) if (at < since) this.#apart.delete(from);
    return this.#apart.size;
  }

  get address(): string {
    return this.#bus.address;
  }

  /** The refusals of Redis at present, in words, without names of channels or users. */
  get refusal(): string | undefined {
    return this.#refusals.inWords();
  }

  /** The cause of an outage, as far as this side can see it, in words without names of channels or users. */
  get trouble(): string | undefined {
    const [lost] = this.#lost;
    const lack =
      lost &&
      `this instance has no connection to ${lost[0] === "publisher" ? "publish" : "subscribe"}: ${lost[1]}. It tries again by itself`;
    return this.refusal ?? lack;
  }

  oldestUnansweredMs(): Millis {
    return this.#bus.oldestUnansweredMs();
  }

  // Orders of the core.

  /** Answers how many bytes the message takes. `boardId` undefined: the global channel. */
  publish(boardId: BoardId | undefined, message: BusMessage): number {
    const channel = this.#channelOf(boardId);
    const bytes = this.#encode(channel, message);
    const taken = this.#hand(channel, message, bytes);
    // Most messages are cursors, and it does not matter how many subscribers they reach: so they get no closure each.
    if (message.kind === "cursors") taken.then(this.#cursorsTaken, this.#failed);
    else {
      taken.then(
        (receivers) => this.#published(boardId, message, receivers),
        (error) => {
          this.#failed(error);
          if (error instanceof BusRefused) this.#publishRefused(boardId, error);
        },
      );
    }
    return bytes.length;
  }

  /** Says counts of boards. Nobody waits to hear whether the bus took it. */
  tellCounts(shard: Shard, message: OccupancyTold): void {
    const { channels, metrics } = this.#options;
    const channel = channels.shard(shard);
    this.#hand(channel, message, this.#encode(channel, message)).then(
      () => {
        metrics.published.occupancy++;
        this.#refusals.granted("publish", channel);
      },
      (error) => {
        this.#failed(error);
        if (error instanceof BusRefused) this.#refusals.refused("publish", channel, error.why);
      },
    );
  }

  /** Says a beat to a group of instances. */
  beat(group: Group, message: Heartbeat): void {
    const { channels, metrics, input } = this.#options;
    const channel = channels.group(group);
    this.#hand(channel, message, this.#encode(channel, message)).then(
      () => {
        metrics.published.heartbeat++;
        this.#refusals.granted("publish", channel);
      },
      (error) => {
        this.#failed(error);
        if (!(error instanceof BusRefused)) return;
        this.#refusals.refused("publish", channel, error.why);
        input({ kind: "group_refused", group, link: "publisher" });
      },
    );
  }

  /** Publishes a message of the host to all instances. Rejects if the bus did not take it, or may not have, so that the host knows. */
  async tell(message: Kick | Announcement): Promise<void> {
    const { channels, metrics } = this.#options;
    const taken = this.#hand(channels.global, message, this.#encode(channels.global, message));
    taken.catch(this.#failed);
    await taken;
    metrics.published[message.kind]++;
  }

  /** Says words about webhooks. Nobody has to know whether the bus took them. */
  hook(words: Json): void {
    const { channels, metrics } = this.#options;
    const message = { kind: "hook", words } as const;
    const done = () => {
      metrics.published.hook++;
      this.#refusals.granted("publish", channels.hooks);
    };
    this.#hand(channels.hooks, message, this.#encode(channels.hooks, message)).then(done, (error) => {
      this.#failed(error);
      if (error instanceof BusRefused) this.#refusals.refused("publish", channels.hooks, error.why);
    });
  }

  subscription({ kind, boardId }: Extract<Effect, { kind: "subscribe" | "unsubscribe" | "resubscribe" }>): void {
    this.#options.journal.subscribes(kind, boardId);
    const channel = this.#channelOf(boardId);
    if (kind === "unsubscribe") this.#refusals.forget(channel);
    this.#bus[kind](channel);
  }

  shard({ act, shard }: Extract<Effect, { kind: "shard" }>): void {
    const channel = this.#options.channels.shard(shard);
    if (act === "unsubscribe") this.#refusals.forget(channel);
    this.#bus[act](channel);
  }

  group({ act, group }: Extract<Effect, { kind: "group" }>): void {
    const channel = this.#options.channels.group(group);
    if (act === "unsubscribe") this.#refusals.forget(channel);
    this.#bus[act](channel);
  }

  recycle(effect: Extract<Effect, { kind: "recycle" }>): void {
    this.#options.journal.recycled(effect);
    this.#bus.recycle(effect.link);
  }

  #encode(channel: Channel, message: BusMessage): Uint8Array {
    const { instanceId, signing } = this.#options;
    const said = message.kind === "heartbeat" && this.#bus.isSpread ? { ...message, spread: true } : message;
    return signing.sign(channel, encodeRedisMessage({ from: instanceId, link: this.#bus.publisherLink, message: said }));
  }

  #hand(channel: Channel, message: BusMessage, bytes: Uint8Array): Promise<number | undefined> {
    this.#options.metrics.busBytes.out += bytes.length;
    this.#options.journal.publishes(channel, message);
    return this.#bus.publish(channel, bytes);
  }

  readonly #cursorsTaken = () => {
    this.#options.metrics.published.cursors++;
  };

  readonly #failed = (error: unknown) => this.#options.journal.publishFailed(error);

  #published(boardId: BoardId | undefined, message: BusMessage, receivers: number | undefined): void {
    this.#options.metrics.published[message.kind]++;
    this.#refusals.granted("publish", this.#channelOf(boardId));
    this.#options.input({ kind: "published", boardId, receivers });
  }

  #publishRefused(boardId: BoardId | undefined, { why }: BusRefused): void {
    // If the board was given up meanwhile, nothing would ever take this refusal back.
    if (boardId === undefined || this.#options.isOn(boardId)) this.#refusals.refused("publish", this.#channelOf(boardId), why);
    this.#options.input({ kind: "publish_refused", boardId });
  }

  // Reports of the bus.

  message(channel: Channel, bytes: Uint8Array): void {
    const { instanceId, channels, signing, metrics, journal, input } = this.#options;
    metrics.busBytes.in += bytes.length;
    const checked = signing.check(channel, bytes);
    if (!checked.ok) return journal.distrusted(channel, bytes.length, checked.why, claimedSender(bytes));
    if (checked.isSigned && !signing.isOn) this.#othersSign(bytes);
    const decoded = decodeRedisMessage(checked.bytes);
    if (!decoded.ok) return journal.ignored(channel, bytes.length, decoded.why);
    const { from, link, message } = decoded.value;
    if (from !== instanceId) metrics.received[message.kind]++;
    if (message.kind === "heartbeat") this.#compare(from, message);
    journal.heard(channel, from === instanceId ? undefined : from, message);
    if (message.kind === "hook") return this.#options.hooked?.(from, message.words);
    this.#options.overheard(from, message);
    input({ kind: "heard", boardId: channels.boardOf(channel), from, link, message });
  }

  #othersSign(bytes: Uint8Array): void {
    this.#othersSignedAt = performance.now();
    this.#options.journal.othersSign(claimedSender(bytes));
  }

  #compare(from: InstanceId, { spread = false }: Heartbeat): void {
    if (spread === this.#bus.isSpread) return void this.#apart.delete(from);
    if (this.#apart.size < APART_MAX || this.#apart.has(from)) this.#apart.set(from, performance.now());
    this.#options.journal.isApart(from, spread);
  }

  subscribed(channel: Channel): void {
    const { channels, input } = this.#options;
    this.#refusals.granted("subscribe", channel);
    const shard = channels.shardOf(channel);
    const group = channels.groupOf(channel);
    if (channel === channels.hooks) return;
    if (shard !== undefined) input({ kind: "shard_subscribed", shard });
    else if (group !== undefined) input({ kind: "group_subscribed", group });
    else input({ kind: "subscribed", boardId: channels.boardOf(channel) });
  }

  refused(refusal: Refusal): void {
    const { channels, input } = this.#options;
    this.#refusals.refused("subscribe", refusal.channel, refusal);
    if (refusal.channel === channels.hooks) return;
    const group = channels.groupOf(refusal.channel);
    const shard = channels.shardOf(refusal.channel);
    if (group !== undefined) input({ kind: "group_refused", group, link: "subscriber" });
    else if (shard !== undefined) input({ kind: "shard_refused", shard });
    else input({ kind: "subscribe_refused", boardId: channels.boardOf(refusal.channel) });
  }

  /** A board out of reach is like one that Redis refuses, in both directions: its clients are told, and peers that it is mute there (R9). */
  lost(channels: readonly Channel[], why: Cause): void {
    this.#refusals.lost(channels, why);
    for (const channel of channels) {
      const shard = this.#options.channels.shardOf(channel);
      if (shard !== undefined) this.#options.input({ kind: "shard_refused", shard });
      const boardId = this.#options.channels.boardOf(channel);
      if (boardId === undefined) continue;
      this.#options.input({ kind: "subscribe_refused", boardId });
      this.#options.input({ kind: "publish_refused", boardId });
    }
  }

  linkUp(link: Link, number: number): void {
    this.#lost.delete(link);
    this.#options.journal.linkUp(link, number, this.#bus.at(link));
    this.#options.input({ kind: "link_up", link });
  }

  linkDown(link: Link, reason: string): void {
    this.#lost.set(link, gistOf(reason));
    this.#options.journal.linkDown(link, reason);
    this.#options.input({ kind: "link_down", link });
  }

  attemptFailed(attempt: FailedAttempt): void {
    this.#lost.set(attempt.link, gistOf(attempt.reason));
    this.#options.journal.attemptFailed(attempt, !this.#options.isReady());
  }

  #channelOf(boardId: BoardId | undefined): Channel {
    const { channels } = this.#options;
    return boardId === undefined ? channels.global : channels.board(boardId);
  }
}

/** A reason without the words of the other end, which stand in brackets and may name users. */
function gistOf(reason: string): string {
  return reason === "recycled" ? "it is being replaced" : reason.replace(/ \(.*$/s, "");
}
