/**
 * The conversation with one client, in whatever way it speaks (docs/PROTOCOL.md): hello, then boards, until either side ends it. The
 * connection checks what the client may say, answers it, and hands facts to the core, which decides what becomes of them. It has no
 * timer: the lobby visits it.
 */

import type { IncomingMessage } from "node:http";
import {
  type BoardId,
  CLOSE,
  type ClientMessage,
  type CloseReason,
  type CursorInput,
  closeReason,
  type ErrorCode,
  HIDDEN,
  isFitName,
  type Millis,
  type ResumeToken,
  type ServerMessage,
  STATE_BYTES_MAX,
  TokenBucket,
} from "@presence-service/protocol";
import type { ConnectionId, Place } from "../core/effects.ts";
import type { Whom } from "../core/messages.ts";
import type { ClientSocket } from "../speech/socket.ts";
import type { Speech } from "../speech/speech.ts";
import { type Identity, identityOf, newResumeToken, renewed, type User } from "./auth.ts";
import type { Seat } from "./board-fanout.ts";
import { type Account, type BUDGETS, PRICE, type Work } from "./budget.ts";
import { type Client, ClientBoards } from "./client-boards.ts";
import type { Known, Who } from "./host.ts";
import type { Hub } from "./hub.ts";
import { Inbox } from "./inbox.ts";
import type { Waiter } from "./lane.ts";
import type { Ending, Guest } from "./lobby.ts";
import type { Newcomer, Standing } from "./newcomers.ts";
import { OUTBOX } from "./outbox.ts";
import { HONEST, LIMIT_TEXTS, OVERDRAWN, REFUSALS, refOf } from "./refusal-texts.ts";
import { GRACE_MS, HEARTBEAT_MS, Idleness, Silence, type Watched } from "./timing.ts";
import { FOREVER, TokenLife } from "./token-life.ts";
import { WatchedBoards } from "./watched-boards.ts";
import type { Watcher } from "./watching.ts";

/** Reused for every cursor that comes in: nothing is allocated for it. */
const CURSOR: CursorInput = { board: 0, x: 0, y: 0, path: undefined };

type State =
  | { readonly phase: "greeting" }
  /** `user` is for `authorize`. */
  | { readonly phase: "open"; readonly identity: Identity; readonly user: User; readonly token: TokenLife }
  | { readonly phase: "ended" };

export class Connection implements Client, Guest, Newcomer, Waiter, Watched, Watcher {
  readonly id: ConnectionId;
  readonly speech: Speech;
  readonly socket: ClientSocket;
  /** The work that this connection has used and has to pay for (docs/decisions/003-budgets.md). */
  readonly account: Account;
  packs = false;
  cursorMs: Millis;
  readonly #hub: Hub;
  /** The upgrade request, for the host's `authenticate`; undefined: the host has none, and 5 KB are saved. */
  readonly #request: IncomingMessage | undefined;
  #state: State;
  /** undefined: this connection never had to wait, so each of its messages is read at once. */
  #inbox: Inbox | undefined;
  readonly #boards: ClientBoards;
  /** undefined: it never watched a board. */
  #watched: WatchedBoards | undefined;
  /** The user whose connections count this one. */
  #countedUser: string | undefined;
  /** Counts the fresh tokens that the host was asked about. */
  #renewals = 0;
  /** undefined: it is not open yet. */
  #silence: Silence | undefined;
  /** The core was told that nothing comes from this client. */
  #isQuiet = false;
  /** Of a client that says no hello. */
  readonly #idleness: Idleness | undefined;
  #isBeatUnanswered = false;
  #awaitsDrain = false;
  #token: string | undefined;
  /** Each bucket is made when it is needed, and all are given up when they are full: most connections never need most of them. */
  #budgets: { [of in keyof typeof BUDGETS]?: TokenBucket } | undefined;

