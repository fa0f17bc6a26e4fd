/**
 * The boards of one client: it asks to enter, the host is asked about it, it sits down, moves, says something, leaves. Here are the checks
 * that stand before each of these; the core decides what becomes of it.
 */

import {
  type BoardId,
  type BoardRef,
  type ClientMessage,
  type CursorPath,
  type ErrorCode,
  type Member,
  type MemberId,
  ROSTER_MAX,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
  utf8Bytes,
} from "@presence-service/protocol";
import { busy } from "../compilers.ts";
import type { ConnectionId, Entrant } from "../core/effects.ts";
import type { JoinSpan, Tracing } from "../telemetry/tracing.ts";
import type { Identity, User } from "./auth.ts";
import type { Seat, SeatHolder } from "./board-fanout.ts";
import { type Account, type BUDGETS, PRICE, type Work } from "./budget.ts";
import type { Hub } from "./hub.ts";
import { PendingJoins } from "./pending-joins.ts";
import { LIMIT_TEXTS, refOf } from "./refusal-texts.ts";

/** A connection, as its boards see it. */
export interface Client extends SeatHolder {
  readonly id: ConnectionId;
  /** undefined: the client is not known, or its connection has ended. */
  readonly who: { readonly identity: Identity; readonly user: User } | undefined;
  readonly account: Account;
  /** Handles a message that waited for the host. */
  act(message: ClientMessage, bytes: number): void;
  /** False: the client has used up that budget. */
  take(of: keyof typeof BUDGETS): boolean;
  charge(work: Work): void;
  refuse(code: ErrorCode, ref?: string, message?: string): void;
  /** Answers the number of bytes sent. */
  send(message: ServerMessage): number;
}

/** A member without its state, at most. */
const SENDER_BYTES = 1024;

/** The first of these members: as many as one message holds, in any encoding. */
function fitting(members: readonly Member[]): readonly Member[] {
  let left = SERVER_MESSAGE_BYTES_MAX - 1024;
  const end = members.findIndex((member) => {
    left -= utf8Bytes(JSON.stringify(member)) + 1;
    return left < 0;
  });
  return end === -1 ? members : members.slice(0, end);
}

type Join = Extract<ClientMessage, { kind: "join" }>;

export class ClientBoards {
  /** Replaced by `concat`, as V8 makes room for 17 where a list is pushed to or spread, and most clients are on one board. */
  seats: readonly Seat[] = [];
  /** Joins about which the host is being asked. */
  readonly pending = new PendingJoins();
  /** Counts the joins of a client that numbers none (R11). */
  attempts = 0;
  readonly #client: Client;
  readonly #hub: Hub;

  constructor(client: Client, hub: Hub) {
    this.#client = client;
    this.#hub = hub;
  }

  /** By the client's name of the board, or by its id. */
  seatOn(board: BoardRef): Seat | undefined {
    const { seats } = this;
    for (let at = 0; at < seats.length; at++) {
      const seat = seats[at];
      if (seat !== undefined && (seat.ref === board || seat.fanout.boardId === board)) return seat;
    }
    return undefined;
  }

  giveBack(seat: Seat | undefined): void {
    if (seat === undefined) return;
    this.seats = this.seats.filter((other) => other !== seat);
    this.#over(seat);
  }

  /** The connection has ended. */
  giveBackAll(): void {
    const { seats } = this;
    this.seats = [];
    for (const seat of seats) this.#over(seat);
  }

