/** Texts of refusals for the developer of a client, where nothing more exact is known. */

import { BOARDS_PER_CONNECTION_MAX, type BoardRef, type ErrorCode } from "@presence-service/protocol";

export const OVERDRAWN =
  "more work than one connection may ask for; its messages are read later, and if it goes on the connection is closed";

export const REFUSALS: Record<ErrorCode, string> = {
  bad_message: "this message cannot be decoded, or one of its fields breaks a limit",
  bad_board: "no such board",
  bad_username: "a name holds no control or bidirectional characters",
  bad_state: "the state would be larger than stateBytesMax, or too deep",
  not_joined: "this connection is not on that board",
  too_many_boards: `a connection may be on ${BOARDS_PER_CONNECTION_MAX} boards`,
  superseded: "a newer join has this session",
  unauthorized: "the token does not allow this",
  too_fast: "more joins, updates or broadcasts than are taken; slow down",
  unavailable: "who you are or where you may go cannot be looked up at the moment; try again later",
  unknown_message: "this release of the service does not know such a message",
  observing: "this connection only observes that board; join it without observe to move, update or broadcast",
};

/** Mistakes for which no client is closed: a message was under way when a board was left or only observed, or is of a later release. */
export const HONEST: ReadonlySet<ErrorCode> = new Set(["not_joined", "unknown_message", "observing"]);

/** The board's id as the message names it. If it names the board by a number: the kind of the message. */
export function refOf({ kind, board }: { readonly kind: string; readonly board: BoardRef }): string {
  return typeof board === "string" ? board : kind;
}
