/** Clients of this service: `presence.v2`. They do not read messages that are only about members, as the clients of the others do not. */

import { randomBytes } from "node:crypto";
import { type BoardId, encodeBinary, type ResumeToken } from "@presence-service/protocol";
import { BinaryClient, type Seen } from "../clients.ts";
import { BenchSocket, type Listener } from "../socket.ts";
import { type Enter, Person, type Place } from "./person.ts";

const HEARTBEAT = 0x08;
const JOINED = 0x42;
const CURSORS = 0x46;

class OurPerson extends Person {
  readonly #client: BinaryClient;
  readonly #hear: Listener;

  constructor(socket: BenchSocket, place: Place, seen: Seen) {
    super(socket, place, seen);
    this.#client = new BinaryClient(socket, place.instance, 0, (_client, move) => seen(this, move));
    this.#hear = socket.onMessage;
    socket.onMessage = (bytes, start, end) => this.hear(bytes, start, end);
  }

  override move(move: number): void {
    this.#client.move(move);
  }

  protected override hear(bytes: Buffer, start: number, end: number): void {
    const type = bytes[start];
    if (type !== CURSORS && type !== HEARTBEAT && type !== JOINED) return;
    this.#hear(bytes, start, end);
    if (this.#client.isJoined) this.joined();
  }
}

type Session = { readonly resumeToken: ResumeToken; attempt: number };
/** By the number of the person: somebody who comes back resumes. */
const sessions = new Map<number, Session>();

/** Each has an address of its own, as people have: else they would share the budget of one. The instances trust 127.0.0.1 to say so. */
export const enterOurs: Enter = async (place, seen) => {
  const { nth, port, board } = place;
  const socket = await BenchSocket.open(port, "presence.v2", `10.${nth >> 16}.${(nth >> 8) & 255}.${nth & 255}`);
  const person = new OurPerson(socket, place, seen);
  const session = sessions.get(nth) ?? { resumeToken: randomBytes(16).toString("hex") as ResumeToken, attempt: 0 };
  sessions.set(nth, session);
  socket.send(encodeBinary({ kind: "hello", resumeToken: session.resumeToken, packs: true }));
  const said = { attempt: ++session.attempt, username: `user ${nth}`, status: "active", state: {} } as const;
  socket.send(encodeBinary({ kind: "join", boardId: board as BoardId, ...said }));
  return person;
};
