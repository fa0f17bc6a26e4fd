/**
 * Why a connection to Redis failed, in words and with what to do about it. Knows the messages of Node, OpenSSL and Redis
 * only as text, and never shows more of them than one printable line.
 */

import { escapeUnprintable, redactText } from "../telemetry/redact.ts";

export type Failure = {
  /** For logs: `connection refused`. */
  readonly reason: string;
  /** The same without what the other end said, which may name channels and users. Absent: it said nothing. */
  readonly gist?: string;
  /** For people who have to mend it: a sentence or two. */
  readonly advice: string;
};

const DETAIL_LENGTH_MAX = 200;

/** The first pattern found in code and message decides. */
const KNOWN: readonly (readonly [pattern: RegExp, reason: string, advice: string])[] = [
  [
    /ECONNREFUSED/,
    "connection refused",
    "Is Redis running there? Start one with `redis-server`, point REDIS_URL at yours, or set REDIS_URL=memory: to run a single instance without Redis.",
  ],
  [
    /ENOTFOUND|EAI_AGAIN/,
    "unknown host",
    "Check the host name in REDIS_URL, and that this machine can look it up. REDIS_URL=memory: runs a single instance without Redis.",
  ],
  [
    /WRONGPASS|ERR invalid password/,
    "wrong user or password",
    "Check both in REDIS_URL: redis://user:password@host, or redis://:password@host for the default user; special characters percent-encoded.",
  ],
  [/NOAUTH/, "it wants a password", "Give it in REDIS_URL: redis://user:password@host, or redis://:password@host for the default user."],
  [
    /NOPERM/,
    "not permitted",
    "Redis knows the user but lacks a rule for it: ACL SETUSER … &<prefix>:* +subscribe +unsubscribe +publish +ping +hello.",
  ],
  [
    /READONLY/,
    "it is a replica and takes nothing",
    "REDIS_URL must lead to the master: a replica, or a reader endpoint, passes on what the master says and nothing else.",
  ],
  [
    /\bOOM\b|MISCONF|NOREPLICAS|MASTERDOWN/,
    "it takes no commands at present",
    "Its memory (`maxmemory`), its disk or its replicas are not as it was told to demand; its own log says which.",
  ],
  [/unknown command '?`?HELLO|NOPROTO/, "it is too old", "Redis 6 or later is needed."],
  [
    /DENIED/,
    "it is in protected mode",
    "Redis takes no connections from other machines without a password: give it one (`requirepass`, or an ACL user) and put it into REDIS_URL.",
  ],
  [/max number of clients/, "it has too many connections", "Raise `maxclients` of Redis, or find out who holds them."],
  [
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|EPROTO|SSL routines/i,
    "no TLS is spoken there",
    "Use redis:// instead of rediss://, or the port on which Redis speaks TLS.",
  ],
  [
    /CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)|ALTNAME/i,
    "its TLS certificate is not accepted",
    "The host in REDIS_URL must be one that the certificate names; a certificate authority of your own is made known by NODE_EXTRA_CA_CERTS.",
  ],
  [
    /Unknown RESP type/,
    "what answers there is not Redis, or wants TLS",
    "Check host and port in REDIS_URL; for TLS use rediss:// instead of redis://.",
  ],
  [
    /ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/,
    "unreachable",
    "Check host and port in REDIS_URL, and the firewalls and routes between here and there.",
  ],
  [
    /ECONNRESET|EPIPE|closed unexpectedly/,
    "closed by the other end",
    "Is it Redis that answers there? If it wants TLS, use rediss:// instead of redis://; its own log may say more.",
  ],
];

export function explain(error: unknown): Failure {
  const detail = textOf(error);
  const known = KNOWN.find(([pattern]) => pattern.test(detail));
  const shown = escapeUnprintable(redactText(detail)).slice(0, DETAIL_LENGTH_MAX);
  if (known === undefined) return { reason: shown, gist: "an error", advice: "Check REDIS_URL, and what the log of Redis says." };
  return { reason: `${known[1]} (${shown})`, gist: known[1], advice: known[2] };
}

/** Nobody said no: a server that hangs, or packets that are dropped. */
export function silence(what: string, withinMs: number): Failure {
  const tls = what.includes("TLS") ? "If Redis speaks no TLS on that port, use redis:// instead of rediss://. " : "";
  return {
    reason: `no answer to ${what} in ${withinMs / 1000} s`,
    advice: `${tls}Does Redis hang, is it overloaded, or does a firewall drop packets? Check host and port in REDIS_URL.`,
  };
}

/** All addresses of a host were tried: an error of errors. */
function textOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return [...new Set(error.errors.map(textOf))].join("; ");
  if (!(error instanceof Error)) return String(error);
  const code = "code" in error ? String(error.code) : "";
  return error.message.includes(code) ? error.message : `${code} ${error.message}`.trim();
}
