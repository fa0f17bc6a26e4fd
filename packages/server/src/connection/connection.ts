/**
 * One client's conversation, in whichever encoding it speaks (docs/PROTOCOL.md): hello, then boards, until either side ends it. It
 * checks what the client may say, answers for it, and hands facts to the core; what becomes of them is decided there. It has no timer:
 * the manager visits it.
 */

import type { IncomingMessage } from "node:http";
import {
  BOARDS_PER_CONNECTION_MAX,
  type BoardId,
  type BoardRef,
  CLOSE,
  type ClientMessage,
  type CloseReason,
  type CursorInput,
  cleanName,
  closeReason,
  decodeClassic,
  decodeClientBinary,
  decodeClientJson,
  type ErrorCode,
  encodeBinary,
  encodeClassic,
  encodeJson,
  type Grace,
  HIDDEN,
  isFitName,
  type Millis,
  type ResumeToken,
  readCursor,
  type ServerMessage,
  STATE_BYTES_MAX,
} from "@presence-service/protocol";
import type { ConnectionId, Input } from "../core/effects.ts";
import { OUTBOX } from "../core/outbox.ts";
import { TokenBucket } from "../core/token-bucket.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { type Authenticate, type Authorize, type Identity, identityOf, isPromise, newResumeToken, type User } from "./auth.ts";
import type { BoardFanout, Seat, SeatHolder } from "./board-fanout.ts";
import { type Account, BUDGETS, PRICE, type Wait, type Work } from "./budget.ts";
import { Inbox } from "./inbox.ts";
import type { Waiter } from "./lane.ts";
import { binaryFrame, type ClientSocket, textFrame } from "./socket.ts";
import type { Encoding } from "./wires.ts";

/** How often each connection is visited; every second visit brings a heartbeat. */
export const VISIT_MS = 5000;
export const HEARTBEAT_MS = 2 * VISIT_MS;
/** Visits without a word in between: 20 to 25 s, in which two heartbeats went unanswered, however long we were stopped ourselves (C3). */
export const SILENT_VISITS_MAX = 5;
const HELLO_MS_MAX = 5000;
/** From the hello on, for the host's `authenticate`. */
const AUTHENTICATE_MS_MAX = 10_000;
/** C2. The full one outlasts a reconnect through a change of networks. */
export const GRACE_MS: Record<Grace, Millis> = { none: 0, short: 3000, full: 15_000 };

/** Reused for every cursor that comes in: nothing is allocated for it. */
const CURSOR: CursorInput = { board: 0, x: 0, y: 0 };

/** What a connection needs of its instance. */
export interface Hub {
  readonly instanceId: string;
  readonly metrics: Metrics;
  readonly authenticate: Authenticate | undefined;
  readonly authorize: Authorize | undefined;
  /** The pace for clients at the moment. */
  readonly cursorMs: Millis;
  readonly isDegraded: boolean;
  now(): Millis;
  input(input: Input): void;
  moved(seat: Seat, x: number, y: number): void;
  /** The connection has to wait; its `turn` follows. */
  waits(connection: Connection, wait: Wait): void;
  /** How many members such a message is told to: what it costs its sender. */
  audienceOf(boardId: BoardId): number;
  /** False: too much is told on that board already. */
  affords(seat: Seat, bytes: number): boolean;
  /** A place on that board; given back by `leave`. */
  sit(connection: Connection, boardId: BoardId): Seat;
  leave(seat: Seat): void;
  /** The board is due for sockets that have drained. */
  touch(board: BoardFanout): void;
  /** It refuses a message of its client; `ref` as the client is told. */
  refuses(connection: Connection, code: ErrorCode, ref: string | undefined): void;
  /** For that reason its seats are given back; its members are lost with that grace. */
  over(connection: Connection, reason: CloseReason, graceMs: Millis): void;
  /** We close it, and why. */
  closes(reason: CloseReason): void;
  /** The socket is closed; nothing comes of this connection any more. */
  gone(connection: Connection): void;
  /** The host's `authenticate` or `authorize` threw. */
  hostFailed(error: unknown): void;
}

type State =
  | { readonly phase: "greeting"; readonly until: Millis }
  | { readonly phase: "open"; readonly identity: Identity }
  | { readonly phase: "over" };

