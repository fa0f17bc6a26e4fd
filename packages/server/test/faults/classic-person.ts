/**
 * A person on a classic client, which cannot resume: gone is gone. So one whose connection is lost comes back as somebody else, with a
 * name of its own in the log.
 */

import { type ClassicMessage, decodeClassic, encodeClassic } from "@presence-service/protocol";
import type { Shown } from "./log.ts";
import { type Log, movesOf, type Person, placeOf, type Way } from "./person.ts";

const HEARTBEAT_MS = 30_000;
const BACKOFF_MS = 2000;

type Seen = { readonly name: string; shown: Shown };

export class ClassicPerson implements Person {
  readonly kind = "classic";
  readonly #log: Log;
  readonly #base: string;
  readonly #way: Way;
  readonly #board: number;
  readonly #users = new Map<number, Seen>();
  #life = 0;
  #socket: WebSocket | undefined;
  #timer: NodeJS.Timeout | undefined;
  #isHere = false;
  #hasLeft = false;
  #moves = 0;

  constructor(log: Log, { name, way, board }: { readonly name: string; readonly way: Way; readonly board: string }) {
    this.#log = log;
    this.#base = name;
    this.#way = way;
    this.#board = Number(board);
  }

  get name(): string {
    return `${this.#base}.${this.#life}`;
  }

  get isHere(): boolean {
    return this.#isHere;
  }

  enter(): void {
    if (this.#hasLeft) return;
    this.#life++;
    this.#moves = 0;
    this.#users.clear();
    this.#log.add({ kind: "wants", who: this.name, via: this.#way.via, board: String(this.#board) });
    const socket = new WebSocket(this.#way.url);
    socket.binaryType = "arraybuffer";
    this.#socket = socket;
    const beating = setInterval(() => this.#send({ kind: "heartbeat" }), HEARTBEAT_MS);
    socket.onopen = () => this.#send({ kind: "join", board: this.#board, username: this.name });
    socket.onmessage = ({ data }: MessageEvent<unknown>) => this.#heard(data);
    socket.onclose = () => {
      clearInterval(beating);
      if (this.#hasLeft) return;
      this.#isHere = false;
      this.#log.add({ kind: "gone", who: this.name });
      this.#timer = setTimeout(() => this.enter(), Math.random() * BACKOFF_MS);
    };
  }

  leave(): void {
    clearTimeout(this.#timer);
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.#isHere = false;
    this.#log.add({ kind: "gone", who: this.name });
    this.#send({ kind: "leave", board: this.#board });
    this.#socket?.close(1000);
  }

  say(): void {}

  move(): void {
    if (!this.#isHere) return;
    this.#moves++;
    this.#log.add({ kind: "moves", who: this.name, place: this.#moves });
    this.#send({ kind: "cursor_update", board: this.#board, ...placeOf(this.#moves) });
  }

  #send(message: ClassicMessage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(encodeClassic(message));
  }

  #heard(data: unknown): void {
    const message = data instanceof ArrayBuffer ? decodeClassic(new Uint8Array(data)) : undefined;
    if (message === undefined) return this.#nonsense(`none of the eight: ${String(data)}`);
    if (message.kind === "heartbeat") return;
    if (message.board !== this.#board) return this.#nonsense(`${message.kind} of board ${message.board}`);
    if (message.kind === "user_joined") {
      if (this.#users.has(message.user)) this.#nonsense(`user ${message.user} joined twice`);
      // A newcomer is shown a cursor when it moves, and none before.
      this.#users.set(message.user, { name: message.username, shown: {} });
      this.#sees(message.user);
    } else if (message.kind === "cursor_broadcast") {
      const seen = this.#users.get(message.user);
      if (seen === undefined) return this.#nonsense(`user ${message.user}, who is not there, moved`);
      seen.shown = { place: movesOf(message) };
      this.#sees(message.user);
    } else if (message.kind === "user_left") {
      const seen = this.#users.get(message.user);
      if (seen === undefined) return this.#nonsense(`user ${message.user}, who is not there, left`);
      this.#users.delete(message.user);
      if (this.#isHere) this.#log.add({ kind: "sees", who: this.name, whom: seen.name, shown: null, reason: "user_left" });
    } else if (message.kind === "presence_update" && !this.#isHere && !this.#hasLeft) {
      // After a join come those who are there, and then the count.
      this.#isHere = true;
      const shows = Object.fromEntries([...this.#users.values()].map(({ name, shown }) => [name, shown]));
      this.#log.add({ kind: "here", who: this.name, via: this.#way.via, shows });
    }
  }

  #sees(user: number): void {
    const seen = this.#users.get(user);
    if (seen !== undefined && this.#isHere) this.#log.add({ kind: "sees", who: this.name, whom: seen.name, shown: seen.shown });
  }

  #nonsense(text: string): void {
    if (!this.#hasLeft) this.#log.add({ kind: "nonsense", who: this.name, text });
  }
}
