/**
 * One connection to the server under test, on `presence.v2`, `presence.v2.json` or classic. It says what a case tells it to, answers
 * heartbeats as any client must, and nothing else by itself, and remembers what came. Boards go by their id here, whatever the encoding.
 */

import {
  type BoardId,
  type BoardRef,
  type ClassicMessage,
  type ClientMessage,
  decodeClassic,
  decodeServerBinary,
  decodeServerJson,
  encodeBinary,
  encodeClassic,
  encodeJson,
  heldNow,
  isObject,
  type Member,
  SERVER_MESSAGE_BYTES_MAX,
  type ServerMessage,
} from "@presence-service/protocol";
import { expect } from "../cases.ts";
import { laterBinary, laterJson } from "../later.ts";
import { pause, Waiting } from "../waiting.ts";

export type Encoding = "presence.v2" | "presence.v2.json";
export type Joined = Extract<ServerMessage, { kind: "joined" }>;
type Kind = ServerMessage["kind"];
type Of<K extends Kind> = Extract<ServerMessage, { kind: K }>;

/** The types of messages that this kit knows; others are ignored, as they may be newer. */
const NOT_OURS =
  /^(?!heartbeat$|welcome$|joined$|user_|cursors$|presence_update$|event$|announcement$|pace$|degraded$|error$|goodbye$|token_|roster$|paged$)/;
const TYPES_KNOWN = { from: 0x41, to: 0x50 };

export class Visitor {
  readonly received: ServerMessage[] = [];
  /** The members that it has named in its last join. */
  holds: readonly Member[] = [];
  /** Sentences about messages that make no sense. */
  readonly mistakes: string[] = [];
  ended: { readonly code: number; readonly reason: string } | undefined;
  /** The subprotocol that was agreed on; undefined until the connection is open. */
  protocol: string | undefined;
  /** It answers no heartbeats, as if its network were gone. */
  isSilent = false;
  /** Own heartbeats without an answer: the next heartbeat that comes is the answer to one, and is not to be answered. */
  #questions = 0;
  readonly #encoding: Encoding;
  readonly #socket: WebSocket;
  readonly #waiting = new Waiting();
  readonly #ids = new Map<BoardRef, BoardId>();
  readonly #members = new Map<string, Map<number, Member>>();