export class Connection implements SeatHolder, Waiter {
  readonly id: ConnectionId;
  readonly encoding: Encoding;
  readonly socket: ClientSocket;
  readonly seats: Seat[] = [];
  /** What it has used, and has to pay for (docs/decisions/003-budgets.md). */
  readonly account: Account;
  cursorMs: Millis;
  readonly #hub: Hub;
  /** Asks the host, which sees the request; undefined: everybody is somebody new. */
  readonly #whose: ((token: string | undefined) => ReturnType<Authenticate>) | undefined;
  #state: State;
  readonly #inbox: Inbox;
  #silentVisits = 0;
  #isBeatNext = false;
  #isBeatUnanswered = false;
  #awaitsDrain = false;
  /** For classic clients, which know none (R11). */
  #attempt = 0;
  #token: string | undefined;
  /** Made when needed: most connections never need most of them. */
  readonly #budgets: { [of in keyof typeof BUDGETS]?: TokenBucket } = {};

  /** `token`: from the URL, of a classic client. */
  constructor(
    hub: Hub,
    id: ConnectionId,
    socket: ClientSocket,
    client: {
      readonly encoding: Encoding;
      readonly request: IncomingMessage;
      readonly token: string | undefined;
      readonly account: Account;
    },
  ) {
    this.#hub = hub;
    this.account = client.account;
    this.id = id;
    this.socket = socket;
    this.encoding = client.encoding;
    this.cursorMs = hub.cursorMs;
    const { authenticate } = hub;
    this.#whose = authenticate && ((token) => authenticate(token, client.request));
    this.#inbox = new Inbox(socket, (data, isBinary) => this.#read(data, isBinary));
    this.#state = { phase: "greeting", until: hub.now() + HELLO_MS_MAX };
    this.#token = client.token;
  }

  /** Once the hub knows it. Classic clients say no hello: whoever they are, they are it from here on. */
  start(): void {
    if (this.encoding === "classic") this.#authenticate(this.#token, newResumeToken());
  }

  get isGreeting(): boolean {
    return this.#state.phase === "greeting";
  }

  // What the socket reports.

