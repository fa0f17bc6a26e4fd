/**
 * K instances with real cores, their clients and a bus with faults, on a virtual clock, for tests of the rules and for packages/sim.
 * Everything follows from the seed, and no test waits. The truth about members is in claims.ts.
 */

import { type BoardId, type InstanceId, isBoardId, type JsonObject, type Millis } from "@presence-service/protocol";
import { GRACE_MS } from "../connection/timing.ts";
import { CONSTANTS, type Constants } from "../core/constants.ts";
import { Core } from "../core/core.ts";
import { Deadlines } from "../core/deadlines.ts";
import type { ChosenStatus, ConnectionId, Effect } from "../core/effects.ts";
import { Random } from "../core/random.ts";
import { differenceInCounts } from "./checkers/counts.ts";
import { differenceFromTruth } from "./checkers/rosters.ts";
import { type ClaimedMember, Claims } from "./claims.ts";
import { type Faults, HEALTHY, Network } from "./network.ts";
import { VirtualClock } from "./virtual-clock.ts";
import { hexDigits, memberIdOf, type WorldMember, WorldSession } from "./world-client.ts";
import { type Bends, type MakeCore, type Observer, type Surroundings, WorldInstance } from "./world-instance.ts";

export type WorldOptions = {
  readonly seed: number;
  /** Started one after another, within a heartbeat each: their beats are not in step. */
  readonly instances: number;
  readonly constants?: Partial<Constants>;
  readonly faults?: Partial<Faults>;
  readonly bends?: Bends;
  readonly makeCore?: MakeCore;
  /** Time that passes before the constructor returns, so that instances are ready and know each other; 0: nothing has happened yet. */
  readonly warmUpMs?: Millis;
};

export type JoinOptions = {
  readonly board: string;
  /** Which instance. */
  readonly via: number;
  readonly attempt?: number;
  /** Sessions with the same one are one person. */
  readonly user?: string;
  readonly status?: ChosenStatus;
  readonly state?: JsonObject;
};

/** One effect of one instance, and when. */
export type Recorded<Kind extends Effect["kind"] = Effect["kind"]> = Extract<Effect, { kind: Kind }> & {
  readonly at: Millis;
  readonly instance: number;
};

/** The interval between two checks of `until`. */
const LOOK_MS: Millis = 5;

