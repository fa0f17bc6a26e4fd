/**
 * Our membership of one board, shared by all handles that the app has of it. It joins and leaves, carries out what core/own-side.ts wants
 * said of us, and turns the service's messages into events. core/board-view.ts interprets rosters; core/cursor-pacer.ts decides when a
 * cursor is sent.
 */

import {
  applyMergePatch,
  type BoardId,
  type BoardRef,
  type ClientMessage,
  isSame,
  type Json,
  type JsonObject,
  type MemberId,
  type Millis,
  type Point,
  type Recipients,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import { type AnyCursorMove, type AnyMember, BoardView, type Changes } from "./core/board-view.ts";
import { CursorPacer } from "./core/cursor-pacer.ts";
import { JustLeft } from "./core/just-left.ts";
import type { Look } from "./core/look.ts";
import { type Own, OwnSide } from "./core/own-side.ts";
import { CursorPlayer, type Frames } from "./cursor-player.ts";
import type { Driver } from "./driver.ts";
import { Holdings, type Join } from "./holdings.ts";
import { checkState } from "./input.ts";
import { Listeners } from "./listeners.ts";
import { Looking } from "./looking.ts";
import { Pages } from "./pages.ts";
import type { BoardEvents, BoardSnapshot, Followed, MemberPage, PresenceError, PresenceStatus, Stop } from "./types.ts";

/** The part of the client that a membership uses. */
export interface Host extends Frames {
  readonly status: PresenceStatus;
  readonly graceMs: Millis;
  readonly stateBytesMax: number;
  /** Whether cursors are played smoothly, unless a listener says otherwise. */
  readonly isSmooth: boolean;
  /** How long members who left are shown. */
  readonly justLeftMs: Millis;
  nextAttempt(): number | undefined;
  send(message: ClientMessage): boolean;
  /** Whether a broadcast may be sent now; takes one from the rate limit. False while the service does not answer. */
  mayBroadcast(): boolean;
  /** `deadline` may be sooner than it was. */
  hastened(): void;
  report(problem: string, error?: unknown): void;
  /** Reports an error to the app; the client calls the `failed` of this board with it. */
  failed(error: PresenceError): void;
  parseState(state: JsonObject): object;
  /** SHA-256, where it is to be had. */
  readonly hash: Driver["hash"] | undefined;
}

export type MembershipOptions = { readonly username: string; readonly state: JsonObject };

type Joined = Extract<ServerMessage, { readonly kind: "joined" }>;

/** Messages about one board, once it is joined. */
export type BoardMessage = Extract<ServerMessage, { readonly board: BoardRef }>;

export class Membership {
  readonly boardId: BoardId;
  /** How many handles hold it, and how many of them only observe. */
  handles = 0;
  observing = 0;
  /** No handle holds the board, and at this time the client leaves it. */
  leaveAt: Millis = Number.POSITIVE_INFINITY;
  readonly changed: Listeners<void>;
  readonly moved: Listeners<readonly AnyCursorMove[]>;
  readonly #named = new Map<string, Listeners<never>>();
  readonly #host: Host;
  readonly view: BoardView;
  readonly #pacer = new CursorPacer();
  readonly #player: CursorPlayer;
  /** The options of the app's last call of `board()`. */
  #given: MembershipOptions;
  readonly #side: OwnSide;
  /** The status that the app has set last. */
  #status: Own["status"] = "active";
  #isAway = false;
  /** We only see the board; the service shows us to nobody. */
  #isObserver: boolean;
  readonly #pages = new Pages();
  readonly #justLeft: JustLeft;
  readonly #looking = new Looking(this);
  /** The members that we knew when the connection was lost, until we are told the board again. */
  #holdings: Holdings | undefined;
  /** We have a place on the board, and do not show its members yet. */
  #isBeingTold = false;
  /** We are told the board, and the first members come with the next message. */
  #early: Joined | undefined;
  #place: "outside" | { readonly board: BoardRef } | "over" = "outside";
  /** The service has said `degraded` for this board alone. Ends with our place on the board. */
  #isDegraded = false;
  #snapshot: BoardSnapshot<object> | undefined;
  #snapshotVersion = -1;
  /** Version and status at the last call of `changed`. */
  #told: { readonly version: number; readonly status: PresenceStatus };

  constructor(boardId: BoardId, options: MembershipOptions, host: Host, isObserver = false) {
    this.#isObserver = isObserver;
    this.boardId = boardId;
    this.#host = host;
    this.#given = options;
    this.#justLeft = new JustLeft(host.justLeftMs);
    this.#side = new OwnSide(options.username, options.state);
    this.view = new BoardView(this.#side.own, (state) => host.parseState(state));
    this.#told = { version: this.#version, status: this.status };
    this.changed = this.#listeners();
    this.moved = this.#listeners();
    this.#player = new CursorPlayer(this.view, host, this.#listeners());
  }

  get status(): PresenceStatus {
    if (this.#place === "over") return "closed";
    const { status } = this.#host;
    if (typeof this.#place === "object") return this.#isDegraded && status === "connected" ? "degraded" : status;
    if (status === "closed") return status;
    return this.#side.wasJoined ? "reconnecting" : "connecting";
  }

  snapshot(): BoardSnapshot<object> {
    const { status } = this;
    if (status === "closed") return CLOSED;
    if (this.#snapshot?.status !== status || this.#snapshotVersion !== this.#version) {
      const { self, others, users, memberCount, userCount } = this.view;
      this.#snapshot = { status, self, others, users, justLeft: this.#justLeft.members, memberCount, userCount };
      this.#snapshotVersion = this.#version;
    }
    return this.#snapshot;
  }

  /** The parts of a snapshot one by one. Each is made when it is asked for: oneself is to be had without the lists of all others. */
  get shown(): Omit<BoardSnapshot<object>, "status" | "justLeft"> {
    return this.status === "closed" ? CLOSED : this.view;
  }

  /** Both only rise. */
  get #version(): number {
    return this.view.version + this.#justLeft.version;
  }

  /** Joins the board in this connection. A join again replaces all that the service has of us. */
  join(): void {
    const attempt = this.#place === "over" ? undefined : this.#host.nextAttempt();
    if (attempt === undefined) return this.#side.forget();
    const { username, own } = this.#side.ask();
    const join: Join = { kind: "join", boardId: this.boardId, attempt, username, ...own, ...(this.#isObserver && { observe: true }) };
    this.send(this.#holdings?.namedIn(join) ?? join);
    if (typeof this.#place === "object") {
      // A new attempt starts without a cursor. It is sent again at once, so that the others do not see it vanish.
      this.#pacer.joined();
      this.#sendCursor(this.#host.now());
    } else {
      this.#pacer.lost();
      this.#isDegraded = false;
      this.#looking.forget();
    }
    this.#looking.around();
  }

  joined(message: Joined): void {
    if (this.#place === "over") return;
    // Nobody but ourselves is in it, and the others come next: an app that is told of the board finds them there.
    this.#early = (message.following ?? 0) > 0 && message.roster.length <= 1 ? message : undefined;
    if (this.#early === undefined) this.#joined(message);
  }

  #joined(message: Joined): void {
    const isRenamed = this.#side.joined();
    this.#place = { board: message.board };
    this.#pacer.joined();
    this.#isBeingTold = true;
    this.#looking.around();
    this.#isBeingTold = false;
    const known = this.#holdings?.now(message) ?? [];
    this.#holdings = undefined;
    const changes = this.view.joined({ ...message, roster: [...message.roster, ...known] }, this.#host.graceMs, this.#host.now());
    this.view.rename(this.#side.newName);
    this.tell(changes);
    const isOtherwise = (message.observe === true) !== this.#isObserver;
    if ((isRenamed || isOtherwise) && typeof this.#place === "object" && this.#side.isSettled) this.join();
  }

  /** The connection is gone. */
  lost(): void {
    this.#pages.fail();
    this.#early = undefined;
    if (this.#place === "over") return;
    this.#place = "outside";
    this.#side.forget();
    this.#pacer.lost();
    this.#player.lost();
    this.#holdings ??= new Holdings(this.view.members, this.#host.hash);
    this.tell(this.view.lost());
  }

  handle(message: BoardMessage): void {
    if (this.#place === "over") return;
    switch (message.kind) {
      case "user_joined":
        return this.tell(this.view.listed([message]));
      case "user_updated":
        return this.tell(this.view.userUpdated(message.actor, message.patch));
      case "statuses":
        return this.tell(this.view.statuses(message));
      case "user_left":
        if (message.actor === this.view.selfActor) return this.#putOut(message.reason);
        return this.tell(this.view.userLeft(message.actor, message.reason));
      case "cursors":
        return this.tell(this.view.cursors(message.moves, message.paths), this.#player.heard(message.stamp));
      case "presence_update":
        this.view.counted(message.members, message.users, message.observed);
        return this.tell(NOTHING);
      case "event": {
        const member = this.view.memberOf(message.actor) ?? (message.member && this.view.read(message.member));
        if (member) this.#emit(`event:${message.name}`, { member, data: message.data });
        return;
      }
      case "joined":
        return this.joined(message);
      case "roster":
        return this.#listed(message.roster);
      case "paged":
        return this.#pages.answer({ members: message.members.map((member) => this.view.read(member)), more: message.more });
    }
  }

  #listed(roster: readonly RosterEntry[]): void {
    const early = this.#early;
    this.#early = undefined;
    if (early === undefined) return this.tell(this.view.listed(roster));
    this.#joined({ ...early, roster: [...early.roster, ...roster], following: (early.following ?? 0) - roster.length });
  }

  /** Members at other instances cannot be heard on this board, or are heard again. */
  degraded(on: boolean): void {
    this.#isDegraded = on;
    this.refresh();
  }

  /** An error about this board or the whole connection. `false`: nobody listened. */
  failed(error: PresenceError): boolean {
    if (error.ref === this.boardId && this.#place !== "over") this.#refused(error.code);
    const listeners = this.#named.get("error");
    listeners?.emit(error as never);
    this.refresh();
    return (listeners?.size ?? 0) > 0;
  }

  /** Closed: only a new call of `board()` leads back to this board. */
  get isOver(): boolean {
    return this.#place === "over";
  }

  get isCrowdedOut(): boolean {
    return this.#side.isCrowdedOut;
  }

  get isUnanswered(): boolean {
    return this.#side.isUnanswered;
  }

  /** Tells the app what concerns the connection, or what an operator says. */
  happened<N extends "announcement" | "lost" | "restored">(name: N, event: BoardEvents[N]): void {
    this.#emit(name, event);
  }

  /** The whole client is closed. */
  closed(): void {
    this.#pages.fail();
    this.#place = "over";
    this.refresh();
  }

  /** Calls subscribers if the snapshot has changed. Also to be called when the connection's status may have changed. */
  refresh(): void {
    if (this.#isBeingTold) return;
    const { status } = this;
    const version = this.#version;
    if (status === "closed") this.#looking.endFollow("stopped");
    if (this.#told.version === version && this.#told.status === status) return;
    this.#told = { version, status };
    this.changed.emit();
  }

  /**
   * The app takes the board again before it was left. An option that differs from the app's last call is applied. The others stay as
   * `update` and `rename` have left them. Throws, and changes nothing, if the state is too large.
   */
  takenAgain({ username = this.#given.username, state = this.#given.state }: Partial<MembershipOptions>): void {
    checkState(state, this.#host.stateBytesMax);
    const before = this.#given;
    this.#given = { username, state };
    this.leaveAt = Number.POSITIVE_INFINITY;
    if (!isSame(state, before.state)) this.#setOwn({ ...this.#side.own, state });
    if (username !== before.username) this.rename(username);
  }

  /** Whether no handle wants more than to observe, from now on. */
  setObserving(isObserver: boolean): void {
    if (isObserver === this.#isObserver) return;
    this.#isObserver = isObserver;
    if (typeof this.#place === "object" && this.#side.isSettled) this.join();
  }

  /** No handle is left. Sends the leave if our join was answered; otherwise the client sends it when the answer comes. */
  leave(): void {
    this.#flush();
    this.#goOut();
  }

  /** The area that the service has for us; undefined: we only observe. */
  get ownArea(): string | undefined {
    return this.#isObserver ? undefined : this.#side.saidArea;
  }

  send(message: ClientMessage): boolean {
    return this.#host.send(message);
  }

  /** undefined: we are not on the board at present. */
  get board(): BoardRef | undefined {
    return typeof this.#place === "object" ? this.#place.board : undefined;
  }

  setPace(cursorMs: Millis): void {
    this.#pacer.paceMs = cursorMs;
    this.#player.setPace(cursorMs);
  }

  /** `seenAgo`: the move belongs to a path, and the pointer was there so many milliseconds ago. */
  move(at: Point | null, seenAgo?: Millis): void {
    if (at !== null) this.#looking.endFollow("moved");
    const now = this.#host.now();
    this.#pacer.move(at, seenAgo === undefined ? undefined : now - seenAgo);
    this.#sendCursor(now);
    this.#host.hastened();
  }

  /** `patch` is clean JSON. Throws, and changes nothing, if the state would be too large. */
  update(patch: JsonObject): void {
    const state = applyMergePatch(this.#side.own.state, patch) as JsonObject;
    checkState(state, this.#host.stateBytesMax);
    this.#setOwn({ ...this.#side.own, state });
  }

  setStatus(status: Own["status"]): void {
    this.#status = status;
    this.#showStatus();
  }

  /** The user has gone away from the page, or is back. */
  setAway(isAway: boolean): void {
    this.#isAway = isAway;
    this.#showStatus();
  }

  /** Empty: nowhere in particular. */
  setArea(name: string): void {
    const { area = "", ...own } = this.#side.own;
    // Our pointer has no place in the other area before it moves.
    if (name !== area) this.#pacer.move(null);
    this.#setOwn(name === "" ? own : { ...own, area: name });
  }

  setLook(look: Look): void {
    this.#looking.set(look);
  }

  follow(member: AnyMember, listener: (followed: Followed<object>) => void): Stop {
    const listeners = this.#listeners<Followed<object>>();
    return this.#looking.follow(member, (followed) => listeners.call(listener, followed));
  }

  rename(username: string): void {
    if (!this.#side.want({ username })) return;
    this.#show();
    if (typeof this.#place !== "object" || !this.#side.isSettled || this.#isObserver) return;
    this.join();
    this.#host.hastened();
  }

  broadcast(event: { readonly name: string; readonly data: Json }, recipients?: Recipients): boolean {
    if (typeof this.#place !== "object" || this.#isObserver || !this.#host.mayBroadcast()) return false;
    this.#flush(); // updates made before the broadcast arrive before it
    return this.send({ kind: "broadcast", board: this.#place.board, ...event, ...recipients });
  }

  page(count: number, after: MemberId | undefined): Promise<MemberPage<object>> {
    const { board } = this;
    const isSent = board !== undefined && this.send({ kind: "page", board, count, ...(after !== undefined && { after }) });
    return this.#pages.ask(isSent);
  }

  on(name: string, listener: (event: never) => void): Stop {
    const listeners = this.#named.get(name) ?? this.#listeners<never>();
    this.#named.set(name, listeners);
    return listeners.add(listener);
  }

  watchCursors(listener: (moved: readonly AnyCursorMove[]) => void, isSmooth = this.#host.isSmooth): Stop {
    if (isSmooth) return this.#player.watch(listener);
    const visible = this.view.visibleCursors();
    if (visible.length > 0) this.moved.call(listener, visible);
    return this.moved.add(listener);
  }

  get deadline(): Millis {
    const cursorAt = this.#isObserver || this.#side.isAreaUnsaid ? Number.POSITIVE_INFINITY : this.#pacer.deadline;
    return Math.min(this.#side.rejoinAt, this.view.deadline, this.#justLeft.deadline, cursorAt, this.#flushAt);
  }

  tick(now: Millis): void {
    if (now < this.deadline) return;
    if (this.#side.takeRejoin(now)) this.join();
    if (now >= this.#flushAt) this.#flush();
    this.#justLeft.expire(now);
    this.tell(this.view.expire(now));
    this.#sendCursor(now);
  }

  get #flushAt(): Millis {
    return typeof this.#place === "object" && !this.#isObserver ? this.#side.updateAt : Number.POSITIVE_INFINITY;
  }

  #showStatus(): void {
    const status = this.#isAway ? "idle" : this.#status;
    if (status !== this.#side.own.status) this.#setOwn({ ...this.#side.own, status });
  }

  #setOwn(own: Own): void {
    if (!this.#side.want({ own })) return;
    this.#show();
    // Not by a timer: a hidden tab has slow timers, and just then apps set "idle".
    if (this.#flushAt <= this.#host.now()) queueMicrotask(() => this.#flush());
    else this.#host.hastened();
  }

  #flush(): void {
    if (typeof this.#place !== "object" || this.#flushAt === Number.POSITIVE_INFINITY) return;
    const update = this.#side.takeUpdate(this.#host.now());
    if (update === "join") this.join();
    else if (update) this.send({ kind: "update", board: this.#place.board, ...update });
    else this.#host.hastened();
    if (update === undefined || update === "join" || update.area === undefined) return;
    this.#pacer.hidden();
    this.#looking.around();
  }

  /** Shows the app what it wants shown of us. */
  #show(): void {
    this.view.setOwn(this.#side.own);
    this.view.rename(this.#side.newName);
    this.tell(NOTHING);
  }

  #sendCursor(now: Millis): void {
    // Before the service knows our area, it would take the place for one of the area that we have left.
    if (typeof this.#place !== "object" || this.#isObserver || this.#side.isAreaUnsaid) return;
    const said = this.#pacer.take(now);
    if (said !== undefined) this.send({ kind: "cursor", board: this.#place.board, ...said });
  }

  /** The service has taken us off the board. A kick is final; after anything else we join again. */
  #putOut(reason: string): void {
    this.#pacer.lost();
    this.#pages.fail();
    if (reason === "kicked") {
      this.#place = "over";
      this.#host.failed({ code: "kicked", message: "removed from this board by an operator", ref: this.boardId });
    } else {
      this.#place = "outside";
      this.#side.joinAgain(this.#host.now());
      this.refresh();
    }
  }

  #refused(code: PresenceError["code"]): void {
    switch (this.#side.refused(code, this.#host.now())) {
      case "as before":
        return this.#show();
      case "crowded out":
        this.#pages.fail();
        this.#place = "outside";
        return;
      case "removed":
        // There is nothing to leave.
        this.#pages.fail();
        this.#place = "over";
        return;
      case "unwanted":
        return this.#goOut();
    }
  }

  #goOut(): void {
    const board = this.board ?? this.#early?.board;
    if (board !== undefined) this.send({ kind: "leave", board });
    this.#early = undefined;
    this.#side.forget();
    this.#pages.fail();
    this.#place = "over";
  }

  /** Calls listeners in this order: events, cursors, changes of the snapshot. `sentAt`: of the `cursors` message. */
  tell({ events, moved, paths }: Changes, sentAt?: Millis): void {
    this.#pacer.audience(this.view.hasOthers || this.view.memberCount > 1 || this.view.isObserved);
    for (const { name, detail } of events) {
      if (name === "user_left") this.#justLeft.left(detail.member, detail.reason, this.#host.now());
      else if (name === "user_joined") this.#justLeft.joined(detail.member.memberId);
      this.#emit(name, detail);
    }
    if (moved.length > 0) {
      this.moved.emit(moved);
      this.#player.moved(moved, sentAt, paths);
    }
    if (events.length > 0) this.#looking.changed();
    this.refresh();
    this.#sendCursor(this.#host.now());
  }

  #emit(name: string, event: unknown): void {
    this.#named.get(name)?.emit(event as never);
  }

  #listeners<T>(): Listeners<T> {
    return new Listeners<T>(this.#host);
  }
}

const NOTHING: Changes = { events: [], moved: [] };

/** The snapshot of a board that we have left: it shows no member. */
export const CLOSED: BoardSnapshot<never> = Object.freeze({
  status: "closed",
  self: null,
  others: [],
  users: [],
  justLeft: [],
  memberCount: 0,
  userCount: 0,
});
