/**
 * One instance of a World: a real core, its sockets and its clock. It carries out the core's effects in order, as
 * connection/manager.ts does, on a simulated network and simulated clients. It decides nothing.
 */

import type { BoardId, CursorPath, InstanceId, Millis } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import type { Constants } from "../core/constants.ts";
import type { Core, CoreOptions } from "../core/core.ts";
import type { Deadlines } from "../core/deadlines.ts";
import type { ConnectionId, Counted, Effect, Input, Link } from "../core/effects.ts";
import type { Group } from "../core/messages.ts";
import type { Claims } from "./claims.ts";
import { groupChannel, type Network } from "./network.ts";
import type { VirtualClock } from "./virtual-clock.ts";
import type { WorldConnection } from "./world-client.ts";

/** Called with every effect before it is carried out. */
export type Observer = (instance: WorldInstance, effect: Effect) => void;

/** Switches a rule off without touching the core, to see whether anybody misses it. */
export type Bends = {
  /** The core of `self` gets this input instead; undefined: none. */
  readonly hears?: (input: Input, self: InstanceId) => Input | undefined;
  /** That effect is not carried out. */
  readonly withholds?: (effect: Effect) => boolean;
};

/** Makes the core of an instance: for a World that watches what its cores are told. */
export type MakeCore = (options: CoreOptions) => Core;

/** The parts of a World that its instances share. */
export type Surroundings = {
  readonly clock: VirtualClock;
  readonly network: Network;
  readonly claims: Claims;
  readonly observers: readonly Observer[];
  readonly constants: Constants;
  readonly bends: Bends;
  readonly makeCore: MakeCore;
  /** When which instance wants to be called, by its index. */
  readonly wakes: Deadlines<number>;
  /** Counts what changes the views of clients. */
  readonly changes: { count: number };
  /** Throws, with the seed. */
  readonly fail: (sentence: string) => never;
};

/** F2. Cursors marked meanwhile leave together. */
const CURSOR_TICK_MS: Millis = 8;
/** In the year 2025, so that times have their usual length. */
const WORLD_BEGINS_AT: Millis = 1_760_000_000_000;
/** A core that asks for more calls than this without time passing is in an endless loop. */
const TICKS_AT_ONCE_MAX = 1000;

export class WorldInstance {
  readonly index: number;
  readonly instanceId: InstanceId;
  readonly core: Core;
  readonly connections = new Map<ConnectionId, WorldConnection>();
  /** Boards to which it is subscribed or wants to be. */
  readonly boards = new Set<BoardId>();
  /** Boards that clients watch here without being on them. */
  readonly watched = new Set<BoardId>();
  /** Groups of instances to which it listens. */
  readonly groups = new Set<Group>();
  /** How often the core has counted each kind. */
  readonly counted: Partial<Record<Counted, number>> = {};
  /** Its judgement of other instances, by `instanceId`. */
  readonly peers = new Map<InstanceId, "up" | "suspect" | "down" | "left">();
  /** Every judgement it has made, in order. */
  readonly judgements: string[] = [];
  readonly recycles: { readonly at: Millis; readonly link: Link }[] = [];
  state: "running" | "paused" | "gone" = "running";
  /** The time of its start, or of its last resume. */
  runsSince: Millis;
  endedAt: Millis = Number.POSITIVE_INFINITY;
  /** When both links were last up. */
  connectedAt: Millis = Number.POSITIVE_INFINITY;
  /** When it first said, since it last noticed so, that it may have missed words (R15.38). */
  saidMissingAt: Millis = Number.NEGATIVE_INFINITY;
  isReady = false;
  isDegraded = false;
  /** Boards whose clients were told that other instances cannot be heard. */
  readonly degradedBoards = new Set<BoardId>();
  readonly #around: Surroundings;
  /** The difference between its clock and the World's, since no rule may compare clocks. */
  readonly #clockOffset: Millis;
  /** Inputs that wait in its sockets while it is paused. */
  readonly #unread: (() => Input | undefined)[] = [];
  readonly #flushes = new Set<BoardId>();
  readonly #linksUp = new Set<Link>();
  /** The times of its last heartbeats, as long as they said that. */
  #wantingBeats: Millis[] = [];
  #ticksAtOnce = { at: -1, count: 0 };

