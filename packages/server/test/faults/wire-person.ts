/**
 * A person on `presence.v2`, binary or JSON, whose client is written from docs/PROTOCOL.md and not from the SDK. It comes back and
 * resumes as that page asks: after a close it waits as the code says, raises its attempt, and keeps for the grace whom a settling
 * instance does not show yet.
 */

import { randomBytes } from "node:crypto";
import {
  type BoardId,
  type BoardRef,
  type ClientMessage,
  closeReason,
  decodeServerBinary,
  decodeServerJson,
  encodeBinary,
  encodeJson,
  type JsonObject,
  type Member,
  type Point,
  type ResumeToken,
  type RosterEntry,
  type ServerMessage,
} from "@presence-service/protocol";
import type { Shown } from "./log.ts";
import { type Log, movesOf, NO_PLACE, type Person, placeOf, type Way } from "./person.ts";

const BACKOFF_MS = 2000;
const BACKOFF_MS_MAX = 5000;
const ELSEWHERE_MS = 500;
const WELCOME_MS_MAX = 10_000;
/** A code that no table knows: the service takes it for a lost connection, with the full grace. */
const DROPPED = 3001;
const SUBPROTOCOL = { json: "presence.v2.json", binary: "presence.v2" } as const;

type Seen = { readonly name: string; shown: Shown };
type Joined = Extract<ServerMessage, { kind: "joined" }>;

export class WirePerson implements Person {
  readonly kind: "binary" | "json";
  readonly name: string;
  readonly #log: Log;
  /** Asked with each connection. */
  readonly #way: () => Way;
  #via = 0;
  readonly #boardId: BoardId;
  readonly #resumeToken = randomBytes(16).toString("hex") as ResumeToken;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #attempt = 0;
  #failures = 0;
  #isHere = false;
  #hasLeft = false;
  #ref: BoardRef | undefined;
  #self = -1;
  #graceMs = 0;
  #retryAfterMs: number | undefined;
  readonly #actors = new Map<number, Seen>();
  /** Members of the roster before the last reconnect whom a settling instance did not show. */
  readonly #kept = new Map<string, { readonly shown: Shown; readonly timer: NodeJS.Timeout }>();
  #says = 0;
  #moves = 0;

  constructor(
    log: Log,
    options: { readonly kind: "binary" | "json"; readonly name: string; readonly way: () => Way; readonly board: string },
  ) {
    this.#log = log;
    this.kind = options.kind;
    this.name = options.name;
    this.#way = options.way;
    this.#boardId = options.board as BoardId;
  }

  get isHere(): boolean {
    return this.#isHere;
  }

  enter(): void {
    this.#log.add({ kind: "wants", who: this.name, via: this.#way().via, board: this.#boardId });
    this.#connect();
  }

