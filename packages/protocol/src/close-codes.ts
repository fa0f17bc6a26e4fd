/**
 * The close codes, for both directions: why a connection ended, what its client does next, and how long its members stay shown.
 * After 4000–4099 a client may try again as before; after 4400–4499 the same try would fail again. That holds for codes of later releases.
 */

/** After a close from the other side. `never`: the client does not reconnect by itself; `backoff`: it reconnects after a jittered delay; `elsewhere`: at once, to any instance. */
export type Retry = "never" | "backoff" | "elsewhere";

/** How the members of a connection that ended this way are treated (C2): gone at once, after the short or after the full grace. */
export type Grace = "none" | "short" | "full";

export type CloseReason = { readonly code: number; readonly retry: Retry; readonly grace: Grace; readonly meaning: string };

export const CLOSE = {
  /** The service never sends it. */
  normal: {
    code: 1000,
    retry: "backoff",
    grace: "none",
    meaning: "from a client: it left on purpose; to a client: a proxy closed the connection",
  },
  goingAway: { code: 1001, retry: "backoff", grace: "short", meaning: "the page or the server is going away" },
  noStatus: { code: 1005, retry: "backoff", grace: "short", meaning: "closed without saying why" },
  lost: { code: 1006, retry: "backoff", grace: "full", meaning: "the connection broke" },
  tooBig: { code: 1009, retry: "backoff", grace: "full", meaning: "a message was larger than 16 KiB" },
  internal: { code: 1011, retry: "backoff", grace: "full", meaning: "the server failed; it has logged why" },
  draining: {
    code: 4000,
    retry: "elsewhere",
    grace: "full",
    meaning: "this instance is shutting down; connect again, another one answers",
  },
  unresponsive: { code: 4001, retry: "backoff", grace: "full", meaning: "no sign of life, though asked twice" },
  tooMany: {
    code: 4002,
    retry: "backoff",
    grace: "full",
    meaning: "this user has as many connections as one may have at this instance; close some, or try again later",
  },
  slowReader: {
    code: 4008,
    retry: "backoff",
    grace: "full",
    meaning: "the client reads too slowly, or not at all; reconnect for a fresh roster",
  },
  superseded: { code: 4409, retry: "never", grace: "full", meaning: "the session was resumed by another connection" },
  helloTimeout: { code: 4410, retry: "backoff", grace: "full", meaning: "no hello within 5 s; a classic client: no board for long" },
  abuse: { code: 4411, retry: "never", grace: "none", meaning: "too many invalid messages, or far too much of anything for half a minute" },
  unauthorized: {
    code: 4401,
    retry: "never",
    grace: "none",
    meaning: "the token is missing, refused or has run out; ask for a fresh one, once",
  },
  kicked: { code: 4403, retry: "never", grace: "none", meaning: "removed by an operator" },
} as const satisfies Record<string, CloseReason>;

/** The row of a close code. An unknown code from 4400 to 4499 says `never`; any other one is treated as a lost connection. */
export function closeReason(code: number): CloseReason {
  const refusal =
    retryOf(code) === "never" ? ({ retry: "never", meaning: "refused, for a reason of a later release" } as const) : undefined;
  return Object.values<CloseReason>(CLOSE).find((known) => known.code === code) ?? { ...CLOSE.lost, ...refusal, code };
}

/** The retry of a close code, of this release or a later one, for a client that has no room for the table: the service says the meaning itself. */
export function retryOf(code: number): Retry {
  if (code === 4000) return "elsewhere";
  return code >= 4400 && code <= 4499 && code !== 4410 ? "never" : "backoff";
}