  constructor(url: string, offered: readonly string[], encoding: Encoding) {
    this.#encoding = encoding;
    this.#socket = new WebSocket(url, [...offered]);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.protocol = this.#socket.protocol;
      this.#waiting.check();
    };
    this.#socket.onmessage = ({ data }: { data: unknown }) => {
      this.#heard(data);
      this.#waiting.check();
    };
    this.#socket.onclose = ({ code, reason }) => {
      this.ended = { code, reason };
      this.#waiting.check();
    };
  }

  async open(): Promise<void> {
    await this.until(() => this.protocol !== undefined || this.ended !== undefined, "the WebSocket opens");
    expect(this.ended === undefined, `the WebSocket was refused: ${this.ended?.code}`);
  }

  until<T>(find: () => T | undefined | false, what: string, withinMs?: number): Promise<T> {
    return this.#waiting.until(find, what, () => this.#story(), withinMs);
  }

  /** The first message of this kind that came after the first `since` messages. */
  async heard<K extends Kind>(kind: K, fits: (message: Of<K>) => boolean = () => true, withinMs?: number, since = 0): Promise<Of<K>> {
    const found = await this.until(() => this.all(kind, since).find(fits), `${kind} comes`, withinMs);
    this.check();
    return found;
  }

  all<K extends Kind>(kind: K, since = 0): Of<K>[] {
    return this.received.slice(since).filter((message): message is Of<K> => message.kind === kind);
  }

  /** Without what an instance may tell its clients at any time: heartbeats, and how it is itself. */
  told(since = 0): ServerMessage[] {
    return this.received.slice(since).filter(({ kind }) => kind !== "heartbeat" && kind !== "pace" && kind !== "degraded");
  }

  async closed(code: number, withinMs?: number): Promise<void> {
    const ended = await this.until(() => this.ended, `the connection is closed with ${code}`, withinMs);
    expect(ended.code === code, `the connection was closed with ${ended.code} ${ended.reason}, and not with ${code}\n${this.#story()}`);
  }

  /** Everything said before has been handled, and what it brought has come: a heartbeat is answered. */
  async settled(): Promise<void> {
    const since = this.received.length;
    this.say({ kind: "heartbeat" });
    await this.heard("heartbeat", undefined, undefined, since);
    await pause(150);
    this.check();
  }

  check(): void {
    expect(this.mistakes.length === 0, this.mistakes.join("\n"));
  }

  say(message: ClientMessage): void {
    if (message.kind === "heartbeat") this.#questions++;
    this.raw(this.#encoding === "presence.v2" ? encodeBinary(this.#numbered(message)) : encodeJson(message));
  }

  /** The same with fields of a later release. */
  sayLater(message: ClientMessage): void {
    if (message.kind === "heartbeat") this.#questions++;
    this.raw(this.#encoding === "presence.v2" ? laterBinary(this.#numbered(message)) : laterJson(message));
  }

  raw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  /** Without a code: as a page that goes away. */
  close(code?: number): void {
    this.#socket.close(code);
  }

  /** The member as this client shows it. */
  member(board: string, actor: number): Member | undefined {
    return this.#members.get(board)?.get(actor);
  }

  /** All members that it shows, by name. */
  shown(board: string): Member[] {
    return [...(this.#members.get(board)?.values() ?? [])].sort((a, b) => (a.username < b.username ? -1 : 1));
  }

  actorOf(board: string, username: string): number | undefined {
    for (const [actor, member] of this.#members.get(board) ?? []) if (member.username === username) return actor;
    return undefined;
  }

  /** Of a board on `presence.v2`. */
  numberOf(board: BoardId): BoardRef {
    for (const [ref, id] of this.#ids) if (id === board) return ref;
    throw new Error(`this visitor was never told a number of ${board}`);
  }

  #numbered(message: ClientMessage): ClientMessage {
    return "board" in message && typeof message.board === "string" ? { ...message, board: this.numberOf(message.board) } : message;
  }

  #heard(data: unknown): void {
    const bytes = data instanceof ArrayBuffer ? new Uint8Array(data) : undefined;
    if ((bytes !== undefined) !== (this.#encoding === "presence.v2")) {
      this.mistakes.push(`a ${bytes ? "binary" : "text"} message came on ${this.#encoding}`);
      return;
    }
    const length = bytes?.length ?? Buffer.byteLength(String(data));
    if (length > SERVER_MESSAGE_BYTES_MAX) this.mistakes.push(`a message of ${length} bytes came`);
    const message = bytes ? decodeServerBinary(bytes) : decodeServerJson(String(data));
    if (message !== undefined) this.#understood(message);
    else if (bytes ? isKnownType(bytes[0]) : isKnownKind(String(data))) {
      this.mistakes.push(`a message that cannot be decoded came: ${bytes ? Buffer.from(bytes).toString("hex") : String(data)}`);
    }
  }

  #understood(message: ServerMessage): void {
    if (message.kind === "heartbeat" && --this.#questions < 0) {
      if (!this.isSilent) this.say({ kind: "heartbeat" });
      this.#questions = 0;
    }
    if (message.kind === "joined") {
      this.#ids.set(message.board, message.boardId);
      const kept = heldNow(this.holds, message.held ?? []).filter(({ actor }) => actor !== message.self);
      this.#members.set(message.boardId, new Map([...kept, ...message.roster].map(({ actor, member }) => [actor, member])));
      this.received.push(message);
      return;
    }
    const named = "board" in message && message.board !== undefined ? this.#ids.get(message.board) : undefined;
    if ("board" in message && message.board !== undefined && named === undefined) this.mistakes.push(`${message.kind} of an unknown board`);
    this.received.push(named === undefined ? message : ({ ...message, board: named } as ServerMessage));
    const members = named && this.#members.get(named);
    if (!members) return;
    if (message.kind === "roster") for (const { actor, member } of message.roster) members.set(actor, member);
    else if (message.kind === "user_joined") {
      if (members.has(message.actor)) this.mistakes.push(`user_joined names actor ${message.actor}, who is there already`);
      members.set(message.actor, message.member);
    } else if ("actor" in message) {
      const isStranger = message.kind === "event" && message.member !== undefined;
      if (!isStranger && !members.has(message.actor))
        this.mistakes.push(`${message.kind} names actor ${message.actor}, whom nothing introduced`);
      if (message.kind === "user_left") members.delete(message.actor);
    } else if (message.kind === "statuses") {
      for (const actor of message.actors)
        if (!members.has(actor)) this.mistakes.push(`statuses names actor ${actor}, whom nothing introduced`);
    } else if (message.kind === "cursors") {
      for (const { actor } of message.moves)
        if (!members.has(actor)) this.mistakes.push(`cursors names actor ${actor}, whom nothing introduced`);
    }
  }

  #story(): string {
    const lines = this.received.slice(-12).map((message) => JSON.stringify(message).slice(0, 200));
    return [`the last of ${this.received.length} messages were:`, ...lines, ...(this.ended ? [`closed: ${this.ended.code}`] : [])].join(
      "\n  ",
    );
  }
}

/** A classic client: the eight fixed messages. */
export class ClassicVisitor {
  readonly received: ClassicMessage[] = [];
  ended: { readonly code: number } | undefined;
  readonly #socket: WebSocket;
  readonly #waiting = new Waiting();
  #isOpen = false;

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => {
      this.#isOpen = true;
      this.#waiting.check();
    };
    this.#socket.onmessage = ({ data }: { data: unknown }) => {
      const message = data instanceof ArrayBuffer ? decodeClassic(new Uint8Array(data)) : undefined;
      if (message) this.received.push(message);
      this.#waiting.check();
    };
    this.#socket.onclose = ({ code }) => {
      this.ended = { code };
      this.#waiting.check();
    };
  }

  async open(): Promise<void> {
    await this.until(() => this.#isOpen, "the WebSocket opens");
  }

  until<T>(find: () => T | undefined | false, what: string, withinMs?: number): Promise<T> {
    const story = () => `it got ${JSON.stringify(this.received.slice(-12))}${this.ended ? ` and was closed with ${this.ended.code}` : ""}`;
    return this.#waiting.until(find, what, story, withinMs);
  }

  async heard<K extends ClassicMessage["kind"]>(
    kind: K,
    fits: (message: Extract<ClassicMessage, { kind: K }>) => boolean = () => true,
    since = 0,
  ): Promise<Extract<ClassicMessage, { kind: K }>> {
    const isIt = (message: ClassicMessage): message is Extract<ClassicMessage, { kind: K }> => message.kind === kind;
    return this.until(() => this.received.slice(since).filter(isIt).find(fits), `${kind} comes`);
  }

  async settled(): Promise<void> {
    const since = this.received.length;
    this.say({ kind: "heartbeat" });
    await this.heard("heartbeat", undefined, since);
    await pause(150);
  }

  say(message: ClassicMessage): void {
    this.raw(encodeClassic(message));
  }

  raw(data: string | Uint8Array<ArrayBuffer>): void {
    this.#socket.send(data);
  }

  close(code?: number): void {
    this.#socket.close(code);
  }
}

function isKnownType(type: number | undefined): boolean {
  return type !== undefined && (type === 0x08 || type < TYPES_KNOWN.from || type <= TYPES_KNOWN.to);
}

function isKnownKind(text: string): boolean {
  try {
    const message: unknown = JSON.parse(text);
    return !isObject(message) || typeof message.kind !== "string" || !NOT_OURS.test(message.kind);
  } catch {
    return true;
  }
}
