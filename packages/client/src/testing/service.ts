/** The service's side of a connection, for tests: members by name, messages with defaults. */

import type {
  BoardId,
  ErrorCode,
  JsonObject,
  Member,
  MemberId,
  Point,
  ResumeToken,
  RosterEntry,
  ServerMessage,
} from "@presence-service/protocol";
import { createPresence } from "../client.ts";
import type { Board, Presence, PresenceOptions } from "../types.ts";
import { FakeDriver, type FakeSocket } from "./fake-driver.ts";

export const INSTANCE = "00000000-0000-4000-8000-000000000001";

export function memberOf(name: string, more: Partial<Member> = {}): Member {
  const memberId = Array.from(name.padEnd(16, "."), (char) => char.charCodeAt(0).toString(16).padStart(2, "0"))
    .join("")
    .slice(0, 32) as MemberId;
  return { memberId, userId: name, username: name, color: "#336699", status: "active", kind: "person", joinedAt: 1, state: {}, ...more };
}

export function welcome(more: Partial<Extract<ServerMessage, { kind: "welcome" }>> = {}): ServerMessage {
  return {
    kind: "welcome",
    memberId: memberOf("me").memberId,
    resumeToken: "ab".repeat(16) as ResumeToken,
    instanceId: INSTANCE,
    heartbeatMs: 10_000,
    graceMs: 15_000,
    cursorMs: 50,
    stateBytesMax: 4096,
    ...more,
  };
}

type JoinedOptions = {
  readonly board?: number;
  readonly settling?: boolean;
  readonly me?: Member;
  readonly firstActor?: number;
  readonly at?: { readonly [name: string]: Point };
};

/** I am actor 0; the others are `firstActor` (1) and up, in order. */
export function joined(
  boardId: string,
  others: readonly (string | Member)[] = [],
  { board = 7, settling = false, me = memberOf("me"), firstActor = 1, at = {} }: JoinedOptions = {},
): ServerMessage {
  const roster: RosterEntry[] = [{ actor: 0, member: me }];
  for (const [index, other] of others.entries()) {
    const member = typeof other === "string" ? memberOf(other) : other;
    const point = at[member.username];
    roster.push({ actor: firstActor + index, member, ...(point && { at: point }) });
  }
  return {
    kind: "joined",
    boardId: boardId as BoardId,
    board,
    self: 0,
    settling,
    members: roster.length,
    users: new Set(roster.map(({ member }) => member.userId)).size,
    roster,
  };
}

/** Accepts the connection made last and welcomes it. */
export async function greet(driver: FakeDriver): Promise<FakeSocket> {
  await driver.advance();
  const { socket } = driver;
  socket.accept();
  socket.serve(welcome());
  return socket;
}

export type Desk = {
  readonly driver: FakeDriver;
  readonly presence: Presence;
  readonly board: Board;
  readonly socket: FakeSocket;
  readonly log: string[];
};

/** A client that has joined board "desk" (number 7) with these others; its log begins after that. */
export async function atDesk(
  others: readonly (string | Member)[] = [],
  state: JsonObject = {},
  options: Partial<PresenceOptions> = {},
): Promise<Desk> {
  const driver = new FakeDriver();
  const presence = createPresence({ url: "ws://test", driver, ...options });
  const board = presence.board("desk", { username: "me", state });
  const socket = await greet(driver);
  socket.serve(joined("desk", others));
  return { driver, presence, board, socket, log: logOf(board) };
}

/** Everything a board tells, one line each. */
export function logOf(board: Board): string[] {
  const log: string[] = [];
  board.on("user_joined", ({ member }) => log.push(`+${member.username}`));
  board.on("user_updated", ({ member }) => log.push(`~${member.username} ${member.status}`));
  board.on("user_left", ({ member, reason }) => log.push(`-${member.username} ${reason}`));
  board.on("error", ({ code }) => log.push(`!${code}`));
  return log;
}

export function names(board: Board): string[] {
  return board.others.map((member) => `${member.username} ${member.status}`);
}

/** The service refuses something of that board. */
export function refuse(socket: FakeSocket, code: ErrorCode, ref = "desk"): void {
  socket.serve({ kind: "error", code, message: "no", ref });
}
