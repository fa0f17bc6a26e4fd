/** Which upgrade gets which encoding. */

import type { IncomingMessage } from "node:http";
import { type BoardId, encodeJson } from "@presence-service/protocol";
import { ClassicWire } from "./classic.ts";
import { textFrame } from "./socket.ts";
import type { BoardRoster, Encoding, Wire } from "./speech.ts";
import { BinaryWire, MessageWire } from "./v2.ts";

/** Subprotocols in order of preference. */
const ENCODINGS: readonly (readonly [subprotocol: string, encoding: Encoding])[] = [
  ["presence.v2", "binary"],
  ["presence.v2.json", "json"],
];

export const ENCODINGS_KNOWN = `Known are the subprotocols ${ENCODINGS.map(([subprotocol]) => subprotocol).join(" and ")}, or one of them as ?encoding= where a proxy removes the header; none of both is the classic protocol.`;

/**
 * The encoding is asked for by subprotocol, or, if none is offered, by `?encoding=`, for clients whose proxy removes the header. Without
 * both it is classic. undefined: only unknown ones are asked for. A browser fails a connection that answers with none of its offers.
 */
export function encodingOf({ headers }: IncomingMessage, query: URLSearchParams): Encoding | undefined {
  const header = headers["sec-websocket-protocol"]?.trim();
  // A header that a proxy has emptied offers nothing; the library would take it for a mistake.
  if (header === "") delete headers["sec-websocket-protocol"];
  if (header) {
    const offered = header.split(",").map((name) => name.trim());
    return ENCODINGS.find(([subprotocol]) => offered.includes(subprotocol))?.[1];
  }
  const asked = query.get("encoding");
  return asked === null ? "classic" : ENCODINGS.find(([subprotocol]) => subprotocol === asked)?.[1];
}

/** Of several subprotocols that are offered, the one to speak. */
export function subprotocolOf(offered: ReadonlySet<string>): string | undefined {
  return ENCODINGS.find(([subprotocol]) => offered.has(subprotocol))?.[0];
}

export function wireFor(
  encoding: Encoding,
  board: { readonly boardId: BoardId; readonly number: number },
  roster: () => BoardRoster,
): Wire {
  switch (encoding) {
    case "binary":
      return new BinaryWire(board.boardId, board.number);
    case "json":
      return new MessageWire(board.boardId, board.boardId, (message) => textFrame(encodeJson(message)));
    case "classic":
      return new ClassicWire(Number(board.boardId), roster().entries);
  }
}
