/**
 * Connects the core with the world: sockets and bus messages become its inputs, and its effects are carried out here and nowhere
 * else. The manager keeps the clock of all its parts, and does not decide which members are shown.
 */

import type { IncomingMessage } from "node:http";
import { type BoardId, CLOSE, type InstanceId, type Json, type Member, type MemberId, type Millis } from "@presence-service/protocol";
import { type Bounds, boundsOf } from "../bounds.ts";
import type { Bus, Channels } from "../bus/bus.ts";
import type { Signing } from "../bus/signing.ts";
import type { Clock } from "../clock.ts";
import { assertNever } from "../core/assert-never.ts";
import { CONSTANTS } from "../core/constants.ts";
import { Core } from "../core/core.ts";
import type { ConnectionId, DegradedWhy, Effect, Input } from "../core/effects.ts";
import type { Announcement, BusMessage, Kick, Revocation } from "../core/messages.ts";
import { PresenceError } from "../errors.ts";
import { Recorder, type RecorderOptions } from "../recorder/recorder.ts";
import type { ClientSocket } from "../speech/socket.ts";
import type { Speech } from "../speech/speech.ts";
import type { Logger } from "../telemetry/log.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Tracer, Tracing } from "../telemetry/tracing.ts";
import { Agents } from "./agents.ts";
import { Alarm } from "./alarm.ts";
import type { Authenticate, Authorize } from "./auth.ts";
import { type Budgets, budgetsOf, ratesOf } from "./budget.ts";
import { BusLine } from "./bus-line.ts";
import { Connection } from "./connection.ts";
import { Gate } from "./gate.ts";
import { Host } from "./host.ts";
import type { Hub } from "./hub.ts";
import { Journal } from "./journal.ts";
import { Lobby, STEP_MS } from "./lobby.ts";
import { LocalBoards } from "./local-boards.ts";
import { Revoking } from "./revoking.ts";
import { Users } from "./users.ts";
import { Watching } from "./watching.ts";

export type ManagerOptions = {
  readonly instanceId: InstanceId;
  readonly bus: Bus;
  readonly channels: Channels;
  readonly signing: Signing;
  readonly clock: Clock;
  readonly metrics: Metrics;
  readonly log: Logger;
  /** Seed of the core's jitter. */
  readonly seed: number;
  readonly authenticate?: Authenticate | undefined;
  readonly authorize?: Authorize | undefined;
  /** undefined: nobody traces. */
  readonly tracer?: Tracer | undefined;
  /** undefined: nothing is recorded. */
  readonly recorder?: RecorderOptions | undefined;
  /** For webhooks: changes of own slices, judgements of peers, and words that others said about them. */
  readonly hooks?: {
    own(effect: Extract<Effect, { kind: "own" }>): void;
    judged(effect: Extract<Effect, { kind: "peer" }>): void;
    heard(from: InstanceId, words: Json): void;
  };
  /** No token lives longer; for so long it is remembered which are void (R24). */
  readonly tokenLifeMs?: Millis | undefined;
  /** Told of every message that came and counts, own ones included. */
  readonly overheard?: (from: InstanceId, message: BusMessage) => void;
  /** undefined: the defaults. */
  readonly bounds?: Bounds | undefined;
};

/** A day. */
export const TOKEN_LIFE_MS: Millis = 86_400_000;
/** The core's deadlines are met up to this much late, so that a thousand boards share a hundred wake-ups a second. */
const DEADLINE_GRAIN_MS = 10;
/** How often an instance that works looks at how busy its event loop is; steps are twice as rare. */
const SAMPLE_MS = 250;
/** Below this load it looks every step: far from the first load that changes anything (ticker.ts). */
const LITTLE_LOAD = 0.2;
/** A step waits so long for a heartbeat to come with. */
const BEAT_SLACK_MS = 100;
/** An instance that waits for another before it stops looks so often. */
const RELIEF_GRAIN_MS = 20;

