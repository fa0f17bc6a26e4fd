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
import type { Sender } from "../bus/head.ts";
import { claimedSender, type Signing } from "../bus/signing.ts";
import type { Effect, Input } from "../core/effects.ts";
import type { Announcement, BusMessage, Cursors, Group, Heartbeat, Kick, MovesTo, OccupancyTold } from "../core/messages.ts";
import type { Shard } from "../core/occupancy.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { Gathering, type Telling } from "./gathering.ts";
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

/** As many as one bus carries. */
const TOLD_MAX = 4096;

/** Of one instance that is told of moves: made once, so that no message makes it anew. */
type Told = {
  readonly channel: Channel;
  readonly taken: (receivers: number | undefined) => void;
  readonly failed: (error: unknown) => void;
};

export class BusLine implements BusListener {
  readonly #options: BusLineOptions;
  readonly #bus: Bus;
  readonly #refusals: Refusals;
  /** Of channels of single instances. Everything works without them, so health does not tell of these. */
  readonly #movesRefusals: Refusals;
  /** Why links are down. */
  readonly #lost = new Map<Link, string>();
  #othersSignedAt = Number.NEGATIVE_INFINITY;
  /** When instances whose boards are spread otherwise were last heard. */
  readonly #apart = new Map<InstanceId, number>();
  /** The channel on which only this instance listens. */
  readonly #own: Channel;
  readonly #gathering = new Gathering();
  /** Instances that were told of moves. */
  readonly #told = new Map<InstanceId, Told>();

  constructor(options: BusLineOptions) {
    this.#options = options;
    this.#bus = options.bus;
    this.#refusals = new Refusals(options.journal);
    this.#movesRefusals = new Refusals({
      redisRefuses: (act, channel, _channels, why, isSaid) => options.journal.movesRefused(act, channel, why, isSaid),
      redisLost: () => {},
    });
    this.#own = options.channels.moves(options.instanceId);
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

  /** `boardId` undefined: the global channel. */
  publish(boardId: BoardId | undefined, message: BusMessage): void {
    const channel = this.#channelOf(boardId);
    const bytes = this.#encode(channel, message);
    this.#follow(this.#hand(channel, message, bytes), boardId, message, message.kind !== "cursors");
  }

  /** Moves of this turn: they leave with `moved`, or before the next message of any other kind. Answers how many bytes an instance that needs them is sent. */
  move(boardId: BoardId, cursors: Cursors, to: MovesTo): number {
    if (typeof to === "string" && this.#gathering.isEmpty) {
      const channel = this.#channelOf(boardId);
      const bytes = this.#encode(channel, cursors);
      this.#follow(this.#hand(channel, cursors, bytes), boardId, cursors, to === "counted");
      return bytes.length;
    }
    return this.#gathering.add(boardId, cursors, to);
  }

  /** All boards of this turn have told their moves. */
  moved(): void {
    if (!this.#gathering.isEmpty) this.#gathering.leave(this.#sender(), this.#telling);
  }

  readonly #telling: Telling = {
    peer: (peer, bytes, boards) => this.#tell(peer, bytes, boards),
    board: (boardId, cursors, bytes, isCounted) => {
      const channel = this.#channelOf(boardId);
      this.#follow(this.#hand(channel, cursors, this.#options.signing.sign(channel, bytes)), boardId, cursors, isCounted);
    },
  };

  /** An empty message to this instance itself, to hear whether it comes. */
  probe(): void {
    this.moved();
    this.#tell(this.#options.instanceId, encodeRedisMessage({ ...this.#sender(), message: { kind: "moves", boards: [] } }), 0);
  }

  #tell(peer: InstanceId, bytes: Uint8Array, boards: number): void {
    const { bus, journal, metrics, signing } = this.#options;
    const { channel, taken, failed } = this.#toldOf(peer);
    const signed = signing.sign(channel, bytes);
    metrics.busBytes.out += signed.length;
    journal.tells(channel, boards);
    bus.publish(channel, signed).then(taken, failed);
  }

  #toldOf(peer: InstanceId): Told {
    const known = this.#told.get(peer);
    if (known !== undefined) return known;
    const { channels, metrics, input } = this.#options;
    const channel = channels.moves(peer);
    const told: Told = {
      channel,
      taken: (receivers) => {
        metrics.published.moves++;
        this.#movesRefusals.granted("publish", channel);
        if (receivers === 0) input({ kind: "moves_unheard", peer });
      },
      failed: (error) => {
        this.#failed(error);
        if (!(error instanceof BusRefused)) return;
        this.#movesRefusals.refused("publish", channel, error.why);
        input({ kind: "moves_refused", link: "publisher" });
      },
    };
    if (this.#told.size >= TOLD_MAX) this.#told.clear();
    this.#told.set(peer, told);
    return told;
  }

  /** Most messages are cursors, and of few of them it matters how many subscribers they reach: the others get no closure each. */
  #follow(taken: Promise<number | undefined>, boardId: BoardId | undefined, message: BusMessage, isCounted: boolean): void {
    if (!isCounted) return void taken.then(this.#cursorsTaken, this.#failed);
    taken.then(
      (receivers) => this.#published(boardId, message, receivers),
      (error) => {
        this.#failed(error);
        if (error instanceof BusRefused) this.#publishRefused(boardId, error);
      },
    );
  }

  #sender(): Sender {
    return { from: this.#options.instanceId, link: this.#bus.publisherLink };
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

  movesChannel({ act }: Extract<Effect, { kind: "moves_channel" }>): void {
    // Where boards are spread over several masters, nothing would keep the order between them and this channel.
    if (!this.#bus.isSpread) this.#bus[act](this.#own);
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
    // Moves name the seq of their slice, so no later word of it may overtake them (R25).
    this.moved();
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
    input({ kind: "heard", boardId: channels.boardOf(channel), from, link, message, isDirect: channel === this.#own });
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
    if (channel === this.#own) {
      this.#movesRefusals.granted("subscribe", channel);
      return input({ kind: "moves_subscribed" });
    }
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
    if (refusal.channel === this.#own) {
      this.#movesRefusals.refused("subscribe", this.#own, refusal);
      return input({ kind: "moves_refused", link: "subscriber" });
    }
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