export class World {
  readonly seed: number;
  readonly config: Constants;
  readonly network: Network;
  readonly instances: WorldInstance[] = [];
  /** Randomness for the code that drives this World; it does not change the randomness inside. */
  readonly random: Random;
  readonly #clock = new VirtualClock();
  readonly #wakes = new Deadlines<number>();
  readonly #claims = new Claims();
  readonly #observers: Observer[] = [];
  readonly #bends: Bends;
  readonly #makeCore: MakeCore;
  readonly #inner: Random;
  /** Counts what changes the views of clients. */
  readonly #changes = { count: 0 };
  #compared: { readonly stamp: number; readonly until: Millis; readonly difference: string | undefined } = {
    stamp: -1,
    until: 0,
    difference: undefined,
  };
  #connections = 0;

  /** A rule that is off in every World of this process, whatever its test asks for: packages/sim sees what misses it. */
  static ablation: { readonly constants?: Partial<Constants> } & Bends = {};

  constructor({ seed, instances, constants = {}, faults = {}, bends = {}, makeCore, warmUpMs }: WorldOptions) {
    this.seed = seed;
    const { constants: off, ...withoutRule } = World.ablation;
    this.config = { ...CONSTANTS, ...constants, ...off };
    this.#bends = { ...bends, ...withoutRule };
    this.#makeCore = makeCore ?? ((options) => new Core(options));
    this.random = new Random(seed);
    this.#inner = new Random(seed ^ 0x5eed);
    this.network = new Network({ clock: this.#clock, random: new Random(seed ^ 0xb05), faults: { ...HEALTHY, ...faults } });
    for (let started = 0; started < instances; started++) {
      this.start();
      if (warmUpMs !== 0) this.advance(this.#inner.between(0, this.config.heartbeatMs));
    }
    this.advance(warmUpMs ?? 4 * this.config.heartbeatMs);
  }

  get now(): Millis {
    return this.#clock.now;
  }

  // Time.

  advance(ms: Millis): void {
    const end = this.now + ms;
    for (;;) {
      const wakeAt = this.#wakes.next();
      // Inputs in sockets are read before timers fire.
      if (this.#clock.next() <= Math.min(wakeAt, end)) this.#clock.runNext();
      else if (wakeAt <= end) {
        this.#clock.jumpTo(wakeAt);
        this.instance(this.#wakes.takeDue(wakeAt) as number).tick();
      } else break;
    }
    this.#clock.jumpTo(end);
  }

  after(ms: Millis, run: () => void): void {
    this.#clock.after(ms, run);
  }

  /** Returns the time until `holds` is true; fails if it is not within that time. */
  until(holds: () => boolean, withinMs: Millis, what: () => string = () => "what was waited for"): Millis {
    const from = this.now;
    const end = from + withinMs;
    while (!holds()) {
      if (this.now >= end) this.fail(`not within ${withinMs} ms: ${what()}`);
      this.advance(Math.min(LOOK_MS, end - this.now));
    }
    return this.now - from;
  }

  /** Returns the time until every client sees on its boards exactly the true members, with status and state. */
  untilEqual(withinMs: Millis): Millis {
    return this.until(
      () => this.difference() === undefined,
      withinMs,
      () => `all rosters equal the union of slices; ${this.difference()}`,
    );
  }

  // Clients.

  join(name: string, { board, via, attempt = 1, user, ...entry }: JoinOptions): WorldMember {
    return new WorldSession(name, { via, attempt, ...(user !== undefined && { user }) }, this).join(boardIdOf(board), entry);
  }

  joinToObserve(name: string, { board, via }: Pick<JoinOptions, "board" | "via">): WorldMember {
    return new WorldSession(name, { via, attempt: 1 }, this).observe(boardIdOf(board));
  }

  /** Usernames of all true members, connected or within their grace at a live instance; sorted. */
  union(board: string): string[] {
    return this.members(board).map(({ username }) => username);
  }

  members(board: string): ClaimedMember[] {
    return this.#claims.union(boardIdOf(board), this.now);
  }

  /** A new number for a socket. */
  nextConnection(): ConnectionId {
    return ++this.#connections;
  }

  // Instances.

  /** Starts a new instance, which knows nothing; returns its index. */
  start(): number {
    const index = this.instances.length;
    const around: Surroundings = {
      clock: this.#clock,
      network: this.network,
      claims: this.#claims,
      observers: this.#observers,
      constants: this.config,
      bends: this.#bends,
      makeCore: this.#makeCore,
      wakes: this.#wakes,
      changes: this.#changes,
      fail: (sentence) => this.fail(sentence),
    };
    const instance = new WorldInstance(
      {
        index,
        instanceId: uuid(this.#inner),
        seed: Math.floor(this.#inner.next() * 0xffff_ffff),
        clockOffset: Math.floor(this.#inner.between(1, 1e9)),
      },
      around,
    );
    this.instances.push(instance);
    this.network.attach(instance.instanceId, (read) => instance.receive(read));
    return index;
  }

  /** kill -9. */
  kill(index: number): void {
    this.instance(index).end();
  }

  /** SIGSTOP, until `resume`. */
  pause(index: number): void {
    this.instance(index).pause();
  }

  resume(index: number): void {
    this.instance(index).resume();
  }

  /** The host of that instance kicks somebody (R16). */
  kick(name: string, { via, board }: { readonly via: number; readonly board?: string }): void {
    const on = board === undefined ? {} : { boardId: boardIdOf(board) };
    this.instance(via).receive(() => ({ kind: "kick", whom: { memberId: memberIdOf(name) }, ...on, reason: "" }));
  }

  /** Clients of that instance want to know how many are on the board, without being on it (R15). */
  watch(board: string, via: number): void {
    this.instance(via).receive(() => ({ kind: "watch", boardId: boardIdOf(board) }));
  }

  unwatch(board: string, via: number): void {
    this.instance(via).receive(() => ({ kind: "unwatch", boardId: boardIdOf(board) }));
  }

  /** The host of that instance makes an announcement (R17). */
  announce(text: string, { via, board }: { readonly via: number; readonly board?: string }): void {
    const on = board === undefined ? {} : { boardId: boardIdOf(board) };
    this.instance(via).receive(() => ({ kind: "announcement", text, ...on }));
  }

  /** It says goodbye (R12), waits for the echo, and exits. */
  stop(index: number, exitMs: Millis = 100): void {
    const instance = this.instance(index);
    instance.receive(() => ({ kind: "stop" }));
    this.after(exitMs, () => instance.end());
  }

  /** As `stop`, and before that its clients are told one after another to go: they come back at other instances. */
  drain(index: number, exitMs?: Millis): void {
    const { retryMsMin, retryMsMax } = this.config;
    const sessions = [...this.instance(index).connections.values()].filter(({ isOpen }) => isOpen).map(({ session }) => session);
    for (const [nth, session] of sessions.entries())
      this.after(retryMsMin + (nth * (retryMsMax - retryMsMin)) / sessions.length, () => {
        const { connection } = session;
        if (!connection.isOpen || connection.instance.index !== index) return;
        const others = this.instances.filter((other) => other.index !== index && other.state !== "gone");
        session.disconnect(GRACE_MS.full);
        session.resume(others[nth % others.length]?.index ?? index);
      });
    this.after(retryMsMax, () => this.stop(index, exitMs));
  }

  instance(index: number): WorldInstance {
    return this.instances[index] ?? this.fail(`there is no instance ${index}`);
  }

  /** One instance's judgement of another; undefined: it has never heard of it. */
  judges(index: number, other: number): "up" | "suspect" | "down" | "left" | undefined {
    return this.instance(index).peers.get(this.instance(other).instanceId);
  }

  // For checkers.

  observe(observer: Observer): void {
    this.#observers.push(observer);
  }

  /** Records all effects of a kind from now on, into the returned list. */
  record<Kind extends Effect["kind"]>(kind: Kind): Recorded<Kind>[] {
    const recorded: Recorded<Kind>[] = [];
    this.observe((instance, effect) => {
      if (effect.kind === kind) recorded.push({ ...effect, at: this.now, instance: instance.index } as Recorded<Kind>);
    });
    return recorded;
  }

  get claims(): Pick<
    Claims,
    "union" | "lastHeldAt" | "lastJoinedAt" | "lastEndedAt" | "isConnectedAt" | "hasJoinedAt" | "isUncertain" | "hasUncertain"
  > {
    return this.#claims;
  }

  /** The first difference between some client's view and the truth, as text. Compared again only if one of the two may have changed. */
  difference(): string | undefined {
    const stamp = this.#claims.version + this.#changes.count;
    if (stamp !== this.#compared.stamp || this.now >= this.#compared.until)
      this.#compared = { stamp, until: this.#claims.steadyUntil(this.now), difference: differenceFromTruth(this) };
    return this.#compared.difference;
  }

  /** The first difference between the counts that an instance tells its watchers and the truth, as text. */
  differenceInCounts(): string | undefined {
    return differenceInCounts(this);
  }

  /** No running instance takes one that has ended for alive, or grants it the time of its goodbye any more (R7.9, R12.3). */
  get areEndsKnown(): boolean {
    const isKnown = ({ peers }: WorldInstance, ended: WorldInstance) => {
      const state = peers.get(ended.instanceId);
      return state === "left" ? this.now >= ended.endedAt + this.config.goodbyeMs : state === "down" || state === undefined;
    };
    const ended = this.instances.filter(({ state }) => state === "gone");
    return this.instances.every((instance) => !instance.canRun || ended.every((one) => isKnown(instance, one)));
  }

  /** When the last of the running instances said that it may have missed words (R15.38); Infinity: one is not connected, or has not said it since. */
  get saidMissingAt(): Millis {
    const times = this.instances.map(({ canRun, isConnected, isDegraded, connectedAt, saidMissingAt }) => {
      if (!canRun) return Number.NEGATIVE_INFINITY;
      return isConnected && !isDegraded && saidMissingAt >= connectedAt ? saidMissingAt : Number.POSITIVE_INFINITY;
    });
    return Math.max(...times);
  }

  fail(sentence: string): never {
    throw new Error(`seed ${this.seed}, ${Math.round(this.now)} ms: ${sentence}`);
  }
}

/** Runs once for each seed from 1 on; a failure names its seed. */
export function eachSeed(count: number, run: (seed: number) => void): void {
  for (let seed = 1; seed <= count; seed++) {
    try {
      run(seed);
    } catch (error) {
      throw new Error(`seed ${seed} fails: ${error instanceof Error ? error.message : error}`, { cause: error });
    }
  }
}

function boardIdOf(text: string): BoardId {
  if (!isBoardId(text)) throw new TypeError(`${text} is no board id`);
  return text;
}

function uuid(random: Random): InstanceId {
  return [8, 4, 4, 4, 12].map((digits) => hexDigits(random, digits)).join("-") as InstanceId;
}
