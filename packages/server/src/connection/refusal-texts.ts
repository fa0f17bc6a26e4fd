/** Texts of refusals for the developer of a client, where nothing more exact is known. */

import type { BoardRef, ErrorCode } from "@presence-service/protocol";
import type { BoundName } from "../bounds.ts";

export const OVERDRAWN =
  "this connection asks for more work than its budget allows; its messages are read later, and if that goes on the connection is closed";

export const REFUSALS: Record<ErrorCode, string> = {
  bad_message: "this message cannot be decoded, or one of its fields breaks a limit",
  bad_board: "no such board",
  bad_username: "a username must not hold control characters, nor characters that change the direction of text",
  bad_state: "the state would be larger than stateBytesMax, or nested too deeply",
  not_joined: "this connection is not on that board",
  too_many_boards: "this connection is on as many boards as one may be; leave one first",
  superseded: "a newer join of this session has replaced this one",
  unauthorized: "the token does not allow this",
  too_fast: "this connection sends more joins, updates or broadcasts than it may; send fewer",
  unavailable: "the service cannot find out at the moment who you are or what you may do; try again later",
  unknown_message: "this release of the service does not know this message",
  observing: "this connection only observes that board; join it without observe to move, update or broadcast",
  not_allowed: "this client may not broadcast on that board: its token does not give the right, or the host says so",
  too_many_watched: "this connection watches as many boards as one may",
};

/** Refusals that name the limit, made from its value. Those that pass by themselves say so: their clients ask again. */
export const LIMIT_TEXTS = {
  boardsPerConnection: (max) => `a connection may be on ${max} boards at most (boardsPerConnection); leave one first`,
  watchedPerConnection: (max) => `a connection may watch ${max} boards at most (watchedPerConnection)`,
  connectionsPerUser: (max) => `this user has ${max} connections, as many as one may have (connectionsPerUser); try again later`,
  membersPerBoard: (max) => `this board has ${max} members, as many as one may have (membersPerBoard); try again later`,
  boardsPerAddress: (max) =>
    `${max} boards are here because of this network address, as many as may be (boardsPerAddress); try again later`,
  watchedPerAddress: (max) => `this network address watches ${max} boards, as many as one may (watchedPerAddress); try again later`,
  connectionsPerAddress: (max) =>
    `this network address has ${max} connections, as many as one may have (connectionsPerAddress); try again later`,
} as const satisfies { readonly [of in BoundName]?: (max: number) => string };

/** Mistakes for which no client is closed: a message was under way when a board was left or only observed, is of a later release, or a right was taken back. */
export const HONEST: ReadonlySet<ErrorCode> = new Set(["not_joined", "unknown_message", "observing", "not_allowed"]);

/** The board's id as the message names it. If it names the board by a number: the kind of the message. */
export function refOf({ kind, board }: { readonly kind: string; readonly board: BoardRef }): string {
  return typeof board === "string" ? board : kind;
}
