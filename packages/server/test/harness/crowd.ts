/**
 * Many moving people on one board. Each sends its own number as x and the number of its moves as y, so that a viewer of a cursor can
 * check its owner and its age. Bare sockets, half of them classic and half `presence.v2`.
 */

import assert from "node:assert/strict";
import {
  type BoardId,
  decodeClassic,
  decodeCursors,
  decodeServerBinary,
  encodeBinary,
  encodeClassic,
  HIDDEN,
} from "@presence-service/protocol";
import { eventually } from "./eventually.ts";
import type { Instance } from "./instance.ts";
import { RawSocket } from "./raw-socket.ts";
import type { Scope } from "./scope.ts";

const STEP_EVERY_MS = 10;
/** One check of a crowd returns so many sentences at most: with a hundred people one defect shows ten thousand times. */
const SENTENCES_MAX = 5;

export class Crowd {
  readonly walkers: Walker[] = [];
  readonly #scope: Scope;
  readonly #board: number;
  #timer: NodeJS.Timeout | undefined;
  #given = 0;

  /** `board`: a number, since classic clients are among them. */
  constructor(scope: Scope, board: number) {
    this.#scope = scope;
    this.#board = board;
    scope.after(() => this.stop());
  }

  /** Adds so many people at this instance; returns when each has its roster. */
  async add(instance: Instance, count: number): Promise<Walker[]> {
    const added = await Promise.all(
      Array.from({ length: count }, async (_, nth) => {
        const index = this.#given++;
        const isClassic = nth % 2 === 0;
        const socket = await RawSocket.connect(this.#scope, { port: instance.port, ...(isClassic ? {} : { protocol: "presence.v2" }) });
        const walker = new (isClassic ? ClassicWalker : BinaryWalker)(index, instance, socket, this.#board);
        walker.join();
        return walker;
      }),
    );
    await eventually(() => added.every((walker) => walker.isJoined), { what: `${count} people have joined through port ${instance.port}` });
    this.walkers.push(...added);
    return added;
  }

  remove(leaving: readonly Walker[]): void {
    for (const walker of leaving) {
      this.walkers.splice(this.walkers.indexOf(walker), 1);
      walker.leave();
    }
  }

  /** Removes all people of a dead instance. */
  forget(instance: Instance): void {
    for (const walker of this.walkers.filter((one) => one.instance === instance)) this.walkers.splice(this.walkers.indexOf(walker), 1);
  }

  /** Each person moves so often per second, evenly spread, until `stop`. */
  walk(movesPerSecond: number): void {
    this.stop();
    let lastAt = performance.now();
    let due = 0;
    let next = 0;
    this.#timer = setInterval(() => {
      const now = performance.now();
      due += ((now - lastAt) / 1000) * movesPerSecond * this.walkers.length;
      lastAt = now;
      // After a delay the crowd does not make up for all missed moves at once.
      due = Math.min(due, this.walkers.length);
      for (; due >= 1; due--) this.walkers[next++ % this.walkers.length]?.move();
    }, STEP_EVERY_MS);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  /** Each person makes one last move, so that late joiners get all cursors too. */
  rest(): void {
    this.stop();
    for (const walker of this.walkers) walker.move();
  }

  /** All wrong views, in sentences: members missing, members too many, members at a wrong place. Empty: all is right. */
  differences(): string[] {
    const present = new Map(this.walkers.map((walker) => [walker.name, walker]));
    const found: string[] = [];
    for (const viewer of this.walkers) {
      for (const name of viewer.numbers.keys()) if (!present.has(name)) found.push(`${viewer.name} still shows ${name}`);
      for (const other of this.walkers) {
        if (other === viewer) continue;
        const seen = viewer.positionOf(other.name);
        if (seen === undefined) found.push(`${viewer.name} misses ${other.name}`);
        else if (other.moves > 0 && (seen.x !== other.index || seen.y !== other.moves))
          found.push(`${viewer.name} has ${other.name} at ${seen.x},${seen.y} instead of ${other.index},${other.moves}`);
      }
      if (found.length > SENTENCES_MAX) break;
    }
    return found.slice(0, SENTENCES_MAX);
  }

  /** Only wrong rosters, whatever the cursors do meanwhile. */
  strangers(): string[] {
    const names = this.walkers.map(({ name }) => name).sort();
    return this.walkers
      .filter((viewer) => [...viewer.numbers.keys(), viewer.name].sort().join() !== names.join())
      .map((viewer) => `${viewer.name} shows ${viewer.numbers.size + 1} people instead of ${names.length}`)
      .slice(0, SENTENCES_MAX);
  }

  /** The number of moves by which this viewer's last known place of `other` is behind. */
  lag(viewer: Walker, other: Walker): number {
    return other.moves - (viewer.positionOf(other.name)?.y ?? 0);
  }

  /** Sentences about messages that a correct server would not have sent. */
  violations(): string[] {
    return this.walkers.flatMap(({ violations }) => violations).slice(0, SENTENCES_MAX);
  }
}

export abstract class Walker {
  readonly index: number;
  readonly name: string;
  readonly instance: Instance;
  readonly socket: RawSocket;
  isJoined = false;
  moves = 0;
  /** The numbers of the others, by name. */
  readonly numbers = new Map<string, number>();
  readonly violations: string[] = [];
  protected readonly board: number;
  readonly #names = new Map<number, string>();
  readonly #xs: number[] = [];
  readonly #ys: number[] = [];