  /** `token`: from the upgrade, for a client whose hello gives none. */
  constructor(
    hub: Hub,
    id: ConnectionId,
    socket: ClientSocket,
    client: {
      readonly speech: Speech;
      readonly request: IncomingMessage;
      readonly token: string | undefined;
      readonly account: Account;
    },
  ) {
    this.#hub = hub;
    this.#boards = new ClientBoards(this, hub);
    this.account = client.account;
    this.id = id;
    this.socket = socket;
    this.speech = client.speech;
    this.cursorMs = hub.boards.cursorMs;
    this.#request = hub.host.authenticates ? client.request : undefined;
    this.#state = { phase: "greeting" };
    this.#idleness = client.speech.saysHello ? undefined : new Idleness();
    this.#token = client.token;
  }

  /** To be called once the hub knows the connection. A client that says no hello is identified here. */
  start(): void {
    const { lobby, clock, bounds } = this.#hub;
    if (this.speech.saysHello) lobby.callAt(this, clock.now() + bounds.helloMs);
    else this.#authenticate(this.#token, newResumeToken());
  }

  get seats(): readonly Seat[] {
    return this.#boards.seats;
  }

  get watched(): Iterable<BoardId> {
    return this.#watched ?? [];
  }

  get who(): { readonly identity: Identity; readonly user: User } | undefined {
    return this.#state.phase === "open" ? this.#state : undefined;
  }

  get isGreeting(): boolean {
    return this.#state.phase === "greeting";
  }

