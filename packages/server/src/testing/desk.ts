/** A whole instance from sockets to core on a fake clock, with clients for tests. The bus is in memory, the metrics are real. */

import assert from "node:assert/strict";
import { IncomingMessage } from "node:http";
import { Socket } from "node:net";
import {
  type BoardId,
  type ClassicMessage,
  type ClientMessage,
  encodeBinary,
  encodeClassic,
  encodeJson,
  type InstanceId,
  type Millis,
  type ResumeToken,
} from "@presence-service/protocol";
import { type BusListener, Channels } from "../bus/bus.ts";
import { Signing } from "../bus/signing.ts";
import type { Connection } from "../connection/connection.ts";
import { ConnectionManager, type ManagerOptions } from "../connection/manager.ts";
import { CLASSIC } from "../speech/classic.ts";
import type { Encoding, Speech } from "../speech/speech.ts";
import { BINARY, JSON_TEXT } from "../speech/v2.ts";
import type { Logger } from "../telemetry/log.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { FakeClock } from "./fake-clock.ts";
import { FakeSocket } from "./fake-socket.ts";
import { type BusEnd, LoopbackBus } from "./loopback-bus.ts";

export type DeskOptions = Pick<ManagerOptions, "authenticate" | "authorize" | "bounds" | "tracer"> & {
  /** Another desk on the same bus and clock. */
  readonly beside?: Desk;
  /** Its bus spreads boards over several servers, as it says. */
  readonly isSpread?: boolean;
};

const SPEECHES: Record<Encoding, Speech> = { binary: BINARY, json: JSON_TEXT, classic: CLASSIC };
/** One request for all clients, since no code here reads it. */
const REQUEST = new IncomingMessage(new Socket());
/** Longer than the first member of a board waits for its roster. */
const OPENED_MS: Millis = 200;

export class Desk {
  readonly clock: FakeClock;
  readonly bus: LoopbackBus;
  readonly metrics: Metrics = createMetrics({ version: "test" });
  readonly manager: ConnectionManager;
  /** The log lines as `level text`, in order. */
  readonly lines: string[] = [];
  /** Numbers the clients, so that the sessions of different desks differ. */
  #clients: number;

  readonly end: BusEnd;
  /** Desks that were opened beside this one. */
  #others = 0;

  private constructor({ beside, isSpread = false, ...options }: DeskOptions) {
    const nth = beside === undefined ? 0 : ++beside.#others;
    this.#clients = nth * 1_000_000;
    this.clock = beside?.clock ?? new FakeClock();
    this.bus = beside?.bus ?? new LoopbackBus(this.clock);
    this.end = this.bus.connect();
    this.end.isSpread = isSpread;
    this.manager = new ConnectionManager({
      ...options,
      bus: this.end,
      instanceId: `${(1 + nth).toString(16)}0000000-0000-4000-8000-000000000000` as InstanceId,
      channels: new Channels("test"),
      signing: new Signing(""),
      clock: this.clock,
      metrics: this.metrics,
      log: logTo(this.lines),
      seed: 7,
    });
  }

  /** Ready when it is returned. */
  static async open(options: DeskOptions = {}): Promise<Desk> {
    const desk = new Desk(options);
    await desk.manager.start();
    desk.clock.turn();
    await desk.manager.ready;
    return desk;
  }

  /** Takes reports of the bus, so that a test can make them up. */
  get listener(): BusListener {
    return this.end.listener ?? assert.fail("the bus is not started");
  }

  /** A connected client that has sent nothing. */
  connect(encoding: Encoding, more: { readonly token?: string; readonly address?: string } = {}): Client {
    const socket = new FakeSocket();
    const connection = this.manager.open(socket, { speech: SPEECHES[encoding], request: REQUEST, address: "192.0.2.1", ...more });
    return new Client(encoding, socket, connection, ++this.#clients);
  }

  /** A client that is welcomed and, if a board is given, on that board; its messages so far are taken. */
  enter(encoding: Encoding, board?: string, username = "somebody"): Client {
    const client = this.connect(encoding);
    if (encoding !== "classic") client.hello();
    if (board !== undefined) {
      client.join(board, username);
      this.clock.advance(OPENED_MS);
    }
    client.socket.takeFrames();
    return client;
  }
}

export class Client {
  readonly encoding: Encoding;
  readonly socket: FakeSocket;
  readonly connection: Connection;
  readonly #number: number;
  #attempt = 0;

  constructor(encoding: Encoding, socket: FakeSocket, connection: Connection, number: number) {
    this.encoding = encoding;
    this.socket = socket;
    this.connection = connection;
    this.#number = number;
  }

  get resumeToken(): ResumeToken {
    return this.#number.toString(16).padStart(32, "0") as ResumeToken;
  }

  hello(more: { readonly token?: string; readonly resumeToken?: ResumeToken; readonly packs?: boolean } = {}): void {
    this.say({ kind: "hello", resumeToken: this.resumeToken, ...more });
  }

  join(board: string, username: string, attempt = ++this.#attempt): void {
    if (this.encoding === "classic") return this.sayClassic({ kind: "join", board: Number(board), username });
    this.say({ kind: "join", boardId: board as BoardId, attempt, username, status: "active", state: {} });
  }

  leave(board: string): void {
    if (this.encoding === "classic") return this.sayClassic({ kind: "leave", board: Number(board) });
    this.say({ kind: "leave", board: this.ref(board) });
  }

  move(board: string, x: number, y: number): void {
    if (this.encoding === "classic") return this.sayClassic({ kind: "cursor_update", board: Number(board), x, y });
    this.say({ kind: "cursor", board: this.ref(board), at: { x, y } });
  }

  /** The board's name in this client's messages. */
  ref(board: string): number | BoardId {
    if (this.encoding === "json") return board as BoardId;
    return this.connection.seats.find(({ fanout }) => fanout.boardId === board)?.fanout.number ?? 4_000_000;
  }

  say(message: ClientMessage): void {
    const data = this.encoding === "json" ? Buffer.from(encodeJson(message)) : Buffer.from(encodeBinary(message));
    this.connection.received(data, this.encoding === "binary");
  }

  sayClassic(message: ClassicMessage): void {
    this.connection.received(Buffer.from(encodeClassic(message)), true);
  }

  /** Reports the socket's end, as the WebSocket library does. */
  close(code: number): void {
    this.connection.closed(code);
  }
}

function logTo(lines: string[]): Logger {
  const write =
    (level: string) =>
    (fields: object | string, words?: string): void =>
      void lines.push(`${level} ${words ?? String(fields)} ${JSON.stringify(fields)}`);
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error"), isLevelEnabled: () => true };
}
