/** Who is connected to this instance, on which boards, and what they are told. */

import { type BoardId, decodeClassic, encodeClassic } from "@presence-service/protocol";
import type { Bus, Channels } from "../bus/bus.ts";

type ClassicSocket = { send(bytes: Uint8Array): void };
type Person = { readonly key: string; readonly user: number; readonly username: string; readonly color: string };
type Local = { readonly socket: ClassicSocket; readonly person: Person };
type Board = { readonly number: number; readonly people: Map<string, Person>; readonly locals: Set<Local> };

/** The thinnest true path: one instance's classic clients and its peers' people, board by board. */
export class ConnectionManager {
  readonly #instanceId: string;
  readonly #channels: Channels;
  readonly #boards = new Map<number, Board>();
  #bus: Bus | undefined;
  #nextKey = 0;

  constructor(options: { instanceId: string; channels: Channels }) {
    this.#instanceId = options.instanceId;
    this.#channels = options.channels;
  }

  start(bus: Bus): void {
    this.#bus = bus;
  }

  open(socket: ClassicSocket): { receive(bytes: Uint8Array): void; closed(): void } {
    const joined = new Map<number, Local>();
    return {
      receive: (bytes) => {
        const message = decodeClassic(bytes);
        if (message === undefined) return;
        switch (message.kind) {
          case "join": {
            if (joined.has(message.board)) return;
            const key = `${this.#instanceId}/${this.#nextKey++}`;
            joined.set(message.board, this.#join(socket, message.board, key, message.username));
            return;
          }
          case "leave": {
            const local = joined.get(message.board);
            joined.delete(message.board);
            if (local !== undefined) this.#leave(message.board, local);
            return;
          }
          case "cursor_update": {
            const local = joined.get(message.board);
            const board = this.#boards.get(message.board);
            if (local === undefined || board === undefined) return;
            this.#moved(board, local.person, message.x, message.y, local);
            this.#publish(board, { key: local.person.key, at: [message.x, message.y] });
            return;
          }
          case "heartbeat":
            return socket.send(encodeClassic(message));
        }
      },
      closed: () => {
        for (const [board, local] of joined) this.#leave(board, local);
      },
    };
  }

  heard(boardId: BoardId, bytes: Uint8Array): void {
    const board = this.#boards.get(Number(boardId));
    const message = JSON.parse(Buffer.from(bytes).toString());
    if (board === undefined || message.from === this.#instanceId) return;
    if (message.ask === true) {
      for (const { person } of board.locals) this.#publish(board, { key: person.key, joined: person.username });
    } else if (message.left === true) this.#remove(board, message.key);
    else if (message.joined !== undefined) {
      this.#add(board, message.key, message.joined);
      this.#tell(board, encodeClassic({ kind: "presence_update", board: board.number, count: board.people.size }));
    }
    if (message.at !== undefined) {
      const person = board.people.get(message.key);
      if (person !== undefined) this.#moved(board, person, message.at[0], message.at[1]);
    }
  }

  subscribed(boardId: BoardId): void {
    const board = this.#boards.get(Number(boardId));
    if (board !== undefined) this.#publish(board, { ask: true });
  }

  #join(socket: ClassicSocket, number: number, key: string, username: string): Local {
    let board = this.#boards.get(number);
    if (board === undefined) {
      board = { number, people: new Map(), locals: new Set() };
      this.#boards.set(number, board);
      this.#bus?.subscribe(this.#channels.board(String(number) as BoardId));
    }
    for (const other of board.people.values()) socket.send(encodeClassic({ kind: "user_joined", board: number, ...other }));
    const local = { socket, person: this.#add(board, key, username) };
    board.locals.add(local);
    this.#publish(board, { key, joined: username });
    this.#tell(board, encodeClassic({ kind: "presence_update", board: number, count: board.people.size }));
    return local;
  }

  #leave(number: number, local: Local): void {
    const board = this.#boards.get(number);
    if (board === undefined) return;
    board.locals.delete(local);
    this.#publish(board, { key: local.person.key, left: true });
    this.#remove(board, local.person.key);
  }

  #add(board: Board, key: string, username: string): Person {
    const known = board.people.get(key);
    if (known !== undefined) return known;
    const taken = new Set([...board.people.values()].map((person) => person.user));
    let user = 0;
    while (taken.has(user)) user++;
    const person = { key, user, username, color: "#3366cc" };
    board.people.set(key, person);
    this.#tell(board, encodeClassic({ kind: "user_joined", board: board.number, ...person }));
    return person;
  }

  #remove(board: Board, key: string): void {
    const person = board.people.get(key);
    if (person === undefined) return;
    board.people.delete(key);
    this.#tell(board, encodeClassic({ kind: "user_left", board: board.number, user: person.user }));
    this.#tell(board, encodeClassic({ kind: "presence_update", board: board.number, count: board.people.size }));
  }

  #moved(board: Board, person: Person, x: number, y: number, mover?: Local): void {
    this.#tell(board, encodeClassic({ kind: "cursor_broadcast", board: board.number, user: person.user, x, y }), mover);
  }

  #tell(board: Board, bytes: Uint8Array, except?: Local): void {
    for (const local of board.locals) if (local !== except) local.socket.send(bytes);
  }

  #publish(board: Board, message: object): void {
    const bytes = Buffer.from(JSON.stringify({ from: this.#instanceId, ...message }));
    this.#bus?.publish(this.#channels.board(String(board.number) as BoardId), bytes).catch(() => {});
  }
}
