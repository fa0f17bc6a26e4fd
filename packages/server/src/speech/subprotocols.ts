/** Which upgrade gets which way of speaking. */

import type { IncomingMessage } from "node:http";
import { CLASSIC } from "./classic.ts";
import type { Speech } from "./speech.ts";
import { BINARY, JSON_TEXT } from "./v2.ts";

/** In order of preference. */
const SUBPROTOCOLS: readonly (readonly [subprotocol: string, speech: Speech])[] = [
  ["presence.v2", BINARY],
  ["presence.v2.json", JSON_TEXT],
];

export const SUBPROTOCOLS_KNOWN = `Known are the subprotocols ${SUBPROTOCOLS.map(([subprotocol]) => subprotocol).join(" and ")}, or one of them as ?encoding= where a proxy removes the header; none of both is the classic protocol.`;

/**
 * A way of speaking is asked for by subprotocol, or, if none is offered, by `?encoding=`, for clients whose proxy removes the header. Without
 * both it is classic. undefined: only unknown ones are asked for. A browser fails a connection that answers with none of its offers.
 */
export function speechFor({ headers }: IncomingMessage, query: URLSearchParams): Speech | undefined {
  const header = headers["sec-websocket-protocol"]?.trim();
  // A header that a proxy has emptied offers nothing; the library would take it for a mistake.
  if (header === "") delete headers["sec-websocket-protocol"];
  if (header) {
    const offered = header.split(",").map((name) => name.trim());
    return SUBPROTOCOLS.find(([subprotocol]) => offered.includes(subprotocol))?.[1];
  }
  const asked = query.get("encoding");
  return asked === null ? CLASSIC : SUBPROTOCOLS.find(([subprotocol]) => subprotocol === asked)?.[1];
}

/** A client that cannot wait for its `hello`, such as one that a gateway has to let in, offers its token beside the way of speaking. */
const TOKEN_PREFIX = "presence.token.";

/** The token among the subprotocols that are offered; it is never chosen as one. */
export function tokenOffered({ headers }: IncomingMessage): string | undefined {
  const offered = (headers["sec-websocket-protocol"] ?? "").split(",").map((name) => name.trim());
  return offered.find((name) => name.startsWith(TOKEN_PREFIX))?.slice(TOKEN_PREFIX.length);
}

/** That header as it may be logged. */
export function withoutToken(offered: string): string {
  return offered
    .split(",")
    .map((name) => (name.trim().startsWith(TOKEN_PREFIX) ? ` ${TOKEN_PREFIX}***` : name))
    .join()
    .trim();
}

/** Of several subprotocols that are offered, the one to speak. */
export function subprotocolOf(offered: ReadonlySet<string>): string | undefined {
  return SUBPROTOCOLS.find(([subprotocol]) => offered.has(subprotocol))?.[0];
}
