/**
 * A person on a classic client: the runtime's own WebSocket, no subprotocol, the eight fixed messages. Like the real ones it believes
 * all messages; besides, it records those that a correct server would not have sent.
 */

import assert from "node:assert/strict";
import { type ClassicMessage, decodeClassic, encodeClassic } from "@presence-service/protocol";
import { eventually } from "./eventually.ts";
import type { Scope } from "./scope.ts";

const HEARTBEAT_MS = 30_000;
const OPEN_MS_MAX = 5000;

export type Person = { readonly user: number; readonly username: string; readonly color: string };
export type Position = { readonly x: number; readonly y: number };

/** One board as this client shows it: the others, without itself. */
export class ClassicBoard {
  readonly people = new Map<number, Person>();
  readonly cursors = new Map<number, Position>();
  /** The last count received, this client included; 0: none was received. */
  count = 0;
}

export class ClassicClient {
  /** All messages in the order of arrival; empty with `log: false`. */
  readonly received: ClassicMessage[] = [];
  /** Sentences about messages that make no sense after those before. A correct server leaves this empty. */
  readonly violations: string[] = [];
  /** How the connection ended, if it did. */
  ended: { readonly code: number; readonly reason: string } | undefined;
  readonly #socket: WebSocket;
  readonly #log: boolean;
  readonly #boards = new Map<number, ClassicBoard>();

  private constructor(url: string, log: boolean) {
    this.#log = log;
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#heard(data);
    this.#socket.onclose = ({ code, reason }) => {
      this.ended = { code, reason };
    };
  }

  /** Open once it is returned; closed with the test. `log: false` where millions of messages come. */
  static async connect(scope: Scope, url: string, { log = true }: { log?: boolean } = {}): Promise<ClassicClient> {
    const client = new ClassicClient(url, log);
    scope.after(() => client.close());
    // As existing classic clients do, on a board or not.
    const beating = setInterval(() => client.heartbeat(), HEARTBEAT_MS);
    scope.after(() => clearInterval(beating));
    await eventually(() => client.isOpen || client.ended !== undefined, { what: `a WebSocket opens at ${url}`, withinMs: OPEN_MS_MAX });
    assert.ok(client.isOpen, `the WebSocket at ${url} was refused: ${client.ended?.code}`);
    return client;
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  join(board: number, username: string): void {
    this.board(board);
    this.send({ kind: "join", board, username });
  }

  leave(board: number): void {
    this.send({ kind: "leave", board });
    this.#boards.delete(board);
  }

  move(board: number, x: number, y: number): void {
    this.send({ kind: "cursor_update", board, x, y });
  }

  heartbeat(): void {
    this.send({ kind: "heartbeat" });
  }

  send(message: ClassicMessage): void {
    this.#socket.send(encodeClassic(message));
  }

  /** Sends any bytes or text, for tests about bad input. */
  sendRaw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** An orderly close; resolves when the server has answered it. */
  async close(): Promise<void> {
    if (this.ended !== undefined) return;
    this.#socket.close();
    await eventually(() => this.ended !== undefined || this.#socket.readyState === WebSocket.CLOSED, { what: "the WebSocket closes" });
  }

  board(board: number): ClassicBoard {
    const view = this.#boards.get(board) ?? new ClassicBoard();
    this.#boards.set(board, view);
    return view;
  }

  /** Names of the others on a board, sorted. */
  names(board: number): string[] {
    return [...this.board(board).people.values()].map(({ username }) => username).sort();
  }

  /** The cursor of a person, by name; undefined: the person is not there, or has never moved. */
  cursorOf(board: number, username: string): Position | undefined {
    const view = this.board(board);
    const person = [...view.people.values()].find((one) => one.username === username);
    return person === undefined ? undefined : view.cursors.get(person.user);
  }

  /** Whether a message of this kind with these fields has come. */
  has(kind: ClassicMessage["kind"], fields: object = {}): boolean {
    return this.received.some(
      (message) => message.kind === kind && Object.entries(fields).every(([name, value]) => Reflect.get(message, name) === value),
    );
  }

  #heard(data: unknown): void {
    const message = data instanceof ArrayBuffer ? decodeClassic(new Uint8Array(data)) : undefined;
    if (message === undefined) {
      this.violations.push(
        `a message that is none of the eight: ${data instanceof ArrayBuffer ? Buffer.from(data).toString("hex") : String(data)}`,
      );
      return;
    }
    if (this.#log) this.received.push(message);
    if (message.kind === "heartbeat") return;
    // An unknown board: this message was under way when this client left it.
    const view = this.#boards.get(message.board);
    if (view === undefined) return;
    switch (message.kind) {
      case "user_joined":
        if (view.people.has(message.user)) this.violations.push(`user ${message.user} joined board ${message.board} twice`);
        view.people.set(message.user, message);
        view.cursors.delete(message.user);
        return;
      case "user_left":
        if (!view.people.delete(message.user)) this.violations.push(`user ${message.user}, who was not there, left board ${message.board}`);
        view.cursors.delete(message.user);
        return;
      case "cursor_broadcast":
        if (!view.people.has(message.user)) this.violations.push(`user ${message.user}, who is not there, moved on board ${message.board}`);
        view.cursors.set(message.user, { x: message.x, y: message.y });
        return;
      case "presence_update":
        view.count = message.count;
        return;
      default:
        this.violations.push(`${message.kind} is not a server's to send`);
    }
  }
}
