/**
 * A person on `presence.v2`, binary or JSON, written from docs/PROTOCOL.md and not from the SDK. It has one session, believes all
 * messages, replays them to a roster, and records those that a correct server would not have sent. It never reconnects by itself.
 */

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  type BoardId,
  type BoardRef,
  type ClientMessage,
  decodeServerBinary,
  decodeServerJson,
  type ErrorCode,
  encodeBinary,
  encodeJson,
  type Json,
  type JsonObject,
  type Member,
  type Point,
  type ResumeToken,
  type ServerMessage,
} from "@presence-service/protocol";
import { eventually } from "./eventually.ts";
import type { Scope } from "./scope.ts";

export type Encoding = "json" | "binary";

const SUBPROTOCOL = { json: "presence.v2.json", binary: "presence.v2" } as const;

export type SessionOptions = {
  readonly encoding?: Encoding;
  /** A client of the same person: this connection continues its session. */
  readonly resume?: SessionClient;
  /** Given with `hello`. */
  readonly token?: string;
  /** Offered with the upgrade. */
  readonly offeredToken?: string;
};

/** One board as this client shows it, itself included. */
export class SessionBoard {
  self = -1;
  settling = false;
  /** The last `degraded` for this board alone. */
  degraded = false;
  /** The last count received. */
  count = 0;
  readonly members = new Map<number, Member>();
  readonly cursors = new Map<number, Point>();

  byName(username: string): { readonly actor: number; readonly member: Member } | undefined {
    for (const [actor, member] of this.members) if (member.username === username) return { actor, member };
    return undefined;
  }
}

export class SessionClient {
  /** All messages but heartbeats, in the order of arrival. */
  readonly received: ServerMessage[] = [];
  /** Sentences about messages that make no sense after those before. A correct server leaves this empty. */
  readonly violations: string[] = [];
  readonly encoding: Encoding;
  readonly resumeToken: ResumeToken;
  ended: { readonly code: number; readonly reason: string } | undefined;
  /** Raised with every join, and shared by all connections of a session. */
  readonly #attempts: { last: number };
  readonly #socket: WebSocket;
  readonly #boards = new Map<string, SessionBoard>();
  readonly #ids = new Map<BoardRef, string>();

