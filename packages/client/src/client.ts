/**
 * The client of one page: boards on one connection, and the one timer that all of their deadlines share. Nothing happens before the
 * first `board()`: no driver, no socket, no look at the page, so that it may be created while rendering on a server.
 */

import {
  BOARDS_PER_CONNECTION_MAX,
  type BoardId,
  type BoardRef,
  type ClientMessage,
  type JsonObject,
  type Millis,
  type ServerMessage,
  STATE_BYTES_MAX,
  TokenBucket,
} from "@presence-service/protocol";
import { type BoardHandle, boardHandle } from "./board-handle.ts";
import { Connection, type ConnectionEvents } from "./connection.ts";
import { Idleness } from "./core/idleness.ts";
import { createDriver, type Driver } from "./driver.ts";
import { boardIdOf, boardIdsOf, checkState, jsonObjectOf, nameOf } from "./input.ts";
import { type Host, Membership, type MembershipOptions } from "./membership.ts";
import { parsed } from "./parsed.ts";
import type { Presence, PresenceError, PresenceOptions, PresenceStatus, Watch } from "./types.ts";
import { Watching, type WatchingHost } from "./watching.ts";

/** Until `welcome` says otherwise. */
const GRACE_MS_DEFAULT = 15_000;
/** Well below the limit of the service (docs/PROTOCOL.md, `too_fast`): it drops a broadcast over its limit, and the app cannot learn which. */
const BROADCASTS = { perSecond: 50, burst: 100 };
/** A board taken again within this time was never left. A framework that mounts a component anew needs a task or two for it. */
const RELEASE_MS = 1_000;
/** Users need not be told of an outage that is over by then. */
const LOST_MS = 5_000;
/** As long as somebody may read, or look away, without touching anything. */
const IDLE_AFTER_MS = 5 * 60_000;
/** For drivers without `nextFrame`. */
const FRAME_MS = 16;
/** Longer delays make `setTimeout` fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1;

/** See `PresenceOptions` and `Presence`. Connects with the first `board()`. */
export function createPresence<State extends object = JsonObject, Events extends object = JsonObject>(
  options: PresenceOptions<State>,
): Presence<State, Events> {
  const { url } = (options ?? {}) as { url?: unknown };
  const addresses: unknown[] = Array.isArray(url) ? url : [url];
  const isGiven = addresses.length > 0 && addresses.every((each) => typeof each === "string" && each !== "");
  if (!isGiven && typeof url !== "function")
    throw new TypeError('createPresence needs the address of the service: createPresence({ url: "wss://presence.example.com" })');
  const client = new Client(options as PresenceOptions<never>);
  const presence: Presence<object, Record<string, unknown>> = {
    board: (boardId, said) => client.board(boardId, said),
    observe: (boardId) => client.observe(boardId),
    watch: (boardIds) => client.watch(boardIds),
    get status() {
      return client.status;
    },
    get instanceId() {
      return client.instanceId;
    },
    close: () => client.close(),
  };
  // Inside the SDK a state is a plain JSON object, since the wire does not know the app's types. This cast is the border.
  return presence as unknown as Presence<State, Events>;
}

/** The parts that exist once a board was taken. */
type Running = {
  readonly driver: Driver;
  readonly connection: Connection;
  readonly idleness: Idleness;
  readonly stopWatching: (() => void) | undefined;
};

class Client implements Host, ConnectionEvents, WatchingHost {
  readonly #options: PresenceOptions<never>;
  readonly #idleAfterMs: Millis;
  readonly isSmooth: boolean;
  readonly justLeftMs: Millis;
  #running: Running | undefined;
  #isClosed = false;
  readonly #memberships = new Map<BoardId, Membership>();
  /** Boards joined in this connection, by their number (or id, in JSON) in it. */
  readonly #joined = new Map<BoardRef, Membership>();
  readonly #broadcasts = new TokenBucket(BROADCASTS, 0);
  readonly #watching = new Watching(this);
  #cursorMs: Millis | undefined;
  /** The user is away, as all boards are told. */
  #isAway = false;
  /** There was a connection, and there is none. Told at `tellAt`; Infinity: it has been told. */
  #outage: { readonly since: Millis; tellAt: Millis } | undefined;
  #timer: { readonly at: Millis; readonly cancel: () => void } | undefined;

