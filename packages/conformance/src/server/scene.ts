/** Where a case about a server plays: the server's address, a board of its own, and visitors who have said hello. */

import { randomBytes, randomInt } from "node:crypto";
import type { BoardId, JsonObject, Member, ResumeToken, ServerMessage } from "@presence-service/protocol";
import { Mistake } from "../cases.ts";
import { namesOf } from "../held.ts";
import { type Encoding, type Joined, Visitor } from "./visitor.ts";

/** The server under test, and what its host does for these tests. Cases that need something absent are skipped. */
export type Host = {
  readonly url: string;
  /** Where the host authenticates: a token of somebody. */
  readonly token?: string | undefined;
  /** A token of nobody. */
  readonly badToken?: string | undefined;
  /** A token of another user than that of `token`. */
  readonly otherToken?: string | undefined;
  /** A token of the same user as `token` that runs out within a few seconds. */
  readonly shortToken?: string | undefined;
  /** A board that the user of `token` may not enter. */
  readonly badBoard?: string | undefined;
  readonly operator?: Operator | undefined;
};

export type Operator = {
  announce(text: string, boardId?: string): Promise<void>;
  kick(whom: { readonly memberId: string; readonly boardId?: string; readonly reason?: string }): Promise<void>;
};

export type Session = { readonly resumeToken: ResumeToken; attempt: number };
export type Welcome = Extract<ServerMessage, { kind: "welcome" }>;
type JoinOptions = {
  readonly board?: BoardId;
  readonly state?: JsonObject;
  readonly status?: "active" | "idle";
  readonly observe?: boolean;
  /** Members that it names as known. */
  readonly held?: readonly Member[];
};

export class Guest extends Visitor {
  readonly session: Session;
  readonly #home: BoardId;
  #welcome: Welcome | undefined;

  constructor(scene: Scene, session: Session) {
    super(scene.host.url, [scene.encoding], scene.encoding);
    this.session = session;
    this.#home = scene.board;
  }

  get welcome(): Welcome {
    if (this.#welcome === undefined) throw new Mistake("it was not welcomed");
    return this.#welcome;
  }

  async greet(token: string | undefined): Promise<void> {
    this.say({ kind: "hello", resumeToken: this.session.resumeToken, ...(token !== undefined && { token }) });
    this.#welcome = await this.heard("welcome");
  }

  async join(
    username: string,
    { board = this.#home, state = {}, status = "active", observe, held = [] }: JoinOptions = {},
  ): Promise<Joined> {
    const since = this.received.length;
    this.holds = held;
    const more = { ...(observe && { observe }), ...(held.length > 0 && { held: namesOf(held) }) };
    this.say({ kind: "join", boardId: board, attempt: ++this.session.attempt, username, status, state, ...more });
    return this.heard("joined", (joined) => joined.boardId === board, undefined, since);
  }
}

export class Scene {
  readonly host: Host;
  readonly encoding: Encoding;
  readonly board = newBoard();

  constructor(host: Host, encoding: Encoding) {
    this.host = host;
    this.encoding = encoding;
  }

  /** Open, and nothing said yet. */
  async stranger(session = newSession()): Promise<Guest> {
    const guest = new Guest(this, session);
    await guest.open();
    return guest;
  }

  /** Welcomed. */
  async guest(session = newSession(), token = this.host.token): Promise<Guest> {
    const guest = await this.stranger(session);
    await guest.greet(token);
    return guest;
  }

  /** On the board. */
  async member(username: string, options: JoinOptions & { readonly session?: Session } = {}): Promise<Guest> {
    const guest = await this.guest(options.session);
    await guest.join(username, options);
    return guest;
  }

  /** Two who see each other. */
  async pair(): Promise<readonly [ana: Guest, ben: Guest, benActor: number]> {
    const ana = await this.member("Ana");
    const ben = await this.member("Ben");
    const { actor } = await ana.heard("user_joined", ({ member }) => member.username === "Ben");
    return [ana, ben, actor];
  }
}

export function newSession(): Session {
  return { resumeToken: randomBytes(16).toString("hex") as ResumeToken, attempt: 0 };
}

export function newBoard(): BoardId {
  return `kit-${randomBytes(6).toString("hex")}` as BoardId;
}

export function newClassicBoard(): number {
  return randomInt(1, 65_536);
}
