/**
 * Our membership of one board, shared by all handles that the app has of it. It joins, keeps our own status, state and name, and turns
 * the service's messages into events. core/board-view.ts interprets rosters; core/cursor-pacer.ts decides when a cursor is sent.
 */

import {
  applyMergePatch,
  type BoardId,
  type BoardRef,
  type ClientMessage,
  isSame,
  type Json,
  type JsonObject,
  type Millis,
  mergePatchBetween,
  type Point,
  type ServerMessage,
  STATE_BYTES_MAX,
  utf8Bytes,
} from "@presence-service/protocol";
import { type AnyCursorMove, BoardView, type Changes, type OwnSide } from "./core/board-view.ts";
import { CursorPacer } from "./core/cursor-pacer.ts";
import { checkState } from "./input.ts";
import { Listeners } from "./listeners.ts";
import type { BoardSnapshot, PresenceError, PresenceStatus, Stop } from "./types.ts";

/** Updates are gathered: the first is sent at the end of the current task, later ones no more often than this. */
const UPDATE_MS = 50;
/** The wait before a join again: after `too_fast`, `unavailable`, or a removal from the board without a kick. Doubled while it goes on. */
const REJOIN_MS = 1_000;
const REJOIN_MS_MAX = 30_000;
/** A refusal so long after the last join again starts with the short wait. */
const CALM_MS = 10_000;

/** Codes that refuse a join. After an objection, a join with another name or state may succeed. */
const REFUSALS: ReadonlySet<string> = new Set(["unauthorized"]);
const OBJECTIONS: ReadonlySet<string> = new Set(["bad_message", "bad_username", "bad_state"]);

/** The name, status and state that a join sends. */
type Said = { readonly username: string; readonly own: OwnSide };

/** The part of the client that a membership uses. */
export interface Host {
  readonly status: PresenceStatus;
  readonly graceMs: Millis;
  readonly stateBytesMax: number;
  now(): Millis;
  nextAttempt(): number | undefined;
  send(message: ClientMessage): boolean;
  /** Whether a broadcast may be sent now; takes one from the rate limit. False while the service does not answer. */
  mayBroadcast(): boolean;
  /** `deadline` may be sooner than it was. */
  rearm(): void;
  report(problem: string, error?: unknown): void;
  /** Reports an error to the app; the client calls `failed` with it. */
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
  /** No handle holds the board, and at this time the client leaves it. */
  leaveAt: Millis = Number.POSITIVE_INFINITY;
  readonly changed: Listeners<void>;
  readonly moved: Listeners<readonly AnyCursorMove[]>;
  readonly #named = new Map<string, Listeners<never>>();
  readonly #host: Host;
  readonly #view: BoardView;
  readonly #pacer = new CursorPacer();
  /** The options of the app's last call of `board()`. */
  #given: MembershipOptions;
  #username: string;
  #own: OwnSide;
  /** The status and state that were sent last. */
  #sent: OwnSide;
  #place: "waiting" | "joining" | { readonly board: BoardRef } | "over" = "waiting";
  /** The service has said `degraded` for this board alone. Ends with our place on the board. */
  #isDegraded = false;
  /** The join that waits for its answer. */
  #asked: Said | undefined;
  /** Refused with `too_many_boards`: the client joins again when another board is left. */
  #isCrowdedOut = false;
  /** The last join that was answered with a roster: the service accepts its name and state. */
  #confirmed: Said | undefined;
  #flushedAt: Millis = Number.NEGATIVE_INFINITY;
  /** While this is set, no update is sent: the join will send all. */
  #rejoinAt: Millis = Number.POSITIVE_INFINITY;
  #rejoinedAt: Millis = Number.NEGATIVE_INFINITY;
  #rejoinMs: Millis = REJOIN_MS;
  #snapshot: BoardSnapshot<object> | undefined;
  #snapshotVersion = -1;
  /** Version and status at the last call of `changed`. */
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

  /** Joins the board in this connection. A join again replaces all that the service has of us. */
  join(): void {
    const attempt = this.#place === "over" ? undefined : this.#host.nextAttempt();
    this.#rejoinAt = Number.POSITIVE_INFINITY;
    this.#isCrowdedOut = false;
    if (attempt === undefined) return;
    this.#asked = { username: this.#username, own: this.#own };
    this.#sent = this.#own;
    this.#host.send({ kind: "join", boardId: this.boardId, attempt, username: this.#username, ...this.#own });
    if (typeof this.#place === "object") {
      // A new attempt starts without a cursor. It is sent again at once, so that the others do not see it vanish.
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

  /** Members at other instances cannot be heard on this board, or are heard again. */
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

  /** Closed: only a new call of `board()` leads back to this board. */
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

  /** The whole client is closed. */
  closed(): void {
    this.#place = "over";
    this.refresh();
  }

  /** Calls subscribers if the snapshot has changed. Also to be called when the connection's status may have changed. */
  refresh(): void {
    const { status } = this;
    const { version } = this.#view;
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
    if (!isSame(state, before.state)) this.#setOwn({ ...this.#own, state });
    if (username !== before.username) this.rename(username);
  }

  /** No handle is left. Sends the leave if our join was answered; otherwise the client sends it when the answer comes. */
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

  /** Only one join waits for its answer at a time; a change meanwhile goes with the next join. */
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
    this.#flush(); // updates made before the broadcast arrive before it
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
    // Not by a timer: a hidden tab has slow timers, and just then apps set "idle".
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

  /** A patch names removed keys too, so it can be larger than both states and over the limit. Then a join sends the whole state. */
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

  /** The service has taken us off the board. A kick is final; after anything else we join again. */
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

  /** The service has refused something. The error does not tell which part, so we send all of it again, or the last accepted values. */
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
      // The service has taken us off the board, if we were on it: there is nothing to leave.
      this.#place = "over";
      this.#asked = undefined;
    } else if (asked && (REFUSALS.has(code) || (OBJECTIONS.has(code) && !this.#fallBack(code, asked)))) this.#goOut();
  }

  /** Goes back to the last accepted name and state. `false`: there are none that differ from the refused ones. */
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

  /** Calls listeners in this order: events, cursors, changes of the snapshot. */
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

/** The snapshot of a board that we have left: it shows no member. */
export const CLOSED: BoardSnapshot<never> = Object.freeze({
  status: "closed",
  self: null,
  others: [],
  users: [],
  memberCount: 0,
  userCount: 0,
});
