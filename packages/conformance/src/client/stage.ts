/**
 * A service in miniature that does nothing by itself: a case tells it what to say on each connection of the client under test, and looks
 * at what the client says. It speaks the encoding that the client asks for. Boards go by their number in what a case says.
 */

import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import {
  type BoardId,
  type Bytes,
  type ClientMessage,
  decodeClientBinary,
  decodeClientJson,
  decodeServerJson,
  encodeBinary,
  encodeJson,
  type HeldEntry,
  type Member,
  type MemberId,
  type Point,
  type ResumeToken,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import { expect } from "../cases.ts";
import { namesOf } from "../held.ts";
import { laterBinary, laterJson } from "../later.ts";
import { Waiting } from "../waiting.ts";
import { acceptance, FrameReader, frame, OPCODE } from "./frames.ts";

type Kind = ClientMessage["kind"];
type Of<K extends Kind> = Extract<ClientMessage, { kind: K }>;
type Joined = Extract<ServerMessage, { kind: "joined" }>;
const SUBPROTOCOLS = ["presence.v2", "presence.v2.json"] as const;
export const ME = "a8faed6abbf35c12a4b26e40f6feb19d" as MemberId;

/** One connection of the client. */
export class Line {
  /** Without heartbeats; boards go by their id. */
  readonly received: ClientMessage[] = [];
  heartbeats = 0;
  pongs = 0;
  readonly openedAt = Date.now();
  endedAt: number | undefined;
  /** Of the client's close frame; 1006: the client ended the connection without one. */
  endedWith: number | undefined;
  readonly isBinary: boolean;
  readonly #socket: Duplex;
  readonly #waiting: Waiting;
  readonly #reader = new FrameReader();
  readonly #boards = new Map<number, BoardId>();
  #parts: Buffer[] = [];
  #isText = false;

  constructor(socket: Duplex, waiting: Waiting, isBinary: boolean) {
    this.#socket = socket;
    this.#waiting = waiting;
    this.isBinary = isBinary;
    socket.on("data", (bytes: Buffer) => {
      for (const one of this.#reader.read(bytes)) this.#frame(one);
      waiting.check();
    });
    socket.on("error", () => {});
    socket.on("close", () => {
      this.#ended(1006);
      waiting.check();
    });
  }

  until<T>(find: () => T | undefined | false, what: string, withinMs?: number): Promise<T> {
    return this.#waiting.until(find, what, () => this.story(), withinMs);
  }

  heard<K extends Kind>(kind: K, fits: (message: Of<K>) => boolean = () => true, withinMs?: number, since = 0): Promise<Of<K>> {
    return this.until(() => this.all(kind, since).find(fits), `the client says ${kind}`, withinMs);
  }

  all<K extends Kind>(kind: K, since = 0): Of<K>[] {
    return this.received.slice(since).filter((message): message is Of<K> => message.kind === kind);
  }

  say(message: ServerMessage): void {
    this.#learn(message);
    this.raw(this.isBinary ? encodeBinary(message) : encodeJson(this.#named(message)));
  }

  /** The same with fields of a later release. */
  sayLater(message: ServerMessage): void {
    this.#learn(message);
    this.raw(this.isBinary ? laterBinary(message) : laterJson(this.#named(message)));
  }

  raw(data: Bytes | string): void {
    this.#socket.write(typeof data === "string" ? frame(OPCODE.text, Buffer.from(data)) : frame(OPCODE.binary, data));
  }

  ping(): void {
    this.#socket.write(frame(OPCODE.ping, Buffer.from("kit")));
  }

  /** `undefined`: a close frame without a code. */
  close(code: number | undefined): void {
    const payload = Buffer.alloc(code === undefined ? 0 : 2);
    if (code !== undefined) payload.writeUInt16BE(code);
    this.#socket.end(frame(OPCODE.close, payload));
  }

  /** Breaks the connection without a close frame. */
  cut(): void {
    this.#socket.destroy();
  }

  story(): string {
    const lines = this.received.slice(-12).map((message) => JSON.stringify(message).slice(0, 200));
    return [`on this connection the client said:`, ...lines, ...(this.endedWith ? [`and closed it: ${this.endedWith}`] : [])].join("\n  ");
  }

  #frame({ opcode, payload, isLast, isMasked }: ReturnType<FrameReader["read"]>[number]): void {
    expect(isMasked, "a frame of the client is not masked");
    if (opcode === OPCODE.close) {
      this.#ended(payload.length >= 2 ? payload.readUInt16BE(0) : 1005);
      this.#socket.end(frame(OPCODE.close, payload));
    } else if (opcode === OPCODE.ping) this.#socket.write(frame(OPCODE.pong, payload));
    else if (opcode === OPCODE.pong) this.pongs++;
    else {
      if (opcode !== OPCODE.continuation) this.#isText = opcode === OPCODE.text;
      this.#parts.push(payload);
      if (isLast) this.#message(Buffer.concat(this.#parts.splice(0)));
    }
  }

  #message(data: Buffer): void {
    const message = this.#isText ? decodeClientJson(data.toString()) : decodeClientBinary(data);
    if (message === undefined || this.#isText === this.isBinary) {
      this.received.push({ kind: "auth", token: `NOT A MESSAGE: ${this.#isText ? data.toString() : data.toString("hex")}` });
    } else if (message.kind === "heartbeat") this.heartbeats++;
    else if ("board" in message && typeof message.board === "number") {
      this.received.push({ ...message, board: this.#boards.get(message.board) ?? (`number ${message.board}` as BoardId) });
    } else this.received.push(message);
  }

  #ended(code: number): void {
    this.endedWith ??= code;
    this.endedAt ??= Date.now();
  }

  #learn(message: ServerMessage): void {
    if (message.kind === "joined" && typeof message.board === "number") this.#boards.set(message.board, message.boardId);
  }

  #named(message: ServerMessage): ServerMessage {
    if (!("board" in message) || typeof message.board !== "number") return message;
    return { ...message, board: this.#boards.get(message.board) ?? ("of-nobody" as BoardId) };
  }
}

export class Stage {
  readonly lines: Line[] = [];
  /** So many upgrades are refused with 503 before the next one is accepted. */
  refusals = 0;
  /** When upgrades were asked for. */
  readonly askedAt: number[] = [];
  readonly #waiting = new Waiting();
  readonly #server: Server;
  readonly #mistakes: string[] = [];

  private constructor(server: Server) {
    this.#server = server;
    server.on("upgrade", (request: IncomingMessage, socket: Duplex) => this.#upgrade(request, socket));
  }

  static async open(): Promise<Stage> {
    const stage = new Stage(createServer());
    await new Promise<void>((resolve) => stage.#server.listen(0, "127.0.0.1", resolve));
    return stage;
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}/`;
  }

  close(): void {
    for (const line of this.lines) line.cut();
    this.#server.close();
    this.#server.closeAllConnections();
  }

  until<T>(find: () => T | undefined | false, what: string, withinMs?: number): Promise<T> {
    const story = () => [`there were ${this.lines.length} connections`, ...this.#mistakes, this.lines.at(-1)?.story() ?? ""].join("\n");
    return this.#waiting.until(find, what, story, withinMs);
  }

  /** The nth connection, from 1. */
  line(nth: number, withinMs = 5000): Promise<Line> {
    return this.until(() => this.lines[nth - 1], `connection ${nth} of the client`, withinMs);
  }

  /** The nth connection, welcomed, with its hello. */
  async welcomed(nth: number, more: Partial<Extract<ServerMessage, { kind: "welcome" }>> = {}): Promise<Line> {
    const line = await this.line(nth);
    const { resumeToken } = await line.heard("hello");
    line.say(welcome({ ...(resumeToken !== undefined && { resumeToken }), ...more }));
    return line;
  }

  #upgrade(request: IncomingMessage, socket: Duplex): void {
    this.askedAt.push(Date.now());
    socket.on("error", () => {});
    if (this.refusals > 0) {
      this.refusals--;
      socket.end("HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return this.#waiting.check();
    }
    const offered = (request.headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
    const inUrl = new URL(request.url ?? "/", "ws://localhost").searchParams.get("encoding");
    const agreed = SUBPROTOCOLS.find((name) => offered.includes(name));
    const encoding = agreed ?? SUBPROTOCOLS.find((name) => name === inUrl);
    if (encoding === undefined) {
      this.#mistakes.push(`the client offers "${offered}", and neither of ${SUBPROTOCOLS.join(" and ")}`);
      socket.end("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
      return this.#waiting.check();
    }
    socket.write(acceptance(request, agreed));
    this.lines.push(new Line(socket, this.#waiting, encoding === "presence.v2"));
    this.#waiting.check();
  }
}

export function welcome(more: Partial<Extract<ServerMessage, { kind: "welcome" }>> = {}): ServerMessage {
  return {
    kind: "welcome",
    memberId: ME,
    resumeToken: "00112233445566778899aabbccddeeff" as ResumeToken,
    instanceId: "3f1c9d2e-7a54-4c1b-9e0d-5b6a7c8d9e0f",
    heartbeatMs: 10_000,
    graceMs: 15_000,
    cursorMs: 16,
    stateBytesMax: 4096,
    ...more,
  };
}

/** A member as this release reads one in JSON, with whatever it adds to what is given here. */
export function member(username: string, more: Partial<Member> = {}): Member {
  const memberId = Buffer.from(username.padEnd(16, ".")).toString("hex").slice(0, 32);
  const given = { memberId, userId: `user of ${username}`, username, color: "#336699", status: "active", state: {}, ...more };
  const message = decodeServerJson(JSON.stringify({ kind: "user_joined", board: "doc-42", actor: 0, member: given }));
  if (message?.kind !== "user_joined") throw new Error(`not a member: ${JSON.stringify(given)}`);
  return message.member;
}

type JoinedOptions = {
  readonly number?: number;
  readonly self?: number;
  readonly settling?: boolean;
  readonly others?: readonly (readonly [actor: number, member: Member, at?: Point])[];
};

/** The answer to that join: the client itself is actor `self`, by default 3. */
export function joined(join: Of<"join">, { number = 7, self = 3, settling = false, others = [] }: JoinedOptions = {}): Joined {
  const own = member(join.username, { memberId: ME, userId: ME, status: join.status, state: join.state });
  const roster: RosterEntry[] = [{ actor: self, member: own }];
  for (const [actor, other, at] of others) roster.push({ actor, member: other, ...(at && { at }) });
  const users = new Set(roster.map((entry) => entry.member.userId)).size;
  return { kind: "joined", boardId: join.boardId, board: number, self, settling, members: roster.length, users, roster };
}

/** The same to a client that comes back: it is told those members that it has named by their places in its list. */
export function caughtUp(join: Of<"join">, options: JoinedOptions): Joined {
  const names: readonly string[] = join.held?.match(/.{24}/g) ?? [];
  const held: (HeldEntry | null)[] = names.map(() => null);
  const others = (options.others ?? []).filter(([actor, member, at]) => {
    const index = names.indexOf(namesOf([member]));
    if (index >= 0) held[index] = { actor, ...(at && { at }) };
    return index < 0;
  });
  const { length } = options.others ?? [];
  return { ...joined(join, { ...options, others }), members: length + 1, users: length + 1, ...(names.length > 0 && { held }) };
}