export class ConnectionManager implements Hub {
  readonly instanceId: InstanceId;
  readonly metrics: Metrics;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly tracing: Tracing | undefined;
  readonly host: Host;
  readonly lobby: Lobby<Connection>;
  readonly revoking: Revoking;
  /** Members without a socket. */
  readonly agents: Agents;
  readonly boards: LocalBoards;
  readonly watching: Watching;
  /** Every upgrade passes the gate, which decides whether it waits. */
  readonly gate: Gate;
  readonly bounds: Bounds;
  readonly budgets: Budgets;
  readonly users: Users;
  /** Fulfilled when an own heartbeat has come back: clients may be served. */
  readonly ready: Promise<void>;
  readonly #core: Core;
  readonly #hooks: ManagerOptions["hooks"];
  readonly #recorder: Recorder | undefined;
  readonly #line: BusLine;
  /** One for the core and for the visits: an instance at rest wakes up for both at once. */
  readonly #alarm: Alarm;
  /** The core's, rounded up. */
  #deadline: Millis = Number.POSITIVE_INFINITY;
  /** The alarm is set when all is done: set before, for a step that comes now, it would go off for nothing. */
  #isRinging = false;
  /** A heartbeat has left since the alarm rang last. */
  #hasBeat = false;
  /** None came with the last step. */
  #wasWithoutBeat = false;
  /** Of the last step of the lobby. */
  #steppedAt: Millis = 0;
  /** When the next one comes if no heartbeat leaves before. */
  #stepBy: Millis = Number.POSITIVE_INFINITY;
  /** When the load is looked at, if that is before the next step. */
  #sampleAt: Millis = Number.POSITIVE_INFINITY;
  readonly #inputs: Input[] = [];
  #isHandling = false;
  #isReady = false;
  #isDegraded = false;
  #isStopping = false;
  #hasStopped = false;
  /** Settles when the bus has taken, or has not taken, the host's last message to all instances. */
  #taken: Promise<void> | undefined;
  #becameReady: () => void = () => {};

  constructor(options: ManagerOptions) {
    const {
      instanceId,
      bus,
      channels,
      signing,
      clock,
      metrics,
      log,
      authenticate,
      authorize,
      seed,
      recorder,
      bounds = boundsOf(),
    } = options;
    this.bounds = bounds;
    this.budgets = budgetsOf(bounds);
    this.users = new Users(bounds.connectionsPerUser);
    this.instanceId = instanceId;
    this.#hooks = options.hooks;
    this.metrics = metrics;
    this.clock = clock;
    this.journal = new Journal(metrics, log);
    this.tracing = options.tracer && new Tracing(options.tracer, log);
    this.revoking = new Revoking({
      lifeMs: options.tokenLifeMs ?? TOKEN_LIFE_MS,
      clock,
      say: (list) => this.input({ kind: "revocations", list }),
      learned: (list) => this.#endVoid(list),
    });
    this.host = new Host({ authenticate, authorize, clock, log, isVoid: (userId, issuedAt) => this.revoking.isVoid(userId, issuedAt) });
    this.lobby = new Lobby(clock);
    const core = { instanceId, seed, now: clock.now() };
    this.#recorder = recorder === undefined || recorder.bytes === 0 ? undefined : new Recorder(core, recorder, log);
    this.#core = this.#recorder?.core ?? new Core(core);
    this.boards = new LocalBoards({
      core: this.#core,
      clock,
      metrics,
      rates: ratesOf(bounds),
      publish: (boardId, cursors, to) => this.#line.move(boardId, cursors, to),
      turnOver: () => this.#line.moved(),
      flushed: () => this.#armAlarm(),
    });
    this.agents = new Agents({
      clock,
      boards: this.boards,
      inspection: this.#core.inspection,
      nextId: () => this.lobby.nextId(),
      isStopping: () => this.#isStopping || !this.#isReady,
      input: (input) => this.input(input),
    });
    this.watching = new Watching({ core: this.#core, clock, input: (input) => this.input(input) });
    const late = (ms: Millis) => metrics.timerWasLate(ms);
    this.#alarm = new Alarm(clock, () => this.#ring(), late);
    this.gate = new Gate(clock, metrics, bounds);
    this.ready = new Promise((resolve) => {
      this.#becameReady = resolve;
    });
    this.#line = new BusLine({
      instanceId,
      bus,
      channels,
      signing,
      metrics,
      journal: this.journal,
      input: (input) => this.input(input),
      isOn: (boardId) => this.#core.isOn(boardId),
      isReady: () => this.#isReady,
      hooked: this.#hooks && ((from, words) => this.#hooks?.heard(from, words)),
      overheard: options.overheard ?? (() => {}),
    });
  }