  constructor(options: { index: number; instanceId: InstanceId; seed: number; clockOffset: Millis }, around: Surroundings) {
    this.index = options.index;
    this.instanceId = options.instanceId;
    this.#clockOffset = options.clockOffset;
    this.#around = around;
    this.runsSince = around.clock.now;
    this.core = around.makeCore({ instanceId: this.instanceId, seed: options.seed, now: this.#now(), constants: around.constants });
    this.#setAlarm();
  }

  /** Both links are up, as far as it knows. */
  get isConnected(): boolean {
    return this.#linksUp.size === 2;
  }

  get canRun(): boolean {
    return this.state === "running";
  }

  /** The time at which its core wants to be called. */
  get wakeAt(): Millis {
    return this.core.nextDeadline() - this.#clockOffset;
  }

  /** An input arrives in one of its sockets. */
  receive(read: () => Input | undefined): void {
    if (this.state === "paused") this.#unread.push(read);
    if (this.state !== "running") return;
    const input = read();
    const { hears } = this.#around.bends;
    const heard = input === undefined || hears === undefined ? input : hears(input, this.instanceId);
    if (heard !== undefined) this.#handle(heard, this.#now());
    // The truth knows of it all the same.
    else if (input !== undefined) this.#note(input, []);
  }

  tick(): void {
    const { clock, network, fail } = this.#around;
    const { at, count } = this.#ticksAtOnce;
    this.#ticksAtOnce = { at: clock.now, count: at === clock.now ? count + 1 : 0 };
    if (count > TICKS_AT_ONCE_MAX) fail(`the core of instance ${this.index} wants to be called again and again`);
    // Never earlier than the deadline, not even by a rounding error: the core would ask for the same moment again.
    const now = Math.max(this.#now(), this.core.nextDeadline());
    this.#handle({ kind: "tick", oldestUnansweredMs: network.oldestUnansweredMs(this.index) }, now);
  }

  /** SIGSTOP: it handles neither timers nor sockets until `resume`. */
  pause(): void {
    if (this.state !== "running") return;
    this.state = "paused";
    this.#setAlarm();
    this.#around.claims.paused(this.index, this.#around.clock.now);
  }

  /** Inputs that waited in sockets are read before late timers fire. */
  resume(): void {
    if (this.state !== "paused") return;
    this.state = "running";
    this.runsSince = this.#around.clock.now;
    this.#around.claims.resumed(this.index, this.#around.clock.now);
    for (const read of this.#unread.splice(0)) this.receive(read);
    this.#setAlarm();
  }

  /** The process has ended; the connections of its clients are lost. */
  end(): void {
    if (this.state === "gone") return;
    this.state = "gone";
    this.endedAt = this.#around.clock.now;
    this.#setAlarm();
    this.#around.network.detach(this.index);
    this.#around.claims.died(this.index, this.#around.clock.now);
    for (const connection of this.connections.values()) connection.end();
    this.connections.clear();
    this.viewChanged();
  }

  /** A view of one of its clients, or its boards, have changed. */
  viewChanged(): void {
    this.#around.changes.count++;
  }

  /** A local client moves its cursor; x = HIDDEN: it hides it. */
  mark(boardId: BoardId, actor: number, x: number, y: number, path?: CursorPath): void {
    if (!this.canRun) return;
    this.core.markCursor(boardId, actor, x, y, this.#now(), path);
    this.#flushSoon(boardId);
    this.#setAlarm();
  }

  #handle(input: Input, now: Millis): void {
    const effects = this.core.handle(input, now, this.#wallNow());
    this.#note(input, effects);
    const changed = new Set<BoardId>();
    for (const effect of effects) {
      if (this.#around.bends.withholds?.(effect)) continue;
      for (const observe of this.#around.observers) observe(this, effect);
      this.#carryOut(effect);
      if (effect.kind === "roster" || effect.kind === "joined") changed.add(effect.boardId);
    }
    for (const boardId of changed) this.#compareViews(boardId);
    this.#setAlarm();
  }

  #carryOut(effect: Effect): void {
    const { network, clock } = this.#around;
    switch (effect.kind) {
      case "publish":
        this.#giveUpSuperseded(effect);
        if (effect.message.kind === "heartbeat") this.#noteWanting(effect.message.wanting === true);
        network.publish(
          this.index,
          effect.group === undefined ? (effect.shard ?? effect.boardId) : groupChannel(effect.group),
          effect.message,
        );
        break;
      case "subscribe":
      case "unsubscribe":
      case "resubscribe":
        if (effect.kind === "unsubscribe") {
          this.boards.delete(effect.boardId);
          this.degradedBoards.delete(effect.boardId);
        } else this.boards.add(effect.boardId);
        network[effect.kind](this.index, effect.boardId);
        break;
      case "shard":
        network[effect.act](this.index, effect.shard);
        break;
      case "group":
        this.groups[effect.act === "subscribe" ? "add" : "delete"](effect.group);
        network[effect.act](this.index, groupChannel(effect.group));
        break;
      case "moves_channel":
        // Its moves go over the boards' channels, as where Redis refuses this one.
        break;
      case "recycle":
        this.recycles.push({ at: clock.now, link: effect.link });
        network.recycle(this.index, effect.link);
        break;
      case "joined":
        this.connections.get(effect.connection)?.joined(effect.boardId, effect.self, this.core.roster(effect.boardId));
        break;
      case "refused":
        this.connections.get(effect.connection)?.refused(effect.boardId, effect.code);
        break;
      case "superseded": {
        const { connection } = effect;
        this.connections.get(connection)?.superseded();
        clock.after(0, () => this.receive(() => ({ kind: "disconnected", connection, graceMs: GRACE_MS.full })));
        break;
      }
      case "kick":
        if (effect.boardId !== undefined) break;
        for (const connection of this.connections.values()) {
          if (!connection.session.isMeant(effect.whom)) continue;
          connection.end();
          clock.after(0, () => this.receive(() => ({ kind: "disconnected", connection: connection.id, graceMs: 0 })));
        }
        break;
      case "put_out":
        this.connections.get(effect.connection)?.putOut(effect.boardId, effect.self);
        break;
      case "announcement":
        for (const connection of this.connections.values())
          if (effect.boardId === undefined || connection.views.has(effect.boardId)) connection.session.announcements.push(effect.text);
        break;
      case "roster":
        for (const connection of this.connections.values()) connection.changed(effect.boardId, effect.change);
        break;
      case "observed":
      case "occupancy":
        break;
      case "event":
        for (const connection of this.connections.values()) connection.happened(effect);
        break;
      case "cursors":
        this.#flushSoon(effect.boardId);
        break;
      case "degraded":
        if (effect.boardId === undefined) this.isDegraded = effect.on;
        else this.degradedBoards[effect.on ? "add" : "delete"](effect.boardId);
        break;
      case "ready":
        this.isReady = true;
        break;
      case "peer":
        this.peers.set(effect.instanceId, effect.state);
        this.judgements.push(effect.state);
        break;
      case "echo":
      case "measured":
      case "own":
        break;
      case "counted":
        this.counted[effect.what] = (this.counted[effect.what] ?? 0) + 1;
        break;
    }
  }

  /** Updates the truth after an input, if the core accepted it. */
  #note(input: Input, effects: readonly Effect[]): void {
    const { claims, clock } = this.#around;
    switch (input.kind) {
      case "join": {
        const { connection, boardId, attempt, member } = input;
        const isRefused = effects.some(
          (effect) => effect.kind === "refused" && effect.connection === connection && effect.boardId === boardId,
        );
        if (!isRefused) claims.joined({ instance: this.index, boardId, connection, attempt, member }, clock.now);
        break;
      }
      case "observe":
      case "leave":
        claims.left(input.boardId, input.connection, clock.now);
        break;
      case "update":
        claims.updated(input.boardId, input.connection, input);
        break;
      case "quiet":
        claims.quiet(input.connection, input.on);
        break;
      case "watch":
        this.watched.add(input.boardId);
        break;
      case "unwatch":
        this.watched.delete(input.boardId);
        break;
      case "disconnected":
        claims.disconnected(input.connection, input.graceMs, clock.now);
        this.connections.delete(input.connection);
        this.viewChanged();
        break;
      case "kick":
        claims.kicked(this.index, input, clock.now);
        break;
      case "heard":
        if (input.message.kind === "kick" && input.from !== this.instanceId) claims.kicked(this.index, input.message, clock.now);
        break;
      case "link_up":
        this.#linksUp.add(input.link);
        if (this.isConnected) this.connectedAt = clock.now;
        break;
      case "link_down":
        this.#linksUp.delete(input.link);
        break;
      default:
        break;
    }
  }

  /** It says so in two heartbeats, so a third one in a row tells that it had to say it again in the one before. */
  #noteWanting(isWanting: boolean): void {
    if (!isWanting) {
      this.#wantingBeats = [];
      return;
    }
    const { now } = this.#around.clock;
    const last = this.#wantingBeats.at(-1);
    if (this.#wantingBeats.push(now) !== 2) this.saidMissingAt = last ?? now;
  }

  #giveUpSuperseded({ boardId, message }: Extract<Effect, { kind: "publish" }>): void {
    if (boardId === undefined || message.kind !== "delta") return;
    const { claims, clock, fail } = this.#around;
    for (const op of message.ops) {
      if (op.op !== "del" || op.reason !== "superseded") continue;
      if (!claims.superseded(this.index, boardId, op.memberId, op.attempt, clock.now))
        fail(`R11: instance ${this.index} gave up ${op.memberId} on ${boardId} as superseded, and nobody has superseded it`);
    }
  }

  #compareViews(boardId: BoardId): void {
    const { entries, members, users } = this.core.roster(boardId);
    const people = new Set(entries.map(({ member }) => member.userId)).size;
    if (members !== entries.length || users !== people)
      this.#around.fail(
        `instance ${this.index} counts ${members} members and ${users} users on ${boardId}, and shows ${entries.length} and ${people}`,
      );
    for (const connection of this.connections.values()) {
      const difference = connection.views.get(boardId)?.differsFrom(entries);
      if (difference !== undefined) this.#around.fail(`S6: ${connection.session.name} at instance ${this.index} was misled: ${difference}`);
    }
  }

  #flushSoon(boardId: BoardId): void {
    if (this.#flushes.has(boardId)) return;
    this.#flushes.add(boardId);
    this.#around.clock.after(CURSOR_TICK_MS, () => {
      this.#flushes.delete(boardId);
      if (!this.canRun) return;
      const own = this.core.takeOwnCursors(boardId, this.#now());
      if (own !== undefined) {
        for (const observe of this.#around.observers) observe(this, { kind: "publish", boardId, message: own });
        this.#around.network.publish(this.index, boardId, own);
      }
      const moves = this.core.takeCursors(boardId);
      for (const connection of this.connections.values()) connection.views.get(boardId)?.move(moves);
      this.#setAlarm();
    });
  }

  #now(): Millis {
    return this.#around.clock.now + this.#clockOffset;
  }

  /** Whole milliseconds since 1970. The clocks of instances differ by up to 3 s, whatever their order. */
  #wallNow(): Millis {
    return Math.floor(WORLD_BEGINS_AT + this.#around.clock.now) + ((this.index * 4_001) % 6_000) - 3_000;
  }

  #setAlarm(): void {
    this.#around.wakes.set(this.index, this.canRun ? this.wakeAt : Number.POSITIVE_INFINITY);
  }
}