  constructor(index: number, instance: Instance, socket: RawSocket, board: number) {
    this.index = index;
    this.name = `walker ${index}`;
    this.instance = instance;
    this.socket = socket;
    this.board = board;
    socket.onMessage = (bytes) => this.hear(bytes);
  }

  abstract join(): void;
  abstract leave(): void;
  protected abstract say(x: number, y: number): void;
  protected abstract hear(bytes: Buffer): void;

  move(): void {
    this.moves++;
    this.say(this.index, this.moves);
  }

  positionOf(name: string): { readonly x: number; readonly y: number } | undefined {
    const number = this.numbers.get(name);
    return number === undefined ? undefined : { x: this.#xs[number] ?? -1, y: this.#ys[number] ?? -1 };
  }

  protected appeared(number: number, name: string): void {
    if (name === this.name) return;
    if (this.numbers.has(name)) this.violations.push(`${this.name} was told twice that ${name} is here`);
    this.numbers.set(name, number);
    this.#names.set(number, name);
    this.#xs[number] = this.#ys[number] = -1;
  }

  protected vanished(number: number): void {
    const name = this.#names.get(number);
    if (name === undefined) this.violations.push(`${this.name} was told that number ${number}, who was not here, left`);
    else this.numbers.delete(name);
    this.#names.delete(number);
  }

  protected moved(number: number, x: number, y: number): void {
    this.#xs[number] = x;
    this.#ys[number] = y;
  }

  protected forgetAll(): void {
    this.numbers.clear();
    this.#names.clear();
  }
}

class ClassicWalker extends Walker {
  override join(): void {
    this.socket.send(encodeClassic({ kind: "join", board: this.board, username: this.name }));
  }

  override leave(): void {
    this.socket.send(encodeClassic({ kind: "leave", board: this.board }));
  }

  protected override say(x: number, y: number): void {
    this.socket.send(encodeClassic({ kind: "cursor_update", board: this.board, x, y }));
  }

  protected override hear(bytes: Buffer): void {
    // Nearly all messages are of this type.
    if (bytes[0] === 0x02) return this.moved(bytes[3] ?? 0, bytes.readUInt16BE(4), bytes.readUInt16BE(6));
    const message = decodeClassic(bytes);
    if (message?.kind === "user_joined") this.appeared(message.user, message.username);
    else if (message?.kind === "user_left") this.vanished(message.user);
    else if (message?.kind === "presence_update") this.isJoined = true;
    else this.violations.push(`${this.name} got ${bytes.toString("hex")}`);
  }
}

class BinaryWalker extends Walker {
  #board = -1;
  #self = -1;

  override join(): void {
    this.socket.send(encodeBinary({ kind: "hello" }));
    const boardId = String(this.board) as BoardId;
    this.socket.send(encodeBinary({ kind: "join", boardId, attempt: 1, username: this.name, status: "active", state: {} }));
  }

  override leave(): void {
    this.socket.send(encodeBinary({ kind: "leave", board: this.#board }));
  }

  protected override say(x: number, y: number): void {
    this.socket.send(encodeBinary({ kind: "cursor", board: this.#board, at: { x, y } }));
  }

  protected override hear(bytes: Buffer): void {
    const cursors = decodeCursors(bytes);
    if (cursors !== undefined) {
      const { moves } = cursors;
      for (let at = 0; at < moves.length; at += 3) {
        const [actor = -1, x = HIDDEN, y = 0] = [moves[at], moves[at + 1], moves[at + 2]];
        if (actor !== this.#self) this.moved(actor, x, y);
      }
      return;
    }
    const message = decodeServerBinary(bytes);
    switch (message?.kind) {
      case "joined":
        this.forgetAll();
        this.#board = Number(message.board);
        this.#self = message.self;
        for (const { actor, member, at } of message.roster) {
          this.appeared(actor, member.username);
          if (at) this.moved(actor, at.x, at.y);
        }
        this.isJoined = true;
        return;
      case "user_joined":
        return this.appeared(message.actor, message.member.username);
      case "user_left":
        return this.vanished(message.actor);
      case "heartbeat":
        return this.socket.send(encodeBinary({ kind: "heartbeat" }));
      case "error":
        return void this.violations.push(`${this.name} got the error ${message.code}: ${message.message}`);
      case undefined:
        assert.fail(`not decodable: ${bytes.toString("hex")}`);
    }
  }
}