  /** Connects to the bus. Resolves when it is connected, and rejects as `Bus.start` does. To be called once. */
  async start(): Promise<void> {
    this.#steppedAt = this.clock.now();
    this.#stepBy = this.#steppedAt + STEP_MS;
    this.#armAlarm();
    await this.#line.start();
  }

  get isReady(): boolean {
    return this.#isReady;
  }

  get isStopping(): boolean {
    return this.#isStopping;
  }

  get isDegraded(): boolean {
    return this.#isDegraded;
  }

  /** Says in words what Redis refuses at present, without names of channels or users. */
  get refusal(): string | undefined {
    return this.#line.refusal;
  }

  /** The cause of an outage in words, where Redis refuses something or a connection is missing. */
  get trouble(): string | undefined {
    return this.#line.trouble;
  }

  /** Whether other instances demand signed messages and this one signs none: a cause of `unheard`. */
  get lacksSecret(): boolean {
    return this.#line.lacksSecret;
  }

  /** The number of other instances that neither hear this one on boards nor are heard there, as they have REDIS_SHARDED otherwise. */
  get apart(): number {
    return this.#line.apart;
  }

  /** For those who run the service. */
  get inspection(): Core["inspection"] {
    return this.#core.inspection;
  }

  /** Up to `count` members of that board, in the order of their ids. */
  page(boardId: BoardId, after: MemberId | undefined, count: number): Member[] {
    return this.#core.page(boardId, after, count);
  }

  stats(): ReturnType<Core["stats"]> {
    return this.#core.stats(this.clock.now());
  }

  /**
   * Opens a connection on a new WebSocket. `request` is for the host's `authenticate` only. `token`: from the URL, for a client that
   * says no hello. The connection shares the budget of `address`.
   */
  open(
    socket: ClientSocket,
    client: { speech: Speech; request: IncomingMessage; token?: string | undefined; address: string },
  ): Connection {
    const id = this.lobby.nextId();
    const { speech, request, token, address } = client;
    const account = this.gate.account(address);
    const connection = new Connection(this, id, socket, { speech, request, token, account });
    this.lobby.add(connection);
    this.journal.opened(id, speech.encoding);
    connection.start();
    return connection;
  }

  /** Says words about webhooks to all instances that have them. */
  hook(words: Json): void {
    this.#line.hook(words);
  }

  /** Writes the last minutes to a file, and answers its path; undefined: nothing is recorded. Rejects if the file cannot be written. */
  async record(): Promise<string | undefined> {
    return this.#recorder?.write("asked");
  }