  received(data: Buffer, isBinary: boolean): void {
    this.#silentVisits = 0;
    if (!this.#inbox.take(data, isBinary)) this.end(CLOSE.abuse);
  }

  /** The answer to a WebSocket ping. */
  ponged(): void {
    this.#silentVisits = 0;
    this.#charge(PRICE.pong);
  }

  pinged(data: Buffer): void {
    this.#silentVisits = 0;
    if (this.#state.phase === "over") return;
    this.#inbox.takePing(data);
    this.#charge(PRICE.ping);
  }

  owe(work: Work): void {
    this.account.spend(work);
  }

  /** What it said cannot be read any further. `closed` follows. */
  broken(reason: CloseReason): void {
    this.#hub.closes(reason);
    this.#hub.refuses(this, "bad_message", undefined);
    this.#over(reason);
  }

  closed(code: number): void {
    this.#over(closeReason(code));
    this.#hub.gone(this);
  }

  // What the manager asks for.

  /** Every VISIT_MS. */
  visit(now: Millis): void {
    if (this.#state.phase !== "open") return;
    if (this.#isHopeless(now)) {
      this.#hub.metrics.terminatedClients++;
      return this.terminate(CLOSE.slowReader);
    }
    // It is not read, so it cannot be heard.
    if (this.#inbox.isWaiting) this.#silentVisits = 0;
    if (++this.#silentVisits >= SILENT_VISITS_MAX) {
      return this.encoding === "classic" ? this.terminate(CLOSE.unresponsive) : this.end(CLOSE.unresponsive);
    }
    if (this.#isBeatNext) this.#beat();
    this.#isBeatNext = !this.#isBeatNext;
  }

  /** While it greets, several times a second. */
  hurry(now: Millis): void {
    if (this.#state.phase !== "greeting" || now < this.#state.until) return;
    this.end(this.#inbox.isAsking ? CLOSE.internal : CLOSE.helloTimeout);
  }

  turn(now: Millis): Millis | undefined {
    if (this.#state.phase === "over") return undefined;
    const at = this.account.mayGoOn(now);
    if (at > now) return at;
    this.#inbox.goOn();
    return undefined;
  }

  /** The core did not carry something out. `isMember`: this client is on that board all the same. */
  refused(code: ErrorCode, boardId: BoardId, isMember: boolean): void {
    if (!isMember) this.#giveBack(this.#seatOn(boardId));
    this.#refuse(code, boardId);
  }

  send(message: ServerMessage): void {
    if (this.encoding === "classic") return;
    this.#write(this.encoding === "binary" ? binaryFrame(encodeBinary(message)) : textFrame(encodeJson(message)));
  }

  end(reason: CloseReason): void {
    if (this.#state.phase === "over") return;
    this.#hub.closes(reason);
    this.#over(reason);
    this.socket.close(reason);
  }

  /** Without a word: nobody would read it. */
  terminate(reason: CloseReason): void {
    if (this.#state.phase !== "over") this.#hub.closes(reason);
    this.#over(reason);
    this.socket.terminate();
  }

  awaitDrain(): void {
    if (this.#awaitsDrain) return;
    this.#awaitsDrain = true;
    this.socket.onceDrained(() => {
      this.#awaitsDrain = false;
      for (const { outbox, fanout } of this.seats) if (!outbox.isLive) this.#hub.touch(fanout);
    });
  }

  // Reading.

  #read(data: Buffer, isBinary: boolean): void {
    if (this.#state.phase === "over") return;
    switch (this.encoding) {
      case "binary":
        if (isBinary && this.#state.phase === "open" && readCursor(data, CURSOR)) {
          this.#hub.metrics.clientMessages.cursor++;
          this.#charge(PRICE.cursor);
          return this.#moved(this.#seatOn(CURSOR.board), CURSOR.x, CURSOR.y);
        }
        this.#charge(PRICE.message + data.length * PRICE.byteIn);
        return this.#handle(isBinary ? decodeClientBinary(data) : undefined, data.length);
      case "json":
        this.#charge(PRICE.message + data.length * PRICE.byteIn);
        return this.#handle(isBinary ? undefined : decodeClientJson(data.toString()), data.length);
      case "classic":
        return this.#readClassic(isBinary ? data : EMPTY);
    }
  }

  #readClassic(data: Buffer): void {
    const { clientMessages } = this.#hub.metrics;
    if (data[0] === CURSOR_UPDATE && data.length === CURSOR_UPDATE_BYTES) {
      clientMessages.cursor++;
      this.#charge(PRICE.cursor);
      return this.#moved(this.#classicSeat(data.readUInt16BE(1)), data.readUInt16BE(3), data.readUInt16BE(5));
    }
    this.#charge(PRICE.message);
    const message = decodeClassic(data);
    switch (message?.kind) {
      case "join":
        clientMessages.join++;
        if (this.#classicSeat(message.board) !== undefined) return;
        return this.#join(
          {
            kind: "join",
            boardId: String(message.board) as BoardId,
            attempt: ++this.#attempt,
            username: cleanName(message.username),
            status: "active",
            state: {},
          },
          data.length,
        );
      case "leave":
        clientMessages.leave++;
        return this.#leave(this.#classicSeat(message.board));
      case "heartbeat":
        clientMessages.heartbeat++;
        if (this.socket.queuedBytes <= OUTBOX.lowBytes && this.#take("echo")) this.#write(CLASSIC_HEARTBEAT);
        return;
      default:
        return this.#refuse("bad_message");
    }
  }

  #handle(message: ClientMessage | undefined, bytes: number): void {
    if (message === undefined) return this.#refuse("bad_message");
    this.#hub.metrics.clientMessages[message.kind]++;
    const state = this.#state;
    if (state.phase !== "open") {
      if (message.kind !== "hello") return this.#refuse("bad_message", message.kind, "hello comes first");
      return this.#authenticate(message.token, message.resumeToken ?? newResumeToken());
    }
    switch (message.kind) {
      case "hello":
        return this.#refuse("bad_message", message.kind, "hello is said once");
      case "join":
        if (!isFitName(message.username)) return this.#refuse("bad_username", message.boardId);
        return this.#join(message, bytes);
      case "leave":
        return this.#leave(this.#seatOn(message.board), refOf(message));
      case "cursor":
        return this.#moved(this.#seatOn(message.board), message.at?.x ?? HIDDEN, message.at?.y ?? 0, refOf(message));
      case "update":
      case "broadcast":
        return this.#demand(message, bytes);
      case "heartbeat":
        // The first after ours is its answer; any other one is a question.
        // A client that answers our answers would keep both of us busy for ever.
        if (!this.#isBeatUnanswered && this.#take("echo")) this.#answer({ kind: "heartbeat" });
        this.#isBeatUnanswered = false;
        return;
      case "auth":
        return this.#renew(message.token, state);
    }
  }

  // Saying who one is.

  #authenticate(token: string | undefined, resumeToken: ResumeToken): void {
    const whose = this.#whose;
    if (whose === undefined) return this.#open(undefined, resumeToken);
    this.#state = { phase: "greeting", until: this.#hub.now() + AUTHENTICATE_MS_MAX };
    this.#ask(
      () => whose(token),
      (user) => (user === undefined ? this.end(CLOSE.unauthorized) : this.#open(user, resumeToken)),
    );
  }

  #open(user: User | undefined, resumeToken: ResumeToken): void {
    const identity = identityOf(user, resumeToken);
    this.#state = { phase: "open", identity };
    this.cursorMs = this.#hub.cursorMs;
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

  /** A fresh token of the same user, or the end. */
  #renew(token: string, { identity }: Extract<State, { phase: "open" }>): void {
    const whose = this.#whose;
    if (whose === undefined) return;
    if (!this.#take("auth")) return this.#refuse("too_fast", "auth");
    this.#ask(
      () => whose(token),
      (user) => {
        if (user?.userId !== identity.user.userId) this.end(CLOSE.unauthorized);
      },
    );
  }

  // Boards.

  /** `bytes`: of its message. */
  #join(message: Extract<ClientMessage, { kind: "join" }>, bytes: number): void {
    const { boardId } = message;
    if (!this.#take("join")) return this.#refuse("too_fast", boardId);
    if (this.seats.length >= BOARDS_PER_CONNECTION_MAX && this.#seatOn(boardId) === undefined) {
      return this.#refuse("too_many_boards", boardId);
    }
    const { authorize } = this.#hub;
    if (this.#state.phase !== "open") return;
    const { user } = this.#state.identity;
    if (authorize === undefined) return this.#enter(message, bytes);
    this.#ask(
      () => authorize(user, boardId),
      (isAllowed) => (isAllowed === true ? this.#enter(message, bytes) : this.#refuse("bad_board", boardId)),
    );
  }

  #enter({ boardId, attempt, username, status, state }: Extract<ClientMessage, { kind: "join" }>, bytes: number): void {
    if (this.#state.phase !== "open") return;
    const { memberId, user, color } = this.#state.identity;
    let price = PRICE.join + bytes * this.#hub.audienceOf(boardId) * PRICE.byteShared;
    if (this.#seatOn(boardId) === undefined) {
      const seat = this.#hub.sit(this, boardId);
      this.seats.push(seat);
      if (seat.fanout.seats === 1) price += PRICE.board;
    }
    const { userId, avatar } = user;
    const member = {
      memberId,
      userId,
      username: user.username ?? username,
      color,
      ...(avatar === undefined ? {} : { avatar }),
      status,
      state,
    };
    this.#hub.input({ kind: "join", connection: this.id, boardId, attempt, member });
    this.#charge(price);
  }

  #leave(seat: Seat | undefined, ref?: string): void {
    if (seat === undefined) return this.#refuse("not_joined", ref);
    const { boardId } = seat.fanout;
    this.#giveBack(seat);
    this.#hub.input({ kind: "leave", connection: this.id, boardId });
    this.#charge(PRICE.leave);
  }

  #moved(seat: Seat | undefined, x: number, y: number, ref = "cursor"): void {
    if (seat === undefined) this.#refuse("not_joined", ref);
    else if (seat.actor === undefined) seat.early = { x, y };
    else this.#hub.moved(seat, x, y);
  }

  #demand(message: Extract<ClientMessage, { kind: "update" | "broadcast" }>, bytes: number): void {
    const seat = this.#seatOn(message.board);
    if (seat === undefined) return this.#refuse("not_joined", refOf(message));
    const { boardId } = seat.fanout;
    if (!this.#take(message.kind) || !this.#hub.affords(seat, bytes)) return this.#refuse("too_fast", boardId);
    const { board: _, ...rest } = message;
    this.#hub.input({ ...rest, connection: this.id, boardId });
    this.#charge(bytes * this.#hub.audienceOf(boardId) * PRICE.byteShared);
  }

  #take(of: keyof typeof BUDGETS): boolean {
    const now = this.#hub.now();
    this.#budgets[of] ??= new TokenBucket(BUDGETS[of], now);
    return this.#budgets[of].take(now);
  }

  #seatOn(board: BoardRef): Seat | undefined {
    const { seats } = this;
    for (let at = 0; at < seats.length; at++) {
      const seat = seats[at];
      if (seat !== undefined && (seat.fanout.number === board || seat.fanout.boardId === board)) return seat;
    }
    return undefined;
  }

  #classicSeat(board: number): Seat | undefined {
    return this.seats.find(({ fanout }) => fanout.classicNumber === board);
  }

  #giveBack(seat: Seat | undefined): void {
    if (seat === undefined) return;
    this.seats.splice(this.seats.indexOf(seat), 1);
    this.#hub.leave(seat);
  }

  // Paying.

  /** It may have to wait then, from its next message on. */
  #charge(work: Work): void {
    if (this.account.spend(work) || this.#state.phase === "over" || this.#inbox.isWaiting) return;
    const wait = this.account.settle(this.#hub.now());
    if (wait === undefined) return;
    if (wait.cause === "abuse") return this.end(CLOSE.abuse);
    if (wait.cause === "tell") this.#answer({ kind: "error", code: "too_fast", message: OVERDRAWN });
    this.#inbox.wait();
    this.#hub.waits(this, wait);
  }

  // Answering.

  /** Asks the host; until it has answered, nothing else of this client is done, so that its messages keep their order. */
  #ask<T>(question: () => T | Promise<T>, answered: (answer: T) => void): void {
    let answer: T | Promise<T>;
    this.#charge(PRICE.hostCall);
    try {
      answer = question();
      // Not every thenable keeps the rules of promises; ours does.
      if (isPromise(answer)) answer = Promise.resolve(answer);
    } catch (error) {
      return this.#hostFailed(error);
    }
    if (!(answer instanceof Promise)) return answered(answer);
    this.#inbox.ask();
    const resume = (act: () => void) => {
      if (this.#state.phase !== "over") this.#inbox.answered(act);
    };
    answer.then(
      (value) => resume(() => answered(value)),
      (error: unknown) => resume(() => this.#hostFailed(error)),
    );
  }

  #hostFailed(error: unknown): void {
    this.#hub.hostFailed(error);
    this.end(CLOSE.internal);
  }

  #refuse(code: ErrorCode, ref?: string, message = REFUSALS[code]): void {
    this.#hub.refuses(this, code, ref);
    this.#charge(PRICE.refusal);
    if (this.encoding === "classic") return;
    if (code === "bad_message" || code === "not_joined") {
      const isPatient = this.#take("mistake");
      // What names a board just left, or not let in yet, was under way: it gets no more answers, but it is no abuse.
      if (!isPatient && code === "not_joined") return;
      if (!isPatient) return this.end(CLOSE.abuse);
    }
    this.#answer({ kind: "error", code, message, ...(ref === undefined ? {} : { ref }) });
  }

  /** Who does not read gets none: they would only pile up. */
  #answer(message: ServerMessage): void {
    if (this.socket.queuedBytes <= OUTBOX.lowBytes) this.send(message);
  }

  #beat(): void {
    if (this.encoding === "classic") return this.socket.ping();
    this.#isBeatUnanswered = true;
    this.send({ kind: "heartbeat" });
  }

  #write(frame: Buffer): void {
    if (this.#state.phase === "over") return;
    this.#hub.metrics.framesOut++;
    this.#hub.metrics.bytesOut += frame.length;
    this.socket.write(frame);
  }

  #isHopeless(now: Millis): boolean {
    const { queuedBytes } = this.socket;
    return queuedBytes > OUTBOX.bytesMax || this.seats.some(({ outbox }) => outbox.isStalled(queuedBytes, now));
  }

  #over(reason: CloseReason): void {
    if (this.#state.phase === "over") return;
    this.#state = { phase: "over" };
    this.#inbox.close();
    // Gone is gone for classic clients: they cannot come back as the same member.
    this.#hub.over(this, reason, this.encoding === "classic" ? 0 : GRACE_MS[reason.grace]);
  }
}

/** The board's id, or where it goes by a number the kind of message. */
function refOf({ kind, board }: { readonly kind: string; readonly board: BoardRef }): string {
  return typeof board === "string" ? board : kind;
}

const EMPTY = Buffer.alloc(0);
const CURSOR_UPDATE = 0x01;
const CURSOR_UPDATE_BYTES = 7;
const CLASSIC_HEARTBEAT = binaryFrame(encodeClassic({ kind: "heartbeat" }));

const OVERDRAWN = "more work than one connection may ask for; its messages are read later, and if it goes on the connection is closed";
const REFUSALS: Record<ErrorCode, string> = {
  bad_message: "this message cannot be decoded, or one of its fields breaks a limit",
  bad_board: "no such board",
  bad_username: "a name holds no control or bidirectional characters",
  bad_state: "the state would be larger than stateBytesMax, or too deep",
  not_joined: "this connection is not on that board",
  too_many_boards: `a connection may be on ${BOARDS_PER_CONNECTION_MAX} boards`,
  superseded: "a newer join has this session",
  unauthorized: "the token does not allow this",
  too_fast: "more joins, updates or broadcasts than are taken; slow down",
};