  get standing(): Standing {
    if (this.#inbox?.isAsking) return "asked";
    return this.isGreeting || (!this.speech.saysHello && this.#boards.attempts === 0) ? "newcomer" : "known";
  }

  get isGoneForGood(): boolean {
    return !this.speech.canResume;
  }

  isMeant(whom: Whom): boolean {
    if (this.who === undefined) return false;
    const { memberId, user } = this.who.identity;
    return "userId" in whom ? user.userId === whom.userId : memberId === whom.memberId;
  }

  // Called by the socket.

  received(data: Buffer, isBinary: boolean): void {
    this.#heard();
    if (this.#inbox === undefined) this.#read(data, isBinary);
    else if (!this.#inbox.take(data, isBinary)) this.end(CLOSE.abuse);
  }

  /** The answer to a WebSocket ping. */
  ponged(): void {
    this.#heard();
    this.charge(PRICE.pong);
  }

  pinged(data: Buffer): void {
    this.#heard();
    if (this.#state.phase === "ended") return;
    if (this.#inbox === undefined) this.socket.pong(data);
    else this.#inbox.takePing(data);
    if (!this.isKeepingUp) this.visitSoon();
    this.charge(PRICE.ping);
  }

  /** Any message, ping or pong is a sign of life. */
  #heard(): void {
    const { lobby } = this.#hub;
    if (this.#silence?.heard(lobby.step)) {
      // With ten thousand idle clients, to see at another visit that each has answered would be half of all visits.
      const visits = this.#visitsUntilNext(lobby.step);
      if (visits > 1) lobby.visitIn(this, visits);
    }
    if (!this.#isQuiet) return;
    this.#isQuiet = false;
    this.#hub.input({ kind: "quiet", connection: this.id, on: false });
  }

  owe(work: Work): void {
    this.account.spend(work);
  }

  closed(code: number): void {
    this.#ended(closeReason(code));
    this.#hub.lobby.closed(this);
  }

  // Called by the lobby, the gate and the manager.

  visit(now: Millis, step: number): number {
    if (this.#state.phase !== "open" || this.#silence === undefined) return 1;
    const { isKeepingUp } = this;
    if (!isKeepingUp && this.#isHopeless()) {
      this.#hub.metrics.terminatedClients++;
      this.end(CLOSE.slowReader, "cut");
      return 1;
    }
    const isOnBoard = this.seats.length > 0;
    if (this.#idleness?.isOver(isOnBoard)) {
      this.end(CLOSE.helloTimeout);
      return 1;
    }
    // While the connection waits, its client is not read and so cannot be heard.
    if (this.#inbox?.isWaiting) this.#silence.heard(step);
    const finding = this.#silence.visit(step, this);
    if (finding === "lost") {
      this.end(CLOSE.unresponsive, this.speech.isTold ? "close" : "cut");
      return 1;
    }
    if (finding === "quiet" || finding === "quiet_ask") {
      // It is said on each visit, as boards may have been entered since: a host may take its time to let a client in.
      this.#isQuiet = true;
      this.#hub.input({ kind: "quiet", connection: this.id, on: true });
    }
    if (this.#budgets !== undefined && Object.values(this.#budgets).every((bucket) => bucket.isFull(now))) this.#budgets = undefined;
    if (finding === "ask" || finding === "quiet_ask") this.#beat();
    return this.#visitsUntilNext(step);
  }

  /** Until the next one that can find something, if nobody says `visitSoon` before. */
  #visitsUntilNext(step: number): number {
    const isOffBoards = this.#idleness !== undefined && this.seats.length === 0;
    const isEachNeeded = this.#awaitsDrain || !this.isKeepingUp || this.#inbox?.isWaiting || isOffBoards;
    return isEachNeeded ? 1 : (this.#silence?.rest(step, this) ?? 1);
  }

  visitSoon(): void {
    this.#hub.lobby.visitSoon(this);
  }

  /** Somebody looks at one of this client's members, or may. An observer is shown to nobody. */
  get isSeen(): boolean {
    const { who } = this;
    if (who === undefined) return false;
    const { seats } = this;
    // By numbers: an iterator for each client is a tenth of the garbage of an instance at rest.
    for (let nth = 0; nth < seats.length; nth++) {
      const seat = seats[nth] as Seat;
      if (!seat.isObserver && this.#hub.boards.isLookedAt(seat, who.identity.memberId)) return true;
    }
    return false;
  }

  called(now: Millis): void {
    const state = this.#state;
    if (state.phase === "greeting") return this.end(CLOSE.helloTimeout);
    if (state.phase !== "open") return;
    const due = state.token.due(now);
    if (due === "expired") return this.end(CLOSE.unauthorized);
    if (due !== undefined) this.send({ kind: "token_expiring", expiresInMs: Math.round(due) });
    this.#hub.lobby.callAt(this, state.token.dueAt);
  }

  turn(now: Millis): Millis | undefined {
    if (this.#state.phase === "ended") return undefined;
    const at = this.account.mayGoOn(now);
    if (at > now) return at;
    this.#inbox?.goOn();
    return undefined;
  }

  /** The core did not carry out an input; this client is on that board as before. */
  refused(code: ErrorCode, boardId: BoardId, as: Place): void {
    const seat = this.#boards.seatOn(boardId);
    if (as === "absent") this.#boards.giveBack(seat);
    else if (seat !== undefined) seat.isObserver = as === "observer";
    this.refuse(code, boardId);
  }

  /** The member was kicked off that board. */
  putOut(boardId: BoardId, self: number | undefined): void {
    const seat = this.#boards.seatOn(boardId);
    if (seat === undefined) return;
    if (!this.speech.isTold) return this.end(CLOSE.kicked);
    // A client that has not been told the board yet, or may not have been, waits for an answer to its join. An observer is nobody who could leave.
    if (!seat.outbox.isLive || seat.isObserver) this.refuse("bad_board", boardId, "removed from this board by an operator");
    if (self !== undefined) this.send({ kind: "user_left", board: seat.ref, actor: self, reason: "kicked" });
    this.#boards.giveBack(seat);
  }

  /** The client was kicked off that board, so it may not know how many are there either. */
  endWatch(boardId: BoardId): void {
    if (this.#watched?.end(boardId)) this.refuse("bad_board", boardId, "removed from this board by an operator");
  }

  announce(text: string, boardId: BoardId | undefined): void {
    if (boardId === undefined) return void this.send({ kind: "announcement", text });
    const seat = this.#boards.seatOn(boardId);
    if (seat?.outbox.isLive) this.send({ kind: "announcement", text, board: seat.ref });
  }

  send(message: ServerMessage): number {
    return this.write(this.#state.phase === "ended" ? undefined : this.speech.frame(message));
  }

  write(frame: Buffer | undefined): number {
    if (frame === undefined) return 0;
    this.#hub.metrics.framesOut++;
    this.#hub.metrics.bytesOut += frame.length;
    this.socket.write(frame);
    if (!this.isKeepingUp) this.visitSoon();
    return frame.length;
  }

  /** This instance stops, and the client is to come back elsewhere, at a moment of its own. */
  dismiss(retryAfterMs: Millis): void {
    if (!this.speech.isTold) return this.end(CLOSE.goingAway);
    this.send({ kind: "goodbye", code: CLOSE.draining.code, retryAfterMs });
    this.end(CLOSE.draining);
  }

  end(reason: CloseReason, how: Ending = "close"): void {
    if (how === "broken") this.#hub.journal.refuses(this.id, "bad_message", undefined);
    if (this.#state.phase !== "ended") {
      this.#hub.journal.closes(reason);
      this.#ended(reason);
      if (how === "close") this.socket.close(reason);
    }
    if (how === "cut") this.socket.terminate();
  }

  awaitDrain(): void {
    if (this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.visitSoon();
    this.socket.onceDrained(() => {
      this.#awaitsDrain = false;
      for (const { outbox, fanout } of this.seats) if (!outbox.isLive) this.#hub.boards.drained(fanout);
    });
  }

  // Reading.

  /** The inbox, made when this connection has to wait for the first time. */
  #waitingInbox(): Inbox {
    this.#inbox ??= new Inbox(this.socket, (data, isBinary) => this.#read(data, isBinary));
    return this.#inbox;
  }

  #read(data: Buffer, isBinary: boolean): void {
    if (this.#state.phase === "ended") return;
    const { speech } = this;
    // Not every encoding has paths.
    CURSOR.path = undefined;
    if (isBinary && this.#state.phase === "open" && this.#boards.pending.isEmpty && speech.readCursor(data, CURSOR)) {
      this.#hub.metrics.clientMessages.cursor++;
      this.charge(PRICE.cursor);
      return this.#boards.moved(CURSOR.board, CURSOR.x, CURSOR.y, CURSOR.path);
    }
    this.charge(PRICE.message + (speech.isPaidByByte ? data.length * PRICE.byteIn : 0));
    this.#handle(speech.read(data, isBinary), data, isBinary);
  }

  #handle(message: ClientMessage | undefined, data: Buffer, isBinary: boolean): void {
    if (message === undefined) return this.#correct(data, isBinary);
    this.#hub.metrics.clientMessages[message.kind]++;
    this.#idleness?.heard();
    if (this.#state.phase === "open") {
      if (message.kind === "join" && !this.speech.canResume) return this.#boards.joinAnew(message, data.length);
      return this.act(message, data.length);
    }
    if (message.kind !== "hello") return this.refuse("bad_message", message.kind, "the first message of a connection must be hello");
    this.packs = message.packs === true;
    this.#authenticate(message.token ?? this.#token, message.resumeToken ?? newResumeToken());
  }

  /** `bytes`: of the message. */
  act(message: ClientMessage, bytes: number): void {
    if (this.#boards.hold(message, bytes)) return;
    switch (message.kind) {
      case "hello":
        return this.refuse("bad_message", message.kind, "a connection may say hello only once");
      case "join":
        if (!isFitName(message.username)) return this.refuse("bad_username", message.boardId);
        return this.#boards.join(message, bytes);
      case "leave":
        return this.#boards.leave(message.board, refOf(message));
      case "cursor":
        return this.#boards.moved(message.board, message.at?.x ?? HIDDEN, message.at?.y ?? 0, message.path, refOf(message));
      case "update":
      case "broadcast":
        return this.#boards.say(message, bytes);
      case "look":
        return this.#boards.look(message, refOf(message));
      case "page":
        return this.#boards.page(message, refOf(message));
      case "watch":
        this.#watched ??= new WatchedBoards(this, this.#hub);
        return this.#watched.take(message);
      case "heartbeat":
        // The first heartbeat after ours is the client's answer; any other one is a question.
        // A client that answers our answers would keep both of us busy for ever.
        if (!this.#isBeatUnanswered && this.isKeepingUp && this.take("echo")) {
          this.send({ kind: "heartbeat" });
          this.#silence?.answered(this.#hub.lobby.step);
        }
        this.#isBeatUnanswered = false;
        return;
      case "auth":
        return this.#renew(message.token);
    }
  }

  // Identity.

  #authenticate(token: string | undefined, resumeToken: ResumeToken): void {
    const request = this.#request;
    if (request === undefined) return this.#open(undefined, resumeToken);
    // No time limit is needed here: if the host does not answer in time, host.ts answers `unavailable`.
    this.#hub.lobby.callAt(this, Number.POSITIVE_INFINITY);
    this.charge(PRICE.hostCall);
    let isAnswered = false;
    this.#hub.host.who(token, request, (who) => {
      isAnswered = true;
      if (this.#state.phase === "ended") return;
      if (this.#inbox?.isAsking) this.#inbox.answered(() => this.#greeted(who, resumeToken));
      else this.#greeted(who, resumeToken);
    });
    if (!isAnswered) this.#waitingInbox().ask();
  }

  #greeted(who: Who, resumeToken: ResumeToken): void {
    const known = this.#recognised(who, "hello");
    if (known !== undefined) this.#open(known, resumeToken);
    else if (who === "unavailable") this.end(CLOSE.internal);
  }

  /** undefined: the client is not identified, and was told. Unless the host is `unavailable`, the connection is ended too. */
  #recognised(who: Who, asked: "hello" | "auth"): Known | undefined {
    if (who === "nobody") this.end(CLOSE.unauthorized);
    else if (who === "unavailable") this.refuse("unavailable", asked);
    else if ("unusable" in who) {
      this.refuse("unauthorized", asked, who.unusable);
      this.end(CLOSE.unauthorized);
    } else return who;
    return undefined;
  }

  #open(known: Known | undefined, resumeToken: ResumeToken): void {
    const userId = known?.person?.userId;
    if (userId !== undefined && !this.#hub.users.enter(userId)) {
      this.refuse("unavailable", "hello", LIMIT_TEXTS.connectionsPerUser(this.#hub.bounds.connectionsPerUser));
      return this.end(CLOSE.tooMany);
    }
    this.#countedUser = userId;
    const identity = identityOf(known?.person, resumeToken);
    this.cursorMs = this.#hub.boards.cursorMs;
    const token = known === undefined ? FOREVER : new TokenLife(known.expiresAt, this.#hub.clock.now());
    this.#state = { phase: "open", identity, user: known?.user ?? identity.user, token };
    this.#silence = new Silence(this.#hub.lobby.step);
    this.#hub.lobby.callAt(this, token.dueAt);
    this.send({
      kind: "welcome",
      memberId: identity.memberId,
      resumeToken,
      instanceId: this.#hub.instanceId,
      heartbeatMs: HEARTBEAT_MS,
      graceMs: GRACE_MS.full,
      cursorMs: this.cursorMs,
      stateBytesMax: STATE_BYTES_MAX,
    });
    if (this.#hub.isDegraded) this.send({ kind: "degraded", on: true });
  }

  /** Takes a fresh token; if it is another user's, the connection ends. Of several that the host is asked about the latest counts. */
  #renew(token: string): void {
    if (this.#request === undefined) return;
    if (!this.take("auth")) return this.refuse("too_fast", "auth");
    this.charge(PRICE.hostCall);
    const renewal = ++this.#renewals;
    this.#hub.host.who(token, this.#request, (who) => {
      if (this.#state.phase !== "open" || renewal !== this.#renewals) return;
      const known = this.#recognised(who, "auth");
      if (known === undefined) return;
      const identity = renewed(this.#state.identity, known.person);
      if (identity === undefined) return this.end(CLOSE.unauthorized);
      const token = new TokenLife(known.expiresAt, this.#hub.clock.now());
      this.#state = { phase: "open", identity, user: known.user, token };
      this.#hub.lobby.callAt(this, token.dueAt);
      this.#boards.askAgain();
      this.#watched?.askAgain();
    });
  }

  // Paying.

  take(of: keyof typeof BUDGETS): boolean {
    const now = this.#hub.clock.now();
    this.#budgets ??= {};
    this.#budgets[of] ??= new TokenBucket(this.#hub.budgets[of], now);
    return this.#budgets[of].take(now);
  }

  /** Charges work. The connection may then have to wait, from its next message on. */
  charge(work: Work): void {
    if (this.account.spend(work) || this.#state.phase === "ended" || this.#inbox?.isWaiting) return;
    const wait = this.account.settle(this.#hub.clock.now());
    if (wait === undefined) return;
    if (wait.cause === "abuse") return this.end(CLOSE.abuse);
    if (wait.cause === "tell") this.#answer({ kind: "error", code: "too_fast", message: OVERDRAWN });
    this.#waitingInbox().wait();
    this.#hub.gate.wait(this, wait);
  }

  // Answering.

  /** Says what is wrong with a message that cannot be decoded. Bytes that are meant as a message are a defect of the client, not abuse. */
  #correct(data: Buffer, isBinary: boolean): void {
    const mistake = this.speech.mistakeIn(data, isBinary);
    if (mistake === undefined) return this.refuse("bad_message");
    if ("unknown" in mistake) return this.refuse("unknown_message", mistake.unknown);
    const { kind, board, field, limit } = mistake;
    const ref = (typeof board === "number" ? this.#boards.seatOn(board)?.fanout.boardId : board) ?? kind;
    this.refuse("bad_message", ref, `${kind}: ${field} ${limit}`, true);
  }

  refuse(code: ErrorCode, ref?: string, message = REFUSALS[code], isHonest = HONEST.has(code)): void {
    this.#hub.journal.refuses(this.id, code, ref);
    this.charge(PRICE.refusal);
    if (!this.speech.isTold) return;
    if (code === "bad_message" || HONEST.has(code)) {
      const isPatient = this.take("mistake");
      // A message for a board just left, with a defect in a field or of a later release gets no more answers, but is no abuse.
      if (!isPatient && isHonest) return;
      if (!isPatient) return this.end(CLOSE.abuse);
    }
    this.#answer({ kind: "error", code, message, ...(ref === undefined ? {} : { ref }) });
  }

  /** A client that does not read gets no answers: they would only pile up. */
  #answer(message: ServerMessage): void {
    if (this.isKeepingUp) this.send(message);
  }

  get isKeepingUp(): boolean {
    return this.socket.queuedBytes <= OUTBOX.lowBytes;
  }

  #beat(): void {
    if (this.speech.heartbeat === undefined) return this.socket.ping();
    this.#isBeatUnanswered = true;
    this.write(this.speech.heartbeat);
  }

  #isHopeless(): boolean {
    let isHopeless = this.socket.queuedBytes > OUTBOX.bytesMax;
    // Each outbox counts its visits.
    for (const { outbox } of this.seats) if (outbox.isStalled()) isHopeless = true;
    return isHopeless;
  }

  #ended(reason: CloseReason): void {
    if (this.#state.phase === "ended") return;
    this.#state = { phase: "ended" };
    if (this.#countedUser !== undefined) this.#hub.users.leave(this.#countedUser);
    this.#inbox?.close();
    this.#boards.pending.giveUpAll();
    const { gate, lobby, journal, isStopping } = this.#hub;
    const graceMs = this.speech.canResume ? GRACE_MS[reason.grace] : 0;
    const mayStay = gate.leave(this, this.account, graceMs === 0 ? 0 : this.seats.filter(({ isObserver }) => !isObserver).length);
    lobby.ended(this);
    journal.ended(this.id, this.speech.encoding, reason, graceMs);
    this.#boards.giveBackAll();
    this.#watched?.endAll();
    // When this instance stops, its clients come back elsewhere: then nobody is told that they left.
    if (!isStopping) this.#hub.input({ kind: "disconnected", connection: this.id, graceMs: mayStay ? graceMs : 0 });
  }
}