  private constructor(url: string, { encoding = "json", resume, token, offeredToken }: SessionOptions) {
    this.encoding = encoding;
    this.resumeToken = resume?.resumeToken ?? (randomBytes(16).toString("hex") as ResumeToken);
    this.#attempts = resume === undefined ? { last: 0 } : resume.#attempts;
    this.#socket = new WebSocket(url, [SUBPROTOCOL[encoding], ...(offeredToken === undefined ? [] : [`presence.token.${offeredToken}`])]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.send({ kind: "hello", resumeToken: this.resumeToken, ...(token === undefined ? {} : { token }) });
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#heard(data);
    this.#socket.onclose = ({ code, reason }) => {
      this.ended = { code, reason };
    };
  }

  /** Welcomed or refused once it is returned; closed with the test. */
  static async knock(scope: Scope, url: string, options: SessionOptions = {}): Promise<SessionClient> {
    const client = new SessionClient(url, options);
    scope.after(() => client.#socket.close());
    await eventually(() => client.has("welcome") || client.ended !== undefined, { what: `welcome from ${url}` });
    return client;
  }

  /** Welcomed once it is returned; closed with the test. */
  static async connect(scope: Scope, url: string, options: SessionOptions = {}): Promise<SessionClient> {
    const client = await SessionClient.knock(scope, url, options);
    assert.equal(client.ended, undefined, `the WebSocket at ${url} was refused: ${client.ended?.code}`);
    return client;
  }

  get memberId(): string {
    const welcome = this.received.find((message) => message.kind === "welcome");
    return welcome?.memberId ?? assert.fail("not welcomed");
  }

  /** Resolves when the roster is here. */
  async join(board: string, username: string, state: JsonObject = {}): Promise<SessionBoard> {
    const answers = () => this.received.filter((message) => message.kind === "joined" && message.boardId === board).length;
    const before = answers();
    this.send({ kind: "join", boardId: board as BoardId, attempt: ++this.#attempts.last, username, status: "active", state });
    await eventually(() => answers() > before, { what: () => `${username} gets the roster of ${board}, not ${this.ended?.code}` });
    return this.board(board);
  }

  /** A join with any number; resolves at once. */
  joinAs(board: string, attempt: number, username: string): void {
    this.send({ kind: "join", boardId: board as BoardId, attempt, username, status: "active", state: {} });
  }

  leave(board: string): void {
    this.send({ kind: "leave", board: this.#ref(board) });
    this.#boards.delete(board);
  }

  move(board: string, x: number, y: number): void {
    this.send({ kind: "cursor", board: this.#ref(board), at: { x, y } });
  }

  hide(board: string): void {
    this.send({ kind: "cursor", board: this.#ref(board), at: null });
  }

  update(board: string, change: { readonly status?: "active" | "idle"; readonly state?: JsonObject }): void {
    this.send({ kind: "update", board: this.#ref(board), ...change });
  }

  broadcast(board: string, name: string, data: Json): void {
    this.send({ kind: "broadcast", board: this.#ref(board), name, data });
  }

  send(message: ClientMessage): void {
    this.#socket.send(this.encoding === "json" ? encodeJson(message) : encodeBinary(message));
  }

  /** Sends any bytes or text, for tests about bad input. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** 1000: left on purpose. Other codes: 3000–4999. Without a code: a page that goes away. */
  async close(code?: number): Promise<void> {
    this.#socket.close(code);
    await eventually(() => this.ended !== undefined, { what: "the WebSocket closes" });
  }

  board(board: string): SessionBoard {
    return this.#boards.get(board) ?? assert.fail(`not on board ${board}`);
  }

  /** Names of the others on a board, sorted. */
  names(board: string): string[] {
    const { self, members } = this.board(board);
    return [...members].flatMap(([actor, { username }]) => (actor === self ? [] : [username])).sort();
  }

  cursorOf(board: string, username: string): Point | undefined {
    const view = this.board(board);
    const found = view.byName(username);
    return found && view.cursors.get(found.actor);
  }

  memberOf(board: string, username: string): Member | undefined {
    return this.board(board).byName(username)?.member;
  }

  /** Codes of all errors so far. */
  get errors(): (ErrorCode | "unknown")[] {
    return this.received.flatMap((message) => (message.kind === "error" ? [message.code] : []));
  }

  /** Whether a message of this kind with these fields has come. */
  has(kind: ServerMessage["kind"], fields: object = {}): boolean {
    return this.count(kind, fields) > 0;
  }

  count(kind: ServerMessage["kind"], fields: object = {}): number {
    const wanted = Object.entries(fields);
    return this.received.filter((message) => message.kind === kind && wanted.every(([name, value]) => Reflect.get(message, name) === value))
      .length;
  }

  #ref(board: string): BoardRef {
    if (this.encoding === "json") return board as BoardId;
    for (const [ref, id] of this.#ids) if (id === board) return ref;
    return assert.fail(`not on board ${board}`);
  }

  #heard(data: unknown): void {
    const message =
      data instanceof ArrayBuffer
        ? this.encoding === "binary" && decodeServerBinary(new Uint8Array(data))
        : this.encoding === "json" && decodeServerJson(String(data));
    if (!message) {
      this.violations.push(`not decodable: ${data instanceof ArrayBuffer ? Buffer.from(data).toString("hex") : String(data)}`);
      return;
    }
    if (message.kind === "heartbeat") return this.send({ kind: "heartbeat" });
    this.received.push(message);
    if (message.kind === "joined") this.#joined(message);
    else if (message.kind === "degraded") this.#degraded(message);
    else if ("board" in message && message.kind !== "announcement") this.#onBoard(message);
  }

  #joined(message: Extract<ServerMessage, { kind: "joined" }>): void {
    const board = new SessionBoard();
    board.self = message.self;
    // A fresh roster does not change `degraded`.
    board.degraded = this.#boards.get(message.boardId)?.degraded ?? false;
    board.settling = message.settling;
    board.count = message.members;
    this.#listed(board, message);
    const self = board.members.get(message.self);
    if (self?.memberId !== this.memberId) this.violations.push(`the roster of ${message.boardId} has somebody else as self`);
    this.#boards.set(message.boardId, board);
    this.#ids.set(message.board, message.boardId);
  }

  #listed(board: SessionBoard, { kind, roster }: Extract<ServerMessage, { kind: "joined" | "roster" }>): void {
    for (const { actor, member, at } of roster) {
      // One's own entry may come in `joined` and again in its turn.
      const isAgain = kind === "roster" && actor === board.self;
      if (board.members.has(actor) && !isAgain) this.violations.push(`actor ${actor} is twice in one roster`);
      board.members.set(actor, member);
      if (at) board.cursors.set(actor, at);
    }
  }

  #degraded({ on, board: ref }: Extract<ServerMessage, { kind: "degraded" }>): void {
    const id = ref === undefined ? undefined : this.#ids.get(ref);
    if (ref !== undefined && id === undefined) this.violations.push(`degraded of board ${ref}, which was never joined`);
    const board = id === undefined ? undefined : this.#boards.get(id);
    if (board?.degraded === on) this.violations.push(`degraded ${on} of board ${id} is no news`);
    if (board !== undefined) board.degraded = on;
  }

  #onBoard(message: Exclude<Extract<ServerMessage, { board: BoardRef }>, { kind: "joined" }>): void {
    const id = this.#ids.get(message.board);
    // A message that was under way when this client left the board is about no board that it shows.
    const board = id === undefined ? undefined : this.#boards.get(id);
    if (board === undefined) {
      if (id === undefined) this.violations.push(`${message.kind} of board ${message.board}, which was never joined`);
      return;
    }
    if (message.kind === "presence_update") board.count = message.members;
    else if (message.kind === "paged") return;
    else if (message.kind === "roster") this.#listed(board, message);
    else if (message.kind === "cursors") for (const { actor, at } of message.moves) this.#moved(board, actor, at);
    else if (message.kind === "statuses") for (const told of updatesIn(message)) this.#onBoard(told);
    else if (message.kind === "user_joined") {
      if (board.members.has(message.actor)) this.violations.push(`actor ${message.actor} joined ${id} twice`);
      board.members.set(message.actor, message.member);
      if (message.at) board.cursors.set(message.actor, message.at);
    } else if (message.kind === "event" && message.member !== undefined) {
      if (board.members.has(message.actor)) this.violations.push(`actor ${message.actor} is introduced again by an event`);
    } else {
      const member = board.members.get(message.actor);
      if (member === undefined) this.violations.push(`${message.kind} of actor ${message.actor}, who is not on ${id}`);
      else if (message.kind === "user_updated") board.members.set(message.actor, patched(member, message.patch) as Member);
      else if (message.kind === "user_left") {
        board.members.delete(message.actor);
        board.cursors.delete(message.actor);
      }
    }
  }

  #moved(board: SessionBoard, actor: number, at: Point | null): void {
    if (!board.members.has(actor)) this.violations.push(`actor ${actor}, who is not there, moved`);
    if (at) board.cursors.set(actor, at);
    else board.cursors.delete(actor);
  }
}

/** The same as one message for each. */
function updatesIn({ board, status, actors, activeAt, afterMs = [] }: Extract<ServerMessage, { kind: "statuses" }>) {
  const timeOf = (nth: number) => (activeAt === undefined ? null : activeAt + (afterMs[nth] ?? 0));
  return actors.map((actor, nth) => ({ kind: "user_updated", board, actor, patch: { status, activeAt: timeOf(nth) } }) as const);
}

/** Merge patch, as in the pseudo code of RFC 7396. */
function patched(target: unknown, patch: Json): unknown {
  if (typeof patch !== "object" || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === "object" && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = patched(result[key], value);
  }
  return result;
}