  #over(seat: Seat): void {
    seat.span?.givenUp();
    this.#hub.boards.leave(seat);
    this.#client.visitSoon();
  }

  /** Holds a message about a board that the client asks to enter. False: it is about no such board. */
  hold(message: ClientMessage, bytes: number): boolean {
    const boardId = this.#pendingBoard(message);
    if (boardId === undefined) return false;
    if (!this.pending.hold(boardId, { message, bytes })) this.#client.refuse("too_fast", boardId);
    return true;
  }

  /** The join of a client that numbers none: on a board that it is on, or asks to enter, it is a repeat and ignored. */
  joinAnew(message: Join, bytes: number): void {
    if (this.seatOn(message.boardId) !== undefined || this.pending.has(message.boardId)) return;
    this.join({ ...message, attempt: ++this.attempts }, bytes);
  }

  join(message: Join, bytes: number): void {
    const { boardId } = message;
    if (!this.#client.take("join")) return this.#client.refuse("too_fast", boardId);
    const { boardsPerConnection } = this.#hub.bounds;
    if (this.seatOn(boardId) === undefined && this.#count() >= boardsPerConnection)
      return this.#client.refuse("too_many_boards", boardId, LIMIT_TEXTS.boardsPerConnection(boardsPerConnection));
    const { who } = this.#client;
    if (who === undefined) return;
    const span = this.#hub.tracing && this.#trace(this.#hub.tracing, message, who.identity.memberId);
    if (this.#hub.host.authorizes) this.#client.charge(PRICE.hostCall);
    const held = this.pending.begin(boardId);
    this.#hub.host.mayEnter(who.user, boardId, { observe: message.observe === true, watch: false }, (permission) => {
      if (!this.pending.end(boardId, held)) return span?.givenUp();
      if (permission === "refused") {
        span?.refused("bad_board");
        this.#shutOut(boardId);
      } else if (permission === "unavailable") {
        span?.refused("unavailable");
        this.#client.refuse("unavailable", boardId);
      } else this.#enter(message, bytes, permission === "silently", span);
      for (const later of held) this.#client.act(later.message, later.bytes);
    });
  }

  /** The client has a fresh token, or the rights of its user are others: the host is asked about each board again. A failure takes nothing away. */
  askAgain(): void {
    const { who } = this.#client;
    if (who === undefined || !this.#hub.host.authorizes) return;
    for (const seat of this.seats) {
      const { boardId } = seat.fanout;
      this.#client.charge(PRICE.hostCall);
      this.#hub.host.mayEnter(who.user, boardId, { observe: seat.isObserver, watch: false }, (permission) => {
        if (permission === "unavailable" || !this.seats.includes(seat)) return;
        if (permission === "refused") this.#shutOut(boardId);
        else seat.isSilent = permission === "silently";
      });
    }
  }

  /** A leave does not wait for the host: it makes the host's answer, and the messages that wait for that, useless. */
  leave(board: BoardRef, ref?: string): void {
    const seat = this.seatOn(board);
    const boardId = seat?.fanout.boardId ?? (board as BoardId);
    const wasPending = this.pending.giveUp(boardId);
    if (seat === undefined) return wasPending ? undefined : this.#client.refuse("not_joined", ref);
    this.giveBack(seat);
    this.#hub.input({ kind: "leave", connection: this.#client.id, boardId });
    this.#client.charge(PRICE.leave);
  }

  moved(board: BoardRef, x: number, y: number, path: CursorPath | undefined, ref = "cursor"): void {
    if (path !== undefined) this.#client.charge((path.earlier.length + 1) * PRICE.pathSample);
    const seat = this.seatOn(board);
    if (seat === undefined) this.#client.refuse("not_joined", ref);
    else if (seat.isObserver) this.#client.refuse("observing", ref);
    else if (seat.actor === undefined) seat.early = { x, y };
    else this.#hub.boards.moved(seat, x, y, path);
  }

  say(message: Extract<ClientMessage, { kind: "update" | "broadcast" }>, ofMessage: number): void {
    busy();
    const seat = this.seatOn(message.board);
    if (seat === undefined) return this.#client.refuse("not_joined", refOf(message));
    if (seat.isObserver) return this.#client.refuse("observing", refOf(message));
    if (message.kind === "broadcast" && seat.isSilent) return this.#client.refuse("not_allowed", refOf(message));
    const { boardId } = seat.fanout;
    const recipients = message.kind === "broadcast" ? message : {};
    const audience = this.#hub.boards.audienceOf(boardId, recipients);
    // A sender who was not introduced is named with each event.
    const isBeyond = message.kind === "broadcast" && this.#hub.boards.audienceOf(boardId) > ROSTER_MAX;
    const bytes = ofMessage + (isBeyond ? SENDER_BYTES : 0);
    if (!this.#client.take(message.kind) || !this.#hub.boards.affords(seat, bytes, audience))
      return this.#client.refuse("too_fast", boardId);
    // A place in the area that it leaves.
    if (message.kind === "update" && message.area !== undefined) seat.early = undefined;
    const { board: _, ...rest } = message;
    this.#hub.input({ ...rest, connection: this.#client.id, boardId });
    this.#client.charge(bytes * audience * PRICE.byteShared);
  }

  look({ board, areas, all }: Extract<ClientMessage, { kind: "look" }>, ref?: string): void {
    const seat = this.seatOn(board);
    if (seat === undefined) return this.#client.refuse("not_joined", ref);
    this.#client.charge(PRICE.look);
    this.#hub.boards.look(seat, all ? "all" : areas);
  }

  page({ board, after, count }: Extract<ClientMessage, { kind: "page" }>, ref?: string): void {
    const seat = this.seatOn(board);
    // Before `joined` a board has no members for this client.
    if (!seat?.isTold) return this.#client.refuse("not_joined", ref);
    const { boardId } = seat.fanout;
    this.#client.charge(PRICE.page + this.#hub.boards.audienceOf(boardId) * PRICE.memberSorted);
    // One more than may be told, to know whether there are more.
    const countMax = Math.min(count, ROSTER_MAX);
    const found = this.#hub.boards.page(boardId, after, countMax + 1);
    const members = fitting(found.slice(0, countMax));
    const bytes = this.#client.send({ kind: "paged", board: seat.ref, members, more: members.length < found.length });
    this.#client.charge(bytes * PRICE.byteOfRoster);
  }

  /** The number of boards that the client is on, or asks to enter. */
  #count(): number {
    let boards = this.seats.length;
    for (const boardId of this.pending.boards()) if (this.seatOn(boardId) === undefined) boards++;
    return boards;
  }

  /** The board of that message, if the host is being asked about it. */
  #pendingBoard(message: ClientMessage): BoardId | undefined {
    if (this.pending.isEmpty || message.kind === "leave") return undefined;
    const board = message.kind === "join" ? message.boardId : "board" in message ? message.board : undefined;
    const boardId = board === undefined ? undefined : (this.seatOn(board)?.fanout.boardId ?? (board as BoardId));
    return boardId !== undefined && this.pending.has(boardId) ? boardId : undefined;
  }

  #enter(
    { boardId, attempt, username, status, state, area, observe = false, held }: Join,
    bytes: number,
    isSilent: boolean,
    span: JoinSpan | undefined,
  ): void {
    const { who, id } = this.#client;
    if (who === undefined) return;
    const { memberId, user } = who.identity;
    const { boards, bounds } = this.#hub;
    const { address } = this.#client.account;
    const audience = boards.audienceOf(boardId);
    const isFull = (text: string) => {
      span?.refused("unavailable");
      this.#client.refuse("unavailable", boardId, text);
    };
    if (!observe && boards.membersOn(boardId) >= bounds.membersPerBoard && !boards.isShown(boardId, memberId))
      return isFull(LIMIT_TEXTS.membersPerBoard(bounds.membersPerBoard));
    let price = PRICE.join + bytes * audience * PRICE.byteShared;
    let seat = this.seatOn(boardId);
    if (seat === undefined) {
      if (!boards.has(boardId) && !address.mayOpenBoard) return isFull(LIMIT_TEXTS.boardsPerAddress(bounds.boardsPerAddress));
      seat = boards.sit(this.#client, boardId, address);
      this.seats = this.seats.concat(seat);
      if (seat.fanout.seats === 1) price += PRICE.board;
    }
    if (!boards.takeJoin(seat)) price += PRICE.joinInCrowd;
    // From now on its messages are those of a member, or of an observer, also if the core has not answered.
    seat.span?.givenUp();
    seat.span = span;
    seat.isObserver = observe;
    seat.isSilent = isSilent;
    seat.held = held;
    const { userId, color, avatar, kind = "person" } = user;
    if (observe) {
      this.#hub.input({ kind: "observe", connection: id, boardId, memberId, userId });
      this.#client.charge(price);
      return;
    }
    const member: Entrant = {
      memberId,
      userId,
      username: user.username ?? username,
      ...(color === undefined ? {} : { color }),
      ...(avatar === undefined ? {} : { avatar }),
      status,
      kind,
      ...(area ? { area } : {}),
      state,
    };
    this.#hub.input({ kind: "join", connection: id, boardId, attempt, member });
    this.#client.charge(price);
  }

  #trace(tracing: Tracing, { boardId, observe = false }: Join, memberId: MemberId): JoinSpan | undefined {
    const isBack = this.#hub.boards.isShown(boardId, memberId);
    return tracing.begin(isBack ? "presence.resume" : "presence.join", {
      "presence.board_id": boardId,
      "presence.instance_id": this.#hub.instanceId,
      "presence.encoding": this.#client.speech.encoding,
      "presence.observe": observe,
    });
  }

  /** The host refuses this client a board: if it is on that board already, it leaves. */
  #shutOut(boardId: BoardId): void {
    if (this.seatOn(boardId) !== undefined) this.leave(boardId);
    this.#client.refuse("bad_board", boardId);
  }
}
