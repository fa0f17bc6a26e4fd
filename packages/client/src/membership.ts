/**
 * Our place on one board, shared by all handles that the app has of it: joins, keeps what we say of ourselves, and turns what the
 * service says into events. What a roster means is core/board-view.ts, when a cursor is sent core/cursor-pacer.ts.
 */

import {
  type BoardId,
  type BoardRef,
  type ClientMessage,
  type Json,
  type JsonObject,
  type Millis,
  type Point,
  type ServerMessage,
  STATE_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import { type AnyCursorMove, BoardView, type Changes, type OwnSide } from "./core/board-view.ts";
import { CursorPacer } from "./core/cursor-pacer.ts";
import { applyMergePatch, isSame, mergePatchBetween } from "./core/merge-patch.ts";
import { checkState } from "./input.ts";
import { Listeners } from "./listeners.ts";
import type { BoardSnapshot, PresenceError, PresenceStatus, Stop } from "./types.ts";

/** Updates are gathered: the first goes with the current task, those after it no more often than this. */
const UPDATE_MS = 50;
/** After the service has told us to slow down, cannot look up our rights, or has dropped us while we are connected; doubled while it goes on. */
const REJOIN_MS = 1_000;
const REJOIN_MS_MAX = 30_000;
/** A refusal so long after we have joined again is another one. */
const CALM_MS = 10_000;

/** Codes that refuse a join. Those of the second kind are about what it says, and another one may say something else. */
const REFUSALS: ReadonlySet<string> = new Set(["unauthorized"]);
const OBJECTIONS: ReadonlySet<string> = new Set(["bad_message", "bad_username", "bad_state"]);

/** What a join says of us. */
type Said = { readonly username: string; readonly own: OwnSide };

/** What a membership needs of the client around it. */
export interface Host {
  readonly status: PresenceStatus;
  readonly graceMs: Millis;
  readonly stateBytesMax: number;
  now(): Millis;
  nextAttempt(): number | undefined;
  send(message: ClientMessage): boolean;
  /** Takes one of the broadcasts that the service grants us now; not while it does not answer. */
  mayBroadcast(): boolean;
  /** `deadline` may be sooner than it was. */
  rearm(): void;
  report(problem: string, error?: unknown): void;
  /** Something the app should hear of; comes back as `failed`. */
  fail(error: PresenceError): void;
  parseState(state: JsonObject): object;
}

export type MembershipOptions = { readonly username: string; readonly state: JsonObject };

/** Messages about one board, once it is joined. */
export type BoardMessage = Extract<ServerMessage, { readonly board: BoardRef }>;

export class Membership {
  readonly boardId: BoardId;
  /** How many handles hold it. */
  handles = 0;
  /** No handle holds it, and at this time it is left. */
  leaveAt: Millis = Number.POSITIVE_INFINITY;
  readonly changed: Listeners<void>;
  readonly moved: Listeners<readonly AnyCursorMove[]>;
  readonly #named = new Map<string, Listeners<never>>();
  readonly #host: Host;
  readonly #view: BoardView;
  readonly #pacer = new CursorPacer();
  /** What the app said when it took the board. */
  #given: MembershipOptions;
  #username: string;
  #own: OwnSide;
  /** What the service has of it, or will have when it has read what we sent. */
  #sent: OwnSide;
  #place: "waiting" | "joining" | { readonly board: BoardRef } | "over" = "waiting";
  /** The service has said so of this board alone; belongs to our place on it. */
  #isDegraded = false;
  /** The join that waits for its answer. */
  #asked: Said | undefined;
  /** Refused because we are on too many boards: in again when another one is left. */
  #isCrowdedOut = false;
  /** The last one that was answered with the board: known to be fine. */
  #confirmed: Said | undefined;
  #flushedAt: Millis = Number.NEGATIVE_INFINITY;
  /** While it is set nothing is flushed: the join will say it all. */
  #rejoinAt: Millis = Number.POSITIVE_INFINITY;
  #rejoinedAt: Millis = Number.NEGATIVE_INFINITY;
  #rejoinMs: Millis = REJOIN_MS;
  #snapshot: BoardSnapshot<object> | undefined;
  #snapshotVersion = -1;
  /** What `changed` was last called for. */
  #told: { readonly version: number; readonly status: PresenceStatus };

  constructor(boardId: BoardId, options: MembershipOptions, host: Host) {
    this.boardId = boardId;
    this.#host = host;
    this.#given = options;
    this.#username = options.username;
    this.#own = this.#sent = { status: "active", state: options.state };
    this.#view = new BoardView(this.#own, (state) => host.parseState(state));
    this.#told = { version: this.#view.version, status: this.status };
    this.changed = this.#listeners();
    this.moved = this.#listeners();
  }

  get status(): PresenceStatus {
    if (this.#place === "over") return "closed";
    const { status } = this.#host;
    if (typeof this.#place === "object") return this.#isDegraded && status === "connected" ? "degraded" : status;
    if (status === "closed") return status;
    return this.#confirmed ? "reconnecting" : "connecting";
  }

  snapshot(): BoardSnapshot<object> {
    const { status } = this;
    if (status === "closed") return CLOSED;
    if (this.#snapshot?.status !== status || this.#snapshotVersion !== this.#view.version) {
      const { self, others, users, memberCount, userCount, version } = this.#view;
      this.#snapshot = { status, self, others, users, memberCount, userCount };
      this.#snapshotVersion = version;
    }
    return this.#snapshot;
  }

  /** Enters the board in this connection. Again: what we say of ourselves replaces what the service has, whatever that is. */
  join(): void {
    const attempt = this.#place === "over" ? undefined : this.#host.nextAttempt();
    this.#rejoinAt = Number.POSITIVE_INFINITY;
    this.#isCrowdedOut = false;
    if (attempt === undefined) return;
    this.#asked = { username: this.#username, own: this.#own };
    this.#sent = this.#own;
    this.#host.send({ kind: "join", boardId: this.boardId, attempt, username: this.#username, ...this.#own });
    if (typeof this.#place === "object") {
      // A new attempt has no cursor yet: told at once, nobody sees it go.
      this.#pacer.joined();
      this.#sendCursor(this.#host.now());
    } else {
      this.#pacer.lost();
      this.#place = "joining";
      this.#isDegraded = false;
    }
  }

  joined(message: Extract<ServerMessage, { kind: "joined" }>): void {
    if (this.#place === "over") return;
    const asked = this.#asked;
    this.#asked = undefined;
    this.#confirmed = asked ?? this.#confirmed;
    this.#place = { board: message.board };
    this.#pacer.joined();
    const changes = this.#view.joined(message, this.#host.graceMs, this.#host.now());
    const isRenamed = asked !== undefined && asked.username !== this.#username;
    if (asked && !isRenamed) this.#view.rename(undefined);
    this.#tell(changes);
    if (isRenamed && typeof this.#place === "object") this.join();
  }

  /** The connection is gone. */
  lost(): void {
    if (this.#place === "over") return;
    this.#place = "waiting";
    this.#asked = undefined;
    this.#rejoinAt = Number.POSITIVE_INFINITY;
    this.#pacer.lost();
    this.#tell(this.#view.lost());
  }

  handle(message: BoardMessage): void {
    if (this.#place === "over") return;
    switch (message.kind) {
      case "user_joined":
        return this.#tell(this.#view.userJoined(message.actor, message.member));
      case "user_updated":
        return this.#tell(this.#view.userUpdated(message.actor, message.patch));
      case "user_left":
        if (message.actor === this.#view.selfActor) return this.#putOut(message.reason);
        return this.#tell(this.#view.userLeft(message.actor, message.reason));
      case "cursors":
        return this.#tell(this.#view.cursors(message.moves));
      case "presence_update":
        this.#view.counted(message.members, message.users);
        return this.#tell(NOTHING);
      case "event": {
        const member = this.#view.memberOf(message.actor);
        if (member) this.#emit(`event:${message.name}`, { member, data: message.data });
        return;
      }
      case "joined":
        return this.joined(message);
    }
  }

  /** People of other instances cannot be heard on this board, or are heard again. */
  degraded(on: boolean): void {
    this.#isDegraded = on;
    this.refresh();
  }

  /** An error about this board or the whole connection. `false`: nobody listened. */
  failed(error: PresenceError): boolean {
    if (error.ref === this.boardId && this.#place !== "over") this.#mend(error.code);
    const listeners = this.#named.get("error");
    listeners?.emit(error as never);
    this.refresh();
    return (listeners?.size ?? 0) > 0;
  }

  /** There is no way back to this board but to take it anew. */
  get isOver(): boolean {
    return this.#place === "over";
  }

  get isCrowdedOut(): boolean {
    return this.#isCrowdedOut;
  }

  get isUnanswered(): boolean {
    return this.#asked !== undefined;
  }

  announced(text: string): void {
    this.#emit("announcement", { text });
  }

  /** Over, for the whole client. */
  closed(): void {
    this.#place = "over";
    this.refresh();
  }

  /** Tells subscribers if the snapshot is not what it was; also to be called when the connection's status may have changed. */
  refresh(): void {
    const { status } = this;
    const { version } = this.#view;
    if (this.#told.version === version && this.#told.status === status) return;
    this.#told = { version, status };
    this.changed.emit();
  }

  /**
   * Taken again before it was left. An option that says something else than at the time before is applied; the others have been changed
   * since by whoever had the board, and stay so. Throws, and changes nothing, if the state is too large.
   */
  takenAgain({ username = this.#given.username, state = this.#given.state }: Partial<MembershipOptions>): void {
    checkState(state, this.#host.stateBytesMax);
    const before = this.#given;
    this.#given = { username, state };
    this.leaveAt = Number.POSITIVE_INFINITY;
    if (!isSame(state, before.state)) this.#setOwn({ ...this.#own, state });
    if (username !== before.username) this.rename(username);
  }

  /** No handle is left. Sends the leave if the service knows us here; if it has not answered yet, the client does. */
  leave(): void {
    this.#flush();
    this.#goOut();
  }

  get board(): BoardRef | undefined {
    return typeof this.#place === "object" ? this.#place.board : undefined;
  }

  setPace(cursorMs: Millis): void {
    this.#pacer.paceMs = cursorMs;
  }

  move(at: Point | null): void {
    this.#pacer.move(at);
    this.#sendCursor(this.#host.now());
    this.#host.rearm();
  }

  /** `patch` is clean JSON. Throws, and changes nothing, if the state would be too large. */
  update(patch: JsonObject): void {
    const state = applyMergePatch(this.#own.state, patch) as JsonObject;
    checkState(state, this.#host.stateBytesMax);
    this.#setOwn({ ...this.#own, state });
  }

  setStatus(status: OwnSide["status"]): void {
    this.#setOwn({ ...this.#own, status });
  }

  /** One join at a time: what is said meanwhile goes with the next. */
  rename(username: string): void {
    if (username === this.#username) return;
    this.#username = username;
    this.#view.rename(username);
    this.#tell(NOTHING);
    if (typeof this.#place !== "object" || this.#asked || this.#rejoinAt < Number.POSITIVE_INFINITY) return;
    this.join();
    this.#host.rearm();
  }

  broadcast(name: string, data: Json): boolean {
    if (typeof this.#place !== "object" || !this.#host.mayBroadcast()) return false;
    this.#flush(); // what was said first is heard first
    return this.#host.send({ kind: "broadcast", board: this.#place.board, name, data });
  }

  on(name: string, listener: (event: never) => void): Stop {
    const listeners = this.#named.get(name) ?? this.#listeners<never>();
    this.#named.set(name, listeners);
    return listeners.add(listener);
  }

  watchCursors(listener: (moved: readonly AnyCursorMove[]) => void): Stop {
    const visible = this.#view.visibleCursors();
    if (visible.length > 0) this.moved.call(listener, visible);
    return this.moved.add(listener);
  }

  get deadline(): Millis {
    return Math.min(this.#rejoinAt, this.#view.deadline, this.#pacer.deadline, this.#flushAt);
  }

  tick(now: Millis): void {
    if (now < this.deadline) return;
    if (now >= this.#rejoinAt) {
      this.#rejoinedAt = now;
      this.join();
    }
    if (now >= this.#flushAt) this.#flush();
    this.#tell(this.#view.expire(now));
    this.#sendCursor(now);
  }

  get #flushAt(): Millis {
    return this.#own !== this.#sent && this.#mayFlush ? this.#flushedAt + UPDATE_MS : Number.POSITIVE_INFINITY;
  }

  get #mayFlush(): boolean {
    return typeof this.#place === "object" && this.#rejoinAt === Number.POSITIVE_INFINITY;
  }

  #setOwn(own: OwnSide): void {
    if (own.state === this.#own.state && own.status === this.#own.status) return;
    this.#own = own;
    this.#view.setOwn(own);
    this.#tell(NOTHING);
    // A timer would be late in a hidden tab, where pages slow down just when the app says "idle".
    if (this.#flushAt <= this.#host.now()) queueMicrotask(() => this.#flush());
    else this.#host.rearm();
  }

  #flush(): void {
    if (typeof this.#place !== "object" || !this.#mayFlush || this.#own === this.#sent) return;
    const state = mergePatchBetween(this.#sent.state, this.#own.state);
    const status = this.#own.status === this.#sent.status ? undefined : this.#own.status;
    if (state && utf8Bytes(JSON.stringify(state)) > STATE_BYTES_MAX) return this.#flushWhole();
    this.#sent = this.#own;
    if (!state && !status) return;
    this.#flushedAt = this.#host.now();
    this.#host.send({ kind: "update", board: this.#place.board, ...(status && { status }), ...(state && { state }) });
  }

  /** A patch that also names what goes may be larger than both states, and than the service takes: a join says the state as a whole. */
  #flushWhole(): void {
    this.#flushedAt = this.#host.now();
    if (this.#asked) this.#host.rearm();
    else this.join();
  }

  #sendCursor(now: Millis): void {
    if (typeof this.#place !== "object") return;
    const at = this.#pacer.take(now);
    if (at !== undefined) this.#host.send({ kind: "cursor", board: this.#place.board, at });
  }

  /** The service has taken us off the board: an operator's wish is obeyed, anything else is an error to be mended. */
  #putOut(reason: string): void {
    this.#pacer.lost();
    if (reason === "kicked") {
      this.#place = "over";
      this.#host.fail({ code: "kicked", message: "removed from this board by an operator", ref: this.boardId });
    } else {
      this.#place = "joining";
      this.#joinAgain();
      this.refresh();
    }
  }

  /** Something that we said was not taken. Which of it, no error tells; so all of it is said again, or what has been fine before. */
  #mend(code: PresenceError["code"]): void {
    const asked = this.#asked;
    if (code === "too_many_boards" && asked) {
      this.#asked = undefined;
      this.#place = "waiting";
      this.#isCrowdedOut = true;
    } else if (code === "too_fast" || code === "unavailable" || (code === "bad_state" && !asked)) {
      this.#asked = undefined;
      this.#joinAgain();
    } else if (code === "bad_board") {
      // It took us off the board, if we were on it: there is nothing to leave.
      this.#place = "over";
      this.#asked = undefined;
    } else if (asked && (REFUSALS.has(code) || (OBJECTIONS.has(code) && !this.#fallBack(code, asked)))) this.#goOut();
  }

  /** `false`: the service has had nothing better of us. */
  #fallBack(code: PresenceError["code"], asked: Said): boolean {
    const fine = this.#confirmed;
    const isNameNew = code !== "bad_state" && fine?.username !== asked.username;
    const isOwnNew = code !== "bad_username" && fine?.own !== asked.own;
    if (!fine || !(isNameNew || isOwnNew)) return false;
    this.#asked = undefined;
    this.#joinAgain();
    if (isNameNew) {
      this.#username = fine.username;
      this.#view.rename(undefined);
    }
    if (isOwnNew) this.#setOwn(fine.own);
    return true;
  }

  #joinAgain(): void {
    if (this.#rejoinAt < Number.POSITIVE_INFINITY) return;
    const now = this.#host.now();
    this.#rejoinMs = now - this.#rejoinedAt < CALM_MS ? Math.min(2 * this.#rejoinMs, REJOIN_MS_MAX) : REJOIN_MS;
    this.#rejoinAt = now + this.#rejoinMs;
  }

  #goOut(): void {
    if (typeof this.#place === "object") this.#host.send({ kind: "leave", board: this.#place.board });
    this.#asked = undefined;
    this.#place = "over";
  }

  /** In this order: what happened, where cursors are, that the snapshot is new. */
  #tell({ events, moved }: Changes): void {
    this.#pacer.audience(this.#view.others.length > 0 || this.#view.memberCount > 1);
    for (const { name, detail } of events) this.#emit(name, detail);
    if (moved.length > 0) this.moved.emit(moved);
    this.refresh();
    this.#sendCursor(this.#host.now());
  }

  #emit(name: string, event: unknown): void {
    this.#named.get(name)?.emit(event as never);
  }

  #listeners<T>(): Listeners<T> {
    return new Listeners<T>((problem, error) => this.#host.report(problem, error));
  }
}

const NOTHING: Changes = { events: [], moved: [] };

/** Nobody is shown on a board that we have left. */
export const CLOSED: BoardSnapshot<never> = Object.freeze({
  status: "closed",
  self: null,
  others: [],
  users: [],
  memberCount: 0,
  userCount: 0,
});