  /**
   * Carries out a kick or an announcement here at once, and publishes it for all instances. Resolves when the bus took it; rejects with
   * BUS_DOWN or BUS_REFUSED if it did not, or may not have: then other instances may not know of it. To say it again does no harm.
   */
  async tellAll(word: Kick | Announcement): Promise<void> {
    // The caller may itself be called from within the core: so the input is given in a later microtask.
    await undefined;
    this.#taken = undefined;
    this.input(word);
    if (this.#taken === undefined)
      throw new PresenceError("BUS_DOWN", "this instance has stopped and publishes nothing any more; call another instance");
    await this.#taken;
  }

  /** Tells all clients to go to another instance, and closes their connections. Resolves when all sockets are closed; the bus is not. */
  async stop(): Promise<void> {
    if (this.#isStopping) return;
    // R12. While the others are starting anew this instance goes on as before, since its clients would find nobody.
    const until = this.clock.now() + CONSTANTS.relieveMs;
    while (this.#core.isToBeRelieved && this.lobby.all().length > 0 && this.clock.now() < until)
      await new Promise<void>((resolve) => void this.clock.after(RELIEF_GRAIN_MS, resolve));
    this.lobby.dismissForGood();
    this.#isStopping = true;
    this.gate.stop();
    this.input({ kind: "stop" });
    await this.lobby.dismissAll();
    this.#hasStopped = true;
    this.#alarm.set(Number.POSITIVE_INFINITY);
    this.boards.stop();
    this.watching.stop();
    this.revoking.stop();
    this.agents.stop();
  }

  // The core.

  /** Effects of one input are carried out before the next input, also if they bring it about. */
  input(input: Input): void {
    if (this.#isHandling || this.#inputs.length > 0) this.#inputs.push(input);
    if (this.#isHandling) return;
    this.#isHandling = true;
    try {
      // Most inputs come alone, and need no list.
      let next: Input | undefined = this.#inputs.length > 0 ? this.#inputs.shift() : input;
      for (; next !== undefined; next = this.#inputs.length > 0 ? this.#inputs.shift() : undefined) {
        for (const effect of this.#core.handle(next, this.clock.now(), this.clock.wallNow())) this.#carryOut(effect);
      }
    } finally {
      // This happens even if the host's logger has thrown: the next heartbeat must not wait for the next input.
      this.#isHandling = false;
      this.#armAlarm();
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.kind) {
      case "publish":
        if (effect.message.kind === "heartbeat") this.#hasBeat = true;
        if (effect.shard !== undefined) return this.#line.tellCounts(effect.shard, effect.message);
        if (effect.group !== undefined) return this.#line.beat(effect.group, effect.message);
        if (effect.peer !== undefined) return this.#line.probe();
        return this.#publish(effect.boardId, effect.message);
      case "subscribe":
      case "unsubscribe":
      case "resubscribe":
        return this.#line.subscription(effect);
      case "shard":
        return this.#line.shard(effect);
      case "group":
        return this.#line.group(effect);
      case "moves_channel":
        return this.#line.movesChannel(effect);
      case "recycle":
        return this.#line.recycle(effect);
      case "joined":
        return this.#admit(effect.connection, effect.boardId, effect.self);
      case "refused":
        this.agents.refused(effect.connection, effect.code === "superseded" ? "superseded" : "bad_state");
        return this.lobby.of(effect.connection)?.refused(effect.code, effect.boardId, effect.as);
      case "superseded":
        this.agents.ended(effect.connection);
        return this.lobby.of(effect.connection)?.end(CLOSE.superseded);
      case "kick":
        return this.#kick(effect);
      case "put_out":
        this.agents.ended(effect.connection);
        return this.lobby.of(effect.connection)?.putOut(effect.boardId, effect.self);
      case "announcement":
        for (const connection of this.lobby.greeted()) connection.announce(effect.text, effect.boardId);
        return;
      case "roster":
        this.journal.changed(effect.boardId, effect.change);
        return this.boards.changed(effect.boardId, effect.change);
      case "observed":
        return this.boards.observed(effect.boardId);
      case "occupancy":
        return this.watching.changed(effect.boardId);
      case "event":
        return this.boards.event(effect);
      case "cursors":
        return this.boards.cursors(effect.boardId);
      case "degraded":
        return effect.boardId === undefined ? this.#setDegraded(effect.on, effect.why) : this.#setBoardDegraded(effect.boardId, effect.on);
      case "ready":
        this.#isReady = true;
        this.#becameReady();
        return;
      case "revocations":
        return this.revoking.heard(effect.list);
      case "peer":
        if (effect.state === "up") this.revoking.met();
        this.#hooks?.judged(effect);
        return this.journal.judged(effect);
      case "own":
        return this.#hooks?.own(effect);
      case "echo":
        return this.journal.echoed(effect.ms);
      case "counted":
        return this.journal.counted(effect.what);
      case "measured":
        return this.journal.measured(effect);
      default:
        return assertNever(effect);
    }
  }

  #publish(boardId: BoardId | undefined, message: BusMessage): void {
    // An instance that never became ready is not known to others: it publishes no goodbye.
    if (this.#isStopping && !this.#isReady) return;
    if (message.kind === "kick" || message.kind === "announcement") this.#taken = this.#line.tell(message);
    else this.#line.publish(boardId, message);
  }

  #admit(id: ConnectionId, boardId: BoardId, self: number | undefined): void {
    const seat = this.lobby.of(id)?.seats.find(({ fanout }) => fanout.boardId === boardId);
    if (seat !== undefined) this.boards.admit(seat, self);
    else this.agents.admitted(id, self);
  }

  #kick(kick: Kick): void {
    const { whom, boardId, reason } = kick;
    this.host.doubtAnswersUnderWay();
    this.journal.kicked(kick);
    if (boardId !== undefined) {
      for (const connection of this.lobby.all()) if (connection.isMeant(whom)) connection.endWatch(boardId);
      return;
    }
    const close = { ...CLOSE.kicked, meaning: reason || CLOSE.kicked.meaning };
    for (const connection of this.lobby.all()) if (connection.isMeant(whom)) connection.end(close);
    if ("userId" in whom && kick.voidBefore !== undefined) this.revoking.heard([{ userId: whom.userId, before: kick.voidBefore }]);
  }

  /** This instance has missed the kick, or was not there. */
  #endVoid(list: readonly Revocation[]): void {
    this.host.doubtAnswersUnderWay();
    const users = new Set(list.map(({ userId }) => userId));
    for (const connection of this.lobby.all()) {
      const { identity, user } = connection.who ?? {};
      if (identity === undefined || !users.has(identity.user.userId)) continue;
      if (this.revoking.isVoid(identity.user.userId, user?.issuedAt ?? undefined)) connection.end(CLOSE.kicked);
    }
  }

  #setDegraded(on: boolean, why: DegradedWhy | undefined): void {
    this.journal.degraded(on, why === "unheard" && this.lacksSecret ? "unsigned" : why, this.#line.address, this.trouble);
    if (on === this.#isDegraded) return;
    this.#isDegraded = on;
    for (const connection of this.lobby.greeted()) {
      connection.send({ kind: "degraded", on });
      connection.visitSoon(); // somebody may look whom this instance does not hear
    }
  }

  #setBoardDegraded(boardId: BoardId, on: boolean): void {
    this.journal.boardDegraded(boardId, on, this.#core.degradedBoards, this.refusal !== undefined);
    this.boards.degraded(boardId, on);
  }

  // The clock.

  #armAlarm(): void {
    if (this.#isRinging || this.#hasStopped) return;
    this.#deadline = Math.ceil(this.#core.nextDeadline() / DEADLINE_GRAIN_MS) * DEADLINE_GRAIN_MS;
    this.#alarm.set(Math.min(this.#deadline, this.#stepBy, this.#sampleAt));
  }

  #ring(): void {
    const now = this.clock.now();
    this.#hasBeat = false;
    this.#isRinging = true;
    try {
      if (now >= this.#deadline) this.input({ kind: "tick", oldestUnansweredMs: this.#line.oldestUnansweredMs() });
    } finally {
      // This happens even if the host's logger has thrown.
      try {
        this.#look(now);
      } finally {
        this.#isRinging = false;
        this.#armAlarm();
      }
    }
  }

  /** Steps come with heartbeats, so that an instance at rest wakes up once for both; without heartbeats they come by themselves. */
  #look(now: Millis): void {
    const isStep = now >= this.#stepBy || (this.#hasBeat && now - this.#steppedAt >= STEP_MS / 2);
    if (!isStep && now < this.#sampleAt) return;
    const load = this.clock.load();
    this.#sampleAt = load < LITTLE_LOAD ? Number.POSITIVE_INFINITY : now + SAMPLE_MS;
    this.boards.adapt(load);
    if (!isStep) return;
    this.#steppedAt = now;
    // The second step without a heartbeat waits for none.
    this.#stepBy = now + STEP_MS + (this.#hasBeat || !this.#wasWithoutBeat ? BEAT_SLACK_MS : 0);
    this.#wasWithoutBeat = !this.#hasBeat;
    if (this.lobby.visit(now)) this.gate.tidy(now);
  }
}