  constructor(options: PresenceOptions<never>) {
    this.#options = options;
    const { idleAfterMs = IDLE_AFTER_MS, justLeftMs = 0, smooth = true } = options;
    if (idleAfterMs !== false && !(idleAfterMs > 0)) throw new RangeError("idleAfterMs must be a time above 0 in milliseconds, or false");
    if (!(justLeftMs >= 0)) throw new RangeError("justLeftMs must be a time in milliseconds, 0 or more");
    this.#idleAfterMs = idleAfterMs || Number.POSITIVE_INFINITY;
    this.justLeftMs = justLeftMs;
    this.isSmooth = smooth;
  }

  get status(): PresenceStatus {
    if (this.#isClosed) return "closed";
    return this.#running?.connection.status ?? "connecting";
  }

  get instanceId(): string | undefined {
    return this.#running?.connection.welcome?.instanceId;
  }

  board(boardId: string, { username, state }: { readonly username?: string; readonly state?: object } = {}): BoardHandle {
    const said = {
      ...(username !== undefined && { username: nameOf(username) }),
      ...(state !== undefined && { state: jsonObjectOf(state, "the state of a member") }),
    };
    return this.#take(boardIdOf(boardId), said, false);
  }

  observe(boardId: string): BoardHandle {
    return this.#take(boardIdOf(boardId), {}, true);
  }

  watch(boardIds: Iterable<string>): Watch {
    const ids = boardIdsOf(boardIds);
    const running = this.#run();
    const handle = this.#watching.watch(ids);
    if (this.#isClosed) handle.stop();
    else this.#start(running);
    this.#tick();
    return handle;
  }

  #take(id: BoardId, said: Partial<MembershipOptions>, observes: boolean): BoardHandle {
    const running = this.#run();
    let held = this.#memberships.get(id);
    if (held?.handles === 0 && held.isOver) held = this.#leave(held);
    // The first handle that does more than observe brings the options.
    else if (held && (held.handles === 0 || (held.handles === held.observing && !observes))) held.takenAgain(said);
    held ??= this.#enter(id, said, observes);
    held.handles++;
    if (observes) held.observing++;
    held.setObserving(held.observing === held.handles);
    if (!this.#isClosed) this.#start(running);
    this.#tick();
    const membership = held;
    return boardHandle(
      membership,
      () => this.instanceId,
      () => this.#release(membership, observes),
    );
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const membership of this.#memberships.values()) membership.leave();
    this.#running?.connection.close();
    this.#shutDown();
  }

  #enter(id: BoardId, { username = "", state = {} }: Partial<MembershipOptions>, observes: boolean): Membership {
    checkState(state, STATE_BYTES_MAX);
    // A board that was given back and not left yet makes room for this one.
    const released = [...this.#memberships.values()].find(({ handles }) => handles === 0);
    if (released && this.#memberships.size >= BOARDS_PER_CONNECTION_MAX) this.#leave(released);
    const membership = new Membership(id, { username, state }, this, observes);
    if (!this.#isClosed) this.#memberships.set(id, membership);
    if (this.#cursorMs !== undefined) membership.setPace(this.#cursorMs);
    membership.setAway(this.#isAway);
    membership.join();
    return membership;
  }

  #release(membership: Membership, observes: boolean): void {
    if (observes) membership.observing--;
    if (--membership.handles > 0) return membership.setObserving(membership.observing === membership.handles);
    if (this.#memberships.get(membership.boardId) !== membership || !this.#running) return;
    membership.leaveAt = this.#running.driver.now() + RELEASE_MS;
    this.#arm();
  }

  #leave(membership: Membership): undefined {
    if (membership.board !== undefined) this.#joined.delete(membership.board);
    this.#memberships.delete(membership.boardId);
    membership.leave();
    this.#makeRoom();
  }

  /** A board was left: a board that was refused with `too_many_boards` can be joined now. */
  #makeRoom(): void {
    [...this.#memberships.values()].find(({ isCrowdedOut }) => isCrowdedOut)?.join();
  }

  #run(): Running {
    if (this.#running) return this.#running;
    const driver = this.#options.driver ?? createDriver();
    const connection = new Connection(driver, this.#options, this);
    // Without a page nobody tells whether its user is there.
    const idleness = new Idleness(driver.watchPage ? this.#idleAfterMs : Number.POSITIVE_INFINITY, driver.now());
    const stopWatching = this.#isClosed
      ? undefined
      : driver.watchPage?.({
          awake: (isOnline) => {
            connection.awake(driver.now(), isOnline);
            this.#tick();
          },
          active: () => {
            connection.active(driver.now());
            idleness.active(driver.now());
            this.#setAway(idleness, driver.now());
            this.#arm();
          },
          hidden: (isHidden) => {
            if (isHidden) idleness.hidden();
            else idleness.active(driver.now());
            this.#setAway(idleness, driver.now());
            this.#arm();
          },
          blurred: () => this.#each((membership) => membership.move(null)),
          ended: () => this.#each((membership) => membership.handles === 0 && this.#leave(membership)),
        });
    this.#running = { driver, connection, idleness, stopWatching };
    return this.#running;
  }

  // For the connection.

  isWanted(): boolean {
    return this.#watching.isWanted || [...this.#memberships.values()].some(({ handles }) => handles > 0);
  }

  firstBoard(): BoardId | undefined {
    return this.#memberships.keys().next().value;
  }

  greeted(): void {
    this.#each((membership) => membership.join());
    this.#watching.greeted();
  }

  lost(): void {
    this.#joined.clear();
    this.#each((membership) => membership.lost());
  }

  hastened(): void {
    this.#arm();
  }

  settled(): void {
    this.#tick();
  }

  #start({ driver, connection }: Running): void {
    const shown = driver.shown?.();
    if (shown === undefined) return connection.start();
    void shown.then(() => {
      if (!this.#isClosed && this.isWanted()) connection.start();
      this.#tick();
    });
  }

  #setAway(idleness: Idleness, now: Millis): void {
    const isAway = idleness.isAway(now);
    if (isAway === this.#isAway) return;
    this.#isAway = isAway;
    this.#running?.connection.watched(!isAway);
    this.#each((membership) => membership.setAway(isAway));
  }

  received(message: ServerMessage): void {
    switch (message.kind) {
      case "welcome":
        return this.#pace(message.cursorMs);
      case "pace":
        return this.#pace(message.cursorMs);
      case "joined": {
        const membership = this.#memberships.get(message.boardId);
        // The board was left while the answer was on its way.
        if (!membership) return void this.send({ kind: "leave", board: message.board });
        this.#joined.set(message.board, membership);
        return membership.joined(message);
      }
      case "announcement":
        if (message.board !== undefined) return this.#joined.get(message.board)?.happened("announcement", { text: message.text });
        return this.#each((membership) => membership.happened("announcement", { text: message.text }));
      case "error":
        return this.#refused(message);
      case "degraded":
        // Without a board it concerns the whole connection, which handles it.
        if (message.board !== undefined) this.#joined.get(message.board)?.degraded(message.on);
        return;
      case "occupancy":
        return this.#watching.told(message.boards);
      case "heartbeat":
      case "goodbye":
      case "token_expiring":
        return; // connection.ts handles these
      default:
        // A board that we do not know was left a moment ago: ignore the message.
        this.#joined.get(message.board)?.handle(message);
    }
  }

  #refused({ code, message, ref }: Extract<ServerMessage, { kind: "error" }>): void {
    if (code === "superseded") return this.#running?.connection.renewSession();
    const isOfBoard = [...this.#memberships.values()].some(({ boardId }) => boardId === ref);
    // A board that is only watched has nobody who listens for errors.
    if (ref !== undefined && this.#watching.failed(code, ref) && !isOfBoard)
      return void this.#running?.driver.report(`${code} (${ref}): ${message}`);
    const about = code === "bad_message" && !isOfBoard ? (this.#onlyUnanswered() ?? ref) : ref;
    this.failed({ code, message, ...(about !== undefined && { ref: about }) });
  }

  /** An error about an unreadable join names no board. If only one board waits for an answer, it is that one. */
  #onlyUnanswered(): BoardId | undefined {
    const [membership, ...more] = [...this.#memberships.values()].filter(({ isUnanswered }) => isUnanswered);
    return more.length === 0 ? membership?.boardId : undefined;
  }

  /** The service ended the connection. All boards are closed; `error.code` decides whether a board may be entered again. */
  ended(error: PresenceError): void {
    this.#isClosed = error.code !== "unauthorized";
    const memberships = [...this.#memberships.values()];
    // Before the listeners are called: one may enter a board at once.
    this.#memberships.clear();
    this.#joined.clear();
    this.failed(error, memberships);
    for (const membership of memberships) membership.closed();
    if (this.#isClosed) this.#shutDown();
    else if (this.#memberships.size === 0) this.#stopTimer();
  }

  /** Reports an error to the board it is about, or to all boards; to the console if no listener takes it. */
  failed(error: PresenceError, memberships = [...this.#memberships.values()]): void {
    const about = memberships.filter(({ boardId }) => boardId === error.ref);
    const concerned = about.length > 0 ? about : memberships;
    const heard = concerned.map((membership) => membership.failed(error));
    if (about.some(({ isOver }) => isOver)) this.#makeRoom();
    if (!heard.includes(true))
      this.#running?.driver.report(`${error.code}${error.ref === undefined ? "" : ` (${error.ref})`}: ${error.message}`);
  }

  #pace(cursorMs: Millis): void {
    this.#cursorMs = cursorMs;
    this.#each((membership) => membership.setPace(cursorMs));
  }

  send(message: ClientMessage): boolean {
    return this.#running?.connection.send(message) ?? false;
  }

  /** Goes through a copy: the app's listeners may enter and leave boards meanwhile. */
  #each(act: (membership: Membership) => unknown): void {
    for (const membership of [...this.#memberships.values()]) if (this.#memberships.has(membership.boardId)) act(membership);
  }

  /** Called after every input: does all that is due, also when a timer is late. */
  #tick(): void {
    if (!this.#running || this.#isClosed) return;
    const now = this.#running.driver.now();
    this.#each((membership) => now >= membership.leaveAt && this.#leave(membership));
    this.#running.connection.tick(now);
    this.#watching.tick(now);
    this.#setAway(this.#running.idleness, now);
    this.#tellOutage(this.#running, now);
    this.#each((membership) => {
      membership.tick(now);
      membership.refresh();
    });
    this.#arm();
  }

  /** Most outages are over before anybody needs to be told. */
  #tellOutage({ driver, connection }: Running, now: Millis): void {
    if (connection.status === "reconnecting") {
      this.#outage ??= { since: now, tellAt: now + LOST_MS };
      if (now < this.#outage.tellAt) return;
      this.#outage.tellAt = Number.POSITIVE_INFINITY;
      const isOffline = driver.isOnline?.() === false;
      return this.#each((membership) => membership.happened("lost", { isOffline }));
    }
    const outage = this.#outage;
    this.#outage = undefined;
    if (outage?.tellAt === Number.POSITIVE_INFINITY)
      this.#each((membership) => membership.happened("restored", { afterMs: now - outage.since }));
  }

  #arm(): void {
    if (!this.#running || this.#isClosed) return;
    const { driver, connection, idleness } = this.#running;
    let at = Math.min(connection.deadline, this.#watching.deadline, this.#outage?.tellAt ?? Number.POSITIVE_INFINITY);
    if (!this.#isAway && this.#memberships.size > 0) at = Math.min(at, idleness.deadline);
    for (const { deadline, leaveAt } of this.#memberships.values()) at = Math.min(at, deadline, leaveAt);
    // A timer that fires too early costs one call of `#tick`. Setting it anew for every cursor move would cost more.
    if (at === Number.POSITIVE_INFINITY || (this.#timer && this.#timer.at <= at)) return;
    this.#timer?.cancel();
    const delayMs = Math.min(Math.max(0, at - driver.now()), TIMER_MS_MAX);
    const cancel = driver.setTimer(() => {
      this.#timer = undefined;
      this.#tick();
    }, delayMs);
    this.#timer = { at, cancel };
  }

  #stopTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #shutDown(): void {
    this.#stopTimer();
    this.#running?.stopWatching?.();
    this.#joined.clear();
    const memberships = [...this.#memberships.values()];
    this.#memberships.clear();
    this.#watching.closed();
    for (const membership of memberships) membership.closed();
  }

  // For the boards.

  get graceMs(): Millis {
    return this.#running?.connection.welcome?.graceMs ?? GRACE_MS_DEFAULT;
  }

  get stateBytesMax(): number {
    return this.#running?.connection.welcome?.stateBytesMax ?? STATE_BYTES_MAX;
  }

  now(): Millis {
    return this.#run().driver.now();
  }

  nextFrame(run: (at: Millis) => void): () => void {
    const { driver } = this.#run();
    return driver.nextFrame?.(run) ?? driver.setTimer(() => run(driver.now()), FRAME_MS);
  }

  nextAttempt(): number | undefined {
    return this.#isClosed ? undefined : this.#running?.connection.nextAttempt();
  }

  mayBroadcast(): boolean {
    return !this.#running?.connection.isDoubtful && this.#broadcasts.take(this.now());
  }

  report(problem: string, error?: unknown): void {
    this.#run().driver.report(problem, error);
  }

  get hash(): Driver["hash"] | undefined {
    const { driver } = this.#run();
    return driver.hash?.bind(driver);
  }

  parseState(state: JsonObject): object {
    if (!this.#options.parseState) return state;
    try {
      return parsed(this.#options.parseState, state);
    } catch (error) {
      this.report("parseState refused a state; it must return one for every input", error);
      return {};
    }
  }
}