  leave(): void {
    this.#hasLeft = true;
    this.#isHere = false;
    this.#log.add({ kind: "gone", who: this.name });
    clearTimeout(this.#timer);
    for (const { timer } of this.#kept.values()) clearTimeout(timer);
    // 1000: on purpose. It is said even if the service does not hear it.
    this.#socket?.close(1000);
  }

  /** Gives its connection up and resumes over a new one, at once. */
  drop(): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    socket.onclose = null;
    socket.onmessage = null;
    socket.close(DROPPED);
    this.#away();
    this.#connect();
  }

  say(): void {
    this.#says++;
    this.#log.add({ kind: "says", who: this.name, state: this.#says });
    if (this.#isHere && this.#ref !== undefined) this.#send({ kind: "update", board: this.#ref, state: { n: this.#says } });
  }

  move(): void {
    this.#moves++;
    this.#log.add({ kind: "moves", who: this.name, place: this.#moves });
    this.#point();
  }

  #point(): void {
    if (this.#isHere && this.#ref !== undefined) this.#send({ kind: "cursor", board: this.#ref, at: placeOf(this.#moves) });
  }

  #connect(): void {
    if (this.#hasLeft) return;
    const { url, via } = this.#way();
    this.#via = via;
    const socket = new WebSocket(url, SUBPROTOCOL[this.kind]);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    let isWelcome = false;
    const giveUp = setTimeout(() => socket.close(), WELCOME_MS_MAX);
    socket.onopen = () => {
      this.#send({ kind: "hello", resumeToken: this.#resumeToken });
      const state = { n: this.#says };
      this.#send({ kind: "join", boardId: this.#boardId, attempt: ++this.#attempt, username: this.name, status: "active", state });
    };
    socket.onmessage = ({ data }: MessageEvent<unknown>) => {
      const message = this.#read(data);
      if (message === undefined) return this.#nonsense(`not decodable: ${String(data)}`);
      if (message.kind === "welcome") {
        isWelcome = true;
        clearTimeout(giveUp);
        this.#failures = 0;
        this.#graceMs = message.graceMs;
      }
      this.#heard(message);
    };
    socket.onclose = ({ code }) => {
      clearTimeout(giveUp);
      this.#away();
      if (!isWelcome) this.#failures++;
      this.#timer = setTimeout(() => this.#connect(), this.#backoffMs(code));
    };
  }

  #backoffMs(code: number): number {
    const told = this.#retryAfterMs;
    this.#retryAfterMs = undefined;
    if (told !== undefined) return told;
    const { retry } = closeReason(code);
    if (retry === "never") this.#nonsense(`the connection was closed for good: ${code}`);
    if (retry === "elsewhere" && this.#failures === 0) return Math.random() * ELSEWHERE_MS;
    return Math.random() * Math.min(BACKOFF_MS_MAX, BACKOFF_MS * 2 ** this.#failures);
  }

  #away(): void {
    if (!this.#isHere) return;
    this.#isHere = false;
    this.#ref = undefined;
    this.#log.add({ kind: "away", who: this.name });
  }

  #send(message: ClientMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(this.kind === "json" ? encodeJson(message) : encodeBinary(message));
  }

  #read(data: unknown): ServerMessage | undefined {
    const isBytes = data instanceof ArrayBuffer;
    if (isBytes !== (this.kind === "binary")) return undefined;
    return (isBytes ? decodeServerBinary(new Uint8Array(data)) : decodeServerJson(String(data))) || undefined;
  }

  #heard(message: ServerMessage): void {
    switch (message.kind) {
      case "heartbeat":
        return this.#send({ kind: "heartbeat" });
      case "joined":
        return this.#joined(message);
      case "goodbye":
        this.#retryAfterMs = message.retryAfterMs;
        return;
      case "degraded":
        return this.#log.add({ kind: "degraded", who: this.name, on: message.on });
      case "error":
        return this.#nonsense(`error ${message.code}: ${message.message}`);
    }
    if (!this.#isHere || !("board" in message) || message.board !== this.#ref) return;
    if (message.kind === "roster") for (const entry of message.roster) this.#entered(entry);
    else if (message.kind === "user_joined") this.#entered(message);
    else if (message.kind === "user_left") this.#left(message.actor, message.reason);
    else if (message.kind === "user_updated") this.#updated(message.actor, message.patch);
    else if (message.kind === "statuses") for (const actor of message.actors) this.#updated(actor, { status: message.status });
    else if (message.kind === "cursors") for (const { actor, at } of message.moves) this.#moved(actor, at);
  }

  #joined({ boardId, board, self, settling, roster }: Joined): void {
    if (boardId !== this.#boardId) return this.#nonsense(`joined ${boardId}`);
    const before = [...this.#actors.values()];
    this.#actors.clear();
    this.#ref = board;
    this.#self = self;
    this.#isHere = true;
    const shows: Record<string, Shown> = {};
    for (const { actor, member, at } of roster) {
      if (actor === self) continue;
      const seen = { name: member.username, shown: shownOf(member, at) };
      if (shows[seen.name] !== undefined) this.#nonsense(`${seen.name} is twice in one roster`);
      shows[seen.name] = seen.shown;
      this.#actors.set(actor, seen);
      this.#found(seen.name);
    }
    if (settling) for (const { name, shown } of before) if (shows[name] === undefined) this.#keep(name, shown);
    if (!settling) for (const name of this.#kept.keys()) this.#found(name);
    for (const [name, { shown }] of this.#kept) shows[name] = shown;
    this.#log.add({ kind: "here", who: this.name, via: this.#via, shows });
    if (this.#moves > 0) this.#point();
  }

  #keep(name: string, shown: Shown): void {
    const timer = setTimeout(() => this.#lost(name), this.#graceMs);
    this.#kept.set(name, { shown: { ...shown, status: "reconnecting" }, timer });
  }

  /** One who was kept is here again. */
  #found(name: string): void {
    clearTimeout(this.#kept.get(name)?.timer);
    this.#kept.delete(name);
  }

  #lost(name: string): void {
    this.#kept.delete(name);
    if (this.#isHere) this.#log.add({ kind: "sees", who: this.name, whom: name, shown: null, reason: "was not found again" });
  }

  #entered({ actor, member, at }: RosterEntry): void {
    if (actor === this.#self) return;
    for (const { name } of this.#actors.values()) if (name === member.username) this.#nonsense(`${name} joined twice`);
    this.#found(member.username);
    const seen = { name: member.username, shown: shownOf(member, at) };
    this.#actors.set(actor, seen);
    this.#sees(seen);
  }

  #left(actor: number, reason: string): void {
    if (actor === this.#self) return this.#nonsense(`I was put off the board: ${reason}`);
    const seen = this.#actors.get(actor);
    if (seen === undefined) return this.#nonsense(`actor ${actor}, who is not there, left`);
    this.#actors.delete(actor);
    this.#log.add({ kind: "sees", who: this.name, whom: seen.name, shown: null, reason });
  }

  #updated(actor: number, patch: JsonObject): void {
    if (actor === this.#self) return;
    const seen = this.#actors.get(actor);
    if (seen === undefined) return this.#nonsense(`actor ${actor}, who is not there, changed`);
    const { status, state } = patch as { status?: string; state?: { n?: number } };
    seen.shown = { ...seen.shown, ...(status !== undefined && { status }), ...(state?.n !== undefined && { state: state.n }) };
    this.#sees(seen);
  }

  #moved(actor: number, at: Point | null): void {
    if (actor === this.#self) return;
    const seen = this.#actors.get(actor);
    if (seen === undefined) return this.#nonsense(`actor ${actor}, who is not there, moved`);
    seen.shown = { ...seen.shown, place: at === null ? NO_PLACE : movesOf(at) };
    this.#sees(seen);
  }

  #sees({ name, shown }: Seen): void {
    this.#log.add({ kind: "sees", who: this.name, whom: name, shown });
  }

  #nonsense(text: string): void {
    if (!this.#hasLeft) this.#log.add({ kind: "nonsense", who: this.name, text });
  }
}

function shownOf({ status, state }: Member, at: Point | undefined): Shown {
  const { n } = state as { n?: number };
  return { status, ...(n !== undefined && { state: n }), place: at === undefined ? NO_PLACE : movesOf(at) };
}
